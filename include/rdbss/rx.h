/*
 * rx.h - the whole interface between RDBSS and its mini-redirectors; include ntifs.h first, then this.
 */
#ifndef RX_RX_H
#define RX_RX_H

#include "ntifs.h"

#include "rxtypes/nodetype.h"
#include "rxtypes/forward.h"
#include "ntrxdef.h"
#include "rxassert.h"
#include "rxlog.h"
#include "rxworkq.h"
#include "prefix.h"
#include "fcbtable.h"
#include "lowio.h"
#include "mrxfcb.h"
#include "buffring.h"
#include "fcb.h"
#include "rxtimer.h"
#include "scavengr.h"
#include "mrx.h"
#include "rxcontx.h"
#include "rxstruc.h"
#include "rxprocs.h"

#endif

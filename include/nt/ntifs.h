/* ntifs.h - everything a file system driver sees of the executive. */
#ifndef NT_NTIFS_H
#define NT_NTIFS_H

#include "ntdef.h"
#include "list.h"
#include "ntstatus.h"
#include "rtl.h"
#include "dbg.h"
#include "unicode.h"
#include "spinlock.h"
#include "event.h"
#include "fastmutex.h"
#include "resource.h"
#include "timer.h"
#include "pool.h"
#include "process.h"
#include "workitem.h"
#include "security.h"
#include "fileinfo.h"
#include "fsctl.h"
#include "fsctl_codes.h"
#include "irp.h"
#include "pnp.h"
#include "cache.h"
#include "ecp.h"
#include "seh.h"
#include "filelock.h"
#include "querypath.h"
#include "tsa.h"
#include "nt_exec.h"

#endif

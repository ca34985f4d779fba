/*
 * rxstruc.h - what the library as a whole exports besides routines of one subject.
 */
#ifndef RX_RXSTRUC_H
#define RX_RXSTRUC_H

#include "mrx.h"
#include "rxtypes/forward.h"

/* The process RxDriverEntry() ran in: handles of the redirector belong to it. */
PEPROCESS RxGetRDBSSProcess(void);

VOID RxUnregisterMinirdr(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject);

#endif

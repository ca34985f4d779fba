/*
 * ntrxdef.h - pool calls of the redirector, and small things all of its code uses.
 */
#ifndef RX_NTRXDEF_H
#define RX_NTRXDEF_H

#include "rxtypes/forward.h"

VOID *_RxAllocatePoolWithTag(ULONG Type, ULONG Size, ULONG Tag, PSZ FileName, ULONG LineNumber);
VOID _RxFreePool(PVOID Buffer, PSZ FileName, ULONG LineNumber);
BOOLEAN _RxCheckMemoryBlock(PVOID Buffer, PSZ FileName, ULONG LineNumber);

#define RxAllocatePoolWithTag(type, size, tag) ExAllocatePoolWithTag((type), (size), (tag))
#define RxAllocatePool(type, size) ExAllocatePoolWithTag((type), (size), 'opxR')
#define RxFreePool(ptr) ExFreePool(ptr)
#define RxCheckMemoryBlock(ptr) ((void)0)

/* The "captures" of old driver sources. */
#define RxCaptureRequestPacket PIRP capReqPacket = RxContext->CurrentIrp
#define RxCaptureFcb PFCB capFcb = (PFCB)(RxContext->pFcb)
#define RxCaptureFobx PFOBX capFobx = (PFOBX)(RxContext->pFobx)
#define RxCaptureParamBlock PIO_STACK_LOCATION capPARAMS = RxContext->CurrentIrpSp
#define RxCaptureFileObject PFILE_OBJECT capFileObject = capPARAMS->FileObject

#endif

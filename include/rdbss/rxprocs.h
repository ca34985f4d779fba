/*
 * rxprocs.h - routines of the redirector that belong to no single structure.
 */
#ifndef RX_RXPROCS_H
#define RX_RXPROCS_H

#include "fcb.h"
#include "lowio.h"
#include "mrx.h"
#include "rxcontx.h"
#include "rxlog.h"
#include "rxstruc.h"
#include "rxtypes/forward.h"

#define RXINIT_START 0

/* Life of the library in a driver. */
NTSTATUS RxDriverEntry(_In_ PDRIVER_OBJECT DriverObject, _In_ PUNICODE_STRING RegistryPath);
VOID RxUnload(_In_ PDRIVER_OBJECT DriverObject);

/* Requests. */
NTSTATUS RxCompleteRequest(_In_ PRX_CONTEXT RxContext, _In_ NTSTATUS Status);
VOID RxCompleteRequest_Real(_In_ PRX_CONTEXT RxContext, _In_ PIRP Irp, _In_ NTSTATUS Status);
NTSTATUS RxFsdPostRequest(_In_ PRX_CONTEXT RxContext);
PVOID RxMapSystemBuffer(_In_ PRX_CONTEXT RxContext, _In_ PIRP Irp);
PVOID RxNewMapUserBuffer(_In_ PRX_CONTEXT RxContext);
BOOLEAN RxIsThisACscAgentOpen(_In_ PRX_CONTEXT RxContext);
BOOLEAN RxLockEnumerator(_Inout_ PMRX_SRV_OPEN SrvOpen, _Inout_ PVOID *ContinuationHandle,
			 _Out_ PLARGE_INTEGER FileOffset, _Out_ PLARGE_INTEGER LockRange,
			 _Out_ PBOOLEAN IsLockExclusive);
NTSTATUS RxPrepareToReparseSymbolicLink(_In_ PRX_CONTEXT RxContext,
					_In_ BOOLEAN SymbolicLinkEmbeddedInOldPath,
					_In_ PUNICODE_STRING NewPath, _In_ BOOLEAN NewPathIsAbsolute,
					_Out_ PBOOLEAN ReparseRequired);
NTSTATUS RxPrefixClaim(_In_ PRX_CONTEXT RxContext);

/*
 * The FCB regular resource, for RDBSS itself. RxContext may be NULL. The acquire forms wait, except that
 * a context without RX_CONTEXT_FLAG_WAIT gets STATUS_LOCK_NOT_GRANTED instead. Recursive.
 */
NTSTATUS __RxAcquireExclusiveFcb(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb);
NTSTATUS __RxAcquireSharedFcb(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb);
VOID __RxReleaseFcb(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb);
VOID __RxReleaseFcbForThread(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb,
			     _In_ ERESOURCE_THREAD ResourceThreadId);
BOOLEAN __RxAcquirePagingIoResource(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb);
BOOLEAN __RxAcquirePagingIoResourceShared(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb,
					  _In_ BOOLEAN Wait);
VOID __RxReleasePagingIoResource(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFCB Fcb);

/* An FCB is a PFCB to RDBSS and a PMRX_FCB to a mini-redirector; these take both. */
#define RxAcquireExclusiveFcb(RXCONTEXT, FCB) __RxAcquireExclusiveFcb((RXCONTEXT), (PFCB)(FCB))
#define RxAcquireSharedFcb(RXCONTEXT, FCB) __RxAcquireSharedFcb((RXCONTEXT), (PFCB)(FCB))
#define RxReleaseFcb(RXCONTEXT, FCB) __RxReleaseFcb((RXCONTEXT), (PFCB)(FCB))
#define RxReleaseFcbForThread(RXCONTEXT, FCB, THREAD) \
	__RxReleaseFcbForThread((RXCONTEXT), (PFCB)(FCB), (THREAD))
#define RxAcquirePagingIoResource(RXCONTEXT, FCB) __RxAcquirePagingIoResource((RXCONTEXT), (PFCB)(FCB))
#define RxAcquirePagingIoResourceShared(RXCONTEXT, FCB, WAIT) \
	__RxAcquirePagingIoResourceShared((RXCONTEXT), (PFCB)(FCB), (WAIT))
#define RxReleasePagingIoResource(RXCONTEXT, FCB) __RxReleasePagingIoResource((RXCONTEXT), (PFCB)(FCB))

#define RxIsFcbAcquiredShared(FCB) (ExIsResourceAcquiredSharedLite((FCB)->Header.Resource) != 0)
#define RxIsFcbAcquiredExclusive(FCB) ExIsResourceAcquiredExclusiveLite((FCB)->Header.Resource)
#define RxIsFcbAcquired(FCB) (RxIsFcbAcquiredShared(FCB) || RxIsFcbAcquiredExclusive(FCB))
#define RxFcbAcquiredShared(RXCONTEXT, FCB) RxIsFcbAcquiredShared(FCB)

/* The end of objects. RxFinalizeConnection takes its locks itself; the others as their pages say. */
BOOLEAN RxFinalizeNetFcb(_Out_ PFCB ThisFcb, _In_ BOOLEAN RecursiveFinalize, _In_ BOOLEAN ForceFinalize,
			 _In_ LONG ReferenceCount);
NTSTATUS RxFinalizeConnection(_Inout_ PNET_ROOT NetRoot, _Inout_opt_ PV_NET_ROOT VNetRoot,
			      _In_ LOGICAL ForceFilesClosed);
VOID RxForceFinalizeAllVNetRoots(_Inout_ PNET_ROOT NetRoot);
VOID RxOrphanSrvOpens(_Inout_ PV_NET_ROOT ThisVNetRoot);
NTSTATUS RxCloseAssociatedSrvOpen(_In_opt_ PRX_CONTEXT RxContext, _Inout_ PFOBX Fobx);
VOID RxPurgeAllFobxs(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject);
VOID RxScavengeAllFobxs(_In_ PRDBSS_DEVICE_OBJECT RxDeviceObject);

/* Requests, in the words of older drivers. */
#define RxSetIoStatusStatus(RXCONTEXT, STATUS) ((RXCONTEXT)->CurrentIrp->IoStatus.Status = (STATUS))
#define RxSetIoStatusInfo(RXCONTEXT, INFO) ((RXCONTEXT)->CurrentIrp->IoStatus.Information = (INFO))
#define RxMarkContextPending(RXCONTEXT) IoMarkIrpPending((RXCONTEXT)->CurrentIrp)
#define RxCompleteAsynchronousRequest(RXCONTEXT, STATUS) RxCompleteRequest((RXCONTEXT), (STATUS))
#define RxDeviceType(NAME) FILE_DEVICE_##NAME

/* Names and connections. */

typedef enum _RX_NAME_CONJURING_METHODS {
	VNetRoot_As_Prefix,   /* `\server\share\path` */
	VNetRoot_As_UNC_Name, /* `\\server\share\path` */
	VNetRoot_As_DriveLetter
} RX_NAME_CONJURING_METHODS;

/**
 * RxConjureOriginalName - the whole name of a file
 * @ActualNameLength: [out] bytes of the name, whether they fit or not
 * @OriginalName:     [out] as much as fits, not terminated
 * @LengthRemaining:  [in,out] bytes of the buffer; below 0 afterwards when the name was cut
 *
 * Locks: the FCB, at least shared. Not documented; as drivers call it.
 */
VOID RxConjureOriginalName(_Inout_ PFCB Fcb, _Inout_opt_ PFOBX Fobx, _Out_ PULONG ActualNameLength,
			   _Out_ PWCHAR OriginalName, _Inout_ PLONG LengthRemaining,
			   _In_ RX_NAME_CONJURING_METHODS NameConjuringMethod);
NTSTATUS RxSetSrvCallDomainName(_In_ PMRX_SRV_CALL SrvCall, _In_opt_ PUNICODE_STRING DomainName);

/**
 * RxFindOrConstructVirtualNetRoot - the view of a share that a create's name leads to
 * @CanonicalName: `\server\share[\path]` or `\;X:id\server\share[\path]`
 * @RemainingName: [out] what follows the view's name; shares CanonicalName's buffer
 *
 * Sets RxContext->Create.{pSrvCall,pNetRoot,pVNetRoot,NetNamePrefixEntry}; the view is referenced once for
 * the caller. Takes the name table lock itself and holds it across no call-down. Waits for objects that
 * another request is building. A server or share that failed within the last two seconds answers at once.
 *
 * Context: may block as long as the mini-redirector takes.
 * Return:  STATUS_SUCCESS; the driver's failure; STATUS_BAD_NETWORK_PATH for a name without a server;
 *          STATUS_BAD_NETWORK_NAME without a share.
 */
NTSTATUS RxFindOrConstructVirtualNetRoot(_Inout_ PRX_CONTEXT RxContext, _In_ PIRP Irp,
					 _In_ PUNICODE_STRING CanonicalName, _In_ NET_ROOT_TYPE NetRootType,
					 _Out_ PUNICODE_STRING RemainingName);
NTSTATUS RxFindOrCreateConnections(_Inout_ PRX_CONTEXT RxContext, _In_ PIRP Irp,
				   _In_ PUNICODE_STRING CanonicalName, _In_ NET_ROOT_TYPE NetRootType,
				   _In_ BOOLEAN TreeConnect, _Out_ PUNICODE_STRING LocalNetRootName,
				   _Out_ PUNICODE_STRING FilePathName, _Inout_ PLOCK_HOLDING_STATE LockState,
				   _In_opt_ PRX_CONNECTION_ID RxConnectionId);
NTSTATUS RxConstructSrvCall(_In_ PRX_CONTEXT RxContext, _In_ PIRP Irp, _Inout_ PSRV_CALL SrvCall,
			    _Inout_ PLOCK_HOLDING_STATE LockHoldingState);
NTSTATUS RxConstructNetRoot(_In_ PRX_CONTEXT RxContext, _Inout_ PSRV_CALL SrvCall, _Inout_ PNET_ROOT NetRoot,
			    _Inout_ PV_NET_ROOT VirtualNetRoot, _Inout_ PLOCK_HOLDING_STATE LockHoldingState);
NTSTATUS RxConstructVirtualNetRoot(_In_ PRX_CONTEXT RxContext, _In_ PIRP Irp,
				   _In_ PUNICODE_STRING CanonicalName, _In_ NET_ROOT_TYPE NetRootType,
				   _In_ BOOLEAN TreeConnect, _Out_ PV_NET_ROOT *VirtualNetRootPointer,
				   _Inout_ PLOCK_HOLDING_STATE LockHoldingState,
				   _In_opt_ PRX_CONNECTION_ID RxConnectionId);

/*
 * Objects in transition. RxUpdateCondition sets the condition and, when it is stable, wakes all who wait.
 * RxWaitForStableCondition returns with *AsyncStatus STATUS_SUCCESS when the condition is stable (good or
 * bad: look), STATUS_PENDING when the context will be posted to a worker at that time instead of waiting
 * (RX_CONTEXT_FLAG_POST_ON_STABLE_CONDITION), or STATUS_INSUFFICIENT_RESOURCES.
 * Locks: both work under a lock of their own; a waiter must hold no table lock.
 */
VOID RxUpdateCondition(_In_ RX_BLOCK_CONDITION NewConditionValue, _Out_ PRX_BLOCK_CONDITION Condition,
		       _Inout_ PLIST_ENTRY TransitionWaitList);
VOID RxWaitForStableCondition(_In_ PRX_BLOCK_CONDITION Condition, _Inout_ PLIST_ENTRY TransitionWaitList,
			      _Inout_ PRX_CONTEXT RxContext, _Out_opt_ NTSTATUS *AsyncStatus);

/* Buffering. */
NTSTATUS RxChangeBufferingState(_Inout_ PSRV_OPEN SrvOpen, _In_opt_ PVOID Context,
				_In_ BOOLEAN ComputeNewState);
VOID RxIndicateChangeOfBufferingState(_In_ PMRX_SRV_CALL SrvCall, _In_ PVOID SrvOpenKey,
				      _In_ PVOID MRxContext);
VOID RxIndicateChangeOfBufferingStateForSrvOpen(_In_ PMRX_SRV_CALL SrvCall, _In_ PMRX_SRV_OPEN SrvOpen,
						_In_ PVOID SrvOpenKey, _In_ PVOID MRxContext);

/* The event log. */
VOID RxLogEventDirect(_In_ PRDBSS_DEVICE_OBJECT DeviceObject, _In_ PUNICODE_STRING OriginatorId,
		      _In_ ULONG EventId, _In_ NTSTATUS Status, _In_ ULONG Line);
VOID RxLogEventWithBufferDirect(_In_ PVOID DeviceObject, _In_ PUNICODE_STRING OriginatorId,
				_In_ ULONG EventId, _In_ NTSTATUS Status, _In_ PVOID DataBuffer,
				_In_ USHORT DataBufferLength, _In_ ULONG LineNumber);
VOID RxLogEventWithAnnotation(_In_ PRDBSS_DEVICE_OBJECT DeviceObject, _In_ ULONG Id, _In_ NTSTATUS NtStatus,
			      _In_ PVOID RawDataBuffer, _In_ USHORT RawDataLength,
			      _In_ PUNICODE_STRING Annotations, _In_ ULONG AnnotationCount);
#define RxLogEvent(_DeviceObject, _OriginatorId, _EventId, _Status) \
	RxLogEventDirect((_DeviceObject), (_OriginatorId), (_EventId), (_Status), __LINE__)
#define RxLogFailure(_DeviceObject, _OriginatorId, _EventId, _Status) \
	RxLogEventDirect((_DeviceObject), (_OriginatorId), (_EventId), (_Status), __LINE__)
#define RxLogFailureWithBuffer(_DeviceObject, _OriginatorId, _EventId, _Status, _Buffer, _Length) \
	RxLogEventWithBufferDirect((_DeviceObject), (_OriginatorId), (_EventId), (_Status), (_Buffer), \
				   (_Length), __LINE__)

/*
 * Read from the registry by RxDriverEntry; a redirector may set them after it. The first: opens of a read-only file may
 * share a SRV_OPEN that has more access than they ask for. The second, in bytes, at most 16 pages: what
 * NET_ROOT.DiskParameters.ReadAheadGranularity of a new share begins with.
 */
extern BOOLEAN DisableByteRangeLockingOnReadOnlyFiles;
extern ULONG ReadAheadGranularity;

#endif

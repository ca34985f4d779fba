/*
 * srvcall.c - one record per server we talk to.
 *
 * Owns:      SRV_CALL from RxCreateSrvCall() to the free in rx_srv_call_destroy(), in one allocation with the
 *            driver's extension, the construction context and the names.
 * Found by:  the device's name table; that entry is a reference.
 * Locks:     name table, exclusive, for every change of the life cycle; shared is enough to read.
 * Dies when: finalized (RxFinalizeSrvCall) and the last reference is gone.
 *
 *   Uninitialized --construct--> InTransition --server answered--> Good
 *                                     |
 *                                     +--no answer--> Bad (remembered for two seconds)
 *     any stable state --finalize--> Closed --> freed
 *
 *   InTransition -> Good, Bad    core/connect/winner.c
 *   *            -> Closed       RxFinalizeSrvCall(), stage one
 *
 * Finalization has three steps: the name leaves the table at once, so that a new record may take it; then
 * MRxFinalizeSrvCall is called, here or by a worker of the RDBSS process (E-01); then the memory goes when
 * nobody refers to it any more.
 */
#include "core/object/object.h"

#include "core/buffering/buffering.h"
#include "core/connect/connect.h"
#include "core/minirdr/calldown.h"
#include "core/name/name.h"
#include "core/work/work.h"

#define RX_TAG_SRV_CALL 'cSxR'
#define RX_FAILURE_MEMORY 20000000LL /* 2 s in units of 100 ns */

enum rx_finalize_policy rx_srv_call_finalize_policy = RX_POST_OUTSIDE_RDBSS_PROCESS;

/* The value of an extended attribute of the create, or false. Everything in the buffer is checked. */
static bool rx_srv_call_find_ea(PRX_CONTEXT rxc, const char *name, PUNICODE_STRING value)
{
	PUCHAR buffer = rxc->Create.EaBuffer;
	ULONG length = buffer != NULL ? rxc->Create.EaLength : 0;
	size_t name_length = strlen(name);
	ULONG at = 0;

	while (length - at >= FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName)) {
		PFILE_FULL_EA_INFORMATION ea = (PVOID)(buffer + at);
		ULONG room = length - at - (ULONG)FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName);

		if (room < (ULONG)ea->EaNameLength + 1 + ea->EaValueLength)
			return false;
		if (ea->EaNameLength == name_length && memcmp(ea->EaName, name, name_length) == 0) {
			value->Buffer = (PWCH)(ea->EaName + ea->EaNameLength + 1);
			value->Length = value->MaximumLength = ea->EaValueLength & ~(USHORT)1;
			return true;
		}
		if (ea->NextEntryOffset == 0 || ea->NextEntryOffset > length - at)
			return false;
		at += ea->NextEntryOffset;
	}
	return false;
}

/**
 * RxCreateSrvCall - make the record of a server and enter its name
 * @RxContext:       [in] the create; its EA "Principal" becomes the principal name
 * @Name:            [in] `\server`; copied
 * @InnerNamePrefix: [in, optional] appended to the name in the table
 * @RxConnectionId:  [in, optional] part of the key in the table
 *
 * Locks:  name table of the device, exclusive.
 * Refs:   the record has one reference, the table's.
 * Return: the record in Condition_Uninitialized; NULL without memory, or when the name is taken.
 * Page:   fcb/RxCreateSrvCall.
 */
PSRV_CALL RxCreateSrvCall(PRX_CONTEXT RxContext, PUNICODE_STRING Name, PUNICODE_STRING InnerNamePrefix,
			  PRX_CONNECTION_ID RxConnectionId)
{
	PRDBSS_DEVICE_OBJECT dev = RxContext->RxDeviceObject;
	PRX_PREFIX_TABLE table = dev->pRxNetNameTable;
	BOOLEAN managed = BooleanFlagOn(dev->Dispatch->MRxFlags, RDBSS_MANAGE_SRV_CALL_EXTENSION);
	ULONG extension = managed ? rx_object_align(dev->Dispatch->MRxSrvCallSize) : 0;
	ULONG head = rx_object_align(sizeof(SRV_CALL));
	ULONG construction = rx_object_align(sizeof(struct rx_srv_call_construction));
	UNICODE_STRING principal = {0};
	UNICODE_STRING inner = {0};
	SIZE_T bytes;
	PSRV_CALL sc;
	PUCHAR at;

	rx_assert_name_table_exclusive(table);
	(void)rx_srv_call_find_ea(RxContext, "Principal", &principal); /* absent: stays empty */
	bytes = (SIZE_T)head + construction + extension + Name->Length + principal.Length;
	if (InnerNamePrefix != NULL)
		bytes += InnerNamePrefix->Length;

	sc = ExAllocatePoolWithTag(NonPagedPool, bytes, RX_TAG_SRV_CALL);
	if (sc == NULL)
		return NULL;
	RtlZeroMemory(sc, bytes);
	sc->NodeTypeCode = RDBSS_NTC_SRVCALL;
	sc->NodeByteSize = sizeof(*sc);
	sc->NodeReferenceCount = 1;
	sc->RxDeviceObject = dev;
	sc->SerialNumberForEnum = rx_object_next_serial();
	sc->Condition = Condition_Uninitialized;
	sc->MaximumNumberOfCloseDelayedFiles = RX_DEFAULT_CLOSE_DELAYED_FILES;
	InitializeListHead(&sc->TransitionWaitList);
	InitializeListHead(&sc->ScavengerFinalizationList);
	InitializeListHead(&sc->PurgeSyncronizationContext.ContextsAwaitingPurgeCompletion);

	sc->Construction = (PVOID)((PUCHAR)sc + head);
	if (managed)
		sc->Context = (PUCHAR)sc + head + construction;
	at = rx_object_place_name(&sc->SrvCallName, (PUCHAR)sc + head + construction + extension, Name);
	if (InnerNamePrefix != NULL)
		at = rx_object_place_name(&inner, at, InnerNamePrefix);
	(void)rx_object_place_name(&sc->PrincipalName, at, &principal);
	sc->pSrvCallName = &sc->SrvCallName;
	sc->pPrincipalName = principal.Length != 0 ? &sc->PrincipalName : NULL;

	sc->PrefixEntry.Prefix = sc->SrvCallName;
	sc->PrefixEntry.Prefix.Length = sc->PrefixEntry.Prefix.MaximumLength =
		(USHORT)(Name->Length + inner.Length);
	RxInitializeBufferingManager(sc);

	if (RxPrefixTableInsertName(table, &sc->PrefixEntry, sc, (PULONG)&sc->NodeReferenceCount,
				    sc->PrefixEntry.Prefix.Length, RxConnectionId) == NULL) {
		RxTearDownBufferingManager(sc);
		ExFreePoolWithTag(sc, RX_TAG_SRV_CALL);
		return NULL;
	}
	RxLog(("sc=%lu created %wZ", sc->SerialNumberForEnum, &sc->SrvCallName));
	return sc;
}

static void rx_srv_call_destroy(PSRV_CALL sc)
{
	RX_CHECK(rx_object_count(&sc->NodeReferenceCount) == 0);
	RxLog(("sc=%lu freed", sc->SerialNumberForEnum));
	rx_scavenger_unmark(sc);
	RemoveEntryList(&sc->PrefixEntry.MemberQLinks); /* the departed */
	RxTearDownBufferingManager(sc);
	if (sc->DomainName.Buffer != NULL)
		ExFreePoolWithTag(sc->DomainName.Buffer, RX_TAG_SRV_CALL);
	rx_ref_forget(sc);
	sc->NodeTypeCode = NTC_UNDEFINED;
	ExFreePoolWithTag(sc, RX_TAG_SRV_CALL);
}

/* MRxFinalizeSrvCall, once, and the table's reference. What is left afterwards is memory. */
static void rx_srv_call_call_down(PSRV_CALL sc)
{
	RX_CHECK(!sc->CallDownDone);
	(void)rx_call_finalize_srv_call(&sc->Mrx, sc->ForceAtCallDown); /* ignored: the page */
	rx_flag_set(&sc->CallDownDone);
	(void)InterlockedDecrement(&sc->NodeReferenceCount);
}

/* A worker of the RDBSS process: makes the call-down, then enters the finalization a second time. */
static VOID NTAPI rx_srv_call_finalize_worker(PVOID context)
{
	PSRV_CALL sc = context;
	PRX_PREFIX_TABLE table = rx_object_name_table(sc);

	rx_name_table_lock(table);
	rx_srv_call_call_down(sc);
	(void)RxFinalizeSrvCall(sc,
				sc->ForceAtCallDown); /* FALSE: referenced still, freed by its last user */
	rx_name_table_unlock(table);
}

static bool rx_srv_call_must_post(void)
{
	bool inside = rx_in_rdbss_process();

	return rx_srv_call_finalize_policy == RX_POST_INSIDE_RDBSS_PROCESS ? inside : !inside;
}

/**
 * RxFinalizeSrvCall - tear down the record of a server nobody uses
 * @ThisSrvCall:   [in] the record; when TRUE is returned the pointer is dead
 * @ForceFinalize: [in] TRUE: finalize whatever the reference count is
 *
 * Without force the record must be down to its name-table reference. Its name is free for a new record when
 * this returns TRUE. Calls MRxFinalizeSrvCall exactly once per record, now or from a worker; its status is
 * ignored. A record that others still refer to is freed by the last of them.
 *
 * Context: <= APC_LEVEL; may block on the mini-redirector.
 * Locks:   name table of the device, exclusive, on entry and on return; never dropped.
 * Return:  TRUE finalized or posted; FALSE still in use, nothing changed.
 * Page:    fcb/RxFinalizeSrvCall, E-01 (which process posts).
 */
BOOLEAN RxFinalizeSrvCall(PSRV_CALL ThisSrvCall, BOOLEAN ForceFinalize)
{
	PSRV_CALL sc = ThisSrvCall;
	PRX_PREFIX_TABLE table = rx_object_name_table(sc);

	if (!rx_finalize_has_name_table(table, "RxFinalizeSrvCall", sc))
		return FALSE;
	rx_assert_name_table_exclusive(table);
	if (sc->UpperFinalizationDone) {
		if (!sc->CallDownDone || rx_object_count(&sc->NodeReferenceCount) != 0)
			return FALSE;
		rx_srv_call_destroy(sc);
		return TRUE;
	}
	if (!ForceFinalize && rx_object_count(&sc->NodeReferenceCount) != 1)
		return FALSE;

	if (sc->FailureRemembered) {
		sc->FailureRemembered = FALSE;
		(void)InterlockedDecrement(&sc->NodeReferenceCount);
	}
	rx_flag_set(&sc->UpperFinalizationDone);
	sc->ForceAtCallDown = ForceFinalize;
	if (ForceFinalize)
		sc->Flags |= SRVCALL_FLAG_FORCE_FINALIZED;
	rx_scavenger_unmark(sc);
	rx_prefix_table_depart(table, &sc->PrefixEntry);
	if (sc->Condition == Condition_Good) /* one that is bad stays so: its waiters read why */
		RxUpdateCondition(Condition_Closed, &sc->Condition, &sc->TransitionWaitList);
	RxLog(("sc=%lu finalize force=%u refs=%lu", sc->SerialNumberForEnum, ForceFinalize,
	       rx_object_count(&sc->NodeReferenceCount)));

	/* the worker now owns the table's reference */
	if (rx_srv_call_must_post() &&
	    NT_SUCCESS(RxPostToWorkerThread(sc->RxDeviceObject, DelayedWorkQueue, &sc->FinalizeWorkItem,
					    rx_srv_call_finalize_worker, sc)))
		return TRUE;

	rx_srv_call_call_down(sc);
	if (rx_object_count(&sc->NodeReferenceCount) == 0)
		rx_srv_call_destroy(sc);
	return TRUE;
}

void rx_srv_call_remember_failure(PSRV_CALL sc, NTSTATUS status)
{
	rx_assert_name_table_exclusive(rx_object_name_table(sc));
	sc->Status = status;
	if (sc->UpperFinalizationDone)
		return;
	sc->FailedUntil.QuadPart = (LONGLONG)KeQueryInterruptTime() + RX_FAILURE_MEMORY;
	if (!sc->FailureRemembered) {
		sc->FailureRemembered = TRUE;
		(void)InterlockedIncrement(&sc->NodeReferenceCount);
	}
}

bool rx_srv_call_forget_failure(PSRV_CALL sc)
{
	rx_assert_name_table_exclusive(rx_object_name_table(sc));
	if (!sc->FailureRemembered)
		return false;
	sc->FailureRemembered = FALSE;
	RxDereference(sc, LHS_ExclusiveLockHeld);
	return true;
}

bool rx_srv_call_failure_is_fresh(PSRV_CALL sc)
{
	return sc->FailureRemembered && (LONGLONG)KeQueryInterruptTime() < sc->FailedUntil.QuadPart;
}

/**
 * RxSetSrvCallDomainName - set, replace or clear the domain a server belongs to
 * @DomainName: [in, optional] counted; copied. NULL or empty clears.
 *
 * Locks:  the construction of the record (nobody else reads the name yet).
 * Return: STATUS_SUCCESS, STATUS_INSUFFICIENT_RESOURCES (the old name is gone then, too).
 * Page:   rxprocs/RxSetSrvCallDomainName.
 */
NTSTATUS RxSetSrvCallDomainName(PMRX_SRV_CALL SrvCall, PUNICODE_STRING DomainName)
{
	PSRV_CALL sc = (PSRV_CALL)SrvCall;

	sc->pDomainName = NULL;
	if (sc->DomainName.Buffer != NULL)
		ExFreePoolWithTag(sc->DomainName.Buffer, RX_TAG_SRV_CALL);
	RtlZeroMemory(&sc->DomainName, sizeof(sc->DomainName));
	if (DomainName == NULL || DomainName->Length == 0)
		return STATUS_SUCCESS;

	sc->DomainName.Buffer = ExAllocatePoolWithTag(NonPagedPool, DomainName->Length, RX_TAG_SRV_CALL);
	if (sc->DomainName.Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(sc->DomainName.Buffer, DomainName->Buffer, DomainName->Length);
	sc->DomainName.Length = sc->DomainName.MaximumLength = DomainName->Length;
	sc->pDomainName = &sc->DomainName;
	return STATUS_SUCCESS;
}

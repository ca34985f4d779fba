/*
 * finalize.c - ending a connection on request. (All of them, when a redirector stops: core/minirdr.)
 *
 * Owns:   nothing.
 * Locks:  takes the name table itself; open files are orphaned before, without it, so that a request that hangs
 *         at the server does not stop other servers.
 */
#include "core/connect/internal.h"

#include "core/context/context.h"
#include "core/name/name.h"
#include "core/object/object.h"

/* References of a view that stand for nobody's use: the table's, and the one of whoever asks for its end. */
#define RX_VIEW_IDLE_REFERENCES 2

/* The extra reference that an explicit connection holds on itself. Locks: name table exclusive. */
static void rx_view_drop_extra_reference(PV_NET_ROOT vnr)
{
	if (InterlockedExchange(&vnr->AdditionalReferenceForDeleteFsctlTaken, 0) != 0)
		RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
}

static NTSTATUS rx_view_may_end(PV_NET_ROOT vnr)
{
	if (rx_object_count(&vnr->NumberOfFobxs) != 0)
		return STATUS_FILES_OPEN;
	if (rx_object_count(&vnr->NodeReferenceCount) > RX_VIEW_IDLE_REFERENCES)
		return STATUS_CONNECTION_IN_USE;
	return STATUS_SUCCESS;
}

/* One view; the caller refers to it. Locks: takes the name table. */
static NTSTATUS rx_view_end(PV_NET_ROOT vnr, LOGICAL force)
{
	PRX_PREFIX_TABLE table = rx_object_name_table(vnr);
	NTSTATUS status = STATUS_SUCCESS;

	status = RxCancelNotifyChangeDirectoryRequestsForVNetRoot(vnr, force == TRUE);
	if (!NT_SUCCESS(status) && force != TRUE)
		return status;
	if (force == TRUE) {
		/* new opens build a new connection from here; the old ones lose their server */
		rx_name_table_lock(table);
		rx_prefix_table_depart(table, &vnr->PrefixEntry);
		if (vnr->Condition == Condition_Good)
			RxUpdateCondition(Condition_Closed, &vnr->Condition, &vnr->TransitionWaitList);
		rx_name_table_unlock(table);
		RxOrphanSrvOpens(vnr);
	}

	rx_name_table_lock(table);
	if (force == 0xff)
		rx_view_drop_extra_reference(vnr);
	status = force == TRUE ? STATUS_SUCCESS : rx_view_may_end(vnr);
	if (NT_SUCCESS(status) && !vnr->ConnectionFinalizationDone)
		(void)RxFinalizeVNetRoot(vnr, TRUE, TRUE); /* referenced by the caller: its memory stays */
	rx_name_table_unlock(table);
	return status;
}

/* The request that this thread serves, if it serves one, was cancelled. One that it only has begun is not meant. */
static bool rx_view_request_is_cancelled(void)
{
	PIRP top = IoGetTopLevelIrp();
	PRX_CONTEXT rxc = top != NULL ? rx_context_find_by_irp(top) : NULL;
	bool cancelled = rxc != NULL && rx_context_is_cancelled(rxc);

	if (rxc != NULL)
		RxDereferenceAndDeleteRxContext(rxc);
	return cancelled;
}

/**
 * RxFinalizeConnection - end the connection to a share
 * @NetRoot:          [in] the share; the caller refers to it
 * @VNetRoot:         [in, optional] the view; the caller refers to it once. NULL: all views of the share
 * @ForceFilesClosed: [in] FALSE: only when nothing is open; TRUE: open files are orphaned; 0xff: drop the
 *                    reference an explicit connection holds on itself, then as FALSE (E-31)
 *
 * Context: PASSIVE_LEVEL; blocks on the mini-redirector, and with TRUE on requests that hold a file.
 * Locks:   takes the name table; must not be held shared.
 * Return:  STATUS_SUCCESS; STATUS_FILES_OPEN; STATUS_CONNECTION_IN_USE; STATUS_CANCELLED when the request that the
 *          calling thread serves was cancelled before; STATUS_LOCK_NOT_GRANTED when the caller
 *          holds the name table shared.
 * Page:    rxprocs/RxFinalizeConnection.
 */
NTSTATUS RxFinalizeConnection(PNET_ROOT NetRoot, PV_NET_ROOT VNetRoot, LOGICAL ForceFilesClosed)
{
	PRX_PREFIX_TABLE table = rx_object_name_table(NetRoot);
	NTSTATUS status = STATUS_SUCCESS;

	if (RxIsPrefixTableLockAcquired(table))
		return STATUS_LOCK_NOT_GRANTED;
	if (rx_view_request_is_cancelled())
		return STATUS_CANCELLED;
	/* what is only kept for a delayed close is not open */
	(void)RxPurgeRelatedFobxs(NetRoot, NULL, TRUE, NULL); /* what it could not end counts below */
	if (VNetRoot != NULL)
		return rx_view_end(VNetRoot, ForceFilesClosed);

	while (NT_SUCCESS(status)) {
		PV_NET_ROOT vnr = NULL;

		rx_name_table_lock(table);
		if (!IsListEmpty(&NetRoot->VirtualNetRoots)) {
			vnr = CONTAINING_RECORD(NetRoot->VirtualNetRoots.Flink, V_NET_ROOT, NetRootListEntry);
			RxReferenceVNetRoot(vnr);
		}
		rx_name_table_unlock(table);
		if (vnr == NULL)
			break;
		status = rx_view_end(vnr, ForceFilesClosed);
		RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
	}
	return status;
}

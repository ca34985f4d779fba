/*
 * condition.c - waiting for an object that somebody else is building.
 *
 * Owns:      one waiter record per waiting request, on the object's TransitionWaitList and on rx_waiters.
 * Found by:  the object that changes condition; the cancel routine, by its request.
 * Locks:     rx_condition_lock, a leaf: all conditions that are waited for change under it, so that no waiter
 *            misses the change. The object's own lock guards them besides.
 * Dies when: the wait ends: stable condition, or the request was cancelled.
 */
#include "core/connect/internal.h"

#include "core/context/context.h"
#include "core/object/object.h"

#define RX_TAG_WAITER 'wCxR'

struct rx_waiter {
	LIST_ENTRY on_object;
	LIST_ENTRY on_all;
	PRX_CONTEXT rxc;
	bool post; /* nobody waits: the request goes to a worker */
	bool cancelled;
	KEVENT event;
};

static LIST_ENTRY rx_waiters = {&rx_waiters, &rx_waiters};
static KSPIN_LOCK rx_condition_lock;

static void rx_waiter_unlink(struct rx_waiter *waiter)
{
	RemoveEntryList(&waiter->on_object);
	RemoveEntryList(&waiter->on_all);
}

VOID RxUpdateCondition(RX_BLOCK_CONDITION NewConditionValue, PRX_BLOCK_CONDITION Condition,
		       PLIST_ENTRY TransitionWaitList)
{
	LIST_ENTRY to_post;
	KIRQL irql;

	InitializeListHead(&to_post);
	KeAcquireSpinLock(&rx_condition_lock, &irql);
	*Condition = NewConditionValue;
	while (StableCondition(NewConditionValue) && !IsListEmpty(TransitionWaitList)) {
		struct rx_waiter *waiter =
			CONTAINING_RECORD(TransitionWaitList->Flink, struct rx_waiter, on_object);

		rx_waiter_unlink(waiter);
		if (waiter->post)
			InsertTailList(&to_post, &waiter->on_object);
		else
			KeSetEvent(&waiter->event, IO_NO_INCREMENT,
				   FALSE); /* the record is the waiter's again */
	}
	KeReleaseSpinLock(&rx_condition_lock, irql);

	while (!IsListEmpty(&to_post)) {
		struct rx_waiter *waiter =
			CONTAINING_RECORD(RemoveHeadList(&to_post), struct rx_waiter, on_object);
		PRX_CONTEXT rxc = waiter->rxc;

		ExFreePoolWithTag(waiter, RX_TAG_WAITER);
		(void)RxFsdPostRequest(rxc); /* always STATUS_PENDING */
	}
}

/* The request's cancel routine while it waits: ends the wait. */
static NTSTATUS NTAPI rx_condition_cancel(PRX_CONTEXT rxc)
{
	KIRQL irql;

	KeAcquireSpinLock(&rx_condition_lock, &irql);
	for (PLIST_ENTRY link = rx_waiters.Flink; link != &rx_waiters; link = link->Flink) {
		struct rx_waiter *waiter = CONTAINING_RECORD(link, struct rx_waiter, on_all);

		if (waiter->rxc != rxc || waiter->post)
			continue;
		rx_waiter_unlink(waiter);
		waiter->cancelled = true;
		KeSetEvent(&waiter->event, IO_NO_INCREMENT, FALSE);
		break;
	}
	KeReleaseSpinLock(&rx_condition_lock, irql);
	return STATUS_SUCCESS;
}

/* False when the condition is stable already and there is nothing to wait for. */
static bool rx_condition_enqueue(struct rx_waiter *waiter, PRX_BLOCK_CONDITION condition, PLIST_ENTRY list)
{
	bool queued = false;
	KIRQL irql;

	KeAcquireSpinLock(&rx_condition_lock, &irql);
	if (!StableCondition(*condition)) {
		InsertTailList(list, &waiter->on_object);
		InsertTailList(&rx_waiters, &waiter->on_all);
		queued = true;
	}
	KeReleaseSpinLock(&rx_condition_lock, irql);
	return queued;
}

static NTSTATUS rx_condition_wait_posted(PRX_BLOCK_CONDITION condition, PLIST_ENTRY list, PRX_CONTEXT rxc)
{
	struct rx_waiter *waiter = ExAllocatePoolWithTag(NonPagedPool, sizeof(*waiter), RX_TAG_WAITER);

	if (waiter == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	*waiter = (struct rx_waiter){.rxc = rxc, .post = true};
	if (rx_condition_enqueue(waiter, condition, list))
		return STATUS_PENDING;
	ExFreePoolWithTag(waiter, RX_TAG_WAITER);
	return STATUS_SUCCESS;
}

NTSTATUS rx_condition_wait(PRX_BLOCK_CONDITION condition, PLIST_ENTRY list, PRX_CONTEXT rxc)
{
	struct rx_waiter waiter = {.rxc = rxc};

	rx_assert_may_block();
	KeInitializeEvent(&waiter.event, NotificationEvent, FALSE);
	if (!rx_condition_enqueue(&waiter, condition, list))
		return STATUS_SUCCESS;
	/* queued before the routine is there: a cancel in between is seen by the installation */
	if (RxSetMinirdrCancelRoutine(rxc, rx_condition_cancel) == STATUS_CANCELLED)
		(void)rx_condition_cancel(rxc);
	(void)KeWaitForSingleObject(&waiter.event, Executive, KernelMode, FALSE, NULL);
	(void)RxSetMinirdrCancelRoutine(rxc, NULL); /* STATUS_CANCELLED says no more than the record does */
	return waiter.cancelled ? STATUS_CANCELLED : STATUS_SUCCESS;
}

VOID RxWaitForStableCondition(PRX_BLOCK_CONDITION Condition, PLIST_ENTRY TransitionWaitList,
			      PRX_CONTEXT RxContext, NTSTATUS *AsyncStatus)
{
	bool post = (__atomic_load_n(&RxContext->Flags, __ATOMIC_ACQUIRE) &
		     RX_CONTEXT_FLAG_POST_ON_STABLE_CONDITION) != 0;
	NTSTATUS status;

	if (post)
		status = rx_condition_wait_posted(Condition, TransitionWaitList, RxContext);
	else
		status = rx_condition_wait(Condition, TransitionWaitList, RxContext);
	if (AsyncStatus != NULL)
		*AsyncStatus = status;
}

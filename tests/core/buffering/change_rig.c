/*
 * change_rig.c - see change_rig.h.
 */
#include "change_rig.h"

#include "core/dispatch/dispatch.h"

struct seen_by_driver seen;
PVOID key_to_give;
PFILE_OBJECT file;
char key_one, key_two;

static NTSTATUS NTAPI compute(PMRX_SRV_OPEN so, PVOID context, PULONG state)
{
	seen.compute_so = so;
	seen.context = context;
	seen.fcb_state_at_compute = so->pFcb->FcbState;
	*state = seen.new_state;
	InterlockedIncrement(&seen.computed);
	return seen.compute_answer;
}

static NTSTATUS NTAPI complete(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID context)
{
	seen.complete_so = so;
	seen.relevant = rxc->pRelevantSrvOpen;
	seen.fcb = rxc->pFcb;
	seen.fobx = rxc->pFobx;
	seen.fcb_state_at_complete = so->pFcb->FcbState;
	seen.exclusive = RxIsFcbAcquiredExclusive(so->pFcb);
	seen.thread = PsGetCurrentThread();
	if (seen.contexts_used < RTL_NUMBER_OF(seen.contexts))
		seen.contexts[seen.contexts_used++] = context;
	InterlockedIncrement(&seen.completed);
	return seen.answer;
}

static NTSTATUS give_key(PRX_CONTEXT rxc)
{
	rxc->pRelevantSrvOpen->Key = key_to_give;
	return STATUS_SUCCESS;
}

int change_begin(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	RtlZeroMemory(&seen, sizeof(seen));
	rec.device->Dispatch->MRxComputeNewBufferingState = compute;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = complete;
	rec.buffering = READ_CACHING | HANDLE_CACHING;
	rec.create_hook = give_key;
	key_to_give = &key_one;
	file = file_open(REC_SHARE u"\\file");
	return file != NULL ? 0 : -1;
}

int change_end(void **state)
{
	if (file != NULL)
		file_close(file);
	file = NULL;
	return rec_teardown(state);
}

PSRV_OPEN open_of(PFILE_OBJECT f)
{
	return (PSRV_OPEN)fobx_of(f)->pSrvOpen;
}

PMRX_SRV_CALL change_server(void)
{
	return fcb_of(file)->pNetRoot->pSrvCall;
}

PRX_BUFFERING_MANAGER change_manager(void)
{
	return &((PSRV_CALL)change_server())->BufferingManager;
}

ULONG buffering(PFILE_OBJECT f)
{
	ULONG state;

	assert_int_equal(RxAcquireSharedFcb(NULL, fcb_of(f)), STATUS_SUCCESS);
	state = fcb_of(f)->FcbState & FCB_STATE_BUFFERING_STATE_MASK;
	RxReleaseFcb(NULL, fcb_of(f));
	return state;
}

void wait_until(bool (*condition)(void))
{
	LARGE_INTEGER tick = {.QuadPart = -10000};
	unsigned int i;

	for (i = 0; i < 10000 && !condition(); i++)
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	assert_true(condition());
}

bool completed_one(void)
{
	return InterlockedCompareExchange(&seen.completed, 0, 0) == 1;
}

ULONG length_of(PLIST_ENTRY list)
{
	PLIST_ENTRY link;
	ULONG n = 0;
	KIRQL irql;

	KeAcquireSpinLock(&change_manager()->SpinLock, &irql);
	for (link = list->Flink; link != list; link = link->Flink)
		n++;
	KeReleaseSpinLock(&change_manager()->SpinLock, irql);
	return n;
}

bool last_chance_has_one(void)
{
	return length_of(&change_manager()->LastChanceHandlerList) == 1;
}

bool dispatcher_is_idle(void)
{
	KIRQL irql;
	bool idle;

	KeAcquireSpinLock(&change_manager()->SpinLock, &irql);
	idle = !change_manager()->DispatcherActive;
	KeReleaseSpinLock(&change_manager()->SpinLock, irql);
	return idle;
}

void pretend_a_handler(BOOLEAN at_work)
{
	KIRQL irql;

	KeAcquireSpinLock(&change_manager()->SpinLock, &irql);
	change_manager()->HandlerInactive = !at_work;
	KeReleaseSpinLock(&change_manager()->SpinLock, irql);
}

PRX_CONTEXT hold(PFILE_OBJECT f)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	assert_non_null(rxc);
	rxc->pFcb = &fcb_of(f)->Mrx;
	assert_int_equal(rx_acquire_fcb_exclusive(rxc), STATUS_SUCCESS);
	return rxc;
}

void let_go(PRX_CONTEXT rxc)
{
	rx_release_fcb(rxc);
	rxc->pFcb = NULL;
	RxDereferenceAndDeleteRxContext(rxc);
}

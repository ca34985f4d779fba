/*
 * test_memory.c - breaks when there is no memory: none gets lost while something is kept that it would end.
 */
#include "../support/rec.h"

#include "core/context/context.h"
#include "core/dispatch/dispatch.h"

#define GRANTED (FCB_STATE_READCACHING_ENABLED | FCB_STATE_COLLAPSING_ENABLED)

static char key_one, key_two;
static PVOID key_to_give;
static volatile LONG completed;
static PFILE_OBJECT file;

static NTSTATUS NTAPI compute(PMRX_SRV_OPEN so, PVOID context, PULONG state)
{
	(void)so;
	(void)context;
	*state = FCB_STATE_READCACHING_ENABLED;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI complete(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID context)
{
	(void)rxc;
	(void)so;
	(void)context;
	InterlockedIncrement(&completed);
	return STATUS_SUCCESS;
}

static NTSTATUS give_key(PRX_CONTEXT rxc)
{
	rxc->pRelevantSrvOpen->Key = key_to_give;
	return STATUS_SUCCESS;
}

static int begin(void **state)
{
	if (rec_setup(state) != 0)
		return -1;
	completed = 0;
	rec.device->Dispatch->MRxComputeNewBufferingState = compute;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = complete;
	rec.buffering = GRANTED;
	rec.create_hook = give_key;
	key_to_give = &key_one;
	file = file_open(REC_SHARE u"\\file");
	return 0;
}

static int end(void **state)
{
	file_close(file);
	return rec_teardown(state);
}

static PSRV_OPEN open_of(PFILE_OBJECT f)
{
	return (PSRV_OPEN)fobx_of(f)->pSrvOpen;
}

static ULONG buffering(PFILE_OBJECT f)
{
	return fcb_of(f)->FcbState & FCB_STATE_BUFFERING_STATE_MASK;
}

/* True when an allocation failed. */
static bool break_without_memory(PVOID key)
{
	nt_fault_arm(0);
	RxIndicateChangeOfBufferingState(fcb_of(file)->pNetRoot->pSrvCall, key, NULL);
	return nt_fault_disarm();
}

static bool is_completed(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};

	for (unsigned int i = 0; i < 10000; i++) {
		if (InterlockedCompareExchange(&completed, 0, 0) == 1)
			return true;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	return false;
}

/* Somebody waits for the file to change its state, and allocates nothing until he has it. */
static bool is_waited_for(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};

	for (unsigned int i = 0; i < 10000; i++) {
		if (ExGetExclusiveWaiterCount(fcb_of(file)->Header.Resource) != 0)
			return true;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	return false;
}

/* A second break while the first has the only memory: nobody knows to what, so nothing is kept when that one ends. */
static void test_a_second_break_without_memory(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	(void)state;
	rxc->pFcb = &fcb_of(file)->Mrx;
	assert_int_equal(rx_acquire_fcb_exclusive(rxc), STATUS_SUCCESS);
	assert_true(break_without_memory(&key_one));
	assert_true(is_waited_for()); /* the workers of the first would take the fault of the second */
	assert_true(break_without_memory(&key_one));
	rx_release_fcb(rxc);
	rxc->pFcb = NULL;
	RxDereferenceAndDeleteRxContext(rxc);
	assert_true(is_completed());
	assert_int_equal(RxAcquireExclusiveFcb(NULL, fcb_of(file)), STATUS_SUCCESS);
	assert_int_equal(buffering(file), 0);
	assert_int_equal(open_of(file)->BufferingFlags, 0);
	RxReleaseFcb(NULL, fcb_of(file));
	assert_int_equal(completed, 1);
}

/* Nothing is kept any more. */
static bool is_over(void)
{
	LARGE_INTEGER tick = {.QuadPart = -10000};
	ULONG state = 1;

	for (unsigned int i = 0; i < 10000 && state != 0; i++) {
		(void)RxAcquireSharedFcb(NULL, fcb_of(file)); /* it waits */
		state = buffering(file);
		RxReleaseFcb(NULL, fcb_of(file));
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	return state == 0;
}

/* A server that breaks again and again, while the file is busy, gets so much memory of ours and no more. */
static void test_a_flood_of_breaks(void **state)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);
	unsigned long before = nt_pool_bytes();

	(void)state;
	rxc->pFcb = &fcb_of(file)->Mrx;
	assert_int_equal(rx_acquire_fcb_exclusive(rxc), STATUS_SUCCESS);
	for (unsigned int i = 0; i < 20000; i++)
		RxIndicateChangeOfBufferingState(fcb_of(file)->pNetRoot->pSrvCall, &key_one, NULL);
	assert_in_range(nt_pool_bytes() - before, 1024 * sizeof(CHANGE_BUFFERING_STATE_REQUEST), 1024 * 1024);
	rx_release_fcb(rxc);
	rxc->pFcb = NULL;
	RxDereferenceAndDeleteRxContext(rxc);
	assert_true(is_over());
}

/* Opens another file; its n-th allocation fails. */
static PFILE_OBJECT open_with_fault(long n)
{
	PFILE_OBJECT other = file_make(REC_SHARE u"\\other", NULL);
	struct req *r = req_make(other, IRP_MJ_CREATE, 0);
	NTSTATUS status;

	r->security.DesiredAccess = FILE_READ_DATA;
	req_sp(r)->Parameters.Create.SecurityContext = &r->security;
	req_sp(r)->Parameters.Create.Options = FILE_OPEN << 24;
	req_sp(r)->Parameters.Create.ShareAccess = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
	nt_fault_arm(n);
	status = req_run(r, NULL);
	(void)nt_fault_disarm();
	if (status == STATUS_SUCCESS)
		return other;
	ObDereferenceObject(other);
	return NULL;
}

/* An open that could not keep memory for its break is granted nothing: that break may get lost, silently. */
static void test_without_memory_for_the_break_nothing_is_granted(void **state)
{
	unsigned int without = 0, with = 0;

	(void)state;
	key_to_give = &key_two;
	for (long n = 0; n < 40; n++) {
		PFILE_OBJECT other = open_with_fault(n);

		if (other == NULL)
			continue;
		if (open_of(other)->SpareRequest == NULL) {
			assert_int_equal(buffering(other), 0);
			assert_true(break_without_memory(&key_two));
			without++;
		} else {
			assert_int_equal(buffering(other), GRANTED);
			with++;
		}
		file_close(other);
	}
	assert_int_equal(completed, 0);
	assert_int_equal(without, 1);
	assert_true(with > 20);
}

#define MEMORY_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MEMORY_TEST(test_a_second_break_without_memory),
		MEMORY_TEST(test_a_flood_of_breaks),
		MEMORY_TEST(test_without_memory_for_the_break_nothing_is_granted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

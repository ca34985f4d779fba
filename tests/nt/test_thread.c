/* Threads and processes: ours, adopted ones, system threads of drivers; on whose behalf a thread works. */
#include <pthread.h>

#include "nt_test.h"
#include "irp.h"

static void test_requester_is_a_process(void **state)
{
	/* The requester's pid is the current process; the same pid gives the same PEPROCESS; NULL is the system. */
	struct nt_requester one = {.pid = 1234, .uid = 1000, .gid = 100},
			    two = {.pid = 4000000, .uid = 0, .gid = 0};
	struct nt_requester strange = {.pid = -5, .uid = 0, .gid = 0}, got;
	PEPROCESS first, system = PsGetCurrentProcess();

	(void)state;
	assert_ptr_equal(system, PsInitialSystemProcess);
	assert_int_equal((uintptr_t)PsGetCurrentProcessId(), getpid());
	nt_set_requester(&one);
	first = PsGetCurrentProcess();
	assert_ptr_not_equal(first, system);
	assert_int_equal((uintptr_t)PsGetProcessId(first), 1234);
	assert_true(nt_get_requester(&got));
	assert_int_equal(got.uid, 1000);
	nt_set_requester(&two);
	assert_int_equal((uintptr_t)PsGetCurrentProcessId(), 4000000);
	nt_set_requester(&one);
	assert_ptr_equal(PsGetCurrentProcess(), first);
	nt_set_requester(&strange);
	assert_ptr_not_equal(PsGetCurrentProcess(), system);
	nt_set_requester(NULL);
	assert_ptr_equal(IoGetCurrentProcess(), system);
	assert_false(nt_get_requester(&got));
}

static void test_attach_and_detach(void **state)
{
	/* KeStackAttachProcess changes the current process until it is undone. */
	struct nt_requester one = {.pid = 99, .uid = 1, .gid = 1};
	KAPC_STATE apc;

	(void)state;
	nt_set_requester(&one);
	KeStackAttachProcess(PsInitialSystemProcess, &apc);
	assert_ptr_equal(PsGetCurrentProcess(), PsInitialSystemProcess);
	KeUnstackDetachProcess(&apc);
	assert_int_equal((uintptr_t)PsGetCurrentProcessId(), 99);
	nt_set_requester(NULL);
}

static void *library_thread(void *context)
{
	if (!NT_SUCCESS(nt_adopt_thread("library")) || !NT_SUCCESS(nt_adopt_thread("again")))
		return NULL;
	nt_release_thread();
	KeSetEvent(context, 0, FALSE);
	nt_release_thread();
	return context;
}

static void test_adopted_thread(void **state)
{
	/* A thread that a library made may use NT objects between adopt and release, which nest. */
	pthread_t thread;
	KEVENT event;
	void *result;

	(void)state;
	KeInitializeEvent(&event, NotificationEvent, FALSE);
	assert_int_equal(pthread_create(&thread, NULL, library_thread, &event), 0);
	nt_test_wait(&event);
	pthread_join(thread, &result);
	assert_ptr_equal(result, &event);
	assert_int_equal(nt_adopt_thread("main"), STATUS_INVALID_DEVICE_STATE);
}

struct system_thread {
	KEVENT go, gone;
	int reached;
};

static VOID system_thread_main(PVOID context)
{
	struct system_thread *run = context;

	nt_test_wait(&run->go);
	run->reached = 1;
	KeSetEvent(&run->gone, 0, FALSE);
	PsTerminateSystemThread(STATUS_SUCCESS);
	run->reached = 2;
}

static void test_system_thread_terminates(void **state)
{
	/* PsTerminateSystemThread ends the thread where it is called; from other threads it refuses. */
	struct system_thread run = {.reached = 0};
	HANDLE handle;
	PVOID object;

	(void)state;
	KeInitializeEvent(&run.go, NotificationEvent, FALSE);
	KeInitializeEvent(&run.gone, NotificationEvent, FALSE);
	assert_int_equal(PsCreateSystemThread(&handle, 0, NULL, NULL, NULL, system_thread_main, &run),
			 STATUS_SUCCESS);
	assert_non_null(handle);
	KeSetEvent(&run.go, 0, FALSE);
	nt_test_wait(&run.gone);
	assert_int_equal(ObReferenceObjectByHandle(handle, 0, NULL, KernelMode, &object, NULL),
			 STATUS_SUCCESS);
	assert_int_equal(ZwClose(handle), STATUS_SUCCESS);
	nt_test_wait(object);
	ObDereferenceObject(object);
	assert_int_equal(PsTerminateSystemThread(STATUS_SUCCESS), STATUS_INVALID_PARAMETER);
	assert_int_equal(run.reached, 1);
}

static void note_thread(void *context)
{
	*(PETHREAD *)context = PsGetCurrentThread();
}

static void test_threads_have_identity(void **state)
{
	/* Each thread is its own PETHREAD with an id that is a multiple of four. */
	struct nt_thread *thread;
	PETHREAD seen = NULL;

	(void)state;
	assert_int_equal(nt_thread_create("self", note_thread, &seen, &thread), STATUS_SUCCESS);
	nt_test_wait(thread);
	assert_ptr_equal(seen, thread);
	assert_ptr_not_equal(seen, PsGetCurrentThread());
	assert_int_equal((uintptr_t)PsGetThreadId(thread) % 4, 0);
	assert_ptr_not_equal(PsGetThreadId(thread), PsGetCurrentThreadId());
	nt_thread_join(thread);
}

static void test_random_is_seeded(void **state)
{
	/* The same seed gives the same numbers. */
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 99};
	uint64_t first[3];

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(nt_initialize(&config), STATUS_SUCCESS);
		for (int i = 0; i < 3; i++) {
			uint64_t value = nt_random();

			if (round == 0)
				first[i] = value;
			assert_true(first[i] == value);
		}
		assert_int_equal(nt_shutdown(stderr), 0);
	}
}

static void test_sim_is_not_for_initialize(void **state)
{
	/* nt_initialize refuses the sim executive, whose whole run belongs to nt_sim_run. */
	struct nt_config config = {.executive = NT_EXEC_SIM, .seed = 1};

	(void)state;
	assert_int_equal(nt_initialize(&config), STATUS_INVALID_PARAMETER);
	assert_int_equal(nt_current_executive(), NT_EXEC_POSIX);
}

static void join_self(void)
{
	NT_TEST_START_IN_CHILD();
	nt_thread_join(PsGetCurrentThread());
}

static void test_broken_rules_end_the_process(void **state)
{
	/* A thread that joins itself is named. */
	(void)state;
	assert_true(nt_test_dies(join_self, "joins itself"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_requester_is_a_process),
		WITH(test_attach_and_detach),
		WITH(test_adopted_thread),
		WITH(test_system_thread_terminates),
		WITH(test_threads_have_identity),
		cmocka_unit_test(test_random_is_seeded),
		cmocka_unit_test(test_sim_is_not_for_initialize),
		cmocka_unit_test(test_broken_rules_end_the_process),
	};

	return cmocka_run_group_tests_name("nt thread", tests, NULL, NULL);
}

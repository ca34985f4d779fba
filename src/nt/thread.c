/*
 * thread.c - the records of threads: ours, adopted ones, and system threads of drivers.
 *
 * Owns:      struct nt_thread, from nt_thread_alloc() until both its run and its creator's handle are over; the
 *            memory then waits on a free list and is freed at shutdown (a late wake-up may still touch it).
 * Found by:  nt_self, the creator's pointer or handle, the list of all threads.
 * Locks:     thread_lock, a leaf.
 */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "nt/exec.h"

bool nt_sim_active;
const struct nt_exec_ops *nt_ops = &nt_posix_ops;
__thread struct nt_thread *nt_self;

static volatile LONG thread_lock;
static LIST_ENTRY all_threads = {&all_threads, &all_threads};
static LIST_ENTRY free_threads = {&free_threads, &free_threads};
static LIST_ENTRY ended_detached = {&ended_detached, &ended_detached}; /* still to be joined */
static uint32_t last_id;
static volatile LONG live_count; /* started and not yet over */

struct nt_thread *nt_thread_alloc(const char *name, void (*fn)(void *), void *context)
{
	struct nt_thread *thread = NULL;

	nt_word_lock(&thread_lock);
	if (!IsListEmpty(&free_threads))
		thread = CONTAINING_RECORD(RemoveHeadList(&free_threads), struct nt_thread, all);
	nt_word_unlock(&thread_lock);
	if (thread == NULL) {
		thread = calloc(1, sizeof(*thread));
		if (thread == NULL)
			return NULL;
	} else {
		/* `permit` stays: a late wake-up may be writing it at this moment. */
		memset(thread, 0, offsetof(struct nt_thread, permit));
	}
	nt_dispatcher_init(&thread->header, NT_THREAD, 0);
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	thread->fn = fn;
	thread->context = context;
	thread->references = 2;
	thread->process = PsInitialSystemProcess;
	nt_word_lock(&thread_lock);
	thread->id = ++last_id;
	InsertTailList(&all_threads, &thread->all);
	nt_word_unlock(&thread_lock);
	return thread;
}

void nt_thread_reference(struct nt_thread *thread)
{
	if (__atomic_fetch_add(&thread->references, 1, __ATOMIC_RELAXED) <= 0)
		NT_BUG("a reference to a dead thread");
}

void nt_thread_dereference(struct nt_thread *thread)
{
	LONG before = __atomic_fetch_sub(&thread->references, 1, __ATOMIC_ACQ_REL);

	if (before <= 0)
		NT_BUG("a thread released too often");
	if (before != 1)
		return;
	nt_word_lock(&thread_lock);
	(void)RemoveEntryList(&thread->all);
	InsertTailList(&free_threads, &thread->all);
	nt_word_unlock(&thread_lock);
}

void nt_thread_enter(struct nt_thread *thread)
{
	nt_self = thread;
}

void nt_thread_leave(void)
{
	struct nt_thread *self = nt_current();

	nt_thread_assert_clean("the end of a thread");
	nt_dispatcher_signal(&self->header, 1);
	nt_self = NULL;
	nt_thread_dereference(self);
}

/* A function of its own: nothing of it lives across the jump. */
static void run_until_end_or_terminate(struct nt_thread *thread)
{
	sigjmp_buf terminate;

	thread->exit_jump = &terminate;
	if (sigsetjmp(terminate, 0) == 0)
		thread->fn(thread->context);
	else
		thread->seh_frames = NULL; /* guarded regions that the jump left */
	thread->exit_jump = NULL;
}

/* Joins what has ended: when the runtime has stopped no thread of ours is left, not even on its way out. */
static void reap_detached(void)
{
	struct nt_thread *thread;

	do {
		thread = NULL;
		nt_word_lock(&thread_lock);
		if (!IsListEmpty(&ended_detached))
			thread = CONTAINING_RECORD(RemoveHeadList(&ended_detached), struct nt_thread, ended);
		nt_word_unlock(&thread_lock);
		if (thread != NULL) {
			nt_ops->join(thread);
			nt_thread_dereference(thread);
		}
	} while (thread != NULL);
}

void nt_thread_main(struct nt_thread *thread)
{
	const struct nt_exec_ops *ops = nt_ops; /* after the last count another executive may begin */
	bool detached = thread->detached; /* a joined record may be recycled as soon as it is signalled */

	nt_thread_enter(thread);
	run_until_end_or_terminate(thread);
	nt_thread_leave();
	if (detached) {
		nt_word_lock(&thread_lock);
		InsertTailList(&ended_detached, &thread->ended);
		nt_word_unlock(&thread_lock);
	}
	__atomic_sub_fetch(&live_count, 1, __ATOMIC_SEQ_CST);
	ops->wake_word(&live_count, INT32_MAX);
}

static NTSTATUS thread_start(struct nt_thread *thread)
{
	NTSTATUS status;

	reap_detached();
	if (thread->detached)
		nt_thread_reference(thread); /* for reap_detached() */
	__atomic_add_fetch(&live_count, 1, __ATOMIC_SEQ_CST);
	status = nt_ops->start(thread);
	if (!NT_SUCCESS(status)) {
		__atomic_sub_fetch(&live_count, 1, __ATOMIC_SEQ_CST);
		if (thread->detached)
			nt_thread_dereference(thread);
		nt_thread_dereference(thread);
		nt_thread_dereference(thread);
	}
	return status;
}

NTSTATUS nt_thread_create(const char *name, void (*fn)(void *context), void *context, struct nt_thread **out)
{
	struct nt_thread *thread = nt_thread_alloc(name, fn, context);
	NTSTATUS status;

	*out = NULL;
	if (thread == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	status = thread_start(thread);
	if (NT_SUCCESS(status))
		*out = thread;
	return status;
}

NTSTATUS nt_thread_create_detached(const char *name, void (*fn)(void *context), void *context)
{
	struct nt_thread *thread = nt_thread_alloc(name, fn, context);
	NTSTATUS status;

	if (thread == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	thread->detached = true;
	status = thread_start(thread);
	if (NT_SUCCESS(status))
		nt_thread_dereference(thread);
	return status;
}

void nt_thread_join(struct nt_thread *thread)
{
	if (thread == nt_self)
		NT_BUG("a thread joins itself");
	(void)KeWaitForSingleObject(thread, Executive, KernelMode, FALSE,
				    NULL); /* without a timeout: ended */
	nt_ops->join(thread);
	nt_thread_dereference(thread);
}

NTSTATUS nt_adopt_thread(const char *name)
{
	struct nt_thread *thread = nt_self;

	if (thread != NULL) {
		if (!thread->adopted)
			return STATUS_INVALID_DEVICE_STATE;
		thread->adopt_depth++;
		return STATUS_SUCCESS;
	}
	thread = nt_thread_alloc(name, NULL, NULL);
	if (thread == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	thread->adopted = true;
	thread->adopt_depth = 1;
	nt_thread_dereference(thread); /* nobody else holds it */
	nt_thread_enter(thread);
	return STATUS_SUCCESS;
}

void nt_release_thread(void)
{
	struct nt_thread *self = nt_current();

	if (!self->adopted)
		NT_BUG("nt_release_thread by a thread that was not adopted");
	if (--self->adopt_depth == 0)
		nt_thread_leave();
}

NTSTATUS PsCreateSystemThread(PHANDLE ThreadHandle, ULONG DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
			      HANDLE ProcessHandle, PVOID ClientId, PKSTART_ROUTINE StartRoutine,
			      PVOID StartContext)
{
	struct nt_thread *thread = nt_thread_alloc("driver", StartRoutine, StartContext);
	NTSTATUS status;

	(void)DesiredAccess;
	(void)ObjectAttributes;
	(void)ProcessHandle; /* every system thread works for the system process */
	(void)ClientId;
	*ThreadHandle = NULL;
	if (thread == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	thread->detached = true;
	status = thread_start(thread);
	if (NT_SUCCESS(status))
		*ThreadHandle = (HANDLE)((uintptr_t)thread | 1);
	return status;
}

NTSTATUS PsTerminateSystemThread(NTSTATUS ExitStatus)
{
	struct nt_thread *self = nt_current();

	if (self->exit_jump == NULL)
		return STATUS_INVALID_PARAMETER;
	self->exit_status = ExitStatus;
	siglongjmp(*(sigjmp_buf *)self->exit_jump, 1);
}

struct nt_thread *nt_thread_of_handle(HANDLE handle)
{
	struct nt_thread *thread = (struct nt_thread *)((uintptr_t)handle & ~(uintptr_t)1);

	return ((uintptr_t)handle & 1) != 0 && nt_object_is_thread(thread) ? thread : NULL;
}

bool nt_object_is_thread(const void *object)
{
	return *(const UCHAR *)object == NT_THREAD;
}

PETHREAD PsGetCurrentThread(void)
{
	return nt_current();
}

HANDLE PsGetCurrentThreadId(void)
{
	return PsGetThreadId(nt_current());
}

HANDLE PsGetThreadId(PETHREAD Thread)
{
	/* As on Windows a multiple of four that is not 0. */
	return (HANDLE)((uintptr_t)Thread->id * 4);
}

VOID KeEnterCriticalRegion(void)
{
	nt_current()->apc_disable++;
}

VOID KeLeaveCriticalRegion(void)
{
	struct nt_thread *self = nt_current();

	if (self->apc_disable == 0)
		NT_BUG("a critical region is left that was not entered");
	self->apc_disable--;
}

BOOLEAN KeAreApcsDisabled(void)
{
	return nt_current()->apc_disable != 0;
}

void nt_thread_assert_clean(const char *where)
{
	struct nt_thread *self = nt_current();
	uint32_t released = (uint32_t)__atomic_load_n(&self->held_released, __ATOMIC_ACQUIRE);

	if (self->irql != PASSIVE_LEVEL)
		NT_BUG("%s: still at IRQL %u", where, self->irql);
	if (self->apc_disable != 0)
		NT_BUG("%s: still in %u critical regions", where, self->apc_disable);
	if (self->seh_frames != NULL)
		NT_BUG("%s: still in a guarded region", where);
	if (self->held != released)
		NT_BUG("%s: still holds %u fast mutexes or resources", where, self->held - released);
}

bool nt_thread_wait_all(uint64_t deadline, FILE *out)
{
	LONG live;

	while ((live = __atomic_load_n(&live_count, __ATOMIC_SEQ_CST)) > 0) {
		if (nt_now() >= deadline) {
			if (out != NULL)
				fprintf(out, "nt: %d threads have not ended\n", live);
			return false;
		}
		nt_ops->wait_word(&live_count, live, deadline);
	}
	reap_detached();
	return true;
}

void nt_thread_describe_waits(FILE *out)
{
	for (PLIST_ENTRY e = all_threads.Flink; e != &all_threads; e = e->Flink) {
		struct nt_thread *thread = CONTAINING_RECORD(e, struct nt_thread, all);

		if (thread->header.SignalState != 0)
			continue;
		if (thread->waits_for != NULL)
			fprintf(out, "  thread %u %s waits for %s %p\n", thread->id, thread->name,
				thread->waits_for, (const void *)(uintptr_t)thread->waits_on);
		else
			fprintf(out, "  thread %u %s\n", thread->id, thread->name);
	}
}

void nt_thread_free_all(void)
{
	/* Those that somebody still holds, or that were adopted and not released, keep their records. */
	while (!IsListEmpty(&free_threads))
		free(CONTAINING_RECORD(RemoveHeadList(&free_threads), struct nt_thread, all));
	if (IsListEmpty(&all_threads))
		last_id = 0;
}

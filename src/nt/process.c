/*
 * process.c - who a thread works for.
 *
 * Owns:      one small record per process id ever seen, in pages of 256 that are freed at shutdown, so that a
 *            PEPROCESS stays valid and unique for the life of the runtime.
 * Found by:  process id.
 * Locks:     none: pages are published with one exchange, fields are read and written whole.
 */
#include <stdlib.h>
#include <unistd.h>

#include "nt/exec.h"

#define NT_PID_PAGE_BITS 8
#define NT_PID_PAGE_SIZE (1u << NT_PID_PAGE_BITS)
/* PID_MAX_LIMIT of a 64-bit kernel. */
#define NT_PID_LIMIT (1u << 22)

struct _EPROCESS {
	UCHAR type; /* NT_PROCESS */
	uint32_t pid;
	uint32_t uid; /* of the latest request */
	uint32_t gid;
};

static struct _EPROCESS system_process = {.type = NT_PROCESS};
/* Process ids the kernel should not have: one record for all of them. */
static struct _EPROCESS strange_process = {.type = NT_PROCESS, .pid = UINT32_MAX};
static struct _EPROCESS *pages[NT_PID_LIMIT >> NT_PID_PAGE_BITS];

PEPROCESS PsInitialSystemProcess = &system_process;

void nt_process_init(void)
{
	system_process.pid = (uint32_t)getpid();
	system_process.uid = getuid();
	system_process.gid = getgid();
}

void nt_process_free_all(void)
{
	for (size_t i = 0; i < RTL_NUMBER_OF(pages); i++) {
		free(pages[i]);
		pages[i] = NULL;
	}
}

static struct _EPROCESS *process_page(uint32_t index)
{
	struct _EPROCESS *page = __atomic_load_n(&pages[index], __ATOMIC_ACQUIRE), *none = NULL;

	if (page != NULL)
		return page;
	page = calloc(NT_PID_PAGE_SIZE, sizeof(*page));
	if (page == NULL)
		return NULL;
	for (uint32_t i = 0; i < NT_PID_PAGE_SIZE; i++) {
		page[i].type = NT_PROCESS;
		page[i].pid = (index << NT_PID_PAGE_BITS) + i;
	}
	if (__atomic_compare_exchange_n(&pages[index], &none, page, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return page;
	free(page); /* another thread was first */
	return none;
}

PEPROCESS nt_process_of(const struct nt_requester *requester)
{
	struct _EPROCESS *page, *process;
	uint32_t pid;

	if (requester == NULL || requester->pid == (pid_t)system_process.pid)
		return &system_process;
	pid = (uint32_t)requester->pid;
	page = pid < NT_PID_LIMIT ? process_page(pid >> NT_PID_PAGE_BITS) : NULL;
	process = page != NULL ? &page[pid & (NT_PID_PAGE_SIZE - 1)] : &strange_process;
	__atomic_store_n(&process->uid, requester->uid, __ATOMIC_RELAXED);
	__atomic_store_n(&process->gid, requester->gid, __ATOMIC_RELAXED);
	return process;
}

bool nt_process_requester(PEPROCESS process, struct nt_requester *requester)
{
	if (process == &system_process)
		return false;
	requester->pid = (pid_t)process->pid;
	requester->uid = __atomic_load_n(&process->uid, __ATOMIC_RELAXED);
	requester->gid = __atomic_load_n(&process->gid, __ATOMIC_RELAXED);
	requester->operation = NULL;
	return true;
}

bool nt_object_is_process(const void *object)
{
	return *(const UCHAR *)object == NT_PROCESS;
}

void nt_set_requester(const struct nt_requester *requester)
{
	struct nt_thread *self = nt_current();

	self->has_requester = requester != NULL;
	if (requester != NULL)
		self->requester = *requester;
	self->process = nt_process_of(requester);
}

bool nt_get_requester(struct nt_requester *requester)
{
	struct nt_thread *self = nt_current();

	if (self->has_requester)
		*requester = self->requester;
	return self->has_requester;
}

PEPROCESS PsGetCurrentProcess(void)
{
	return nt_current()->process;
}

HANDLE PsGetProcessId(PEPROCESS Process)
{
	return (HANDLE)(uintptr_t)Process->pid;
}

HANDLE PsGetCurrentProcessId(void)
{
	return PsGetProcessId(nt_current()->process);
}

VOID KeStackAttachProcess(PEPROCESS Process, PKAPC_STATE ApcState)
{
	struct nt_thread *self = nt_current();

	ApcState->Process = self->process;
	self->process = Process;
}

VOID KeUnstackDetachProcess(PKAPC_STATE ApcState)
{
	nt_current()->process = ApcState->Process;
}

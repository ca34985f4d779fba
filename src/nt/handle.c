/*
 * handle.c - the table of handles, and ZwClose().
 *
 * Owns:      the table; each entry is one reference to its object.
 * Locks:     `latch`, a leaf: nothing is called under it but an interlocked increment.
 * Dies when: with the process; what is left open holds pool memory, which the leak report names.
 */
#include "handle.h"

#include "exec.h"
#include "io.h"

#define NT_HANDLE_LIMIT 4096u

static struct {
	struct nt_latch latch;
	struct {
		enum nt_handle_kind kind;
		PVOID object;
	} entries[NT_HANDLE_LIMIT];
	unsigned int
		next; /* where the search for a free entry begins: a closed handle is not reused at once */
	unsigned int open;
} table;

static unsigned int index_of(HANDLE handle)
{
	uintptr_t value = (uintptr_t)handle;

	return value % 4 == 0 && value != 0 && value / 4 <= NT_HANDLE_LIMIT ? (unsigned int)(value / 4 - 1)
									    : NT_HANDLE_LIMIT;
}

NTSTATUS nt_handle_open(enum nt_handle_kind kind, PVOID object, PHANDLE handle)
{
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	*handle = NULL;
	nt_latch_acquire(&table.latch);
	for (unsigned int i = 0; i < NT_HANDLE_LIMIT && !NT_SUCCESS(status); i++) {
		unsigned int at = (table.next + i) % NT_HANDLE_LIMIT;

		if (table.entries[at].kind != NT_HANDLE_FREE)
			continue;
		table.entries[at].kind = kind;
		table.entries[at].object = object;
		table.next = at + 1;
		table.open++;
		*handle = (HANDLE)((uintptr_t)(at + 1) * 4);
		status = STATUS_SUCCESS;
	}
	nt_latch_release(&table.latch);
	return status;
}

PVOID nt_handle_get(HANDLE handle, enum nt_handle_kind kind, void (*reference)(PVOID object))
{
	unsigned int at = index_of(handle);
	PVOID object = NULL;

	if (at == NT_HANDLE_LIMIT)
		return NULL;
	nt_latch_acquire(&table.latch);
	if (table.entries[at].kind == kind) {
		object = table.entries[at].object;
		reference(object);
	}
	nt_latch_release(&table.latch);
	return object;
}

enum nt_handle_kind nt_handle_close(HANDLE handle, PVOID *object)
{
	enum nt_handle_kind kind = NT_HANDLE_FREE;
	unsigned int at = index_of(handle);

	*object = NULL;
	if (at == NT_HANDLE_LIMIT)
		return kind;
	nt_latch_acquire(&table.latch);
	kind = table.entries[at].kind;
	if (kind != NT_HANDLE_FREE) {
		*object = table.entries[at].object;
		table.entries[at].kind = NT_HANDLE_FREE;
		table.open--;
	}
	nt_latch_release(&table.latch);
	return kind;
}

unsigned int nt_handles_open(void)
{
	unsigned int open;

	nt_latch_acquire(&table.latch);
	open = table.open;
	nt_latch_release(&table.latch);
	return open;
}

/**
 * ZwClose - close a handle of a thread, a file, a section or a key
 *
 * Context: PASSIVE_LEVEL; a file's driver sees IRP_MJ_CLEANUP, and IRP_MJ_CLOSE unless others still refer to it.
 * Return:  STATUS_SUCCESS, STATUS_INVALID_HANDLE.
 * Page:    ntifs/ZwClose.
 */
NTSTATUS ZwClose(HANDLE Handle)
{
	struct nt_thread *thread;
	PVOID object;

	switch (nt_handle_close(Handle, &object)) {
	case NT_HANDLE_FILE:
		nt_file_handle_close(object);
		return STATUS_SUCCESS;
	case NT_HANDLE_SECTION:
		nt_section_dereference(object);
		return STATUS_SUCCESS;
	case NT_HANDLE_KEY:
		return STATUS_SUCCESS;
	case NT_HANDLE_FREE:
		break;
	}
	thread = nt_thread_of_handle(Handle);
	if (thread == NULL)
		return STATUS_INVALID_HANDLE;
	nt_thread_dereference(thread);
	return STATUS_SUCCESS;
}

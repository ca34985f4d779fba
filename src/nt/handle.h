/*
 * handle.h - handles of what is not a thread. Only files in src/nt include this.
 *
 * A handle is four times its place in the table, so that it is never an odd number, as a thread's handle is.
 */
#ifndef NT_HANDLE_INTERNAL_H
#define NT_HANDLE_INTERNAL_H

#include "ntdef.h"

enum nt_handle_kind { NT_HANDLE_FREE, NT_HANDLE_FILE, NT_HANDLE_SECTION, NT_HANDLE_KEY };

/* The table takes over one reference of the object. STATUS_INSUFFICIENT_RESOURCES: the table is full. */
NTSTATUS nt_handle_open(enum nt_handle_kind kind, PVOID object, PHANDLE handle);
/* The object, with a reference of its own taken by `reference` under the table's lock; NULL: no such handle. */
PVOID nt_handle_get(HANDLE handle, enum nt_handle_kind kind, void (*reference)(PVOID object));
/* Gives the table's reference back to the caller; NT_HANDLE_FREE: no such handle. */
enum nt_handle_kind nt_handle_close(HANDLE handle, PVOID *object);
/* Handles nobody closed, at shutdown. */
unsigned int nt_handles_open(void);

/* zwfile.c, section.c: the end of what ZwClose() took out of the table. */
void nt_file_handle_close(PVOID file);
void nt_section_dereference(PVOID section);

#endif

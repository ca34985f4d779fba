/* nt_status.h - status codes as text and as errno. */
#ifndef NT_NT_STATUS_H
#define NT_NT_STATUS_H

#include "ntstatus.h"

/* "STATUS_ACCESS_DENIED"; never NULL ("STATUS_0xC0001234" forms live in a per-thread buffer). */
const char *nt_status_name(NTSTATUS status);
/* A positive errno; 0 for success; EIO for what no row names. */
int nt_status_to_errno(NTSTATUS status);
NTSTATUS nt_status_from_errno(int error);

#endif

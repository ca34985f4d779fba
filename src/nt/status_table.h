/* status_table.h - the rows of the errno table, for status.c and its test. */
#ifndef NT_STATUS_TABLE_H
#define NT_STATUS_TABLE_H

#include "ntstatus.h"

struct nt_status_row {
	NTSTATUS status;
	int error; /* errno */
};

extern const struct nt_status_row nt_status_rows[];
extern const size_t nt_status_row_count;

#endif

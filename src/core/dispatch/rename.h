/*
 * rename.h - a change of name: what it leads to, and what it means for the FCB table.
 */
#ifndef RX_CORE_DISPATCH_RENAME_H
#define RX_CORE_DISPATCH_RENAME_H

#include "core/dispatch/dispatch.h"

struct rx_rename {
	UNICODE_STRING target; /* `\path` under the share; own memory */
};

/*
 * Reads FILE_RENAME_INFORMATION (or ..._LINK_...) of the IRP. The name in it is
 *   `\path`                         from the share's root
 *   `name`                          in the directory the file is in
 *   `dir\name`                      from the share's root
 *   `\??\UNC\server\share\path`     as Windows' I/O manager writes it
 * and the driver gets the buffer as it is. STATUS_NOT_SAME_DEVICE: another share.
 */
NTSTATUS rx_rename_prepare(PRX_CONTEXT rxc, PIRP irp, struct rx_rename *rename);
/* The server has renamed it: opens of the old name must not share the handle. Locks: FCB exclusive. */
void rx_rename_mark(PRX_CONTEXT rxc);
/*
 * Makes the FCB, and all below a directory, answer to the new name. Locks: FCB exclusive, drops it and takes it
 * again while it gets the FCB table; takes other FCBs.
 */
void rx_rename_apply(PRX_CONTEXT rxc, const struct rx_rename *rename);
void rx_rename_end(struct rx_rename *rename);

#endif

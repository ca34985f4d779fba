/*
 * create.h - the parts of a create, between the files that make it up.
 */
#ifndef RX_CORE_DISPATCH_CREATE_H
#define RX_CORE_DISPATCH_CREATE_H

#include "core/dispatch/dispatch.h"
#include "rxecp.h"

/* create_params.c */
/* Fills rxc->Create from the IRP; STATUS_INVALID_PARAMETER for options that contradict each other. */
NTSTATUS rx_create_take_parameters(PRX_CONTEXT rxc, PIRP irp);
/* Takes user, password and domain out of the EA list of a tree connection. */
NTSTATUS rx_create_parse_credentials(PRX_CONTEXT rxc);
/* Wipes what rx_create_parse_credentials found, and the password in the EA buffer it came from. */
void rx_create_forget_credentials(PRX_CONTEXT rxc);

/* create_name.c */
/*
 * The full name of what the IRP opens, `\server\share[\path]`, without `.`, `..`, doubled or trailing
 * backslashes; its buffer is rxc->Create.CanonicalNameBuffer. target_directory: without the last component,
 * which is then left in the file object as FileName (SL_OPEN_TARGET_DIRECTORY).
 * STATUS_OBJECT_NAME_INVALID, STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_NAME_TOO_LONG, STATUS_INVALID_PARAMETER.
 */
NTSTATUS rx_create_build_name(PRX_CONTEXT rxc, PFILE_OBJECT file, bool target_directory,
			      PUNICODE_STRING name);
void rx_create_free_name(PRX_CONTEXT rxc);
/* The name of a path in its share's FCB table; *full is path itself, or new memory when the view has a prefix. */
NTSTATUS rx_open_prefixed_name(PV_NET_ROOT vnr, PUNICODE_STRING path, PUNICODE_STRING full);

/* open.c */
/*
 * Opens path (under the share of rxc->Create.pVNetRoot) through an FCB: collapses onto an open at the server
 * or makes one. STATUS_SUCCESS: the file object is open.
 */
NTSTATUS rx_open_file(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path);
/* Opens the directory that a rename leads to: no network, no FOBX. */
NTSTATUS rx_open_target_directory(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING path);

/* srvopen_create.c */
/* Locks: FCB exclusive. STATUS_SUCCESS: rxc->pRelevantSrvOpen and pFobx are the open's. */
NTSTATUS rx_open_collapse(PRX_CONTEXT rxc);
/* What the opener wants to know or to have done with the create (rxecp.h); NULL: nothing. */
PRX_QUERY_ON_CREATE_ECP rx_open_query(PIRP irp);
NTSTATUS rx_open_at_server(PRX_CONTEXT rxc);
/* Ends an open that succeeded but must not stay: cleanup and close at the server. Locks: FCB exclusive. */
void rx_open_undo(PRX_CONTEXT rxc);

/* devctl.c */
NTSTATUS rx_device_open(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS rx_tree_connection_open(PRX_CONTEXT rxc, PIRP irp, PUNICODE_STRING remaining);

#endif

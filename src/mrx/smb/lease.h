/*
 * lease.h - what a server lets us keep of a file: a lease, one for all our opens of it.
 */
#ifndef MRX_SMB_LEASE_H
#define MRX_SMB_LEASE_H

#include "mrx/smb/smb.h"

struct smb_lease;

struct smb_creating_lease {
	struct smb_lease *lease; /* NULL: nothing is asked for */
	struct smb2_lease asked;
	bool closing; /* the create closes as well: keys are named, nothing can be granted */
};

/* What a create is about to do, as far as leases are concerned. */
struct smb_lease_wish {
	uint32_t wanted;            /* SMB2_LEASE_...; 0: only what is held already */
	bool directory;             /* it opens a folder to list it */
	bool changes;               /* it may change what its folder lists */
	bool closes;                /* it closes as well */
	const UNICODE_STRING *path; /* from the share's root, without a leading separator */
};

void smb_leases_init(void);

/* Else there are oplocks. */
bool smb_conn_has_leases(const struct smb_conn *conn);

/*
 * The lease that a create should ask for, or name so as not to break it; request->lease is NULL when there is none.
 * Under a folder whose lease we hold the folder's key is named too: our own change does not break that.
 * Locks: FCB exclusive. Without memory nothing is asked for.
 */
void smb_lease_prepare(PRX_CONTEXT RxContext, struct smb_tree *tree, const struct smb_lease_wish *wish,
		       struct smb_creating_lease *request);
/* What the create was granted; fills SRV_OPEN.Key and BufferingFlags. Locks: FCB exclusive. */
void smb_lease_take(PRX_CONTEXT RxContext, struct smb_tree *tree, const struct smb_creating_lease *request,
		    const struct smb2_create_response *rsp);

/*
 * The server refuses the key by this name: what is kept under it ends, and the next create names another one.
 * Locks: FCB exclusive. False: no handle has the key, so that is not why, or there is no memory.
 */
bool smb_lease_give_up(PMRX_FCB fcb, struct smb_tree *tree);

/* A handle of the file is gone: with the last one the server has forgotten the lease. Locks: FCB exclusive. */
void smb_lease_open_ended(PMRX_FCB fcb);

/* (loop) A break that the server sends. False: it names a lease that we do not hold. */
bool smb_lease_break(struct smb_conn *conn, const struct smb2_break *brk);
/* (loop) All leases of a connection have ended with it. */
void smb_leases_lost(struct smb_conn *conn);

/* The server tells us before somebody else's open, or removal, of the file succeeds. Locks: FCB. */
bool smb_lease_has_handle_caching(PMRX_FCB fcb);

NTSTATUS mrx_smb_compute_new_buffering_state(PMRX_SRV_OPEN SrvOpen, PVOID MRxContext,
					     PULONG NewBufferingState);
NTSTATUS mrx_smb_complete_buffering_state_change(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen,
						 PVOID MRxContext);
NTSTATUS mrx_smb_deallocate_for_fcb(PMRX_FCB Fcb);

#endif

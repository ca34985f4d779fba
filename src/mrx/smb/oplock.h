/*
 * oplock.h - what a server without leases lets us keep: an oplock, one for each handle.
 */
#ifndef MRX_SMB_OPLOCK_H
#define MRX_SMB_OPLOCK_H

#include "mrx/smb/smb.h"

enum { SMB_EARLY_BREAKS = 4 };

/* A create on its way. It is known to the receiver of breaks: one may overtake the look at its answer. */
struct smb_creating_oplock {
	LIST_ENTRY link; /* to itself: no break is waited for */
	struct smb_conn *conn;
	uint8_t asked;     /* SMB2_OPLOCK_LEVEL_... */
	bool keeps_writes; /* its handle's writes may be kept back */
	bool too_many;     /* more breaks than fit: it gets nothing */
	unsigned int count;
	struct {
		struct smb2_file_id id;
		uint8_t level;
	} early[SMB_EARLY_BREAKS];
};

void smb_oplocks_init(void);

/*
 * Before a create of the file is sent. What the server would take back from another handle of ours because of it is given
 * up first: nobody could answer that break while the create holds the file.
 * @wanted: SMB2_LEASE_...; 0: the create asks for nothing
 * Locks: FCB exclusive. Pairs with smb_oplock_end().
 */
void smb_oplock_begin(PRX_CONTEXT RxContext, struct smb_conn *conn, uint32_t wanted,
		      struct smb_creating_oplock *c);
void smb_oplock_end(struct smb_creating_oplock *c);
/* What the create was granted: sets SRV_OPEN.Key, and adds to its BufferingFlags. Locks: FCB exclusive. */
void smb_oplock_take(PMRX_SRV_OPEN so, struct smb_creating_oplock *c, uint8_t level);
/* The handle is about to be closed. Locks: FCB exclusive. */
void smb_oplock_open_ended(struct smb_open *open);

/* What all handles of a file together allow to keep (FCB_STATE_...). Locks: FCB exclusive. */
ULONG smb_oplock_flags(PMRX_FCB fcb);
/* The server tells us before somebody else's open of the file succeeds. Locks: FCB exclusive. */
bool smb_oplock_has_handle_caching(const struct smb_open *open);

/* (loop) A break that the server sends. False: it names a handle that we do not have. */
bool smb_oplock_break(struct smb_conn *conn, const struct smb2_break *brk);
/* (loop) All oplocks of a connection have ended with it. */
void smb_oplocks_lost(struct smb_conn *conn);

/* Is this what a break of an oplock carries through RDBSS? */
bool smb_oplock_is_break(PVOID MRxContext);
/* The open's level shrinks; the file's state is the caller's to compute. Locks: FCB exclusive. */
void smb_oplock_shrink(PMRX_SRV_OPEN so, PVOID MRxContext);
/* The state has changed: answers the server, or closes what nobody uses. Locks: FCB exclusive. */
void smb_oplock_complete(PMRX_SRV_OPEN so, PVOID MRxContext);

#endif

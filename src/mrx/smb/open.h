/*
 * open.h - one create under way: what goes into its compound, and what the answers tell.
 */
#ifndef MRX_SMB_OPEN_H
#define MRX_SMB_OPEN_H

#include "mrx/smb/lease.h"
#include "mrx/smb/oplock.h"

#include "rxecp.h"

enum {
	SMB_CREATE_HEAD = SMB2_HDR_SIZE + 64, /* bytes of a CREATE without its name and contexts */
};

/* One create under way. */
struct smb_creating {
	PRX_CONTEXT rxc;
	PRX_QUERY_ON_CREATE_ECP ecp; /* NULL: the opener asks for nothing */
	struct smb_tree *tree;
	struct smb_exchange *x;
	struct smb_part *query; /* NULL: not asked */
	struct smb_part *set[RX_QOC_SETS];
	unsigned int sets;      /* of set */
	struct smb_part *read;  /* NULL: nothing to read */
	struct smb_part *close; /* NULL: stays open */
	unsigned int list;      /* the first part that lists it; 0: none */
	uint64_t asked_at;      /* interrupt time */
	struct smb_creating_lease lease;
	struct smb_creating_oplock oplock;
	struct smb2_create_response rsp;
	FILE_STAT_INFORMATION stat;
};

/* open_ask.c */
/* Makes c->x and fills it; what there is of it after a failure is the caller's as well. */
NTSTATUS smb_creating_build(struct smb_creating *c, const UNICODE_STRING *path);
/* What was built and answered is forgotten: it is built anew. */
void smb_creating_again(struct smb_creating *c);
/* A reparse point is looked at through its handle: that create stays open for the second round trip. */
bool smb_creating_may_close_at_once(const struct smb_creating *c);
/* SMB2_LEASE_...: of an open that goes on, and may read or write: something to keep. */
uint32_t smb_creating_wanted_lease(const struct smb_creating *c);
/* @out: NULL allowed. */
NTSTATUS smb_exchange_add_close(struct smb_exchange *x, struct smb2_file_id id, struct smb_part **out);

/* open_answer.c */
/* What the CREATE answer tells; the file's id when the server knows it. */
void smb_creating_stat_from_create(struct smb_creating *c);
/* The second answer of the compound is newer, and knows the links. Return: false: there is none, or it makes no sense. */
bool smb_creating_stat_from_query(struct smb_creating *c);
/* The data of a reparse point, through its own handle.  Its failure leaves only the tag unknown. */
void smb_creating_fetch_reparse(struct smb_creating *c, struct smb2_file_id id);
/* Fills the opener's parameter. @open: NULL: closed at once. @stat_known: c->stat tells all of the file. */
void smb_creating_answer_ecp(struct smb_creating *c, const struct smb_open *open, bool stat_known);

#endif

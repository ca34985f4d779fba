/*
 * smb.h - the SMB2/3 mini-redirector: what hangs on the objects of RDBSS, and what its files share.
 *
 *   SRV_CALL.Context    struct smb_server   the connection in use
 *   NET_ROOT.Context    struct smb_server   (a reference; says that the share is known)
 *   V_NET_ROOT.Context  struct smb_share    credentials, and the connected share in use
 *   SRV_OPEN.Context    struct smb_open     a handle of the server, and the connected share it belongs to
 *   FCB.Context         struct smb_lease    what the server lets us keep of the file (lease.c)
 *   FOBX.Context        struct smb_dir      a listing under way (RDBSS allocates it)
 *
 * A connection that dies takes its sessions, trees and handles with it; the next create makes new ones.
 */
#ifndef MRX_SMB_H
#define MRX_SMB_H

#include "ntifs.h"
#include "rx.h"

#include "mrx/smb/session.h"
#include "mrx/smb/wire/fscc.h"

#define SMB_DEFAULT_PORT 445

/* ---- driver.c ---------------------------------------------------------------------------------------- */

struct smb_driver {
	PRDBSS_DEVICE_OBJECT device;
	struct smb_transport transport; /* from MRxStart to MRxStop */
	uint8_t client_guid[SMB2_GUID_SIZE];
	KSPIN_LOCK call_lock; /* RX_CONTEXT.MRxContext[0] between a call and its canceller; a leaf */
};

extern struct smb_driver mrx_smb;
extern MINIRDR_DISPATCH mrx_smb_dispatch;

NTSTATUS mrx_smb_driver_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

/* ---- options.c --------------------------------------------------------------------------------------- */

/* From the EA "rdr.Options" of the create; the defaults without one.  STATUS_INVALID_PARAMETER, _NOT_SUPPORTED. */
NTSTATUS smb_options_read(PRX_CONTEXT RxContext, struct smb_options *options);

/* ---- server.c: servers, accounts, shares ------------------------------------------------------------- */

/*
 * One server.  `connecting` serialises attempts to connect and is held across them; `lock` guards the pointers and is
 * never held across anything, so that finalization, which comes under the NetName lock, need not wait.
 */
struct smb_server {
	volatile LONG refs;
	char host[256]; /* UTF-8 */
	USHORT port;
	struct smb_options options;
	uint64_t created; /* interrupt time */
	FAST_MUTEX connecting;
	uint64_t failed_at; /* end of the last attempt, when it failed; under connecting */
	NTSTATUS failure;
	KSPIN_LOCK lock;
	struct smb_conn *conn; /* the newest; referenced */
	LIST_ENTRY accounts;
};

/* One set of credentials on one server, and its session. */
struct smb_account {
	LONG refs; /* under the server's lock */
	LIST_ENTRY link;
	struct smb_credentials credentials; /* one allocation, wiped at the end */
	struct smb_session *session;        /* the newest; referenced */
};

struct smb_share {
	struct smb_server *server;   /* referenced */
	struct smb_account *account; /* referenced */
	struct smb_options options;
	UNICODE_STRING name;   /* without backslashes; own memory */
	struct smb_tree *tree; /* the newest; referenced */
};

/* name: `\server[@port]`. */
NTSTATUS smb_server_create(const UNICODE_STRING *name, const struct smb_options *options,
			   struct smb_server **out);
void smb_server_get(struct smb_server *server);
void smb_server_put(struct smb_server *server); /* NULL allowed; never waits */
/* Connects when there is no living connection.  May wait until the deadline (interrupt time). */
NTSTATUS smb_server_connect(struct smb_server *server, uint64_t deadline);
/* Credentials are copied. */
NTSTATUS smb_share_create(struct smb_server *server, const UNICODE_STRING *name,
			  const struct smb_options *options, const struct smb_credentials *credentials,
			  struct smb_share **out);
void smb_share_destroy(struct smb_share *share); /* never waits */
/* The connected share, referenced: the one there is, or a new one.  May wait until the deadline. */
NTSTATUS smb_share_connect(struct smb_share *share, uint64_t deadline, struct smb_tree **out);

/* ---- connect.c --------------------------------------------------------------------------------------- */

NTSTATUS mrx_smb_create_srv_call(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT CallbackContext);
NTSTATUS mrx_smb_srv_call_winner_notify(PMRX_SRV_CALL SrvCall, BOOLEAN ThisMinirdrIsTheWinner,
					PVOID RecommunicateContext);
NTSTATUS mrx_smb_finalize_srv_call(PMRX_SRV_CALL SrvCall, BOOLEAN Force);
NTSTATUS mrx_smb_create_v_net_root(PMRX_CREATENETROOT_CONTEXT Context);
NTSTATUS mrx_smb_finalize_v_net_root(PMRX_V_NET_ROOT VNetRoot, PBOOLEAN ForceDisconnect);
NTSTATUS mrx_smb_finalize_net_root(PMRX_NET_ROOT NetRoot, PBOOLEAN ForceDisconnect);
VOID mrx_smb_extract_net_root_name(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
				   PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName);

/* ---- call.c: exchanges on behalf of an RX_CONTEXT ---------------------------------------------------- */

/* What the canceller of an RX_CONTEXT finds; lives as long as it is attached. */
struct smb_call {
	unsigned int count;
	struct smb_exchange **x;
	PKEVENT given_up; /* NULL: a cancel ends the exchanges; else it only sets this */
};

/* STATUS_CANCELLED: the request was cancelled already; nothing is attached. */
NTSTATUS smb_call_attach(PRX_CONTEXT RxContext, struct smb_call *call);
void smb_call_detach(PRX_CONTEXT RxContext);
/* Whose the exchange is, for the counters: every one that the request waits for. */
void smb_call_count(PRX_CONTEXT RxContext, struct smb_exchange *x);
/* smb_exchange_run() that a cancel of the request ends. */
NTSTATUS smb_run(PRX_CONTEXT RxContext, struct smb_exchange *x);
/*
 * Waits for an exchange that smb_exchange_begin() sent. STATUS_CANCELLED: not any more; the exchange goes on. Otherwise
 * STATUS_SUCCESS: it is over, and its own status tells how.
 */
NTSTATUS smb_await(PRX_CONTEXT RxContext, struct smb_exchange *x);
/*
 * Submits the exchange for a low-I/O request; finish() runs on the loop thread, sets StoredStatus and
 * InformationToReturn, and the request is completed.  The reference to x is consumed.  Return: STATUS_PENDING,
 * STATUS_CANCELLED (nothing was sent), STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS smb_pend(PRX_CONTEXT RxContext, struct smb_exchange *x,
		  void (*finish)(PRX_CONTEXT RxContext, struct smb_exchange *x));

/* ---- open.c ------------------------------------------------------------------------------------------ */

struct smb_open {
	struct smb_tree *tree; /* referenced */
	struct smb2_file_id id;
	ACCESS_MASK access;
	bool directory;
	volatile LONG
		heard_out; /* set once: its close does something that later requests depend on: the answer is waited for */

	/* oplock.c */
	bool oplock_listed; /* in the table: */
	LIST_ENTRY oplock_link;
	PMRX_SRV_CALL srv_call; /* in the table */
	PVOID oplock_key;
	uint8_t oplock; /* that we keep something under: SMB2_OPLOCK_LEVEL_... */
	bool oplock_keeps_writes;
	uint8_t oplock_at_server; /* under the table's lock, as the next one */
	bool oplock_given_up;     /* nothing is kept: a break is answered at once */
};

/* The server's number of the file, 0: not known. Locks: none; whether two names are one file is asked without the FCBs. */
static inline LONG64 smb_number_of(PMRX_FCB fcb)
{
	return InterlockedCompareExchange64(&fcb->IndexNumber.QuadPart, 0, 0);
}

static inline struct smb_open *smb_open_of(PMRX_SRV_OPEN so)
{
	return so->Context;
}

/* The handle behind the request's FOBX; NULL when it is closed. */
static inline struct smb_open *smb_open_of_request(PRX_CONTEXT RxContext)
{
	return RxContext->pFobx != NULL && RxContext->pFobx->pSrvOpen != NULL
		       ? smb_open_of(RxContext->pFobx->pSrvOpen)
		       : NULL;
}

/* Closes the handle behind a SRV_OPEN that nobody uses; nobody waits for the answer. Locks: FCB exclusive. */
void smb_open_end(PMRX_SRV_OPEN so);

/* `\dir\file` as the server wants it: without backslashes at either end. */
UNICODE_STRING smb_relative_path(const UNICODE_STRING *name);

NTSTATUS mrx_smb_create(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_should_try_to_collapse(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_collapse_open(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_cleanup_fobx(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_close_srv_open(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_force_closed(PMRX_SRV_OPEN SrvOpen);
NTSTATUS mrx_smb_deallocate_for_fobx(PMRX_FOBX Fobx);
NTSTATUS mrx_smb_are_files_aliased(PFCB Fcb1, PFCB Fcb2);
NTSTATUS mrx_smb_is_valid_directory(PRX_CONTEXT RxContext, PUNICODE_STRING DirectoryName);

/* ---- lowio.c, lock.c, fsctl.c ------------------------------------------------------------------------ */

NTSTATUS mrx_smb_read(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_write(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_flush(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_lock(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_unlock_multiple(PRX_CONTEXT RxContext);
/* What RDBSS has granted while locks might be buffered is locked at the server, unless it still may. Blocks. */
void smb_locks_flush(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen);
NTSTATUS mrx_smb_is_lock_realizable(PMRX_FCB Fcb, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length,
				    ULONG Flags);
NTSTATUS mrx_smb_fsctl(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_notify(PRX_CONTEXT RxContext);

/* ---- query.c: QUERY_INFO and SET_INFO ---------------------------------------------------------------- */

struct smb_query {
	uint8_t type; /* SMB2_0_INFO_... */
	uint8_t info_class;
	uint32_t room; /* most bytes of the answer */
	uint32_t additional;
	uint32_t flags;
	struct wire_slice input;
};

/*
 * Asks, and waits.  On STATUS_SUCCESS and STATUS_BUFFER_OVERFLOW *output borrows from *x, which the caller puts; at
 * most query->room bytes.  *x is set, NULL without memory, whatever the status.
 */
NTSTATUS smb_query_info(PRX_CONTEXT RxContext, struct smb_open *open, const struct smb_query *query,
			struct smb_exchange **x, struct wire_slice *output);
NTSTATUS smb_set_info(PRX_CONTEXT RxContext, struct smb_open *open, uint8_t type, uint8_t info_class,
		      uint32_t additional, const void *data, size_t bytes);
/*
 * The same for information of the file, and in the same message a query for FSCC_FILE_ALL. *known: it was answered, and
 * is in *all without its name.
 */
NTSTATUS smb_set_and_query(PRX_CONTEXT RxContext, struct smb_open *open, uint8_t info_class, const void *data,
			   size_t bytes, struct fscc_all *all, bool *known);

/* ---- info.c, volinfo.c, dir.c ------------------------------------------------------------------------ */

/*
 * A SET_INFO's bytes from the NT structure.  @now: the file's own name.  Free with ExFreePool().
 * Return: STATUS_SUCCESS, STATUS_INVALID_INFO_CLASS, STATUS_INFO_LENGTH_MISMATCH, ...
 */
NTSTATUS smb_encode_set(const UNICODE_STRING *now, FILE_INFORMATION_CLASS class, const void *buffer,
			ULONG length, BOOLEAN replace, uint8_t **bytes, size_t *count);
NTSTATUS mrx_smb_query_file_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_set_file_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_truncate(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_zero_extend(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_query_volume_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_query_ea_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_set_ea_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_query_sd_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_smb_set_sd_info(PRX_CONTEXT RxContext);

enum {
	SMB_DIR_AHEAD = 4,                 /* pages that are asked ahead at most */
	SMB_DIR_PAGES = SMB_DIR_AHEAD + 2, /* the one that is handed out, and one that came with the create */
};

/* One QUERY_DIRECTORY: on its way, or answered. */
struct smb_dir_page {
	struct smb_exchange *x; /* referenced: keeps the answer */
	struct smb_part *part;
	uint64_t asked_at; /* interrupt time */
};

/* A listing under way. */
struct smb_dir {
	struct smb_dir_page page[SMB_DIR_PAGES]; /* in the order in which they were asked for */
	unsigned int pages;
	unsigned int window; /* pages to have on their way beside page[0] */
	bool opened;         /* page[0] is handed out: */
	struct wire_slice list;
	size_t offset;    /* of the next entry to hand out */
	bool with_create; /* nobody has asked for the pages: they came with the create */
	bool ended;       /* the server has no more than the pages */
	NTSTATUS failed;  /* a page is lost, and with it the place in the listing */
};

/* ---- pages.c: asking for listings -------------------------------------------------------------------- */

/* Has the server list what the CREATE before it in the message opens. STATUS_INSUFFICIENT_RESOURCES. */
NTSTATUS smb_pages_add_to_create(struct smb_exchange *x);
/* The answers to that, the @first part and those behind it; false: there are none to use. */
bool smb_pages_take_from_create(struct smb_dir *dir, struct smb_exchange *x, unsigned int first,
				uint64_t asked_at);
/* Forgets what there is and begins anew. May wait for pages that are on their way: STATUS_CANCELLED. */
NTSTATUS smb_pages_restart(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir);
/*
 * Opens the next page, which the server is asked for if it was not, and asks for further ones, which nobody waits for.
 * STATUS_NO_MORE_FILES, STATUS_NO_SUCH_FILE, STATUS_CANCELLED (it may be asked for again), an error of the server.
 */
NTSTATUS smb_pages_next(PRX_CONTEXT RxContext, struct smb_open *open, struct smb_dir *dir);
/* The first page has been handed out. */
void smb_pages_drop(struct smb_dir *dir);
void smb_dir_reset(struct smb_dir *dir);

NTSTATUS mrx_smb_query_directory(PRX_CONTEXT RxContext);

#endif

/*
 * door.h - the one place that turns a front end's wish into an IRP.
 *
 * Who uses it: front/fuse, front/capi, the command line tool and tests.  None of them touches an IRP, a
 * FILE_OBJECT or a core structure.
 *
 * Life:    door (a started driver device) > volume (a connected tree) > file (one FILE_OBJECT) > request
 *          (one IRP in flight).  A volume holds its door, a file its volume, a request its file.  Each of
 *          them lives until its owner called stop/disconnect/close AND the last request ended.
 * Threads: any thread may call anything; threads made by a library call nt_adopt_thread() first.
 * Blocks:  a routine named ..._async returns when the driver took the request; all others return when the
 *          operation is over.  Create, information, directory and control calls run the driver on the
 *          calling thread (see docs/ARCHITECTURE.md); reads, writes and locks may complete later.
 * Names:   UTF-16, relative to the volume's root, components separated by '\', without a leading '\'; empty
 *          is the root.  Byte counts as UNICODE_STRING has them.  door_name_from_posix() converts.
 * Errors:  NTSTATUS.  Every output is set on every path.
 */
#ifndef RDBSS_FRONT_DOOR_H
#define RDBSS_FRONT_DOOR_H

#include <stdbool.h>

#include "ntifs.h"
#include "nt_exec.h"

struct door;
struct door_volume;
struct door_file;
struct door_request;

/* ---- who asks, and how he gives up ---------------------------------------------------------------- */

/*
 * A place where one caller's current request can be found and cancelled.  Constant size, lives in the
 * caller's own context; valid from door_cancel_init() until every request started with it has completed.
 */
struct door_cancel {
	KSPIN_LOCK lock;
	struct door_request *current; /* under lock; referenced while set */
	struct door_lock_op *waiting; /* under lock; referenced while set: a lock that is waited for */
	BOOLEAN cancelled; /* under lock; sticks: later requests end with STATUS_CANCELLED at once */
};

void door_cancel_init(struct door_cancel *cancel);

/**
 * door_cancel_fire - ask for the end of what runs with @cancel, and of all that follows
 *
 * Returns at once; the request completes as soon as the driver lets go, normally with STATUS_CANCELLED.
 * Context: <= APC_LEVEL, no spin lock held (a cancel routine may complete the IRP on this thread).
 */
void door_cancel_fire(struct door_cancel *cancel);
BOOLEAN door_cancel_fired(struct door_cancel *cancel);

/* The process on whose behalf a request is made.  NULL for a whole caller means the system process. */
struct door_caller {
	struct nt_requester requester;
	struct door_cancel *cancel; /* NULL: cannot be cancelled */
};

/**
 * door_done_fn - the end of an asynchronous operation; called exactly once per request
 * @information: bytes transferred for reads and writes
 *
 * Context: any thread, also the caller's own before the ..._async routine returned; <= DISPATCH_LEVEL rules:
 * do not wait.
 */
typedef void (*door_done_fn)(void *context, NTSTATUS status, ULONG_PTR information);

/* ---- driver ---------------------------------------------------------------------------------------- */

struct door_driver {
	const char *name;         /* "RdrMem": label of the driver object */
	PDRIVER_INITIALIZE entry; /* DriverEntry */
	const char *device;       /* "\\Device\\RdrMem", ASCII; NULL: the first one the driver registers */
};

/* How far a start came. */
enum door_stage {
	DOOR_STAGE_ENTRY,    /* DriverEntry failed */
	DOOR_STAGE_REGISTER, /* DriverEntry succeeded and no redirector is registered under that name */
	DOOR_STAGE_OPEN,     /* the device refused to be opened */
	DOOR_STAGE_START,    /* the start was refused, or MRxStart failed */
	DOOR_STAGE_STARTED
};

/* The drivers this library carries, by URL scheme ("mem", "smb"); NULL when @scheme is unknown or not built. */
const struct door_driver *door_builtin_driver(const char *scheme);

/**
 * door_start - load a driver and start its device
 *
 * Loads, opens the device and sends FSCTL_RX_START.
 * Return: STATUS_SUCCESS; what DriverEntry or the start answered otherwise (nothing stays loaded).
 */
NTSTATUS door_start(const struct door_driver *driver, struct door **out);

/* The same; @stage tells which step answered. */
NTSTATUS door_start_staged(const struct door_driver *driver, struct door **out, enum door_stage *stage);

/**
 * door_stop - stop the device and unload the driver
 *
 * Every volume must have been disconnected.  Waits for the last request.
 */
NTSTATUS door_stop(struct door *door);

/**
 * door_query_objects - the records of all live objects of the device (FSCTL_RX_QUERY_OBJECTS)
 * @buffer: receives packed struct rx_object_record (rxctl.h)
 * @needed: [out] bytes filled on success
 *
 * Answers while servers are dead.
 * Return: STATUS_SUCCESS; STATUS_BUFFER_TOO_SMALL / STATUS_BUFFER_OVERFLOW: try a larger buffer.
 */
NTSTATUS door_query_objects(struct door *door, void *buffer, ULONG length, ULONG *needed);

/**
 * door_check_objects - do the objects of the device agree with each other (FSCTL_RX_CHECK_OBJECTS)?
 * @buffer: receives struct rx_check_summary, then its findings (rxctl.h); 8-byte aligned
 * @filled: [out] bytes
 *
 * Answers while servers are dead.
 * Return: STATUS_SUCCESS; STATUS_BUFFER_OVERFLOW: the summary and as many findings as fit.
 */
NTSTATUS door_check_objects(struct door *door, void *buffer, ULONG length, ULONG *filled);

/* ---- volume ---------------------------------------------------------------------------------------- */

struct door_connect {
	const char *server;   /* UTF-8, without port: "files.example" ("mem" for memory volumes) */
	unsigned int port;    /* 0 = the protocol's own */
	const char *share;    /* UTF-8, one component */
	const char *user;     /* UTF-8; NULL = none given (driver decides: guest, ticket) */
	const char *password; /* UTF-8; NULL = none; copied into the EA list, which is wiped after use */
	const char *domain;   /* UTF-8; NULL = none */
	const char *options; /* UTF-8 "key=value,flag" for the mini-redirector ("rdr.Options"); NULL = none */
};

/**
 * door_volume_claim - ask whether the driver serves a name, as the multiple UNC provider does before any open
 * @connect: the name, and the credentials it would be opened with
 *
 * Sends IOCTL_REDIR_QUERY_PATH_EX.  A driver that registered with RX_REGISTERMINI_FLAG_DONT_PROVIDE_UNCS is never
 * asked on Windows and is not asked here.
 * Return: STATUS_SUCCESS; why the driver does not serve it.
 */
NTSTATUS door_volume_claim(struct door *door, const struct door_caller *caller,
			   const struct door_connect *connect);

/**
 * door_volume_connect - connect a tree and keep it connected
 * @caller: on whose behalf; his credentials belong to the volume
 *
 * Sends IRP_MJ_CREATE of \server[@port]\share with FILE_CREATE_TREE_CONNECTION and the credentials as EAs and
 * holds that open until door_volume_disconnect().
 * Return: STATUS_SUCCESS or why not (STATUS_LOGON_FAILURE, STATUS_BAD_NETWORK_NAME, STATUS_IO_TIMEOUT, ...).
 */
NTSTATUS door_volume_connect(struct door *door, const struct door_caller *caller,
			     const struct door_connect *connect, struct door_volume **out);

/* Every file must have been closed or be on its way (late completions hold the volume). */
void door_volume_disconnect(struct door_volume *volume);

struct door *door_volume_door(struct door_volume *volume);

/* "\server@port\share", NUL-terminated UTF-8, borrowed for the volume's life. */
const char *door_volume_name(struct door_volume *volume);

/* ---- names ----------------------------------------------------------------------------------------- */

/**
 * door_name_from_posix - "dir/file" in bytes to "dir\file" in UTF-16, by the name bijection of nt_name.h
 * @name: [out] Buffer allocated from the pool; free with door_name_free()
 *
 * Leading and repeated '/' are dropped.
 * Return: STATUS_SUCCESS, STATUS_NAME_TOO_LONG, STATUS_OBJECT_NAME_INVALID ("." and ".." components),
 *         STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS door_name_from_posix(const char *path, UNICODE_STRING *name);

/* parent + '\' + one component in bytes (no '/').  @parent may be empty. */
NTSTATUS door_name_append(const UNICODE_STRING *parent, const char *component, size_t length,
			  UNICODE_STRING *name);
/* parent + '\\' + leaf; either may be empty. */
NTSTATUS door_name_join(const UNICODE_STRING *parent, const UNICODE_STRING *leaf, UNICODE_STRING *name);
void door_name_free(UNICODE_STRING *name);

/* One component each way.  to_posix: NUL-terminated into @buffer; @length (may be NULL) without the NUL. */
NTSTATUS door_component_from_posix(const char *bytes, size_t length, UNICODE_STRING *name);
NTSTATUS door_component_to_posix(const UNICODE_STRING *name, char *buffer, size_t size, size_t *length);

#define DOOR_TAG_NAME 'nRoD' /* pool tag of every name's Buffer */

/* ---- open and close -------------------------------------------------------------------------------- */

#define DOOR_QUERY_STAT 0x1u  /* want the file's FILE_STAT_INFORMATION with the open */
#define DOOR_QUERY_CLOSE 0x2u /* closed at once: no handle is returned, one round trip where the driver can */
#define DOOR_QUERY_ID 0x20u   /* of the stat the file's id will do, where no server is asked for the open */
#define DOOR_QUERY_SYMLINK 0x4u /* want the reparse data with the open */

#define DOOR_QUERY_GRANT 0x80u /* only what may be kept of it (read_caching) */
/* The first read_length bytes are wanted with the open: the first read may find them there. */
#define DOOR_QUERY_READ 0x40u
#define DOOR_QUERY_FRESH 0x10u /* somebody else has replaced the file: no open of it is shared */
#define DOOR_QUERY_LIST \
	0x100u /* of a folder: it is listed next; the driver may have its first entries come with the open */

/*
 * A change that travels with the open: one round trip with DOOR_QUERY_CLOSE where the driver can, separate calls where
 * it cannot.  The engine hears of it only in separate calls: not for the name of a file that this volume has open.
 */
#define DOOR_SET 0x8u

struct door_change {
	FILE_INFORMATION_CLASS cls;
	const void *buffer; /* borrowed during the call */
	ULONG length;       /* bytes */
};

#define DOOR_CHANGES 3 /* the most that travel with one open */

struct door_open {
	UNICODE_STRING path; /* borrowed during the call */
	ACCESS_MASK access;
	ULONG attributes;  /* FILE_ATTRIBUTE_* for a new file */
	ULONG share;       /* FILE_SHARE_* */
	ULONG disposition; /* FILE_OPEN, FILE_CREATE, ... */
	ULONG options;     /* FILE_DIRECTORY_FILE, ...; FILE_SYNCHRONOUS_* is added by the door */
	ULONG query;       /* DOOR_QUERY_*, DOOR_SET */
	BOOLEAN no_cache;  /* nothing that is read or written through the handle is kept on this machine */
	ULONG read_length; /* bytes, with DOOR_QUERY_READ */
	/* with DOOR_SET: in this order, each tried whatever became of those before it */
	struct door_change change[DOOR_CHANGES];
	ULONG changes;
};

struct door_opened {
	struct door_file *file; /* NULL on failure and with DOOR_QUERY_CLOSE */
	ULONG_PTR action;       /* FILE_OPENED, FILE_CREATED, FILE_OVERWRITTEN, FILE_SUPERSEDED */
	ULONG supplied; /* DOOR_QUERY_STAT when @stat is valid; DOOR_SET when @set_status is; DOOR_QUERY_LIST */
	NTSTATUS set_status;  /* of the first change that failed, else of the close behind it */
	BOOLEAN read_caching; /* with a query: the server tells before somebody else changes the file's data */
	BOOLEAN write_caching;      /* the same before somebody else reads it: nobody else has it open */
	ULONG_PTR cache_generation; /* with read_caching: for door_cache_attach() */
	FILE_STAT_INFORMATION stat;
};

/**
 * door_open - create or open by path
 *
 * With DOOR_QUERY_STAT the stat is always there on success: a driver that ignores the extra create parameter
 * is asked separately.
 * With DOOR_SET the change was tried on success, and set_status tells how it ended; a stat is that of after it. A change
 * that failed may leave nothing to ask: a failure then is that of the question, and set_status is there all the same.
 * A cancelled open that the driver performed all the same is closed here and reported as STATUS_CANCELLED.
 */
NTSTATUS door_open(struct door_volume *volume, const struct door_caller *caller, const struct door_open *open,
		   struct door_opened *out);

struct nt_cache_ops;
struct nt_cache_map;
/* The caller keeps data of the file from now on; STATUS_RETRY: it may not any more. See nt_cache_attach(). */
NTSTATUS door_cache_attach(const struct door_opened *opened, const struct nt_cache_ops *ops, void *context,
			   struct nt_cache_map **map);

/* Nothing of the grant was taken back since the open. */
bool door_cache_is_current(const struct door_opened *opened);

/* Bytes, as the engine knows it: no other client changes it while a grant stands (read_caching). Asks nobody. */
LONGLONG door_size_here(struct door_file *file);

/* Open, query, close: one round trip where the driver can.  Never follows a reparse point. */
NTSTATUS door_stat_path(struct door_volume *volume, const struct door_caller *caller,
			const UNICODE_STRING *path, FILE_STAT_INFORMATION *stat);

/**
 * door_close - cleanup and close; the pointer is dead
 *
 * Requests in flight on the file keep the FILE_OBJECT: IRP_MJ_CLEANUP goes out now, IRP_MJ_CLOSE after the
 * last of them.  @caller may be NULL; a cancel slot is ignored (a close always runs).
 * Return: the status of the cleanup (a delete-on-close that failed shows here).
 */
NTSTATUS door_close(struct door_file *file, const struct door_caller *caller);

struct door_volume *door_file_volume(struct door_file *file);

/* ---- data ------------------------------------------------------------------------------------------ */

#define DOOR_APPEND ((uint64_t)-1) /* offset of a write: the end of the file, decided by the server */

/**
 * door_read_async, door_write_async - one transfer, zero copy
 * @buffer: described by the IRP's MDL; owned by the request until @done is called
 * @length: bytes, at most DOOR_IO_MAX
 * @offset: bytes
 * @done:   called exactly once, also for failures found on the way
 *
 * At end of file a read ends with STATUS_END_OF_FILE and 0 bytes, or with fewer bytes than asked for.
 */
#define DOOR_IO_MAX (8u << 20)
void door_read_async(struct door_file *file, const struct door_caller *caller, void *buffer, ULONG length,
		     uint64_t offset, door_done_fn done, void *context);
void door_write_async(struct door_file *file, const struct door_caller *caller, const void *buffer,
		      ULONG length, uint64_t offset, door_done_fn done, void *context);

/*
 * The same for pages that the caller keeps under door_cache_attach(): also while his flush or purge is waited for, with
 * the file held. A write keeps its place, whatever the handle does with others.
 */
void door_read_pages_async(struct door_file *file, const struct door_caller *caller, void *buffer,
			   ULONG length, uint64_t offset, door_done_fn done, void *context);
void door_write_pages_async(struct door_file *file, const struct door_caller *caller, const void *buffer,
			    ULONG length, uint64_t offset, door_done_fn done, void *context);

NTSTATUS door_read(struct door_file *file, const struct door_caller *caller, void *buffer, ULONG length,
		   uint64_t offset, ULONG *transferred);
NTSTATUS door_write(struct door_file *file, const struct door_caller *caller, const void *buffer,
		    ULONG length, uint64_t offset, ULONG *transferred);

/* What was written is on the server's disk. */
NTSTATUS door_flush(struct door_file *file, const struct door_caller *caller);
/* What was written is at the server. Also tells what failed since the handle heard of it last. */
NTSTATUS door_write_back(struct door_file *file, const struct door_caller *caller);
void door_flush_async(struct door_file *file, const struct door_caller *caller, door_done_fn done,
		      void *context);

/* ---- information ----------------------------------------------------------------------------------- */

/* @returned may be NULL.  STATUS_BUFFER_OVERFLOW is a warning: the fixed part is there. */
NTSTATUS door_query_info(struct door_file *file, const struct door_caller *caller, FILE_INFORMATION_CLASS cls,
			 void *buffer, ULONG length, ULONG *returned);
NTSTATUS door_set_info(struct door_file *file, const struct door_caller *caller, FILE_INFORMATION_CLASS cls,
		       const void *buffer, ULONG length);
NTSTATUS door_query_volume(struct door_file *file, const struct door_caller *caller, FS_INFORMATION_CLASS cls,
			   void *buffer, ULONG length, ULONG *returned);

/* FileStatInformation, or the classes every server knows put together. */
NTSTATUS door_query_stat(struct door_file *file, const struct door_caller *caller,
			 FILE_STAT_INFORMATION *stat);

/* The change, and what the file looks like after it: one round trip where the driver can. */
NTSTATUS door_set_info_stat(struct door_file *file, const struct door_caller *caller,
			    FILE_INFORMATION_CLASS cls, const void *buffer, ULONG length,
			    FILE_STAT_INFORMATION *stat);
NTSTATUS door_set_end_of_file(struct door_file *file, const struct door_caller *caller, uint64_t size);

/* ---- names as POSIX programs expect them (posix.c, links.c) ------------------------------------------ */

/*
 * door_remove - take a name away, also of a file that is open
 * @directory: TRUE: rmdir; FALSE: unlink (of anything but a directory)
 *
 * The name is gone when this returns, handles that are open go on working.  POSIX deletion where the server
 * has it; else a file that is open through this volume is renamed aside (DOOR_HIDDEN_PREFIX, into the share's
 * root or the highest folder on the way to it that the server allows) and deleted when its last handle closes.  The read-only attribute does not protect a name.
 * @id: the id of the file, or of the directory, when the caller knows it, else 0.  What nobody has open here is then
 *      deleted in one round trip where the driver can close with the open.
 */
NTSTATUS door_remove(struct door_volume *volume, const struct door_caller *caller, const UNICODE_STRING *path,
		     BOOLEAN directory, uint64_t id);

/* A file that was deleted while open may still be in its folder: the server lets us put it nowhere else. */
BOOLEAN door_deleted_stay(struct door_volume *volume);

#define DOOR_RENAME_REPLACE 0x1u /* an existing target is replaced, also an open or read-only one */

/*
 * door_rename - move a name
 *
 * Without DOOR_RENAME_REPLACE an existing target gives STATUS_OBJECT_NAME_COLLISION.  An empty directory is
 * replaced by a directory.
 * @id:        the file's id when the caller knows it and it is no directory, else 0.  What nobody has open here is then
 *             renamed in one round trip where the driver can.
 * @target_id: the id of what is replaced; 0: nothing, or nothing that is open here
 */
NTSTATUS door_rename(struct door_volume *volume, const struct door_caller *caller, const UNICODE_STRING *from,
		     const UNICODE_STRING *to, ULONG flags, uint64_t id, uint64_t target_id);

/*
 * A second name for a file, one round trip where the driver can; @stat: of the file with it.  STATUS_NOT_SUPPORTED and its
 * like where the server has none.
 */
NTSTATUS door_link(struct door_volume *volume, const struct door_caller *caller,
		   const UNICODE_STRING *existing, const UNICODE_STRING *path, FILE_STAT_INFORMATION *stat);

/*
 * door_symlink - make a symbolic link; @target in POSIX bytes
 * STATUS_NOT_SUPPORTED and its like where the server has no reparse points; nothing is left behind.
 */
NTSTATUS door_symlink(struct door_volume *volume, const struct door_caller *caller,
		      const UNICODE_STRING *path, const char *target);

/*
 * door_readlink - the target of a symbolic link in POSIX bytes, NUL-terminated
 * Return: STATUS_NOT_A_REPARSE_POINT: no link; STATUS_NOT_SUPPORTED: a link that has no POSIX form;
 *         STATUS_BUFFER_TOO_SMALL.
 */
NTSTATUS door_readlink(struct door_volume *volume, const struct door_caller *caller,
		       const UNICODE_STRING *path, char *target, size_t size);

#define DOOR_HIDDEN_PREFIX ".rdr-deleted-"
/* A name that door_remove() left until the last handle closes; listings do not show it. */
BOOLEAN door_name_is_hidden(const UNICODE_STRING *component);

/* ---- directory ------------------------------------------------------------------------------------- */

/**
 * door_query_directory - the next batch of entries
 * @pattern:  NULL = all; only looked at by the first call on the handle or with @restart
 * @asked_at: [out, optional] interrupt time at which the server was asked for the oldest of them: drivers ask ahead
 *
 * Return: STATUS_SUCCESS with entries; STATUS_NO_MORE_FILES at the end (STATUS_NO_SUCH_FILE: nothing matched).
 */
NTSTATUS door_query_directory(struct door_file *file, const struct door_caller *caller,
			      FILE_INFORMATION_CLASS cls, const UNICODE_STRING *pattern, BOOLEAN restart,
			      void *buffer, ULONG length, ULONG *returned, ULONGLONG *asked_at);

/**
 * door_notify_async - wait for a change in a folder
 * @file:   opened with FILE_LIST_DIRECTORY; the first wait on a handle decides the filter for all
 * @buffer: receives FILE_NOTIFY_INFORMATION entries; the request's until @done is called
 * @filter: FILE_NOTIFY_CHANGE_...
 * @done:   STATUS_SUCCESS: what changed. STATUS_NOTIFY_ENUM_DIR, or no bytes: too much to tell, anything may have.
 *          STATUS_NOTIFY_CLEANUP, STATUS_CANCELLED: the handle was closed meanwhile, or the wait was cancelled.
 *          Called exactly once, also for failures on the way.
 *
 * Waits as long as nothing changes; a cancel or a close of @file ends it.
 */
void door_notify_async(struct door_file *file, const struct door_caller *caller, void *buffer, ULONG length,
		       ULONG filter, door_done_fn done, void *context);

/* ---- control, locks -------------------------------------------------------------------------------- */

NTSTATUS door_fsctl(struct door_file *file, const struct door_caller *caller, ULONG code, const void *in,
		    ULONG in_length, void *out, ULONG out_length, ULONG *returned);

struct door_lock {
	uint64_t offset; /* bytes */
	uint64_t length; /* bytes */
	ULONG key;
	BOOLEAN exclusive;
	BOOLEAN fail_immediately; /* FALSE: wait until granted or cancelled */
};

NTSTATUS door_lock_range(struct door_file *file, const struct door_caller *caller,
			 const struct door_lock *lock);
NTSTATUS door_unlock_range(struct door_file *file, const struct door_caller *caller,
			   const struct door_lock *lock);

/* ---- locks as POSIX programs expect them (locks.c, record.c, carrier.c) -------------------------------- */

enum door_lock_type { DOOR_UNLOCKED, DOOR_SHARED, DOOR_EXCLUSIVE };
/* Locks of one kind conflict among the owners of this volume; at the server both kinds are the same. */
enum door_lock_kind { DOOR_LOCK_POSIX, DOOR_LOCK_FLOCK };

#define DOOR_RANGE_END ((uint64_t)INT64_MAX) /* "to the end of the file, wherever it is" */

struct door_range {
	uint64_t owner; /* whatever tells owners apart */
	uint64_t start; /* bytes */
	uint64_t end;   /* bytes, exclusive */
	uint32_t pid;   /* for whoever asks who holds it; 0: nobody of this machine */
	enum door_lock_type type;
	enum door_lock_kind kind;
};

/**
 * door_record_lock - take, convert or give up (DOOR_UNLOCKED) a range of a file
 * @wait: until it is free here and at the server, or the caller's cancel slot is fired
 * @done: called exactly once; its information is 0 for a lock that the server was asked for, else a number: nobody else
 *        uses the file, and what was learned since the same number was first told holds
 *
 * The owner's other locks are split and merged as fcntl(2) says. The union of what all owners hold is held at the
 * server through one handle, which all transfers of the file go through meanwhile (carrier.c).
 * Ends with: STATUS_SUCCESS; STATUS_LOCK_NOT_GRANTED; STATUS_CANCELLED; STATUS_FILE_FORCED_CLOSED: the server has lost
 * a lock that was taken through this handle, which from then on does nothing but close. STATUS_POSSIBLE_DEADLOCK: to wait
 * would be for ever, because those who hold the range wait for locks of its owner (DOOR_LOCK_POSIX, all files of the volume).
 */
void door_record_lock(struct door_file *file, const struct door_caller *caller,
		      const struct door_range *range, bool wait, door_done_fn done, void *context);

/**
 * door_record_test - could the range be locked?
 * @range: [in] what is wanted [out] on STATUS_SUCCESS type DOOR_UNLOCKED when it could, else a lock in the way
 *
 * The server is asked by trying. What is held here in shared mode is not tried: the answer is "it could" then.
 */
NTSTATUS door_record_test(struct door_file *file, const struct door_caller *caller, struct door_range *range);

/*
 * What a request that failed with @status means to the handle: STATUS_FILE_FORCED_CLOSED when the locks that were taken through
 * it are lost, be it by this; else @status. Context: PASSIVE_LEVEL.
 */
NTSTATUS door_record_status(struct door_file *file, NTSTATUS status);

/* Everything that an owner has in the file, as on close(2). */
void door_record_release(struct door_file *file, enum door_lock_kind kind, uint64_t owner);

/* ---- the driver's devices, for a program that drives it (user.c) --------------------------------------- */

struct door_user;

struct door_control {
	ULONG code;
	BOOLEAN is_fsctl; /* IRP_MJ_FILE_SYSTEM_CONTROL, else IRP_MJ_DEVICE_CONTROL */
	const void *in;
	ULONG in_length;
	void *out; /* out_length bytes */
	ULONG out_length;
};

/**
 * door_user_open - open a device by its name
 * @name: UTF-8: `\\.\Name`, `\??\Name`, `\Device\Name` or a bare Name
 *
 * Return: what the driver answered; STATUS_OBJECT_NAME_NOT_FOUND.
 */
NTSTATUS door_user_open(struct door *door, const char *name, const struct door_caller *caller,
			struct door_user **out);
/* Waits for the driver; @returned: bytes in control->out, never more than out_length. */
NTSTATUS door_user_control(struct door_user *user, const struct door_caller *caller,
			   const struct door_control *control, ULONG_PTR *returned);
void door_user_close(struct door_user *user, const struct door_caller *caller);

#endif

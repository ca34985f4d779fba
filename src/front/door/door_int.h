/*
 * door_int.h - what the files of the door share.
 *
 * Locks: request->... none; cancel->lock (spin, leaf); volume->mutex (fast mutex, leaf): open files by id.
 */
#ifndef RDBSS_FRONT_DOOR_INT_H
#define RDBSS_FRONT_DOOR_INT_H

#include <stdatomic.h>

#include "front/door/door.h"
#include "nt_name.h"
#include "rxctl.h"
#include "rxecp.h"

#define DOOR_TAG_DOOR 'dRoD'
#define DOOR_TAG_VOLUME 'vRoD'
#define DOOR_TAG_FILE 'fRoD'
#define DOOR_TAG_REQUEST 'rRoD'
#define DOOR_TAG_EA 'eRoD'
#define DOOR_TAG_BUFFER 'bRoD'

#define DOOR_SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
#define DOOR_ID_BUCKETS 256u

struct door {
	PDRIVER_OBJECT driver;
	PDEVICE_OBJECT device;
	PFILE_OBJECT control; /* the open of the device itself */
	atomic_uint volumes;
};

struct door_volume {
	struct door *door;
	UNICODE_STRING root;         /* \server@port\share */
	char *name;                  /* the same in UTF-8 */
	PFILE_OBJECT tree;           /* the open that holds the connection */
	atomic_uint files;           /* door_file structures alive, plus one for the connection */
	KEVENT idle;                 /* files reached 0 */
	atomic_bool no_posix_delete; /* the server refused the class once */
	atomic_bool no_posix_rename;
	atomic_bool no_stat_class;
	atomic_uint
		aside_depth; /* folders below the root, where deleted files that are open were last let be put */
	atomic_bool deleted_stay; /* one had to stay in the folder it was in */
	FAST_MUTEX mutex;
	LIST_ENTRY by_id[DOOR_ID_BUCKETS]; /* door_file.id_link; under mutex */
	FAST_MUTEX waits_mutex;            /* a leaf */
	LIST_ENTRY waits;                  /* struct door_wait of fcntl locks */
};

struct door_file {
	struct door_volume *volume;
	PFILE_OBJECT object;
	struct door_locks *locks; /* of an open for data of a file; constant; NULL: none can be taken */
	atomic_bool lock_lost;    /* the server has lost a lock that was taken through it; stays */
	bool closed;              /* by its owner; under locks->mutex */
	bool write_through;       /* as asked for */
	bool no_cache;            /* as asked for */
	ACCESS_MASK access;       /* as asked for */
	atomic_uint refs;         /* 1 for the owner until door_close(), 1 per request */
	LIST_ENTRY id_link;       /* under volume->mutex, when hashed */
	uint64_t id;              /* the server's file id; 0 = not known */
	BOOLEAN hashed;
	WORK_QUEUE_ITEM close; /* IRP_MJ_CLOSE when the last reference went in a completion */
};

/* Which handle a transfer goes through; see carrier.c. */
struct door_transfer {
	struct door_file *file; /* the one; referenced when carried */
	bool direct;            /* counted in file->locks->direct */
	bool carried;           /* not what the caller named */
	bool held; /* locks are held at the server: who hears that it is gone must hear that they are */
};

struct door_request {
	PIRP irp;
	PMDL mdl;
	PFILE_OBJECT object;        /* borrowed from file, or from the device's own opens */
	struct door_file *file;     /* referenced; NULL for control opens and creates */
	struct door_transfer way;   /* of a transfer; file NULL: it is none */
	struct door_cancel *cancel; /* registered there until completion */
	atomic_uint refs;
	door_done_fn done; /* NULL: somebody waits for the event */
	void *context;
	KEVENT event;
	NTSTATUS status;
	ULONG_PTR information;
};

/* request.c */
/*
 * Allocates a request with an IRP whose next stack location is zeroed and names @object.
 * @file: referenced by the request; may be NULL.
 */
NTSTATUS door_request_create(struct door *door, PFILE_OBJECT object, struct door_file *file,
			     const struct door_caller *caller, UCHAR major, UCHAR minor,
			     struct door_request **out);
PIO_STACK_LOCATION door_request_stack(struct door_request *request);
void door_request_put(struct door_request *request);
/* Sends and waits; consumes the request. */
NTSTATUS door_request_run(struct door_request *request, const struct door_caller *caller,
			  ULONG_PTR *information);
/* Sends; @done is called exactly once.  Consumes the request. */
void door_request_send(struct door_request *request, const struct door_caller *caller, door_done_fn done,
		       void *context);

/* open.c */
NTSTATUS door_object_create(struct door *door, const UNICODE_STRING *name, PFILE_OBJECT *out);
/* IRP_MJ_CLEANUP, then IRP_MJ_CLOSE, then the object's reference. */
NTSTATUS door_object_cleanup(struct door *door, PFILE_OBJECT object, const struct door_caller *caller);
void door_object_close(struct door *door, PFILE_OBJECT object);
void door_file_put(struct door_file *file);
/* TRUE when a handle of this volume has the file of that id open. */
BOOLEAN door_id_is_open(struct door_volume *volume, uint64_t id);
/* TRUE when another handle of this volume than @file has the same file open. */
BOOLEAN door_file_is_shared(struct door_file *file);

/* The same data as a handle that already exists; STATUS_FILE_RENAMED: another file has the name by now. */
NTSTATUS door_open_again(struct door_file *file, const struct door_caller *caller, ACCESS_MASK access,
			 struct door_file **out);
/* Cleanup, and the owner's reference; the pointer is dead. */
NTSTATUS door_file_end(struct door_file *file, const struct door_caller *caller);

/* An open handle for the same file that may do all of @access; NULL: none. Borrowed until it is closed. */
struct door_file *door_file_beside(struct door_file *file, ACCESS_MASK access);

/* carrier.c */
/*
 * A request for data or size, through the handle that the file's locks leave it. STATUS_FILE_FORCED_CLOSED: a lock that was
 * taken through @file is lost.
 */
NTSTATUS door_transfer_create(struct door_file *file, const struct door_caller *caller, UCHAR major,
			      UCHAR minor, struct door_request **out);
/* Once for each. Return: what the caller is told. Context: <= DISPATCH_LEVEL. */
NTSTATUS door_transfer_end(const struct door_transfer *way, NTSTATUS status);

/* Nobody can use the locks of the handle any more: the file system has lost one of them. */
static inline bool door_file_lost_locks(const struct door_file *file)
{
	return (nt_file_flags(file->object) & NT_FO_LOCKS_LOST) != 0;
}

/* deadlock.c */
void door_waits_init(struct door_volume *volume);

/* info.c */
/* As door_lock_range(). @leave: [out] what the IRP's information says: 0, or the number of the leave not to ask the server. */
NTSTATUS door_lock_range_told(struct door_file *file, const struct door_lock *lock, ULONG_PTR *leave);
/* All that the handle has locked, whatever becomes of it at the server. */
void door_unlock_all(struct door_file *file);
/* @length: the caller's memory until @done. */
void door_lock_range_async(struct door_file *file, const struct door_caller *caller,
			   const struct door_lock *lock, LARGE_INTEGER *length, door_done_fn done,
			   void *context);

/* locks.c: an op in a cancel slot */
struct door_lock_op;
void door_lock_op_hold(struct door_lock_op *op);
/* Consumes a reference.  Context: <= DISPATCH_LEVEL. */
void door_lock_op_cancel(struct door_lock_op *op);

/* volume.c */
void door_volume_put(struct door_volume *volume);

/* device.c */
NTSTATUS door_device_control(struct door *door, ULONG code, void *out, ULONG out_length, ULONG_PTR *returned);

/* posix.c */
BOOLEAN door_is_unsupported(NTSTATUS status);

#endif

/*
 * dispatch.h - from an IRP to the routine that serves it.
 *
 * Every rx_common_... routine has the shape of PRX_DISPATCH and one contract:
 *   returns STATUS_PENDING  the request was posted or is in the mini-redirector's hands; the context and the
 *                           IRP are not the caller's any more
 *   returns anything else   irp->IoStatus.Information is set; the dispatcher completes the IRP
 * and on both it holds no lock it did not hold on entry.
 */
#ifndef RX_CORE_DISPATCH_DISPATCH_H
#define RX_CORE_DISPATCH_DISPATCH_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* dispatch.c */
/* Runs rxc->ResumeRoutine and completes the IRP unless it stays pending. Consumes the caller's reference. */
NTSTATUS rx_dispatch_run(PRX_CONTEXT rxc);

/* A thread that leaves the core holds nothing of it: FCB resources are counted per context, the rest here. */
void rx_assert_holds_no_lock(PRDBSS_DEVICE_OBJECT dev);

/* fsctl.c */
/* Where the data of a control is, by the method in its code. */
void rx_control_buffers(PRX_CONTEXT rxc, PIRP irp, PXXCTL_LOWIO_COMPONENT ctl);

/* buffers.c */
/*
 * Gives the IRP an MDL for UserBuffer (or SystemBuffer) unless it has one. STATUS_INSUFFICIENT_RESOURCES,
 * STATUS_INVALID_USER_BUFFER. The second takes it away again before the IRP is completed.
 */
NTSTATUS rx_lock_user_buffer(PRX_CONTEXT rxc, PIRP irp, LOCK_OPERATION access, ULONG length);
void rx_unlock_user_buffer(PRX_CONTEXT rxc, PIRP irp);

/* fsp.c */
VOID rx_fsp_init_device(PRDBSS_DEVICE_OBJECT dev);

/* acquire.c */
/*
 * Takes the FCB of the request. STATUS_SUCCESS: held. STATUS_PENDING: would have blocked an asynchronous
 * request, which was posted instead and is not the caller's any more.
 */
NTSTATUS rx_acquire_fcb_exclusive(PRX_CONTEXT rxc);
NTSTATUS rx_acquire_fcb_shared(PRX_CONTEXT rxc);
/*
 * The same for a transfer of pages: shared, or lent by somebody who waits for these very pages (rx_lend_fcb()). Waits in
 * every case: a worker that came to it later might be needed by those who wait.
 */
NTSTATUS rx_acquire_fcb_paging(PRX_CONTEXT rxc);
void rx_release_fcb(PRX_CONTEXT rxc);
/*
 * Posts the request because its driver asked for that (PostRequest). Return: STATUS_PENDING, and the request is not the
 * caller's any more; or why it ends here: it was cancelled, or the driver never does anything else.
 */
NTSTATUS rx_post_for_driver(PRX_CONTEXT rxc);
/*
 * Gives the FCB back, and posts the request when that is what the driver wants: STATUS_PENDING with PostRequest. Then the
 * request is not the caller's any more. Return: `status`.
 */
NTSTATUS rx_release_or_post(PRX_CONTEXT rxc, NTSTATUS status);
/*
 * The shape of a request about an open file: with the FCB, and while the open is there at the server, @run; then that.
 * @length: of the request's buffer; what an Info.Length cannot hold is refused. @run: as if the driver answered.
 */
NTSTATUS rx_run_on_open(PRX_CONTEXT rxc, PIRP irp, ULONG length, bool exclusive,
			NTSTATUS (*run)(PRX_CONTEXT rxc, PIRP irp));
/* True when a status lets the rest be done: a success, and not that of a request that a worker will run again. */
static inline bool rx_is_done(NTSTATUS status)
{
	return NT_SUCCESS(status) && status != STATUS_PENDING;
}
/* STATUS_SUCCESS when the request's FOBX still has its open at the server. Locks: FCB, shared at least. */
NTSTATUS rx_check_server_open(PRX_CONTEXT rxc);

/* create.c, open.c, device.c ... one routine per IRP major */
NTSTATUS NTAPI rx_common_create(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_cleanup(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_close(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_read(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_write(PRX_CONTEXT rxc, PIRP irp);
/*
 * The file reaches at least to `end` (bytes) now. Any level: no lock, for the completion of a transfer waits for
 * nothing.
 */
void rx_write_note_end(PRX_CONTEXT rxc, PFILE_OBJECT file, LONGLONG end);
NTSTATUS NTAPI rx_common_query_information(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_set_information(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_query_volume(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_set_volume(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_directory_control(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_fsctl(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_ioctl(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_lock_control(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_flush(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_query_ea(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_set_ea(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_query_security(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_set_security(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_query_quota(PRX_CONTEXT rxc, PIRP irp);
NTSTATUS NTAPI rx_common_set_quota(PRX_CONTEXT rxc, PIRP irp);

/* devctl.c: the same for file objects of the redirector device (and of tree connections) */
extern RX_FSD_DISPATCH_VECTOR rx_device_dispatch[];

/* close.c */
/*
 * The last use of a FOBX: its share of SRV_OPEN.OpenCount is given back, and with the last share the open at
 * the server is closed (MRxCloseSrvOpen). rxc: any context of the device; its objects and MajorFunction are
 * set here. Locks: FCB exclusive.
 */
void rx_close_srv_open_of(PRX_CONTEXT rxc, PFOBX fobx);

/* Drops the FOBX's creation reference; it and, as its last child, its SRV_OPEN die. Locks: FCB exclusive. */
void rx_drop_fobx(PRX_CONTEXT rxc, PFOBX fobx);
/* Gives back the FCB resource and one reference on the FCB, which dies when it was the last. */
void rx_release_and_dereference_fcb(PRX_CONTEXT rxc, PFCB fcb);

/* lockctrl.c */
/* The byte-range locks of one FOBX, gone with its cleanup: released at the server too. Locks: FCB exclusive. */
void rx_locks_cleanup(PRX_CONTEXT rxc, PFCB fcb, PFOBX fobx);
/* A lock of the request's handle was lost, and not all of its locks given up since. */
static inline bool rx_locks_lost(PRX_CONTEXT rxc)
{
	return (nt_file_flags(rxc->CurrentIrpSp->FileObject) & NT_FO_LOCKS_LOST) != 0;
}

/* lockbuffer.c. Locks: FCB exclusive. */
/*
 * The locks of an open that the server does not know, oldest first; NULL: none. The list lives as long as the FCB is held;
 * entry.Status becomes what the server says.
 */
PLOWIO_LOCK_LIST rx_locks_buffered(PFCB fcb, PMRX_SRV_OPEN so);
/* It has been told of them. What it refused is lost, and the handle marked; false: some was. */
bool rx_locks_flushed(PFCB fcb, PLOWIO_LOCK_LIST list);
/* Tells it those of all opens of the file but one (or none). Blocks. False: some was refused, and is lost. */
bool rx_locks_send(PFCB fcb, PMRX_SRV_OPEN except);
/* Nobody can tell it of those of an open any more. */
void rx_locks_lose(PFCB fcb, PMRX_SRV_OPEN so);

/* lockrecord.c */
/*
 * Does the server hold locks of ours, or is it being asked for one? Writes are not kept back then. Locks: FCB shared, which
 * keeps a lock from beginning.
 */
bool rx_locks_at_server(PFCB fcb);
/* May the request touch the range, as far as the locks of other opens on this machine go? Locks: FCB shared. */
bool rx_locks_allow(PRX_CONTEXT rxc, LONGLONG offset, ULONG length, bool write);

#endif

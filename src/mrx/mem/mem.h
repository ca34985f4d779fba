/*
 * mem.h - the redirector half of the reference mini-redirector.
 *
 * What hangs where:
 *   NET_ROOT.Context   struct mem_volume, referenced
 *   SRV_OPEN.Context   struct mem_handle, owned
 *   FCB.Context        struct mem_grant, owned (lease.c)
 *   FOBX.Context       struct mem_scan, in the extension that RDBSS manages (RDBSS_MANAGE_FOBX_EXTENSION)
 *   RX_CONTEXT.MRxContext   struct mem_pended, while a call is pending
 *
 * Every call that may pend does pend, and is completed by another thread in seeded random order, so that nothing
 * above can come to rely on synchronous luck; the volume option `inline` turns that off.
 */
#ifndef MRX_MEM_MEM_H
#define MRX_MEM_MEM_H

#include "memfs.h"
#include "rx.h"

struct mem_scan {
	uint64_t cookie; /* the next entry to look at; 0 and 1 stand for "." and ".." */
};

enum mem_pended_state { MEM_PENDED_NEW, MEM_PENDED_WAITING, MEM_PENDED_CANCELLED };

/* Lives in RX_CONTEXT.MRxContext, which is ours while the call is pending. */
struct mem_pended {
	LIST_ENTRY link;
	void (*complete)(PRX_CONTEXT RxContext);
	volatile LONG state; /* enum mem_pended_state, of a call that can be cancelled */
};
C_ASSERT(sizeof(struct mem_pended) <= sizeof(((PRX_CONTEXT)0)->MRxContext));

struct mem_driver {
	PRDBSS_DEVICE_OBJECT device;
	FAST_MUTEX mutex;   /* guards volumes */
	LIST_ENTRY volumes; /* struct mem_volume; each entry is a reference, kept until the driver stops */
	KSPIN_LOCK pended_lock;
	LIST_ENTRY pended; /* struct mem_pended */
	ULONG pended_count;
	KEVENT pended_event;
	bool stopping; /* pended_lock */
	struct nt_thread *completer;
};

extern struct mem_driver mrx_mem;
extern MINIRDR_DISPATCH mrx_mem_dispatch;

/* Entry of the built-in driver; device \Device\RdrMem. */
NTSTATUS mrx_mem_driver_entry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath);

static inline struct mem_handle *mem_handle_of(PMRX_SRV_OPEN SrvOpen)
{
	return SrvOpen->Context;
}

/* pend.c - the completer thread */
NTSTATUS mem_pend_start(void);
void mem_pend_stop(void);
/* Has `complete` called with the context from another thread, soon. */
void mem_pend(PRX_CONTEXT RxContext, void (*complete)(PRX_CONTEXT RxContext));
/* Stores the outcome of a low-I/O call and pends its completion; returns what the slot shall return. */
NTSTATUS mem_pend_low_io(PRX_CONTEXT RxContext, NTSTATUS status, ULONG_PTR information);
/* Completes the requests that became ready; the caller holds no lock of memfs. */
void mem_run_wakeups(struct mem_wakeups *wake);

/* connect.c */
NTSTATUS mrx_mem_create_srv_call(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT CallbackContext);
NTSTATUS mrx_mem_srv_call_winner_notify(PMRX_SRV_CALL SrvCall, BOOLEAN ThisMinirdrIsTheWinner,
					PVOID RecommunicateContext);
NTSTATUS mrx_mem_finalize_srv_call(PMRX_SRV_CALL SrvCall, BOOLEAN Force);
NTSTATUS mrx_mem_create_v_net_root(PMRX_CREATENETROOT_CONTEXT Context);
NTSTATUS mrx_mem_finalize_v_net_root(PMRX_V_NET_ROOT VNetRoot, PBOOLEAN ForceDisconnect);
NTSTATUS mrx_mem_finalize_net_root(PMRX_NET_ROOT NetRoot, PBOOLEAN ForceDisconnect);
VOID mrx_mem_extract_net_root_name(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
				   PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName);
void mem_volumes_release(void);

/* open.c */
NTSTATUS mrx_mem_create(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_should_try_to_collapse(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_collapse_open(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_cleanup_fobx(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_close_srv_open(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_force_closed(PMRX_SRV_OPEN SrvOpen);
NTSTATUS mrx_mem_flush(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_truncate(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_zero_extend(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_are_files_aliased(PFCB Fcb1, PFCB Fcb2);
void mem_fill_stat(struct mem_node *node, FILE_STAT_INFORMATION *stat);
/* The path below the share that an FCB or rename target stands for, without a leading backslash. */
UNICODE_STRING mem_relative_path(const UNICODE_STRING *name);

/* lease.c */
/* What an open asks the volume to let it keep.  Locks: FCB exclusive, for all of these. */
void mem_lease_ask(PRX_CONTEXT RxContext, struct mem_open *how);
/* Tells RDBSS what it got; the handle stands in the SRV_OPEN. */
void mem_lease_take(PMRX_SRV_OPEN so);
void mem_lease_handle_ended(PMRX_FCB fcb);
void mem_lease_is_told(void *opener, void *key, ULONG state, bool acknowledge);
NTSTATUS mrx_mem_compute_new_buffering_state(PMRX_SRV_OPEN SrvOpen, PVOID MRxContext,
					     PULONG NewBufferingState);
NTSTATUS mrx_mem_complete_buffering_state_change(PRX_CONTEXT RxContext, PMRX_SRV_OPEN SrvOpen,
						 PVOID MRxContext);
NTSTATUS mrx_mem_deallocate_for_fcb(PMRX_FCB Fcb);

/* lowio.c */
NTSTATUS mrx_mem_read(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_write(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_lock(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_unlock(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_unlock_multiple(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_notify(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_is_lock_realizable(PMRX_FCB Fcb, PLARGE_INTEGER ByteOffset, PLARGE_INTEGER Length,
				    ULONG Flags);

/* fsctl.c */
NTSTATUS mrx_mem_fsctl(PRX_CONTEXT RxContext);

/* info.c */
NTSTATUS mrx_mem_query_file_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_set_file_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_set_file_info_at_cleanup(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_is_valid_directory(PRX_CONTEXT RxContext, PUNICODE_STRING DirectoryName);

/* volinfo.c */
NTSTATUS mrx_mem_query_volume_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_query_ea_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_set_ea_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_query_sd_info(PRX_CONTEXT RxContext);
NTSTATUS mrx_mem_set_sd_info(PRX_CONTEXT RxContext);

/* dir.c */
NTSTATUS mrx_mem_query_directory(PRX_CONTEXT RxContext);

#endif

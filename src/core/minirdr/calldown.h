/*
 * calldown.h - every call the core makes into a mini-redirector.
 *
 * Owns:   nothing. One wrapper per slot of MINIRDR_DISPATCH; calldown.c and calldown_object.c are the only
 *         files of the core that read a slot. Each wrapper carries the contract of its slot as code: the locks the caller must
 *         hold, whether it may block, what an empty slot answers, whether the status counts.
 * Locks:  taken by nobody here; asserted.
 *
 * The contracts (locks, pending, empty slot) are above each wrapper: in calldown.c for files, in
 * calldown_object.c for the redirector itself, servers and shares.
 */
#ifndef RX_CORE_MINIRDR_CALLDOWN_H
#define RX_CORE_MINIRDR_CALLDOWN_H

#include "ntifs.h"
#include "rx.h"

/* start and stop; device FCB */
NTSTATUS rx_call_start(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev);
NTSTATUS rx_call_stop(PRX_CONTEXT rxc, PRDBSS_DEVICE_OBJECT dev);
NTSTATUS rx_call_dev_fcb_control(PRX_CONTEXT rxc);

/* connecting (the first and third may return STATUS_PENDING and call back from any thread) */
NTSTATUS rx_call_create_srv_call(PMRX_SRV_CALL sc, PMRX_SRVCALL_CALLBACK_CONTEXT callback_context);
NTSTATUS rx_call_srv_call_winner_notify(PMRX_SRV_CALL sc, BOOLEAN winner, PVOID recommunicate_context);
NTSTATUS rx_call_create_v_net_root(PMRX_CREATENETROOT_CONTEXT create_context);
VOID rx_call_extract_net_root_name(PUNICODE_STRING path, PMRX_SRV_CALL sc, PUNICODE_STRING net_root_name,
				   PUNICODE_STRING rest_of_name);
NTSTATUS rx_call_get_connection_id(PRX_CONTEXT rxc, PRX_CONNECTION_ID id);
NTSTATUS rx_call_preparse_name(PRX_CONTEXT rxc, PUNICODE_STRING name);
NTSTATUS rx_call_is_valid_directory(PRX_CONTEXT rxc, PUNICODE_STRING name);

/* the end of objects; every status is ignored by the caller and only traced */
NTSTATUS rx_call_finalize_srv_call(PMRX_SRV_CALL sc, BOOLEAN force);
NTSTATUS rx_call_finalize_net_root(PMRX_NET_ROOT nr, BOOLEAN force);
NTSTATUS rx_call_finalize_v_net_root(PMRX_V_NET_ROOT vnr, BOOLEAN force);
NTSTATUS rx_call_force_closed(PMRX_SRV_OPEN so);
NTSTATUS rx_call_deallocate_for_fcb(PMRX_FCB fcb);
NTSTATUS rx_call_deallocate_for_fobx(PMRX_FOBX fobx);

/* opens */
NTSTATUS rx_call_create(PRX_CONTEXT rxc);
NTSTATUS rx_call_should_try_to_collapse(PRX_CONTEXT rxc);
NTSTATUS rx_call_collapse_open(PRX_CONTEXT rxc);
NTSTATUS rx_call_cleanup_fobx(PRX_CONTEXT rxc);
NTSTATUS rx_call_truncate(PRX_CONTEXT rxc);
NTSTATUS rx_call_zero_extend(PRX_CONTEXT rxc);
NTSTATUS rx_call_set_file_info_at_cleanup(PRX_CONTEXT rxc);
NTSTATUS rx_call_close_srv_open(PRX_CONTEXT rxc);
/* TRUE when the driver says that the two FCBs are one remote file; FALSE also when it cannot tell */
BOOLEAN rx_call_files_are_aliased(PFCB a, PFCB b);

/* requests */
NTSTATUS rx_call_flush(PRX_CONTEXT rxc);
NTSTATUS rx_call_query_directory(PRX_CONTEXT rxc);
NTSTATUS rx_call_query_file_info(PRX_CONTEXT rxc);
NTSTATUS rx_call_set_file_info(PRX_CONTEXT rxc);
NTSTATUS rx_call_query_volume_info(PRX_CONTEXT rxc);
NTSTATUS rx_call_set_volume_info(PRX_CONTEXT rxc);
NTSTATUS rx_call_query_ea(PRX_CONTEXT rxc);
NTSTATUS rx_call_set_ea(PRX_CONTEXT rxc);
NTSTATUS rx_call_query_security(PRX_CONTEXT rxc);
NTSTATUS rx_call_set_security(PRX_CONTEXT rxc);
NTSTATUS rx_call_query_quota(PRX_CONTEXT rxc);
NTSTATUS rx_call_set_quota(PRX_CONTEXT rxc);
BOOLEAN rx_call_has_extend_for_cache(PRX_CONTEXT rxc);
NTSTATUS rx_call_extend_for_cache(PRX_CONTEXT rxc, PLARGE_INTEGER new_size, PLARGE_INTEGER new_allocation);
BOOLEAN rx_call_has_extend_for_non_cache(PRX_CONTEXT rxc);
NTSTATUS rx_call_extend_for_non_cache(PRX_CONTEXT rxc, PLARGE_INTEGER new_size,
				      PLARGE_INTEGER new_allocation);

/* low I/O: may return STATUS_PENDING; the slot is chosen by rxc->LowIoContext.Operation */
NTSTATUS rx_call_low_io_submit(PRX_CONTEXT rxc);
BOOLEAN rx_call_has_low_io(PRX_CONTEXT rxc, USHORT operation);
NTSTATUS rx_call_is_lock_realizable(PMRX_FCB fcb, PLARGE_INTEGER offset, PLARGE_INTEGER length, ULONG flags);
/* the routine a driver installed with RxSetMinirdrCancelRoutine */
NTSTATUS rx_call_cancel_routine(PRX_CONTEXT rxc, PMRX_CALLDOWN routine);

/* buffering */
NTSTATUS rx_call_compute_new_buffering_state(PMRX_SRV_OPEN so, PVOID mrx_context, PULONG new_state);
BOOLEAN rx_call_has_complete_buffering_state_change(PMRX_SRV_OPEN so);
NTSTATUS rx_call_complete_buffering_state_change(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID mrx_context);

#endif

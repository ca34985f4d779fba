/*
 * object.h - the objects of the redirector, as the rest of the core sees them beyond the DDI names.
 *
 * Who holds what (one reference each; docs/LIFECYCLE.md):
 *
 *   SRV_CALL     the name table; each NET_ROOT; the memory of a failed connection
 *   NET_ROOT     the name table; each V_NET_ROOT; each FCB
 *   V_NET_ROOT   the name table; each SRV_OPEN; each tree connection's file object
 *   FCB          the FCB table; each SRV_OPEN; each file object; each request at work on it
 *   SRV_OPEN     its creator, until the open at the server is closed; each FOBX
 *   FOBX         its file object, or the list of dormant ones after a delayed close
 *
 * RxCreateNetFcb() returns the FCB with two references: the table's and the caller's.
 * RxCreateSrvOpen() returns one: it belongs to the open at the server and is dropped by whoever ends that open
 * (the close that brings OpenCount to 0) or gives up the create. RxCreateNetFobx() returns one, the file
 * object's; RxContext->pFobx is set to it as well, without a reference of its own.
 * OpenCount, UncleanCount, UncleanFobxCount and the share access are kept by core/dispatch.
 */
#ifndef RX_CORE_OBJECT_OBJECT_H
#define RX_CORE_OBJECT_OBJECT_H

#include <stdbool.h>

#include "nt_misuse.h"
#include "ntifs.h"
#include "rx.h"

#include "core/object/lock_class.h"

/* node.c */

/* A small number for traces and status, unique among all objects of the process; never 0. */
ULONG rx_object_next_serial(void);
/* The name table of an object's device; instance is a SRV_CALL, NET_ROOT or V_NET_ROOT. */
PRX_PREFIX_TABLE rx_object_name_table(PVOID instance);
/* Rounds a structure's size so that an extension may follow it. */
static inline ULONG rx_object_align(ULONG bytes)
{
	return (bytes + 15u) & ~15u;
}
/* Copies `from` to the memory at `at` and makes `to` name it; returns the end. The caller reserved the room. */
PUCHAR rx_object_place_name(PUNICODE_STRING to, PUCHAR at, PCUNICODE_STRING from);
/*
 * Run-time checks of the contract "Locks: ... exclusive"; they also tell the compiler. The table is the one
 * the object is in.
 */
void rx_assert_name_table_exclusive(PRX_PREFIX_TABLE table) RX_ASSERTS_HELD(rx_class_name_table);
void rx_assert_fcb_table_exclusive(PRX_FCB_TABLE table) RX_ASSERTS_HELD(rx_class_fcb_table);
void rx_assert_fcb_exclusive(PFCB fcb) RX_ASSERTS_HELD(rx_class_fcb);

/*
 * Stages of finalization are flags that a holder reads without a lock (RxDereference): written once, from
 * FALSE to TRUE, under the lock of the table.
 */
static inline bool rx_flag_is_set(const BOOLEAN *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE) != FALSE;
}

static inline void rx_flag_set(BOOLEAN *flag)
{
	__atomic_store_n(flag, TRUE, __ATOMIC_SEQ_CST);
}

/* A count is changed by whoever holds a reference, under no lock: whoever looks does it atomically. */
static inline ULONG rx_object_count(const volatile ULONG *count)
{
	return __atomic_load_n(count, __ATOMIC_ACQUIRE);
}

/* A driver broke a rule about an object: tells it the object's kind, address and name. `what` is wrong with it. */
void rx_object_misuse(enum nt_rule rule, const char *routine, PVOID instance, const char *what);
/*
 * Is the lock held that finalizing needs? False: the driver was told; the caller refuses. The name table's, exclusive;
 * the FCB's, exclusive.
 */
bool rx_finalize_has_name_table(PRX_PREFIX_TABLE table, const char *routine, PVOID instance);
bool rx_finalize_has_fcb(PFCB fcb, const char *routine, PVOID instance);

/* srvcall.c */

/* Which process makes the call-down itself and which posts it to a worker (docs/decisions/0001). */
enum rx_finalize_policy {
	RX_POST_OUTSIDE_RDBSS_PROCESS, /* the default */
	RX_POST_INSIDE_RDBSS_PROCESS
};
extern enum rx_finalize_policy rx_srv_call_finalize_policy;

/* Remembers that the server could not be reached; the record keeps itself alive. Locks: name table exclusive. */
void rx_srv_call_remember_failure(PSRV_CALL sc, NTSTATUS status);
/* Forgets it; the record may die with this. True when it had remembered one. Locks: name table exclusive. */
bool rx_srv_call_forget_failure(PSRV_CALL sc);
/* True while a failure is to be answered from memory. Locks: name table, shared. */
bool rx_srv_call_failure_is_fresh(PSRV_CALL sc);

/* fcb.c */

/*
 * Takes the FCB out of its share's table: new opens of the name make a new FCB. Its users keep it until they
 * are gone. Locks: FCB table and FCB exclusive.
 */
void rx_fcb_orphan_locked(PFCB fcb);
/*
 * Gives up a reference, and finalizes the FCB when it was the last. Waits for no other user of the file. Locks: none of the
 * file's, nor its FCB table. Level: <= APC_LEVEL.
 */
void rx_fcb_let_go(PFCB fcb);
/*
 * The name belongs to another file now (replaced by a rename, here or at the server): as rx_fcb_orphan_locked(),
 * but the opens stay good, the server still has them. Locks: FCB table and FCB exclusive.
 */
void rx_fcb_forget_name_locked(PFCB fcb);
/* After a rename: the FCB answers to another path. Locks: FCB table and FCB exclusive. */
NTSTATUS rx_fcb_rename_locked(PFCB fcb, PCUNICODE_STRING new_path);
/* Finalizes the FCBs nobody uses any more. Locks: takes the FCB table exclusive; FCBs it cannot have are left. */
void rx_net_root_purge_unused_fcbs(PNET_ROOT nr);
/*
 * Between the two the pages of the file are asked for: whoever keeps them can give them up only if reads and writes of
 * pages (IRP_PAGING_IO) that are under way come to an end, so these have the file meanwhile. Nothing else does.
 * Locks: FCB exclusive; the caller changes nothing of it in between.
 */
void rx_lend_fcb(PFCB fcb);
void rx_recall_fcb(PFCB fcb);
/* The FCB shared, or lent. Waits. Released by RxReleaseFcb() and its kin. */
void rx_borrow_fcb(PRX_CONTEXT rxc, PFCB fcb);
/* Guards the SrvOpenList and its FobxLists against readers that do not hold the FCB. A leaf. */
void rx_fcb_lists_lock(PFCB fcb) RX_ACQUIRES(fcb->NonPaged->AdvancedFcbHeaderMutex);
void rx_fcb_lists_unlock(PFCB fcb) RX_RELEASES(fcb->NonPaged->AdvancedFcbHeaderMutex);

/* reftrace.c */

/* A place in the code, and the references taken there less those given up there. */
struct rx_ref_place {
	const char *file;
	ULONG line;
	LONG count;
};
/* The places recorded for an instance, while RdbssReferenceTracingValue is set. Return: how many were stored. */
unsigned int rx_ref_places(PVOID instance, struct rx_ref_place *places, unsigned int capacity);
/* The instance is gone: forgets its holders. */
void rx_ref_forget(PVOID instance);

#endif

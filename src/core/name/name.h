/*
 * name.h - names: the NetName table and the FCB tables beyond the DDI, and how a create's name is read.
 */
#ifndef RX_CORE_NAME_NAME_H
#define RX_CORE_NAME_NAME_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

#include "core/object/lock_class.h"

/* hash.c */

/* Upper case of one UTF-16 unit, as the redirector compares names. */
WCHAR rx_name_fold(WCHAR c);
ULONG rx_name_hash_step(ULONG hash, WCHAR c);
#define RX_NAME_HASH_START 2166136261u
/* Spreads a running hash over all bits before it selects a bucket. */
ULONG rx_name_hash_end(ULONG hash);
ULONG rx_name_hash(PCUNICODE_STRING name, bool fold);
/* Equal, when the first `insensitive_bytes` bytes are compared without case and the rest with it. */
bool rx_name_equal(PCUNICODE_STRING a, PCUNICODE_STRING b, USHORT insensitive_bytes);

/* prefix.c */

/*
 * The entry whose name is exactly this, of this kind (node type of its container), with this connection id
 * (NULL: without one); no reference is taken. Locks: table, shared.
 */
PVOID rx_prefix_table_find(PRX_PREFIX_TABLE table, PCUNICODE_STRING name, NODE_TYPE_CODE kind,
			   PRX_CONNECTION_ID id) RX_REQUIRES_SHARED(rx_class_name_table);

/* RxPrefixTableLookupName() without the reference. Locks: table, shared, as long as the object is looked at. */
PVOID rx_prefix_table_peek(PRX_PREFIX_TABLE table, PUNICODE_STRING path, PUNICODE_STRING rest,
			   PRX_CONNECTION_ID id) RX_REQUIRES_SHARED(rx_class_name_table);

/*
 * Takes the name of an object out; the object stays in the table's DepartedQueue, where the object checker finds it,
 * until its memory goes (RemoveEntryList of MemberQLinks). Again: nothing. Locks: table, exclusive.
 */
void rx_prefix_table_depart(PRX_PREFIX_TABLE table, PRX_PREFIX_ENTRY entry) RX_REQUIRES(rx_class_name_table);

/* fcbtable.c */

/* Calls visit for each FCB in the table until it answers false. Locks: table, shared. */
void rx_fcb_table_for_each(PRX_FCB_TABLE table, bool (*visit)(PFCB fcb, void *arg), void *arg)
	RX_REQUIRES_SHARED(rx_class_fcb_table);

/* The table locks for annotated code; the DDI's macros are for everybody else. */
void rx_name_table_lock(PRX_PREFIX_TABLE table) RX_ACQUIRES(rx_class_name_table);
void rx_name_table_lock_shared(PRX_PREFIX_TABLE table) RX_ACQUIRES_SHARED(rx_class_name_table);
void rx_name_table_unlock(PRX_PREFIX_TABLE table) RX_RELEASES(rx_class_name_table);
void rx_fcb_table_lock(PRX_FCB_TABLE table) RX_ACQUIRES(rx_class_fcb_table);
bool rx_fcb_table_try_lock(PRX_FCB_TABLE table) RX_TRY_ACQUIRES(true, rx_class_fcb_table);
void rx_fcb_table_lock_shared(PRX_FCB_TABLE table) RX_ACQUIRES_SHARED(rx_class_fcb_table);
void rx_fcb_table_unlock(PRX_FCB_TABLE table) RX_RELEASES(rx_class_fcb_table);

/* canonical.c */

/**
 * rx_canonical_name - bring a create's name into the one form that tables know
 * @in:        as the opener wrote it
 * @flags:     [out] RX_CONTEXT_CREATE_FLAG_XXX that describe what was done
 * @out:       [out] `\server\share[\path]` or `\;X:id\server\share[\path]`; new memory, ExFreePool()
 *
 * Leading double backslashes become one, runs of backslashes one, `.` goes, `..` takes the component before it,
 * a backslash at the end is dropped (RX_CONTEXT_CREATE_FLAG_STRIPPED_TRAILING_BACKSLASH). `..` never climbs
 * above the share.
 *
 * Return: STATUS_OBJECT_NAME_INVALID for a name that is empty, has no leading backslash, holds a NUL, or
 *         climbs too high; STATUS_OBJECT_PATH_SYNTAX_BAD; STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS rx_canonical_name(PCUNICODE_STRING in, USHORT *flags, PUNICODE_STRING out);

/*
 * Splits a canonical name: `device` is `\;X:id` or empty, `unc` the rest from the server's backslash on. Both
 * share the buffer of the name. False when nothing follows the device part.
 */
bool rx_canonical_split_device(PCUNICODE_STRING name, PUNICODE_STRING device, PUNICODE_STRING unc);
/* `\server` of `\server\...`; false when the first component is empty. */
bool rx_canonical_server(PCUNICODE_STRING unc, PUNICODE_STRING server);

#endif

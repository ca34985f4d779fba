/*
 * node.c - what all objects of the redirector share: the count, and when an object dies.
 *
 * Owns:      no object; NodeReferenceCount of SRV_CALL, NET_ROOT, V_NET_ROOT, SRV_OPEN and FOBX.
 * Found by:  -
 * Locks:     none of its own. A count is raised by somebody who holds a reference, or under the lock of the
 *            table the object was found in; so a count that fell to its last value can rise again only while
 *            somebody holds that lock.
 * Dies when: -
 *
 * The last value. An object in the name table dies at 1, the table's own reference; after the first stage of
 * its finalization the table has given that up and it dies at 0. SRV_OPEN and FOBX are in no table and die at
 * 0 (E-02). Whoever takes the count to the last value finalizes the object when it holds the lock that this
 * needs (LHS_ExclusiveLockHeld: the name table exclusive, or for SRV_OPEN and FOBX the FCB exclusive), and
 * hands it to the scavenger otherwise.
 */
#include "core/object/object.h"

#include "core/work/work.h"

static volatile LONG rx_object_serial;

ULONG rx_object_next_serial(void)
{
	ULONG serial;

	do {
		serial = (ULONG)InterlockedIncrement(&rx_object_serial);
	} while (serial == 0);
	return serial;
}

PUCHAR rx_object_place_name(PUNICODE_STRING to, PUCHAR at, PCUNICODE_STRING from)
{
	to->Buffer = (PWCH)at;
	to->Length = from->Length;
	to->MaximumLength = from->Length;
	if (from->Length != 0)
		RtlCopyMemory(at, from->Buffer, from->Length);
	return at + from->Length;
}

PRX_PREFIX_TABLE rx_object_name_table(PVOID instance)
{
	PMRX_SRV_CALL sc = NULL;

	if (NodeType(instance) == RDBSS_NTC_SRVCALL)
		sc = instance;
	else if (NodeType(instance) == RDBSS_NTC_NETROOT)
		sc = ((PMRX_NET_ROOT)instance)->pSrvCall;
	else if (NodeType(instance) == RDBSS_NTC_V_NETROOT)
		sc = ((PMRX_V_NET_ROOT)instance)->pNetRoot->pSrvCall;
	RX_CHECK(sc != NULL);
	return sc->RxDeviceObject->pRxNetNameTable;
}

void rx_assert_name_table_exclusive(PRX_PREFIX_TABLE table)
{
	RX_CHECK(RxIsPrefixTableLockExclusive(table));
}

void rx_assert_fcb_table_exclusive(PRX_FCB_TABLE table)
{
	RX_CHECK(RxIsFcbTableLockExclusive(table));
}

void rx_assert_fcb_exclusive(PFCB fcb)
{
	RX_CHECK(RxIsFcbAcquiredExclusive(fcb));
}

/* Kind and name, as a message has them. */
static const char *rx_node_kind(PVOID instance, PCUNICODE_STRING *name)
{
	NODE_TYPE_CODE type = NodeType(instance);

	*name = NULL;
	if (type == RDBSS_NTC_SRVCALL) {
		*name = &((PSRV_CALL)instance)->SrvCallName;
		return "SRV_CALL";
	}
	if (type == RDBSS_NTC_NETROOT) {
		*name = &((PNET_ROOT)instance)->NetRootName;
		return "NET_ROOT";
	}
	if (type == RDBSS_NTC_V_NETROOT) {
		*name = &((PV_NET_ROOT)instance)->VNetRootName;
		return "V_NET_ROOT";
	}
	if (NodeTypeIsFcb(&type)) {
		*name = &((PFCB)instance)->PrivateAlreadyPrefixedName;
		return "FCB";
	}
	if (type == RDBSS_NTC_SRVOPEN || type == RDBSS_NTC_INTERNAL_SRVOPEN) {
		*name = ((PSRV_OPEN)instance)->pAlreadyPrefixedName;
		return "SRV_OPEN";
	}
	if (type == RDBSS_NTC_FOBX) {
		if (((PFOBX)instance)->pSrvOpen != NULL)
			*name = ((PFOBX)instance)->pSrvOpen->pAlreadyPrefixedName;
		return "FOBX";
	}
	return "object";
}

void rx_object_misuse(enum nt_rule rule, const char *routine, PVOID instance, const char *what)
{
	static const UNICODE_STRING none;
	PCUNICODE_STRING name;
	const char *kind = rx_node_kind(instance, &name);
	char text[200];

	nt_format(text, sizeof(text), "%wZ", name != NULL ? name : &none);
	nt_misuse(rule, routine, "%s %p \"%s\": %s", kind, instance, text, what);
}

bool rx_finalize_has_name_table(PRX_PREFIX_TABLE table, const char *routine, PVOID instance)
{
	if (RxIsPrefixTableLockExclusive(table))
		return true;
	rx_object_misuse(NT_RULE_FINALIZE_LOCKED, routine, instance,
			 "the name table is not held exclusive: RxIsPrefixTableLockExclusive");
	return false;
}

bool rx_finalize_has_fcb(PFCB fcb, const char *routine, PVOID instance)
{
	if (RxIsFcbAcquiredExclusive(fcb))
		return true;
	rx_object_misuse(NT_RULE_FINALIZE_LOCKED, routine, instance,
			 "its FCB is not held exclusive: RxIsFcbAcquiredExclusive");
	return false;
}

/* NULL for anything that is not counted here. */
static volatile ULONG *rx_node_count(PVOID instance)
{
	if (NodeType(instance) == RDBSS_NTC_SRVCALL)
		return &((PSRV_CALL)instance)->NodeReferenceCount;
	if (NodeType(instance) == RDBSS_NTC_NETROOT)
		return &((PNET_ROOT)instance)->NodeReferenceCount;
	if (NodeType(instance) == RDBSS_NTC_V_NETROOT)
		return &((PV_NET_ROOT)instance)->NodeReferenceCount;
	if (NodeType(instance) == RDBSS_NTC_SRVOPEN || NodeType(instance) == RDBSS_NTC_INTERNAL_SRVOPEN)
		return &((PSRV_OPEN)instance)->NodeReferenceCount;
	if (NodeType(instance) == RDBSS_NTC_FOBX)
		return &((PFOBX)instance)->NodeReferenceCount;
	return NULL;
}

/*
 * The count an object dies at. Finalization raises the flag before it gives up the table's reference, so who
 * reads the count first and the flag second never takes a count without the table's for one with it.
 */
static ULONG rx_node_last_count(PVOID instance)
{
	if (NodeType(instance) == RDBSS_NTC_SRVCALL)
		return rx_flag_is_set(&((PSRV_CALL)instance)->CallDownDone) ? 0 : 1;
	if (NodeType(instance) == RDBSS_NTC_NETROOT)
		return rx_flag_is_set(&((PNET_ROOT)instance)->UpperFinalizationDone) ? 0 : 1;
	if (NodeType(instance) == RDBSS_NTC_V_NETROOT)
		return rx_flag_is_set(&((PV_NET_ROOT)instance)->ConnectionFinalizationDone) ? 0 : 1;
	return 0;
}

/* The exclusive lock that LHS_ExclusiveLockHeld speaks of is held: the object may be finalized at once. */
static void rx_node_finalize(PVOID instance)
{
	if (NodeType(instance) == RDBSS_NTC_SRVCALL)
		(void)RxFinalizeSrvCall(instance, FALSE); /* FALSE: somebody revived it */
	else if (NodeType(instance) == RDBSS_NTC_NETROOT)
		(void)RxFinalizeNetRoot(instance, TRUE, FALSE);
	else if (NodeType(instance) == RDBSS_NTC_V_NETROOT)
		(void)RxFinalizeVNetRoot(instance, TRUE, FALSE);
	else if (NodeType(instance) == RDBSS_NTC_FOBX)
		(void)RxFinalizeNetFobx(instance, TRUE, FALSE);
	else
		(void)RxFinalizeSrvOpen(instance, FALSE, FALSE);
}

/**
 * RxReference - one more holder
 * @Instance: [in,out] SRV_CALL, NET_ROOT, V_NET_ROOT, SRV_OPEN or FOBX; FCBs have routines of their own
 *
 * Context: any level.
 * Locks:   a reference of the caller, or the lock of the table the object was found in.
 * Page:    rxprocs/RxReference.
 */
VOID RxReference(PVOID Instance)
{
	volatile ULONG *count = rx_node_count(Instance);

	if (count != NULL)
		(void)InterlockedIncrement(count);
	else
		rx_object_misuse(NT_RULE_REFERENCE, "RxReference", Instance, "it is not counted here");
}

/**
 * RxDereference - one holder less
 * @Instance:         [in,out] as in RxReference(); the caller's pointer is dead afterwards
 * @LockHoldingState: LHS_ExclusiveLockHeld when the caller holds the lock that finalizing the object needs
 *
 * At the last value the object is finalized now, or marked for the scavenger when the lock is not there.
 *
 * Context: <= APC_LEVEL; may block on the mini-redirector with LHS_ExclusiveLockHeld.
 * Page:    rxprocs/RxDereference, E-02.
 */
VOID RxDereference(PVOID Instance, LOCK_HOLDING_STATE LockHoldingState)
{
	for (;;) {
		volatile ULONG *count = rx_node_count(Instance);
		ULONG now, last;

		if (count == NULL) {
			rx_object_misuse(NT_RULE_REFERENCE, "RxDereference", Instance,
					 "it is not counted here");
			return;
		}
		now = __atomic_load_n(count, __ATOMIC_ACQUIRE);
		last = rx_node_last_count(Instance);
		if (now <= last) {
			rx_object_misuse(NT_RULE_REFERENCE, "RxDereference", Instance,
					 now == 0 ? "it has no reference to give up"
						  : "only the name table's reference is left");
			return;
		}

		if (now != last + 1) {
			if (InterlockedCompareExchange((volatile LONG *)count, (LONG)(now - 1), (LONG)now) ==
			    (LONG)now)
				return;
		} else if (LockHoldingState != LHS_ExclusiveLockHeld) {
			if (rx_scavenger_drop_and_mark(Instance, count, now))
				return;
		} else if (InterlockedCompareExchange((volatile LONG *)count, (LONG)last, (LONG)now) ==
			   (LONG)now) {
			rx_node_finalize(Instance);
			return;
		}
	}
}

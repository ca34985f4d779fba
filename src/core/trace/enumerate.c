/*
 * enumerate.c - every living object of a device, for `rdr status` and `rdr graph`.
 *
 * Owns:   nothing; copies what it sees.
 * Locks:  name table shared; under it, one share at a time, its FCB table shared; under that, one FCB at a time,
 *         the leaf that guards its lists. Never an FCB: a request may hold that while its server is dead.
 *
 * Fields that belong to the FCB's lock, or to whoever builds a server's or a share's record, are read without it (RX_PEEK):
 * a status display may be one request late.
 */
#include "core/trace/check.h"

#include "core/name/name.h"
#include "core/object/object.h"

__attribute__((no_sanitize("thread"))) uint64_t rx_peek(const volatile void *field, size_t size)
{
	switch (size) {
	case 1:
		return *(const volatile UCHAR *)field;
	case 2:
		return *(const volatile USHORT *)field;
	case 4:
		return *(const volatile ULONG *)field;
	default:
		return *(const volatile ULONG64 *)field;
	}
}

struct rx_enumeration {
	rx_object_visit *visit;
	void *arg;
	bool stopped;
};

static uint64_t rx_object_id(const void *object)
{
	return (uint64_t)(ULONG_PTR)object;
}

/* One kind of holder; none of it leaves no trace. */
static void rx_record_holder(struct rx_object_record *r, const char *name, uint32_t count)
{
	struct rx_object_holder *holder = &r->holders[r->holder_count];

	if (count == 0 || r->holder_count == RX_OBJECT_MAX_HOLDERS)
		return;
	holder->count = count;
	nt_format(holder->name, sizeof(holder->name), "%s", name);
	r->holder_count++;
}

/* What the holders so far do not explain is in use by requests. */
static void rx_record_rest(struct rx_object_record *r)
{
	uint32_t known = 0;

	for (uint32_t i = 0; i < r->holder_count; i++)
		known += r->holders[i].count;
	rx_record_holder(r, "requests", r->reference_count > known ? r->reference_count - known : 0);
}

static void rx_emit(struct rx_enumeration *e, struct rx_object_record *r, PCUNICODE_STRING name)
{
	static const UNICODE_STRING none;

	if (name == NULL)
		name = &none;
	r->name_bytes = name->Length;
	r->record_bytes = (uint32_t)ROUND_TO_SIZE(sizeof(*r) + name->Length, 8u);
	if (!e->stopped && !e->visit(r, name, e->arg))
		e->stopped = true;
}

static uint32_t rx_list_length(PLIST_ENTRY list)
{
	uint32_t n = 0;

	for (PLIST_ENTRY link = list->Flink; link != list; link = link->Flink)
		n++;
	return n;
}

static void rx_enumerate_fobx(struct rx_enumeration *e, PFOBX fobx)
{
	struct rx_object_record r = {.kind = RX_OBJECT_FOBX, .id = rx_object_id(fobx)};

	r.parent_id = rx_object_id(fobx->pSrvOpen);
	r.reference_count = RX_PEEK(fobx->NodeReferenceCount);
	r.condition = Condition_Good;
	r.flags = RX_PEEK(fobx->Flags);
	rx_record_holder(&r, (r.flags & FOBX_FLAG_MARKED_AS_DORMANT) != 0 ? "delayed close" : "file object",
			 min(r.reference_count, 1u));
	rx_record_rest(&r);
	rx_emit(e, &r, NULL);
}

static void rx_enumerate_srv_open(struct rx_enumeration *e, PSRV_OPEN so)
{
	struct rx_object_record r = {.kind = RX_OBJECT_SRV_OPEN, .id = rx_object_id(so)};
	uint32_t children = rx_list_length(&so->FobxList);

	r.parent_id = rx_object_id(so->pFcb);
	r.second_parent_id = rx_object_id(so->pVNetRoot);
	r.reference_count = RX_PEEK(so->NodeReferenceCount);
	r.condition = RX_PEEK(so->Condition);
	r.flags = RX_PEEK(so->Flags);
	r.open_count = RX_PEEK(so->OpenCount);
	r.unclean_count = RX_PEEK(so->UncleanFobxCount);
	r.status = (uint32_t)RX_PEEK(so->OpenStatus);
	rx_record_holder(&r, "server open", r.reference_count > children ? 1 : 0);
	rx_record_holder(&r, "children", children);
	rx_record_rest(&r);
	rx_emit(e, &r, NULL);
	for (PLIST_ENTRY link = so->FobxList.Flink; link != &so->FobxList && !e->stopped; link = link->Flink)
		rx_enumerate_fobx(e, CONTAINING_RECORD(link, FOBX, FobxQLinks));
}

/* Locks: FCB table shared. Takes the leaf of the FCB, under which visit runs. */
static bool rx_enumerate_fcb(PFCB fcb, void *arg)
{
	struct rx_enumeration *e = arg;
	struct rx_object_record r = {.kind = RX_OBJECT_FCB, .id = rx_object_id(fcb)};
	uint32_t children;

	RxGetFileSizeWithLock(fcb, (PLONGLONG)&r.file_size);
	rx_fcb_lists_lock(fcb);
	children = rx_list_length(&fcb->SrvOpenList);
	r.parent_id = rx_object_id(fcb->pNetRoot);
	r.reference_count = RX_PEEK(fcb->NodeReferenceCount);
	r.condition = RX_PEEK(fcb->Condition);
	r.flags = RX_PEEK(fcb->FcbState);
	r.open_count = RX_PEEK(fcb->OpenCount);
	r.unclean_count = RX_PEEK(fcb->UncleanCount);
	rx_record_holder(&r, "FCB table", RX_PEEK(fcb->UpperFinalizationDone) ? 0 : 1);
	rx_record_holder(&r, "children", children);
	rx_record_holder(&r, "file objects", r.open_count);
	rx_record_rest(&r);
	rx_emit(e, &r, &fcb->PrivateAlreadyPrefixedName);
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList && !e->stopped;
	     link = link->Flink)
		rx_enumerate_srv_open(e, CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks));
	rx_fcb_lists_unlock(fcb);
	return !e->stopped;
}

static void rx_enumerate_net_root(struct rx_enumeration *e, PNET_ROOT nr)
{
	struct rx_object_record r = {.kind = RX_OBJECT_NET_ROOT, .id = rx_object_id(nr)};

	r.parent_id = rx_object_id(nr->pSrvCall);
	r.reference_count = RX_PEEK(nr->NodeReferenceCount);
	r.condition = RX_PEEK(nr->Condition);
	r.flags = RX_PEEK(nr->Flags);
	r.status = (uint32_t)RX_PEEK(nr->ConstructionStatus);
	r.open_count = RX_PEEK(nr->NumberOfSrvOpens);
	rx_record_holder(&r, "name table", 1);
	rx_record_holder(&r, "children", RX_PEEK(nr->NumberOfVirtualNetRoots) + RX_PEEK(nr->NumberOfFcbs));
	rx_record_rest(&r);
	rx_emit(e, &r, &nr->NetRootName);
}

static void rx_enumerate_v_net_root(struct rx_enumeration *e, PV_NET_ROOT vnr)
{
	struct rx_object_record r = {.kind = RX_OBJECT_V_NET_ROOT, .id = rx_object_id(vnr)};

	r.parent_id = rx_object_id(vnr->pNetRoot);
	r.reference_count = RX_PEEK(vnr->NodeReferenceCount);
	r.condition = RX_PEEK(vnr->Condition);
	r.flags = RX_PEEK(vnr->Flags);
	r.status = (uint32_t)RX_PEEK(vnr->ConstructionStatus);
	r.open_count = RX_PEEK(vnr->NumberOfFobxs);
	rx_record_holder(&r, "name table", 1);
	rx_record_holder(&r, "children", RX_PEEK(vnr->NumberOfSrvOpens));
	rx_record_holder(&r, "tree connections", RX_PEEK(vnr->NumberOfOpens));
	rx_record_rest(&r);
	rx_emit(e, &r, &vnr->VNetRootName);
}

static void rx_enumerate_srv_call(struct rx_enumeration *e, PSRV_CALL sc, uint32_t shares)
{
	struct rx_object_record r = {.kind = RX_OBJECT_SRV_CALL, .id = rx_object_id(sc)};

	r.reference_count = RX_PEEK(sc->NodeReferenceCount);
	r.condition = RX_PEEK(sc->Condition);
	r.flags = RX_PEEK(sc->Flags);
	r.status = (uint32_t)RX_PEEK(sc->Status);
	rx_record_holder(&r, "name table", 1);
	rx_record_holder(&r, "children", shares);
	rx_record_holder(&r, "remembered failure", RX_PEEK(sc->FailureRemembered) ? 1 : 0);
	rx_record_rest(&r);
	rx_emit(e, &r, &sc->SrvCallName);
}

static void rx_enumerate_files_of(struct rx_enumeration *e, PNET_ROOT nr)
{
	rx_fcb_table_lock_shared(&nr->FcbTable);
	rx_fcb_table_for_each(&nr->FcbTable, rx_enumerate_fcb, e);
	for (PLIST_ENTRY link = nr->OrphanedFcbs.Flink; link != &nr->OrphanedFcbs && !e->stopped;
	     link = link->Flink)
		(void)rx_enumerate_fcb(CONTAINING_RECORD(link, FCB, FcbTableEntry.HashLinks),
				       e); /* stopped says it */
	rx_fcb_table_unlock(&nr->FcbTable);
}

/* Shares of a server that are in the table. Locks: name table. */
static uint32_t rx_count_shares(PRX_PREFIX_TABLE table, PSRV_CALL sc)
{
	uint32_t n = 0;

	for (PLIST_ENTRY link = table->MemberQueue.Flink; link != &table->MemberQueue; link = link->Flink) {
		PVOID record = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks)->ContainingRecord;

		if (NodeType(record) == RDBSS_NTC_NETROOT && ((PNET_ROOT)record)->pSrvCall == &sc->Mrx)
			n++;
	}
	return n;
}

NTSTATUS rx_enumerate_objects(PRDBSS_DEVICE_OBJECT dev, rx_object_visit *visit, void *arg)
{
	PRX_PREFIX_TABLE table = dev->pRxNetNameTable;
	struct rx_enumeration e = {.visit = visit, .arg = arg};

	if (table == NULL)
		return STATUS_SUCCESS;
	rx_name_table_lock_shared(table);
	/* the queue is in order of insertion, and a child is entered after its parent */
	for (PLIST_ENTRY link = table->MemberQueue.Flink; link != &table->MemberQueue && !e.stopped;
	     link = link->Flink) {
		PVOID record = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks)->ContainingRecord;

		if (NodeType(record) == RDBSS_NTC_SRVCALL) {
			rx_enumerate_srv_call(&e, record, rx_count_shares(table, record));
		} else if (NodeType(record) == RDBSS_NTC_V_NETROOT) {
			rx_enumerate_v_net_root(&e, record);
		} else {
			rx_enumerate_net_root(&e, record);
			if (!e.stopped)
				rx_enumerate_files_of(&e, record);
		}
	}
	rx_name_table_unlock(table);
	return e.stopped ? STATUS_CANCELLED : STATUS_SUCCESS;
}

struct rx_query_fill {
	PUCHAR buffer;
	ULONG length;
	ULONG used;
};

static bool rx_query_fill_visit(const struct rx_object_record *record, PCUNICODE_STRING name, void *arg)
{
	struct rx_query_fill *fill = arg;
	PUCHAR at = fill->buffer + fill->used;

	if (record->record_bytes > fill->length - fill->used)
		return false;
	RtlZeroMemory(at, record->record_bytes);
	RtlCopyMemory(at, record, sizeof(*record));
	if (name->Length != 0)
		RtlCopyMemory(at + sizeof(*record), name->Buffer, name->Length);
	fill->used += record->record_bytes;
	return true;
}

NTSTATUS rx_query_objects(PRDBSS_DEVICE_OBJECT dev, PVOID buffer, ULONG length, PULONG_PTR written)
{
	struct rx_query_fill fill = {.buffer = buffer, .length = length};
	NTSTATUS status = rx_enumerate_objects(dev, rx_query_fill_visit, &fill);

	*written = fill.used;
	if (status != STATUS_CANCELLED)
		return status;
	return fill.used == 0 ? STATUS_BUFFER_TOO_SMALL : STATUS_BUFFER_OVERFLOW;
}

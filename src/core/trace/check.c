/*
 * check.c - do the objects agree with each other? Servers, shares and views; the files are in check_file.c.
 *
 * Owns:   nothing.
 * Locks:  as enumerate.c: name table shared, one FCB table shared, one FCB shared (tried) or its leaf.
 *
 * The rules, by the names that findings carry:
 *
 *   list       a list leads forward and back to its head
 *   memory     what a list or an object refers to is alive: neither freed nor free for the next use
 *   type       ... and of the right kind
 *   parent     children and parents name each other, and are of one share
 *   count      a reference count is not lower than the hierarchy and the named holders explain; equal when quiet
 *   names      the name table, its entries and its objects agree; each name finds its object
 *   files      the same of a share's FCB table
 *   numbers    NumberOfFcbs and its kin are what is there
 *   state      conditions and stages of finalization are legal, and fit to the table the object is in
 *   opens      OpenCount and UncleanCount of FCB and SRV_OPEN fit to their file objects
 *   scavenger  what is dormant or marked is alive and says so itself
 *
 * A pointer is followed only when its memory is alive, so a finding never ends the process. The name table, shared,
 * keeps every SRV_CALL, NET_ROOT and V_NET_ROOT in memory; those without a name any more are in its DepartedQueue.
 */
#include "core/trace/check.h"

#include "core/name/name.h"
#include "core/object/object.h"

bool rx_check_own_memory(const void *object, void *arg)
{
	(void)arg;
	return nt_pool_is_live(object);
}

bool rx_check_readable(const void *object, void *arg)
{
	(void)arg;
	return nt_memory_is_live(object, sizeof(LIST_ENTRY));
}

bool rx_check_list(struct rx_check *c, const struct rx_check_subject *about, const char *what,
		   PLIST_ENTRY head, size_t link_offset, bool (*is_alive)(const void *object, void *arg),
		   void *arg)
{
	PLIST_ENTRY before = head;

	for (PLIST_ENTRY link = head->Flink; link != head; before = link, link = link->Flink) {
		if (link == NULL || ((ULONG_PTR)link & (sizeof(void *) - 1)) != 0) {
			rx_check_fail(c, "list", about, "%s leads to %p", what, link);
			return false;
		}
		if (!is_alive((PUCHAR)link - link_offset, arg)) {
			rx_check_fail(c, "memory", about, "%s leads to %p, which was freed", what,
				      (PUCHAR)link - link_offset);
			return false;
		}
		/* with this a walk ends: two links cannot both be the one before */
		if (link->Blink != before) {
			rx_check_fail(c, "list", about, "%s: %p leads back to %p, not to %p", what, link,
				      link->Blink, before);
			return false;
		}
	}
	if (head->Blink == before)
		return true;
	rx_check_fail(c, "list", about, "%s ends at %p, its head says %p", what, before, head->Blink);
	return false;
}

void rx_check_count(struct rx_check *c, const struct rx_check_subject *about, const volatile ULONG *count,
		    ULONG explained)
{
	ULONG is = rx_object_count(count);

	if (is < explained || (c->mode == RX_CHECK_QUIET && is != explained))
		rx_check_fail(c, "count", about, "NodeReferenceCount is %lu, explained are %lu", is,
			      explained);
}

bool rx_check_condition(struct rx_check *c, const struct rx_check_subject *about, RX_BLOCK_CONDITION is)
{
	if ((unsigned int)is > Condition_Closed) {
		rx_check_fail(c, "state", about, "Condition is %lu, which is none", (ULONG)is);
		return false;
	}
	if (c->mode == RX_CHECK_QUIET && (is == Condition_InTransition || is == Condition_Closing)) {
		rx_check_fail(c, "state", about, "Condition is %lu and nobody is at work", (ULONG)is);
		return false;
	}
	return true;
}

/* Conditions of what has a name, and of what had one. */
static void rx_check_named_state(struct rx_check *c, const struct rx_check_subject *about,
				 RX_BLOCK_CONDITION is, bool departed, bool finalized)
{
	if (!rx_check_condition(c, about, is))
		return;
	if (!departed && (finalized || is == Condition_Closed))
		rx_check_fail(c, "state", about, "finalized (condition %lu), and still in the name table",
			      (ULONG)is);
	/* one that was forced away while it was being built is Good until its builder has looked */
	if (departed && c->mode == RX_CHECK_QUIET && is == Condition_Good)
		rx_check_fail(c, "state", about, "out of the name table, and still good");
}

/* Does a back pointer lead to a living object of that kind? */
static bool rx_check_parent(struct rx_check *c, const struct rx_check_subject *about, const char *field,
			    const void *parent, NODE_TYPE_CODE kind)
{
	if (parent == NULL || !nt_pool_is_live(parent)) {
		rx_check_fail(c, "memory", about, "%s is %p, which is no living object", field, parent);
		return false;
	}
	if (NodeType(parent) != kind) {
		rx_check_fail(c, "parent", about, "%s is %p, of type %x", field, parent,
			      (unsigned int)NodeType(parent));
		return false;
	}
	return true;
}

/* ---- servers ---- */

typedef void rx_check_visit(struct rx_check *c, PVOID record, void *arg);

static void rx_check_each(struct rx_check *c, rx_check_visit *visit, void *arg)
{
	PRX_PREFIX_TABLE table = c->dev->pRxNetNameTable;
	PLIST_ENTRY heads[2] = {&table->MemberQueue, &table->DepartedQueue};

	for (int i = 0; i < 2; i++)
		for (PLIST_ENTRY link = heads[i]->Flink; link != heads[i]; link = link->Flink)
			visit(c, CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks)->ContainingRecord,
			      arg);
}

struct rx_check_shares {
	PSRV_CALL sc;
	ULONG count;
};

static void rx_check_share_of(struct rx_check *c, PVOID record, void *arg)
{
	struct rx_check_shares *shares = arg;

	(void)c;
	if (NodeType(record) == RDBSS_NTC_NETROOT && ((PNET_ROOT)record)->pSrvCall == &shares->sc->Mrx)
		shares->count++;
}

static void rx_check_srv_call(struct rx_check *c, PSRV_CALL sc, bool departed)
{
	const struct rx_check_subject about = {RX_OBJECT_SRV_CALL, sc, &sc->SrvCallName};
	struct rx_check_shares shares = {.sc = sc};

	rx_check_each(c, rx_check_share_of, &shares);
	rx_check_count(c, &about, &sc->NodeReferenceCount,
		       (sc->CallDownDone ? 0u : 1u) + shares.count + (sc->FailureRemembered ? 1u : 0u));
	rx_check_named_state(c, &about, sc->Condition, departed, sc->UpperFinalizationDone);
	if (sc->CallDownDone && !sc->UpperFinalizationDone)
		rx_check_fail(c, "state", &about, "its driver was told, and it is not finalized");
	if (sc->RxDeviceObject != c->dev)
		rx_check_fail(c, "parent", &about, "RxDeviceObject is %p", sc->RxDeviceObject);
}

/* ---- shares and views ---- */

static void rx_check_collect_view(struct rx_check *c, PVOID record, void *arg)
{
	ULONG *capacity = arg;

	if (NodeType(record) != RDBSS_NTC_V_NETROOT || ((PV_NET_ROOT)record)->pNetRoot != &c->nr->Mrx)
		return;
	if (c->views != NULL && c->view_count < *capacity)
		c->views[c->view_count] = (struct rx_check_view){.vnr = record};
	c->view_count++;
}

static void rx_check_views_begin(struct rx_check *c)
{
	ULONG capacity = 0;

	c->views = NULL;
	c->view_count = 0;
	rx_check_each(c, rx_check_collect_view, &capacity);
	capacity = c->view_count;
	if (capacity == 0)
		return;
	c->views = ExAllocatePoolWithTag(NonPagedPool, capacity * sizeof(*c->views), 'kCxR');
	c->view_count = 0;
	rx_check_each(c, rx_check_collect_view, &capacity);
}

/* Numbers over several files: nothing keeps those of a live share still while they are counted. */
static void rx_check_number(struct rx_check *c, const struct rx_check_subject *about, const char *field,
			    ULONG is, ULONG there)
{
	if (c->mode == RX_CHECK_QUIET && is != there)
		rx_check_fail(c, "numbers", about, "%s is %lu, there are %lu", field, is, there);
}

static void rx_check_view(struct rx_check *c, const struct rx_check_view *view)
{
	PV_NET_ROOT vnr = view->vnr;
	const struct rx_check_subject about = {RX_OBJECT_V_NET_ROOT, vnr, &vnr->VNetRootName};

	rx_check_number(c, &about, "NumberOfSrvOpens", RX_PEEK(vnr->NumberOfSrvOpens), view->srv_opens);
	rx_check_number(c, &about, "NumberOfFobxs", RX_PEEK(vnr->NumberOfFobxs), view->fobxs);
	rx_check_count(
		c, &about, &vnr->NodeReferenceCount,
		(vnr->ConnectionFinalizationDone ? 0u : 1u) +
			(c->mode == RX_CHECK_QUIET ? view->srv_opens + RX_PEEK(vnr->NumberOfOpens) : 0u) +
			(RX_PEEK(vnr->AdditionalReferenceForDeleteFsctlTaken) != 0 ? 1u : 0u));
}

static void rx_check_views_end(struct rx_check *c)
{
	for (ULONG i = 0; c->views != NULL && i < c->view_count; i++)
		rx_check_view(c, &c->views[i]);
	if (c->views != NULL)
		ExFreePoolWithTag(c->views, 'kCxR');
	c->views = NULL;
}

/* The list of living views, which new opens use. */
static void rx_check_view_list(struct rx_check *c, PNET_ROOT nr, const struct rx_check_subject *about)
{
	bool has_default = nr->DefaultVNetRoot == NULL;
	ULONG listed = 0;

	if (!rx_check_list(c, about, "VirtualNetRoots", &nr->VirtualNetRoots,
			   FIELD_OFFSET(V_NET_ROOT, NetRootListEntry), rx_check_own_memory, NULL))
		return;
	for (PLIST_ENTRY link = nr->VirtualNetRoots.Flink; link != &nr->VirtualNetRoots; link = link->Flink) {
		PV_NET_ROOT vnr = CONTAINING_RECORD(link, V_NET_ROOT, NetRootListEntry);
		const struct rx_check_subject view = {RX_OBJECT_V_NET_ROOT, vnr, &vnr->VNetRootName};

		listed++;
		has_default = has_default || vnr == nr->DefaultVNetRoot;
		if (vnr->pNetRoot != &nr->Mrx)
			rx_check_fail(c, "parent", &view, "listed by share %p, pNetRoot is %p", nr,
				      vnr->pNetRoot);
		else if (vnr->ConnectionFinalizationDone)
			rx_check_fail(c, "state", &view, "finalized, and still listed by its share");
	}
	if (nr->NumberOfVirtualNetRoots != listed)
		rx_check_fail(c, "numbers", about, "NumberOfVirtualNetRoots is %lu, listed are %lu",
			      nr->NumberOfVirtualNetRoots, listed);
	if (!has_default || (nr->DefaultVNetRoot == NULL && listed != 0))
		rx_check_fail(c, "parent", about, "DefaultVNetRoot is %p, which is no view of the share",
			      nr->DefaultVNetRoot);
}

static void rx_check_net_root(struct rx_check *c, PNET_ROOT nr, bool departed)
{
	const struct rx_check_subject about = {RX_OBJECT_NET_ROOT, nr, &nr->NetRootName};

	rx_check_named_state(c, &about, nr->Condition, departed, nr->UpperFinalizationDone);
	if ((RX_PEEK(nr->Flags) & NETROOT_FLAG_FINALIZATION_IN_PROGRESS) != 0)
		rx_check_fail(c, "state", &about, "its finalization began and never ended");
	rx_check_view_list(c, nr, &about);

	c->nr = nr;
	rx_check_views_begin(c);
	rx_check_files(c); /* checks the share's count too: FCBs come and go under their table's lock */
	rx_check_number(c, &about, "NumberOfSrvOpens", RX_PEEK(nr->NumberOfSrvOpens), c->nr_srv_opens);
	rx_check_views_end(c);
	c->nr = NULL;
}

static void rx_check_v_net_root(struct rx_check *c, PV_NET_ROOT vnr, bool departed)
{
	const struct rx_check_subject about = {RX_OBJECT_V_NET_ROOT, vnr, &vnr->VNetRootName};

	rx_check_named_state(c, &about, vnr->Condition, departed, vnr->ConnectionFinalizationDone);
	if (vnr->ConnectionFinalizationDone && !vnr->UpperFinalizationDone)
		rx_check_fail(c, "state", &about, "finalized, and its SRV_OPENs are not orphaned");
}

/* ---- the table ---- */

static const struct rx_check_subject rx_check_device = {.name = NULL};

/* Kind and parents of a record; only when they are right is anything else looked at. */
static bool rx_check_record(struct rx_check *c, PVOID record, PCUNICODE_STRING name)
{
	struct rx_check_subject about = {.object = record, .name = name};

	switch (NodeType(record)) {
	case RDBSS_NTC_SRVCALL:
		return true;
	case RDBSS_NTC_NETROOT:
		about.kind = RX_OBJECT_NET_ROOT;
		return rx_check_parent(c, &about, "pSrvCall", ((PNET_ROOT)record)->pSrvCall,
				       RDBSS_NTC_SRVCALL);
	case RDBSS_NTC_V_NETROOT:
		about.kind = RX_OBJECT_V_NET_ROOT;
		return rx_check_parent(c, &about, "pNetRoot", ((PV_NET_ROOT)record)->pNetRoot,
				       RDBSS_NTC_NETROOT);
	default:
		rx_check_fail(c, "type", &about, "an object with a name has type %x",
			      (unsigned int)NodeType(record));
		return false;
	}
}

static volatile ULONG *rx_check_count_of(PVOID record, PRX_PREFIX_ENTRY *entry)
{
	if (NodeType(record) == RDBSS_NTC_SRVCALL) {
		*entry = &((PSRV_CALL)record)->PrefixEntry;
		return &((PSRV_CALL)record)->NodeReferenceCount;
	}
	if (NodeType(record) == RDBSS_NTC_NETROOT) {
		*entry = &((PNET_ROOT)record)->PrefixEntry;
		return &((PNET_ROOT)record)->NodeReferenceCount;
	}
	*entry = &((PV_NET_ROOT)record)->PrefixEntry;
	return &((PV_NET_ROOT)record)->NodeReferenceCount;
}

/* An entry and its object name each other, and the name finds it. Locks: name table. */
static bool rx_check_entry(struct rx_check *c, PRX_PREFIX_ENTRY entry, bool departed)
	RX_REQUIRES_SHARED(rx_class_name_table)
{
	PRX_PREFIX_TABLE table = c->dev->pRxNetNameTable;
	PVOID record = entry->ContainingRecord;
	const struct rx_check_subject about = {.object = record, .name = &entry->Prefix};
	PRX_PREFIX_ENTRY own = NULL;

	if (record == NULL || !nt_pool_is_live(record)) {
		rx_check_fail(c, "memory", &about, "the object of a name is %p, which is no living one",
			      record);
		return false;
	}
	if (!rx_check_record(c, record, &entry->Prefix))
		return false;
	if (entry->ContainerRefCount != (PULONG)rx_check_count_of(record, &own) || own != entry) {
		rx_check_fail(c, "names", &about, "the entry %p of a name is not its object's", entry);
		return false;
	}
	if (!departed && rx_prefix_table_find(table, &entry->Prefix, NodeType(record),
					      entry->HasConnectionId ? &entry->ConnectionId : NULL) != record)
		rx_check_fail(c, "names", &about, "its name does not find it");
	return true;
}

static bool rx_check_entries(struct rx_check *c, PLIST_ENTRY head, const char *what, bool departed,
			     ULONG *count) RX_REQUIRES_SHARED(rx_class_name_table)
{
	bool sound = rx_check_list(c, &rx_check_device, what, head,
				   FIELD_OFFSET(RX_PREFIX_ENTRY, MemberQLinks), rx_check_readable, NULL);

	for (PLIST_ENTRY link = head->Flink; sound && link != head; link = link->Flink) {
		sound = rx_check_entry(c, CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks), departed);
		(*count)++;
	}
	return sound;
}

static bool rx_check_table(struct rx_check *c) RX_REQUIRES_SHARED(rx_class_name_table)
{
	PRX_PREFIX_TABLE table = c->dev->pRxNetNameTable;
	ULONG members = 0, departed = 0;

	for (ULONG i = 0; table->HashBuckets != NULL && i < table->TableSize; i++)
		if (!rx_check_list(c, &rx_check_device, "a bucket of the name table", &table->HashBuckets[i],
				   FIELD_OFFSET(RX_PREFIX_ENTRY, HashLinks), rx_check_readable, NULL))
			return false;
	if (!rx_check_entries(c, &table->MemberQueue, "MemberQueue", false, &members) ||
	    !rx_check_entries(c, &table->DepartedQueue, "DepartedQueue", true, &departed))
		return false;
	if (table->EntryCount != members)
		rx_check_fail(c, "names", &rx_check_device, "EntryCount is %lu, entries are %lu",
			      table->EntryCount, members);
	return true;
}

static void rx_check_queue(struct rx_check *c, PLIST_ENTRY head, bool departed)
{
	for (PLIST_ENTRY link = head->Flink; link != head; link = link->Flink) {
		PVOID record = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks)->ContainingRecord;

		c->summary.objects++;
		if (NodeType(record) == RDBSS_NTC_SRVCALL)
			rx_check_srv_call(c, record, departed);
		else if (NodeType(record) == RDBSS_NTC_NETROOT)
			rx_check_net_root(c, record, departed);
		else
			rx_check_v_net_root(c, record, departed);
	}
}

unsigned int rx_check_objects(PRDBSS_DEVICE_OBJECT dev, enum rx_check_mode mode, rx_check_report *report,
			      void *arg, struct rx_check_summary *summary)
{
	struct rx_check c = {.dev = dev, .mode = mode, .report = report, .arg = arg};
	PRX_PREFIX_TABLE table = dev->pRxNetNameTable;
	LONG active;

	if (table != NULL) {
		rx_name_table_lock_shared(table);
		/* the rest follows pointers that this has seen to be good */
		if (rx_check_table(&c)) {
			rx_check_queue(&c, &table->MemberQueue, false);
			rx_check_queue(&c, &table->DepartedQueue, true);
			/* the last one may be ending this moment */
			active = RX_PEEK(dev->NumberOfActiveFcbs);
			if (mode == RX_CHECK_QUIET && (ULONG)active != c.fcbs)
				rx_check_fail(&c, "numbers", &rx_check_device,
					      "NumberOfActiveFcbs is %ld, there are %lu", active, c.fcbs);
			rx_check_scavenger(&c);
		}
		rx_name_table_unlock(table);
	}
	if (summary != NULL)
		*summary = c.summary;
	return c.summary.findings;
}

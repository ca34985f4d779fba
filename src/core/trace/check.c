/*
 * check.c - do the objects agree with each other? For tests, and for a running redirector.
 *
 * Owns:   nothing.
 * Locks:  as enumerate.c: name table shared, one FCB table shared, one FCB's leaf.
 *
 * Checked: node types; every child's parent is of the right kind and, in the table, alive; a count is not lower
 * than the references the hierarchy explains; statistics (NumberOfFcbs, NumberOfSrvOpens, NumberOfFobxs, entries
 * of tables) equal what is there, as far as the tables reach.
 */
#include "core/trace/trace.h"

#include "core/name/name.h"
#include "core/object/object.h"

struct rx_check {
	rx_check_report *report;
	void *arg;
	unsigned int found;
	/* of the share being walked */
	PNET_ROOT nr;
	ULONG fcbs;
	ULONG entries;
	ULONG srv_opens;
};

/* Where the object's references were taken and given up, when that is being traced. */
static void rx_check_report_places(struct rx_check *c, const void *object)
{
	struct rx_ref_place places[32];
	unsigned int count = rx_ref_places((PVOID)object, places, RTL_NUMBER_OF(places));

	for (unsigned int i = 0; i < count; i++) {
		char line[160];

		nt_format(line, sizeof(line), "  %ld at %s:%lu", places[i].count, places[i].file,
			  places[i].line);
		c->report(c->arg, line);
	}
}

static void rx_check_that(struct rx_check *c, bool holds, const char *what, const void *object, ULONG is,
			  ULONG least)
{
	char line[160];

	if (holds)
		return;
	c->found++;
	if (c->report == NULL)
		return;
	nt_format(line, sizeof(line), "%s: object %p has %lu, expected %lu", what, object, is, least);
	c->report(c->arg, line);
	rx_check_report_places(c, object);
}

static void rx_check_least(struct rx_check *c, const char *what, const void *object, ULONG is, ULONG least)
{
	rx_check_that(c, is >= least, what, object, is, least);
}

static void rx_check_equal(struct rx_check *c, const char *what, const void *object, ULONG is, ULONG expected)
{
	rx_check_that(c, is == expected, what, object, is, expected);
}

static ULONG rx_check_srv_open(struct rx_check *c, PFCB fcb, PSRV_OPEN so)
{
	ULONG fobxs = 0;

	rx_check_equal(c, "FCB of SRV_OPEN", so, so->pFcb == &fcb->Mrx, 1);
	rx_check_equal(c, "share of the view of SRV_OPEN", so, so->pVNetRoot->pNetRoot == fcb->pNetRoot, 1);
	for (PLIST_ENTRY link = so->FobxList.Flink; link != &so->FobxList; link = link->Flink) {
		PFOBX fobx = CONTAINING_RECORD(link, FOBX, FobxQLinks);

		rx_check_equal(c, "type of FOBX", fobx, NodeType(fobx) == RDBSS_NTC_FOBX, 1);
		rx_check_equal(c, "SRV_OPEN of FOBX", fobx, fobx->pSrvOpen == &so->Mrx, 1);
		fobxs++;
	}
	rx_check_least(c, "references of SRV_OPEN", so,
		       __atomic_load_n(&so->NodeReferenceCount, __ATOMIC_RELAXED), fobxs);
	return fobxs;
}

static bool rx_check_fcb(PFCB fcb, void *arg)
{
	struct rx_check *c = arg;
	ULONG opens = 0;

	rx_check_equal(c, "type of FCB", fcb, NodeTypeIsFcb(fcb) != 0, 1);
	rx_check_equal(c, "share of FCB", fcb, fcb->pNetRoot == &c->nr->Mrx, 1);
	rx_fcb_lists_lock(fcb);
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		(void)rx_check_srv_open(c, fcb, CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks));
		opens++;
	}
	rx_fcb_lists_unlock(fcb);
	rx_check_least(c, "references of FCB", fcb,
		       __atomic_load_n(&fcb->NodeReferenceCount, __ATOMIC_RELAXED),
		       opens + (fcb->UpperFinalizationDone ? 0 : 1));
	c->fcbs++;
	c->srv_opens += opens;
	if (!fcb->UpperFinalizationDone)
		c->entries++;
	return true;
}

static void rx_check_net_root(struct rx_check *c, PNET_ROOT nr)
{
	ULONG views = 0;

	c->nr = nr;
	c->fcbs = c->entries = c->srv_opens = 0;
	rx_check_equal(c, "type of the server of NET_ROOT", nr, NodeType(nr->pSrvCall) == RDBSS_NTC_SRVCALL,
		       1);
	for (PLIST_ENTRY link = nr->VirtualNetRoots.Flink; link != &nr->VirtualNetRoots; link = link->Flink) {
		PV_NET_ROOT vnr = CONTAINING_RECORD(link, V_NET_ROOT, NetRootListEntry);

		rx_check_equal(c, "share of V_NET_ROOT", vnr, vnr->pNetRoot == &nr->Mrx, 1);
		views++;
	}
	rx_check_equal(c, "views of NET_ROOT", nr, nr->NumberOfVirtualNetRoots, views);

	rx_fcb_table_lock_shared(&nr->FcbTable);
	rx_fcb_table_for_each(&nr->FcbTable, rx_check_fcb, c);
	for (PLIST_ENTRY link = nr->OrphanedFcbs.Flink; link != &nr->OrphanedFcbs; link = link->Flink)
		(void)rx_check_fcb(CONTAINING_RECORD(link, FCB, FcbTableEntry.HashLinks), c);
	rx_check_equal(c, "entries of FCB table", nr,
		       nr->FcbTable.NumberOfEntries + (nr->FcbTable.TableEntryForNull != NULL ? 1 : 0),
		       c->entries);
	/* an FCB counts until its memory is gone, and a SRV_OPEN from before it is listed */
	rx_check_least(c, "FCBs of NET_ROOT", nr, __atomic_load_n(&nr->NumberOfFcbs, __ATOMIC_RELAXED),
		       c->fcbs);
	rx_fcb_table_unlock(&nr->FcbTable);
	rx_check_least(c, "references of NET_ROOT", nr,
		       __atomic_load_n(&nr->NodeReferenceCount, __ATOMIC_RELAXED), 1 + views);
}

unsigned int rx_check_objects(PRDBSS_DEVICE_OBJECT dev, rx_check_report *report, void *arg)
{
	PRX_PREFIX_TABLE table = dev->pRxNetNameTable;
	struct rx_check c = {.report = report, .arg = arg};
	ULONG entries = 0;

	if (table == NULL)
		return 0;
	rx_name_table_lock_shared(table);
	for (PLIST_ENTRY link = table->MemberQueue.Flink; link != &table->MemberQueue; link = link->Flink) {
		PRX_PREFIX_ENTRY entry = CONTAINING_RECORD(link, RX_PREFIX_ENTRY, MemberQLinks);
		PVOID record = entry->ContainingRecord;

		entries++;
		rx_check_least(&c, "references of a name", record,
			       __atomic_load_n(entry->ContainerRefCount, __ATOMIC_RELAXED), 1);
		if (NodeType(record) == RDBSS_NTC_NETROOT)
			rx_check_net_root(&c, record);
		else
			rx_check_equal(&c, "type of a named object", record,
				       NodeType(record) == RDBSS_NTC_SRVCALL ||
					       NodeType(record) == RDBSS_NTC_V_NETROOT,
				       1);
	}
	rx_check_equal(&c, "entries of the name table", table, table->EntryCount, entries);
	rx_name_table_unlock(table);
	return c.found;
}

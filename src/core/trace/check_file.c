/*
 * check_file.c - do the files of a share agree with each other: FCBs, SRV_OPENs and FOBXs.
 *
 * Owns:   nothing.
 * Locks:  the FCB table shared; under it, one FCB at a time, shared, when that is granted at once: then nothing of
 *         the file changes while it is checked. A file that a request holds is checked under its leaf, which keeps
 *         its lists, and no more of it is read than they guard.
 */
#include "core/trace/check.h"

#include "core/name/name.h"
#include "core/object/object.h"

struct rx_check_file {
	struct rx_check *c;
	PFCB fcb;
	PSRV_OPEN so; /* being walked */
	bool held;    /* the FCB, shared */
	ULONG unclean;
};

static bool rx_check_srv_open_memory(const void *object, void *arg)
{
	const struct rx_check_file *f = arg;

	if (object == f->fcb->InternalSrvOpen)
		return true;
	return nt_pool_is_live(object);
}

static bool rx_check_fobx_memory(const void *object, void *arg)
{
	const struct rx_check_file *f = arg;

	if (object == f->fcb->InternalFobx || object == f->so->InternalFobx)
		return true;
	return nt_pool_is_live(object);
}

/* ---- FOBX ---- */

/* The places inside FCB and SRV_OPEN are either free or used by who is listed. Locks: FCB shared. */
static void rx_check_fobx_place(struct rx_check_file *f, PFOBX fobx, const struct rx_check_subject *about)
{
	bool in_fcb = fobx == f->fcb->InternalFobx, in_so = fobx == f->so->InternalFobx;
	bool used = in_fcb ? (f->fcb->FcbState & FCB_STATE_FOBX_USED) != 0
			   : (f->so->Flags & SRVOPEN_FLAG_FOBX_USED) != 0;

	if ((in_fcb || in_so) && !used)
		rx_check_fail(f->c, "memory", about, "listed, and its place in its %s is free",
			      in_fcb ? "FCB" : "SRV_OPEN");
	if (((RX_PEEK(fobx->Flags) & FOBX_FLAG_ENCLOSED_ALLOCATED) != 0) != (in_fcb || in_so))
		rx_check_fail(f->c, "state", about, "FOBX_FLAG_ENCLOSED_ALLOCATED does not fit to its place");
}

static void rx_check_fobx(struct rx_check_file *f, PFOBX fobx)
{
	const struct rx_check_subject about = {RX_OBJECT_FOBX, fobx, &f->fcb->PrivateAlreadyPrefixedName};

	f->c->summary.objects++;
	if (NodeType(fobx) != RDBSS_NTC_FOBX)
		rx_check_fail(f->c, "type", &about, "a FOBX has type %x", (unsigned int)NodeType(fobx));
	if (fobx->pSrvOpen != &f->so->Mrx)
		rx_check_fail(f->c, "parent", &about, "listed by SRV_OPEN %p, pSrvOpen is %p", f->so,
			      fobx->pSrvOpen);
	if (!f->held)
		return;
	rx_check_fobx_place(f, fobx, &about);
	if (fobx->UpperFinalizationDone)
		rx_check_fail(f->c, "state", &about, "finalized, and still listed");
	/* at 0 it is the scavenger's, and marked; that is seen when nobody can be in between */
	if (f->c->mode == RX_CHECK_QUIET && IsListEmpty(&fobx->ScavengerFinalizationList))
		rx_check_count(f->c, &about, &fobx->NodeReferenceCount, 1);
}

/* ---- SRV_OPEN ---- */

static void rx_check_tally(struct rx_check *c, PSRV_OPEN so, ULONG fobxs)
{
	for (ULONG i = 0; c->views != NULL && i < c->view_count; i++) {
		if (&c->views[i].vnr->Mrx != so->pVNetRoot)
			continue;
		c->views[i].srv_opens++;
		c->views[i].fobxs += fobxs;
	}
}

/* Is pVNetRoot one of the share's views? Without memory for the list of views: is it a living view at all? */
static bool rx_check_is_view(struct rx_check *c, PMRX_V_NET_ROOT vnr)
{
	for (ULONG i = 0; c->views != NULL && i < c->view_count; i++)
		if (&c->views[i].vnr->Mrx == vnr)
			return true;
	return c->views == NULL && c->view_count != 0 && vnr != NULL && nt_pool_is_live(vnr) &&
	       NodeType(vnr) == RDBSS_NTC_V_NETROOT;
}

/* Locks: FCB shared. */
static void rx_check_srv_open_held(struct rx_check_file *f, ULONG fobxs, ULONG needed,
				   const struct rx_check_subject *about)
{
	struct rx_check *c = f->c;
	PSRV_OPEN so = f->so;
	bool internal = so == f->fcb->InternalSrvOpen;

	if (internal && (f->fcb->FcbState & FCB_STATE_SRVOPEN_USED) == 0)
		rx_check_fail(c, "memory", about, "listed, and its place in its FCB is free");
	if (internal != (NodeType(so) == RDBSS_NTC_INTERNAL_SRVOPEN) ||
	    internal != ((so->Flags & SRVOPEN_FLAG_ENCLOSED_ALLOCATED) != 0))
		rx_check_fail(c, "state", about, "type and flags do not fit to its place");
	(void)rx_check_condition(c, about, so->Condition);
	if (so->UpperFinalizationDone)
		rx_check_fail(c, "state", about, "finalized, and still listed");
	if (so->OpenCount > needed)
		rx_check_fail(c, "opens", about, "OpenCount is %lu, FOBXs that need it are %lu",
			      so->OpenCount, needed);
	if (so->UncleanFobxCount > fobxs)
		rx_check_fail(c, "opens", about, "UncleanFobxCount is %lu, FOBXs are %lu",
			      so->UncleanFobxCount, fobxs);
	f->unclean += so->UncleanFobxCount;
	/* the open at the server holds one as long as it is needed; its creator while it is being made */
	rx_check_count(c, about, &so->NodeReferenceCount,
		       fobxs + (so->OpenCount != 0 || (c->mode == RX_CHECK_QUIET &&
						       rx_object_count(&so->NodeReferenceCount) > fobxs)
					? 1u
					: 0u));
}

static void rx_check_srv_open(struct rx_check_file *f)
{
	struct rx_check *c = f->c;
	PSRV_OPEN so = f->so;
	const struct rx_check_subject about = {RX_OBJECT_SRV_OPEN, so, &f->fcb->PrivateAlreadyPrefixedName};
	ULONG fobxs = 0, needed = 0;

	c->summary.objects++;
	if (NodeType(so) != RDBSS_NTC_SRVOPEN && NodeType(so) != RDBSS_NTC_INTERNAL_SRVOPEN) {
		rx_check_fail(c, "type", &about, "a SRV_OPEN has type %x", (unsigned int)NodeType(so));
		return;
	}
	if (so->pFcb != &f->fcb->Mrx)
		rx_check_fail(c, "parent", &about, "listed by FCB %p, pFcb is %p", f->fcb, so->pFcb);
	if (!rx_check_is_view(c, so->pVNetRoot))
		rx_check_fail(c, "parent", &about, "pVNetRoot is %p, which is no view of its share",
			      so->pVNetRoot);
	if (!rx_check_list(c, &about, "FobxList", &so->FobxList, FIELD_OFFSET(FOBX, FobxQLinks),
			   rx_check_fobx_memory, f))
		return;
	for (PLIST_ENTRY link = so->FobxList.Flink; link != &so->FobxList; link = link->Flink) {
		PFOBX fobx = CONTAINING_RECORD(link, FOBX, FobxQLinks);

		rx_check_fobx(f, fobx);
		fobxs++;
		if (f->held && !fobx->fOpenCountDecremented)
			needed++;
	}
	rx_check_tally(c, so, fobxs);
	if (f->held)
		rx_check_srv_open_held(f, fobxs, needed, &about);
	else if (rx_object_count(&so->NodeReferenceCount) < fobxs)
		rx_check_fail(c, "count", &about, "NodeReferenceCount is %lu, FOBXs are %lu",
			      rx_object_count(&so->NodeReferenceCount), fobxs);
}

/* ---- FCB ---- */

/* Locks: FCB shared. */
static void rx_check_fcb_held(struct rx_check_file *f, bool orphaned, ULONG opens,
			      const struct rx_check_subject *about)
{
	struct rx_check *c = f->c;
	PFCB fcb = f->fcb;

	(void)rx_check_condition(c, about, fcb->Condition);
	if (orphaned != ((fcb->FcbState & FCB_STATE_NAME_ALREADY_REMOVED) != 0) ||
	    (!orphaned && (fcb->FcbState & FCB_STATE_ORPHANED) != 0))
		rx_check_fail(c, "state", about, "%s the FCB table, and FcbState is %lx",
			      orphaned ? "out of" : "in", fcb->FcbState);
	if (fcb->UncleanCount > fcb->OpenCount || f->unclean > fcb->UncleanCount)
		rx_check_fail(c, "opens", about, "OpenCount %lu, UncleanCount %lu, of its SRV_OPENs %lu",
			      fcb->OpenCount, fcb->UncleanCount, f->unclean);
	rx_check_count(c, about, &fcb->NodeReferenceCount, (orphaned ? 0u : 1u) + opens + fcb->OpenCount);
}

/* The FCB's own memory, and the way back from it. */
static bool rx_check_fcb_identity(struct rx_check *c, PFCB fcb, const struct rx_check_subject *about)
{
	NODE_TYPE_CODE type = RX_PEEK(fcb->Header.NodeTypeCode);

	if (!NodeTypeIsFcb(&type)) {
		rx_check_fail(c, "type", about, "an FCB has type %x", (unsigned int)type);
		return false;
	}
	if (fcb->NonPaged->FcbBackPointer != fcb) {
		rx_check_fail(c, "parent", about, "its non-paged half names FCB %p",
			      fcb->NonPaged->FcbBackPointer);
		return false;
	}
	if (fcb->pNetRoot == &c->nr->Mrx)
		return true;
	rx_check_fail(c, "parent", about, "listed by share %p, pNetRoot is %p", c->nr, fcb->pNetRoot);
	return false;
}

static bool rx_check_try_fcb(PFCB fcb) RX_NO_TSA
{
	return ExAcquireResourceSharedLite(fcb->Header.Resource, FALSE);
}

static void rx_check_release_fcb(PFCB fcb) RX_NO_TSA
{
	ExReleaseResourceLite(fcb->Header.Resource);
}

/* Locks: the FCB, or where it is busy its lists. */
static void rx_check_opens(struct rx_check_file *f, bool orphaned, const struct rx_check_subject *about)
{
	struct rx_check *c = f->c;
	PFCB fcb = f->fcb;
	ULONG opens = 0;

	if (!rx_check_list(c, about, "SrvOpenList", &fcb->SrvOpenList, FIELD_OFFSET(SRV_OPEN, SrvOpenQLinks),
			   rx_check_srv_open_memory, f))
		return;
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		f->so = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks);
		rx_check_srv_open(f);
		opens++;
	}
	c->nr_srv_opens += opens;
	if (f->held)
		rx_check_fcb_held(f, orphaned, opens, about);
	else if (rx_object_count(&fcb->NodeReferenceCount) < opens + (orphaned ? 0u : 1u))
		rx_check_fail(c, "count", about, "NodeReferenceCount is %lu, explained are %lu",
			      rx_object_count(&fcb->NodeReferenceCount), opens + (orphaned ? 0u : 1u));
}

static void rx_check_fcb(struct rx_check *c, PFCB fcb, bool orphaned)
{
	const struct rx_check_subject about = {RX_OBJECT_FCB, fcb, &fcb->PrivateAlreadyPrefixedName};
	struct rx_check_file f = {.c = c, .fcb = fcb};

	c->summary.objects++;
	c->nr_fcbs++;
	if (!rx_check_fcb_identity(c, fcb, &about))
		return;
	if (orphaned != (fcb->UpperFinalizationDone != FALSE))
		rx_check_fail(c, "state", &about, "%s the FCB table, and UpperFinalizationDone is %u",
			      orphaned ? "out of" : "in", fcb->UpperFinalizationDone);

	f.held = rx_check_try_fcb(fcb);
	if (f.held) {
		rx_check_opens(&f, orphaned, &about);
		rx_check_release_fcb(fcb);
		return;
	}
	c->summary.busy++;
	rx_fcb_lists_lock(fcb);
	rx_check_opens(&f, orphaned, &about);
	rx_fcb_lists_unlock(fcb);
}

/* ---- the table ---- */

/* An entry is where its path says, and the path is the file's name. Locks: FCB table. */
static void rx_check_fcb_entry(struct rx_check *c, PFCB fcb, ULONG bucket)
{
	const struct rx_check_subject about = {RX_OBJECT_FCB, fcb, &fcb->PrivateAlreadyPrefixedName};
	PRX_FCB_TABLE table = &c->nr->FcbTable;
	PRX_FCB_TABLE_ENTRY entry = &fcb->FcbTableEntry;

	if (entry->HashValue != rx_name_hash(&entry->Path, table->CaseInsensitiveMatch) ||
	    (entry->HashValue & (table->NumberOfBuckets - 1)) != bucket)
		rx_check_fail(c, "files", &about, "in bucket %lu with hash %lx: its path does not find it",
			      bucket, entry->HashValue);
	if (!rx_name_equal(&entry->Path, &fcb->PrivateAlreadyPrefixedName, 0))
		rx_check_fail(c, "files", &about, "its path in the FCB table is another one: %wZ",
			      &entry->Path);
}

static void rx_check_bucket(struct rx_check *c, const struct rx_check_subject *about, ULONG bucket)
{
	PLIST_ENTRY head = &c->nr->FcbTable.HashBuckets[bucket];

	if (!rx_check_list(c, about, "a bucket of the FCB table", head,
			   FIELD_OFFSET(FCB, FcbTableEntry.HashLinks), rx_check_own_memory, NULL))
		return;
	for (PLIST_ENTRY link = head->Flink; link != head; link = link->Flink) {
		PFCB fcb = CONTAINING_RECORD(link, FCB, FcbTableEntry.HashLinks);

		c->nr_entries++;
		rx_check_fcb_entry(c, fcb, bucket);
		rx_check_fcb(c, fcb, false);
	}
}

static void rx_check_orphans(struct rx_check *c, const struct rx_check_subject *about)
{
	PLIST_ENTRY head = &c->nr->OrphanedFcbs;

	if (!rx_check_list(c, about, "OrphanedFcbs", head, FIELD_OFFSET(FCB, FcbTableEntry.HashLinks),
			   rx_check_own_memory, NULL))
		return;
	for (PLIST_ENTRY link = head->Flink; link != head; link = link->Flink)
		rx_check_fcb(c, CONTAINING_RECORD(link, FCB, FcbTableEntry.HashLinks), true);
}

void rx_check_files(struct rx_check *c)
{
	PNET_ROOT nr = c->nr;
	PRX_FCB_TABLE table = &nr->FcbTable;
	const struct rx_check_subject about = {RX_OBJECT_NET_ROOT, nr, &nr->NetRootName};
	ULONG fcbs;

	c->nr_fcbs = c->nr_entries = c->nr_srv_opens = 0;
	rx_fcb_table_lock_shared(table);
	if (table->TableEntryForNull != NULL)
		rx_check_fcb(c, CONTAINING_RECORD(table->TableEntryForNull, FCB, FcbTableEntry), false);
	for (ULONG i = 0; table->HashBuckets != NULL && i < table->NumberOfBuckets; i++)
		rx_check_bucket(c, &about, i);
	rx_check_orphans(c, &about);
	if (table->NumberOfEntries != c->nr_entries)
		rx_check_fail(c, "files", &about, "NumberOfEntries is %lu, entries are %lu",
			      table->NumberOfEntries, c->nr_entries);
	fcbs = RX_PEEK(nr->NumberOfFcbs);
	if (fcbs != c->nr_fcbs)
		rx_check_fail(c, "numbers", &about, "NumberOfFcbs is %lu, there are %lu", fcbs, c->nr_fcbs);
	rx_check_count(c, &about, &nr->NodeReferenceCount,
		       (nr->UpperFinalizationDone ? 0u : 1u) + c->view_count + c->nr_fcbs);
	rx_fcb_table_unlock(table);
	c->fcbs += c->nr_fcbs;
}

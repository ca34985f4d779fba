/*
 * orphan.c - taking the server away from files that are still open.
 *
 * Owns:   nothing.
 * Locks:  FCB table exclusive, and each FCB exclusive, which is only tried while the table is held; a busy FCB is
 *         waited for without the table, so that one stuck request does not stop the opens of a whole share.
 *
 * An orphaned SRV_OPEN sends nothing to its server any more. A file of which every SRV_OPEN is orphaned is
 * orphaned itself: it leaves the table, so that a new connection starts with a new FCB, and is finalized when
 * its last user has closed it.
 */
#include "core/object/object.h"

#include "core/name/name.h"

struct rx_orphan_walk {
	PV_NET_ROOT vnr;
	PFCB busy; /* referenced; the first one whose lock somebody held */
};

static bool rx_orphan_fcb_uses(PFCB fcb, PV_NET_ROOT vnr)
{
	bool uses = false;

	rx_fcb_lists_lock(fcb);
	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList && !uses;
	     link = link->Flink)
		uses = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks)->pVNetRoot == &vnr->Mrx;
	rx_fcb_lists_unlock(fcb);
	return uses;
}

/* Locks: FCB table and FCB exclusive. */
static void rx_orphan_fcb(PFCB fcb, PV_NET_ROOT vnr)
{
	bool all = true;

	for (PLIST_ENTRY link = fcb->SrvOpenList.Flink; link != &fcb->SrvOpenList; link = link->Flink) {
		PSRV_OPEN so = CONTAINING_RECORD(link, SRV_OPEN, SrvOpenQLinks);

		if (so->pVNetRoot == &vnr->Mrx)
			so->Flags |= SRVOPEN_FLAG_ORPHANED;
		all = all && (so->Flags & SRVOPEN_FLAG_ORPHANED) != 0;
	}
	if (all)
		rx_fcb_orphan_locked(fcb);
}

static bool rx_orphan_visit(PFCB fcb, void *arg)
{
	struct rx_orphan_walk *walk = arg;

	if (fcb->VNetRoot == walk->vnr)
		fcb->VNetRoot = NULL;
	if (!rx_orphan_fcb_uses(fcb, walk->vnr))
		return true;
	if (ExAcquireResourceExclusiveLite(fcb->Header.Resource, FALSE)) {
		rx_orphan_fcb(fcb, walk->vnr);
		ExReleaseResourceLite(fcb->Header.Resource);
	} else if (walk->busy == NULL) {
		(void)RxReferenceNetFcb(fcb);
		walk->busy = fcb;
	}
	return true;
}

/**
 * RxOrphanSrvOpens - orphan every open made through a view
 * @ThisVNetRoot: [in,out] the view; the caller refers to it
 *
 * Context: <= APC_LEVEL; waits for requests that hold an FCB.
 * Locks:   takes the FCB table and FCBs of the share. The name table may be held, but need not be.
 */
VOID RxOrphanSrvOpens(PV_NET_ROOT ThisVNetRoot)
{
	PNET_ROOT nr = (PNET_ROOT)ThisVNetRoot->pNetRoot;

	for (;;) {
		struct rx_orphan_walk walk = {.vnr = ThisVNetRoot};

		rx_fcb_table_lock(&nr->FcbTable);
		rx_fcb_table_for_each(&nr->FcbTable, rx_orphan_visit, &walk);
		rx_fcb_table_unlock(&nr->FcbTable);
		if (walk.busy == NULL)
			return;
		/* when the lock is granted the request that held the file is over: look again */
		(void)RxAcquireExclusiveFcb(NULL, walk.busy); /* without a context it waits */
		if (!RxDereferenceAndFinalizeNetFcb(walk.busy, NULL, FALSE, FALSE))
			RxReleaseFcb(NULL, walk.busy);
	}
}

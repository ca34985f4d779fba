/*
 * check_scavenger.c - is what waits for the scavenger alive, of its kind, and counted?
 *
 * Owns:   nothing.
 * Locks:  the scavenger's mutex: what is in its lists has not been finalized, so what it refers to is there.
 */
#include "core/trace/check.h"

#include "core/object/object.h"

static const struct rx_check_subject rx_check_nobody = {.name = NULL};

struct rx_check_marked {
	PLIST_ENTRY head;
	size_t links;
	NODE_TYPE_CODE type;
	ULONG counted;
	const char *what;
	enum rx_object_kind kind;
};

static bool rx_check_is_kind(PVOID object, NODE_TYPE_CODE type)
{
	return NodeType(object) == type ||
	       (type == RDBSS_NTC_SRVOPEN && NodeType(object) == RDBSS_NTC_INTERNAL_SRVOPEN);
}

/* A FOBX or SRV_OPEN may be a place inside its FCB or SRV_OPEN; a place that is free has no type. */
static ULONG rx_check_marked(struct rx_check *c, const struct rx_check_marked *m)
{
	ULONG listed = 0;

	if (!rx_check_list(c, &rx_check_nobody, m->what, m->head, m->links, rx_check_readable, NULL))
		return 0;
	for (PLIST_ENTRY link = m->head->Flink; link != m->head; link = link->Flink) {
		PVOID object = (PUCHAR)link - m->links;
		const struct rx_check_subject about = {m->kind, object, NULL};

		listed++;
		if (!rx_check_is_kind(object, m->type))
			rx_check_fail(c, "scavenger", &about, "%s holds an object of type %x", m->what,
				      (unsigned int)NodeType(object));
	}
	if (listed != m->counted)
		rx_check_fail(c, "scavenger", &rx_check_nobody, "%s holds %lu objects, counted are %lu",
			      m->what, listed, m->counted);
	return listed;
}

/* FOBXs whose close is delayed. Locks: scavenger. */
static void rx_check_dormant(struct rx_check *c, PRDBSS_SCAVENGER s)
{
	const struct rx_check_marked dormant = {&s->ClosePendingFobxsList,
						FIELD_OFFSET(FOBX, ClosePendingList),
						RDBSS_NTC_FOBX,
						(ULONG)s->NumberOfDormantFiles,
						"ClosePendingFobxsList",
						RX_OBJECT_FOBX};

	if (rx_check_marked(c, &dormant) == 0)
		return;
	for (PLIST_ENTRY link = dormant.head->Flink; link != dormant.head; link = link->Flink) {
		PFOBX fobx = CONTAINING_RECORD(link, FOBX, ClosePendingList);
		const struct rx_check_subject about = {RX_OBJECT_FOBX, fobx, NULL};

		if (NodeType(fobx) == RDBSS_NTC_FOBX &&
		    (RX_PEEK(fobx->Flags) & FOBX_FLAG_MARKED_AS_DORMANT) == 0)
			rx_check_fail(c, "scavenger", &about, "its close is delayed, and its flags are %lx",
				      RX_PEEK(fobx->Flags));
	}
}

void rx_check_scavenger(struct rx_check *c)
{
	PRDBSS_SCAVENGER s = c->dev->pRdbssScavenger;

	if (s == NULL)
		return;
	ExAcquireFastMutex(&s->Mutex);
	const struct rx_check_marked marked[] = {
		{&s->SrvCallFinalizationList, FIELD_OFFSET(SRV_CALL, ScavengerFinalizationList),
		 RDBSS_NTC_SRVCALL, s->SrvCallsToBeFinalized, "SrvCallFinalizationList", RX_OBJECT_SRV_CALL},
		{&s->NetRootFinalizationList, FIELD_OFFSET(NET_ROOT, ScavengerFinalizationList),
		 RDBSS_NTC_NETROOT, s->NetRootsToBeFinalized, "NetRootFinalizationList", RX_OBJECT_NET_ROOT},
		{&s->VNetRootFinalizationList, FIELD_OFFSET(V_NET_ROOT, ScavengerFinalizationList),
		 RDBSS_NTC_V_NETROOT, s->VNetRootsToBeFinalized, "VNetRootFinalizationList",
		 RX_OBJECT_V_NET_ROOT},
		{&s->SrvOpenFinalizationList, FIELD_OFFSET(SRV_OPEN, ScavengerFinalizationList),
		 RDBSS_NTC_SRVOPEN, s->SrvOpensToBeFinalized, "SrvOpenFinalizationList", RX_OBJECT_SRV_OPEN},
		{&s->FobxFinalizationList, FIELD_OFFSET(FOBX, ScavengerFinalizationList), RDBSS_NTC_FOBX,
		 s->FobxsToBeFinalized, "FobxFinalizationList", RX_OBJECT_FOBX},
	};

	for (size_t i = 0; i < RTL_NUMBER_OF(marked); i++)
		(void)rx_check_marked(c, &marked[i]);
	rx_check_dormant(c, s);
	ExReleaseFastMutex(&s->Mutex);
}

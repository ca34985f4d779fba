/*
 * test_check.c - the object checker notices what it is there for: each rule is broken in each of its ways on purpose,
 * the finding names the rule, the object and its name, and the mended objects agree again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/fixture.h"

#include "core/object/object.h"
#include "core/trace/trace.h"
#include "core/work/work.h"
#include "nt_exec.h"

/* One of each kind, and what stands in for a wrong pointer. */
static struct {
	PRX_CONTEXT rxc;
	PV_NET_ROOT vnr, other, gone; /* two shares; one view that lost its name */
	PNET_ROOT nr;
	PSRV_CALL sc;
	PFCB fcb, orphan;
	PSRV_OPEN in_fcb, own;          /* the SRV_OPEN inside the FCB, and one with its own memory */
	PFOBX first, of_own, allocated; /* inside the FCB; inside `own`; with its own memory */
} w;

static PSRV_OPEN open_again(PFCB fcb)
{
	PSRV_OPEN so = RxCreateSrvOpen(w.vnr, fcb);

	CHECK(so != NULL);
	so->Condition = Condition_Good;
	return so;
}

static PFOBX file_object(PSRV_OPEN so)
{
	PFOBX fobx = (PFOBX)RxCreateNetFobx(w.rxc, &so->Mrx);

	CHECK(fobx != NULL);
	w.rxc->pFobx = NULL;
	return fobx;
}

static PV_NET_ROOT connect_to(PUNICODE_STRING name)
{
	NTSTATUS status;
	PV_NET_ROOT vnr = fixture_connect(name, &status);

	CHECK_EQUAL(status, STATUS_SUCCESS);
	return vnr;
}

static void make_orphan(PUNICODE_STRING name)
{
	PRX_FCB_TABLE table = &w.nr->FcbTable;

	w.orphan = fixture_fcb(w.rxc, w.vnr, name);
	(void)RxReferenceNetFcb(w.orphan); /* as a file object would */
	w.orphan->OpenCount = 2;
	RxReleaseFcb(w.rxc, w.orphan);
	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	CHECK_EQUAL(RxAcquireExclusiveFcb(w.rxc, w.orphan), STATUS_SUCCESS);
	rx_fcb_orphan_locked(w.orphan);
	RxReleaseFcbTableLock(table);
	RxReleaseFcb(w.rxc, w.orphan);
}

static int begin(void **state)
{
	FIXTURE_NAME(share, u"\\server\\share");
	FIXTURE_NAME(second, u"\\server\\second");
	FIXTURE_NAME(third, u"\\server\\third");
	FIXTURE_NAME(file, u"\\dir\\file");
	FIXTURE_NAME(orphan, u"\\orphan");

	(void)fixture_begin(state);
	recorder.srv_call_flags = SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES;
	w.rxc = fixture_context();
	w.vnr = connect_to(&share);
	w.other = connect_to(&second);
	w.gone = connect_to(&third);
	CHECK_EQUAL(RxFinalizeConnection((PNET_ROOT)w.gone->pNetRoot, w.gone, TRUE), STATUS_SUCCESS);
	w.nr = (PNET_ROOT)w.vnr->pNetRoot;
	w.sc = (PSRV_CALL)w.nr->pSrvCall;
	w.fcb = fixture_fcb(w.rxc, w.vnr, &file);
	w.in_fcb = open_again(w.fcb);
	w.first = file_object(w.in_fcb);
	w.allocated = file_object(w.in_fcb);
	w.own = open_again(w.fcb);
	w.of_own = file_object(w.own);
	CHECK(w.in_fcb == w.fcb->InternalSrvOpen && w.first == w.fcb->InternalFobx);
	CHECK(w.of_own == w.own->InternalFobx);
	RxReleaseFcb(w.rxc, w.fcb);
	make_orphan(&orphan);
	fixture_check_objects();
	return 0;
}

static void end_fcb(PFCB fcb, unsigned int references)
{
	CHECK_EQUAL(RxAcquireExclusiveFcb(w.rxc, fcb), STATUS_SUCCESS);
	for (unsigned int i = 1; i < references; i++)
		CHECK(!RxDereferenceAndFinalizeNetFcb(fcb, w.rxc, FALSE, FALSE));
	CHECK(fixture_fcb_end(w.rxc, fcb));
}

static int end(void **state)
{
	fixture_check_objects();
	CHECK_EQUAL(RxAcquireExclusiveFcb(w.rxc, w.fcb), STATUS_SUCCESS);
	RxDereferenceNetFobx(w.of_own, LHS_ExclusiveLockHeld);
	RxDereferenceNetFobx(w.allocated, LHS_ExclusiveLockHeld);
	RxDereferenceNetFobx(w.first, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(w.own, LHS_ExclusiveLockHeld);
	RxDereferenceSrvOpen(w.in_fcb, LHS_ExclusiveLockHeld);
	CHECK(fixture_fcb_end(w.rxc, w.fcb));
	w.orphan->OpenCount = 0;
	end_fcb(w.orphan, 2);
	fixture_disconnect(w.gone);
	fixture_disconnect(w.other);
	fixture_disconnect(w.vnr);
	fixture_context_end(w.rxc);
	return fixture_end(state);
}

/* ---- breaking and mending ---- */

static UCHAR saved[2][16];
static void *saved_at[2];
static size_t saved_bytes[2];

/* Writes a field, or with mend what was there before. Two fields may be broken at once. */
static void put(unsigned int slot, volatile void *field, const void *value, size_t bytes, bool mend)
{
	CHECK(bytes <= sizeof(saved[slot]));
	if (mend) {
		CHECK(saved_at[slot] == field && saved_bytes[slot] == bytes);
		memcpy((void *)field, saved[slot], bytes);
		return;
	}
	saved_at[slot] = (void *)field;
	saved_bytes[slot] = bytes;
	memcpy(saved[slot], (void *)field, bytes);
	memcpy((void *)field, value, bytes);
}

#define PUT(slot, field, value) \
	do { \
		__typeof__(field) new_ = (value); \
		put(slot, &(field), (const void *)&new_, sizeof(new_), mend); \
	} while (0)

/*
 * The address of an object that was there once. Where freed memory is given out again at once, memory that was never
 * an object's stands for it.
 */
static void *freed_memory(void)
{
	static DECLSPEC_ALIGN(16) UCHAR never[sizeof(FCB) + 4096];
	void *freed = never + 64;

#ifdef __SANITIZE_ADDRESS__
	freed = ExAllocatePoolWithTag(NonPagedPool, sizeof(FCB) + 4096, 'derF');
	CHECK(freed != NULL);
	ExFreePoolWithTag(freed, 'derF');
#endif
	return freed;
}

struct breakage {
	const char *rule;
	const char *text; /* part of what the finding says */
	const char *name; /* that it gives; NULL: none */
	enum rx_check_mode mode;
	void (*apply)(bool mend);
};

#define THE_FILE "\\dir\\file"
#define THE_SHARE "\\server\\share"

static void list_back(bool mend)
{
	PUT(0, w.first->FobxQLinks.Blink, &w.own->FobxList);
}
static void list_null(bool mend)
{
	PUT(0, w.allocated->FobxQLinks.Flink, NULL);
}
static void list_head(bool mend)
{
	PUT(0, w.fcb->SrvOpenList.Blink, &w.in_fcb->SrvOpenQLinks);
}
static void list_views(bool mend)
{
	PUT(0, w.nr->VirtualNetRoots.Blink, NULL);
}
static void list_bucket(bool mend)
{
	PUT(0, w.fcb->FcbTableEntry.HashLinks.Blink, NULL);
}
static void list_orphans(bool mend)
{
	PUT(0, w.orphan->FcbTableEntry.HashLinks.Blink, NULL);
}
static void list_members(bool mend)
{
	PUT(0, w.sc->PrefixEntry.MemberQLinks.Blink, NULL);
}
static void list_names(bool mend)
{
	PUT(0, w.sc->PrefixEntry.HashLinks.Blink, NULL);
}

static void memory_view(bool mend)
{
	PUT(0, w.nr->VirtualNetRoots.Flink, &((PV_NET_ROOT)freed_memory())->NetRootListEntry);
}
static void memory_fcb(bool mend)
{
	PUT(0, w.fcb->FcbTableEntry.HashLinks.Flink, &((PFCB)freed_memory())->FcbTableEntry.HashLinks);
}
static void memory_srv_open(bool mend)
{
	PUT(0, w.fcb->SrvOpenList.Flink, &((PSRV_OPEN)freed_memory())->SrvOpenQLinks);
}
static void memory_fobx(bool mend)
{
	PUT(0, w.in_fcb->FobxList.Flink, &((PFOBX)freed_memory())->FobxQLinks);
}
static void memory_place_in_fcb(bool mend)
{
	PUT(0, w.fcb->FcbState, w.fcb->FcbState & ~(ULONG)FCB_STATE_FOBX_USED);
}
static void memory_place_of_srv_open(bool mend)
{
	PUT(0, w.fcb->FcbState, w.fcb->FcbState & ~(ULONG)FCB_STATE_SRVOPEN_USED);
}
static void memory_place_in_srv_open(bool mend)
{
	PUT(0, w.own->Flags, w.own->Flags & ~(ULONG)SRVOPEN_FLAG_FOBX_USED);
}
static void memory_server(bool mend)
{
	PUT(0, w.nr->pSrvCall, (PMRX_SRV_CALL)freed_memory());
}
static void memory_share(bool mend)
{
	PUT(0, w.vnr->pNetRoot, (PMRX_NET_ROOT)freed_memory());
}
static void memory_named(bool mend)
{
	PUT(0, w.vnr->PrefixEntry.ContainingRecord, freed_memory());
}

static void type_named(bool mend)
{
	PUT(0, w.other->NodeTypeCode, RDBSS_NTC_FOBX);
}
static void type_fcb(bool mend)
{
	PUT(0, w.fcb->Header.NodeTypeCode, RDBSS_NTC_FOBX);
}
static void type_srv_open(bool mend)
{
	PUT(0, w.own->NodeTypeCode, NTC_UNDEFINED); /* as a finalized one is */
}
static void type_fobx(bool mend)
{
	PUT(0, w.first->NodeTypeCode, NTC_UNDEFINED);
}

static void parent_server(bool mend)
{
	PUT(0, w.nr->pSrvCall, (PMRX_SRV_CALL)w.vnr);
}
static void parent_share(bool mend)
{
	PUT(0, w.vnr->pNetRoot, w.other->pNetRoot);
}
static void parent_share_type(bool mend)
{
	PUT(0, w.vnr->pNetRoot, (PMRX_NET_ROOT)w.sc);
}
static void parent_default_view(bool mend)
{
	PUT(0, w.nr->DefaultVNetRoot, w.other);
}
static void parent_no_default_view(bool mend)
{
	PUT(0, w.nr->DefaultVNetRoot, NULL);
}
static void parent_fcb(bool mend)
{
	PUT(0, w.fcb->pNetRoot, w.other->pNetRoot);
}
static void parent_non_paged(bool mend)
{
	PUT(0, w.fcb->NonPaged->FcbBackPointer, w.orphan);
}
static void parent_srv_open(bool mend)
{
	PUT(0, w.own->pFcb, &w.orphan->Mrx);
}
static void parent_view(bool mend)
{
	PUT(0, w.own->pVNetRoot, &w.other->Mrx);
}
static void parent_fobx(bool mend)
{
	PUT(0, w.first->pSrvOpen, &w.own->Mrx);
}
static void parent_device(bool mend)
{
	PUT(0, w.sc->RxDeviceObject, NULL);
}

static void count_server(bool mend)
{
	PUT(0, w.sc->NodeReferenceCount, w.sc->NodeReferenceCount - 1);
}
static void count_share(bool mend)
{
	PUT(0, w.nr->NodeReferenceCount, w.nr->NodeReferenceCount - 1);
}
static void count_view(bool mend)
{
	PUT(0, w.vnr->NodeReferenceCount, 0);
}
static void count_fcb(bool mend)
{
	PUT(0, w.fcb->NodeReferenceCount, 2); /* table, and two SRV_OPENs */
}
static void count_orphan(bool mend)
{
	PUT(0, w.orphan->NodeReferenceCount, 1); /* two file objects */
}
static void count_srv_open(bool mend)
{
	PUT(0, w.in_fcb->NodeReferenceCount, 1); /* two FOBXs */
}
static void count_view_exactly(bool mend)
{
	PUT(0, w.vnr->NodeReferenceCount, w.vnr->NodeReferenceCount - 2); /* the SRV_OPENs' are missing */
}
static void count_leaked(bool mend)
{
	PUT(0, w.fcb->NodeReferenceCount, w.fcb->NodeReferenceCount + 1);
}
static void count_fobx(bool mend)
{
	PUT(0, w.first->NodeReferenceCount, 2);
}

static void names_entry(bool mend)
{
	PUT(0, w.vnr->PrefixEntry.ContainingRecord, w.other);
}
static void names_count(bool mend)
{
	PUT(0, w.vnr->PrefixEntry.ContainerRefCount, NULL);
}
static void names_hash(bool mend)
{
	PUT(0, w.sc->PrefixEntry.SavedHashValue, w.sc->PrefixEntry.SavedHashValue + 1);
}
static void names_number(bool mend)
{
	PRX_PREFIX_TABLE table = recorder_device->pRxNetNameTable;

	PUT(0, table->EntryCount, table->EntryCount + 1);
}

static void files_hash(bool mend)
{
	PUT(0, w.fcb->FcbTableEntry.HashValue, w.fcb->FcbTableEntry.HashValue ^ 1);
}
static void files_path(bool mend)
{
	PUT(0, w.fcb->PrivateAlreadyPrefixedName.Length, sizeof(WCHAR) * 4);
}
static void files_number(bool mend)
{
	PUT(0, w.nr->FcbTable.NumberOfEntries, 2);
}

static void numbers_views(bool mend)
{
	PUT(0, w.nr->NumberOfVirtualNetRoots, 0);
}
static void numbers_fcbs(bool mend)
{
	PUT(0, w.nr->NumberOfFcbs, 1);
}
static void numbers_srv_opens(bool mend)
{
	PUT(0, w.nr->NumberOfSrvOpens, 3);
}
static void numbers_of_view(bool mend)
{
	PUT(0, w.vnr->NumberOfSrvOpens, 1);
}
static void numbers_fobxs(bool mend)
{
	PUT(0, w.vnr->NumberOfFobxs, 4);
}
static void numbers_active(bool mend)
{
	PUT(0, recorder_device->NumberOfActiveFcbs, 7);
}

static void state_none(bool mend)
{
	PUT(0, w.own->Condition, (RX_BLOCK_CONDITION)77);
}
static void state_in_transition(bool mend)
{
	PUT(0, w.nr->Condition, Condition_InTransition);
}
static void state_closed_in_table(bool mend)
{
	PUT(0, w.vnr->Condition, Condition_Closed);
}
static void state_finalized_in_table(bool mend)
{
	PUT(0, w.sc->UpperFinalizationDone, TRUE);
}
static void state_good_without_name(bool mend)
{
	PUT(0, w.gone->Condition, Condition_Good);
}
static void state_not_orphaned(bool mend)
{
	PUT(0, w.gone->UpperFinalizationDone, FALSE);
}
static void state_call_down(bool mend)
{
	PUT(0, w.sc->CallDownDone, TRUE);
}
static void state_in_progress(bool mend)
{
	PUT(0, w.nr->Flags, w.nr->Flags | NETROOT_FLAG_FINALIZATION_IN_PROGRESS);
}
static void state_listed_view(bool mend)
{
	PUT(0, w.vnr->ConnectionFinalizationDone, TRUE);
}
static void state_fcb_stage(bool mend)
{
	PUT(0, w.fcb->UpperFinalizationDone, TRUE);
}
static void state_fcb_orphaned(bool mend)
{
	PUT(0, w.fcb->FcbState, w.fcb->FcbState | FCB_STATE_ORPHANED);
}
static void state_orphan_name(bool mend)
{
	PUT(0, w.orphan->FcbState, w.orphan->FcbState & ~(ULONG)FCB_STATE_NAME_ALREADY_REMOVED);
}
static void state_srv_open(bool mend)
{
	PUT(0, w.own->UpperFinalizationDone, TRUE);
}
static void state_srv_open_place(bool mend)
{
	PUT(0, w.own->Flags, w.own->Flags | SRVOPEN_FLAG_ENCLOSED_ALLOCATED);
}
static void state_fobx(bool mend)
{
	PUT(0, w.first->UpperFinalizationDone, TRUE);
}
static void state_fobx_place(bool mend)
{
	PUT(0, w.allocated->Flags, w.allocated->Flags | FOBX_FLAG_ENCLOSED_ALLOCATED);
}

static void opens_unclean(bool mend)
{
	PUT(0, w.orphan->UncleanCount, 3);
}
static void opens_srv_open(bool mend)
{
	PUT(0, w.in_fcb->OpenCount, 3);
}
static void opens_given_back(bool mend)
{
	PUT(0, w.own->OpenCount, 1);
	PUT(1, w.of_own->fOpenCountDecremented, TRUE);
}
static void opens_unclean_fobx(bool mend)
{
	PUT(0, w.own->UncleanFobxCount, 2);
}
static void opens_sum(bool mend)
{
	PUT(0, w.own->UncleanFobxCount, 1);
}

static const struct breakage breakages[] = {
	{"list", "FobxList", THE_FILE, RX_CHECK_LIVE, list_back},
	{"list", "FobxList", THE_FILE, RX_CHECK_LIVE, list_null},
	{"list", "SrvOpenList ends", THE_FILE, RX_CHECK_LIVE, list_head},
	{"list", "VirtualNetRoots", THE_SHARE, RX_CHECK_LIVE, list_views},
	{"list", "bucket of the FCB table", THE_SHARE, RX_CHECK_LIVE, list_bucket},
	{"list", "OrphanedFcbs", THE_SHARE, RX_CHECK_LIVE, list_orphans},
	{"list", "MemberQueue", NULL, RX_CHECK_LIVE, list_members},
	{"list", "bucket of the name table", NULL, RX_CHECK_LIVE, list_names},
	{"memory", "VirtualNetRoots", THE_SHARE, RX_CHECK_LIVE, memory_view},
	{"memory", "bucket of the FCB table", THE_SHARE, RX_CHECK_LIVE, memory_fcb},
	{"memory", "SrvOpenList", THE_FILE, RX_CHECK_LIVE, memory_srv_open},
	{"memory", "FobxList", THE_FILE, RX_CHECK_LIVE, memory_fobx},
	{"memory", "its place in its FCB is free", THE_FILE, RX_CHECK_LIVE, memory_place_in_fcb},
	{"memory", "its place in its FCB is free", THE_FILE, RX_CHECK_LIVE, memory_place_of_srv_open},
	{"memory", "its place in its SRV_OPEN is free", THE_FILE, RX_CHECK_LIVE, memory_place_in_srv_open},
	{"memory", "pSrvCall", THE_SHARE, RX_CHECK_LIVE, memory_server},
	{"memory", "pNetRoot", THE_SHARE, RX_CHECK_LIVE, memory_share},
	{"memory", "the object of a name", THE_SHARE, RX_CHECK_LIVE, memory_named},
	{"type", "an object with a name", "\\server\\second", RX_CHECK_LIVE, type_named},
	{"type", "an FCB", THE_FILE, RX_CHECK_LIVE, type_fcb},
	{"type", "a SRV_OPEN", THE_FILE, RX_CHECK_LIVE, type_srv_open},
	{"type", "a FOBX", THE_FILE, RX_CHECK_LIVE, type_fobx},
	{"parent", "pSrvCall", THE_SHARE, RX_CHECK_LIVE, parent_server},
	{"parent", "pNetRoot", THE_SHARE, RX_CHECK_LIVE, parent_share},
	{"parent", "pNetRoot", THE_SHARE, RX_CHECK_LIVE, parent_share_type},
	{"parent", "DefaultVNetRoot", THE_SHARE, RX_CHECK_LIVE, parent_default_view},
	{"parent", "DefaultVNetRoot", THE_SHARE, RX_CHECK_LIVE, parent_no_default_view},
	{"parent", "pNetRoot", THE_FILE, RX_CHECK_LIVE, parent_fcb},
	{"parent", "non-paged", THE_FILE, RX_CHECK_LIVE, parent_non_paged},
	{"parent", "pFcb", THE_FILE, RX_CHECK_LIVE, parent_srv_open},
	{"parent", "pVNetRoot", THE_FILE, RX_CHECK_LIVE, parent_view},
	{"parent", "pSrvOpen", THE_FILE, RX_CHECK_LIVE, parent_fobx},
	{"parent", "RxDeviceObject", "\\server", RX_CHECK_LIVE, parent_device},
	{"count", "explained are 4", "\\server", RX_CHECK_LIVE, count_server},
	{"count", "explained are 4", THE_SHARE, RX_CHECK_LIVE, count_share},
	{"count", "NodeReferenceCount is 0", THE_SHARE, RX_CHECK_LIVE, count_view},
	{"count", "explained are 3", THE_FILE, RX_CHECK_LIVE, count_fcb},
	{"count", "explained are 2", "\\orphan", RX_CHECK_LIVE, count_orphan},
	{"count", "explained are 2", THE_FILE, RX_CHECK_LIVE, count_srv_open},
	{"count", "NodeReferenceCount is 2", THE_SHARE, RX_CHECK_QUIET, count_view_exactly},
	{"count", "NodeReferenceCount is 5", THE_FILE, RX_CHECK_QUIET, count_leaked},
	{"count", "NodeReferenceCount is 2", THE_FILE, RX_CHECK_QUIET, count_fobx},
	{"names", "is not its object's", THE_SHARE, RX_CHECK_LIVE, names_entry},
	{"names", "is not its object's", THE_SHARE, RX_CHECK_LIVE, names_count},
	{"names", "does not find it", "\\server", RX_CHECK_LIVE, names_hash},
	{"names", "EntryCount", NULL, RX_CHECK_LIVE, names_number},
	{"files", "does not find it", THE_FILE, RX_CHECK_LIVE, files_hash},
	{"files", "another one: " THE_FILE, "\\dir", RX_CHECK_LIVE, files_path},
	{"files", "NumberOfEntries", THE_SHARE, RX_CHECK_LIVE, files_number},
	{"numbers", "NumberOfVirtualNetRoots", THE_SHARE, RX_CHECK_LIVE, numbers_views},
	{"numbers", "NumberOfFcbs", THE_SHARE, RX_CHECK_LIVE, numbers_fcbs},
	{"numbers", "NumberOfSrvOpens", THE_SHARE, RX_CHECK_QUIET, numbers_srv_opens},
	{"numbers", "NumberOfSrvOpens", THE_SHARE, RX_CHECK_QUIET, numbers_of_view},
	{"numbers", "NumberOfFobxs", THE_SHARE, RX_CHECK_QUIET, numbers_fobxs},
	{"numbers", "NumberOfActiveFcbs", NULL, RX_CHECK_QUIET, numbers_active},
	{"state", "Condition is 77", THE_FILE, RX_CHECK_LIVE, state_none},
	{"state", "nobody is at work", THE_SHARE, RX_CHECK_QUIET, state_in_transition},
	{"state", "still in the name table", THE_SHARE, RX_CHECK_LIVE, state_closed_in_table},
	{"state", "still in the name table", "\\server", RX_CHECK_LIVE, state_finalized_in_table},
	{"state", "still good", "\\server\\third", RX_CHECK_QUIET, state_good_without_name},
	{"state", "not orphaned", "\\server\\third", RX_CHECK_LIVE, state_not_orphaned},
	{"state", "its driver was told", "\\server", RX_CHECK_LIVE, state_call_down},
	{"state", "never ended", THE_SHARE, RX_CHECK_LIVE, state_in_progress},
	{"state", "still listed by its share", THE_SHARE, RX_CHECK_LIVE, state_listed_view},
	{"state", "in the FCB table, and UpperFinalizationDone", THE_FILE, RX_CHECK_LIVE, state_fcb_stage},
	{"state", "in the FCB table, and FcbState", THE_FILE, RX_CHECK_LIVE, state_fcb_orphaned},
	{"state", "out of the FCB table", "\\orphan", RX_CHECK_LIVE, state_orphan_name},
	{"state", "still listed", THE_FILE, RX_CHECK_LIVE, state_srv_open},
	{"state", "type and flags", THE_FILE, RX_CHECK_LIVE, state_srv_open_place},
	{"state", "still listed", THE_FILE, RX_CHECK_LIVE, state_fobx},
	{"state", "FOBX_FLAG_ENCLOSED_ALLOCATED", THE_FILE, RX_CHECK_LIVE, state_fobx_place},
	{"opens", "UncleanCount 3", "\\orphan", RX_CHECK_LIVE, opens_unclean},
	{"opens", "OpenCount is 3", THE_FILE, RX_CHECK_LIVE, opens_srv_open},
	{"opens", "OpenCount is 1", THE_FILE, RX_CHECK_LIVE, opens_given_back},
	{"opens", "UncleanFobxCount is 2", THE_FILE, RX_CHECK_LIVE, opens_unclean_fobx},
	{"opens", "of its SRV_OPENs 1", THE_FILE, RX_CHECK_LIVE, opens_sum},
};

/* ---- what the checker says ---- */

struct expectation {
	const struct breakage *broken;
	unsigned int found;
};

static void look(void *arg, const struct rx_check_finding *finding)
{
	struct expectation *e = arg;
	char line[512];

	if (strcmp(finding->rule, e->broken->rule) != 0 || strstr(finding->text, e->broken->text) == NULL ||
	    strcmp(finding->name, e->broken->name != NULL ? e->broken->name : "") != 0)
		return;
	e->found++;
	(void)rx_check_format(finding, line, sizeof(line));
	CHECK(strstr(line, finding->rule) != NULL && strstr(line, finding->text) != NULL);
	CHECK(finding->name[0] == 0 || strstr(line, finding->name) != NULL);
	CHECK(e->broken->name == NULL || finding->id != 0);
}

static void expect_finding(const struct breakage *broken)
{
	struct expectation e = {.broken = broken};
	unsigned int found;

	broken->apply(false);
	found = rx_check_objects(recorder_device, broken->mode, look, &e, NULL);
	if (e.found == 0) {
		fprintf(stderr, "not noticed: %s, %s\n", broken->rule, broken->text);
		(void)rx_check_objects(recorder_device, broken->mode, rx_check_print, NULL, NULL);
	}
	CHECK(e.found > 0 && found >= e.found);
	broken->apply(true);
	fixture_check_objects();
}

static void expect_findings_of(const char *rule, unsigned int least)
{
	unsigned int tried = 0;

	for (size_t i = 0; i < RTL_NUMBER_OF(breakages); i++) {
		if (strcmp(breakages[i].rule, rule) != 0)
			continue;
		expect_finding(&breakages[i]);
		tried++;
	}
	CHECK(tried >= least);
}

/* A list that does not lead forward and back to its head is found, and not walked. */
static void test_rule_list(void **state)
{
	(void)state;
	expect_findings_of("list", 8);
}

/* What was freed, or is free for the next use, and can still be reached is found, and not looked into. */
static void test_rule_memory(void **state)
{
	(void)state;
	expect_findings_of("memory", 10);
}

static void test_rule_type(void **state)
{
	(void)state;
	expect_findings_of("type", 4);
}

/* Children and parents name each other. */
static void test_rule_parent(void **state)
{
	(void)state;
	expect_findings_of("parent", 11);
}

/* A count below what the hierarchy explains, and, when all is quiet, one above it. */
static void test_rule_count(void **state)
{
	(void)state;
	expect_findings_of("count", 9);
}

static void test_rule_names(void **state)
{
	(void)state;
	expect_findings_of("names", 4);
}

static void test_rule_files(void **state)
{
	(void)state;
	expect_findings_of("files", 3);
}

static void test_rule_numbers(void **state)
{
	(void)state;
	expect_findings_of("numbers", 6);
}

static void test_rule_state(void **state)
{
	(void)state;
	expect_findings_of("state", 16);
}

static void test_rule_opens(void **state)
{
	(void)state;
	expect_findings_of("opens", 5);
}

/* ---- the scavenger ---- */

static void scavenger_count(bool mend)
{
	PUT(0, recorder_device->pRdbssScavenger->SrvOpensToBeFinalized, 1);
}
static void scavenger_dormant_count(bool mend)
{
	PUT(0, recorder_device->pRdbssScavenger->NumberOfDormantFiles, 3);
}
static void scavenger_flag(bool mend)
{
	PUT(0, w.first->Flags, w.first->Flags & ~(ULONG)FOBX_FLAG_MARKED_AS_DORMANT);
}
static void scavenger_type(bool mend)
{
	PUT(0, w.first->NodeTypeCode, NTC_UNDEFINED);
}
static void scavenger_list(bool mend)
{
	PUT(0, w.first->ClosePendingList.Blink, NULL);
}

/* What waits for the scavenger is counted, alive, and says so itself. */
static void test_rule_scavenger(void **state)
{
	static const struct breakage broken[] = {
		{"scavenger", "SrvOpenFinalizationList", NULL, RX_CHECK_LIVE, scavenger_count},
		{"scavenger", "ClosePendingFobxsList", NULL, RX_CHECK_LIVE, scavenger_dormant_count},
		{"scavenger", "its close is delayed", NULL, RX_CHECK_LIVE, scavenger_flag},
		{"scavenger", "an object of type 0", NULL, RX_CHECK_LIVE, scavenger_type},
		{"list", "ClosePendingFobxsList", NULL, RX_CHECK_LIVE, scavenger_list},
	};
	RX_RDBSS_STATE before = recorder_device->StartStopContext.State;

	(void)state;
	recorder_device->StartStopContext.State = RDBSS_STARTED;
	CHECK_EQUAL(RxAcquireExclusiveFcb(w.rxc, w.fcb), STATUS_SUCCESS);
	CHECK(rx_scavenger_delay_close(w.first));
	RxReleaseFcb(w.rxc, w.fcb);
	for (size_t i = 0; i < RTL_NUMBER_OF(broken); i++)
		expect_finding(&broken[i]);
	rx_scavenger_unmark(w.first);
	recorder_device->StartStopContext.State = before;
}

/* ---- modes and answers ---- */

static KEVENT held, let_go;

static void hold_fcb(void *context)
{
	(void)context;
	CHECK_EQUAL(RxAcquireExclusiveFcb(NULL, w.fcb), STATUS_SUCCESS);
	KeSetEvent(&held, 0, FALSE);
	(void)KeWaitForSingleObject(&let_go, Executive, KernelMode, FALSE, NULL);
	RxReleaseFcb(NULL, w.fcb);
}

/* A file that a request holds is counted as busy, and its lists and counts are checked all the same. */
static void test_busy_file(void **state)
{
	static const struct breakage under_leaf[] = {
		{"count", "explained are 3", THE_FILE, RX_CHECK_LIVE, count_fcb},
		{"count", "FOBXs are 2", THE_FILE, RX_CHECK_LIVE, count_srv_open},
		{"list", "FobxList", THE_FILE, RX_CHECK_LIVE, list_back},
		{"parent", "pSrvOpen", THE_FILE, RX_CHECK_LIVE, parent_fobx},
	};
	struct rx_check_summary summary;
	struct nt_thread *holder;

	(void)state;
	CHECK_EQUAL(rx_check_objects(recorder_device, RX_CHECK_LIVE, NULL, NULL, &summary), 0);
	/* server, three shares, three views, two FCBs, two SRV_OPENs, three FOBXs */
	CHECK_EQUAL(summary.objects, 14);
	CHECK_EQUAL(summary.busy, 0);
	KeInitializeEvent(&held, NotificationEvent, FALSE);
	KeInitializeEvent(&let_go, NotificationEvent, FALSE);
	CHECK_EQUAL(nt_thread_create("holder", hold_fcb, NULL, &holder), STATUS_SUCCESS);
	(void)KeWaitForSingleObject(&held, Executive, KernelMode, FALSE, NULL);
	CHECK_EQUAL(rx_check_objects(recorder_device, RX_CHECK_LIVE, NULL, NULL, &summary), 0);
	CHECK_EQUAL(summary.busy, 1);
	for (size_t i = 0; i < RTL_NUMBER_OF(under_leaf); i++)
		expect_finding(&under_leaf[i]);
	KeSetEvent(&let_go, 0, FALSE);
	nt_thread_join(holder);
}

/* The answer to FSCTL_RX_CHECK_OBJECTS: the summary, as many findings as fit, and the honest status. */
static void test_query(void **state)
{
	struct {
		struct rx_check_summary summary;
		struct rx_check_finding findings[4];
	} answer;
	ULONG_PTR written = 0;

	(void)state;
	CHECK_EQUAL((ULONG)rx_query_check(recorder_device, &answer, sizeof(answer), &written),
		    STATUS_SUCCESS);
	CHECK_EQUAL(written, sizeof(answer.summary));
	CHECK_EQUAL(answer.summary.findings, 0);
	CHECK_EQUAL(answer.summary.objects, 14);
	count_fcb(false);
	CHECK_EQUAL((ULONG)rx_query_check(recorder_device, &answer, sizeof(answer), &written),
		    STATUS_SUCCESS);
	CHECK_EQUAL(written, sizeof(answer.summary) + sizeof(answer.findings[0]));
	CHECK_EQUAL(answer.summary.findings, 1);
	CHECK_EQUAL(answer.summary.returned, 1);
	CHECK_EQUAL(answer.findings[0].id, (ULONG_PTR)w.fcb);
	CHECK_EQUAL(answer.findings[0].kind, RX_OBJECT_FCB);
	CHECK(strcmp(answer.findings[0].rule, "count") == 0);
	CHECK(strcmp(answer.findings[0].name, THE_FILE) == 0);
	CHECK_EQUAL((ULONG)rx_query_check(recorder_device, &answer, sizeof(answer.summary), &written),
		    (ULONG)STATUS_BUFFER_OVERFLOW);
	CHECK_EQUAL(answer.summary.findings, 1);
	CHECK_EQUAL(answer.summary.returned, 0);
	CHECK_EQUAL((ULONG)rx_query_check(recorder_device, &answer, 8, &written),
		    (ULONG)STATUS_BUFFER_TOO_SMALL);
	CHECK_EQUAL(written, 0);
	count_fcb(true);
}

#define CHECKER_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHECKER_TEST(test_rule_list),      CHECKER_TEST(test_rule_memory),
		CHECKER_TEST(test_rule_type),      CHECKER_TEST(test_rule_parent),
		CHECKER_TEST(test_rule_count),     CHECKER_TEST(test_rule_names),
		CHECKER_TEST(test_rule_files),     CHECKER_TEST(test_rule_numbers),
		CHECKER_TEST(test_rule_state),     CHECKER_TEST(test_rule_opens),
		CHECKER_TEST(test_rule_scavenger), CHECKER_TEST(test_busy_file),
		CHECKER_TEST(test_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

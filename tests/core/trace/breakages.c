/*
 * breakages.c - see breakages.h.
 */
#include "core/trace/breakages.h"

#include "nt_exec.h"

struct world w;

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

int breakages_begin(void **state)
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

int breakages_end(void **state)
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

void breakage_put(unsigned int slot, volatile void *field, const void *value, size_t bytes, bool mend)
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

void break_list_back(bool mend)
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
void break_parent_fobx(bool mend)
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
void break_count_fcb(bool mend)
{
	PUT(0, w.fcb->NodeReferenceCount, 2); /* table, and two SRV_OPENs */
}
static void count_orphan(bool mend)
{
	PUT(0, w.orphan->NodeReferenceCount, 1); /* two file objects */
}
void break_count_srv_open(bool mend)
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

const struct breakage breakages[] = {
	{"list", "FobxList", THE_FILE, RX_CHECK_LIVE, break_list_back},
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
	{"parent", "pSrvOpen", THE_FILE, RX_CHECK_LIVE, break_parent_fobx},
	{"parent", "RxDeviceObject", "\\server", RX_CHECK_LIVE, parent_device},
	{"count", "explained are 4", "\\server", RX_CHECK_LIVE, count_server},
	{"count", "explained are 4", THE_SHARE, RX_CHECK_LIVE, count_share},
	{"count", "NodeReferenceCount is 0", THE_SHARE, RX_CHECK_LIVE, count_view},
	{"count", "explained are 3", THE_FILE, RX_CHECK_LIVE, break_count_fcb},
	{"count", "explained are 2", "\\orphan", RX_CHECK_LIVE, count_orphan},
	{"count", "explained are 2", THE_FILE, RX_CHECK_LIVE, break_count_srv_open},
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

const size_t breakages_count = RTL_NUMBER_OF(breakages);

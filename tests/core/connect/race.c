/*
 * race.c - see race.h.
 */
#include "race.h"

#include "core/support/fixture.h"

#include "core/context/context.h"
#include "nt_exec.h"

#define MAX_THREADS 16

struct racer {
	struct nt_thread *thread;
	KEVENT *go;
	PV_NET_ROOT vnr;
	NTSTATUS status;
	unsigned int rounds;
	PV_NET_ROOT shared; /* of the open and close race */
};

static void run_all(struct racer *racers, unsigned int count, void (*fn)(void *))
{
	KEVENT go;

	CHECK(count <= MAX_THREADS);
	KeInitializeEvent(&go, NotificationEvent, FALSE);
	for (unsigned int i = 0; i < count; i++) {
		racers[i].go = &go;
		CHECK_EQUAL(nt_thread_create("racer", fn, &racers[i], &racers[i].thread), STATUS_SUCCESS);
	}
	KeSetEvent(&go, 0, FALSE);
	for (unsigned int i = 0; i < count; i++)
		nt_thread_join(racers[i].thread);
}

static void wait_for_go(struct racer *r)
{
	(void)KeWaitForSingleObject(r->go, Executive, KernelMode, FALSE, NULL);
}

static void connect_once(void *arg)
{
	FIXTURE_NAME(name, u"\\server\\share\\file");
	struct racer *r = arg;

	wait_for_go(r);
	r->vnr = fixture_connect(&name, &r->status);
}

void race_connect(unsigned int threads)
{
	struct racer racers[MAX_THREADS] = {{0}};

	recorder_reset();
	recorder_set_answer(REC_ANSWER_LATER);
	run_all(racers, threads, connect_once);

	for (unsigned int i = 0; i < threads; i++) {
		CHECK_EQUAL(racers[i].status, STATUS_SUCCESS);
		CHECK(racers[i].vnr == racers[0].vnr);
	}
	CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
	CHECK_EQUAL(recorder.count[REC_WINNER_NOTIFY], 1);
	CHECK_EQUAL(recorder.count[REC_CREATE_V_NET_ROOT], 1);
	CHECK_EQUAL(racers[0].vnr->NodeReferenceCount, threads + 1);
	fixture_check_objects();
	for (unsigned int i = 0; i < threads; i++)
		fixture_disconnect(racers[i].vnr);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], 1);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_NET_ROOT], 1);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], 1);
}

static void connect_and_let_go(void *arg)
{
	FIXTURE_NAME(name, u"\\server\\share\\file");
	struct racer *r = arg;

	wait_for_go(r);
	for (unsigned int i = 0; i < r->rounds; i++) {
		PV_NET_ROOT vnr = fixture_connect(&name, &r->status);

		CHECK_EQUAL(r->status, STATUS_SUCCESS);
		CHECK(NodeType(vnr) == RDBSS_NTC_V_NETROOT && NodeType(vnr->pNetRoot) == RDBSS_NTC_NETROOT);
		CHECK(NodeType(vnr->pNetRoot->pSrvCall) == RDBSS_NTC_SRVCALL);
		/* with and without the lock: finalized here, or by the scavenger */
		if (i % 3 == 0)
			RxDereferenceVNetRoot(vnr, LHS_LockNotHeld);
		else
			fixture_disconnect(vnr);
	}
}

void race_finalize_against_lookup(unsigned int threads, unsigned int rounds)
{
	struct racer racers[MAX_THREADS] = {{0}};

	recorder_reset();
	recorder_set_answer(REC_ANSWER_LATER);
	for (unsigned int i = 0; i < threads; i++)
		racers[i].rounds = rounds;
	run_all(racers, threads, connect_and_let_go);

	/* what the last dereference only marked is taken away by looking it up once more */
	racers[0].rounds = 2;
	run_all(racers, 1, connect_and_let_go);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], recorder.count[REC_CREATE_SRV_CALL]);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], recorder.count[REC_CREATE_V_NET_ROOT]);
	/* a share may outlive a view and get another one */
	CHECK(recorder.count[REC_FINALIZE_NET_ROOT] >= recorder.count[REC_FINALIZE_SRV_CALL]);
	CHECK(recorder.count[REC_FINALIZE_NET_ROOT] <= recorder.count[REC_FINALIZE_V_NET_ROOT]);
}

static void open_and_close(void *arg)
{
	FIXTURE_NAME(name, u"\\dir\\file");
	struct racer *r = arg;
	PRX_CONTEXT rxc = fixture_context();

	wait_for_go(r);
	for (unsigned int i = 0; i < r->rounds; i++) {
		PFCB fcb = fixture_fcb(rxc, r->shared, &name);
		PSRV_OPEN so = RxCreateSrvOpen(r->shared, fcb);
		PFOBX fobx;

		CHECK(so != NULL && !fcb->UpperFinalizationDone);
		so->Condition = Condition_Good;
		fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);
		CHECK(fobx != NULL);
		RxReleaseFcb(rxc, fcb);

		CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
		RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
		RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
		rxc->pFobx = NULL;
		(void)fixture_fcb_end(rxc, fcb);
	}
	fixture_context_end(rxc);
}

void race_open_close(unsigned int threads, unsigned int rounds)
{
	FIXTURE_NAME(name, u"\\server\\share");
	struct racer racers[MAX_THREADS] = {{0}};
	NTSTATUS status;
	PV_NET_ROOT vnr;

	recorder_reset();
	vnr = fixture_connect(&name, &status);
	CHECK(vnr != NULL);
	for (unsigned int i = 0; i < threads; i++) {
		racers[i].rounds = rounds;
		racers[i].shared = vnr;
	}
	run_all(racers, threads, open_and_close);
	fixture_check_objects();
	CHECK_EQUAL(vnr->pNetRoot->NumberOfFcbs, 0);
	CHECK_EQUAL(vnr->pNetRoot->NumberOfSrvOpens, 0);
	CHECK_EQUAL(vnr->NodeReferenceCount, 2);
	fixture_disconnect(vnr);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
}

/* The FCB of the file, held exclusive, in the table; an FCB that was orphaned meanwhile is let go again. */
static PFCB living_fcb(PRX_CONTEXT rxc, PV_NET_ROOT vnr, PUNICODE_STRING name)
{
	for (;;) {
		PFCB fcb = fixture_fcb(rxc, vnr, name);

		if (!fcb->UpperFinalizationDone)
			return fcb;
		(void)fixture_fcb_end(rxc, fcb);
	}
}

static void open_while_connections_end(void *arg)
{
	FIXTURE_NAME(name, u"\\server\\share");
	FIXTURE_NAME(file, u"\\file");
	struct racer *r = arg;
	PRX_CONTEXT rxc = fixture_context();

	wait_for_go(r);
	for (unsigned int i = 0; i < r->rounds; i++) {
		PV_NET_ROOT vnr = fixture_connect(&name, &r->status);
		PSRV_OPEN so;
		PFOBX fobx;
		PFCB fcb;

		if (vnr == NULL) { /* found while it was being ended */
			CHECK_EQUAL((ULONG)r->status, (ULONG)STATUS_CONNECTION_DISCONNECTED);
			continue;
		}
		fcb = living_fcb(rxc, vnr, &file);
		so = RxCreateSrvOpen(vnr, fcb);
		so->Condition = Condition_Good;
		fobx = (PFOBX)RxCreateNetFobx(rxc, &so->Mrx);
		CHECK(fobx != NULL);
		RxReleaseFcb(rxc, fcb);

		CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
		RxDereferenceNetFobx(fobx, LHS_ExclusiveLockHeld);
		RxDereferenceSrvOpen(so, LHS_ExclusiveLockHeld);
		rxc->pFobx = NULL;
		(void)fixture_fcb_end(rxc, fcb);
		fixture_disconnect(vnr);
	}
	fixture_context_end(rxc);
}

static void force_connections_away(void *arg)
{
	FIXTURE_NAME(name, u"\\server\\share");
	struct racer *r = arg;

	wait_for_go(r);
	for (unsigned int i = 0; i < r->rounds; i++) {
		PV_NET_ROOT vnr = fixture_connect(&name, &r->status);

		if (vnr == NULL)
			continue;
		CHECK_EQUAL(RxFinalizeConnection((PNET_ROOT)vnr->pNetRoot, vnr, TRUE), STATUS_SUCCESS);
		CHECK(vnr->ConnectionFinalizationDone);
		fixture_disconnect(vnr);
	}
}

static void race_forced_end_run(void *arg)
{
	struct racer *r = arg;

	if (r->vnr == NULL)
		open_while_connections_end(r);
	else
		force_connections_away(r);
}

void race_forced_end(unsigned int threads, unsigned int rounds)
{
	static V_NET_ROOT forcer; /* only a mark */
	struct racer racers[MAX_THREADS] = {{0}};

	recorder_reset();
	for (unsigned int i = 0; i < threads; i++) {
		racers[i].rounds = rounds;
		racers[i].vnr = i % 3 == 0 ? &forcer : NULL;
	}
	run_all(racers, threads, race_forced_end_run);
	fixture_check_objects();

	/* what only was marked goes with one more use */
	racers[0] = (struct racer){.rounds = 2};
	run_all(racers, 1, connect_and_let_go);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	CHECK_EQUAL(fixture_names_in_table(), 0);
	CHECK_EQUAL(recorder_device->NumberOfActiveFcbs, 0);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], recorder.count[REC_CREATE_SRV_CALL]);
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], recorder.count[REC_CREATE_V_NET_ROOT]);
}

static void connect_in_vain(void *arg)
{
	FIXTURE_NAME(name, u"\\dead\\share");
	struct racer *r = arg;

	wait_for_go(r);
	for (unsigned int i = 0; i < r->rounds; i++) {
		PRX_CONTEXT rxc = fixture_context();
		UNICODE_STRING rest;

		/* every other request is cancelled before it waits: it may still be the one that asks the server */
		if (r->shared != NULL && i % 2 == 0)
			rx_cancel_context(rxc);
		r->status = RxFindOrConstructVirtualNetRoot(rxc, NULL, &name, NET_ROOT_WILD, &rest);
		CHECK(rxc->Create.pVNetRoot == NULL);
		if (r->status != STATUS_CONNECTION_REFUSED && r->status != STATUS_BAD_NETWORK_NAME)
			CHECK_EQUAL((ULONG)r->status, (ULONG)STATUS_CANCELLED);
		fixture_context_end(rxc);
	}
}

static void race_failures_of(unsigned int threads, unsigned int rounds, NTSTATUS server, NTSTATUS share)
{
	static V_NET_ROOT cancelled; /* only a mark */
	struct racer racers[MAX_THREADS] = {{0}};

	recorder_reset();
	recorder_set_answer(REC_ANSWER_LATER);
	recorder.srv_call_status = server;
	recorder.net_root_status = share;
	for (unsigned int i = 0; i < threads; i++) {
		racers[i].rounds = rounds;
		racers[i].shared = i % 3 == 2 ? &cancelled : NULL;
	}
	run_all(racers, threads, connect_in_vain);
	(void)RxSpinDownMRxDispatcher(recorder_device);
	fixture_check_objects();
	CHECK_EQUAL(recorder.count[REC_FINALIZE_V_NET_ROOT], recorder.count[REC_CREATE_V_NET_ROOT]);
	if (NT_SUCCESS(server)) {
		CHECK_EQUAL(fixture_names_in_table(), 0);
		CHECK_EQUAL(recorder.count[REC_FINALIZE_SRV_CALL], recorder.count[REC_CREATE_SRV_CALL]);
	} else {
		/* asked once, and remembered, however many asked */
		CHECK_EQUAL(recorder.count[REC_CREATE_SRV_CALL], 1);
		CHECK_EQUAL(fixture_names_in_table(), 1);
	}
}

void race_failures(unsigned int threads, unsigned int rounds)
{
	race_failures_of(threads, rounds, STATUS_SUCCESS, STATUS_BAD_NETWORK_NAME);
	race_failures_of(threads, rounds, STATUS_CONNECTION_REFUSED, STATUS_SUCCESS);
}

/*
 * test_check.c - the object checker notices what it is there for: each rule is broken in each of its ways on purpose,
 * the finding names the rule, the object and its name, and the mended objects agree again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/trace/breakages.h"

#include "core/work/work.h"
#include "nt_exec.h"

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

	for (size_t i = 0; i < breakages_count; i++) {
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
		{"count", "explained are 3", THE_FILE, RX_CHECK_LIVE, break_count_fcb},
		{"count", "FOBXs are 2", THE_FILE, RX_CHECK_LIVE, break_count_srv_open},
		{"list", "FobxList", THE_FILE, RX_CHECK_LIVE, break_list_back},
		{"parent", "pSrvOpen", THE_FILE, RX_CHECK_LIVE, break_parent_fobx},
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
	break_count_fcb(false);
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
	break_count_fcb(true);
}

#define CHECKER_TEST(fn) cmocka_unit_test_setup_teardown(fn, breakages_begin, breakages_end)

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

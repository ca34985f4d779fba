/*
 * test_reference_macros.c - the reference macros of fcb.h, and the tracking they do: in checked builds and in retail ones.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/support/check.h"

#include "ntifs.h"
#include "rx.h"

#include "core/object/object.h"
#include "nt_exec.h"

/* ---- the macros, with the routines they call replaced by ones that write down who was called ---- */

static struct {
	char order[8];
	ULONG kind, line;
	PVOID tracked, counted;
	LOCK_HOLDING_STATE held;
} called;

static void note(char what)
{
	size_t length = strlen(called.order);

	CHECK(length < sizeof(called.order) - 1);
	called.order[length] = what;
}

static void spy_track_reference(ULONG kind, PCSTR file, ULONG line, PVOID instance)
{
	CHECK(strstr(file, "test_reference_macros.c") != NULL);
	note('T');
	called.kind = kind;
	called.line = line;
	called.tracked = instance;
}

static BOOLEAN spy_track_dereference(ULONG kind, PCSTR file, ULONG line, PVOID instance)
{
	spy_track_reference(kind, file, line, instance);
	called.order[strlen(called.order) - 1] = 't';
	return TRUE;
}

static void spy_reference(PVOID instance)
{
	note('R');
	called.counted = instance;
}

static void spy_dereference(PVOID instance, LOCK_HOLDING_STATE held)
{
	note('D');
	called.counted = instance;
	called.held = held;
}

static LONG spy_reference_fcb(PFCB fcb)
{
	note('F');
	called.counted = fcb;
	return 41;
}

static LONG spy_dereference_fcb(PFCB fcb)
{
	note('f');
	called.counted = fcb;
	return 42;
}

static BOOLEAN spy_finalize_fcb(PFCB fcb, PRX_CONTEXT rxc, BOOLEAN recursive, BOOLEAN force)
{
	note('Z');
	called.counted = fcb;
	return (BOOLEAN)(rxc == NULL && recursive && !force);
}

static bool was(const char *order, ULONG kind, PVOID instance)
{
	bool right = strcmp(called.order, order) == 0 && called.kind == kind && called.line != 0 &&
		     called.tracked == instance && called.counted == instance;

	memset(&called, 0, sizeof(called));
	return right;
}

#define RxpTrackReference spy_track_reference
#define RxpTrackDereference spy_track_dereference
#define RxReference spy_reference
#define RxDereference spy_dereference
#define RxpReferenceNetFcb spy_reference_fcb
#define RxpDereferenceNetFcb spy_dereference_fcb
#define RxpDereferenceAndFinalizeNetFcb spy_finalize_fcb

/* Each tracks first, under the kind of the object, and then counts. */
static void test_B_RxReferenceXxx_macros_01_references(void **state)
{
	PVOID x = &called;

	(void)state;
	RxReferenceSrvCall(x);
	CHECK(was("TR", RDBSS_REF_TRACK_SRVCALL, x));
	RxReferenceSrvCallAtDpc(x);
	CHECK(was("TR", RDBSS_REF_TRACK_SRVCALL, x));
	RxReferenceNetRoot(x);
	CHECK(was("TR", RDBSS_REF_TRACK_NETROOT, x));
	RxReferenceVNetRoot(x);
	CHECK(was("TR", RDBSS_REF_TRACK_VNETROOT, x));
	RxReferenceSrvOpen(x);
	CHECK(was("TR", RDBSS_REF_TRACK_SRVOPEN, x));
	RxReferenceNetFobx(x);
	CHECK(was("TR", RDBSS_REF_TRACK_NETFOBX, x));
	CHECK_EQUAL(RxReferenceNetFcb(x), 41);
	CHECK(was("TF", RDBSS_REF_TRACK_NETFCB, x));
}

#define DEREFERENCED(macro, kind) \
	do { \
		macro(x, LHS_SharedLockHeld); \
		CHECK_EQUAL(called.held, LHS_SharedLockHeld); \
		CHECK(was("tD", (kind), x)); \
	} while (0)

static void test_B_RxReferenceXxx_macros_02_dereferences(void **state)
{
	PVOID x = &called;

	(void)state;
	DEREFERENCED(RxDereferenceSrvCall, RDBSS_REF_TRACK_SRVCALL);
	DEREFERENCED(RxDereferenceNetRoot, RDBSS_REF_TRACK_NETROOT);
	DEREFERENCED(RxDereferenceVNetRoot, RDBSS_REF_TRACK_VNETROOT);
	DEREFERENCED(RxDereferenceSrvOpen, RDBSS_REF_TRACK_SRVOPEN);
	DEREFERENCED(RxDereferenceNetFobx, RDBSS_REF_TRACK_NETFOBX);
}

/* Of an FCB: the count, and whether it is gone. */
static void test_B_RxReferenceXxx_macros_03_values(void **state)
{
	PVOID x = &called;

	(void)state;
	CHECK_EQUAL(RxDereferenceNetFcb(x), 42);
	CHECK(was("tf", RDBSS_REF_TRACK_NETFCB, x));
	CHECK_EQUAL(RxDereferenceAndFinalizeNetFcb(x, NULL, TRUE, FALSE), TRUE);
	CHECK(was("tZ", RDBSS_REF_TRACK_NETFCB, x));
	CHECK_EQUAL(RxDereferenceAndFinalizeNetFcb(x, NULL, FALSE, FALSE), FALSE);
	CHECK(was("tZ", RDBSS_REF_TRACK_NETFCB, x));
}

#undef RxpTrackReference
#undef RxpTrackDereference
#undef RxReference
#undef RxDereference
#undef RxpReferenceNetFcb
#undef RxpDereferenceNetFcb
#undef RxpDereferenceAndFinalizeNetFcb

/* ---- tracking ---- */

/* The retail build of the tracking: the same file without the option, under other names. */
#undef RX_DEBUG_REFS
#define RxpTrackReference retail_track_reference
#define RxpTrackDereference retail_track_dereference
#define RdbssReferenceTracingValue retail_tracing_value
#define rx_ref_places retail_ref_places
#define rx_ref_forget retail_ref_forget
extern ULONG RdbssReferenceTracingValue;
VOID RxpTrackReference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance);
BOOLEAN RxpTrackDereference(ULONG TraceType, PCSTR FileName, ULONG Line, PVOID pInstance);
unsigned int rx_ref_places(PVOID instance, struct rx_ref_place *places, unsigned int capacity);
void rx_ref_forget(PVOID instance);
#include "core/object/reftrace.c"
#undef RxpTrackReference
#undef RxpTrackDereference
#undef RdbssReferenceTracingValue
#undef rx_ref_places
#undef rx_ref_forget

static int runtime_begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	CHECK_EQUAL(nt_initialize(&config), STATUS_SUCCESS);
	return 0;
}

static int runtime_end(void **state)
{
	(void)state;
	CHECK_EQUAL(nt_shutdown(stderr), 0);
	return 0;
}

/* With everything traced it takes no memory, remembers no place, and leaves the object as it was. */
static void test_B_RxpTrackReference_02_retail_does_nothing(void **state)
{
	NET_ROOT nr = {.NodeTypeCode = RDBSS_NTC_NETROOT, .NodeReferenceCount = 5}, before = nr;
	unsigned long bytes = nt_pool_bytes();
	struct rx_ref_place place;

	(void)state;
	retail_tracing_value = 0xffffffff;
	retail_track_reference(RDBSS_REF_TRACK_NETROOT, __FILE__, __LINE__, &nr);
	CHECK(memcmp(&nr, &before, sizeof(nr)) == 0);
	CHECK_EQUAL(nt_pool_bytes(), bytes);
	CHECK_EQUAL(retail_ref_places(&nr, &place, 1), 0);
	CHECK(retail_track_dereference(RDBSS_REF_TRACK_NETROOT, __FILE__, __LINE__, &nr));
	CHECK(memcmp(&nr, &before, sizeof(nr)) == 0);
	retail_ref_forget(&nr);
}

/* Neither changes the count, tracing or not, and the second answers TRUE. */
static void test_B_RxpTrackDereference_01_02_true_and_no_count(void **state)
{
	NET_ROOT nr = {.NodeTypeCode = RDBSS_NTC_NETROOT, .NodeReferenceCount = 5};

	(void)state;
	for (ULONG mask = 0; mask <= RDBSS_REF_TRACK_NETROOT; mask += RDBSS_REF_TRACK_NETROOT) {
		RdbssReferenceTracingValue = mask;
		RxpTrackReference(RDBSS_REF_TRACK_NETROOT, __FILE__, __LINE__, &nr);
		CHECK_EQUAL(RxpTrackDereference(RDBSS_REF_TRACK_NETROOT, __FILE__, __LINE__, &nr), TRUE);
		CHECK_EQUAL(nr.NodeReferenceCount, 5);
	}
	rx_ref_forget(&nr);
	RdbssReferenceTracingValue = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_B_RxReferenceXxx_macros_01_references),
		cmocka_unit_test(test_B_RxReferenceXxx_macros_02_dereferences),
		cmocka_unit_test(test_B_RxReferenceXxx_macros_03_values),
		cmocka_unit_test(test_B_RxpTrackReference_02_retail_does_nothing),
		cmocka_unit_test(test_B_RxpTrackDereference_01_02_true_and_no_count),
	};

	return cmocka_run_group_tests(tests, runtime_begin, runtime_end);
}

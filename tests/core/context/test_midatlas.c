/*
 * test_midatlas.c - multiplex ids: each sentence of their pages. Rows B-RxCreateMidAtlas, B-RxAssociateContextWithMid,
 * B-RxMapMidToContext, B-RxMapAndDissociateMidFromContext, B-RxReassociateMid, B-RxDestroyMidAtlas.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ntifs.h"
#include "rx.h"
#include "midatlax.h"
#include "nt_exec.h"

static int contexts[64];

static int begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

#define MID_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static USHORT give(PRX_MID_ATLAS atlas, PVOID context)
{
	USHORT mid = 0;

	assert_int_equal(RxAssociateContextWithMid(atlas, context, &mid), STATUS_SUCCESS);
	return mid;
}

static void take_back(PRX_MID_ATLAS atlas, USHORT mid)
{
	PVOID context;

	assert_int_equal(RxMapAndDissociateMidFromContext(atlas, mid, &context), STATUS_SUCCESS);
	assert_non_null(context);
}

/*
 * For 50 the low field has 6 bits: it tells 50 outstanding numbers apart, and there are 64 of its values, no more. The ten
 * bits above, two fields of 5, all take part: an entry's number comes again only after 1024 others.
 */
static void test_B_RxCreateMidAtlas_01_fields(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(50, 50);
	USHORT mids[50], mid, first;
	ULONG upper_seen = 0;
	UCHAR low_used[64] = {0};
	unsigned int i;

	(void)state;
	assert_non_null(atlas);
	for (i = 0; i < 50; i++) {
		mids[i] = give(atlas, &contexts[i]);
		assert_true((mids[i] & 0x3f) < 50);
		assert_int_equal(low_used[mids[i] & 0x3f]++, 0);
	}
	for (i = 0; i < 50; i++)
		take_back(atlas, mids[i]);

	first = give(atlas, &contexts[0]);
	take_back(atlas, first);
	for (i = 1; i < 1024; i++) {
		mid = give(atlas, &contexts[0]);
		assert_int_not_equal(mid, first);
		assert_int_equal(mid & 0x3f, first & 0x3f);
		upper_seen |= (ULONG)(mid >> 6);
		take_back(atlas, mid);
	}
	assert_int_equal(upper_seen, 0x3ff);
	assert_int_equal(give(atlas, &contexts[0]), first);
	RxDestroyMidAtlas(atlas, NULL);
}

static void test_B_RxCreateMidAtlas_02_failure(void **state)
{
	PRX_MID_ATLAS atlas;
	long passes;

	(void)state;
	assert_null(RxCreateMidAtlas(0, 0));
	for (passes = 0; passes < 2; passes++) {
		nt_fault_arm(passes);
		atlas = RxCreateMidAtlas(50, 4);
		assert_true(nt_fault_disarm());
		assert_null(atlas);
	}
}

/* Full, without memory, or a number that nobody has. */
static void test_B_RxAssociateContextWithMid_01_answers(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(3, 0);
	USHORT mids[3], none = 0x1234;
	unsigned int i, j;

	(void)state;
	nt_fault_arm(0);
	assert_int_equal(RxAssociateContextWithMid(atlas, &contexts[0], &none),
			 STATUS_INSUFFICIENT_RESOURCES);
	assert_true(nt_fault_disarm());
	for (i = 0; i < 3; i++) {
		mids[i] = give(atlas, &contexts[i]);
		for (j = 0; j < i; j++)
			assert_int_not_equal(mids[i], mids[j]);
	}
	assert_int_equal(RxAssociateContextWithMid(atlas, &contexts[3], &none), STATUS_UNSUCCESSFUL);
	assert_int_equal(none, 0x1234);
	take_back(atlas, mids[1]);
	mids[1] = give(atlas, &contexts[3]);
	assert_int_not_equal(mids[1], mids[0]);
	assert_int_not_equal(mids[1], mids[2]);
	RxDestroyMidAtlas(atlas, NULL);
}

static void test_B_RxMapMidToContext_01_known_and_unknown(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(20, 1);
	USHORT mids[20];
	ULONG mid, known = 0;
	unsigned int i;

	(void)state;
	assert_null(RxMapMidToContext(atlas, 0));
	for (i = 0; i < 20; i++)
		mids[i] = give(atlas, &contexts[i]);
	for (i = 0; i < 20; i++)
		assert_ptr_equal(RxMapMidToContext(atlas, mids[i]), &contexts[i]);
	for (mid = 0; mid <= 0xffff; mid++)
		known += RxMapMidToContext(atlas, (USHORT)mid) != NULL;
	assert_int_equal(known, 20); /* of all numbers no other means anything */
	RxDestroyMidAtlas(atlas, NULL);
}

static void test_B_RxMapAndDissociateMidFromContext_01_once(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(1, 1);
	PVOID context = &contexts[9];
	USHORT mid, next;

	(void)state;
	mid = give(atlas, &contexts[0]);
	assert_int_equal(RxMapAndDissociateMidFromContext(atlas, mid, &context), STATUS_SUCCESS);
	assert_ptr_equal(context, &contexts[0]);
	assert_int_equal(RxMapAndDissociateMidFromContext(atlas, mid, &context), STATUS_SUCCESS);
	assert_null(context);
	next = give(atlas, &contexts[1]); /* the only place is free again */
	assert_ptr_equal(RxMapMidToContext(atlas, next), &contexts[1]);
	RxDestroyMidAtlas(atlas, NULL);
}

static void test_B_RxReassociateMid_01_new_context(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(4, 4);
	USHORT mid = give(atlas, &contexts[0]), other = give(atlas, &contexts[1]);
	PVOID context;

	(void)state;
	assert_int_equal(RxReassociateMid(atlas, mid, &contexts[2]), STATUS_SUCCESS);
	assert_ptr_equal(RxMapMidToContext(atlas, mid), &contexts[2]);
	assert_ptr_equal(RxMapMidToContext(atlas, other), &contexts[1]);
	assert_int_equal(RxMapAndDissociateMidFromContext(atlas, mid, &context), STATUS_SUCCESS);
	assert_ptr_equal(context, &contexts[2]);
	assert_int_equal(RxReassociateMid(atlas, mid, &contexts[3]), STATUS_NOT_FOUND);
	assert_null(RxMapMidToContext(atlas, mid));
	RxDestroyMidAtlas(atlas, NULL);
}

static unsigned int destroyed[RTL_NUMBER_OF(contexts)];

static VOID NTAPI note_destroyed(PVOID context)
{
	destroyed[(int *)context - contexts]++;
}

/* Once for each context that is still there; for one that was dissociated not at all. Nothing is left after it. */
static void test_B_RxDestroyMidAtlas_01_destructor(void **state)
{
	PRX_MID_ATLAS atlas = RxCreateMidAtlas(10, 0);
	USHORT mids[4];
	unsigned int i;

	(void)state;
	RtlZeroMemory(destroyed, sizeof(destroyed));
	for (i = 0; i < 4; i++)
		mids[i] = give(atlas, &contexts[i]);
	take_back(atlas, mids[1]);
	RxDestroyMidAtlas(atlas, note_destroyed);
	for (i = 0; i < RTL_NUMBER_OF(destroyed); i++)
		assert_int_equal(destroyed[i], i < 4 && i != 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		MID_TEST(test_B_RxCreateMidAtlas_01_fields),
		MID_TEST(test_B_RxCreateMidAtlas_02_failure),
		MID_TEST(test_B_RxAssociateContextWithMid_01_answers),
		MID_TEST(test_B_RxMapMidToContext_01_known_and_unknown),
		MID_TEST(test_B_RxMapAndDissociateMidFromContext_01_once),
		MID_TEST(test_B_RxReassociateMid_01_new_context),
		MID_TEST(test_B_RxDestroyMidAtlas_01_destructor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

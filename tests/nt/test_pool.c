/* Pool: counted by tag, freed by the right tag, failing on demand; lookaside lists on top. */
#include "nt_test.h"

#define TAG_A 'aTsT'
#define TAG_B 'bTsT'

static void test_memory_is_aligned_counted_and_zeroed(void **state)
{
	/* Memory is 16-byte aligned, cache-aligned types 64; bytes are counted until freed; *Zero and Pool2 clear. */
	PVOID plain, aligned;
	UCHAR *zero;

	(void)state;
	plain = ExAllocatePoolWithTag(NonPagedPool, 100, TAG_A);
	aligned = ExAllocatePoolWithTag(NonPagedPoolCacheAligned, 100, TAG_A);
	zero = ExAllocatePool2(POOL_FLAG_PAGED, 100, TAG_B);
	assert_non_null(plain);
	assert_int_equal((uintptr_t)plain % 16, 0);
	assert_int_equal((uintptr_t)aligned % 64, 0);
	for (int i = 0; i < 100; i++)
		assert_int_equal(zero[i], 0);
	assert_int_equal(nt_pool_bytes(), 300);
	ExFreePoolWithTag(plain, TAG_A);
	ExFreePool(aligned);
	ExFreePoolWithTag(zero, 0);
	assert_int_equal(nt_pool_bytes(), 0);
	assert_null(ExAllocatePoolWithTag(PagedPool, SIZE_MAX - 8, TAG_A));
}

static void test_leaks_are_reported_by_tag(void **state)
{
	/* nt_shutdown returns the bytes left and prints one line per tag that has some. */
	struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = 1};
	PVOID a, b, c;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(nt_initialize(&config), STATUS_SUCCESS);
	assert_int_equal(nt_initialize(&config), STATUS_INVALID_DEVICE_STATE);
	a = ExAllocatePoolWithTag(NonPagedPool, 10, TAG_A);
	b = ExAllocatePoolWithTag(NonPagedPool, 20, TAG_B);
	c = ExAllocatePoolWithTag(NonPagedPool, 3, TAG_B);
	assert_int_equal(nt_shutdown(out), 33);
	fclose(out);
	assert_non_null(strstr(text, "leak: tag TsTa: 10 bytes in 1 blocks\n"));
	assert_non_null(strstr(text, "leak: tag TsTb: 23 bytes in 2 blocks\n"));
	free(text);
	ExFreePool(a);
	ExFreePool(b);
	ExFreePool(c);
	assert_int_equal(nt_pool_bytes(), 0);
}

static NTSTATUS three_allocations(void)
{
	PVOID p[3];
	int n;

	for (n = 0; n < 3; n++) {
		p[n] = ExAllocatePoolWithTag(PagedPool, 8, TAG_A);
		if (p[n] == NULL)
			break;
	}
	for (int i = 0; i < n; i++)
		ExFreePoolWithTag(p[i], TAG_A);
	return n == 3 ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static void test_nth_allocation_fails(void **state)
{
	/* nt_fault_arm(n) lets n pass and fails exactly the next; disarm says whether it did. */
	long n = 0;
	bool fired;

	(void)state;
	do {
		NTSTATUS status;

		nt_fault_arm(n++);
		status = three_allocations();
		fired = nt_fault_disarm();
		assert_int_equal(status, fired ? STATUS_INSUFFICIENT_RESOURCES : STATUS_SUCCESS);
		assert_int_equal(nt_pool_bytes(), 0);
	} while (fired);
	assert_int_equal(n, 4);
	assert_int_equal(three_allocations(), STATUS_SUCCESS);
}

#define TRAFFIC 2000

static void free_what_comes(void *context)
{
	PVOID volatile *slot = context;

	for (int freed = 0; freed < TRAFFIC;) {
		PVOID p = InterlockedExchangePointer(slot, NULL);

		if (p == NULL)
			continue;
		ExFreePoolWithTag(p, TAG_A);
		freed++;
	}
}

static void test_memory_may_be_freed_by_another_thread(void **state)
{
	/* Counts balance when one thread allocates and another frees, and after that thread has ended. */
	struct nt_thread *thread;
	PVOID volatile slot = NULL;

	(void)state;
	assert_int_equal(nt_thread_create("free", free_what_comes, (void *)&slot, &thread), STATUS_SUCCESS);
	for (int i = 0; i < TRAFFIC; i++) {
		PVOID p = ExAllocatePoolWithTag(PagedPool, (SIZE_T)i % 100, TAG_A);

		while (InterlockedCompareExchangePointer(&slot, p, NULL) != NULL)
			continue;
	}
	nt_thread_join(thread);
	assert_int_equal(nt_pool_bytes(), 0);
}

static int own_allocations;

static PVOID own_allocate(POOL_TYPE type, SIZE_T bytes, ULONG tag)
{
	own_allocations++;
	return ExAllocatePoolWithTag(type, bytes, tag);
}

static void own_free(PVOID p)
{
	own_allocations--;
	ExFreePool(p);
}

static void test_lookaside_lists(void **state)
{
	/* A lookaside list gives entries of its size from the pool or from the driver's routine. */
	NPAGED_LOOKASIDE_LIST list;
	LOOKASIDE_LIST_EX ex;
	PVOID p;

	(void)state;
	ExInitializeNPagedLookasideList(&list, NULL, NULL, 0, 48, TAG_A, 0);
	p = ExAllocateFromNPagedLookasideList(&list);
	assert_int_equal(nt_pool_bytes(), 48);
	ExFreeToNPagedLookasideList(&list, p);
	ExDeleteNPagedLookasideList(&list);

	ExInitializeNPagedLookasideList(&list, own_allocate, own_free, 0, 48, TAG_A, 0);
	p = ExAllocateFromNPagedLookasideList(&list);
	assert_int_equal(own_allocations, 1);
	ExFreeToNPagedLookasideList(&list, p);
	assert_int_equal(own_allocations, 0);
	ExDeleteNPagedLookasideList(&list);

	/* the page says 0; drivers pass the limit that the WDK names, which is taken too */
	assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 0, 32, TAG_B,
						     EX_MAXIMUM_LOOKASIDE_DEPTH_LIMIT + 1),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 3, 32, TAG_B, 0),
			 STATUS_INVALID_PARAMETER);
	assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 0, 32, TAG_B,
						     EX_MAXIMUM_LOOKASIDE_DEPTH_LIMIT),
			 STATUS_SUCCESS);
	ExDeleteLookasideListEx(&ex);
	assert_int_equal(ExInitializeLookasideListEx(&ex, NULL, NULL, PagedPool, 0, 32, TAG_B, 0),
			 STATUS_SUCCESS);
	p = ExAllocateFromLookasideListEx(&ex);
	assert_int_equal(nt_pool_bytes(), 32);
	ExFreeToLookasideListEx(&ex, p);
	ExDeleteLookasideListEx(&ex);
}

static void wrong_tag(void)
{
	ExFreePoolWithTag(ExAllocatePoolWithTag(PagedPool, 8, TAG_A), TAG_B);
}

static void no_tag(void)
{
	ExAllocatePoolWithTag(PagedPool, 8, 0);
}

static void not_pool(void)
{
	static _Alignas(16) char memory[64];

	ExFreePool(memory + 16);
}

static void test_broken_rules_end_the_process(void **state)
{
	/* Freeing with the wrong tag, allocating without one and freeing what is not pool are named. */
	(void)state;
	assert_true(nt_test_dies(wrong_tag, "memory with tag 'TsTa' is freed as 'TsTb'"));
	assert_true(nt_test_dies(no_tag, "without a tag"));
	assert_true(nt_test_dies(not_pool, "not pool memory"));
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, nt_test_setup, nt_test_teardown)
	const struct CMUnitTest tests[] = {
		WITH(test_memory_is_aligned_counted_and_zeroed),
		cmocka_unit_test(test_leaks_are_reported_by_tag),
		WITH(test_nth_allocation_fails),
		WITH(test_memory_may_be_freed_by_another_thread),
		WITH(test_lookaside_lists),
		cmocka_unit_test(test_broken_rules_end_the_process),
	};

	return cmocka_run_group_tests_name("nt pool", tests, NULL, NULL);
}

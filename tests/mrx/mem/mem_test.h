/* mem_test.h - what the tests of the memory volume share: a runtime, a volume, and short ways to open things. */
#ifndef TESTS_MRX_MEM_MEM_TEST_H
#define TESTS_MRX_MEM_MEM_TEST_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "memfs.h"
#include "nt_exec.h"

#define ALL_SHARE (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static inline int start_runtime(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	return NT_SUCCESS(nt_initialize(&config)) ? 0 : -1;
}

/* Every test ends with every byte freed. */
static inline int stop_runtime(void **state)
{
	(void)state;
	return nt_shutdown(stderr) == 0 ? 0 : -1;
}

static inline struct mem_volume *new_volume(LONGLONG capacity)
{
	UNICODE_STRING name = NT_STR(u"\\mem\\test");
	struct mem_volume *volume = NULL;

	assert_int_equal(mem_volume_create(&name, capacity, false, &volume), STATUS_SUCCESS);
	return volume;
}

static inline NTSTATUS open_as(struct mem_volume *volume, const WCHAR *path, ULONG disposition, ULONG options,
			       ACCESS_MASK access, ULONG share, struct mem_handle **out)
{
	struct mem_wakeups wake;
	UNICODE_STRING name;
	ULONG created;
	NTSTATUS status;

	RtlInitUnicodeString(&name, path);
	struct mem_open how = {
		.path = &name,
		.access = access,
		.share_access = share,
		.disposition = disposition,
		.options = options,
	};
	mem_wakeups_init(&wake);
	status = mem_fs_open(volume, &how, out, &created, &wake);
	assert_true(IsListEmpty(&wake.list));
	return status;
}

static inline struct mem_handle *must_open(struct mem_volume *volume, const WCHAR *path, ULONG disposition,
					   ULONG options)
{
	struct mem_handle *handle = NULL;

	assert_int_equal(open_as(volume, path, disposition, options, FILE_ALL_ACCESS, ALL_SHARE, &handle),
			 STATUS_SUCCESS);
	return handle;
}

static inline void must_close(struct mem_handle *handle)
{
	struct mem_wakeups wake;

	mem_wakeups_init(&wake);
	mem_fs_close(handle, &wake);
	assert_true(IsListEmpty(&wake.list));
}

#endif

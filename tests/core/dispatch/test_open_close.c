/*
 * Opens and closes through IRPs: what the server is asked for, and what is left afterwards.
 */
#include "../support/rec.h"

/* A file is connected to, opened, read and closed with one call to each slot, in the end nothing is left. */
static void test_open_read_close(void **state)
{
	PFILE_OBJECT file;
	struct req *r;
	ULONG_PTR information;
	ULONG i;

	(void)state;
	file = file_open(REC_SHARE u"\\dir\\a");
	assert_int_equal(rec_seen(REC_CREATE_SRV_CALL), 1);
	assert_int_equal(rec_seen(REC_WINNER), 1);
	assert_int_equal(rec_seen(REC_CREATE_VNR), 1);
	assert_int_equal(rec_seen(REC_CREATE), 1);
	assert_memory_equal(rec.last_name.Buffer, u"\\dir\\a", 12);
	assert_int_equal(rec.last_name.Length, 12);

	r = file_read_make(file, 50, 100, true);
	(void)req_send(r);
	{
		LARGE_INTEGER limit = {.QuadPart = -200000000};

		assert_int_equal(KeWaitForSingleObject(&r->done, Executive, KernelMode, FALSE, &limit),
				 STATUS_SUCCESS);
	}
	for (i = 0; i < 100; i++)
		assert_int_equal(r->buffer[i], rec_byte(50 + i));
	assert_int_equal(req_end(r, &information), STATUS_SUCCESS);
	assert_int_equal(information, 100);

	file_close(file);
	assert_int_equal(rec_seen(REC_CLEANUP), 1);
	assert_int_equal(rec_seen(REC_CLOSE), 1);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FOBX), 1);
	assert_int_equal(rec_seen(REC_DEALLOCATE_FCB), 1);
	assert_int_equal(rec.device->NumberOfActiveFcbs, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		REC_TEST(test_open_read_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

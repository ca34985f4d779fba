/*
 * test_write_behind.c - data that the server lets us write later: where it is, when it goes, who hears of a failure.
 *
 * The server is one file in memory (filesrv.h).
 */
#include "../support/filesrv.h"

#include "../support/seeds.h"
#include "core/cache/block.h"

/* ---- tests ---- */

/* A write is answered without the server; the size is known at once; a flush brings the data, then asks the server. */
static void test_a_write_waits_for_the_flush(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	put(file, 10, "hello", 5);
	assert_int_equal(server.writes, 0);
	assert_int_equal(size_of(file), 15);
	assert_int_equal(flush(file, 0), STATUS_SUCCESS);
	assert_int_equal(server.writes, 1);
	assert_int_equal(rec_seen(REC_FLUSH), 1);
	assert_int_equal(server.size, 15);
	assert_memory_equal(server.bytes, "\0\0\0\0\0\0\0\0\0\0hello", 15);
	file_close(file);
	assert_int_equal(server.writes, 1);
}

/* IRP_MN_FLUSH_NO_SYNC promises that the server has the data, not that its disk has; cleanup promises as much. */
static void test_what_a_close_promises(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	put(file, 0, "one", 3);
	assert_int_equal(flush(file, IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
	assert_int_equal(server.size, 3);
	put(file, 3, "two", 3);
	assert_int_equal(server.size, 3);
	file_close(file);
	assert_int_equal(server.size, 6);
	assert_memory_equal(server.bytes, "onetwo", 6);
	assert_int_equal(rec_seen(REC_FLUSH), 0);
}

/* Without the grant, or when the writer asks for it, data goes to the server with the write. */
static void test_only_what_may_be_kept_is_kept(void **state)
{
	struct open_params p = {
		.name = REC_SHARE u"\\b", .disposition = FILE_OPEN, .options = FILE_WRITE_THROUGH};
	PFILE_OBJECT file;

	(void)state;
	rec.buffering = FCB_STATE_READCACHING_ENABLED;
	file = open_a();
	put(file, 0, "x", 1);
	assert_int_equal(server.writes, 1);
	file_close(file);
	rec.buffering = KEEP;
	assert_int_equal(file_open_with(&p, &file, NULL), STATUS_SUCCESS);
	nt_file_set_flags(file, FO_WRITE_THROUGH);
	put(file, 0, "y", 1);
	assert_int_equal(server.writes, 2);
	file_close(file);
}

/*
 * Before a lock goes to the server what is kept back does; while it holds one every write goes there at once, by the
 * handle that has the lock, and afterwards writes are kept again.
 */
static void test_nothing_is_kept_back_under_a_lock(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	put(file, 0, "before", 6);
	assert_int_equal(server.size, 0);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_LOCK, 100, 1, SL_EXCLUSIVE_LOCK), NULL),
			 STATUS_SUCCESS);
	assert_int_equal(server.size_at_lock, 6);
	put(file, 6, "under", 5);
	assert_int_equal(server.size, 11);
	assert_int_equal(req_run(file_lock_make(file, IRP_MN_UNLOCK_SINGLE, 100, 1, 0), NULL),
			 STATUS_SUCCESS);
	put(file, 11, "after", 5);
	assert_int_equal(server.size, 11);
	file_close(file);
	assert_int_equal(server.size, 16);
	assert_memory_equal(server.bytes, "beforeunderafter", 16);
}

/* Small writes in any order become one large one. */
static void test_neighbours_travel_together(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		unsigned int place = i * 27 % 64; /* 27 and 64 have no common divisor: each once */

		memset(big, (int)place + 1, 4096);
		put(file, place * 4096, big, 4096);
	}
	assert_int_equal(flush(file, 0), STATUS_SUCCESS);
	assert_int_equal(server.largest, 64 * 4096);
	assert_int_equal(server.writes, 1);
	for (unsigned int i = 0; i < 64 * 4096; i++)
		assert_int_equal(server.bytes[i], i / 4096 + 1);
	file_close(file);
}

/* A long sequential write does not wait for the flush: full runs leave as they fill. */
static void test_full_runs_leave_by_themselves(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	server.deaf = true;
	memset(big, 7, BLOCK);
	for (unsigned int i = 0; i < 64; i++)
		put(file, (LONGLONG)i * BLOCK, big, BLOCK);
	assert_true(server.writes >= 3);
	assert_true(server.largest >= 16 * BLOCK);
	file_close(file);
}

/* Whoever writes faster than the server takes it waits; memory has an end. */
static void test_memory_has_an_end(void **state)
{
	PFILE_OBJECT file = open_a();
	ULONG most = 0;

	(void)state;
	server.deaf = true;
	put(file, 0, "z", 1);
	rec.device->LazyWriter->limit = 1000;
	/* a byte in every second block: no run is ever full */
	for (LONGLONG i = 0; i < 4000; i++) {
		put(file, i * 2 * BLOCK, "z", 1);
		if (fcb_of(file)->WriteBehindBlocks > most)
			most = fcb_of(file)->WriteBehindBlocks;
	}
	assert_in_range(most, 999, 1001);
	file_close(file);
	assert_int_equal(server.writes, 4000);
}

/* One write may be larger than all that may be kept: it goes to the server as it is. */
static void test_what_is_too_large_is_not_kept(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	put(file, 0, "z", 1);
	assert_int_equal(flush(file, 0), STATUS_SUCCESS);
	rec.device->LazyWriter->limit = 4;
	put(file, 0, big, 8 * BLOCK);
	assert_int_equal(fcb_of(file)->WriteBehindBlocks, 0);
	assert_int_equal(server.size, 8 * BLOCK);
	file_close(file);
}

static PFILE_OBJECT busy_file;
static unsigned int again;

/* Somebody writes to the beginning of the file whenever the server is asked to write. */
static void write_the_beginning_again(void)
{
	if (++again > 1000)
		return;
	for (LONGLONG i = 0; i < 40; i++)
		put(busy_file, i * 2 * BLOCK, "z", 1);
}

/* A flush ends, however fast others write: it sends what was written before it began. */
static void test_a_flush_ends(void **state)
{
	(void)state;
	busy_file = open_a();
	server.deaf = true;
	again = 0;
	for (LONGLONG i = 0; i < 80; i++)
		put(busy_file, i * 2 * BLOCK, "z", 1);
	server.on_write = write_the_beginning_again;
	assert_int_equal(flush(busy_file, 0), STATUS_SUCCESS);
	server.on_write = NULL;
	assert_in_range(server.writes, 80, 100);
	file_close(busy_file);
}

/* A block has room for so many scraps; with more of them it is written back, and nothing is lost. */
static void test_scraps(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	for (unsigned int i = 0; i < 100; i++)
		put(file, i * 10, "ab", 2);
	file_close(file);
	assert_int_equal(server.size, 992);
	for (unsigned int i = 0; i < 992; i++)
		assert_int_equal(server.bytes[i], i % 10 == 0 ? 'a' : i % 10 == 1 ? 'b' : 0);
}

/* What asks the server for sizes or bytes finds the data there. */
static void test_questions_come_after_the_data(void **state)
{
	FILE_STANDARD_INFORMATION *info;
	FILE_END_OF_FILE_INFORMATION eof = {.EndOfFile.QuadPart = 4};
	PFILE_OBJECT file = open_a(), other;
	struct req *r;

	(void)state;
	put(file, 0, "abcdefgh", 8);
	r = req_make(file, IRP_MJ_QUERY_INFORMATION, 0);
	info = (FILE_STANDARD_INFORMATION *)r->buffer;
	req_sp(r)->Parameters.QueryFile.FileInformationClass = FileStandardInformation;
	req_sp(r)->Parameters.QueryFile.Length = sizeof(*info);
	assert_int_equal(req_run(r, NULL), STATUS_SUCCESS);
	assert_int_equal(server.size, 8);
	put(file, 8, "ij", 2);
	other = open_a(); /* an open of the same file */
	assert_int_equal(server.size, 10);
	put(file, 10, "kl", 2);
	assert_int_equal(req_run(file_set_make(other, FileEndOfFileInformation, &eof, sizeof(eof)), NULL),
			 STATUS_SUCCESS);
	file_close(other);
	file_close(file);
	assert_int_equal(server.size, 4); /* the older writes came before the cut */
	assert_memory_equal(server.bytes, "abcd", 4);
}

/* A failure is told once to each handle that was open, at its next write, flush or end; later ones do not hear of it. */
static void test_failures_have_owners(void **state)
{
	PFILE_OBJECT writer = open_a(), other = open_a(), late;
	ULONG_PTR moved;

	(void)state;
	put(writer, 0, "data", 4);
	server.refuse = STATUS_DISK_FULL;
	assert_int_equal(flush(writer, 0), STATUS_DISK_FULL);
	server.refuse = STATUS_SUCCESS;
	late = open_a(); /* the open writes back what it finds: the disk has room again */
	assert_int_equal(server.size, 4);
	assert_int_equal(flush(writer, 0), STATUS_SUCCESS); /* told already */
	assert_int_equal(flush(late, 0), STATUS_SUCCESS);
	assert_int_equal(transfer(other, IRP_MJ_WRITE, 4, (void *)(ULONG_PTR) "x", 1, &moved),
			 STATUS_DISK_FULL);
	put(other, 4, "x", 1);
	file_close(late);
	file_close(other);
	file_close(writer);
	assert_memory_equal(server.bytes, "datax", 5);
}

/* Data that nobody can write any more is given up, and the last one who could is told with his cleanup. */
static void test_given_up_with_the_last_writer(void **state)
{
	PFILE_OBJECT writer = open_a();

	(void)state;
	put(writer, 0, "data", 4);
	server.refuse = STATUS_ACCESS_DENIED;
	assert_int_equal(file_cleanup(writer), STATUS_ACCESS_DENIED);
	assert_int_equal(fcb_of(writer)->WriteBehindBlocks, 0);
	assert_int_equal(file_close_only(writer), STATUS_SUCCESS);
	assert_int_equal(server.size, 0);
}

/* ... and goes on with another handle that can. */
static void test_another_writer_inherits(void **state)
{
	PFILE_OBJECT first = open_a(), second = open_a();

	(void)state;
	put(first, 0, "data", 4);
	server.refuse = STATUS_DISK_FULL;
	assert_int_equal(file_cleanup(first), STATUS_DISK_FULL);
	server.refuse = STATUS_SUCCESS;
	assert_int_equal(file_close_only(first), STATUS_SUCCESS);
	assert_int_equal(flush(second, 0),
			 STATUS_DISK_FULL); /* his to hear once, and the data goes all the same */
	assert_int_equal(server.size, 4);
	file_close(second);
}

/* The server takes its leave back: it is answered when it has the data, and later writes go straight to it. */
static void test_a_break_waits_for_the_data(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	server.late = true;
	put(file, 0, "kept", 4);
	take_back(file);
	assert_int_equal(broken.answers, 1);
	assert_int_equal(broken.size, 4);
	put(file, 4, "more", 4);
	assert_int_equal(server.size, 8);
	file_close(file);
}

/* A write-back that fails during a break is never answered as done; the handle is told, the data is not lost before. */
static void test_a_break_that_cannot_write_is_not_answered(void **state)
{
	PFILE_OBJECT file = open_a();

	(void)state;
	put(file, 0, "kept", 4);
	server.refuse = STATUS_DISK_FULL;
	take_back(file);
	assert_int_equal(broken.answers, 0);
	assert_int_equal(((PSRV_OPEN)fobx_of(file)->pSrvOpen)->Condition, Condition_Bad);
	server.refuse = STATUS_SUCCESS;
	assert_int_equal(flush(file, IRP_MN_FLUSH_NO_SYNC), STATUS_DISK_FULL);
	assert_int_equal(server.size, 4);
	file_close(file);
}

/* The open that carried the data is lost: a new one does not carry it, nor suffer for it; the old one is told. */
static void test_a_lost_open_takes_its_data_along(void **state)
{
	PFILE_OBJECT old = open_a(), young;

	(void)state;
	put(old, 0, "old data", 8);
	server.refuse = STATUS_CONNECTION_DISCONNECTED;
	take_back(old);
	assert_int_equal(broken.answers, 0);
	young = open_a();
	assert_int_equal(fcb_of(young)->WriteBehindBlocks, 0);
	server.refuse = STATUS_SUCCESS;
	put(young, 0, "new", 3);
	assert_int_equal(flush(young, 0), STATUS_SUCCESS);
	assert_int_equal(server.size, 3);
	assert_memory_equal(server.bytes, "new", 3);
	assert_int_equal(flush(old, IRP_MN_FLUSH_NO_SYNC), STATUS_CONNECTION_DISCONNECTED);
	file_close(young);
	file_close(old);
}

/* ---- against a model ---- */

static UCHAR model[ROOM];
static LONGLONG model_size;
static uint64_t random_state;

static unsigned int pick(unsigned int n)
{
	random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned int)(random_state >> 33) % n;
}

static void model_write(PFILE_OBJECT file)
{
	LONGLONG at = pick(3) == 0 ? pick(ROOM / 4096) * 4096 : pick(ROOM - 1);
	ULONG length = pick(4) == 0 ? 1 + pick(3 * BLOCK) : 1 + pick(9000);

	if (at + length > ROOM)
		length = (ULONG)(ROOM - at);
	memset(big, (int)pick(255) + 1, length);
	put(file, at, big, length);
	if (at > model_size)
		memset(model + model_size, 0, (size_t)(at - model_size));
	RtlCopyMemory(model + at, big, length);
	if (at + length > model_size)
		model_size = at + length;
	assert_int_equal(size_of(file), model_size);
}

static void model_read(PFILE_OBJECT file)
{
	LONGLONG at = pick(ROOM);
	ULONG length = 1 + pick(pick(2) == 0 ? 100 : 2 * BLOCK);
	ULONG_PTR moved = 0;
	NTSTATUS status;

	if (at + length > ROOM)
		length = (ULONG)(ROOM - at);
	status = transfer(file, IRP_MJ_READ, at, big, length, &moved);
	if (at >= model_size) {
		assert_int_equal(status, STATUS_END_OF_FILE);
		return;
	}
	assert_int_equal(status, STATUS_SUCCESS);
	assert_int_equal(moved, model_size - at < length ? model_size - at : length);
	assert_memory_equal(big, model + at, moved);
}

static void model_cut(PFILE_OBJECT file)
{
	FILE_END_OF_FILE_INFORMATION eof = {.EndOfFile.QuadPart = pick(ROOM)};

	assert_int_equal(req_run(file_set_make(file, FileEndOfFileInformation, &eof, sizeof(eof)), NULL),
			 STATUS_SUCCESS);
	if (eof.EndOfFile.QuadPart > model_size)
		memset(model + model_size, 0, (size_t)(eof.EndOfFile.QuadPart - model_size));
	model_size = eof.EndOfFile.QuadPart;
}

static void model_step(PFILE_OBJECT *file)
{
	switch (pick(16)) {
	case 0:
		assert_int_equal(flush(*file, pick(2) == 0 ? 0 : IRP_MN_FLUSH_NO_SYNC), STATUS_SUCCESS);
		break;
	case 1:
		model_cut(*file);
		break;
	case 2:
		file_close(*file);
		assert_int_equal(server.size, model_size);
		assert_memory_equal(server.bytes, model, (size_t)model_size);
		*file = open_a();
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		model_read(*file);
		break;
	default:
		model_write(*file);
	}
}

static void model_run(uint64_t seed, unsigned int steps)
{
	PFILE_OBJECT file;

	random_state = seed;
	model_size = 0;
	server.size = 0;
	file = open_a();
	for (unsigned int i = 0; i < steps; i++)
		model_step(&file);
	file_close(file);
	assert_int_equal(server.size, model_size);
	assert_memory_equal(server.bytes, model, (size_t)model_size);
}

/* Any mixture of writes, reads, flushes, cuts and ends of handles: what is read is what was written last. */
static void test_it_is_the_file(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		server.late = seed % 2 == 0;
		model_run(seed, 60);
	}
}

static void scenario(void *context)
{
	uint64_t seed = *(uint64_t *)context;

	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	serve();
	server.late = true;
	model_run(seed, 25);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

static void test_in_many_orders(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= seeds(200); seed++)
		assert_int_equal(nt_sim_run(seed, scenario, &seed), 0);
}

static void wait_tenths(unsigned int tenths)
{
	LARGE_INTEGER time = {.QuadPart = -(LONGLONG)tenths * 1000000};

	(void)KeDelayExecutionThread(KernelMode, FALSE, &time);
}

static void old_data_scenario(void *context)
{
	PFILE_OBJECT file;
	unsigned int i;

	(void)context;
	rec_reset();
	rec_load();
	assert_int_equal(rec_control(FSCTL_RX_START), STATUS_SUCCESS);
	serve();
	file = open_a();
	put(file, 0, "old", 3);
	assert_int_equal(server.size, 0);
	wait_tenths(20);
	assert_int_equal(server.size, 3);
	/* a file that is written again and again is let go on, for a while */
	for (i = 0; i < 20; i++) {
		put(file, 10 + i, "x", 1);
		wait_tenths(5);
		if (i == 5)
			assert_int_equal(server.size, 3);
	}
	assert_true(server.size > 10);
	file_close(file);
	assert_int_equal(rec_control(FSCTL_RX_STOP), STATUS_SUCCESS);
	rec_unload();
}

/* Data does not get older than some seconds here. */
static void test_old_data_goes_unasked(void **state)
{
	(void)state;
	assert_int_equal(nt_sim_run(1, old_data_scenario, NULL), 0);
}

/* ---- threads ---- */

static PFILE_OBJECT shared_file;
static volatile LONG wrong;

static void write_own_part(void *context)
{
	ULONG part = (ULONG)(ULONG_PTR)context;
	UCHAR mine[700], back[700];
	uint64_t random = part;

	for (unsigned int i = 0; i < 150; i++) {
		LONGLONG at = (LONGLONG)part * 4 * BLOCK;
		ULONG_PTR moved = 0;

		random = random * 6364136223846793005ull + 1442695040888963407ull;
		at += (LONGLONG)((random >> 33) % (4 * BLOCK - sizeof(mine)));
		memset(mine, (int)i, sizeof(mine));
		if (transfer(shared_file, IRP_MJ_WRITE, at, mine, sizeof(mine), &moved) != STATUS_SUCCESS ||
		    transfer(shared_file, IRP_MJ_READ, at, back, sizeof(back), &moved) != STATUS_SUCCESS ||
		    moved != sizeof(back) || memcmp(mine, back, sizeof(back)) != 0)
			InterlockedIncrement(&wrong);
		if (i % 40 == 7 && flush(shared_file, 0) != STATUS_SUCCESS)
			InterlockedIncrement(&wrong);
	}
}

/* Four threads with a part of the file each: everyone reads what he wrote. */
static void test_threads(void **state)
{
	(void)state;
	rec.quiet = true;
	server.late = true;
	wrong = 0;
	shared_file = open_a();
	run_four(write_own_part);
	assert_int_equal(wrong, 0);
	file_close(shared_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_a_write_waits_for_the_flush),
		CACHE_TEST(test_what_a_close_promises),
		CACHE_TEST(test_only_what_may_be_kept_is_kept),
		CACHE_TEST(test_neighbours_travel_together),
		CACHE_TEST(test_nothing_is_kept_back_under_a_lock),
		CACHE_TEST(test_full_runs_leave_by_themselves),
		CACHE_TEST(test_memory_has_an_end),
		CACHE_TEST(test_what_is_too_large_is_not_kept),
		CACHE_TEST(test_a_flush_ends),
		CACHE_TEST(test_scraps),
		CACHE_TEST(test_questions_come_after_the_data),
		CACHE_TEST(test_failures_have_owners),
		CACHE_TEST(test_given_up_with_the_last_writer),
		CACHE_TEST(test_another_writer_inherits),
		CACHE_TEST(test_a_break_waits_for_the_data),
		CACHE_TEST(test_a_break_that_cannot_write_is_not_answered),
		CACHE_TEST(test_a_lost_open_takes_its_data_along),
		CACHE_TEST(test_it_is_the_file),
		CACHE_TEST(test_threads),
		cmocka_unit_test(test_in_many_orders),
		cmocka_unit_test(test_old_data_goes_unasked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

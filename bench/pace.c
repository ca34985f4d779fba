/*
 * pace.c - the server's own pace: each operation in the fewest round trips, by a client that does nothing else.
 *
 *   PASSWD=... pace HOST PORT SHARE USER
 *
 * Prints lines as fsbench.sh does: "pace", metric, median, unit.  Metrics that fsbench.sh knows too have the
 * same name: the loop does on the wire what that operation needs at least.  Sizes as there: SIZE_MB, RAND_MB,
 * NFILES, NDIR, REPS, and ONLY (a word: small, dir, seq, rand).  Works in a directory of its own in the share,
 * which it removes; what it reads is compared with what it wrote.
 */
#include "pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "fileinfo.h"
#include "security.h"

#include "mrx/smb/wire/fscc.h"

#define STATUS_NO_MORE_FILES 0x80000006u
#define WORK "pace.work"

enum { SMALL = 4096, CHUNK = 1 << 20, WINDOW = 8, RANDOM_JOBS = 16, MAX_REPS = 31 };

static struct pace_conn conn;
static struct pace_request req;
static uint8_t small[SMALL];
static uint8_t chunk[CHUNK];
static long files, entries, size_mb, rand_mb, reps;

/* ---- one part each ----------------------------------------------------------------------------------- */

static void add_create(const char *path, uint32_t access, uint32_t disposition, uint32_t options)
{
	uint8_t name[512], *room;
	struct smb2_create_request create = {
		.impersonation = SMB2_IMPERSONATION_IMPERSONATION,
		.desired_access = access,
		.share_access = FILE_SHARE_VALID_FLAGS,
		.disposition = disposition,
		.options = options,
	};
	size_t cap;

	create.name = wire_slice_at(name, 0, pace_utf16(name, sizeof(name), path));
	room = pace_room(&req, &cap);
	pace_add(&conn, &req, SMB2_CREATE, smb2_create_request_encode(room, cap, &create), 0);
}

static void add_close(struct smb2_file_id id)
{
	struct smb2_close_request close = {.file_id = id};
	size_t cap;
	uint8_t *room = pace_room(&req, &cap);

	pace_add(&conn, &req, SMB2_CLOSE, smb2_close_request_encode(room, cap, &close), 0);
}

static void add_read(struct smb2_file_id id, uint64_t offset, uint32_t length)
{
	struct smb2_read_request read = {
		.length = length, .offset = offset, .file_id = id, .minimum_count = 1};
	size_t cap;
	uint8_t *room = pace_room(&req, &cap);

	pace_add(&conn, &req, SMB2_READ, smb2_read_request_encode(room, cap, &read), length);
}

/* Small data is copied into the request, so that more parts may follow; more goes out from where it is. */
static void add_write(struct smb2_file_id id, uint64_t offset, const uint8_t *data, uint32_t length)
{
	struct smb2_write_request write = {.length = length, .offset = offset, .file_id = id};
	size_t cap, head;
	uint8_t *room = pace_room(&req, &cap);

	head = smb2_write_request_encode(room, cap, &write);
	if (head != 0 && length <= SMALL && cap - head >= length) {
		memcpy(room + head, data, length);
		head += length;
	} else {
		req.data = data;
		req.data_len = length;
	}
	pace_add(&conn, &req, SMB2_WRITE, head, length);
}

static void add_query_all(struct smb2_file_id id)
{
	struct smb2_query_info_request query = {.info_type = SMB2_0_INFO_FILE,
						.info_class = FSCC_FILE_ALL,
						.output_length = 1024,
						.file_id = id};
	size_t cap;
	uint8_t *room = pace_room(&req, &cap);

	pace_add(&conn, &req, SMB2_QUERY_INFO, smb2_query_info_request_encode(room, cap, &query), 0);
}

static void add_rename(struct smb2_file_id id, const char *to)
{
	uint8_t name[512], info[600], *room;
	struct fscc_rename rename = {0};
	struct smb2_set_info_request set = {
		.info_type = SMB2_0_INFO_FILE, .info_class = FSCC_FILE_RENAME, .file_id = id};
	size_t cap;

	rename.name = wire_slice_at(name, 0, pace_utf16(name, sizeof(name), to));
	set.data = wire_slice_at(info, 0, fscc_rename_encode(info, sizeof(info), &rename));
	room = pace_room(&req, &cap);
	pace_add(&conn, &req, SMB2_SET_INFO, smb2_set_info_request_encode(room, cap, &set), 0);
}

static void add_query_directory(struct smb2_file_id id, uint32_t length)
{
	static const uint8_t all[] = {'*', 0};
	struct smb2_query_directory_request query = {.info_class = FSCC_FILE_ID_BOTH_DIRECTORY,
						     .file_id = id,
						     .pattern = {all, sizeof(all)},
						     .output_length = length};
	size_t cap;
	uint8_t *room = pace_room(&req, &cap);

	pace_add(&conn, &req, SMB2_QUERY_DIRECTORY, smb2_query_directory_request_encode(room, cap, &query),
		 length);
}

/* ---- small sequences --------------------------------------------------------------------------------- */

static struct smb2_file_id open_file(const char *path, uint32_t access, uint32_t disposition,
				     uint32_t options)
{
	struct smb2_create_response rsp;

	pace_begin(&req);
	add_create(path, access, disposition, options);
	pace_run(&conn, &req);
	if (!smb2_create_response_decode(&conn.pdu, &rsp))
		pace_die("a CREATE answer is malformed");
	return rsp.file_id;
}

static void close_file(struct smb2_file_id id)
{
	pace_begin(&req);
	add_close(id);
	pace_run(&conn, &req);
}

/* The answer received last holds `length` bytes that are those of `want`. */
static void check_read(const uint8_t *want, uint32_t length, size_t step)
{
	struct smb2_read_response rsp;
	size_t i;

	if (!smb2_read_response_decode(&conn.pdu, &rsp) || rsp.data_length != length)
		pace_die("a READ answer is malformed or short");
	for (i = 0; i + 8 <= length; i += step)
		if (memcmp(conn.pdu.base + rsp.data_offset + i, want + i, 8) != 0)
			pace_die("a READ answer holds wrong data");
}

static const char *path_of(char kind, long i)
{
	static char path[64];

	snprintf(path, sizeof(path), WORK "\\%c%06ld", kind, i);
	return path;
}

static const uint32_t read_access = FILE_READ_DATA | FILE_READ_ATTRIBUTES;
static const uint32_t write_access = FILE_WRITE_DATA | FILE_READ_ATTRIBUTES;
static const uint32_t data_file = FILE_NON_DIRECTORY_FILE;

/* ---- operations, called with 0 .. n-1 ---------------------------------------------------------------- */

static void op_echo(long i)
{
	size_t cap;
	uint8_t *room;

	(void)i;
	pace_begin(&req);
	room = pace_room(&req, &cap);
	pace_add(&conn, &req, SMB2_ECHO, smb2_empty_encode(room, cap), 0);
	pace_run(&conn, &req);
}

static void op_create_close(long i)
{
	pace_begin(&req);
	add_create(path_of('e', i), write_access, FILE_CREATE, data_file);
	add_close(SMB2_FILE_ID_RELATED);
	pace_run(&conn, &req);
}

static void op_create_close_apart(long i)
{
	close_file(open_file(path_of('s', i), write_access, FILE_CREATE, data_file));
}

static void op_create_4k(long i)
{
	pace_begin(&req);
	add_create(path_of('f', i), write_access, FILE_CREATE, data_file);
	add_write(SMB2_FILE_ID_RELATED, 0, small, SMALL);
	add_close(SMB2_FILE_ID_RELATED);
	pace_run(&conn, &req);
}

static void op_create_4k_apart(long i)
{
	struct smb2_file_id id = open_file(path_of('g', i), write_access, FILE_CREATE, data_file);

	pace_begin(&req);
	add_write(id, 0, small, SMALL);
	pace_run(&conn, &req);
	close_file(id);
}

static void op_read_4k(long i)
{
	pace_begin(&req);
	add_create(path_of('f', i), read_access, FILE_OPEN, data_file);
	add_read(SMB2_FILE_ID_RELATED, 0, SMALL);
	add_close(SMB2_FILE_ID_RELATED);
	pace_send(&conn, &req);
	pace_receive_ok(&conn, 0);
	pace_receive_ok(&conn, 0);
	check_read(small, SMALL, 8);
	pace_receive_ok(&conn, 0);
}

static void op_read_4k_apart(long i)
{
	struct smb2_file_id id = open_file(path_of('f', i), read_access, FILE_OPEN, data_file);

	pace_begin(&req);
	add_read(id, 0, SMALL);
	pace_run(&conn, &req);
	check_read(small, SMALL, 8);
	close_file(id);
}

static void op_stat(long i)
{
	struct smb2_create_response rsp;

	pace_begin(&req);
	add_create(path_of('f', i), FILE_READ_ATTRIBUTES, FILE_OPEN, 0);
	add_query_all(SMB2_FILE_ID_RELATED);
	add_close(SMB2_FILE_ID_RELATED);
	pace_send(&conn, &req);
	pace_receive_ok(&conn, 0);
	if (!smb2_create_response_decode(&conn.pdu, &rsp) || rsp.end_of_file != SMALL)
		pace_die("a file has the wrong size");
	pace_receive_ok(&conn, 0);
	pace_receive_ok(&conn, 0);
}

static void op_rename(long i)
{
	char to[64];

	snprintf(to, sizeof(to), "%s", path_of('r', i));
	pace_begin(&req);
	add_create(path_of('f', i), DELETE | FILE_READ_ATTRIBUTES, FILE_OPEN, 0);
	add_rename(SMB2_FILE_ID_RELATED, to);
	add_close(SMB2_FILE_ID_RELATED);
	pace_run(&conn, &req);
}

static void delete_path(const char *path, uint32_t kind)
{
	pace_begin(&req);
	add_create(path, DELETE, FILE_OPEN, FILE_DELETE_ON_CLOSE | kind);
	add_close(SMB2_FILE_ID_RELATED);
	pace_run(&conn, &req);
}

static void op_delete_renamed(long i)
{
	delete_path(path_of('r', i), data_file);
}

static void op_delete_apart(long i)
{
	delete_path(path_of('s', i), data_file);
}

static void op_delete_4k_apart(long i)
{
	delete_path(path_of('g', i), data_file);
}

static void op_delete_empty(long i)
{
	delete_path(path_of('e', i), data_file);
}

/* ---- timing ------------------------------------------------------------------------------------------ */

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, long n)
{
	qsort(values, (size_t)n, sizeof(*values), compare);
	return values[(n - 1) / 2];
}

static void emit(const char *metric, double value, const char *unit)
{
	printf("pace\t%s\t%.6g\t%s\n", metric, value, unit);
	fflush(stdout);
}

static double rate(void (*op)(long), long n)
{
	double start = seconds();
	long i;

	for (i = 0; i < n; i++)
		op(i);
	return (double)n / (seconds() - start);
}

/* ---- groups ------------------------------------------------------------------------------------------ */

static void run_small(void)
{
	static const struct {
		const char *metric;
		void (*op)(long);
	} steps[] = {
		{"round_trip", op_echo},
		{"create_close_2rt", op_create_close_apart},
		{NULL, op_delete_apart},
		{"create_4k_3rt", op_create_4k_apart},
		{NULL, op_delete_4k_apart},
		{"create_4k", op_create_4k},
		{"open_read_close_cold", op_read_4k},
		{"open_read_close_3rt", op_read_4k_apart},
		{"stat_cold", op_stat},
		{"rename", op_rename},
		{"delete", op_delete_renamed},
	};
	static double rates[sizeof(steps) / sizeof(steps[0])][MAX_REPS];
	size_t s;
	long k;

	for (k = 0; k < reps; k++)
		for (s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
			rates[s][k] = rate(steps[s].op, files);
	for (s = 0; s < sizeof(steps) / sizeof(steps[0]); s++)
		if (steps[s].metric != NULL)
			emit(steps[s].metric, median(rates[s], reps), "files/s");
}

static long count_page(uint32_t *status)
{
	struct fscc_dir_entry entry;
	struct wire_slice list;
	size_t offset = 0;
	long n = 0;

	pace_receive_ok(&conn, STATUS_NO_MORE_FILES);
	*status = conn.pdu.hdr.status;
	if (*status != 0)
		return 0;
	if (!smb2_output_response_decode(&conn.pdu, &list))
		pace_die("a directory page is malformed");
	while (fscc_dir_next(FSCC_FILE_ID_BOTH_DIRECTORY, list, &offset, &entry) == 1)
		if (entry.name.len > 4)
			n++; /* not . and .. */
	return n;
}

static void list_directory(void)
{
	struct smb2_file_id id = open_file(WORK, read_access, FILE_OPEN, FILE_DIRECTORY_FILE);
	uint32_t status;
	long n = 0;

	do {
		pace_begin(&req);
		add_query_directory(id, CHUNK);
		pace_send(&conn, &req);
		n += count_page(&status);
	} while (status == 0);
	close_file(id);
	if (n != entries)
		pace_die("the directory lists %ld entries, not %ld", n, entries);
}

static void run_dir(void)
{
	double rates[MAX_REPS], start;
	long k;

	emit("create_close", rate(op_create_close, entries), "files/s");
	for (k = 0; k < reps; k++) {
		start = seconds();
		list_directory();
		rates[k] = (double)entries / (seconds() - start);
	}
	emit("ls_l_cold", median(rates, reps), "entries/s");
	emit("rm_rf", rate(op_delete_empty, entries), "entries/s");
}

/* Keeps `window` requests of `bytes` each on the wire, n in all. */
static void stream(bool write, struct smb2_file_id id, long n, uint32_t bytes, int window,
		   uint64_t (*offset_of)(long))
{
	const uint8_t *data = bytes == CHUNK ? chunk : small;
	long sent = 0, received = 0;

	while (received < n) {
		while (sent < n && sent - received < window) {
			pace_begin(&req);
			if (write)
				add_write(id, offset_of(sent), data, bytes);
			else
				add_read(id, offset_of(sent), bytes);
			pace_send(&conn, &req);
			sent++;
		}
		pace_receive_ok(&conn, 0);
		if (!write)
			check_read(data, bytes, 1024);
		received++;
	}
}

static uint64_t in_sequence(long i)
{
	return (uint64_t)i * CHUNK;
}

static uint64_t at_random(long i)
{
	uint64_t x = (uint64_t)(i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return (x >> 20) % ((uint64_t)rand_mb * (CHUNK / SMALL)) * SMALL;
}

static void flush(struct smb2_file_id id)
{
	size_t cap;
	uint8_t *room;

	pace_begin(&req);
	room = pace_room(&req, &cap);
	pace_add(&conn, &req, SMB2_FLUSH, smb2_flush_request_encode(room, cap, id), 0);
	pace_run(&conn, &req);
}

static double megabytes(bool write, int window)
{
	const char *path = WORK "\\seq";
	double start = seconds();
	struct smb2_file_id id = open_file(path, write ? write_access : read_access,
					   write ? FILE_OVERWRITE_IF : FILE_OPEN, data_file);

	stream(write, id, size_mb, CHUNK, window, in_sequence);
	if (write)
		flush(id);
	close_file(id);
	return (double)size_mb * CHUNK / 1e6 / (seconds() - start);
}

static void run_seq(void)
{
	static const struct {
		const char *metric;
		bool write;
		int window;
	} steps[] = {
		{"seq_write_window1", true, 1},
		{"seq_write", true, WINDOW},
		{"seq_read_window1", false, 1},
		{"seq_read_cold", false, WINDOW},
	};
	double rates[MAX_REPS];
	size_t s;
	long k;

	for (s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		for (k = 0; k < reps; k++)
			rates[k] = megabytes(steps[s].write, steps[s].window);
		emit(steps[s].metric, median(rates, reps), "MB/s");
	}
	delete_path(WORK "\\seq", data_file);
}

static void run_rand(void)
{
	static const struct {
		const char *metric;
		bool write;
		int window;
	} steps[] = {
		{"randread_4k_qd1", false, 1},
		{"direct_randread_4k_16jobs", false, RANDOM_JOBS},
		{"randwrite_4k_qd1", true, 1},
		{"randwrite_4k_window16", true, RANDOM_JOBS},
	};
	const char *path = WORK "\\rand";
	struct smb2_file_id id = open_file(path, read_access | write_access, FILE_OVERWRITE_IF, data_file);
	double rates[MAX_REPS], start;
	long n = files * 5, k;
	size_t s, at;

	for (at = 0; at < CHUNK; at += SMALL)
		memcpy(chunk + at, small, SMALL);
	stream(true, id, rand_mb, CHUNK, WINDOW, in_sequence);
	for (s = 0; s < sizeof(steps) / sizeof(steps[0]); s++) {
		for (k = 0; k < reps; k++) {
			start = seconds();
			stream(steps[s].write, id, n, SMALL, steps[s].window, at_random);
			rates[k] = (double)n / (seconds() - start);
		}
		emit(steps[s].metric, median(rates, reps), "IOPS");
	}
	close_file(id);
	delete_path(path, data_file);
}

/* ---- main -------------------------------------------------------------------------------------------- */

static long setting(const char *name, long otherwise, long most)
{
	const char *text = getenv(name);
	long value = text != NULL && *text != '\0' ? strtol(text, NULL, 10) : otherwise;

	if (value < 1 || value > most)
		pace_die("%s is out of range", name);
	return value;
}

static bool wanted(const char *group)
{
	const char *only = getenv("ONLY");

	return only == NULL || *only == '\0' || strcmp(only, ".") == 0 || strstr(only, group) != NULL;
}

int main(int argc, char **argv)
{
	const char *password = getenv("PASSWD");

	if (argc != 5) {
		fputs("usage: PASSWD=... pace HOST PORT SHARE USER\n", stderr);
		return 2;
	}
	size_mb = setting("SIZE_MB", 1024, 1 << 20);
	rand_mb = setting("RAND_MB", 256, 1 << 20);
	files = setting("NFILES", 2000, 999999);
	entries = setting("NDIR", 10000, 999999);
	reps = setting("REPS", 3, MAX_REPS);
	if (!smb2_random(small, sizeof(small)) || !smb2_random(chunk, sizeof(chunk)))
		pace_die("no random bytes");
	pace_connect(&conn, argv[1], argv[2], argv[3], argv[4], password != NULL ? password : "");
	pace_gather_credits(&conn, 2 * WINDOW * (CHUNK >> 16));
	close_file(open_file(WORK, read_access, FILE_CREATE, FILE_DIRECTORY_FILE));
	if (wanted("small"))
		run_small();
	if (wanted("dir"))
		run_dir();
	if (wanted("seq"))
		run_seq();
	if (wanted("rand"))
		run_rand();
	delete_path(WORK, FILE_DIRECTORY_FILE);
	pace_disconnect(&conn);
	return 0;
}

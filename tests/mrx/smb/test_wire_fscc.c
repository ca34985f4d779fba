/*
 * test_wire_fscc.c - information classes of MS-FSCC: both ways, at the offsets of the specification, and what
 * the list iterators do with hostile lists.
 */
#include "wire_test.h"

enum { LIST = 4096 };

static const uint8_t dir_classes[] = {
	FSCC_FILE_DIRECTORY,
	FSCC_FILE_FULL_DIRECTORY,
	FSCC_FILE_BOTH_DIRECTORY,
	FSCC_FILE_ID_FULL_DIRECTORY,
	FSCC_FILE_ID_BOTH_DIRECTORY,
	FSCC_FILE_ID_EXTD_DIRECTORY,
	FSCC_FILE_NAMES,
};

/* Offset of the name in each class above (MS-FSCC 2.4.x). */
static const size_t dir_fixed[] = {64, 68, 94, 80, 104, 88, 12};

static struct fscc_dir_entry sample_entry(struct wire_slice name)
{
	return (struct fscc_dir_entry){
		.file_index = 1,
		.creation_time = 2,
		.last_access_time = 3,
		.last_write_time = 4,
		.change_time = 5,
		.end_of_file = 6,
		.allocation_size = 7,
		.attributes = 0x20,
		.ea_size = 9,
		.file_id = 0x1122334455667788,
		.short_name_len = 4,
		.short_name = {'A', 0, 'B', 0},
		.name = name,
	};
}

static size_t build_dir(uint8_t info_class, uint8_t *buf, size_t cap)
{
	const struct wire_slice names[] = {TEXT("."), TEXT("a"), TEXT("name with spaces.txt")};
	size_t pos = 0, last = 0;

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		struct fscc_dir_entry e = sample_entry(names[i]);

		assert_true(fscc_dir_append(info_class, buf, cap, &pos, &last, &e));
	}
	return pos;
}

/* Each class gives back the fields it carries, entry after entry, each 8-byte aligned. */
static void test_dir_round_trip(void **state)
{
	(void)state;
	for (size_t c = 0; c < ARRAY_COUNT(dir_classes); c++) {
		static const char *names[] = {".", "a", "name with spaces.txt"};
		uint8_t buf[LIST];
		size_t len = build_dir(dir_classes[c], buf, sizeof(buf)), offset = 0, start = 0;
		uint8_t *exact = exact_copy(buf, len);
		struct wire_slice list = {exact, len};
		struct fscc_dir_entry e;

		for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
			assert_int_equal(fscc_dir_next(dir_classes[c], list, &offset, &e), 1);
			assert_int_equal(e.name.len, 2 * strlen(names[i]));
			assert_int_equal(e.name.p[0], names[i][0]);
			assert_int_equal((size_t)(e.name.p - exact) - start, dir_fixed[c]);
			assert_int_equal(start % 8, 0);
			assert_int_equal(e.file_index, 1);
			if (dir_classes[c] != FSCC_FILE_NAMES) {
				assert_true(e.change_time == 5 && e.end_of_file == 6 &&
					    e.allocation_size == 7);
				assert_int_equal(e.attributes, 0x20);
			}
			start = offset;
		}
		assert_int_equal(fscc_dir_next(dir_classes[c], list, &offset, &e), 0);
		free(exact);
	}
}

/* The id classes carry the id, the both classes the short name, EaSize is the reparse tag of a reparse point. */
static void test_dir_extra_fields(void **state)
{
	uint8_t buf[LIST];
	struct fscc_dir_entry in = sample_entry(TEXT("n")), e;
	size_t pos = 0, last = 0, offset = 0;

	(void)state;
	assert_true(fscc_dir_append(FSCC_FILE_ID_BOTH_DIRECTORY, buf, sizeof(buf), &pos, &last, &in));
	assert_int_equal(
		fscc_dir_next(FSCC_FILE_ID_BOTH_DIRECTORY, (struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_true(e.file_id == in.file_id);
	assert_int_equal(e.ea_size, 9);
	assert_int_equal(e.reparse_tag, 0);
	assert_int_equal(e.short_name_len, 4);
	assert_memory_equal(e.short_name, in.short_name, 4);

	in.attributes |= 0x400;
	in.ea_size = FSCC_REPARSE_TAG_SYMLINK;
	pos = last = offset = 0;
	assert_true(fscc_dir_append(FSCC_FILE_ID_BOTH_DIRECTORY, buf, sizeof(buf), &pos, &last, &in));
	assert_int_equal(
		fscc_dir_next(FSCC_FILE_ID_BOTH_DIRECTORY, (struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_int_equal(e.reparse_tag, FSCC_REPARSE_TAG_SYMLINK);

	in.reparse_tag = FSCC_REPARSE_TAG_LX_SYMLINK;
	pos = last = offset = 0;
	assert_true(fscc_dir_append(FSCC_FILE_ID_EXTD_DIRECTORY, buf, sizeof(buf), &pos, &last, &in));
	assert_int_equal(
		fscc_dir_next(FSCC_FILE_ID_EXTD_DIRECTORY, (struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_int_equal(e.reparse_tag, FSCC_REPARSE_TAG_LX_SYMLINK);
	assert_true(e.file_id == in.file_id);
}

/* Names that no directory entry can have are passed over; the others still come. */
static void test_dir_unusable_names(void **state)
{
	const struct wire_slice names[] = {TEXT("a/b"),  TEXT("ok"), TEXT("..\\x"), TEXT("/"),
					   TEXT("x\0y"), {NULL, 0},  TEXT("fine")};
	uint8_t buf[LIST];
	size_t pos = 0, last = 0, offset = 0;
	struct fscc_dir_entry e;

	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		e = sample_entry(names[i]);
		assert_true(fscc_dir_append(FSCC_FILE_NAMES, buf, sizeof(buf), &pos, &last, &e));
	}
	assert_int_equal(fscc_dir_next(FSCC_FILE_NAMES, (struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_true(slice_equal(e.name, TEXT("ok")));
	assert_int_equal(fscc_dir_next(FSCC_FILE_NAMES, (struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_true(slice_equal(e.name, TEXT("fine")));
	assert_int_equal(fscc_dir_next(FSCC_FILE_NAMES, (struct wire_slice){buf, pos}, &offset, &e), 0);
}

/* A walk over any list ends after finitely many steps, and never yields a name outside the list. */
static int walk(uint8_t info_class, struct wire_slice list)
{
	struct fscc_dir_entry e;
	size_t offset = 0, steps = 0;
	int more;

	while ((more = fscc_dir_next(info_class, list, &offset, &e)) > 0) {
		assert_true(++steps <= list.len);
		assert_true(e.name.p >= list.p && e.name.p + e.name.len <= list.p + list.len);
		assert_true(e.short_name_len <= sizeof(e.short_name));
	}
	return more;
}

/* Cut lists and lists with any byte changed are walked without reading outside. */
static void test_dir_hostile(void **state)
{
	static const uint8_t values[] = {0, 1, 8, 0x7F, 0xFF};

	(void)state;
	for (size_t c = 0; c < ARRAY_COUNT(dir_classes); c++) {
		uint8_t buf[LIST];
		size_t len = build_dir(dir_classes[c], buf, sizeof(buf));

		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = exact_copy(buf, n);
			int end = walk(dir_classes[c], (struct wire_slice){cut, n});

			assert_int_equal(end, n ? -1 : 0); /* the last name is cut, or an entry before it */
			free(cut);
		}
		for (size_t at = 0; at < len; at++) {
			for (size_t v = 0; v < ARRAY_COUNT(values); v++) {
				uint8_t *copy = exact_copy(buf, len);

				copy[at] = values[v];
				(void)walk(dir_classes[c], (struct wire_slice){copy, len});
				free(copy);
			}
		}
	}
	assert_int_equal(walk(99, (struct wire_slice){values, sizeof(values)}), -1);
}

/* An entry that does not fit changes nothing: the list so far stays valid. */
static void test_dir_append_full(void **state)
{
	uint8_t buf[LIST];
	size_t pos = 0, last = 0, before;
	struct fscc_dir_entry e = sample_entry(TEXT("some name"));
	unsigned int added = 0;

	(void)state;
	do {
		before = pos;
		added++;
	} while (fscc_dir_append(FSCC_FILE_ID_BOTH_DIRECTORY, buf, 1000, &pos, &last, &e));
	assert_int_equal(pos, before);
	assert_true(added > 5);
	assert_int_equal(walk(FSCC_FILE_ID_BOTH_DIRECTORY, (struct wire_slice){buf, pos}), 0);
}

/* A change notification lists actions and paths. */
static void test_notify(void **state)
{
	const struct fscc_notify in[] = {{FSCC_ACTION_RENAMED_OLD_NAME, TEXT("dir\\old")},
					 {FSCC_ACTION_RENAMED_NEW_NAME, TEXT("dir\\new name")}};
	uint8_t buf[LIST];
	size_t pos = 0, last = 0, offset = 0;
	struct fscc_notify e;

	(void)state;
	for (size_t i = 0; i < 2; i++)
		assert_true(fscc_notify_append(buf, sizeof(buf), &pos, &last, &in[i]));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fscc_notify_next((struct wire_slice){buf, pos}, &offset, &e), 1);
		assert_int_equal(e.action, in[i].action);
		assert_true(slice_equal(e.name, in[i].name));
	}
	assert_int_equal(fscc_notify_next((struct wire_slice){buf, pos}, &offset, &e), 0);
	for (size_t n = 1; n < pos; n++) {
		uint8_t *cut = exact_copy(buf, n);
		int more;

		offset = 0;
		while ((more = fscc_notify_next((struct wire_slice){cut, n}, &offset, &e)) > 0)
			;
		assert_int_equal(more, -1);
		free(cut);
	}
}

/* Streams and extended attributes: lists that end, names without NUL. */
static void test_streams_and_eas(void **state)
{
	const struct fscc_stream stream = {.size = 5, .allocation_size = 4096, .name = TEXT(":s:$DATA")};
	const struct fscc_ea ea = {
		.flags = 0x80, .name = {(const uint8_t *)"user.one", 8}, .value = TEXT("v")};
	const struct fscc_ea empty = {.name = {(const uint8_t *)"E", 1}};
	const struct fscc_ea nameless = {.value = TEXT("v")};
	const struct fscc_ea nul = {.name = {(const uint8_t *)"a\0b", 3}};
	uint8_t buf[LIST];
	size_t pos = 0, last = 0, offset = 0;
	struct fscc_stream s;
	struct fscc_ea e;

	(void)state;
	assert_true(fscc_stream_append(buf, sizeof(buf), &pos, &last, &stream));
	assert_true(fscc_stream_append(buf, sizeof(buf), &pos, &last, &stream));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fscc_stream_next((struct wire_slice){buf, pos}, &offset, &s), 1);
		assert_true(s.size == 5 && s.allocation_size == 4096 && slice_equal(s.name, stream.name));
	}
	assert_int_equal(fscc_stream_next((struct wire_slice){buf, pos}, &offset, &s), 0);

	pos = last = offset = 0;
	assert_true(fscc_ea_append(buf, sizeof(buf), &pos, &last, &ea));
	assert_true(fscc_ea_append(buf, sizeof(buf), &pos, &last, &empty));
	assert_false(fscc_ea_append(buf, sizeof(buf), &pos, &last, &nameless));
	assert_false(fscc_ea_append(buf, sizeof(buf), &pos, &last, &nul));
	assert_int_equal(fscc_ea_next((struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_true(e.flags == 0x80 && slice_equal(e.name, ea.name) && slice_equal(e.value, ea.value));
	assert_int_equal(fscc_ea_next((struct wire_slice){buf, pos}, &offset, &e), 1);
	assert_int_equal(e.value.len, 0);
	assert_int_equal(fscc_ea_next((struct wire_slice){buf, pos}, &offset, &e), 0);
	buf[8] = 0; /* a NUL inside the name */
	offset = 0;
	assert_int_equal(fscc_ea_next((struct wire_slice){buf, pos}, &offset, &e), -1);
}

/* One fixed-size class behind untyped pointers. */
struct fixed_class {
	const char *name;
	size_t (*encode)(uint8_t *buf, size_t cap, const void *in);
	bool (*decode)(struct wire_slice data, void *out);
	const void *sample;
	size_t size;
	size_t wire_size; /* of the fixed part, from MS-FSCC */
	size_t least;
};

#define CODEC(name) \
	static size_t encode_##name(uint8_t *buf, size_t cap, const void *in) \
	{ \
		return fscc_##name##_encode(buf, cap, in); \
	} \
	static bool decode_##name(struct wire_slice data, void *out) \
	{ \
		return fscc_##name##_decode(data, out); \
	}

CODEC(basic)
CODEC(standard)
CODEC(network_open)
CODEC(all)
CODEC(attribute_tag)
CODEC(file_id_info)
CODEC(rename)
CODEC(fs_size)
CODEC(fs_full_size)
CODEC(fs_volume)
CODEC(fs_attribute)
CODEC(fs_device)
CODEC(fs_sector_size)

static const struct fscc_basic basic = {1, 2, 3, 4, 0x20};
static const struct fscc_standard standard = {4096, 5, 2, true, false};
static const struct fscc_network_open network_open = {1, 2, 3, 4, 5, 6, 0x20};
static const struct fscc_all all = {.basic = {1, 2, 3, 4, 0x20},
				    .standard = {4096, 5, 2, false, true},
				    .index_number = 77,
				    .ea_size = 8,
				    .access_flags = 9,
				    .position = 10,
				    .mode = 11,
				    .alignment = 12,
				    .name = {(const uint8_t *)u"\\n", 4}};
static const struct fscc_attribute_tag attribute_tag = {0x400, FSCC_REPARSE_TAG_SYMLINK};
static const struct fscc_file_id_info file_id_info = {3, {1, 2, 3}};
static const struct fscc_rename rename_long = {true, {(const uint8_t *)u"dir\\name", 16}};
static const struct fscc_fs_size fs_size = {1000, 500, 2, 512};
static const struct fscc_fs_full_size fs_full_size = {1000, 400, 500, 2, 512};
static const struct fscc_fs_volume fs_volume = {1, 2, true, {(const uint8_t *)u"LABEL", 10}};
static const struct fscc_fs_attribute fs_attribute = {0x1006f, 255, {(const uint8_t *)u"NTFS", 8}};
static const struct fscc_fs_device fs_device = {7, 0x20};
static const struct fscc_fs_sector_size fs_sector_size = {512, 4096, 4096, 4096, 1, 0, 0};

#define FIXED(codec, wire_size, least) \
	{ \
#codec, encode_##codec, decode_##codec, &codec, sizeof(codec), wire_size, least \
	}

static const struct fixed_class fixed_classes[] = {
	FIXED(basic, 40, 40),
	FIXED(standard, 24, 24),
	FIXED(network_open, 56, 56),
	FIXED(all, 104, 100), /* a name cut short is what STATUS_BUFFER_OVERFLOW returns */
	FIXED(attribute_tag, 8, 8),
	FIXED(file_id_info, 24, 24),
	{"rename", encode_rename, decode_rename, &rename_long, sizeof(rename_long), 36, 36},
	FIXED(fs_size, 24, 24),
	FIXED(fs_full_size, 32, 32),
	FIXED(fs_volume, 28, 18),
	FIXED(fs_attribute, 20, 12),
	FIXED(fs_device, 8, 8),
	FIXED(fs_sector_size, 28, 28),
};

/* Sizes are those of MS-FSCC; decoding and encoding again gives the same bytes; short data is refused. */
static void test_fixed_classes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_COUNT(fixed_classes); i++) {
		const struct fixed_class *f = &fixed_classes[i];
		uint8_t first[256], second[256];
		void *out = exact_copy(f->sample, f->size);
		size_t len = f->encode(first, sizeof(first), f->sample);

		if (len != f->wire_size)
			fail_msg("%s is %zu bytes, not %zu", f->name, len, f->wire_size);
		assert_int_equal(f->encode(second, len - 1, f->sample), 0);
		assert_true(f->decode((struct wire_slice){first, len}, out));
		assert_int_equal(f->encode(second, sizeof(second), out), len);
		assert_memory_equal(first, second, len);
		for (size_t n = 0; n < len; n++) {
			uint8_t *cut = exact_copy(first, n);

			if (f->decode((struct wire_slice){cut, n}, out) != (n >= f->least))
				fail_msg("%s with %zu bytes", f->name, n);
			free(cut);
		}
		free(out);
	}
}

/* Single numbers, the disposition byte, and length-prefixed names. */
static void test_small_classes(void **state)
{
	uint8_t buf[64];
	struct wire_slice name;
	uint64_t v64;
	uint32_t v32;
	bool flag;

	(void)state;
	assert_int_equal(fscc_u64_encode(buf, sizeof(buf), 0x0102030405060708), 8);
	assert_true(fscc_u64_decode((struct wire_slice){buf, 8}, &v64) && v64 == 0x0102030405060708);
	assert_false(fscc_u64_decode((struct wire_slice){buf, 7}, &v64));
	assert_int_equal(fscc_u32_encode(buf, sizeof(buf), 0x01020304), 4);
	assert_true(fscc_u32_decode((struct wire_slice){buf, 4}, &v32) && v32 == 0x01020304);
	assert_false(fscc_u32_decode((struct wire_slice){buf, 3}, &v32));
	assert_int_equal(fscc_disposition_encode(buf, sizeof(buf), true), 1);
	assert_true(fscc_disposition_decode((struct wire_slice){buf, 1}, &flag) && flag);
	assert_false(fscc_disposition_decode((struct wire_slice){buf, 0}, &flag));
	assert_int_equal(fscc_name_encode(buf, sizeof(buf), TEXT("abc")), 10);
	assert_true(fscc_name_decode((struct wire_slice){buf, 10}, &name) && slice_equal(name, TEXT("abc")));
	assert_false(fscc_name_decode((struct wire_slice){buf, 9}, &name));
}

/* A short rename is padded to 24 bytes, and the padding is not taken for the name. */
static void test_rename_padding(void **state)
{
	struct fscc_rename in = {false, TEXT("x")}, out;
	uint8_t buf[64];

	(void)state;
	assert_int_equal(fscc_rename_encode(buf, sizeof(buf), &in), 24);
	assert_true(fscc_rename_decode((struct wire_slice){buf, 24}, &out));
	assert_false(out.replace_if_exists);
	assert_true(slice_equal(out.name, in.name));
	in.name.len = 0;
	assert_int_equal(fscc_rename_encode(buf, sizeof(buf), &in), 24);
}

/* A symlink buffer gives back both names and whether it is relative; names outside the buffer are refused. */
static void test_reparse_symlink(void **state)
{
	uint8_t buf[128];
	size_t len = fscc_symlink_encode(buf, sizeof(buf), TEXT("..\\target"), TEXT("target"), true);
	struct fscc_reparse r;

	(void)state;
	assert_int_equal(len, 20 + 18 + 12);
	assert_true(fscc_reparse_decode((struct wire_slice){buf, len}, &r));
	assert_int_equal(r.tag, FSCC_REPARSE_TAG_SYMLINK);
	assert_true(r.relative);
	assert_true(slice_equal(r.substitute, TEXT("..\\target")));
	assert_true(slice_equal(r.print, TEXT("target")));
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = exact_copy(buf, n);

		assert_false(fscc_reparse_decode((struct wire_slice){cut, n}, &r));
		free(cut);
	}
	for (size_t field = 8; field < 16; field += 2) {
		uint8_t *copy = exact_copy(buf, len);

		wire_set_le16(copy + field, 0xFFFE);
		assert_false(fscc_reparse_decode((struct wire_slice){copy, len}, &r));
		wire_set_le16(copy + field, 1);
		(void)fscc_reparse_decode((struct wire_slice){copy, len}, &r);
		free(copy);
	}
}

/* Mount points, NFS and LX links, and unknown tags. */
static void test_reparse_others(void **state)
{
	static const uint8_t nfs[] = {0x14, 0, 0, 0x80, 12, 0, 0,   0, 'L', 'N',
				      'K',  1, 0, 0,    0,  0, 'a', 0, 'b', 0};
	static const uint8_t fifo[] = {0x14, 0, 0, 0x80, 8, 0, 0, 0, 'F', 'I', 'F', 'O', 0, 0, 0, 0};
	static const uint8_t lx[] = {0x1D, 0, 0, 0xA0, 7, 0, 0, 0, 2, 0, 0, 0, 'a', '/', 'b'};
	static const uint8_t mount[] = {3, 0, 0, 0xA0, 14, 0,   0, 0,   0, 0,   4,
					0, 4, 0, 2,    0,  'C', 0, ':', 0, 'p', 0};
	static const uint8_t other[] = {1, 2, 3, 4, 2, 0, 0, 0, 'x', 'y'};
	struct fscc_reparse r;

	(void)state;
	assert_true(fscc_reparse_decode((struct wire_slice){nfs, sizeof(nfs)}, &r));
	assert_true(r.nfs_type == FSCC_NFS_SPECFILE_LNK && slice_equal(r.substitute, TEXT("ab")));
	assert_true(fscc_reparse_decode((struct wire_slice){fifo, sizeof(fifo)}, &r));
	assert_true(r.nfs_type == FSCC_NFS_SPECFILE_FIFO && r.substitute.len == 0);
	assert_true(fscc_reparse_decode((struct wire_slice){lx, sizeof(lx)}, &r));
	assert_int_equal(r.lx_target.len, 3);
	assert_memory_equal(r.lx_target.p, "a/b", 3);
	assert_true(fscc_reparse_decode((struct wire_slice){mount, sizeof(mount)}, &r));
	assert_true(slice_equal(r.substitute, TEXT("C:")) && slice_equal(r.print, TEXT("p")) && !r.relative);
	assert_true(fscc_reparse_decode((struct wire_slice){other, sizeof(other)}, &r));
	assert_int_equal(r.data.len, 2);
	assert_int_equal(r.substitute.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dir_round_trip),     cmocka_unit_test(test_dir_extra_fields),
		cmocka_unit_test(test_dir_unusable_names), cmocka_unit_test(test_dir_hostile),
		cmocka_unit_test(test_dir_append_full),    cmocka_unit_test(test_notify),
		cmocka_unit_test(test_streams_and_eas),    cmocka_unit_test(test_fixed_classes),
		cmocka_unit_test(test_small_classes),      cmocka_unit_test(test_rename_padding),
		cmocka_unit_test(test_reparse_symlink),    cmocka_unit_test(test_reparse_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * fscc.h - information classes of MS-FSCC, as they lie in QUERY_INFO, SET_INFO, QUERY_DIRECTORY and
 * CHANGE_NOTIFY buffers and in reparse ioctls.  Bare data, no SMB2 header.
 *
 * Conventions as in smb2_wire.h: encode returns bytes or 0, decode returns false for malformed data, slices
 * borrow, text is UTF-16LE bytes, times are 100 ns since 1601 (in set requests 0: leave, -1 and -2 as in
 * MS-FSCC 2.4.7).  Iterators take *offset = 0 first and return 1 (entry), 0 (end) or -1 (malformed); every
 * step moves forward, so a hostile chain ends.
 */
#ifndef SMB_WIRE_FSCC_H
#define SMB_WIRE_FSCC_H

#include "bytes.h"

/* FileInformationClass values (MS-FSCC 2.4) used over SMB2. */
enum fscc_file_class {
	FSCC_FILE_DIRECTORY = 1,
	FSCC_FILE_FULL_DIRECTORY = 2,
	FSCC_FILE_BOTH_DIRECTORY = 3,
	FSCC_FILE_BASIC = 4,
	FSCC_FILE_STANDARD = 5,
	FSCC_FILE_INTERNAL = 6,
	FSCC_FILE_EA = 7,
	FSCC_FILE_ACCESS = 8,
	FSCC_FILE_NAME = 9,
	FSCC_FILE_RENAME = 10,
	FSCC_FILE_LINK = 11,
	FSCC_FILE_NAMES = 12,
	FSCC_FILE_DISPOSITION = 13,
	FSCC_FILE_POSITION = 14,
	FSCC_FILE_FULL_EA = 15,
	FSCC_FILE_MODE = 16,
	FSCC_FILE_ALIGNMENT = 17,
	FSCC_FILE_ALL = 18,
	FSCC_FILE_ALLOCATION = 19,
	FSCC_FILE_END_OF_FILE = 20,
	FSCC_FILE_ALTERNATE_NAME = 21,
	FSCC_FILE_STREAM = 22,
	FSCC_FILE_PIPE = 23,
	FSCC_FILE_COMPRESSION = 28,
	FSCC_FILE_NETWORK_OPEN = 34,
	FSCC_FILE_ATTRIBUTE_TAG = 35,
	FSCC_FILE_ID_BOTH_DIRECTORY = 37,
	FSCC_FILE_ID_FULL_DIRECTORY = 38,
	FSCC_FILE_VALID_DATA_LENGTH = 39,
	FSCC_FILE_NORMALIZED_NAME = 48,
	FSCC_FILE_ID = 59,
	FSCC_FILE_ID_EXTD_DIRECTORY = 60,
	FSCC_FILE_DISPOSITION_EX = 64,
	FSCC_FILE_RENAME_EX = 65,
};

/* FsInformationClass values (MS-FSCC 2.5). */
enum fscc_fs_class {
	FSCC_FS_VOLUME = 1,
	FSCC_FS_LABEL = 2,
	FSCC_FS_SIZE = 3,
	FSCC_FS_DEVICE = 4,
	FSCC_FS_ATTRIBUTE = 5,
	FSCC_FS_CONTROL = 6,
	FSCC_FS_FULL_SIZE = 7,
	FSCC_FS_OBJECT_ID = 8,
	FSCC_FS_SECTOR_SIZE = 11,
};

/* ---- fscc_dir.c: directory entries and change notifications ------------------------------------------ */

/* Union of all directory classes; fields a class does not carry are 0. */
struct fscc_dir_entry {
	uint32_t file_index;
	uint64_t creation_time;
	uint64_t last_access_time;
	uint64_t last_write_time;
	uint64_t change_time;
	uint64_t end_of_file;
	uint64_t allocation_size;
	uint32_t attributes;
	uint32_t ea_size;     /* for a reparse point: the reparse tag (MS-FSCC 2.4.8), also in reparse_tag */
	uint32_t reparse_tag; /* 0 unless attributes say reparse point and the class carries the tag */
	uint64_t file_id;
	uint8_t short_name_len; /* bytes, 0..24 */
	uint8_t short_name[24];
	struct wire_slice name; /* never empty, even length, no NUL, '/' or '\' (see fscc_dir_next) */
};

/*
 * Classes: FSCC_FILE_DIRECTORY, _FULL_, _BOTH_, _ID_FULL_, _ID_BOTH_, _ID_EXTD_DIRECTORY and FSCC_FILE_NAMES.
 * Entries whose name is empty or contains NUL, '/' or '\' are passed over: nothing in a directory can be
 * called so, and handing one on would let a server point outside the directory.  A name of odd length, or one
 * that leaves its entry, makes the list malformed.
 */
int fscc_dir_next(uint8_t info_class, struct wire_slice list, size_t *offset, struct fscc_dir_entry *entry);
/* Appends one entry at *pos, linking the one at *last; both start 0.  False, nothing changed: does not fit. */
bool fscc_dir_append(uint8_t info_class, uint8_t *buf, size_t cap, size_t *pos, size_t *last,
		     const struct fscc_dir_entry *entry);

/* Actions of a change notification (MS-FSCC 2.7.1). */
enum fscc_notify_action {
	FSCC_ACTION_ADDED = 1,
	FSCC_ACTION_REMOVED = 2,
	FSCC_ACTION_MODIFIED = 3,
	FSCC_ACTION_RENAMED_OLD_NAME = 4,
	FSCC_ACTION_RENAMED_NEW_NAME = 5,
	FSCC_ACTION_ADDED_STREAM = 6,
	FSCC_ACTION_REMOVED_STREAM = 7,
	FSCC_ACTION_MODIFIED_STREAM = 8,
	FSCC_ACTION_REMOVED_BY_DELETE = 9,
	FSCC_ACTION_ID_NOT_TUNNELLED = 10,
	FSCC_ACTION_TUNNELLED_ID_COLLISION = 11,
};

struct fscc_notify {
	uint32_t action;
	struct wire_slice name; /* path below the watched directory, '\' between components */
};

int fscc_notify_next(struct wire_slice list, size_t *offset, struct fscc_notify *entry);
bool fscc_notify_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last, const struct fscc_notify *entry);

/* ---- fscc_file.c: classes of one file ---------------------------------------------------------------- */

struct fscc_basic {
	uint64_t creation_time;
	uint64_t last_access_time;
	uint64_t last_write_time;
	uint64_t change_time;
	uint32_t attributes; /* in a set request 0: leave */
};

struct fscc_standard {
	uint64_t allocation_size;
	uint64_t end_of_file;
	uint32_t number_of_links;
	bool delete_pending;
	bool directory;
};

struct fscc_network_open {
	uint64_t creation_time;
	uint64_t last_access_time;
	uint64_t last_write_time;
	uint64_t change_time;
	uint64_t allocation_size;
	uint64_t end_of_file;
	uint32_t attributes;
};

struct fscc_all {
	struct fscc_basic basic;
	struct fscc_standard standard;
	uint64_t index_number;
	uint32_t ea_size;
	uint32_t access_flags;
	uint64_t position;
	uint32_t mode;
	uint32_t alignment;
	struct wire_slice name; /* as far as it was returned (STATUS_BUFFER_OVERFLOW cuts it) */
};

struct fscc_attribute_tag {
	uint32_t attributes;
	uint32_t reparse_tag;
};

struct fscc_file_id_info {
	uint64_t volume_serial;
	uint8_t file_id[16];
};

bool fscc_basic_decode(struct wire_slice data, struct fscc_basic *out);
size_t fscc_basic_encode(uint8_t *buf, size_t cap, const struct fscc_basic *in);
bool fscc_standard_decode(struct wire_slice data, struct fscc_standard *out);
size_t fscc_standard_encode(uint8_t *buf, size_t cap, const struct fscc_standard *in);
bool fscc_network_open_decode(struct wire_slice data, struct fscc_network_open *out);
size_t fscc_network_open_encode(uint8_t *buf, size_t cap, const struct fscc_network_open *in);
bool fscc_all_decode(struct wire_slice data, struct fscc_all *out);
size_t fscc_all_encode(uint8_t *buf, size_t cap, const struct fscc_all *in);
bool fscc_attribute_tag_decode(struct wire_slice data, struct fscc_attribute_tag *out);
size_t fscc_attribute_tag_encode(uint8_t *buf, size_t cap, const struct fscc_attribute_tag *in);
bool fscc_file_id_info_decode(struct wire_slice data, struct fscc_file_id_info *out);
size_t fscc_file_id_info_encode(uint8_t *buf, size_t cap, const struct fscc_file_id_info *in);

/* One 64-bit number: Internal, EndOfFile, Allocation, Position, ValidDataLength. */
bool fscc_u64_decode(struct wire_slice data, uint64_t *out);
size_t fscc_u64_encode(uint8_t *buf, size_t cap, uint64_t value);
/* One 32-bit number: Ea, Access, Mode, Alignment, DispositionEx flags. */
bool fscc_u32_decode(struct wire_slice data, uint32_t *out);
size_t fscc_u32_encode(uint8_t *buf, size_t cap, uint32_t value);
/* One byte: Disposition. */
bool fscc_disposition_decode(struct wire_slice data, bool *delete_pending);
size_t fscc_disposition_encode(uint8_t *buf, size_t cap, bool delete_pending);

#define FSCC_DISPOSITION_DELETE 0x00000001u
#define FSCC_DISPOSITION_POSIX_SEMANTICS 0x00000002u
#define FSCC_DISPOSITION_FORCE_IMAGE_SECTION_CHECK 0x00000004u
#define FSCC_DISPOSITION_ON_CLOSE 0x00000008u
#define FSCC_DISPOSITION_IGNORE_READONLY_ATTRIBUTE 0x00000010u

/* FileNameInformation and its relatives (Name, AlternateName, NormalizedName): length and text. */
bool fscc_name_decode(struct wire_slice data, struct wire_slice *name);
size_t fscc_name_encode(uint8_t *buf, size_t cap, struct wire_slice name);

/* FileRenameInformation and FileLinkInformation in the SMB2 layout (2.4.42.2, 2.4.28.2). */
struct fscc_rename {
	bool replace_if_exists;
	struct wire_slice name; /* path from the share's root, no leading backslash */
};

/* Padded to 24 bytes, which Windows servers insist on. */
size_t fscc_rename_encode(uint8_t *buf, size_t cap, const struct fscc_rename *in);
bool fscc_rename_decode(struct wire_slice data, struct fscc_rename *out);

/* FileStreamInformation (2.4.49). */
struct fscc_stream {
	uint64_t size;
	uint64_t allocation_size;
	struct wire_slice name; /* ":name:$DATA" */
};

int fscc_stream_next(struct wire_slice list, size_t *offset, struct fscc_stream *entry);
bool fscc_stream_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last, const struct fscc_stream *entry);

/* FileFullEaInformation (2.4.16): names are 8-bit text. */
struct fscc_ea {
	uint8_t flags;           /* 0x80: FILE_NEED_EA */
	struct wire_slice name;  /* without its NUL, 1..254 bytes, no NUL inside */
	struct wire_slice value; /* at most 65535 bytes; in a set request empty: remove */
};

int fscc_ea_next(struct wire_slice list, size_t *offset, struct fscc_ea *entry);
bool fscc_ea_append(uint8_t *buf, size_t cap, size_t *pos, size_t *last, const struct fscc_ea *entry);

/* ---- fscc_fs.c: classes of a volume ------------------------------------------------------------------ */

struct fscc_fs_size {
	uint64_t total_units;
	uint64_t available_units;
	uint32_t sectors_per_unit;
	uint32_t bytes_per_sector;
};

struct fscc_fs_full_size {
	uint64_t total_units;
	uint64_t caller_available_units;
	uint64_t actual_available_units;
	uint32_t sectors_per_unit;
	uint32_t bytes_per_sector;
};

struct fscc_fs_volume {
	uint64_t creation_time;
	uint32_t serial;
	bool supports_objects;
	struct wire_slice label; /* as far as it was returned */
};

struct fscc_fs_attribute {
	uint32_t attributes;
	uint32_t max_component; /* characters */
	struct wire_slice name; /* "NTFS"; as far as it was returned */
};

struct fscc_fs_device {
	uint32_t device_type;
	uint32_t characteristics;
};

struct fscc_fs_sector_size {
	uint32_t logical;
	uint32_t physical_for_atomicity;
	uint32_t physical_for_performance;
	uint32_t effective_for_atomicity;
	uint32_t flags;
	uint32_t sector_alignment_offset;
	uint32_t partition_alignment_offset;
};

bool fscc_fs_size_decode(struct wire_slice data, struct fscc_fs_size *out);
size_t fscc_fs_size_encode(uint8_t *buf, size_t cap, const struct fscc_fs_size *in);
bool fscc_fs_full_size_decode(struct wire_slice data, struct fscc_fs_full_size *out);
size_t fscc_fs_full_size_encode(uint8_t *buf, size_t cap, const struct fscc_fs_full_size *in);
bool fscc_fs_volume_decode(struct wire_slice data, struct fscc_fs_volume *out);
size_t fscc_fs_volume_encode(uint8_t *buf, size_t cap, const struct fscc_fs_volume *in);
bool fscc_fs_attribute_decode(struct wire_slice data, struct fscc_fs_attribute *out);
size_t fscc_fs_attribute_encode(uint8_t *buf, size_t cap, const struct fscc_fs_attribute *in);
bool fscc_fs_device_decode(struct wire_slice data, struct fscc_fs_device *out);
size_t fscc_fs_device_encode(uint8_t *buf, size_t cap, const struct fscc_fs_device *in);
bool fscc_fs_sector_size_decode(struct wire_slice data, struct fscc_fs_sector_size *out);
size_t fscc_fs_sector_size_encode(uint8_t *buf, size_t cap, const struct fscc_fs_sector_size *in);

/* ---- fscc_fs.c: reparse buffers (2.1.2) -------------------------------------------------------------- */

#define FSCC_REPARSE_TAG_SYMLINK 0xA000000Cu
#define FSCC_REPARSE_TAG_MOUNT_POINT 0xA0000003u
#define FSCC_REPARSE_TAG_NFS 0x80000014u
#define FSCC_REPARSE_TAG_LX_SYMLINK 0xA000001Du
#define FSCC_SYMLINK_FLAG_RELATIVE 0x00000001u

#define FSCC_NFS_SPECFILE_LNK UINT64_C(0x00000000014B4E4C)
#define FSCC_NFS_SPECFILE_CHR UINT64_C(0x0000000000524843)
#define FSCC_NFS_SPECFILE_BLK UINT64_C(0x00000000004B4C42)
#define FSCC_NFS_SPECFILE_FIFO UINT64_C(0x000000004F464946)
#define FSCC_NFS_SPECFILE_SOCK UINT64_C(0x000000004B434F53)

struct fscc_reparse {
	uint32_t tag;
	struct wire_slice data; /* after the 8-byte head */
	/* by tag; empty or 0 for tags not named above */
	bool relative;                /* symlink */
	struct wire_slice substitute; /* symlink, mount point; NFS symlink: the target (UTF-16LE) */
	struct wire_slice print;      /* symlink, mount point */
	uint64_t nfs_type;            /* FSCC_NFS_SPECFILE_... */
	struct wire_slice lx_target;  /* LX symlink: UTF-8 */
};

bool fscc_reparse_decode(struct wire_slice data, struct fscc_reparse *out);
/* For FSCTL_SET_REPARSE_POINT. */
size_t fscc_symlink_encode(uint8_t *buf, size_t cap, struct wire_slice substitute, struct wire_slice print,
			   bool relative);

#endif

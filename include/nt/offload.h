/* offload.h - copies that the storage makes by itself: tokens and shared extents. Offsets and lengths are bytes. */
#ifndef NT_OFFLOAD_H
#define NT_OFFLOAD_H

#include "fsctl_codes.h"

#define FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX 0x000983e8

#define STORAGE_OFFLOAD_MAX_TOKEN_LENGTH 512
#define STORAGE_OFFLOAD_TOKEN_ID_LENGTH 0x1f8
#define STORAGE_OFFLOAD_TOKEN_TYPE_ZERO_DATA 0xffff0001u

typedef struct _STORAGE_OFFLOAD_TOKEN {
	UCHAR TokenType[4]; /* big-endian */
	UCHAR Reserved[2];
	UCHAR TokenIdLength[2]; /* big-endian */
	union {
		struct {
			UCHAR Reserved2[STORAGE_OFFLOAD_TOKEN_ID_LENGTH];
		} StorageOffloadZeroDataToken;
		UCHAR Token[STORAGE_OFFLOAD_TOKEN_ID_LENGTH];
	};
} STORAGE_OFFLOAD_TOKEN, *PSTORAGE_OFFLOAD_TOKEN;
C_ASSERT(sizeof(STORAGE_OFFLOAD_TOKEN) == STORAGE_OFFLOAD_MAX_TOKEN_LENGTH);

typedef struct _FSCTL_OFFLOAD_READ_INPUT {
	ULONG Size; /* of this structure */
	ULONG Flags;
	ULONG TokenTimeToLive; /* milliseconds; 0: as the storage likes */
	ULONG Reserved;
	ULONGLONG FileOffset;
	ULONGLONG CopyLength;
} FSCTL_OFFLOAD_READ_INPUT, *PFSCTL_OFFLOAD_READ_INPUT;

typedef struct _FSCTL_OFFLOAD_READ_OUTPUT {
	ULONG Size;
	ULONG Flags;
	ULONGLONG TransferLength;
	UCHAR Token[STORAGE_OFFLOAD_MAX_TOKEN_LENGTH];
} FSCTL_OFFLOAD_READ_OUTPUT, *PFSCTL_OFFLOAD_READ_OUTPUT;

typedef struct _FSCTL_OFFLOAD_WRITE_INPUT {
	ULONG Size;
	ULONG Flags;
	ULONGLONG FileOffset;
	ULONGLONG CopyLength;
	ULONGLONG TransferOffset;
	UCHAR Token[STORAGE_OFFLOAD_MAX_TOKEN_LENGTH];
} FSCTL_OFFLOAD_WRITE_INPUT, *PFSCTL_OFFLOAD_WRITE_INPUT;

typedef struct _FSCTL_OFFLOAD_WRITE_OUTPUT {
	ULONG Size;
	ULONG Flags;
	ULONGLONG LengthWritten;
} FSCTL_OFFLOAD_WRITE_OUTPUT, *PFSCTL_OFFLOAD_WRITE_OUTPUT;

typedef struct _DUPLICATE_EXTENTS_DATA {
	HANDLE FileHandle;
	LARGE_INTEGER SourceFileOffset;
	LARGE_INTEGER TargetFileOffset;
	LARGE_INTEGER ByteCount;
} DUPLICATE_EXTENTS_DATA, *PDUPLICATE_EXTENTS_DATA;

/* As a 32-bit program sends it. */
typedef struct _DUPLICATE_EXTENTS_DATA32 {
	UINT32 FileHandle;
	LARGE_INTEGER SourceFileOffset;
	LARGE_INTEGER TargetFileOffset;
	LARGE_INTEGER ByteCount;
} DUPLICATE_EXTENTS_DATA32, *PDUPLICATE_EXTENTS_DATA32;

#endif

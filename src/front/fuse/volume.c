/*
 * volume.c - statfs.
 */
#include <sys/statvfs.h>

#include "fuse_int.h"

void front_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct rdr_fuse *fuse = fuse_req_userdata(req);
	struct front_request *r = front_begin(req, NULL, NULL);
	struct door_open open = {.path = fuse->root_path,
				 .access = FILE_READ_ATTRIBUTES | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE};
	FILE_FS_FULL_SIZE_INFORMATION size;
	struct door_opened opened;
	struct statvfs st;
	NTSTATUS status;

	(void)ino;
	if (r == NULL)
		return;
	status = door_open(fuse->volume, &r->caller, &open, &opened);
	if (NT_SUCCESS(status)) {
		status = door_query_volume(opened.file, &r->caller, FileFsFullSizeInformation, &size,
					   sizeof(size), NULL);
		(void)door_close(opened.file, NULL); /* only queried */
	}
	if (!NT_SUCCESS(status)) {
		front_reply_status(r, status);
	} else if (front_claim(r)) {
		RtlZeroMemory(&st, sizeof(st));
		st.f_frsize = (unsigned long)size.SectorsPerAllocationUnit * size.BytesPerSector;
		st.f_bsize = st.f_frsize;
		st.f_blocks = (fsblkcnt_t)size.TotalAllocationUnits.QuadPart;
		st.f_bfree = (fsblkcnt_t)size.ActualAvailableAllocationUnits.QuadPart;
		st.f_bavail = (fsblkcnt_t)size.CallerAvailableAllocationUnits.QuadPart;
		st.f_namemax = NAME_MAX;
		fuse_reply_statfs(r->req, &st);
	}
	front_end(r);
}

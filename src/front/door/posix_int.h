/*
 * posix_int.h - what deletion (posix.c) and renaming (rename.c) share.
 */
#ifndef FRONT_DOOR_POSIX_INT_H
#define FRONT_DOOR_POSIX_INT_H

#include "door_int.h"

/* Opens what the name itself stands for, a link too, with its attributes. */
NTSTATUS door_posix_open(struct door_volume *volume, const struct door_caller *caller,
			 const UNICODE_STRING *path, ACCESS_MASK access, ULONG options,
			 struct door_opened *opened);
/* Of a handle; @now: what the file has beside the attribute. */
NTSTATUS door_posix_set_readonly_of(struct door_file *file, const struct door_caller *caller,
				    const FILE_STAT_INFORMATION *now, BOOLEAN readonly);
NTSTATUS door_posix_set_readonly(struct door_volume *volume, const struct door_caller *caller,
				 const UNICODE_STRING *path, BOOLEAN readonly);
/*
 * One change of a name that nobody has open here: open, set, close.
 * Return: of the open, else of the change.
 */
NTSTATUS door_posix_change_closed(struct door_volume *volume, const struct door_caller *caller,
				  const UNICODE_STRING *path, ULONG options, FILE_INFORMATION_CLASS cls,
				  const void *info, ULONG length);
/* FILE_RENAME_INFORMATION with "\path" from the share's root; free with DOOR_TAG_BUFFER. */
FILE_RENAME_INFORMATION *door_posix_target(const UNICODE_STRING *target, ULONG *length);
ULONG door_posix_rename_flags(BOOLEAN replace);
/* Moves what is open; a server that refuses the POSIX class is remembered. */
NTSTATUS door_posix_rename(struct door_file *file, const struct door_caller *caller,
			   const UNICODE_STRING *target, BOOLEAN replace);
/*
 * A name that nobody else has, below the first @depth folders on the way to @path; *@own: that is its own folder.
 * Free with door_name_free().
 */
NTSTATUS door_posix_hidden_name(const UNICODE_STRING *path, unsigned int depth, UNICODE_STRING *hidden,
				BOOLEAN *own);
/* Marks what is open for deletion; @path is its name, which is free when this returns. */
NTSTATUS door_posix_delete(struct door_file *file, const struct door_caller *caller,
			   const UNICODE_STRING *path, BOOLEAN directory);
/* Whether the server would let it be deleted: STATUS_DIRECTORY_NOT_EMPTY of a folder that is not. */
NTSTATUS door_posix_may_delete(struct door_file *file, const struct door_caller *caller);

#endif

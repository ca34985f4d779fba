/*
 * refuse.c - requests that come when nobody serves the mount any more.
 *
 * Owns:   nothing but a buffer while it runs.
 * Why:    a program that waits for an answer holds its folder's lock in the kernel, and a notification of ours that has
 *         entered the kernel waits for that lock: neither ends by itself, and no signal ends them. So the device is read
 *         until the last notification has left the kernel; then it is closed, and the kernel ends what is left.
 * Locks:  none. No other thread reads the device by now.
 */
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <unistd.h>

#include "fuse_int.h"

#define PATIENCE (10 * 10000ll)               /* 100 ns: most notifications are through before */
#define REQUEST_BYTES (FRONT_MAX_IO + 65536u) /* the kernel wants room for the largest write */

static bool wants_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

/* Return: false: there is none at the moment. */
static bool refuse_one(int device, void *buffer)
{
	struct fuse_out_header out = {.len = sizeof(out), .error = -ENOTCONN};
	struct fuse_in_header in;
	ssize_t n = read(device, buffer, REQUEST_BYTES);

	if (n < (ssize_t)sizeof(in))
		return n < 0 &&
		       (errno == EINTR || errno == ENOENT); /* it was given up meanwhile: the next one */
	memcpy(&in, buffer, sizeof(in));
	out.unique = in.unique;
	if (wants_answer(in.opcode))
		(void)!write(device, &out, sizeof(out)); /* ENOENT: nobody waits any more */
	return true;
}

void front_refuse_until(struct rdr_fuse *fuse, PKEVENT over)
{
	int device = fuse->session != NULL ? fuse_session_fd(fuse->session) : -1;
	LARGE_INTEGER patience = {.QuadPart = -PATIENCE};
	void *buffer = NULL;
	int flags;

	while (KeWaitForSingleObject(over, Executive, KernelMode, FALSE, &patience) != STATUS_SUCCESS) {
		if (device < 0)
			continue;
		if (buffer == NULL) {
			buffer = ExAllocatePoolWithTag(NonPagedPool, REQUEST_BYTES, FUSE_TAG_BUFFER);
			flags = fcntl(device, F_GETFL);
			if (buffer == NULL || flags < 0 || fcntl(device, F_SETFL, flags | O_NONBLOCK) != 0)
				continue;
		}
		while (refuse_one(device, buffer))
			;
	}
	if (buffer != NULL)
		ExFreePoolWithTag(buffer, FUSE_TAG_BUFFER);
}

/*
 * secret.c - a password while we have to hold it.
 *
 * Owns:      pages of their own: locked (best effort: RLIMIT_MEMLOCK may say no), left out
 *            of core dumps, wiped before they are given back.
 * Locks:     none; a secret has one owner at a time.
 * Dies when: rdr_secret_wipe().
 */
#include "rdr.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/**
 * rdr_secret_reserve - give an empty secret room for @capacity bytes and a NUL
 *
 * Return: 0, or RDR_SYSTEM when there is no memory.
 */
int rdr_secret_reserve(struct rdr_secret *secret, size_t capacity, struct rdr_error *error)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t mapped = (capacity + 1 + page - 1) / page * page;
	void *bytes = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		return rdr_fail(error, RDR_SYSTEM, "no memory for a password: %s", strerror(errno));
	(void)mlock(bytes, mapped); /* a rootless limit may forbid it; swap is then the user's choice */
	(void)madvise(bytes, mapped, MADV_DONTDUMP);
	rdr_secret_wipe(secret);
	secret->bytes = bytes;
	secret->mapped = mapped;
	secret->length = 0;
	return 0;
}

int rdr_secret_set(struct rdr_secret *secret, const char *bytes, size_t length, struct rdr_error *error)
{
	struct rdr_secret fresh = {0};
	int code = rdr_secret_reserve(&fresh, length, error);

	if (code != 0)
		return code;
	memcpy(fresh.bytes, bytes, length);
	fresh.bytes[length] = '\0';
	fresh.length = length;
	rdr_secret_wipe(secret);
	*secret = fresh;
	return 0;
}

void rdr_secret_wipe(struct rdr_secret *secret)
{
	if (secret->bytes != NULL) {
		explicit_bzero(secret->bytes, secret->mapped);
		(void)munmap(secret->bytes, secret->mapped); /* cannot fail for a mapping of ours */
	}
	secret->bytes = NULL;
	secret->length = 0;
	secret->mapped = 0;
}

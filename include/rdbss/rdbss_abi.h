/*
 * rdbss_abi.h - what a loadable mini-redirector says about the headers it was built with. Ours, not the WDK's.
 *
 * The object exports `rdbss_abi_version`; `rdr build-minirdr` adds it. Whoever loads the object compares every
 * number with its own before any routine of the driver runs: a driver that disagrees about a structure would
 * corrupt memory instead of failing.
 */
#ifndef RX_RDBSS_ABI_H
#define RX_RDBSS_ABI_H

#include "rx.h"

#define RDBSS_ABI_MAGIC "rdbssABI"
#define RDBSS_ABI_VERSION 1u /* changes when a routine changes its meaning or its arguments */

/* The structures that a driver and the redirector share; sizes change with the headers. */
#define RDBSS_ABI_STRUCTURES(X) \
	X(DRIVER_OBJECT) \
	X(DEVICE_OBJECT) \
	X(FILE_OBJECT) \
	X(IRP) \
	X(IO_STACK_LOCATION) \
	X(MDL) \
	X(KEVENT) \
	X(KSEMAPHORE) \
	X(KTIMER) \
	X(KSPIN_LOCK) \
	X(FAST_MUTEX) \
	X(ERESOURCE) \
	X(MINIRDR_DISPATCH) \
	X(RDBSS_DEVICE_OBJECT) \
	X(RX_CONTEXT) \
	X(SRV_CALL) \
	X(NET_ROOT) \
	X(V_NET_ROOT) \
	X(FCB) \
	X(SRV_OPEN) \
	X(FOBX)

#define RDBSS_ABI_COUNT_ONE(type) +1
enum { RDBSS_ABI_STRUCTURE_COUNT = 0 RDBSS_ABI_STRUCTURES(RDBSS_ABI_COUNT_ONE) };

struct rdbss_abi {
	char magic[8];                                       /* RDBSS_ABI_MAGIC without its NUL */
	uint32_t bytes;                                      /* of this structure */
	uint32_t version;                                    /* RDBSS_ABI_VERSION */
	uint32_t structure_count;                            /* RDBSS_ABI_STRUCTURE_COUNT */
	uint32_t structure_bytes[RDBSS_ABI_STRUCTURE_COUNT]; /* in the order of RDBSS_ABI_STRUCTURES */
};

#define RDBSS_ABI_SIZE_ONE(type) sizeof(type),
#define RDBSS_ABI_INITIALIZER \
	{ \
		{'r', 'd', 'b', 's', 's', 'A', 'B', 'I'}, sizeof(struct rdbss_abi), RDBSS_ABI_VERSION, \
			RDBSS_ABI_STRUCTURE_COUNT, \
		{ \
			RDBSS_ABI_STRUCTURES(RDBSS_ABI_SIZE_ONE) \
		} \
	}

/* Once, in one source of the driver, unless the recipe adds it. */
#define RDBSS_MINIRDR_STAMP \
	extern const struct rdbss_abi rdbss_abi_version; \
	__attribute__((visibility("default"))) const struct rdbss_abi rdbss_abi_version = \
		RDBSS_ABI_INITIALIZER

#endif

/*
 * library.c - the engine's life inside a program, its threads, its drivers.
 *
 * Owns:      the runtime (between the first rdbss_init() and the last rdbss_shutdown()) and one started driver
 *            per scheme, from the first mount that needs it to the last that goes.
 * Locks:     `latch` around the counts and around the start of the runtime; `drivers_mutex` (guarded mutex)
 *            around starting and stopping a driver, which may block.
 */
#include <unistd.h>

#include "front/capi/capi_int.h"
#include "nt_count.h"

struct capi_driver {
	const struct door_driver *which;
	struct door *door;
	unsigned int users;
};

#define MAX_DRIVERS 8

static struct {
	struct nt_latch latch; /* taken by threads that the engine does not know */
	unsigned int users;    /* changed under the latch; read without it by those who are users */
	KGUARDED_MUTEX drivers_mutex;
	struct capi_driver drivers[MAX_DRIVERS];
} library;

static __thread NTSTATUS last_status;

static void library_lock(void)
{
	nt_latch_acquire(&library.latch);
}

static void library_unlock(void)
{
	nt_latch_release(&library.latch);
}

/* Under the lock throughout: a second caller must find a running engine. */
int rdbss_init(uint32_t version)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};
	NTSTATUS status = STATUS_SUCCESS;

	if (version != RDBSS_API_VERSION)
		return -ENOTSUP;
	library_lock();
	if (library.users == 0) {
		status = nt_initialize(&config);
		/* A program (or a test) that runs the engine itself shares it. */
		if (NT_SUCCESS(status))
			KeInitializeGuardedMutex(&library.drivers_mutex);
	}
	if (NT_SUCCESS(status))
		__atomic_store_n(&library.users, library.users + 1, __ATOMIC_RELEASE);
	library_unlock();
	return capi_result(status);
}

long rdbss_shutdown(FILE *report)
{
	long leaked = 0;
	bool busy = false, last = false;
	size_t i;

	library_lock();
	if (library.users == 1) {
		for (i = 0; i < MAX_DRIVERS; i++)
			busy = busy || library.drivers[i].users != 0;
		last = !busy;
	}
	if (library.users != 0 && !busy)
		__atomic_store_n(&library.users, library.users - 1, __ATOMIC_RELEASE);
	if (last)
		leaked = (long)nt_shutdown(report);
	library_unlock();
	return busy ? -EBUSY : leaked;
}

int capi_enter(struct capi_thread *thread)
{
	thread->adopted = false;
	/* One look per call, without the latch: a call that races with the last rdbss_shutdown() is a caller's bug. */
	if (__atomic_load_n(&library.users, __ATOMIC_ACQUIRE) == 0)
		return capi_result(STATUS_DEVICE_NOT_READY);
	/* A thread of the engine's own (a callback, the first one) is known already. */
	thread->adopted = NT_SUCCESS(nt_adopt_thread("api"));
	return 0;
}

void capi_leave(struct capi_thread *thread)
{
	if (thread->adopted)
		nt_release_thread();
	thread->adopted = false;
}

struct door_caller capi_caller(const char *operation)
{
	struct door_caller caller = {.requester.operation = operation};

	caller.requester.pid = getpid();
	caller.requester.uid = getuid();
	caller.requester.gid = getgid();
	nt_count_one(NT_COUNT_REQUEST, operation, 0);
	return caller;
}

int capi_result(NTSTATUS status)
{
	if (NT_SUCCESS(status))
		return 0;
	last_status = status;
	return -nt_status_to_errno(status);
}

const char *rdbss_last_status(void)
{
	return nt_status_name(last_status);
}

/* ---- drivers ---------------------------------------------------------------------------------------- */

NTSTATUS capi_driver_get(const char *scheme, struct capi_driver **out)
{
	const struct door_driver *which = door_builtin_driver(scheme);
	struct capi_driver *driver = NULL;
	NTSTATUS status = STATUS_SUCCESS;
	size_t i;

	*out = NULL;
	if (which == NULL)
		return STATUS_NOT_SUPPORTED;
	KeAcquireGuardedMutex(&library.drivers_mutex);
	for (i = 0; i < MAX_DRIVERS; i++) {
		struct capi_driver *d = &library.drivers[i];

		if (d->which == which || (d->which == NULL && driver == NULL))
			driver = d;
		if (d->which == which)
			break;
	}
	if (driver == NULL)
		status = STATUS_INSUFFICIENT_RESOURCES;
	else if (driver->which == NULL)
		status = door_start(which, &driver->door);
	if (NT_SUCCESS(status)) {
		driver->which = which;
		driver->users++;
		*out = driver;
	}
	KeReleaseGuardedMutex(&library.drivers_mutex);
	return status;
}

void capi_driver_put(struct capi_driver *driver)
{
	KeAcquireGuardedMutex(&library.drivers_mutex);
	if (driver->users == 1) {
		(void)door_stop(driver->door); /* nothing is connected any more */
		driver->door = NULL;
		driver->which = NULL;
	}
	driver->users--;
	KeReleaseGuardedMutex(&library.drivers_mutex);
}

struct door *capi_driver_door(struct capi_driver *driver)
{
	return driver->door;
}

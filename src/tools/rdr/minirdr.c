/*
 * minirdr.c - a mini-redirector from a file: can it be loaded, and how far did it come?  And how it is built.
 *
 * Owns:   nothing; a loaded object stays until the process ends.
 * Rules:  one line names the file, the step and the status; a file that cannot be a driver is found out before
 *         anything of it runs and before the daemon leaves its parent.
 */
#include "rdr.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front/door/loadable.h"
#include "nt_status.h"

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Looks at the file.  Return: 0 or RDR_USAGE. */
int rdr_minirdr_check(const char *object, struct rdr_error *error)
{
	char why[512];

	if (door_loadable_check(object, why, sizeof(why)))
		return 0;
	return rdr_fail(error, RDR_USAGE, "%s %s", base_name(object), why);
}

/**
 * rdr_minirdr_preload - begin again with a sanitizer's run time in front, when the object needs it
 * @object: absolute
 * @argv:   of the whole program, as it was called
 *
 * Comes before anything is read from @argv that will be blanked.  Returns when nothing is needed, or nothing can be
 * done: loading tells why then.
 */
void rdr_minirdr_preload(const char *object, char **argv)
{
	const char *before = getenv("LD_PRELOAD");
	char library[256];
	char *list = NULL;

	door_loadable_needs(object, library, sizeof(library));
	if (library[0] == '\0' || (before != NULL && strstr(before, library) != NULL))
		return;
	rdr_append(&list, "%s", library);
	if (before != NULL && before[0] != '\0' && list != NULL)
		rdr_append(&list, "%s", before);
	if (list == NULL || setenv("LD_PRELOAD", list, 1) != 0) {
		free(list);
		return;
	}
	free(list);
	rdr_say("%s needs %s: starting again with it", base_name(object), library);
	(void)execv("/proc/self/exe", argv);
}

static int explain_start(const char *object, enum door_stage stage, NTSTATUS status, struct rdr_error *error)
{
	const char *name = base_name(object);

	switch (stage) {
	case DOOR_STAGE_ENTRY:
		return rdr_fail(error, RDR_MOUNT_FAILED, "%s: DriverEntry failed with %s (0x%08x)", name,
				nt_status_name(status), (unsigned int)status);
	case DOOR_STAGE_REGISTER:
		return rdr_fail(error, RDR_MOUNT_FAILED,
				"%s: DriverEntry succeeded, but registered no redirector "
				"(RxDriverEntry, then RxRegisterMinirdr)",
				name);
	case DOOR_STAGE_OPEN:
		return rdr_fail(error, RDR_MOUNT_FAILED, "%s: its device cannot be opened: %s (0x%08x)", name,
				nt_status_name(status), (unsigned int)status);
	case DOOR_STAGE_START:
	case DOOR_STAGE_STARTED:
		break;
	}
	return rdr_fail(error, RDR_MOUNT_FAILED, "%s: the redirector did not start: %s (0x%08x)", name,
			nt_status_name(status), (unsigned int)status);
}

/**
 * rdr_minirdr_start - load the object, run its DriverEntry, start its redirector
 * @object: absolute; rdr_minirdr_check() liked it
 * @door:   [out] for door_stop()
 *
 * Return: 0; RDR_USAGE for an object that cannot be loaded; RDR_MOUNT_FAILED with the driver's status.
 */
int rdr_minirdr_start(const char *object, struct door **door, struct rdr_error *error)
{
	struct door_loadable loadable;
	enum door_stage stage;
	NTSTATUS status;
	char why[512];

	*door = NULL;
	if (!door_loadable_open(object, &loadable, why, sizeof(why)))
		return rdr_fail(error, RDR_USAGE, "%s %s", base_name(object), why);
	status = door_start_staged(&loadable.driver, door, &stage);
	return NT_SUCCESS(status) ? 0 : explain_start(object, stage, status, error);
}

/* The recipe is a script: beside the program in a build tree, in libexec when it is installed. */
static int find_recipe(char *path, size_t size, struct rdr_error *error)
{
	static const char *const places[] = {"build-minirdr", "../libexec/rdr/build-minirdr"};
	char own[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	if (length <= 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot find the program itself: %s", strerror(errno));
	own[length] = '\0';
	slash = strrchr(own, '/');
	if (slash != NULL)
		*slash = '\0';
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if (snprintf(path, size, "%s/%s", own, places[i]) < (int)size && access(path, X_OK) == 0)
			return 0;
	}
	return rdr_fail(error, RDR_SYSTEM, "%s is not there; the installation is not complete", path);
}

/* rdr build-minirdr --check FILE: could it be mounted?  The last step of the recipe. */
static int check_only(char *file, struct rdr_error *error)
{
	int code = rdr_minirdr_check(file, error);

	if (code != 0)
		return rdr_print_error(error);
	return RDR_OK;
}

/* rdr build-minirdr DIR -o DRIVER.so [--asan|--tsan] [FLAGS...] */
int rdr_verb_build_minirdr(int argc, char **argv)
{
	char recipe[PATH_MAX + 64];
	struct rdr_error error = {0};

	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check_only(argv[2], &error);
	if (find_recipe(recipe, sizeof(recipe), &error) != 0)
		return rdr_print_error(&error);
	argv[0] = recipe;
	(void)execv(recipe, argv);
	rdr_fail(&error, RDR_SYSTEM, "cannot run %s: %s", recipe, strerror(errno));
	return rdr_print_error(&error);
}

/*
 * serve.c - the life of one mount, from the first connection to the verdict.
 *
 *   start the runtime -> load the driver -> connect the share -> forget the password -> mount
 *   -> answer requests until the mount ends -> close everything -> count what is left
 *
 * Owns:      struct serve, the door, the volume and the FUSE session.
 * Locks:     `lock` guards `fuse` and `stop` between this thread and the steward, so that a
 *            signal in any phase ends that phase.
 * Threads:   this one serves; the steward waits for signals and for requests to unmount, and
 *            is the only one that ends the mount from inside; the control thread answers.
 * Dies when: rdr_serve() returns, with the process' exit code.
 */
#include "rdr_explain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "front/door/door.h"
#include "front/fuse/fuse_front.h"
#include "nt_exec.h"
#include "serve.h"

#define DETACH_TRIES 10 /* for whoever is just leaving */
#define DETACH_PAUSE_MS 100

/* ---- ending ------------------------------------------------------------------------------- */

/* Ends whatever phase the mount is in.  Steward only. */
static void stop_now(struct serve *serve)
{
	struct rdr_fuse *fuse;

	pthread_mutex_lock(&serve->lock);
	serve->stop = true;
	fuse = serve->fuse;
	pthread_mutex_unlock(&serve->lock);
	door_cancel_fire(&serve->cancel);
	if (fuse != NULL)
		rdr_fuse_stop(fuse);
}

/*
 * Somebody asked for the end of the mount.  While it is in use and the server answers, the user can close his
 * files first, and is told so; when the server does not answer, waiting saves nothing.  Both are found out
 * within one second.
 */
static void unmount(struct serve *serve, bool force)
{
	const struct timespec pause = {.tv_nsec = DETACH_PAUSE_MS * 1000000L};
	struct rdr_error error;

	if (!force) {
		int code = rdr_detach(serve->request->directory, false, &error);

		if (code == RDR_MOUNT_FAILED)
			rdr_probe_begin(serve);
		for (int i = 0; i < DETACH_TRIES && code == RDR_MOUNT_FAILED; i++) {
			nanosleep(&pause, NULL);
			code = rdr_detach(serve->request->directory, false, &error);
		}
		if (code != RDR_MOUNT_FAILED)
			return; /* gone: the session ends by itself; or nothing that force would mend */
		if (rdr_probe_good(serve)) {
			rdr_control_refuse(serve->control, "the mount is in use");
			return;
		}
	}
	stop_now(serve);
}

/* ---- steward ------------------------------------------------------------------------------ */

static void dump_state(struct serve *serve)
{
	struct rdr_json json = {0};

	rdr_json_open(&json, NULL, '{');
	rdr_serve_status(serve, &json);
	rdr_json_close(&json, '}');
	if (!json.failed)
		fprintf(stderr, "rdr: state %s\n", json.text);
	rdr_json_free(&json);
}

static void on_signal(struct serve *serve, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;
	struct rdr_error error;

	if (number == SIGHUP) {
		if (serve->request->log_file != NULL && rdr_log_open(serve->request->log_file, &error) != 0)
			rdr_warn("%s", error.text);
	} else if (number == SIGUSR1) {
		dump_state(serve);
	} else {
		fprintf(stderr, "rdr: unmounting %s: signal %d (%s) of process %lu\n",
			serve->request->directory, number, strsignal(number), (unsigned long)info->ssi_pid);
		rdr_notify("STOPPING=1");
		stop_now(serve);
	}
}

static void *steward(void *argument)
{
	struct serve *serve = argument;
	bool done = false;

	nt_adopt_thread("rdr-steward");
	while (!done) {
		struct pollfd ready[2] = {
			{.fd = serve->signals, .events = POLLIN},
			{.fd = serve->orders[0], .events = POLLIN},
		};
		struct signalfd_siginfo info;
		char order;

		if (poll(ready, 2, -1) < 0)
			continue;
		if (ready[0].revents != 0 && read(serve->signals, &info, sizeof(info)) == sizeof(info))
			on_signal(serve, &info);
		if (ready[1].revents != 0 && read(serve->orders[0], &order, 1) == 1) {
			if (order == 'q')
				done = true;
			else
				unmount(serve, order == 'f');
		}
	}
	nt_release_thread();
	return NULL;
}

static void order(struct serve *serve, char what)
{
	while (write(serve->orders[1], &what, 1) < 0 && errno == EINTR)
		;
}

static int start_steward(struct serve *serve, const sigset_t *watched, struct rdr_error *error)
{
	serve->signals = signalfd(-1, watched, SFD_CLOEXEC);
	if (serve->signals < 0 || pipe2(serve->orders, O_CLOEXEC) != 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot watch for signals: %s", strerror(errno));
	int why = pthread_create(&serve->steward, NULL, steward, serve);

	if (why != 0)
		return rdr_fail(error, RDR_SYSTEM, "cannot start a thread: %s", strerror(why));
	serve->has_steward = true;
	return 0;
}

static void end_steward(struct serve *serve)
{
	if (serve->has_steward) {
		order(serve, 'q');
		pthread_join(serve->steward, NULL);
	}
	for (int i = 0; i < 2; i++) {
		if (serve->orders[i] >= 0)
			close(serve->orders[i]);
	}
	if (serve->signals >= 0)
		close(serve->signals);
}

/* ---- control ------------------------------------------------------------------------------ */

static void control_unmount(void *context, bool force)
{
	order(context, force ? 'f' : 'u');
}

static void control_status(void *context, struct rdr_json *json)
{
	rdr_serve_status(context, json);
}

static void control_check(void *context, struct rdr_json *json)
{
	rdr_serve_check(context, json);
}

static void control_stats(void *context, struct rdr_json *json)
{
	(void)context;
	rdr_serve_stats(json);
}

static void control_begin(void *context)
{
	(void)context;
	nt_adopt_thread("rdr-control");
}

static void control_end(void *context)
{
	(void)context;
	nt_release_thread();
}

static const char *control_also(void *context)
{
	return rdr_also_directory(context);
}

static int start_control(struct serve *serve, struct rdr_error *error)
{
	const struct rdr_control_info info = {
		.source = serve->request->source,
		.directory = serve->request->directory,
		.also = control_also,
		.status = control_status,
		.check = control_check,
		.stats = control_stats,
		.unmount = control_unmount,
		.thread_begin = control_begin,
		.thread_end = control_end,
		.context = serve,
	};

	return rdr_control_start(&info, &serve->control, error);
}

/* ---- mounting ------------------------------------------------------------------------------- */

static int start_driver(struct serve *serve, struct rdr_error *error)
{
	const struct rdr_mount_request *request = serve->request;
	const char *scheme = request->spec.scheme == RDR_SCHEME_MEM ? "mem" : "smb";
	const struct door_driver *driver;
	NTSTATUS status;

	if (request->minirdr != NULL) {
		int code = rdr_minirdr_start(request->minirdr, &serve->door, error);

		/* before the first connection: the driver may need its program for that */
		if (code == 0 && request->device != NULL)
			code = rdr_device_start(request->device, serve->door, &serve->device, error);
		return code;
	}
	driver = door_builtin_driver(scheme);
	if (driver == NULL)
		return rdr_fail(error, RDR_SYSTEM, "this build has no driver for %s:", scheme);
	status = door_start(driver, &serve->door);
	if (!NT_SUCCESS(status))
		return rdr_explain(error, request->source, "starting the driver", status);
	return 0;
}

int rdr_serve_connect(struct serve *serve, const char *server, struct door_volume **volume,
		      struct rdr_error *error)
{
	struct rdr_mount_request *request = serve->request;
	struct door_caller caller = {.cancel = &serve->cancel};
	char *options = rdr_options_for_driver(&request->options);
	struct door_connect connect = {
		.server = server,
		.port = request->options.port != 0 ? request->options.port : request->spec.port,
		.share = request->spec.share,
		.user = request->credentials.user,
		.password = request->credentials.password.bytes,
		.domain = request->credentials.domain,
		.options = options,
	};
	const char *step = NULL;
	NTSTATUS status;

	caller.requester.pid = getpid();
	caller.requester.uid = getuid();
	caller.requester.gid = getgid();
	if (options == NULL)
		return rdr_fail(error, RDR_SYSTEM, "out of memory");
	status = STATUS_SUCCESS;
	if (request->minirdr != NULL)
		status = door_volume_claim(serve->door, &caller, &connect);
	if (NT_SUCCESS(status))
		status = door_volume_connect(serve->door, &caller, &connect, volume);
	else
		step = "asking the driver whether it serves the name";
	free(options);
	if (!NT_SUCCESS(status))
		return rdr_explain(error, request->source, step, status);
	return 0;
}

/* From a thread of the front end, once. */
static void on_ready(void *context, NTSTATUS status)
{
	struct serve *serve = context;
	struct rdr_error error;

	if (!NT_SUCCESS(status)) {
		rdr_explain(&error, serve->request->source, "opening the folder", status);
		rdr_daemon_report(serve->daemon, &error);
		return;
	}
	serve->worked = true;
	rdr_daemon_report(serve->daemon, NULL);
	rdr_notify("READY=1\nSTATUS=mounted");
	rdr_say("%s is mounted on %s", serve->request->source, serve->request->directory);
}

static int explain_fuse(const struct rdr_mount_request *request, const struct rdr_fuse_failure *failure,
			struct rdr_error *error)
{
	switch (failure->error) {
	case RDR_FUSE_NO_ROOT:
		return rdr_explain(error, request->source, "opening the folder", failure->status);
	case RDR_FUSE_BAD_DIR:
	case RDR_FUSE_NOT_ALLOWED:
	case RDR_FUSE_BAD_OPTION:
		return rdr_fail(error, RDR_USAGE, "mounting on %s: %s", request->directory, failure->text);
	case RDR_FUSE_NO_DEVICE:
	case RDR_FUSE_NO_HELPER:
	case RDR_FUSE_NO_MEMORY:
		return rdr_fail(error, RDR_SYSTEM, "mounting on %s: %s", request->directory, failure->text);
	case RDR_FUSE_OK:
	case RDR_FUSE_BUSY:
	case RDR_FUSE_FAILED:
		break;
	}
	return rdr_fail(error, RDR_MOUNT_FAILED, "mounting on %s: %s", request->directory, failure->text);
}

/* What libfuse and the kernel shall know besides; never a device file or a set-uid bit by accident. */
static char *kernel_options(const struct rdr_options *options)
{
	char *list = NULL;
	const char *given = options->kernel_flags != NULL ? options->kernel_flags : "";

	if (strstr(given, "suid") == NULL)
		rdr_append(&list, "nosuid");
	if (strstr(given, "dev") == NULL)
		rdr_append(&list, "nodev");
	if (given[0] != '\0')
		rdr_append(&list, "%s", given);
	if (options->auto_unmount)
		rdr_append(&list, "auto_unmount");
	if (options->max_read != 0)
		rdr_append(&list, "max_read=%lu", options->max_read);
	return list;
}

int rdr_serve_mount(struct serve *serve, const char *directory, struct door_volume *volume,
		    void (*ready)(void *context, NTSTATUS status), struct rdr_fuse **fuse,
		    struct rdr_error *error)
{
	const struct rdr_mount_request *request = serve->request;
	const struct rdr_options *options = &request->options;
	double seconds = options->actimeo >= 0 ? options->actimeo : 1;
	char *kernel = kernel_options(options);
	struct rdr_fuse_failure failure = {0};
	struct rdr_fuse_options fuse_options = {
		.size = sizeof(fuse_options),
		.mountpoint = directory,
		.fsname = options->fsname != NULL ? options->fsname : request->source,
		.subtype = options->subtype,
		.root = request->spec.path,
		.mount_options = kernel,
		.uid = options->uid,
		.gid = options->gid,
		.file_mode = options->file_mode & ~options->umask_bits,
		.dir_mode = options->dir_mode & ~options->umask_bits,
		.actimeo_ms = seconds > 1 ? 1000 : (uint32_t)(seconds * 1000),
		.read_only = options->read_only,
		.allow_other = options->allow_other,
		.allow_root = options->allow_root,
		.no_permissions = options->no_permissions,
		.default_permissions = options->default_permissions,
		.cache_none = options->cache != NULL && strcmp(options->cache, "none") == 0,
		.cache_loose = options->cache != NULL && strcmp(options->cache, "loose") == 0,
		.local_locks = options->local_locks,
		.debug = request->debug,
		.max_threads = request->single_thread ? 1 : 0,
		.ready = ready,
		.ready_context = serve,
	};
	enum rdr_fuse_error result = rdr_fuse_mount(&fuse_options, volume, fuse, &failure);

	free(kernel);
	if (result != RDR_FUSE_OK) {
		failure.error = result;
		return explain_fuse(request, &failure, error);
	}
	return 0;
}

static int mount_fuse(struct serve *serve, struct rdr_error *error)
{
	struct rdr_fuse *fuse = NULL;
	int code = rdr_serve_mount(serve, serve->request->directory, serve->volume, on_ready, &fuse, error);

	if (code != 0)
		return code;
	pthread_mutex_lock(&serve->lock);
	serve->fuse = fuse;
	bool stop = serve->stop;

	pthread_mutex_unlock(&serve->lock);
	return stop ? rdr_fail(error, RDR_INTERRUPTED, "interrupted; nothing was mounted") : 0;
}

static int run(struct serve *serve, struct rdr_error *error)
{
	int code = start_driver(serve, error);

	if (code == 0)
		code = rdr_serve_connect(serve, serve->request->spec.server, &serve->volume, error);
	if (code == 0 && serve->request->also != NULL)
		code = rdr_also_start(serve, error);
	rdr_credentials_forget(&serve->request->credentials);
	if (code == 0)
		code = mount_fuse(serve, error);
	if (code == 0)
		code = start_control(serve, error);
	if (code != 0)
		return code;
	int result = rdr_fuse_run(serve->fuse);

	if (!serve->worked)
		return rdr_fail(error, RDR_MOUNT_FAILED, "%s: the mount ended before it worked%s%s",
				serve->request->source, result < 0 ? ": " : "",
				result < 0 ? strerror(-result) : "");
	if (result < 0)
		return rdr_fail(error, RDR_SYSTEM, "%s: FUSE failed: %s", serve->request->directory,
				strerror(-result));
	return 0;
}

/* Last opened, first closed.  Nobody but the steward runs beside, and it ends here. */
static void close_all(struct serve *serve)
{
	struct rdr_fuse *fuse;

	if (serve->control != NULL)
		rdr_control_stop(serve->control);
	end_steward(serve);
	rdr_probe_end(serve);
	pthread_mutex_lock(&serve->lock);
	fuse = serve->fuse;
	serve->fuse = NULL;
	pthread_mutex_unlock(&serve->lock);
	if (fuse != NULL)
		rdr_fuse_destroy(fuse);
	rdr_also_stop(serve);
	if (serve->volume != NULL)
		door_volume_disconnect(serve->volume);
	rdr_device_stop(serve->device);
	if (serve->door != NULL) {
		NTSTATUS status = door_stop(serve->door);

		if (!NT_SUCCESS(status))
			rdr_warn("the driver did not stop: 0x%08x", (unsigned int)status);
	}
	rdr_credentials_forget(&serve->request->credentials);
}

/* The runtime counts what nobody freed: 0 is the verdict "no leaks". */
static unsigned long count_leaks(char **report)
{
	size_t size = 0;
	unsigned long leaked;
	FILE *out = open_memstream(report, &size);

	leaked = nt_shutdown(out != NULL ? out : stderr);
	if (out != NULL)
		fclose(out);
	return leaked;
}

static void tell_verdict(const struct serve *serve, unsigned long leaked, const char *report)
{
	if (leaked != 0)
		fprintf(stderr, "rdr: LEAK: %lu bytes of pool were not freed\n%s", leaked, report);
	else if (serve->worked && (serve->request->foreground || rdr_verbosity() > 0))
		fprintf(stderr, "rdr: %s unmounted, no leaks\n", serve->request->directory);
}

/**
 * rdr_serve - mount, serve, unmount
 * @request: [in, out] checked by the caller; its credentials are wiped as soon as they were used
 * @daemon:  whom to tell that it works, or why not; NULL in the foreground
 *
 * Signals TERM and INT end it; HUP reopens the log; USR1 writes the state to the log.
 *
 * Return: the process' exit code.  RDR_BUG when something was not freed.
 */
int rdr_serve(struct rdr_mount_request *request, struct rdr_daemon *daemon)
{
	struct serve serve = {.request = request, .daemon = daemon, .signals = -1, .orders = {-1, -1}};
	struct rdr_error error = {0};
	sigset_t watched;
	char *report = NULL;

	/*
	 * No core dump, and no look into our memory for the user's other programs: it holds a password.  A mount of a
	 * driver under development without one is open to a debugger.
	 */
	if (!request->debug && (request->minirdr == NULL || request->credentials.password.bytes != NULL))
		(void)prctl(PR_SET_DUMPABLE, 0);
	sigemptyset(&watched);
	sigaddset(&watched, SIGTERM);
	sigaddset(&watched, SIGINT);
	sigaddset(&watched, SIGHUP);
	sigaddset(&watched, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &watched, NULL); /* every later thread inherits it */
	signal(SIGPIPE, SIG_IGN);

	struct nt_config config = {.executive = NT_EXEC_POSIX};
	NTSTATUS status = nt_initialize(&config);

	if (!NT_SUCCESS(status)) {
		rdr_explain(&error, request->source, "starting the runtime", status);
		error.code = RDR_SYSTEM;
		rdr_daemon_report(daemon, &error);
		return daemon == NULL ? rdr_print_error(&error) : error.code;
	}
	pthread_mutex_init(&serve.lock, NULL);
	door_cancel_init(&serve.cancel);
	int code = start_steward(&serve, &watched, &error);

	if (code == 0)
		code = run(&serve, &error);
	close_all(&serve);
	unsigned long leaked = count_leaks(&report);

	tell_verdict(&serve, leaked, report != NULL ? report : "");
	if (leaked != 0)
		code |= RDR_BUG;
	if (serve.control != NULL)
		rdr_control_finish(serve.control, code, leaked, report != NULL ? report : "");
	if (error.code != 0) {
		if (daemon == NULL)
			rdr_print_error(&error);
		rdr_daemon_report(daemon, &error); /* last: whoever waits for it finds nothing left behind */
	}
	free(report);
	pthread_mutex_destroy(&serve.lock);
	return code;
}

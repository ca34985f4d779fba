/*
 * rdr.h - what the files of the command `rdr` share.
 *
 * One process per mount.  main.c chooses the verb; mount.c gathers what to mount
 * (url.c, options.c, credentials.c, mountpoint.c), daemon.c detaches, serve.c runs
 * the front end, control.c answers on the control socket; umount.c, list.c and
 * status.c are the other end of that socket (client.c).
 *
 * Errors: a function that can fail returns an exit code of mount(8) (0 = done) and
 * leaves one line of text in the struct rdr_error its caller gave it.
 */
#ifndef RDR_TOOLS_RDR_H
#define RDR_TOOLS_RDR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* Exit codes, as mount(8) has them; they can be added up. */
enum rdr_exit {
	RDR_OK = 0,
	RDR_USAGE = 1,         /* bad invocation or permission */
	RDR_SYSTEM = 2,        /* no memory, no FUSE, no socket, ... */
	RDR_BUG = 4,           /* ours: a leak, a crash */
	RDR_INTERRUPTED = 8,   /* a signal ended it first */
	RDR_MOUNT_FAILED = 32, /* the server, the share or the mount said no */
};

/* message.c ---------------------------------------------------------------- */

struct rdr_error {
	int code;
	char text[1024];
};

int rdr_fail(struct rdr_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int rdr_print_error(const struct rdr_error *error);
void rdr_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rdr_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void rdr_set_verbosity(int level);
int rdr_verbosity(void);

/* secret.c ----------------------------------------------------------------- */

/* A byte string that is locked in memory, left out of core dumps and wiped; NUL-terminated. */
struct rdr_secret {
	char *bytes;   /* NULL: none */
	size_t length; /* bytes, without the NUL */
	size_t mapped; /* bytes of the mapping */
};

int rdr_secret_reserve(struct rdr_secret *secret, size_t capacity, struct rdr_error *error);
int rdr_secret_set(struct rdr_secret *secret, const char *bytes, size_t length, struct rdr_error *error);
void rdr_secret_wipe(struct rdr_secret *secret);

/* url.c -------------------------------------------------------------------- */

enum rdr_scheme { RDR_SCHEME_MEM, RDR_SCHEME_SMB, RDR_SCHEME_DRIVER };

struct rdr_spec {
	enum rdr_scheme scheme;
	char *server;               /* host without brackets; "mem" for mem: */
	unsigned int port;          /* 0: the protocol's own */
	char *share;                /* share or volume */
	char *path;                 /* below the share, components joined by '/', "" for the root */
	char *user;                 /* from the URL, or NULL */
	char *domain;               /* from the URL, or NULL */
	char *arguments;            /* what followed '?', as mount options; or NULL */
	struct rdr_secret password; /* from the URL */
};

int rdr_spec_parse(char *argument, struct rdr_spec *spec, struct rdr_error *error);
int rdr_spec_parse_driver(char *argument, const char *driver, struct rdr_spec *spec, struct rdr_error *error);
char *rdr_spec_display(const struct rdr_spec *spec);
void rdr_spec_free(struct rdr_spec *spec);

/* options.c ---------------------------------------------------------------- */

struct rdr_options {
	char *user;
	char *domain;
	struct rdr_secret password;
	bool has_password;
	bool guest;
	char *credentials; /* file name */
	char *vers;        /* canonical: 2.0 2.1 3.0 3.0.2 3.1.1 3 default */
	char *sec;         /* none ntlmssp ntlmsspi */
	bool seal;
	bool sign;
	unsigned int port;
	char *address;
	uid_t uid;
	gid_t gid;
	bool has_uid;
	bool has_gid;
	unsigned int file_mode; /* octal permission bits; default 0755 as cifs */
	unsigned int dir_mode;
	bool has_file_mode;
	bool has_dir_mode;
	unsigned int umask_bits;
	double actimeo; /* s; below 0: not given */
	double acregmax;
	double acdirmax;
	unsigned long rsize; /* bytes; 0: as negotiated */
	unsigned long wsize;
	unsigned int echo_interval; /* s; 0: default */
	unsigned int timeout;       /* s; 0: default */
	char *cache;                /* none strict loose, or NULL */
	bool read_only;
	bool allow_other;
	bool allow_root;
	bool default_permissions;
	bool auto_unmount;
	bool no_permissions; /* noperm: the server alone decides */
	bool local_locks;    /* nobrl: the server does not hear of locks */
	char *fsname;
	char *subtype;
	unsigned long max_read;
	/* flags for the kernel's mount, comma separated, each known to libfuse */
	char *kernel_flags;
	/* names that were accepted and change nothing, for -v */
	char *without_effect;
};

void rdr_options_init(struct rdr_options *options);
int rdr_options_parse(char *list, struct rdr_options *options, struct rdr_error *error);
void rdr_options_free(struct rdr_options *options);
char *rdr_options_for_driver(const struct rdr_options *options);
void rdr_options_help(FILE *out);
void rdr_append(char **list, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* credentials.c ------------------------------------------------------------ */

struct rdr_credentials {
	char *user;   /* NULL: guest */
	char *domain; /* NULL: none named */
	struct rdr_secret password;
};

int rdr_credentials_gather(const struct rdr_spec *spec, struct rdr_options *options,
			   struct rdr_credentials *credentials, struct rdr_error *error);
void rdr_credentials_forget(struct rdr_credentials *credentials);
void rdr_scrub_environment(void);

/* mountpoint.c ------------------------------------------------------------- */

struct rdr_mount_entry {
	char *directory;
	char *type;
	char *source;
	unsigned int device_major;
	unsigned int device_minor;
};

int rdr_directory_resolve(const char *directory, char **absolute, struct rdr_error *error);
int rdr_directory_check(const char *directory, char **absolute, struct rdr_error *error);
int rdr_fuse_check(const struct rdr_options *options, struct rdr_error *error);
bool rdr_mount_find(const char *absolute, struct rdr_mount_entry *entry);
void rdr_mount_entry_free(struct rdr_mount_entry *entry);
bool rdr_mount_is_ours(const struct rdr_mount_entry *entry);
int rdr_detach(const char *absolute, bool lazy, struct rdr_error *error);

/* json.c ------------------------------------------------------------------- */

struct rdr_json {
	char *text; /* NUL-terminated */
	size_t length;
	size_t capacity;
	bool comma;  /* the next member needs one */
	bool failed; /* out of memory: text is not complete */
};

void rdr_json_open(struct rdr_json *json, const char *name, char bracket);
void rdr_json_close(struct rdr_json *json, char bracket);
void rdr_json_string(struct rdr_json *json, const char *name, const char *value);
void rdr_json_number(struct rdr_json *json, const char *name, long long value);
void rdr_json_bool(struct rdr_json *json, const char *name, bool value);
void rdr_json_raw(struct rdr_json *json, const char *name, const char *value);
void rdr_json_free(struct rdr_json *json);

enum rdr_json_kind {
	RDR_JSON_NULL,
	RDR_JSON_BOOL,
	RDR_JSON_NUMBER,
	RDR_JSON_STRING,
	RDR_JSON_ARRAY,
	RDR_JSON_OBJECT
};

struct rdr_json_value {
	enum rdr_json_kind kind;
	char *name; /* member name, or NULL */
	char *string;
	double number;                /* also 0/1 of a bool */
	struct rdr_json_value *first; /* children, in order */
	struct rdr_json_value *next;
};

struct rdr_json_value *rdr_json_parse(const char *text, size_t length);
const struct rdr_json_value *rdr_json_member(const struct rdr_json_value *object, const char *name);
const char *rdr_json_get_string(const struct rdr_json_value *object, const char *name, const char *otherwise);
double rdr_json_get_number(const struct rdr_json_value *object, const char *name, double otherwise);
void rdr_json_value_free(struct rdr_json_value *value);

/* rundir.c ----------------------------------------------------------------- */

#define RDR_CONTROL_VERSION 1

int rdr_run_directory(char **path, struct rdr_error *error);
unsigned int rdr_run_directories(char *paths[], unsigned int capacity);

/* control.c: the daemon's end ----------------------------------------------- */

struct rdr_control;

/* What the daemon tells about itself; borrowed until rdr_control_stop() returns. */
struct rdr_control_info {
	const char *source;
	const char *directory;
	/* a second directory that the daemon serves now, or NULL */
	const char *(*also)(void *context);
	/* appends the members of a status answer; called on the control thread; never waits for a server */
	void (*status)(void *context, struct rdr_json *json);
	/* the same of a check answer: whether the objects agree with each other */
	void (*check)(void *context, struct rdr_json *json);
	/* the same of a stats answer: what has been counted so far */
	void (*stats)(void *context, struct rdr_json *json);
	/* asks the daemon to end the mount; returns at once; @force: also when it is in use */
	void (*unmount)(void *context, bool force);
	/* brackets the life of the control thread, on that thread */
	void (*thread_begin)(void *context);
	void (*thread_end)(void *context);
	void *context;
};

int rdr_control_start(const struct rdr_control_info *info, struct rdr_control **control,
		      struct rdr_error *error);
void rdr_control_stop(struct rdr_control *control);
void rdr_control_refuse(struct rdr_control *control, const char *why);
void rdr_control_finish(struct rdr_control *control, int exit_code, unsigned long leaked, const char *report);

/* client.c: the other end ---------------------------------------------------- */

struct rdr_peer {
	char *socket_path;
	struct rdr_json_value *hello; /* its answer to "list" */
	struct rdr_peer *next;
	/* while the answer is read */
	int fd;
	size_t length; /* bytes of text */
	char text[16384];
};

struct rdr_peer *rdr_peers_find(const char *wanted, bool remove_dead);
void rdr_peers_free(struct rdr_peer *peers);
const char *rdr_peer_directory(const struct rdr_peer *peer);
const char *rdr_peer_also(const struct rdr_peer *peer);
bool rdr_peer_serves(const struct rdr_peer *peer, const char *absolute);
int rdr_peer_ask(const struct rdr_peer *peer, const char *command, bool force, int timeout_ms,
		 struct rdr_json_value **answer, char **raw, struct rdr_error *error);

/* daemon.c ------------------------------------------------------------------- */

struct rdr_daemon;

int rdr_daemon_split(struct rdr_daemon **daemon, bool *is_parent, struct rdr_error *error);
int rdr_daemon_wait(struct rdr_daemon *daemon, const char *directory, struct rdr_error *error);
void rdr_daemon_report(struct rdr_daemon *daemon, const struct rdr_error *error);
void rdr_daemon_free(struct rdr_daemon *daemon);
int rdr_log_open(const char *file, struct rdr_error *error);
void rdr_notify(const char *state);

/* minirdr.c ------------------------------------------------------------------ */

struct door;
int rdr_minirdr_check(const char *object, struct rdr_error *error);
void rdr_minirdr_preload(const char *object, char **argv);
int rdr_minirdr_start(const char *object, struct door **door, struct rdr_error *error);

/* device.c ------------------------------------------------------------------- */

struct rdr_device;
int rdr_device_start(const char *path, struct door *door, struct rdr_device **device,
		     struct rdr_error *error);
void rdr_device_stop(struct rdr_device *device);

/* serve.c -------------------------------------------------------------------- */

struct rdr_mount_request {
	struct rdr_spec spec;
	struct rdr_options options;
	struct rdr_credentials credentials;
	char *minirdr;   /* absolute name of a loadable driver; NULL: one of ours */
	char *device;    /* absolute name of the socket for its devices, or NULL */
	char *directory; /* absolute */
	char *also;      /* absolute: a second mount point, of a second client; NULL: none */
	char *source;    /* what /proc/mounts shows */
	char *log_file;
	bool foreground;
	bool debug;
	bool single_thread;
	bool fake;
};

int rdr_serve(struct rdr_mount_request *request, struct rdr_daemon *daemon);

/* verbs ------------------------------------------------------------------------ */

int rdr_verb_mount(int argc, char **argv);
int rdr_verb_mount_helper(int argc, char **argv);
int rdr_verb_umount(int argc, char **argv);
int rdr_verb_list(int argc, char **argv);
int rdr_verb_status(int argc, char **argv);
int rdr_verb_build_minirdr(int argc, char **argv);
void rdr_help(FILE *out);

#endif

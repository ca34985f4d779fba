/*
 * orders.c - see orders.h.
 */
#include "orders.h"

#include <inttypes.h>
#include <stdlib.h>

#include "clients.h"
#include "nt_count.h"

#define MAX_ACTORS 8
#define MAX_EVENTS 4096
#define RUNNING INT64_MAX

#define MUST(condition, ...) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: seed %" PRIu64 ": ", __FILE__, __LINE__, \
				nt_current_executive() == NT_EXEC_SIM ? nt_sim_seed() : 0); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			abort(); \
		} \
	} while (0)

/* A write of a value, or a truncation (value 0). */
struct event {
	uint64_t value;
	unsigned int client, actor;
	volatile LONGLONG began; /* 0: not yet */
	volatile LONGLONG ended; /* RUNNING: not yet */
};

struct actor {
	struct run *run;
	unsigned int client, number;
	struct nt_thread *thread;
	struct door_file *file; /* NULL: none open */
	bool may_write;
	LONGLONG opened; /* when the open began */
};

struct run {
	const struct orders_plan *plan;
	struct clients clients;
	volatile LONGLONG clock;
	volatile LONG event_count;
	volatile LONG reads, late;
	volatile LONG broken[ORDERS_STEPS];
	struct event events[MAX_EVENTS];
};

static const char *const names[] = {"f", "g"};

static LONGLONG tick(struct run *run)
{
	return InterlockedIncrement64(&run->clock);
}

static LONGLONG load(volatile LONGLONG *from)
{
	return InterlockedCompareExchange64(from, 0, 0);
}

/* ---- the model ---- */

static struct event *event_begin(struct actor *a, bool truncates)
{
	LONG i = InterlockedIncrement(&a->run->event_count) - 1;
	struct event *e;

	MUST(i < MAX_EVENTS, "more than %d events", MAX_EVENTS);
	e = &a->run->events[i];
	e->value = truncates ? 0 : (uint64_t)i + 1;
	e->client = a->client;
	e->actor = a->number;
	e->ended = RUNNING;
	InterlockedExchange64(&e->began, tick(a->run));
	return e;
}

static void event_end(struct actor *a, struct event *e)
{
	InterlockedExchange64(&e->ended, tick(a->run));
}

/* Up to when the reader must know of an event that has ended. */
static LONGLONG must_know_until(const struct actor *a, const struct event *e, LONGLONG began, bool strict)
{
	/* after a rename one file may have two names here, each with a lease of its own */
	bool own = a->run->plan->renames ? e->actor == a->number && e->client == a->client
					 : e->client == a->client;

	return own || strict ? began : a->opened;
}

static bool is_replaced(struct actor *a, struct event *w, LONGLONG began, bool strict)
{
	LONGLONG ended = load(&w->ended);
	LONG n = InterlockedAdd(&a->run->event_count, 0);

	for (LONG i = 0; i < n; i++) {
		struct event *e = &a->run->events[i];
		LONGLONG from = load(&e->began);

		if (e != w && from > ended && load(&e->ended) < must_know_until(a, e, began, strict))
			return true;
	}
	return false;
}

static bool is_possible(struct actor *a, uint64_t value, LONGLONG began, bool strict)
{
	LONG n = InterlockedAdd(&a->run->event_count, 0);

	for (LONG i = 0; i < n; i++) {
		struct event *e = &a->run->events[i];

		if (load(&e->began) != 0 && e->value == value && !is_replaced(a, e, began, strict))
			return true;
	}
	return false;
}

static void tell_events(struct run *run)
{
	for (LONG i = 0; i < run->event_count; i++)
		fprintf(stderr, "  value %" PRIu64 " by %u.%u from %lld to %lld\n", run->events[i].value,
			run->events[i].client, run->events[i].actor, (long long)run->events[i].began,
			(long long)run->events[i].ended);
}

/* ---- what actors do ---- */

static void actor_close(struct actor *a)
{
	NTSTATUS status = STATUS_SUCCESS;

	if (a->file != NULL)
		status = door_close(a->file, NULL);
	a->file = NULL;
	MUST(status == STATUS_SUCCESS, "close: %x", (unsigned int)status);
}

/* By the name that the file has just now; false: somebody renamed it between two looks, again and again. */
static bool actor_open(struct actor *a, bool writes, bool truncates)
{
	struct event *e = truncates ? event_begin(a, true) : NULL;
	NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
	struct door_opened opened = {0};

	actor_close(a);
	a->opened = tick(a->run);
	for (unsigned int i = 0; i < 20 && status == STATUS_OBJECT_NAME_NOT_FOUND; i++)
		status = client_open(a->run->clients.volume[a->client], names[i % 2],
				     FILE_READ_DATA | (writes || truncates ? FILE_WRITE_DATA : 0), SHARE_ALL,
				     truncates ? FILE_OVERWRITE : FILE_OPEN, &opened);
	if (status == STATUS_OBJECT_NAME_NOT_FOUND && a->run->plan->renames)
		return false; /* a truncation that was not made stays one that may still come */
	MUST(status == STATUS_SUCCESS, "open: %x", (unsigned int)status);
	if (e != NULL)
		event_end(a, e);
	a->file = opened.file;
	a->may_write = writes || truncates;
	return true;
}

static uint64_t actor_read(struct actor *a)
{
	LONGLONG began = tick(a->run);
	uint64_t value = 0;
	ULONG n = 0;
	NTSTATUS status = door_read(a->file, NULL, &value, sizeof(value), 0, &n);

	MUST(status == STATUS_SUCCESS || status == STATUS_END_OF_FILE, "read: %x", (unsigned int)status);
	MUST(n == sizeof(value) || n == 0, "%u bytes read", (unsigned int)n);
	if (n == 0)
		value = 0;
	InterlockedIncrement(&a->run->reads);
	if (is_possible(a, value, began, true))
		return value;
	InterlockedIncrement(&a->run->late);
	if (!is_possible(a, value, began, false)) {
		tell_events(a->run);
		MUST(false, "%u.%u read %" PRIu64 " at %lld, opened at %lld", a->client, a->number, value,
		     (long long)began, (long long)a->opened);
	}
	return value;
}

static void actor_write(struct actor *a)
{
	struct event *e = event_begin(a, false);
	ULONG n = 0;
	NTSTATUS status = door_write(a->file, NULL, &e->value, sizeof(e->value), 0, &n);

	MUST(status == STATUS_SUCCESS && n == sizeof(e->value), "write: %x", (unsigned int)status);
	event_end(a, e);
}

static void actor_truncate(struct actor *a)
{
	struct event *e = event_begin(a, true);
	NTSTATUS status = door_set_end_of_file(a->file, NULL, 0);

	MUST(status == STATUS_SUCCESS, "truncation: %x", (unsigned int)status);
	event_end(a, e);
}

static void actor_rename(struct actor *a)
{
	unsigned int from = (unsigned int)(nt_random() % 2);
	UNICODE_STRING old, new;
	NTSTATUS status;

	MUST(NT_SUCCESS(door_name_from_posix(names[from], &old)), "no memory");
	MUST(NT_SUCCESS(door_name_from_posix(names[1 - from], &new)), "no memory");
	status = door_rename(a->run->clients.volume[a->client], NULL, &old, &new, 0, 0, 0);
	door_name_free(&old);
	door_name_free(&new);
	MUST(status == STATUS_SUCCESS || status == STATUS_OBJECT_NAME_NOT_FOUND ||
		     status == STATUS_OBJECT_NAME_COLLISION,
	     "rename: %x", (unsigned int)status);
}

/* How much room there is, asked while others write. */
static void actor_look(struct actor *a)
{
	FILE_FS_FULL_SIZE_INFORMATION size;
	ULONG returned = 0;
	NTSTATUS status =
		door_query_volume(a->file, NULL, FileFsFullSizeInformation, &size, sizeof(size), &returned);

	MUST(status == STATUS_SUCCESS, "volume: %x", (unsigned int)status);
	MUST(size.ActualAvailableAllocationUnits.QuadPart <= size.TotalAllocationUnits.QuadPart,
	     "more room than there is");
}

/* Time passes, where it costs nothing: what is kept gets old, handles stop sleeping, patience ends. */
static void actor_rest(struct actor *a)
{
	LARGE_INTEGER wait = {.QuadPart = -(LONGLONG)(nt_random() % (12 * SECONDS)) - 1};

	if (nt_current_executive() == NT_EXEC_SIM)
		(void)KeDelayExecutionThread(KernelMode, FALSE, &wait);
	else if (a->file != NULL)
		actor_look(a);
}

static void actor_flush(struct actor *a)
{
	NTSTATUS status = door_flush(a->file, NULL);

	MUST(status == STATUS_SUCCESS, "flush: %x", (unsigned int)status);
}

static enum orders_step actor_choose(const struct actor *a)
{
	unsigned int what = (unsigned int)(nt_random() % 18);

	if (what == 0 && a->run->plan->renames)
		return ORDERS_RENAME;
	if (what == 17)
		return ORDERS_REST;
	if (what == 1)
		return ORDERS_CLOSE;
	if (what <= 4 || a->file == NULL)
		return ORDERS_OPEN;
	if (what <= 9 || !a->may_write)
		return ORDERS_READ;
	return what <= 14 ? ORDERS_WRITE : what == 15 ? ORDERS_TRUNCATE : ORDERS_FLUSH;
}

static void actor_do(struct actor *a, enum orders_step step)
{
	switch (step) {
	case ORDERS_RENAME:
		actor_rename(a);
		break;
	case ORDERS_REST:
		actor_rest(a);
		break;
	case ORDERS_CLOSE:
		actor_close(a);
		break;
	case ORDERS_OPEN:
		(void)actor_open(a, nt_random() % 2 != 0, nt_random() % 4 == 0);
		break;
	case ORDERS_READ:
		(void)actor_read(a);
		break;
	case ORDERS_WRITE:
		actor_write(a);
		break;
	case ORDERS_TRUNCATE:
		actor_truncate(a);
		break;
	case ORDERS_FLUSH:
		actor_flush(a);
		break;
	case ORDERS_STEPS:
		break;
	}
}

/* Of both clients, since the process began. */
static uint64_t breaks_told(void)
{
	struct nt_count counts[128];
	uint64_t lost = 0;
	size_t n = nt_count_read(counts, RTL_NUMBER_OF(counts), &lost);

	for (size_t i = 0; i < n; i++)
		if (strcmp(counts[i].group, NT_COUNT_EVENT) == 0 && counts[i].part[0] != NULL &&
		    strcmp(counts[i].part[0], "breaks_received") == 0)
			return counts[i].times;
	return 0;
}

static void actor_step(struct actor *a)
{
	enum orders_step step = actor_choose(a);
	uint64_t before = breaks_told();

	actor_do(a, step);
	if (breaks_told() != before)
		InterlockedIncrement(&a->run->broken[step]);
}

static void actor_main(void *context)
{
	struct actor *a = context;

	for (unsigned int i = 0; i < a->run->plan->steps; i++)
		actor_step(a);
	actor_close(a);
}

/* ---- a run ---- */

static void run_actors(struct run *run, struct actor *actors, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		actors[i] = (struct actor){.run = run, .client = i % CLIENTS, .number = i / CLIENTS};
		MUST(NT_SUCCESS(nt_thread_create("actor", actor_main, &actors[i], &actors[i].thread)),
		     "no thread");
	}
	for (unsigned int i = 0; i < count; i++)
		nt_thread_join(actors[i].thread);
}

/* Everybody has closed: both clients read the same, and it is one of the last values. */
static void check_the_end(struct run *run)
{
	struct actor last[CLIENTS] = {{.run = run, .client = 0, .number = MAX_ACTORS},
				      {.run = run, .client = 1, .number = MAX_ACTORS}};
	uint64_t value[CLIENTS];
	LONG late = run->late;

	for (unsigned int i = 0; i < CLIENTS; i++) {
		MUST(actor_open(&last[i], false, false), "the file is gone");
		value[i] = actor_read(&last[i]);
	}
	MUST(value[0] == value[1], "%" PRIu64 " and %" PRIu64 " at the end", value[0], value[1]);
	MUST(run->late == late, "late at the end");
	for (unsigned int i = 0; i < CLIENTS; i++)
		actor_close(&last[i]);
}

void orders_run(const struct orders_plan *plan, struct orders_seen *seen)
{
	struct actor actors[MAX_ACTORS];
	struct run *run = calloc(1, sizeof(*run));
	struct actor maker = {.run = run, .number = MAX_ACTORS};
	struct door_opened opened;
	struct event *e;

	MUST(run != NULL && plan->actors * CLIENTS <= MAX_ACTORS, "too much");
	run->plan = plan;
	MUST(clients_start(&run->clients, NULL) == 0, "no clients");
	e = event_begin(&maker, true);
	MUST(client_open(run->clients.volume[0], names[0], FILE_WRITE_DATA, SHARE_ALL, FILE_CREATE,
			 &opened) == STATUS_SUCCESS,
	     "no file");
	event_end(&maker, e);
	MUST(door_close(opened.file, NULL) == STATUS_SUCCESS, "close");
	run_actors(run, actors, plan->actors * CLIENTS);
	check_the_end(run);
	seen->reads += (unsigned long)run->reads;
	seen->late += (unsigned long)run->late;
	for (unsigned int i = 0; i < ORDERS_STEPS; i++)
		seen->broken[i] += (unsigned long)run->broken[i];
	MUST(clients_stop(&run->clients) == 0, "the driver did not stop");
	free(run);
}

bool orders_tell(const struct orders_seen *seen, bool with_rests)
{
	static const char *const steps[ORDERS_STEPS] = {"opens",   "reads",  "writes",  "truncations",
							"flushes", "closes", "renames", "rests"};
	bool all = seen->reads != 0;

	printf("%lu reads, %lu of them late; breaks during", seen->reads, seen->late);
	for (unsigned int i = 0; i < ORDERS_STEPS; i++) {
		printf(" %lu %s", seen->broken[i], steps[i]);
		all = all && (seen->broken[i] != 0 || (i == ORDERS_REST && !with_rests));
	}
	printf("\n");
	return all;
}

/*
 * stats.c - what a mount has done so far, in numbers: the round trips of each operation, what went on beside them,
 * what the server answered.
 *
 * Rules:  counters only go up; who wants to know what one thing costs takes the difference of two answers.
 */
#include <stdlib.h>
#include <string.h>

#include "nt_count.h"
#include "serve.h"

#define SCHEMA 1
#define NAME_BYTES 128

static int compare(const void *left, const void *right)
{
	const struct nt_count *a = left;
	const struct nt_count *b = right;
	int order = strcmp(a->group, b->group);

	for (unsigned int i = 0; order == 0 && i < NT_COUNT_PARTS; i++) {
		const char *one = a->part[i] != NULL ? a->part[i] : "";
		const char *other = b->part[i] != NULL ? b->part[i] : "";

		order = strcmp(one, other);
	}
	return order;
}

/* "CREATE+QUERY_INFO+CLOSE" */
static void join(const struct nt_count *counter, char *name)
{
	size_t length = 0;

	for (unsigned int i = 0; i < NT_COUNT_PARTS && counter->part[i] != NULL; i++)
		length += (size_t)snprintf(name + length, NAME_BYTES - length, "%s%s", i > 0 ? "+" : "",
					   counter->part[i]);
}

struct counters {
	struct nt_count *at;
	size_t count;
	uint64_t lost;
};

static bool is_in(const struct nt_count *counter, const char *group)
{
	return strcmp(counter->group, group) == 0;
}

static uint64_t times_of(const struct counters *all, const char *group, const char *name)
{
	uint64_t times = 0;

	for (size_t i = 0; i < all->count; i++)
		if (is_in(&all->at[i], group) && strcmp(all->at[i].part[0], name) == 0)
			times += all->at[i].times;
	return times;
}

/* Members of one sender of messages. Neighbours of one name (constants of several files) are one message. */
static void put_messages(const struct counters *all, const char *sender, struct rdr_json *json)
{
	uint64_t messages = 0, bytes = 0;

	for (size_t i = 0; i < all->count; i++) {
		if (!is_in(&all->at[i], sender))
			continue;
		messages += all->at[i].times;
		bytes += all->at[i].amount;
	}
	rdr_json_number(json, "round_trips", (long long)messages);
	rdr_json_number(json, "bytes_sent", (long long)bytes);
	rdr_json_open(json, "messages", '{');
	for (size_t i = 0; i < all->count; i++) {
		uint64_t times = all->at[i].times;
		char name[NAME_BYTES] = "";

		if (!is_in(&all->at[i], sender))
			continue;
		while (i + 1 < all->count && compare(&all->at[i], &all->at[i + 1]) == 0)
			times += all->at[++i].times;
		join(&all->at[i], name);
		rdr_json_number(json, name, (long long)times);
	}
	rdr_json_close(json, '}');
}

static void put_operations(const struct counters *all, struct rdr_json *json)
{
	rdr_json_open(json, "operations", '[');
	for (size_t i = 0; i < all->count; i++) {
		const struct nt_count *counter = &all->at[i];

		if (!is_in(counter, NT_COUNT_REQUEST))
			continue;
		rdr_json_open(json, NULL, '{');
		rdr_json_string(json, "operation", counter->part[0]);
		rdr_json_number(json, "requests", (long long)counter->times);
		put_messages(all, counter->part[0], json);
		rdr_json_close(json, '}');
	}
	rdr_json_close(json, ']');
}

static void put_commands(const struct counters *all, struct rdr_json *json)
{
	rdr_json_open(json, "commands", '[');
	for (size_t i = 0; i < all->count; i++) {
		const struct nt_count *counter = &all->at[i];

		if (!is_in(counter, NT_COUNT_COMMAND))
			continue;
		rdr_json_open(json, NULL, '{');
		rdr_json_string(json, "command", counter->part[0]);
		rdr_json_number(json, "answers", (long long)counter->times);
		rdr_json_number(json, "failed", (long long)times_of(all, NT_COUNT_FAILED, counter->part[0]));
		rdr_json_close(json, '}');
	}
	rdr_json_close(json, ']');
}

static void put_events(const struct counters *all, struct rdr_json *json)
{
	/* there from the start on, so that a zero is a zero */
	static const char *const names[] = {"breaks_received", "messages_received", "opens_shared"};
	uint64_t received = 0;

	rdr_json_open(json, "events", '{');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		rdr_json_number(json, names[i], (long long)times_of(all, NT_COUNT_EVENT, names[i]));
	rdr_json_close(json, '}');
	for (size_t i = 0; i < all->count; i++)
		if (is_in(&all->at[i], NT_COUNT_EVENT) &&
		    strcmp(all->at[i].part[0], "messages_received") == 0)
			received += all->at[i].amount;
	rdr_json_number(json, "bytes_received", (long long)received);
}

/* The members of a stats answer.  Any thread; asks nobody. */
void rdr_serve_stats(struct rdr_json *json)
{
	struct counters all = {.at = calloc(NT_COUNT_LIMIT, sizeof(*all.at))};

	if (all.at == NULL) {
		rdr_json_string(json, "stats_error", "out of memory");
		return;
	}
	all.count = nt_count_read(all.at, NT_COUNT_LIMIT, &all.lost);
	qsort(all.at, all.count, sizeof(*all.at), compare);
	rdr_json_open(json, "stats", '{');
	rdr_json_number(json, "schema", SCHEMA);
	put_operations(&all, json);
	rdr_json_open(json, "background", '{');
	put_messages(&all, NT_COUNT_BACKGROUND, json);
	rdr_json_close(json, '}');
	put_commands(&all, json);
	put_events(&all, json);
	rdr_json_number(json, "lost", (long long)all.lost);
	rdr_json_close(json, '}');
	free(all.at);
}

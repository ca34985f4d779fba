/*
 * status.c - `rdr status [--json] [DIR]`: every object of a mount, as a tree, with who holds it; with --check
 * whether the objects agree with each other; with --stats the round trips of each operation.
 *
 * The daemon sends JSON; --json hands it on as it is, one object per mount and line.
 */
#include "rdr.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MS 5000

/* One object of the answer, so that children are found by binary search. */
struct entry {
	unsigned long long id;
	unsigned long long parent;
	const struct rdr_json_value *value;
};

static int compare_entries(const void *left, const void *right)
{
	const struct entry *a = left;
	const struct entry *b = right;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static size_t first_child(const struct entry *entries, size_t count, unsigned long long parent)
{
	size_t low = 0;
	size_t high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entries[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void print_holders(const struct rdr_json_value *holders)
{
	const char *before = " (";

	if (holders == NULL || holders->first == NULL)
		return;
	for (const struct rdr_json_value *holder = holders->first; holder != NULL; holder = holder->next) {
		printf("%s%s %.0f", before, holder->name, holder->number);
		before = ", ";
	}
	putchar(')');
}

static void print_object(const struct rdr_json_value *object, int depth)
{
	const struct rdr_json_value *opens = rdr_json_member(object, "opens");
	const struct rdr_json_value *size = rdr_json_member(object, "size");
	const char *status = rdr_json_get_string(object, "status", NULL);

	printf("%*s%-*s %-13s refs %.0f", 2 + depth * 2, "", 18 - depth * 2,
	       rdr_json_get_string(object, "kind", "?"), rdr_json_get_string(object, "condition", "?"),
	       rdr_json_get_number(object, "references", 0));
	print_holders(rdr_json_member(object, "holders"));
	if (opens != NULL)
		printf(" opens %.0f", opens->number);
	if (size != NULL)
		printf(" size %.0f", size->number);
	if (status != NULL)
		printf(" %s", status);
	printf("  %s\n", rdr_json_get_string(object, "name", ""));
}

static void print_children(const struct entry *entries, size_t count, unsigned long long parent, int depth)
{
	if (depth > 6) /* the deepest is SRV_CALL, NET_ROOT, FCB, SRV_OPEN, FOBX */
		return;
	for (size_t i = first_child(entries, count, parent); i < count && entries[i].parent == parent; i++) {
		print_object(entries[i].value, depth);
		if (entries[i].id != parent)
			print_children(entries, count, entries[i].id, depth + 1);
	}
}

static void print_tree(const struct rdr_json_value *objects)
{
	size_t count = 0;
	size_t filled = 0;

	for (const struct rdr_json_value *o = objects->first; o != NULL; o = o->next)
		count++;
	struct entry *entries = calloc(count + 1, sizeof(*entries));

	if (entries == NULL)
		return;
	for (const struct rdr_json_value *o = objects->first; o != NULL; o = o->next) {
		entries[filled].id = (unsigned long long)rdr_json_get_number(o, "id", 0);
		entries[filled].parent = (unsigned long long)rdr_json_get_number(o, "parent", 0);
		entries[filled].value = o;
		filled++;
	}
	qsort(entries, count, sizeof(*entries), compare_entries);
	print_children(entries, count, 0, 0);
	free(entries);
}

static void print_status(const struct rdr_json_value *answer)
{
	const struct rdr_json_value *counters = rdr_json_member(answer, "counters");
	const struct rdr_json_value *objects = rdr_json_member(answer, "objects");

	const char *also = rdr_json_get_string(answer, "also", NULL);

	printf("%s on %s%s%s (pid %.0f, rdr %s)\n", rdr_json_get_string(answer, "source", "?"),
	       rdr_json_get_string(answer, "directory", "?"), also != NULL ? " and " : "",
	       also != NULL ? also : "", rdr_json_get_number(answer, "pid", 0),
	       rdr_json_get_string(answer, "version", "?"));
	if (counters != NULL)
		printf("  requests %.0f, interrupted %.0f, read %.0f bytes, written %.0f bytes, "
		       "threads %.0f (most %.0f), open files %.0f\n",
		       rdr_json_get_number(counters, "requests", 0),
		       rdr_json_get_number(counters, "interrupts", 0),
		       rdr_json_get_number(counters, "bytes_read", 0),
		       rdr_json_get_number(counters, "bytes_written", 0),
		       rdr_json_get_number(counters, "threads", 0),
		       rdr_json_get_number(counters, "threads_peak", 0),
		       rdr_json_get_number(counters, "open_files", 0));
	if (objects != NULL && objects->kind == RDR_JSON_ARRAY)
		print_tree(objects);
}

static void print_finding(const struct rdr_json_value *finding)
{
	const char *kind = rdr_json_get_string(finding, "kind", NULL);

	printf("  rule %s: ", rdr_json_get_string(finding, "rule", "?"));
	if (kind != NULL)
		printf("%s 0x%llx \"%s\": ", kind, (unsigned long long)rdr_json_get_number(finding, "id", 0),
		       rdr_json_get_string(finding, "name", ""));
	printf("%s\n", rdr_json_get_string(finding, "text", ""));
}

static void print_check(const struct rdr_json_value *answer)
{
	const struct rdr_json_value *findings = rdr_json_member(answer, "findings");

	printf("%s on %s: %.0f objects checked (%.0f files busy), %.0f disagreements\n",
	       rdr_json_get_string(answer, "source", "?"), rdr_json_get_string(answer, "directory", "?"),
	       rdr_json_get_number(answer, "checked", 0), rdr_json_get_number(answer, "busy", 0),
	       rdr_json_get_number(answer, "disagreements", 0));
	for (const struct rdr_json_value *f = findings != NULL ? findings->first : NULL; f != NULL;
	     f = f->next)
		print_finding(f);
}

/* The exit code that a check answer stands for. A disagreement is a bug of ours. */
static int check_code(const struct rdr_peer *peer, const struct rdr_json_value *answer)
{
	if (rdr_json_member(answer, "disagreements") == NULL) {
		fprintf(stderr, "rdr: check of %s: %s\n", rdr_peer_directory(peer),
			rdr_json_get_string(answer, "check_error", "no answer"));
		return RDR_SYSTEM;
	}
	return rdr_json_get_number(answer, "disagreements", 0) != 0 ? RDR_BUG : RDR_OK;
}

/* "  LOOKUP   12 requests   3 round trips: CREATE+QUERY_INFO+CLOSE 3" */
static void print_messages(const struct rdr_json_value *sender)
{
	const struct rdr_json_value *messages = rdr_json_member(sender, "messages");
	const char *before = ": ";

	for (const struct rdr_json_value *m = messages != NULL ? messages->first : NULL; m != NULL;
	     m = m->next) {
		printf("%s%s %.0f", before, m->name, m->number);
		before = ", ";
	}
	putchar('\n');
}

static void print_stats(const struct rdr_json_value *answer)
{
	const struct rdr_json_value *stats = rdr_json_member(answer, "stats");
	const struct rdr_json_value *operations = rdr_json_member(stats, "operations");
	const struct rdr_json_value *background = rdr_json_member(stats, "background");
	const struct rdr_json_value *commands = rdr_json_member(stats, "commands");
	const struct rdr_json_value *events = rdr_json_member(stats, "events");

	printf("%s on %s (pid %.0f)\n", rdr_json_get_string(answer, "source", "?"),
	       rdr_json_get_string(answer, "directory", "?"), rdr_json_get_number(answer, "pid", 0));
	for (const struct rdr_json_value *o = operations != NULL ? operations->first : NULL; o != NULL;
	     o = o->next) {
		printf("  %-16s %8.0f requests %8.0f round trips", rdr_json_get_string(o, "operation", "?"),
		       rdr_json_get_number(o, "requests", 0), rdr_json_get_number(o, "round_trips", 0));
		print_messages(o);
	}
	printf("  %-16s %17s %8.0f messages   ", "(background)", "",
	       rdr_json_get_number(background, "round_trips", 0));
	print_messages(background);
	for (const struct rdr_json_value *c = commands != NULL ? commands->first : NULL; c != NULL;
	     c = c->next)
		printf("  %-16s %8.0f answers  %8.0f refused\n", rdr_json_get_string(c, "command", "?"),
		       rdr_json_get_number(c, "answers", 0), rdr_json_get_number(c, "failed", 0));
	for (const struct rdr_json_value *e = events != NULL ? events->first : NULL; e != NULL; e = e->next)
		printf("  %s %.0f\n", e->name, e->number);
	printf("  bytes_received %.0f\n", rdr_json_get_number(stats, "bytes_received", 0));
}

enum question { ASK_STATUS, ASK_CHECK, ASK_STATS };

static int show(const struct rdr_peer *peer, enum question question, bool json)
{
	static const char *const commands[] = {"status", "check", "stats"};
	bool check = question == ASK_CHECK;

	struct rdr_json_value *answer = NULL;
	char *raw = NULL;
	struct rdr_error error;
	int code = rdr_peer_ask(peer, commands[question], false, ANSWER_MS, &answer, &raw, &error);

	if (code != 0) {
		fprintf(stderr, "rdr: status of %s: %s\n", rdr_peer_directory(peer), error.text);
	} else {
		if (check)
			code = check_code(peer, answer);
		if (json)
			fputs(raw, stdout);
		else if (question == ASK_STATUS)
			print_status(answer);
		else if (question == ASK_STATS)
			print_stats(answer);
		else if (code != RDR_SYSTEM)
			print_check(answer);
	}
	rdr_json_value_free(answer);
	free(raw);
	return code;
}

int rdr_verb_status(int argc, char **argv)
{
	bool json = false;
	enum question question = ASK_STATUS;
	const char *directory = NULL;
	char *absolute = NULL;
	struct rdr_error error;
	int code = 0;
	bool found = false;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			json = true;
		else if (strcmp(argv[i], "--check") == 0)
			question = ASK_CHECK;
		else if (strcmp(argv[i], "--stats") == 0)
			question = ASK_STATS;
		else if (argv[i][0] == '-' || directory != NULL)
			return rdr_print_error(
				(rdr_fail(&error, RDR_USAGE,
					  "usage: rdr status [--check | --stats] [--json] [DIR]"),
				 &error));
		else
			directory = argv[i];
	}
	if (directory != NULL && rdr_directory_resolve(directory, &absolute, &error) != 0)
		return rdr_print_error(&error);
	struct rdr_peer *peers = rdr_peers_find(absolute, false);

	for (struct rdr_peer *peer = peers; peer != NULL; peer = peer->next) {
		if (absolute != NULL && !rdr_peer_serves(peer, absolute))
			continue;
		found = true;
		code |= show(peer, question, json);
	}
	rdr_peers_free(peers);
	if (absolute != NULL && !found) {
		rdr_fail(&error, RDR_USAGE, "nothing of ours is mounted on %s; rdr list shows what is",
			 absolute);
		code = rdr_print_error(&error);
	} else if (!found && !json) {
		printf("nothing is mounted\n");
	}
	free(absolute);
	return code;
}

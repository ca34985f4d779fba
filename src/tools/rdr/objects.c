/*
 * objects.c - what a daemon says about itself: counters, every live object with its holders, and whether the
 * objects agree with each other.
 *
 * Rules:     reads FSCTL_RX_QUERY_OBJECTS and FSCTL_RX_CHECK_OBJECTS, which take short table locks only: it answers while
 *            the server is dead.  The records come from our own core, and are still checked
 *            against the buffer they lie in.
 * Locks:     serve->lock while the FUSE session is asked, so that it cannot end meanwhile.
 */
#include "serve.h"

#include <stdlib.h>
#include <string.h>

#include "rdr_explain.h"
#include "rx.h"
#include "rxctl.h"

#define FIRST_BUFFER (64u << 10)
#define LARGEST_BUFFER (1u << 30)

static const char *kind_name(uint32_t kind)
{
	switch ((enum rx_object_kind)kind) {
	case RX_OBJECT_SRV_CALL:
		return "SRV_CALL";
	case RX_OBJECT_NET_ROOT:
		return "NET_ROOT";
	case RX_OBJECT_V_NET_ROOT:
		return "V_NET_ROOT";
	case RX_OBJECT_FCB:
		return "FCB";
	case RX_OBJECT_SRV_OPEN:
		return "SRV_OPEN";
	case RX_OBJECT_FOBX:
		return "FOBX";
	}
	return "?";
}

static const char *condition_name(uint32_t condition)
{
	switch ((RX_BLOCK_CONDITION)condition) {
	case Condition_Uninitialized:
		return "Uninitialized";
	case Condition_InTransition:
		return "InTransition";
	case Condition_Closing:
		return "Closing";
	case Condition_Good:
		return "Good";
	case Condition_Bad:
		return "Bad";
	case Condition_Closed:
		return "Closed";
	}
	return "?";
}

/* UTF-16 to UTF-8; a lone surrogate becomes U+FFFD.  malloc'ed. */
static char *to_utf8(const uint16_t *text, size_t units)
{
	char *out = malloc(units * 3 + 1);
	size_t length = 0;

	if (out == NULL)
		return NULL;
	for (size_t i = 0; i < units; i++) {
		uint32_t c = text[i];

		if (c >= 0xd800 && c < 0xdc00 && i + 1 < units && text[i + 1] >= 0xdc00 &&
		    text[i + 1] < 0xe000)
			c = 0x10000 + ((c - 0xd800) << 10) + (text[++i] - 0xdc00u);
		else if (c >= 0xd800 && c < 0xe000)
			c = 0xfffd;
		if (c < 0x80) {
			out[length++] = (char)c;
		} else if (c < 0x800) {
			out[length++] = (char)(0xc0 | c >> 6);
			out[length++] = (char)(0x80 | (c & 0x3f));
		} else if (c < 0x10000) {
			out[length++] = (char)(0xe0 | c >> 12);
			out[length++] = (char)(0x80 | (c >> 6 & 0x3f));
			out[length++] = (char)(0x80 | (c & 0x3f));
		} else {
			out[length++] = (char)(0xf0 | c >> 18);
			out[length++] = (char)(0x80 | (c >> 12 & 0x3f));
			out[length++] = (char)(0x80 | (c >> 6 & 0x3f));
			out[length++] = (char)(0x80 | (c & 0x3f));
		}
	}
	out[length] = '\0';
	return out;
}

static void put_object(const struct rx_object_record *record, struct rdr_json *json)
{
	char *name = to_utf8((const uint16_t *)(record + 1), record->name_bytes / 2);
	uint32_t holders =
		record->holder_count < RX_OBJECT_MAX_HOLDERS ? record->holder_count : RX_OBJECT_MAX_HOLDERS;

	rdr_json_open(json, NULL, '{');
	rdr_json_string(json, "kind", kind_name(record->kind));
	rdr_json_number(json, "id", (long long)record->id);
	rdr_json_number(json, "parent", (long long)record->parent_id);
	if (record->second_parent_id != 0)
		rdr_json_number(json, "v_net_root", (long long)record->second_parent_id);
	rdr_json_string(json, "name", name);
	rdr_json_string(json, "condition", condition_name(record->condition));
	rdr_json_number(json, "references", record->reference_count);
	rdr_json_number(json, "flags", record->flags);
	if (record->kind != RX_OBJECT_SRV_CALL && record->kind != RX_OBJECT_NET_ROOT)
		rdr_json_number(json, "opens", record->open_count);
	if (record->kind == RX_OBJECT_FCB || record->kind == RX_OBJECT_SRV_OPEN)
		rdr_json_number(json, "unclean", record->unclean_count);
	if (record->kind == RX_OBJECT_FCB)
		rdr_json_number(json, "size", (long long)record->file_size);
	if (record->status != 0)
		rdr_json_string(json, "status", nt_status_name((NTSTATUS)record->status));
	rdr_json_open(json, "holders", '{');
	for (uint32_t i = 0; i < holders; i++) {
		char label[RX_OBJECT_HOLDER_NAME_BYTES + 1];

		memcpy(label, record->holders[i].name, RX_OBJECT_HOLDER_NAME_BYTES);
		label[RX_OBJECT_HOLDER_NAME_BYTES] = '\0';
		rdr_json_number(json, label, record->holders[i].count);
	}
	rdr_json_close(json, '}');
	rdr_json_close(json, '}');
	free(name);
}

static NTSTATUS query(struct door *door, void **buffer, ULONG *used)
{
	ULONG length = FIRST_BUFFER;

	for (;;) {
		*used = 0;
		*buffer = malloc(length);
		if (*buffer == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		NTSTATUS status = door_query_objects(door, *buffer, length, used);

		if (NT_SUCCESS(status))
			return status;
		free(*buffer);
		*buffer = NULL;
		if ((status != STATUS_BUFFER_OVERFLOW && status != STATUS_BUFFER_TOO_SMALL) ||
		    length >= LARGEST_BUFFER)
			return status;
		length *= 2;
	}
}

/* Appends "objects": one entry per record. */
void rdr_status_put_objects(struct door *door, struct rdr_json *json)
{
	void *buffer = NULL;
	ULONG used = 0;
	NTSTATUS status = query(door, &buffer, &used);
	const char *at = buffer;
	size_t left = used;

	if (!NT_SUCCESS(status))
		rdr_json_string(json, "objects_error", nt_status_name(status));
	rdr_json_open(json, "objects", '[');
	while (buffer != NULL && left >= sizeof(struct rx_object_record)) {
		const struct rx_object_record *record = (const void *)at;

		if (record->record_bytes < sizeof(*record) || record->record_bytes > left ||
		    record->name_bytes > record->record_bytes - sizeof(*record))
			break;
		put_object(record, json);
		at += record->record_bytes;
		left -= record->record_bytes;
	}
	rdr_json_close(json, ']');
	free(buffer);
}

static void put_counters(struct rdr_fuse *fuse, struct rdr_json *json)
{
	struct rdr_fuse_counters counters = {0};

	rdr_fuse_query_counters(fuse, &counters);
	rdr_json_open(json, "counters", '{');
	rdr_json_number(json, "requests", (long long)counters.requests);
	rdr_json_number(json, "interrupts", (long long)counters.interrupts);
	rdr_json_number(json, "bytes_read", (long long)counters.bytes_read);
	rdr_json_number(json, "bytes_written", (long long)counters.bytes_written);
	rdr_json_number(json, "threads", counters.threads);
	rdr_json_number(json, "threads_peak", counters.threads_peak);
	rdr_json_number(json, "nodes", counters.nodes);
	rdr_json_number(json, "open_files", counters.open_files);
	rdr_json_close(json, '}');
}

/* The members of a status answer.  Any thread that the runtime knows. */
void rdr_serve_status(struct serve *serve, struct rdr_json *json)
{
	pthread_mutex_lock(&serve->lock);
	if (serve->fuse != NULL)
		put_counters(serve->fuse, json);
	pthread_mutex_unlock(&serve->lock);
	if (serve->door != NULL)
		rdr_status_put_objects(serve->door, json);
}

/* ---- check ---- */

#define MOST_FINDINGS 64

struct check_answer {
	struct rx_check_summary summary;
	struct rx_check_finding findings[MOST_FINDINGS];
};

static void put_finding(const struct rx_check_finding *finding, struct rdr_json *json)
{
	rdr_json_open(json, NULL, '{');
	rdr_json_string(json, "rule", finding->rule);
	if (finding->id != 0) {
		rdr_json_string(json, "kind", kind_name(finding->kind));
		rdr_json_number(json, "id", (long long)finding->id);
		rdr_json_string(json, "name", finding->name);
	}
	rdr_json_string(json, "text", finding->text);
	rdr_json_close(json, '}');
}

static void put_check(const struct check_answer *answer, ULONG filled, struct rdr_json *json)
{
	uint32_t there = answer->summary.returned;

	rdr_json_number(json, "checked", answer->summary.objects);
	rdr_json_number(json, "busy", answer->summary.busy);
	rdr_json_number(json, "disagreements", answer->summary.findings);
	rdr_json_open(json, "findings", '[');
	for (uint32_t i = 0; i < there && i < MOST_FINDINGS; i++) {
		if (sizeof(answer->summary) + (i + 1) * sizeof(answer->findings[0]) > filled)
			break;
		put_finding(&answer->findings[i], json);
	}
	rdr_json_close(json, ']');
}

/* The members of a check answer: the count, and the first disagreements.  Any thread that the runtime knows. */
void rdr_serve_check(struct serve *serve, struct rdr_json *json)
{
	struct check_answer *answer = calloc(1, sizeof(*answer));
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;
	ULONG filled = 0;

	if (answer != NULL && serve->door != NULL)
		status = door_check_objects(serve->door, answer, sizeof(*answer), &filled);
	if ((NT_SUCCESS(status) || status == STATUS_BUFFER_OVERFLOW) && filled >= sizeof(answer->summary))
		put_check(answer, filled, json);
	else
		rdr_json_string(json, "check_error", nt_status_name(status));
	free(answer);
}

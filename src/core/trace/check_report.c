/*
 * check_report.c - what the object checker has found, as records and as text.
 *
 * Owns:   nothing.
 * Locks:  none; called with the checker's held.
 */
#include <stdarg.h>

#include "core/trace/check.h"

#include "core/object/object.h"

void rx_check_fail(struct rx_check *c, const char *rule, const struct rx_check_subject *about,
		   const char *format, ...)
{
	struct rx_check_finding finding;
	va_list arguments;

	c->summary.findings++;
	if (c->report == NULL)
		return;
	RtlZeroMemory(&finding, sizeof(finding));
	finding.kind = about->kind;
	finding.id = (uint64_t)(ULONG_PTR)about->object;
	nt_format(finding.rule, sizeof(finding.rule), "%s", rule);
	if (about->name != NULL)
		nt_format(finding.name, sizeof(finding.name), "%wZ", about->name);
	va_start(arguments, format);
	nt_vformat(finding.text, sizeof(finding.text), format, arguments);
	va_end(arguments);
	c->report(c->arg, &finding);
}

static const char *rx_check_kind_name(uint32_t kind)
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
	return "object";
}

size_t rx_check_format(const struct rx_check_finding *finding, char *line, size_t size)
{
	if (finding->id == 0)
		return nt_format(line, size, "rule %s: device: %s", finding->rule, finding->text);
	return nt_format(line, size, "rule %s: %s %p \"%s\": %s", finding->rule,
			 rx_check_kind_name(finding->kind), (PVOID)(ULONG_PTR)finding->id, finding->name,
			 finding->text);
}

/* Where the object's references were taken and given up, when that is being traced. */
static void rx_check_print_places(const struct rx_check_finding *finding)
{
	struct rx_ref_place places[32];
	unsigned int count = rx_ref_places((PVOID)(ULONG_PTR)finding->id, places, RTL_NUMBER_OF(places));

	for (unsigned int i = 0; i < count; i++)
		fprintf(stderr, "  %d at %s:%u\n", (int)places[i].count, places[i].file,
			(unsigned int)places[i].line);
}

void rx_check_print(void *arg, const struct rx_check_finding *finding)
{
	char line[512];

	(void)arg;
	(void)rx_check_format(finding, line, sizeof(line)); /* cut where it is longer */
	fprintf(stderr, "%s\n", line);
	rx_check_print_places(finding);
}

struct rx_check_fill {
	struct rx_check_finding *findings;
	uint32_t capacity;
	uint32_t used;
};

static void rx_check_fill_one(void *arg, const struct rx_check_finding *finding)
{
	struct rx_check_fill *fill = arg;

	if (fill->used < fill->capacity)
		fill->findings[fill->used++] = *finding;
}

NTSTATUS rx_query_check(PRDBSS_DEVICE_OBJECT dev, PVOID buffer, ULONG length, PULONG_PTR written)
{
	struct rx_check_summary *summary = buffer;
	struct rx_check_fill fill;

	*written = 0;
	if (length < sizeof(*summary))
		return STATUS_BUFFER_TOO_SMALL;
	fill.findings = (struct rx_check_finding *)(summary + 1);
	fill.capacity = (uint32_t)((length - sizeof(*summary)) / sizeof(*fill.findings));
	fill.used = 0;
	(void)rx_check_objects(dev, RX_CHECK_LIVE, rx_check_fill_one, &fill, summary); /* in the summary */
	summary->returned = fill.used;
	*written = sizeof(*summary) + fill.used * sizeof(*fill.findings);
	return fill.used == summary->findings ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
}

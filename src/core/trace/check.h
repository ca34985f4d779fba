/*
 * check.h - between the files of the object checker: the run, its findings, and what each file checks.
 *
 * A rule has a short name, the same in every finding, in the tests and in docs/TESTING.md.
 */
#ifndef RX_CORE_TRACE_CHECK_H
#define RX_CORE_TRACE_CHECK_H

#include "core/trace/trace.h"

/*
 * A field of this moment or of the one before, read without the lock that it belongs to: that may be held while a server
 * is silent. Each is one aligned word. Drivers assign them like any variable of theirs, so that the reading side has to tell
 * the race detector that this is meant.
 */
#define RX_PEEK(field) ((__typeof__(field))rx_peek(&(field), sizeof(field)))

uint64_t rx_peek(const volatile void *field, size_t size);

/* What a finding is about. */
struct rx_check_subject {
	enum rx_object_kind kind; /* 0: the device */
	const void *object;
	PCUNICODE_STRING name; /* NULL: not known, or not to be read */
};

/* What the files of one share say about one of its views. */
struct rx_check_view {
	PV_NET_ROOT vnr;
	ULONG srv_opens;
	ULONG fobxs;
};

struct rx_check {
	PRDBSS_DEVICE_OBJECT dev;
	enum rx_check_mode mode;
	rx_check_report *report;
	void *arg;
	struct rx_check_summary summary;
	ULONG fcbs; /* of all shares */

	/* the share being walked */
	PNET_ROOT nr;
	struct rx_check_view *views; /* NULL without memory: what needs it is left out */
	ULONG view_count;
	ULONG nr_fcbs, nr_entries, nr_srv_opens;
};

/* check.c */

/* Tells one finding; the text is cut to what a record holds. */
void rx_check_fail(struct rx_check *c, const char *rule, const struct rx_check_subject *about,
		   const char *format, ...);
/* A count that holders explain: never lower, and equal when the device is quiet. `rule` is "count". */
void rx_check_count(struct rx_check *c, const struct rx_check_subject *about, const volatile ULONG *count,
		    ULONG explained);
/*
 * Is a list sound: does every link lead back, is every entry's memory alive? Only then may it be walked.
 * is_alive gets the entry, link_offset bytes before its link.
 */
bool rx_check_list(struct rx_check *c, const struct rx_check_subject *about, const char *what,
		   PLIST_ENTRY head, size_t link_offset, bool (*is_alive)(const void *object, void *arg),
		   void *arg);
/* For objects that are allocations of their own; for places inside one. */
bool rx_check_own_memory(const void *object, void *arg);
bool rx_check_readable(const void *object, void *arg);
bool rx_check_condition(struct rx_check *c, const struct rx_check_subject *about, RX_BLOCK_CONDITION is);

/* check_file.c */

/* The FCBs of c->nr, those in the table and the orphaned ones. Locks: name table shared; takes the FCB table. */
void rx_check_files(struct rx_check *c);

/* check_scavenger.c */

/* Locks: name table shared; takes the scavenger's mutex. */
void rx_check_scavenger(struct rx_check *c);

#endif

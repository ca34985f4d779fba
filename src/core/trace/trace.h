/*
 * trace.h - looking at the core from outside: its log, its objects, and whether they agree.
 */
#ifndef RX_CORE_TRACE_TRACE_H
#define RX_CORE_TRACE_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "ntifs.h"
#include "rx.h"
#include "rxctl.h"

/* log.c */

/* Writes the lines of the log that are still in memory, oldest first. Takes no lock that a logger waits for. */
void rx_log_dump(FILE *to);

/* enumerate.c */

/*
 * One object. `name` is the caller's for the length of the call, without a terminator. Return false to stop.
 * Called with the name table shared, and for FCBs and what hangs on them with the FCB table shared.
 */
typedef bool rx_object_visit(const struct rx_object_record *record, PCUNICODE_STRING name, void *arg);

/**
 * rx_enumerate_objects - show every SRV_CALL, NET_ROOT, V_NET_ROOT, FCB, SRV_OPEN and FOBX of a device
 *
 * Parents come before children. Answers while a server is dead: waits only for table locks, which nobody holds
 * across a call into a mini-redirector's network, except a finalization at its end.
 *
 * Locks: takes the name table shared, then one FCB table at a time shared, then per FCB a leaf.
 * Return: STATUS_SUCCESS; STATUS_CANCELLED when visit ended it.
 */
NTSTATUS rx_enumerate_objects(PRDBSS_DEVICE_OBJECT dev, rx_object_visit *visit, void *arg);

/**
 * rx_query_objects - the answer to FSCTL_RX_QUERY_OBJECTS
 * @buffer:      [out] length bytes, 8-byte aligned
 * @written:     [out] bytes filled
 *
 * Return: STATUS_SUCCESS; STATUS_BUFFER_OVERFLOW when not all records fit; STATUS_BUFFER_TOO_SMALL when none did.
 */
NTSTATUS rx_query_objects(PRDBSS_DEVICE_OBJECT dev, PVOID buffer, ULONG length, PULONG_PTR written);

/* check.c */

enum rx_check_mode {
	/* others are at work: a count may be higher than what the objects explain, never lower */
	RX_CHECK_LIVE,
	/* no request is at work and nobody holds a reference of his own: counts are exact */
	RX_CHECK_QUIET
};

/* Tells one disagreement. */
typedef void rx_check_report(void *arg, const struct rx_check_finding *finding);

/**
 * rx_check_objects - do counts, tables, lists, states and back pointers of a device's objects agree?
 * @report:  [in, optional] called for each finding, with locks held: it copies or prints, no more
 * @summary: [out, optional]
 *
 * A file that a request holds exclusive at this moment is checked only as far as its lists reach, and counted as
 * busy. Objects that have left their tables and still have users are checked as well.
 *
 * Context: <= APC_LEVEL; waits for table locks only, so it answers while a server is dead.
 * Locks:   takes the name table shared, then one FCB table at a time shared, then tries one FCB at a time shared,
 *          else its leaf; at the end the scavenger's mutex. The caller may hold any of them.
 * Return:  how many disagreements were found.
 */
unsigned int rx_check_objects(PRDBSS_DEVICE_OBJECT dev, enum rx_check_mode mode, rx_check_report *report,
			      void *arg, struct rx_check_summary *summary);

/* A finding as a line of text, without a newline: rule, object, name, what is wrong. Return: as nt_format(). */
size_t rx_check_format(const struct rx_check_finding *finding, char *line, size_t size);

/* Findings to the standard error, one line each, with the holders' places where they are traced. */
rx_check_report rx_check_print;

/**
 * rx_query_check - the answer to FSCTL_RX_CHECK_OBJECTS
 * @buffer:  [out] length bytes, 8-byte aligned; the summary, then findings as many as fit
 * @written: [out] bytes filled
 *
 * Return: STATUS_SUCCESS; STATUS_BUFFER_OVERFLOW: not all findings fit; STATUS_BUFFER_TOO_SMALL: not the summary.
 */
NTSTATUS rx_query_check(PRDBSS_DEVICE_OBJECT dev, PVOID buffer, ULONG length, PULONG_PTR written);

#endif

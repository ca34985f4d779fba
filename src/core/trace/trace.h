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

/* Tells one disagreement: a line without a newline. */
typedef void rx_check_report(void *arg, const char *line);

/**
 * rx_check_objects - do counts, tables and back pointers agree?
 * @report: [in, optional]
 *
 * A count may be higher than what the hierarchy explains (somebody is at work), never lower.
 *
 * Locks:  as rx_enumerate_objects().
 * Return: how many disagreements were found.
 */
unsigned int rx_check_objects(PRDBSS_DEVICE_OBJECT dev, rx_check_report *report, void *arg);

#endif

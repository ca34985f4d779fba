/*
 * fixture.h - a runtime with the recording mini-redirector in it, and short ways to its objects.
 */
#ifndef TESTS_CORE_SUPPORT_FIXTURE_H
#define TESTS_CORE_SUPPORT_FIXTURE_H

#include "check.h"
#include "recorder.h"

/* For cmocka; the runtime is posix. The second fails when a byte of pool is left. */
int fixture_begin(void **state);
int fixture_end(void **state);

/* The same inside a runtime that exists already (sim). */
void fixture_load(void);
void fixture_unload(void);

/* A context of no IRP that may wait; and its end. */
PRX_CONTEXT fixture_context(void);
void fixture_context_end(PRX_CONTEXT rxc);

void fixture_lock(void);
void fixture_unlock(void);

#define FIXTURE_NAME(variable, text) \
	static WCHAR variable##_text[] = text; \
	UNICODE_STRING variable = {sizeof(text) - sizeof(WCHAR), sizeof(text), variable##_text}

/* Finds or builds the view of a name; *status tells how it went. Referenced, NULL on failure. */
PV_NET_ROOT fixture_connect(PUNICODE_STRING name, NTSTATUS *status);
void fixture_disconnect(PV_NET_ROOT vnr);

/* The FCB of a new file of the view's share, referenced once beside the table, held exclusive. */
PFCB fixture_fcb(PRX_CONTEXT rxc, PV_NET_ROOT vnr, PUNICODE_STRING name);
/* Gives the reference and the lock up. True when the FCB is gone. */
bool fixture_fcb_end(PRX_CONTEXT rxc, PFCB fcb);

/*
 * No disagreement between the objects of the device; and with exact counts, when nobody holds a reference of his own
 * (the end of each test asks for that).
 */
void fixture_check_objects(void);
void fixture_check_quiet(void);
ULONG fixture_names_in_table(void);

#endif

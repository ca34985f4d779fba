/*
 * change_rig.h - a file under a grant, and a server that wants it changed: what the two call-downs see, and answer.
 */
#ifndef RX_TEST_CHANGE_RIG_H
#define RX_TEST_CHANGE_RIG_H

#include "../support/rec.h"

#include "core/buffering/buffering.h"

#define HANDLE_CACHING FCB_STATE_COLLAPSING_ENABLED
#define READ_CACHING (FCB_STATE_READCACHING_ENABLED | FCB_STATE_FILESIZECACHEING_ENABLED)
#define WRITE_CACHING FCB_STATE_WRITECACHING_ENABLED

/* What the two call-downs saw, and answer. */
extern struct seen_by_driver {
	ULONG new_state;
	NTSTATUS answer, compute_answer;
	volatile LONG computed, completed;
	PVOID context;
	PMRX_SRV_OPEN compute_so, complete_so, relevant;
	PMRX_FCB fcb;
	PMRX_FOBX fobx;
	ULONG fcb_state_at_compute, fcb_state_at_complete;
	BOOLEAN exclusive;
	PETHREAD thread;
	PVOID contexts[8]; /* in the order of completion */
	ULONG contexts_used;
} seen;

extern PVOID key_to_give; /* to the next open */
/* Open, under key_one, with READ_CACHING and HANDLE_CACHING. NULL: the test has closed it. */
extern PFILE_OBJECT file;
extern char key_one, key_two;

int change_begin(void **state);
int change_end(void **state);

#define CHANGE_TEST(fn) cmocka_unit_test_setup_teardown(fn, change_begin, change_end)

PSRV_OPEN open_of(PFILE_OBJECT f);
/* Of the file. */
PMRX_SRV_CALL change_server(void);
PRX_BUFFERING_MANAGER change_manager(void);
ULONG buffering(PFILE_OBJECT f);
/* 10 s at most. */
void wait_until(bool (*condition)(void));
/* Of the manager's. */
ULONG length_of(PLIST_ENTRY list);
bool dispatcher_is_idle(void);
bool completed_one(void);
bool last_chance_has_one(void);
/* While a handler seems to be at work none is started: requests stay where they were put. */
void pretend_a_handler(BOOLEAN at_work);
/* The FCB of the file, exclusive, as a request holds it. */
PRX_CONTEXT hold(PFILE_OBJECT f);
void let_go(PRX_CONTEXT rxc);

#endif

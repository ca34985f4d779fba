/*
 * recorder.h - a mini-redirector that does as it is told and remembers what it was asked.
 *
 * Built from public headers only, as a foreign one would be. It connects to any server and any share, opens any
 * file, and keeps nothing. One per process; recorder_reset() between tests.
 */
#ifndef TESTS_CORE_SUPPORT_RECORDER_H
#define TESTS_CORE_SUPPORT_RECORDER_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

enum recorder_call {
	REC_CREATE_SRV_CALL,
	REC_WINNER_NOTIFY,
	REC_CREATE_V_NET_ROOT,
	REC_FINALIZE_V_NET_ROOT,
	REC_FINALIZE_NET_ROOT,
	REC_FINALIZE_SRV_CALL,
	REC_CREATE,
	REC_CLOSE_SRV_OPEN,
	REC_FORCE_CLOSED,
	REC_DEALLOCATE_FOR_FCB,
	REC_DEALLOCATE_FOR_FOBX,
	REC_CALL_COUNT
};

/* How the two connecting calls answer. */
enum recorder_answer {
	REC_ANSWER_CALLBACK,  /* STATUS_PENDING, the callback before the call returns */
	REC_ANSWER_LATER,     /* STATUS_PENDING, the callback from a worker */
	REC_ANSWER_WHEN_TOLD, /* STATUS_PENDING, the callback from recorder_answer_now() */
	REC_ANSWER_DIRECTLY,  /* the status, no callback */
	REC_ANSWER_TWICE      /* STATUS_PENDING, two callbacks */
};

#define REC_LOG_SIZE 64

struct recorder {
	/* what it is told */
	enum recorder_answer answer;
	NTSTATUS srv_call_status;
	NTSTATUS winner_status;
	NTSTATUS net_root_status;
	NTSTATUS v_net_root_status;
	NTSTATUS finalize_status;
	NTSTATUS force_closed_status;
	ULONG srv_call_flags; /* set at winner notify */
	bool has_connection_id;
	RX_CONNECTION_ID connection_id;

	/* what it remembers */
	volatile LONG count[REC_CALL_COUNT];
	volatile LONG logged;
	enum recorder_call log[REC_LOG_SIZE];
	BOOLEAN force;           /* of the last MRxFinalizeSrvCall */
	PEPROCESS process;       /* that it ran in */
	NTSTATUS initial_status; /* Status as MRxCreateSrvCall found it */
	PVOID winner_context;
};

extern struct recorder recorder;
extern PRDBSS_DEVICE_OBJECT recorder_device;
extern MINIRDR_DISPATCH recorder_dispatch;

NTSTATUS recorder_driver_entry(PDRIVER_OBJECT driver, PUNICODE_STRING path);
/* Everything succeeds, from a callback inside the call; nothing was asked yet. */
void recorder_reset(void);
/* How calls are answered from now on; also while others are on their way. */
void recorder_set_answer(enum recorder_answer answer);
/* Waits until a call that is answered when told has come, then answers it. False after ten seconds. */
bool recorder_answer_now(void);
/* Waits until the call was made that often. False after ten seconds. */
bool recorder_wait_for(enum recorder_call call, LONG count);

#endif

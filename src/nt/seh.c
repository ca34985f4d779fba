/*
 * seh.c - structured exceptions: the chain of guarded regions of a thread, and the fault handler behind them.
 *
 * Owns:      the process' handlers of SIGSEGV, SIGBUS and SIGFPE, from the first guarded region on; what was there
 *            before still gets every fault outside of a region.
 * Locks:     none; a region belongs to the thread (or fiber) that entered it.
 * Dies when: the region ends, in whatever way: the cleanup attribute takes it off the chain.
 */
#include <pthread.h>
#include <signal.h>

#include "exec.h"
#include "seh.h"

static pthread_once_t nt_seh_once = PTHREAD_ONCE_INIT;
static struct sigaction nt_seh_old[3];
static const int nt_seh_signals[3] = {SIGSEGV, SIGBUS, SIGFPE};

static NTSTATUS nt_seh_code_of(int signal_number)
{
	if (signal_number == SIGBUS)
		return STATUS_IN_PAGE_ERROR;
	if (signal_number == SIGFPE)
		return STATUS_INTEGER_DIVIDE_BY_ZERO;
	return STATUS_ACCESS_VIOLATION;
}

static DECLSPEC_NORETURN void nt_seh_dispatch(struct nt_seh_frame *frame, NTSTATUS code)
{
	/* Off the chain first: a fault in the filter or the handler belongs to the region around this one. */
	nt_seh_leave(frame);
	frame->raised = true;
	frame->code = code;
	frame->phase = NT_SEH_AFTER;
	siglongjmp(frame->jump, 1);
}

static void nt_seh_fault(int signal_number, siginfo_t *info, void *context)
{
	struct nt_thread *self = nt_self;
	int i = signal_number == SIGSEGV ? 0 : signal_number == SIGBUS ? 1 : 2;

	if (self != NULL && self->seh_frames != NULL)
		nt_seh_dispatch(self->seh_frames, nt_seh_code_of(signal_number));

	if (nt_seh_old[i].sa_flags & SA_SIGINFO) {
		nt_seh_old[i].sa_sigaction(signal_number, info, context);
		return;
	}
	if (nt_seh_old[i].sa_handler != SIG_DFL && nt_seh_old[i].sa_handler != SIG_IGN) {
		nt_seh_old[i].sa_handler(signal_number);
		return;
	}
	/* The instruction faults again, and the process ends as it would have without us. */
	sigaction(signal_number, &nt_seh_old[i], NULL);
}

static void nt_seh_install(void)
{
	struct sigaction action = {.sa_sigaction = nt_seh_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	sigemptyset(&action.sa_mask);
	for (int i = 0; i < 3; i++)
		sigaction(nt_seh_signals[i], &action, &nt_seh_old[i]);
}

/* Called before the body, between body and handler, and at the end; false ends the region. */
bool nt_seh_step(struct nt_seh_frame *frame)
{
	struct nt_thread *self = nt_current();

	switch (frame->phase) {
	case NT_SEH_START:
		pthread_once(&nt_seh_once, nt_seh_install);
		frame->outer = self->seh_frames;
		frame->linked = true;
		frame->phase = NT_SEH_BODY;
		self->seh_frames = frame;
		return true;
	case NT_SEH_BODY:
		nt_seh_leave(frame);
		frame->phase = NT_SEH_AFTER;
		return true; /* once more, for __finally */
	case NT_SEH_AFTER:
		break;
	}
	if (frame->raised && !frame->handled)
		ExRaiseStatus(frame->code); /* nobody wanted it here: outwards */
	return false;
}

void nt_seh_leave(struct nt_seh_frame *frame)
{
	if (!frame->linked)
		return;
	frame->linked = false;
	nt_current()->seh_frames = frame->outer;
}

bool nt_seh_filter(struct nt_seh_frame *frame, LONG disposition)
{
	frame->handled = disposition == EXCEPTION_EXECUTE_HANDLER;
	return frame->handled;
}

VOID ExRaiseStatus(NTSTATUS Status)
{
	struct nt_seh_frame *frame = nt_current()->seh_frames;

	if (frame == NULL)
		NT_BUG("exception 0x%08x where nobody catches it", (unsigned int)Status);
	nt_seh_dispatch(frame, Status);
}

VOID ExRaiseAccessViolation(VOID)
{
	ExRaiseStatus(STATUS_ACCESS_VIOLATION);
}

VOID ExRaiseDatatypeMisalignment(VOID)
{
	ExRaiseStatus(STATUS_DATATYPE_MISALIGNMENT);
}

VOID ProbeForRead(const VOID *Address, SIZE_T Length, ULONG Alignment)
{
	ULONG_PTR begin = (ULONG_PTR)Address;

	if (Length == 0)
		return;
	if (Alignment > 1 && (begin & (Alignment - 1)) != 0)
		ExRaiseDatatypeMisalignment();
	if (Address == NULL || begin + Length < begin)
		ExRaiseAccessViolation();
}

VOID ProbeForWrite(PVOID Address, SIZE_T Length, ULONG Alignment)
{
	ProbeForRead(Address, Length, Alignment);
}

/*
 * exec.h - what the files of the NT runtime share: the thread record, the executive's operations, short locks.
 *
 * Everything that blocks is built on four operations of the executive: wait for a word to change, wake those who
 * wait for a word, the clock, and the scheduling point.  posix does them with futexes, sim with fibers.
 * Only files in src/nt include this.
 */
#ifndef NT_EXEC_INTERNAL_H
#define NT_EXEC_INTERNAL_H

#include "event.h"
#include "fastmutex.h"
#include "list.h"
#include "nt_exec.h"
#include "ntdef.h"
#include "ntstatus.h"
#include "process.h"
#include "spinlock.h"

struct nt_loop;

#define NT_FOREVER UINT64_MAX
#define NT_TICKS_PER_SECOND 10000000ull /* 100 ns */
/* 1601-01-01 to 1970-01-01 in 100 ns. */
#define NT_UNIX_EPOCH 116444736000000000ull

/* Values of DISPATCHER_HEADER.Type; the last two differ from every IO_TYPE_*. */
enum nt_dispatcher_type {
	NT_NOTIFICATION_EVENT = 0,
	NT_SYNCHRONIZATION_EVENT = 1,
	NT_MUTANT = 2,
	NT_SEMAPHORE = 5,
	NT_NOTIFICATION_TIMER = 8,
	NT_SYNCHRONIZATION_TIMER = 9,
	NT_PROCESS = 0x43,
	NT_THREAD = 0x46
};

/*
 * One NT thread.  The memory is recycled but not freed before nt_shutdown(): a late wake-up of a thread that has
 * ended touches a record that is still a record.
 */
struct nt_thread {
	DISPATCHER_HEADER header; /* signalled when the thread has ended */
	LIST_ENTRY all;           /* of nt_thread_list; under its lock */
	uint32_t id;              /* 1, 2, 3 ... in order of creation */
	volatile LONG references; /* one for running, one for the creator's handle */
	char name[16];
	void (*fn)(void *context);
	void *context;
	NTSTATUS exit_status;
	bool detached;            /* nobody joins it but reap_detached() */
	LIST_ENTRY ended;         /* of ended_detached; under the list lock */
	bool adopted;             /* made by a library */
	unsigned int adopt_depth; /* nt_adopt_thread() may nest */
	uintptr_t native;         /* pthread_t, from the start of its run */
	void *exit_jump;          /* sigjmp_buf of PsTerminateSystemThread, on its own stack */

	/* touched by the thread alone */
	KIRQL irql;
	uint32_t apc_disable;      /* depth of critical regions */
	uint32_t held;             /* fast mutexes and resources taken by this thread */
	struct _EPROCESS *process; /* whom it works for */
	struct nt_requester requester;
	bool has_requester;
	void *top_level_irp;   /* IoSetTopLevelIrp */
	void *seh_frames;      /* innermost guarded region */
	const char *waits_for; /* kind of object, for the deadlock report; NULL: does not wait */
	const volatile void *waits_on;

	/* touched by others */
	volatile LONG held_released; /* holds of `held` that others released for it, or that it gave away */
	volatile LONG alerted;
	uint64_t called;       /* nt_loop.serial: where it has sent something last; its own alone */
	uint64_t waits_in;     /* nt_loop.serial: where it may wait, 0: nowhere; its own alone */
	struct nt_loop *leads; /* while its permit is 3 or 4; read by who kicks it */
	volatile LONG
		permit; /* 0 none, 1 given, 2 the thread is parked, 3 and 4: net_run.c; last: survives recycling */
};

struct nt_exec_ops {
	const char *name;
	/* Returns when *word was not `expected`, after a wake, at the deadline (interrupt time), or for no reason. */
	void (*wait_word)(volatile LONG *word, LONG expected, uint64_t deadline);
	/* Wakes up to `count` waiters of that address; the memory behind it may be gone. */
	void (*wake_word)(volatile LONG *word, int count);
	uint64_t (*now)(void);         /* interrupt time, 100 ns */
	uint64_t (*system_time)(void); /* 100 ns since 1601 */
	/* Runs nt_thread_main(thread) in a thread of its own. */
	NTSTATUS (*start)(struct nt_thread *thread);
	void (*join)(struct nt_thread *thread);
};

extern const struct nt_exec_ops nt_posix_ops, nt_sim_ops;
extern const struct nt_exec_ops *nt_ops;
extern __thread struct nt_thread *nt_self __attribute__((tls_model("initial-exec")));

/* As nt_bug(), for a message that names its place itself. */
void nt_bug_at_caller(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

void nt_no_thread(void) __attribute__((noreturn, cold));

static inline struct nt_thread *nt_current(void)
{
	struct nt_thread *self = nt_self;

	if (__builtin_expect(self == NULL, 0))
		nt_no_thread();
	return self;
}

/* A short lock: 0 free, 1 held, 2 held and perhaps waited for.  No scheduling point, no level, no owner. */
void nt_word_lock_slow(volatile LONG *word);

static inline void nt_word_lock(volatile LONG *word)
{
	LONG free_word = 0;

	if (!__atomic_compare_exchange_n(word, &free_word, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		nt_word_lock_slow(word);
}

static inline bool nt_word_try_lock(volatile LONG *word)
{
	LONG free_word = 0;

	return __atomic_compare_exchange_n(word, &free_word, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* The object may be freed by the next holder as soon as the word is 0: only its address is used after that. */
static inline void nt_word_unlock(volatile LONG *word)
{
	if (__atomic_exchange_n(word, 0, __ATOMIC_RELEASE) == 2)
		nt_ops->wake_word(word, 1);
}

static inline uint64_t nt_now(void)
{
	return nt_ops->now();
}

/* thread.c */
struct nt_thread *nt_thread_alloc(const char *name, void (*fn)(void *), void *context);
void nt_thread_main(struct nt_thread *thread);
/* As nt_thread_create(), without a join: nt_stop() waits for it. */
NTSTATUS nt_thread_create_detached(const char *name, void (*fn)(void *context), void *context);
void nt_thread_reference(struct nt_thread *thread);
void nt_thread_dereference(struct nt_thread *thread);
void nt_thread_enter(struct nt_thread *thread); /* becomes the calling thread's record */
void nt_thread_leave(void);
void nt_thread_free_all(void); /* at shutdown, when all have ended */
/* Waits until no started thread runs; false at the deadline, and the names then go to `out`. */
bool nt_thread_wait_all(uint64_t deadline, FILE *out);
void nt_thread_describe_waits(FILE *out);
/* The thread holds no lock and no level; `where` is for the message. */
void nt_thread_assert_clean(const char *where);
/* A HANDLE made by PsCreateSystemThread(), or NULL when it is something else. */
struct nt_thread *nt_thread_of_handle(HANDLE handle);
bool nt_object_is_thread(const void *object);
bool nt_object_is_process(const void *object);

/* wait.c: one permit per thread; park returns when it was given, at the deadline, or for no reason. */
void nt_park(struct nt_thread *self, uint64_t deadline);
void nt_unpark(struct nt_thread *thread);
/* net_run.c: parks in a loop, which the thread runs meanwhile. False: it could not; the permit may have been given. */
bool nt_loop_park(struct nt_thread *self, uint64_t deadline);
/* Gives the permit to a thread that sleeps there: it was 3 and the caller made it 4. */
void nt_loop_kick(struct nt_thread *thread);
/* Converts a WDK timeout (NULL: for ever) to interrupt time. */
uint64_t nt_deadline(const LARGE_INTEGER *timeout);
void nt_dispatcher_init(DISPATCHER_HEADER *header, enum nt_dispatcher_type type, LONG state);
/* Sets the state to at least `state` and lets waiters in; returns the state before. */
LONG nt_dispatcher_signal(DISPATCHER_HEADER *header, LONG state);
/* The same without a scheduling point: the caller holds a short lock. */
LONG nt_dispatcher_signal_quiet(DISPATCHER_HEADER *header, LONG state);
/* Semaphores and mutants: adds, lets waiters in; past the limit is a bug.  Returns the state before. */
LONG nt_dispatcher_add(DISPATCHER_HEADER *header, LONG adjustment, LONG limit);

/* process.c */
void nt_process_init(void);
void nt_process_free_all(void);

/* pool.c */
unsigned long nt_pool_report(FILE *out);
void nt_pool_tag_text(ULONG tag, char text[5]);

/* timer.c, workitem.c: their threads.  stop() returns false when something still runs at the deadline. */
NTSTATUS nt_timer_start(void);
bool nt_timer_stop(uint64_t deadline, FILE *out);
NTSTATUS nt_work_start(unsigned int max_workers);
bool nt_work_stop(uint64_t deadline, FILE *out);

/* exec.c */
bool nt_running(void);
void nt_random_seed(uint64_t seed);
NTSTATUS nt_start(const struct nt_exec_ops *ops, const struct nt_config *config);
unsigned long nt_stop(FILE *out);

#endif

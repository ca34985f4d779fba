/*
 * log.c - RxLog: the last few thousand lines of what the core did, in memory, in every build.
 *
 * Owns:   the ring.
 * Locks:  none. A writer takes the next slot by one atomic addition and formats into memory of its own, then
 *         copies word by word; a slot that two writers share, a whole ring apart, may hold a mixed line.
 *
 * Lines hold names of servers, shares and numbers of objects; never file contents, never secrets.
 */
#include "core/trace/trace.h"

#define RX_LOG_SLOTS 2048u
#define RX_LOG_LINE 120u
#define RX_LOG_WORDS (RX_LOG_LINE / sizeof(ULONG64))

/* sequence: 2n+1 while line n is being written, 2n+2 when it is complete; 0 never used */
struct rx_log_slot {
	volatile LONG64 sequence;
	volatile ULONG64 words[RX_LOG_WORDS];
};

static struct rx_log_slot rx_log_ring[RX_LOG_SLOTS];
static volatile LONG64 rx_log_next;

BOOLEAN RxGlobalTraceSuppress, RxNextGlobalTraceSuppress;

VOID _RxLog(char *Format, ...)
{
	LONG64 n = __atomic_fetch_add(&rx_log_next, 1, __ATOMIC_RELAXED);
	struct rx_log_slot *slot = &rx_log_ring[(ULONG64)n % RX_LOG_SLOTS];
	union {
		char text[RX_LOG_LINE];
		ULONG64 words[RX_LOG_WORDS];
	} line;
	va_list arguments;
	size_t length;

	va_start(arguments, Format);
	length = nt_vformat(line.text, sizeof(line.text), Format, arguments); /* a long line is cut */
	va_end(arguments);

	/* an exchange, so that no word is written before it; acquiring loads of words do the same for a reader */
	(void)__atomic_exchange_n(&slot->sequence, 2 * n + 1, __ATOMIC_ACQ_REL);
	for (size_t i = 0; i < RX_LOG_WORDS && i * sizeof(ULONG64) <= length; i++)
		__atomic_store_n(&slot->words[i], line.words[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot->sequence, 2 * n + 2, __ATOMIC_RELEASE);
}

void rx_log_dump(FILE *to)
{
	LONG64 end = __atomic_load_n(&rx_log_next, __ATOMIC_ACQUIRE);
	LONG64 n = end > (LONG64)RX_LOG_SLOTS ? end - (LONG64)RX_LOG_SLOTS : 0;

	for (; n < end; n++) {
		struct rx_log_slot *slot = &rx_log_ring[(ULONG64)n % RX_LOG_SLOTS];
		union {
			char text[RX_LOG_LINE];
			ULONG64 words[RX_LOG_WORDS];
		} line;

		if (__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) != 2 * n + 2)
			continue;
		for (size_t i = 0; i < RX_LOG_WORDS; i++)
			line.words[i] = __atomic_load_n(&slot->words[i], __ATOMIC_ACQUIRE);
		line.text[RX_LOG_LINE - 1] = '\0';
		if (__atomic_load_n(&slot->sequence, __ATOMIC_ACQUIRE) == 2 * n + 2)
			fprintf(to, "%s\n", line.text);
	}
}

/*
 * orders.h - breaks, reads, writes, truncations, renames and closes of two clients in any order, against a model that
 * says what a read may return.  Written once for both executives.
 */
#ifndef TESTS_MRX_MEM_ORDERS_H
#define TESTS_MRX_MEM_ORDERS_H

#include <stdbool.h>

struct orders_plan {
	unsigned int actors; /* per client */
	unsigned int steps;  /* of each actor */
	bool renames;
};

/* What an actor does. */
enum orders_step {
	ORDERS_OPEN,
	ORDERS_READ,
	ORDERS_WRITE,
	ORDERS_TRUNCATE,
	ORDERS_FLUSH,
	ORDERS_CLOSE,
	ORDERS_RENAME,
	ORDERS_REST, /* where time costs nothing */
	ORDERS_STEPS
};

struct orders_seen {
	unsigned long broken[ORDERS_STEPS]; /* steps during which a client was told of a break */
	unsigned long reads;
	unsigned long
		late; /* returned what another client had replaced, through a handle that was open before */
};

/*
 * Runs a plan with the runtime's random numbers, and stops the process with what went wrong.
 *
 * The model: a file is a register; a truncation writes 0 to it.  A read returns a value whose write had begun, and which
 * no write has replaced that the reader must know of.  He must know of his own client's, and of every one that was
 * answered before he opened his handle: an open waits for whoever keeps data back (write caching needs an answer).
 * A handle that was open before learns of others' writes by a break that nobody waits for: such reads are counted.
 */
void orders_run(const struct orders_plan *plan, struct orders_seen *seen);

/* Says what was seen. False: a break never came in the middle of some kind of step, so the orders were not all tried. */
bool orders_tell(const struct orders_seen *seen, bool with_rests);

#endif

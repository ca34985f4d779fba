/*
 * test_orders_sim.c - every order of break, read, write, truncation, rename and close that a seed brings about, under
 * the deterministic executive.
 *
 * RX_SIM_SEED=n in the environment runs one schedule only; a failure prints its seed.
 */
#include "core/support/seeds.h"
#include "nt_exec.h"
#include "orders.h"

#include <stdio.h>

#define SEEDS 1000

static struct orders_seen seen;

static void body(void *context)
{
	orders_run(context, &seen);
}

int main(void)
{
	static struct orders_plan plans[] = {
		{.actors = 1, .steps = 12},
		{.actors = 2, .steps = 8},
		{.actors = 1, .steps = 12, .renames = true},
		{.actors = 2, .steps = 8, .renames = true},
	};
	const char *only = getenv("RX_SIM_SEED");
	unsigned long first = only != NULL ? strtoul(only, NULL, 0) : 1;
	unsigned long last = only != NULL ? first : seeds(SEEDS);

	for (unsigned long seed = first; seed <= last; seed++) {
		unsigned long leaked = nt_sim_run(seed, body, &plans[seed % 4]);

		if (leaked != 0) {
			fprintf(stderr, "seed %lu leaked %lu bytes\n", seed, leaked);
			return 1;
		}
	}
	printf("seeds %lu to %lu: ", first, last);
	return orders_tell(&seen, true) || only != NULL ? 0 : 1;
}

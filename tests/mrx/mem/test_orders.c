/*
 * test_orders.c - the orders of test_orders_sim.c with real threads.
 */
#include "core/support/seeds.h"
#include "nt_exec.h"
#include "orders.h"

#include <stdio.h>

#define ROUNDS 20

int main(void)
{
	static const struct orders_plan plans[] = {
		{.actors = 2, .steps = 100},
		{.actors = 4, .steps = 60},
		{.actors = 2, .steps = 100, .renames = true},
		{.actors = 4, .steps = 60, .renames = true},
	};
	unsigned long rounds = number_from("RDR_ORDERS_ROUNDS", ROUNDS);
	struct orders_seen seen = {0};

	for (unsigned long i = 0; i < rounds; i++) {
		struct nt_config config = {.executive = NT_EXEC_POSIX, .seed = i + 1};

		if (!NT_SUCCESS(nt_initialize(&config)))
			return 1;
		orders_run(&plans[i % 4], &seen);
		if (nt_shutdown(stderr) != 0)
			return 1;
	}
	printf("%lu rounds: ", rounds);
	return orders_tell(&seen, false) ? 0 : 1;
}

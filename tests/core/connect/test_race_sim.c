/*
 * test_race_sim.c - the same races under the deterministic executive, a thousand schedules each.
 *
 * RX_SIM_SEED=n in the environment runs one schedule only; a failure prints its seed.
 */
#include <stdlib.h>

#include "core/support/fixture.h"
#include "core/support/seeds.h"
#include "nt_exec.h"
#include "race.h"

#define SEEDS 1000

struct sim_race {
	const char *name;
	void (*run)(void);
};

static void sim_connect(void)
{
	race_connect(4);
}

static void sim_finalize_against_lookup(void)
{
	race_finalize_against_lookup(3, 3);
}

static void sim_open_close(void)
{
	race_open_close(3, 3);
}

static void sim_forced_end(void)
{
	race_forced_end(3, 3);
}

static void sim_failures(void)
{
	race_failures(3, 2);
}

static const struct sim_race races[] = {
	{"connect", sim_connect},
	{"finalize against lookup", sim_finalize_against_lookup},
	{"open against close", sim_open_close},
	{"forced end against users", sim_forced_end},
	{"failures", sim_failures},
};

static void body(void *arg)
{
	const struct sim_race *race = arg;

	fixture_load();
	race->run();
	fixture_unload();
}

int main(void)
{
	const char *only = getenv("RX_SIM_SEED");
	unsigned long first = only != NULL ? strtoul(only, NULL, 0) : 1;
	unsigned long last = only != NULL ? first : seeds(SEEDS);

	for (unsigned int i = 0; i < RTL_NUMBER_OF(races); i++) {
		for (unsigned long seed = first; seed <= last; seed++) {
			unsigned long leaked = nt_sim_run(seed, body, (void *)&races[i]);

			if (leaked != 0) {
				fprintf(stderr, "%s: seed %lu leaked %lu bytes\n", races[i].name, seed,
					leaked);
				return 1;
			}
		}
		printf("ok - %s, seeds %lu to %lu\n", races[i].name, first, last);
	}
	return 0;
}

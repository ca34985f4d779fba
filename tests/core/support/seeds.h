/*
 * seeds.h - how many orders the deterministic executive is asked for: RDR_SIM_SEEDS, or what the test thinks enough.
 */
#ifndef TESTS_CORE_SUPPORT_SEEDS_H
#define TESTS_CORE_SUPPORT_SEEDS_H

#include <stdlib.h>

/* A number from the environment. */
static inline unsigned long number_from(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text != NULL && text[0] != 0 ? strtoul(text, NULL, 10) : otherwise;
}

static inline unsigned long seeds(unsigned long otherwise)
{
	return number_from("RDR_SIM_SEEDS", otherwise);
}

#endif

/*
 * touch.h - reads every byte of what a decoder handed out.
 */
#ifndef FUZZ_TOUCH_H
#define FUZZ_TOUCH_H

#include <stdlib.h>

#include "mrx/smb/wire/bytes.h"

static inline void touch(struct wire_slice s)
{
	static volatile uint8_t sink;
	uint8_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum = (uint8_t)(sum + s.p[i]);
	sink = sum;
	(void)sink;
}

/* A broken promise of the codec ends the run like a memory error. */
static inline void must(bool ok)
{
	if (!ok)
		abort();
}

#endif

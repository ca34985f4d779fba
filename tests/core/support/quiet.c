/*
 * quiet.c - see quiet.h.
 */
#include "quiet.h"

#include "core/trace/trace.h"

#define QUIET_TRIES 1000

unsigned int check_when_quiet(PRDBSS_DEVICE_OBJECT dev)
{
	LARGE_INTEGER tick = {.QuadPart = -100000}; /* 10 ms */

	for (unsigned int i = 0; i < QUIET_TRIES; i++) {
		if (rx_check_objects(dev, RX_CHECK_QUIET, NULL, NULL, NULL) == 0)
			return 0;
		(void)KeDelayExecutionThread(KernelMode, FALSE, &tick);
	}
	return rx_check_objects(dev, RX_CHECK_QUIET, rx_check_print, NULL, NULL);
}

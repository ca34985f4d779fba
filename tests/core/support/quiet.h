/*
 * quiet.h - the object checker at the end of a test.
 */
#ifndef TESTS_CORE_SUPPORT_QUIET_H
#define TESTS_CORE_SUPPORT_QUIET_H

#include "ntifs.h"
#include "rx.h"

/*
 * Workers may still be giving up what the last request left them: checks until the objects agree exactly, for ten
 * seconds of the runtime's clock. Return: findings of the last try, which were printed.
 */
unsigned int check_when_quiet(PRDBSS_DEVICE_OBJECT dev);

#endif

/*
 * stops.h - what must stop the process is tried in a child.
 */
#ifndef TESTS_CORE_SUPPORT_STOPS_H
#define TESTS_CORE_SUPPORT_STOPS_H

#include <stdbool.h>

/* The child did not come back, and `text` is in what it printed. It has this process's objects and locks, no workers. */
bool stops_with(void (*fn)(void), const char *text);
/* The child came back from fn, within twenty seconds. */
bool runs_through(void (*fn)(void));

#endif

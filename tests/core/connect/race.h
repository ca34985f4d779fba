/*
 * race.h - the races of connecting, written once for both executives.
 */
#ifndef TESTS_CORE_CONNECT_RACE_H
#define TESTS_CORE_CONNECT_RACE_H

/* Threads open one share at the same moment: one MRxCreateSrvCall, one view for all. */
void race_connect(unsigned int threads);
/* Threads connect and let go again and again: each gets a live view; each record is finalized exactly once. */
void race_finalize_against_lookup(unsigned int threads, unsigned int rounds);
/* Threads open and close one file again and again: counts agree, everything goes in the end. */
void race_open_close(unsigned int threads, unsigned int rounds);

/* Threads connect, open and close while others force the connection away under them. */
void race_forced_end(unsigned int threads, unsigned int rounds);

/* Threads want a server, or a share, that is not there, and some are cancelled: each learns why, none hangs. */
void race_failures(unsigned int threads, unsigned int rounds);

#endif

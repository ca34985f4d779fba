/*
 * scavenger_int.h - what the lists of the scavenger share.
 *
 * Locks: "_locked": RDBSS_SCAVENGER.Mutex is held.
 */
#ifndef RX_CORE_WORK_SCAVENGER_INT_H
#define RX_CORE_WORK_SCAVENGER_INT_H

#include "core/work/work.h"

static inline void rx_scavenger_unlink(PLIST_ENTRY links)
{
	RemoveEntryList(links);
	InitializeListHead(links);
}

/* scavenger.c */
/* @instance: SRV_CALL, NET_ROOT, V_NET_ROOT, SRV_OPEN or FOBX. */
PRDBSS_DEVICE_OBJECT rx_scavenger_device_of(PVOID instance);
/* Posts the timer unless it is posted. @interval: 100 ns. */
void rx_scavenger_wake_locked(PRDBSS_DEVICE_OBJECT dev, LONGLONG interval);

/* dormant.c */
/* Which dormant FOBXs to end: those of a share, or of a file and its aliases, that went to sleep by `until`. */
struct rx_purge {
	PNET_ROOT net_root; /* NULL: any */
	PFCB fcb;           /* NULL: any */
	LONGLONG until;     /* interrupt time */
};

/* Takes a dormant FOBX out of its list. */
void rx_scavenger_awaken_locked(PRDBSS_SCAVENGER s, PFOBX fobx);
/* Ends all that purge selects. wait: also those whose FCB is busy. Return: how many. Blocks, calls down. */
LONG rx_purge_run(PRDBSS_DEVICE_OBJECT dev, const struct rx_purge *purge, bool wait);

#endif

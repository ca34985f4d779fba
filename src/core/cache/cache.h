/*
 * cache.h - data that the server lets us write later (WRITECACHING), as the rest of the core sees it.
 *
 * A write that may be cached is copied here and answered; it reaches the server in large runs, several under way at
 * once: when enough of it lies together, when it gets old, when there is too much of it, with a flush, before anything
 * that needs the server to have it, and before the state WRITECACHING ends.
 */
#ifndef RX_CORE_CACHE_CACHE_H
#define RX_CORE_CACHE_CACHE_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"
#include "rxecp.h"

struct rx_cache; /* FCB.WriteBehind: NULL until the first write that is cached */

/* put.c */

/**
 * rx_cache_write - take the data of a write
 * @rxc: the write, checked; ParamsFor.ReadWrite and the buffer are set
 *
 * Raises FileSize with the data. Blocks when there is too much of it.
 *
 * Locks:  FCB held, shared at least.
 * Return: STATUS_SUCCESS: all of it is here. STATUS_MORE_PROCESSING_REQUIRED: nothing is, there is no memory, or it is
 *         too much for what there is: flush, and write it through. Anything else: an earlier write of this handle's file failed
 *         behind its back; the handle hears of it once.
 */
NTSTATUS rx_cache_write(PRX_CONTEXT rxc);

/**
 * rx_cache_read - serve a read from what is not at the server yet
 *
 * Locks:  FCB held, shared at least; may write back.
 * Return: STATUS_SUCCESS: done, InformationToReturn is set. STATUS_MORE_PROCESSING_REQUIRED: the server has all that the
 *         read asks for. Anything else: it has not, and cannot be given it.
 */
NTSTATUS rx_cache_read(PRX_CONTEXT rxc);

/* writeback.c */

/*
 * What was written before the call is at the server when this returns, or it is still dirty and the status says why.
 * Locks: FCB held, shared at least. Blocks.
 */
NTSTATUS rx_cache_flush(PFCB fcb);

/* The same for a handle: also what failed behind its back since it was told last. */
NTSTATUS rx_cache_flush_for(PFCB fcb, PFOBX fobx);

/*
 * The same before the leave to keep data ends, with the pages of the cache manager. What fails every handle hears of as of
 * any other failure; the opens at the server that the data was to go through are in Condition_Bad then. Locks: FCB exclusive.
 */
NTSTATUS rx_cache_write_back_for_break(PFCB fcb);

/* To write what was kept back of the file has failed once more: each handle that is open hears of it once. Any level. */
void rx_cache_note_failure(PFCB fcb, NTSTATUS status);

/* Whether the handle has yet to hear of a failure. No lock. */
static inline bool rx_cache_has_news(PFCB fcb, PFOBX fobx)
{
	return __atomic_load_n(&fobx->WriteBehindFailuresSeen, __ATOMIC_RELAXED) !=
	       __atomic_load_n(&fcb->WriteBehindFailures, __ATOMIC_RELAXED);
}

/* No transfer of ours is under way when this returns. Locks: FCB exclusive. */
void rx_cache_drain(PFCB fcb);

/*
 * A handle ends: what it reads ahead goes, and it flushes as rx_cache_flush_for() if it has written. Data that cannot be written is given up with the
 * last handle that could. Locks: FCB exclusive.
 */
NTSTATUS rx_cache_cleanup(PFCB fcb, PFOBX fobx, PFILE_OBJECT file);

/*
 * An open of the file begins: the server has the data. What cannot be written because its open at the server is lost is
 * given up: the handles that wrote it hear of it. Locks: FCB exclusive.
 */
void rx_cache_before_open(PFCB fcb);

/* The server has emptied the file: what was to be written before is not meant any more. Locks: FCB exclusive. */
void rx_cache_forget(PFCB fcb);

/* A new handle has nothing to hear of what failed before it. Locks: FCB exclusive. */
void rx_cache_open(PFCB fcb, PFOBX fobx);

/* The FCB goes. Nothing is dirty: its handles are gone. */
void rx_cache_end(PFCB fcb);

/* Whether anything is not at the server yet; a glance, for which nothing need be held. */
static inline bool rx_cache_has_data(PFCB fcb)
{
	return __atomic_load_n(&fcb->WriteBehindBlocks, __ATOMIC_ACQUIRE) != 0;
}

/* A transfer of ours: its FCB is not asked for, whoever sent it sees to that. */
bool rx_cache_is_own(PIRP irp);
void rx_cache_mark_own(PIRP irp);

/* ahead.c */

/*
 * A read that follows another is served from what was asked for ahead, and asks for more. Waits for the server.
 * Locks: FCB held, shared at least. Return: true: done, InformationToReturn is set; false: ask the server.
 */
bool rx_ahead_read(PRX_CONTEXT rxc);
/*
 * What the opener wants read with the open: room for it, which the driver finds in the ECP. NULL: nothing, or no memory.
 * Locks: FCB exclusive, until rx_ahead_settle().
 */
struct rx_segment;
struct rx_segment *rx_ahead_prepare(PFCB fcb, PRX_QUERY_ON_CREATE_ECP ecp);
/* Consumes it: the new handle's, when it is the whole file and may be kept. @fobx: NULL: there is no handle. */
void rx_ahead_settle(PFCB fcb, PFOBX fobx, struct rx_segment *segment, PRX_QUERY_ON_CREATE_ECP ecp);
/* The handle reads no more: waits for what is on the way. Locks: FCB exclusive. */
void rx_ahead_end(PFOBX fobx);
/* What was read before is wrong, or may be. Any level, no lock. */
static inline void rx_ahead_forget(PFCB fcb)
{
	(void)InterlockedIncrement(&fcb->ReadAheadGeneration);
}

/* lazy.c */

/*
 * The lazy writer refers to no file that is not open any more: a moment, for it waits for nobody. No handle is closed meanwhile.
 * Locks: none of a file's.
 */
void rx_cache_device_settle(PRDBSS_DEVICE_OBJECT dev);
/* The device goes; its timers and workers have been run down. */
void rx_cache_device_end(PRDBSS_DEVICE_OBJECT dev);
/*
 * Everything dirty of the files directly in a directory, and of files with several names, is at the server, or tried.
 * directory: referenced by the caller; NULL: only the latter. Locks: none of a file's.
 */
void rx_cache_flush_directory(PNET_ROOT nr, PFCB directory);
/*
 * A file that is open here under one name is asked for by another: another client has renamed it. What is kept back under
 * the old name counts in its size, and goes to the server before the next open, as that of a file with several names does.
 * @number: the server's of @fcb's file; 0: not known
 * @size: [out] bytes; unchanged when nothing is kept back
 */
void rx_cache_size_by_other_name(PFCB fcb, LONG64 number, PLONGLONG size);

#endif

/* perstream.h - what a filter keeps for a stream. The structure only: there are no filters here. */
#ifndef NT_PERSTREAM_H
#define NT_PERSTREAM_H

#include "pool.h"

typedef struct _FSRTL_PER_STREAM_CONTEXT {
	LIST_ENTRY Links;
	PVOID OwnerId;
	PVOID InstanceId;
	PFREE_FUNCTION FreeCallback;
} FSRTL_PER_STREAM_CONTEXT, *PFSRTL_PER_STREAM_CONTEXT;

#endif

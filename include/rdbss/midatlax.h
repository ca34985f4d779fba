/*
 * midatlax.h - multiplex ids: small numbers for outstanding requests, mapped back to their contexts.
 * The caller serialises all calls on one atlas.
 */
#ifndef RX_MIDATLAX_H
#define RX_MIDATLAX_H

#include "rxtypes/forward.h"

typedef struct _RX_MID_ATLAS RX_MID_ATLAS, *PRX_MID_ATLAS;
typedef VOID(NTAPI *PCONTEXT_DESTRUCTOR)(PVOID pContext);

PRX_MID_ATLAS RxCreateMidAtlas(_In_ USHORT MaximumNumberOfMids, _In_ USHORT MidsAllocatedAtStart);
VOID RxDestroyMidAtlas(_In_ PRX_MID_ATLAS pMidAtlas, _In_opt_ PCONTEXT_DESTRUCTOR pContextDestructor);
NTSTATUS RxAssociateContextWithMid(_In_ PRX_MID_ATLAS pMidAtlas, _In_ PVOID pContext, _Out_ PUSHORT pNewMid);
PVOID RxMapMidToContext(_In_ PRX_MID_ATLAS pMidAtlas, _In_ USHORT Mid);
NTSTATUS RxMapAndDissociateMidFromContext(_In_ PRX_MID_ATLAS pMidAtlas, _In_ USHORT Mid,
					  _Out_ PVOID *pContextPointer);
NTSTATUS RxReassociateMid(_In_ PRX_MID_ATLAS pMidAtlas, _In_ USHORT Mid, _In_ PVOID pNewContext);

#endif

/*
 * conjure.c - the name a file was opened by, as FileNameInformation and its like want it.
 *
 * Owns:   nothing.
 * Locks:  the caller has the FCB, shared or exclusive: its name does not change meanwhile.
 */
#include "core/name/name.h"

#include "fcb.h"
#include "rxprocs.h"

/* What of a piece fits goes to the buffer; the rest is only counted. */
static PUCHAR rx_conjure_put(PUCHAR at, PCUNICODE_STRING piece, PULONG actual, PLONG remaining)
{
	ULONG bytes = piece->Length;

	*actual += bytes;
	*remaining -= (LONG)bytes;
	if (*remaining < 0) {
		LONG fits = *remaining + (LONG)bytes;

		bytes = fits > 0 ? (ULONG)fits & ~1u : 0;
	}
	RtlCopyMemory(at, piece->Buffer, bytes);
	return at + bytes;
}

VOID RxConjureOriginalName(PFCB Fcb, PFOBX Fobx, PULONG ActualNameLength, PWCHAR OriginalName,
			   PLONG LengthRemaining, RX_NAME_CONJURING_METHODS NameConjuringMethod)
{
	UNICODE_STRING extra = NT_STR(u"\\");
	PNET_ROOT net_root = (PNET_ROOT)Fcb->pNetRoot;
	UNICODE_STRING share = net_root->PrefixEntry.Prefix;
	UNICODE_STRING path = *GET_ALREADY_PREFIXED_NAME(NULL, Fcb);
	PUCHAR at = (PUCHAR)OriginalName;

	(void)Fobx;
	*ActualNameLength = 0;
	/* no view of ours has a drive letter: that form is the UNC form */
	if (NameConjuringMethod != VNetRoot_As_Prefix)
		at = rx_conjure_put(at, &extra, ActualNameLength, LengthRemaining);
	at = rx_conjure_put(at, &share, ActualNameLength, LengthRemaining);
	(void)rx_conjure_put(at, &path, ActualNameLength, LengthRemaining);
}

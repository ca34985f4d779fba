/*
 * cache_rig.c - see cache_rig.h.
 */
#include "cache_rig.h"

struct rig_break broken;
LONGLONG (*break_size)(void);

NTSTATUS transfer_as(PFILE_OBJECT file, UCHAR major, ULONG irp_flags, LONGLONG at, void *data, ULONG length,
		     ULONG_PTR *moved)
{
	struct req *r = major == IRP_MJ_READ ? file_read_make(file, at, 0, false)
					     : file_write_make(file, at, 0, false);

	r->mdl = IoAllocateMdl(data, length, FALSE, FALSE, NULL);
	assert_non_null(r->mdl);
	MmBuildMdlForNonPagedPool(r->mdl);
	r->irp->MdlAddress = r->mdl;
	r->irp->UserBuffer = data;
	r->irp->Flags |= irp_flags;
	if (major == IRP_MJ_READ)
		req_sp(r)->Parameters.Read.Length = length;
	else
		req_sp(r)->Parameters.Write.Length = length;
	return req_run(r, moved);
}

static NTSTATUS NTAPI grant_nothing(PMRX_SRV_OPEN so, PVOID context, PULONG state)
{
	(void)so;
	(void)context;
	*state = 0;
	return STATUS_SUCCESS;
}

static NTSTATUS NTAPI count_answer(PRX_CONTEXT rxc, PMRX_SRV_OPEN so, PVOID context)
{
	(void)rxc;
	(void)so;
	(void)context;
	broken.answers++;
	if (break_size != NULL)
		broken.size = break_size();
	return STATUS_SUCCESS;
}

void take_back(PFILE_OBJECT file)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, rec.device, RX_CONTEXT_FLAG_WAIT);

	rec.device->Dispatch->MRxComputeNewBufferingState = grant_nothing;
	rec.device->Dispatch->MRxCompleteBufferingStateChangeRequest = count_answer;
	RtlZeroMemory(&broken, sizeof(broken));
	assert_int_equal(RxAcquireExclusiveFcb(rxc, fcb_of(file)), STATUS_SUCCESS);
	RxIndicateChangeOfBufferingStateForSrvOpen(fcb_of(file)->pNetRoot->pSrvCall, fobx_of(file)->pSrvOpen,
						   NULL, NULL);
	RxReleaseFcb(rxc, fcb_of(file));
	RxDereferenceAndDeleteRxContext(rxc);
}

void run_four(void (*work)(void *number))
{
	struct nt_thread *threads[4];

	for (ULONG_PTR i = 0; i < RTL_NUMBER_OF(threads); i++)
		assert_int_equal(nt_thread_create("one of four", work, (void *)i, &threads[i]),
				 STATUS_SUCCESS);
	for (size_t i = 0; i < RTL_NUMBER_OF(threads); i++)
		nt_thread_join(threads[i]);
}

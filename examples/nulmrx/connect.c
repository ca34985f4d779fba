/*
 * connect.c - which names are ours: one server, one share.
 */
#include "nulmrx.h"

/*
 * RDBSS asks every redirector at once whether it knows a server. The answer goes through the callback; a redirector
 * that must ask a network first returns STATUS_PENDING now and calls back later.
 */
NTSTATUS NulMRxCreateSrvCall(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT CallbackContext)
{
	PMRX_SRVCALLDOWN_STRUCTURE Calldown = CallbackContext->SrvCalldownStructure;
	UNICODE_STRING Ours;

	RtlInitUnicodeString(&Ours, NULMRX_SERVER_NAME);
	CallbackContext->RecommunicateContext = NULL;
	CallbackContext->Status = RtlEqualUnicodeString(SrvCall->pSrvCallName, &Ours, TRUE)
					  ? STATUS_SUCCESS
					  : STATUS_BAD_NETWORK_PATH;
	Calldown->CallBack(CallbackContext);
	return STATUS_PENDING;
}

NTSTATUS NulMRxSrvCallWinnerNotify(PMRX_SRV_CALL SrvCall, BOOLEAN ThisMinirdrIsTheWinner,
				   PVOID RecommunicateContext)
{
	UNREFERENCED_PARAMETER(RecommunicateContext);
	if (ThisMinirdrIsTheWinner)
		SrvCall->Flags |=
			SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS | SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES;
	return STATUS_SUCCESS;
}

NTSTATUS NulMRxFinalizeSrvCall(PMRX_SRV_CALL SrvCall, BOOLEAN Force)
{
	UNREFERENCED_PARAMETER(SrvCall);
	UNREFERENCED_PARAMETER(Force);
	return STATUS_SUCCESS;
}

/* The net root's name is `\nulmrx\share`, the server's name and ours. */
NTSTATUS NulMRxCreateVNetRoot(PMRX_CREATENETROOT_CONTEXT Context)
{
	PMRX_NET_ROOT NetRoot = ((PMRX_V_NET_ROOT)Context->pVNetRoot)->pNetRoot;
	UNICODE_STRING Share = *NetRoot->pNetRootName;
	USHORT Server = NetRoot->pSrvCall->pSrvCallName->Length;
	UNICODE_STRING Ours;
	NTSTATUS Status = STATUS_BAD_NETWORK_NAME;

	RtlInitUnicodeString(&Ours, NULMRX_SHARE_NAME);
	if (Share.Length > Server) {
		Share.Buffer += Server / sizeof(WCHAR);
		Share.Length = Share.MaximumLength = (USHORT)(Share.Length - Server);
		if (RtlEqualUnicodeString(&Share, &Ours, TRUE))
			Status = STATUS_SUCCESS;
	}
	if (Status == STATUS_SUCCESS) {
		NetRoot->Type = NET_ROOT_DISK;
		NetRoot->DeviceType = FILE_DEVICE_DISK;
		NetRoot->MRxNetRootState = MRX_NET_ROOT_STATE_GOOD;
	}
	Context->NetRootStatus = Status;
	Context->VirtualNetRootStatus = Status;
	Context->Callback(Context);
	return STATUS_PENDING;
}

NTSTATUS NulMRxFinalizeVNetRoot(PMRX_V_NET_ROOT VNetRoot, PBOOLEAN ForceDisconnect)
{
	UNREFERENCED_PARAMETER(VNetRoot);
	UNREFERENCED_PARAMETER(ForceDisconnect);
	return STATUS_SUCCESS;
}

NTSTATUS NulMRxFinalizeNetRoot(PMRX_NET_ROOT NetRoot, PBOOLEAN ForceDisconnect)
{
	UNREFERENCED_PARAMETER(NetRoot);
	UNREFERENCED_PARAMETER(ForceDisconnect);
	return STATUS_SUCCESS;
}

/* `\server\share\rest` with a server that is known: `\share`, and what follows. */
VOID NulMRxExtractNetRootName(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
			      PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName)
{
	USHORT Start = SrvCall->pSrvCallName->Length / sizeof(WCHAR);
	USHORT Count = FilePathName->Length / sizeof(WCHAR);
	USHORT End = Start + 1;

	while (End < Count && FilePathName->Buffer[End] != L'\\')
		End++;
	if (End > Count)
		Start = End = Count;
	NetRootName->Buffer = FilePathName->Buffer + Start;
	NetRootName->Length = NetRootName->MaximumLength = (USHORT)((End - Start) * sizeof(WCHAR));
	if (RestOfName != NULL) {
		RestOfName->Buffer = FilePathName->Buffer + End;
		RestOfName->Length = RestOfName->MaximumLength = (USHORT)((Count - End) * sizeof(WCHAR));
	}
}

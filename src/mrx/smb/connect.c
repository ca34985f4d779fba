/*
 * connect.c - RDBSS asks for servers and shares.
 *
 * Both creations may take seconds, so they return STATUS_PENDING and run on a worker of RDBSS; the callback tells the
 * result.  Finalization comes under the NetName lock: it hands LOGOFF and TREE_DISCONNECT to the transport and returns.
 */
#include "mrx/smb/smb.h"

/* ---- servers ----------------------------------------------------------------------------------------- */

static void smb_create_srv_call(PMRX_SRVCALL_CALLBACK_CONTEXT context)
{
	PMRX_SRVCALLDOWN_STRUCTURE down = context->SrvCalldownStructure;
	struct smb_options options;
	struct smb_server *server;
	NTSTATUS status = smb_options_read(down->RxContext, &options);

	if (status == STATUS_SUCCESS)
		status = smb_server_create(down->SrvCall->pSrvCallName, &options, &server);
	if (status == STATUS_SUCCESS) {
		status = smb_server_connect(server, server->created + SMB_CONNECT_TIME);
		if (status == STATUS_SUCCESS)
			context->RecommunicateContext = server;
		else
			smb_server_put(server);
	}
	context->Status = status;
}

static VOID smb_create_srv_call_worker(PVOID parameter)
{
	PMRX_SRVCALL_CALLBACK_CONTEXT context = parameter;

	smb_create_srv_call(context);
	context->SrvCalldownStructure->CallBack(context);
}

NTSTATUS mrx_smb_create_srv_call(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT CallbackContext)
{
	NTSTATUS status;

	(void)SrvCall; /* the callback context names it */
	status = RxDispatchToWorkerThread(CallbackContext->RxDeviceObject, CriticalWorkQueue,
					  smb_create_srv_call_worker, CallbackContext);
	return NT_SUCCESS(status) ? STATUS_PENDING : status;
}

NTSTATUS mrx_smb_srv_call_winner_notify(PMRX_SRV_CALL SrvCall, BOOLEAN ThisMinirdrIsTheWinner,
					PVOID RecommunicateContext)
{
	if (!ThisMinirdrIsTheWinner) {
		smb_server_put(RecommunicateContext);
		return STATUS_SUCCESS;
	}
	SrvCall->Context = RecommunicateContext;
	SrvCall->Flags |= SRVCALL_FLAG_FILE_SERVER | SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS |
			  SRVCALL_FLAG_CASE_INSENSITIVE_FILENAMES;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_smb_finalize_srv_call(PMRX_SRV_CALL SrvCall, BOOLEAN Force)
{
	struct smb_server *server = SrvCall->Context;

	(void)Force;
	SrvCall->Context = NULL;
	smb_server_put(server);
	return STATUS_SUCCESS;
}

/* ---- shares ------------------------------------------------------------------------------------------ */

/* `\server\share`: the share. */
static UNICODE_STRING smb_share_name(const UNICODE_STRING *net_root)
{
	UNICODE_STRING name = *net_root;
	ULONG i, n = net_root->Length / sizeof(WCHAR);

	for (i = n; i > 0 && net_root->Buffer[i - 1] != '\\'; i--)
		;
	name.Buffer += i;
	name.Length = name.MaximumLength = (USHORT)((n - i) * sizeof(WCHAR));
	return name;
}

static UNICODE_STRING smb_string_or_empty(const UNICODE_STRING *s)
{
	UNICODE_STRING empty = {0};

	return s == NULL || s->Buffer == NULL ? empty : *s;
}

/* What is left of the time that the connection to the server began with, when that was part of the same mount. */
static uint64_t smb_connect_deadline(const struct smb_server *server)
{
	uint64_t now = KeQueryInterruptTime(), least = now + 2 * SMB_SECOND;

	if (now - server->created >= SMB_CONNECT_TIME)
		return now + SMB_CONNECT_TIME;
	return server->created + SMB_CONNECT_TIME < least ? least : server->created + SMB_CONNECT_TIME;
}

static void smb_know_net_root(PMRX_NET_ROOT nr, struct smb_server *server, const struct smb_tree *tree)
{
	if (nr->Context == NULL) {
		nr->Context = server;
		smb_server_get(server);
	}
	nr->MRxNetRootState = MRX_NET_ROOT_STATE_GOOD;
	switch (tree->share_type) {
	case SMB2_SHARE_TYPE_PIPE:
		nr->Type = NET_ROOT_PIPE;
		nr->DeviceType = FILE_DEVICE_NAMED_PIPE;
		break;
	case SMB2_SHARE_TYPE_PRINT:
		nr->Type = NET_ROOT_PRINT;
		nr->DeviceType = FILE_DEVICE_PRINTER;
		break;
	default:
		nr->Type = NET_ROOT_DISK;
		nr->DeviceType = FILE_DEVICE_DISK;
		break;
	}
	if (tree->share_flags & SMB2_SHAREFLAG_DFS)
		nr->Flags |= NETROOT_FLAG_DFS_AWARE_NETROOT;
}

static NTSTATUS smb_create_v_net_root(PMRX_CREATENETROOT_CONTEXT context)
{
	PMRX_V_NET_ROOT vnr = (PMRX_V_NET_ROOT)context->pVNetRoot;
	PMRX_NET_ROOT nr = vnr->pNetRoot;
	struct smb_server *server = nr->pSrvCall->Context;
	UNICODE_STRING name = smb_share_name(nr->pNetRootName);
	struct smb_credentials credentials = {
		.user = smb_string_or_empty(vnr->pUserName),
		.domain = smb_string_or_empty(vnr->pUserDomainName),
		.password = smb_string_or_empty(vnr->pPassword),
	};
	struct smb_options options;
	struct smb_share *share;
	struct smb_tree *tree;
	NTSTATUS status = smb_options_read(context->RxContext, &options);

	if (status == STATUS_SUCCESS)
		status = smb_share_create(server, &name, &options, &credentials, &share);
	if (status != STATUS_SUCCESS)
		return status;
	status = smb_share_connect(share, smb_connect_deadline(server), &tree);
	if (status != STATUS_SUCCESS) {
		smb_share_destroy(share);
		return status;
	}
	smb_know_net_root(nr, server, tree);
	smb_tree_put(tree);
	vnr->Context = share;
	return STATUS_SUCCESS;
}

static VOID smb_create_v_net_root_worker(PVOID parameter)
{
	PMRX_CREATENETROOT_CONTEXT context = parameter;
	bool new_share = context->pVNetRoot->pNetRoot->Context == NULL;
	NTSTATUS status = smb_create_v_net_root(context);

	context->VirtualNetRootStatus = status;
	context->NetRootStatus = new_share ? status : STATUS_SUCCESS;
	context->Callback(context);
}

NTSTATUS mrx_smb_create_v_net_root(PMRX_CREATENETROOT_CONTEXT Context)
{
	NTSTATUS status = RxDispatchToWorkerThread(Context->RxContext->RxDeviceObject, CriticalWorkQueue,
						   smb_create_v_net_root_worker, Context);

	return NT_SUCCESS(status) ? STATUS_PENDING : status;
}

NTSTATUS mrx_smb_finalize_v_net_root(PMRX_V_NET_ROOT VNetRoot, PBOOLEAN ForceDisconnect)
{
	struct smb_share *share = VNetRoot->Context;

	(void)ForceDisconnect;
	VNetRoot->Context = NULL;
	if (share != NULL)
		smb_share_destroy(share);
	return STATUS_SUCCESS;
}

NTSTATUS mrx_smb_finalize_net_root(PMRX_NET_ROOT NetRoot, PBOOLEAN ForceDisconnect)
{
	struct smb_server *server = NetRoot->Context;

	(void)ForceDisconnect;
	NetRoot->Context = NULL;
	smb_server_put(server);
	return STATUS_SUCCESS;
}

/* `\server\share\rest` with the server's name known: the share is `\share`, the rest begins with its backslash. */
VOID mrx_smb_extract_net_root_name(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
				   PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName)
{
	USHORT server = SrvCall->pSrvCallName->Length;
	USHORT end;

	if (server > FilePathName->Length)
		server = FilePathName->Length;
	end = server;
	if (end < FilePathName->Length)
		end += sizeof(WCHAR); /* the backslash before the share */
	while (end < FilePathName->Length && FilePathName->Buffer[end / sizeof(WCHAR)] != '\\')
		end += sizeof(WCHAR);
	NetRootName->Buffer = FilePathName->Buffer + server / sizeof(WCHAR);
	NetRootName->Length = NetRootName->MaximumLength = (USHORT)(end - server);
	if (RestOfName != NULL) {
		RestOfName->Buffer = FilePathName->Buffer + end / sizeof(WCHAR);
		RestOfName->Length = RestOfName->MaximumLength = (USHORT)(FilePathName->Length - end);
	}
}

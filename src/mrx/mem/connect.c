/*
 * connect.c - servers and shares of the memory redirector: every name is a server, every share a volume, and the same
 * one at every server; what comes through different servers comes from different clients (lease.c).
 *
 * Owns:   the list of volumes.  A volume outlives its mounts and ends when the driver stops.
 * Locks:  mrx_mem.mutex for the list.
 */
#include "mem.h"

#define DEFAULT_CAPACITY (4LL << 30)

static void complete_srv_call(PRX_CONTEXT RxContext)
{
	PMRX_SRVCALL_CALLBACK_CONTEXT context = RxContext->MRxContext[3];
	PMRX_SRVCALLDOWN_STRUCTURE down = context->SrvCalldownStructure;

	context->Status = STATUS_SUCCESS;
	down->CallBack(context);
}

C_ASSERT(sizeof(struct mem_pended) <= 4 * sizeof(PVOID));

NTSTATUS mrx_mem_create_srv_call(PMRX_SRV_CALL SrvCall, PMRX_SRVCALL_CALLBACK_CONTEXT CallbackContext)
{
	PRX_CONTEXT RxContext = CallbackContext->SrvCalldownStructure->RxContext;

	(void)SrvCall;
	/* The word that holds a low-I/O call's cancel state is free here: nothing cancels a connect. */
	RxContext->MRxContext[3] = CallbackContext;
	mem_pend(RxContext, complete_srv_call);
	return STATUS_PENDING;
}

NTSTATUS mrx_mem_srv_call_winner_notify(PMRX_SRV_CALL SrvCall, BOOLEAN ThisMinirdrIsTheWinner,
					PVOID RecommunicateContext)
{
	(void)RecommunicateContext;
	if (ThisMinirdrIsTheWinner)
		SrvCall->Flags |= SRVCALL_FLAG_CASE_INSENSITIVE_NETROOTS;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_mem_finalize_srv_call(PMRX_SRV_CALL SrvCall, BOOLEAN Force)
{
	(void)SrvCall; /* nothing hangs on it */
	(void)Force;
	return STATUS_SUCCESS;
}

/* What the mount asked for in "rdr.Options". */
struct volume_options {
	LONGLONG capacity;
	ULONG break_limit; /* ms; 0: the volume's own */
	bool case_insensitive;
	bool no_leases;
};

static const FILE_FULL_EA_INFORMATION *find_ea(const void *buffer, ULONG length, const char *name,
					       ULONG name_length)
{
	const uint8_t *at = buffer, *end = at + length;

	while (buffer != NULL && (size_t)(end - at) >= FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName)) {
		const FILE_FULL_EA_INFORMATION *ea = (const void *)at;
		size_t need = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName) + ea->EaNameLength + 1u +
			      ea->EaValueLength;

		if (need > (size_t)(end - at))
			return NULL;
		if (ea->EaNameLength == name_length &&
		    RtlCompareMemory(ea->EaName, name, name_length) == name_length)
			return ea;
		if (ea->NextEntryOffset == 0 || ea->NextEntryOffset > (size_t)(end - at))
			return NULL;
		at += ea->NextEntryOffset;
	}
	return NULL;
}

static bool word_is(const char *text, size_t length, const char *word)
{
	size_t i;

	for (i = 0; i < length && word[i] != '\0' && text[i] == word[i]; i++)
		;
	return i == length && word[i] == '\0';
}

static LONGLONG parse_size(const char *text, size_t length)
{
	LONGLONG value = 0;
	size_t i;

	for (i = 0; i < length && text[i] >= '0' && text[i] <= '9' && value < (INT64_MAX >> 14); i++)
		value = value * 10 + (text[i] - '0');
	if (i < length && (text[i] == 'k' || text[i] == 'K'))
		value <<= 10;
	else if (i < length && (text[i] == 'm' || text[i] == 'M'))
		value <<= 20;
	else if (i < length && (text[i] == 'g' || text[i] == 'G'))
		value = value > (INT64_MAX >> 30) ? INT64_MAX : value << 30;
	return value;
}

static void read_options(PRX_CONTEXT RxContext, struct volume_options *options)
{
	static const char ea_name[] = "rdr.Options";
	const FILE_FULL_EA_INFORMATION *ea;
	const char *at, *end;

	options->capacity = DEFAULT_CAPACITY;
	options->break_limit = 0;
	options->case_insensitive = false;
	options->no_leases = false;
	ea = find_ea(RxContext->Create.EaBuffer, RxContext->Create.EaLength, ea_name, sizeof(ea_name) - 1);
	if (ea == NULL)
		return;
	at = ea->EaName + ea->EaNameLength + 1;
	end = at + ea->EaValueLength;
	while (at < end) {
		const char *stop = at;

		while (stop < end && *stop != ',')
			stop++;
		if (stop - at > 5 && word_is(at, 5, "size="))
			options->capacity = parse_size(at + 5, (size_t)(stop - at) - 5);
		else if (word_is(at, (size_t)(stop - at), "nocase") ||
			 word_is(at, (size_t)(stop - at), "ignorecase"))
			options->case_insensitive = true;
		else if (word_is(at, (size_t)(stop - at), "noleases"))
			options->no_leases = true;
		else if (stop - at > 11 && word_is(at, 11, "breaklimit="))
			options->break_limit = (ULONG)parse_size(at + 11, (size_t)(stop - at) - 11);
		at = stop + 1;
	}
}

/* `\server\share` without the server: what all servers call by the same name is one volume, each of them a client. */
static UNICODE_STRING share_of(const UNICODE_STRING *net_root_name)
{
	UNICODE_STRING share = *net_root_name;
	USHORT i, n = share.Length / sizeof(WCHAR), at = 0;

	for (i = 0; i < n; i++)
		if (share.Buffer[i] == '\\')
			at = i;
	share.Buffer += at;
	share.Length = share.MaximumLength = (USHORT)((n - at) * sizeof(WCHAR));
	return share;
}

static NTSTATUS find_or_create_volume(const UNICODE_STRING *name, const struct volume_options *options,
				      struct mem_volume **out)
{
	NTSTATUS status = STATUS_SUCCESS;
	struct mem_volume *volume = NULL;
	PLIST_ENTRY at;

	ExAcquireFastMutex(&mrx_mem.mutex);
	for (at = mrx_mem.volumes.Flink; at != &mrx_mem.volumes; at = at->Flink) {
		struct mem_volume *candidate = CONTAINING_RECORD(at, struct mem_volume, link);

		if (RtlEqualUnicodeString(&candidate->name, (PUNICODE_STRING)name, TRUE))
			volume = candidate;
	}
	if (volume == NULL) {
		status = mem_volume_create(name, options->capacity, options->case_insensitive, &volume);
		if (NT_SUCCESS(status)) {
			volume->told = mem_lease_is_told;
			volume->no_leases = options->no_leases;
			if (options->break_limit != 0)
				volume->break_limit = options->break_limit;
			InsertTailList(&mrx_mem.volumes, &volume->link);
		}
	}
	if (NT_SUCCESS(status))
		InterlockedIncrement(&volume->refs);
	ExReleaseFastMutex(&mrx_mem.mutex);
	*out = volume;
	return status;
}

void mem_volumes_release(void)
{
	ExAcquireFastMutex(&mrx_mem.mutex);
	while (!IsListEmpty(&mrx_mem.volumes))
		mem_volume_dereference(
			CONTAINING_RECORD(RemoveHeadList(&mrx_mem.volumes), struct mem_volume, link));
	ExReleaseFastMutex(&mrx_mem.mutex);
}

static void complete_v_net_root(PRX_CONTEXT RxContext)
{
	PMRX_CREATENETROOT_CONTEXT context = RxContext->MRxContext[3];

	context->Callback(context);
}

NTSTATUS mrx_mem_create_v_net_root(PMRX_CREATENETROOT_CONTEXT Context)
{
	PMRX_NET_ROOT NetRoot = Context->pVNetRoot->pNetRoot;
	PRX_CONTEXT RxContext = Context->RxContext;
	struct volume_options options;
	struct mem_volume *volume;
	UNICODE_STRING share;
	NTSTATUS status = STATUS_SUCCESS;

	if (NetRoot->Context == NULL) {
		read_options(RxContext, &options);
		share = share_of(NetRoot->pNetRootName);
		status = find_or_create_volume(&share, &options, &volume);
		if (NT_SUCCESS(status)) {
			NetRoot->Context = volume;
			NetRoot->Type = NET_ROOT_DISK;
			NetRoot->DeviceType = FILE_DEVICE_DISK;
			NetRoot->MRxNetRootState = MRX_NET_ROOT_STATE_GOOD;
		}
	}
	Context->NetRootStatus = status;
	Context->VirtualNetRootStatus = status;
	RxContext->MRxContext[3] = Context;
	mem_pend(RxContext, complete_v_net_root);
	return STATUS_PENDING;
}

NTSTATUS mrx_mem_finalize_v_net_root(PMRX_V_NET_ROOT VNetRoot, PBOOLEAN ForceDisconnect)
{
	(void)VNetRoot; /* the volume hangs on the NET_ROOT */
	(void)ForceDisconnect;
	return STATUS_SUCCESS;
}

NTSTATUS mrx_mem_finalize_net_root(PMRX_NET_ROOT NetRoot, PBOOLEAN ForceDisconnect)
{
	struct mem_volume *volume = NetRoot->Context;

	(void)ForceDisconnect;
	NetRoot->Context = NULL;
	if (volume != NULL)
		mem_volume_dereference(volume);
	return STATUS_SUCCESS;
}

/* `\server\share\rest` with the server's name known: the share is `\share`, the rest begins with its backslash. */
VOID mrx_mem_extract_net_root_name(PUNICODE_STRING FilePathName, PMRX_SRV_CALL SrvCall,
				   PUNICODE_STRING NetRootName, PUNICODE_STRING RestOfName)
{
	USHORT server = SrvCall->pSrvCallName->Length;
	USHORT end = server;

	if (server > FilePathName->Length)
		server = end = FilePathName->Length;
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

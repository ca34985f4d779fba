/*
 * mup.c - the multiple UNC provider: which redirector serves a path.
 *
 * Owns:      the providers, each with a reference on its device, in the order they are asked; the answers.
 * Found by:  their handle; an answer by the server and share it was given for.
 * Locks:     nt_mup_lock, a fast mutex, leaf; never held while a provider is asked.
 * Dies when: a provider, at FsRtlDeregisterUncProvider(), and its answers with it; an answer after fifteen minutes.
 *
 * The path goes to one provider after the other as IOCTL_REDIR_QUERY_PATH_EX; the first that claims it gets it, and
 * the others are not asked (MS: support for UNC naming and MUP).
 */
#include <pthread.h>

#include "exec.h"
#include "fastmutex.h"
#include "io.h"
#include "pool.h"
#include "querypath.h"

#define NT_TAG_MUP 'pMoI'
#define NT_MUP_MEMORY (15LL * 60 * 10000000) /* in units of 100 ns */

struct nt_provider {
	LIST_ENTRY link;
	PDEVICE_OBJECT device;
	ULONG flags;
};

/* A claimed prefix. provider is no reference: the answer goes before it does. */
struct nt_claim {
	LIST_ENTRY link;
	struct nt_provider *provider;
	LONGLONG until; /* interrupt time */
	UNICODE_STRING prefix;
};

static pthread_once_t nt_mup_once = PTHREAD_ONCE_INIT;
static FAST_MUTEX nt_mup_lock;
static LIST_ENTRY nt_providers, nt_claims;

static void nt_mup_init(void)
{
	ExInitializeFastMutex(&nt_mup_lock);
	InitializeListHead(&nt_providers);
	InitializeListHead(&nt_claims);
}

static void nt_mup_acquire(void) RX_NO_TSA
{
	pthread_once(&nt_mup_once, nt_mup_init);
	ExAcquireFastMutex(&nt_mup_lock);
}

static void nt_mup_release(void) RX_NO_TSA
{
	ExReleaseFastMutex(&nt_mup_lock);
}

/* ---- providers ---- */

NTSTATUS FsRtlRegisterUncProviderEx(PHANDLE MupHandle, PUNICODE_STRING RedirDevName,
				    PDEVICE_OBJECT DeviceObject, ULONG Flags)
{
	struct nt_provider *provider = ExAllocatePoolWithTag(NonPagedPool, sizeof(*provider), NT_TAG_MUP);

	(void)RedirDevName; /* the device says it all */
	*MupHandle = NULL;
	if (provider == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	provider->device = DeviceObject;
	provider->flags = Flags;
	ObfReferenceObject(DeviceObject);
	nt_mup_acquire();
	InsertTailList(&nt_providers, &provider->link);
	nt_mup_release();
	*MupHandle = provider;
	return STATUS_SUCCESS;
}

NTSTATUS FsRtlRegisterUncProvider(PHANDLE MupHandle, PUNICODE_STRING RedirectorDeviceName,
				  BOOLEAN MailslotsSupported)
{
	PDEVICE_OBJECT device;
	NTSTATUS status = nt_device_open(RedirectorDeviceName, &device);

	*MupHandle = NULL;
	if (!NT_SUCCESS(status))
		return status;
	status = FsRtlRegisterUncProviderEx(MupHandle, RedirectorDeviceName, device,
					    MailslotsSupported ? FSRTL_UNC_PROVIDER_FLAGS_MAILSLOTS_SUPPORTED
							       : 0);
	ObfDereferenceObject(device);
	return status;
}

static void nt_claim_free(struct nt_claim *claim)
{
	RemoveEntryList(&claim->link);
	ExFreePoolWithTag(claim, NT_TAG_MUP);
}

VOID FsRtlDeregisterUncProvider(HANDLE Handle)
{
	struct nt_provider *provider = Handle;

	if (provider == NULL)
		return;
	nt_mup_acquire();
	for (PLIST_ENTRY at = nt_claims.Flink; at != &nt_claims;) {
		struct nt_claim *claim = CONTAINING_RECORD(at, struct nt_claim, link);

		at = at->Flink;
		if (claim->provider == provider)
			nt_claim_free(claim);
	}
	RemoveEntryList(&provider->link);
	nt_mup_release();
	ObfDereferenceObject(provider->device);
	ExFreePoolWithTag(provider, NT_TAG_MUP);
}

/* Locks: nt_mup_lock. */
static struct nt_provider *nt_provider_at(unsigned int index)
{
	for (PLIST_ENTRY at = nt_providers.Flink; at != &nt_providers; at = at->Flink)
		if (index-- == 0)
			return CONTAINING_RECORD(at, struct nt_provider, link);
	return NULL;
}

/* Locks: nt_mup_lock. */
static struct nt_provider *nt_provider_of(PDEVICE_OBJECT device)
{
	for (PLIST_ENTRY at = nt_providers.Flink; at != &nt_providers; at = at->Flink)
		if (CONTAINING_RECORD(at, struct nt_provider, link)->device == device)
			return CONTAINING_RECORD(at, struct nt_provider, link);
	return NULL;
}

PDEVICE_OBJECT nt_unc_provider(unsigned int index)
{
	struct nt_provider *provider;
	PDEVICE_OBJECT device = NULL;

	nt_mup_acquire();
	provider = nt_provider_at(index);
	if (provider != NULL) {
		device = provider->device;
		ObfReferenceObject(device);
	}
	nt_mup_release();
	return device;
}

NTSTATUS nt_unc_order(PDEVICE_OBJECT device, unsigned int index)
{
	struct nt_provider *provider, *next;

	nt_mup_acquire();
	provider = nt_provider_of(device);
	if (provider != NULL) {
		RemoveEntryList(&provider->link);
		next = nt_provider_at(index);
		InsertTailList(next != NULL ? &next->link : &nt_providers, &provider->link);
	}
	nt_mup_release();
	return provider != NULL ? STATUS_SUCCESS : STATUS_OBJECT_NAME_NOT_FOUND;
}

/* ---- answers ---- */

static bool nt_claim_covers(struct nt_claim *claim, PCUNICODE_STRING path)
{
	return RtlPrefixUnicodeString(&claim->prefix, path, TRUE) &&
	       (path->Length == claim->prefix.Length ||
		path->Buffer[claim->prefix.Length / sizeof(WCHAR)] == u'\\');
}

/* The device that claimed the path before, referenced; forgets what is too old. */
static PDEVICE_OBJECT nt_claim_find(PCUNICODE_STRING path, PULONG accepted)
{
	LONGLONG now = (LONGLONG)KeQueryInterruptTime();
	PDEVICE_OBJECT device = NULL;

	nt_mup_acquire();
	for (PLIST_ENTRY at = nt_claims.Flink; at != &nt_claims && device == NULL;) {
		struct nt_claim *claim = CONTAINING_RECORD(at, struct nt_claim, link);

		at = at->Flink;
		if (claim->until <= now) {
			nt_claim_free(claim);
		} else if (nt_claim_covers(claim, path)) {
			device = claim->provider->device;
			*accepted = claim->prefix.Length;
			ObfReferenceObject(device);
		}
	}
	nt_mup_release();
	return device;
}

/* Without memory the provider is asked again next time. */
static void nt_claim_remember(PDEVICE_OBJECT device, PCUNICODE_STRING path, ULONG accepted)
{
	struct nt_claim *claim = ExAllocatePoolWithTag(NonPagedPool, sizeof(*claim) + accepted, NT_TAG_MUP);

	if (claim == NULL)
		return;
	claim->prefix.Buffer = (PWCH)(claim + 1);
	claim->prefix.Length = claim->prefix.MaximumLength = (USHORT)accepted;
	memcpy(claim->prefix.Buffer, path->Buffer, accepted);
	claim->until = (LONGLONG)KeQueryInterruptTime() + NT_MUP_MEMORY;
	nt_mup_acquire();
	claim->provider = nt_provider_of(device);
	if (claim->provider != NULL)
		InsertHeadList(&nt_claims, &claim->link);
	else
		ExFreePoolWithTag(claim, NT_TAG_MUP); /* deregistered meanwhile */
	nt_mup_release();
}

/* ---- asking ---- */

static NTSTATUS nt_mup_done(PDEVICE_OBJECT device, PIRP irp, PVOID context)
{
	(void)device;
	(void)irp;
	KeSetEvent(context, IO_NO_INCREMENT, FALSE);
	return STATUS_MORE_PROCESSING_REQUIRED;
}

/* Sends one request on the provider's device and waits; query and response are for the control. */
static NTSTATUS nt_mup_send(PFILE_OBJECT file, UCHAR major, PQUERY_PATH_REQUEST_EX query,
			    PQUERY_PATH_RESPONSE response)
{
	PDEVICE_OBJECT device = file->DeviceObject;
	IO_SECURITY_CONTEXT security = {0};
	PIO_STACK_LOCATION sp;
	NTSTATUS status;
	KEVENT done;
	PIRP irp = IoAllocateIrp(device->StackSize, FALSE);

	if (irp == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	KeInitializeEvent(&done, NotificationEvent, FALSE);
	irp->Flags |= IRP_SYNCHRONOUS_API;
	irp->RequestorMode = KernelMode;
	sp = IoGetNextIrpStackLocation(irp);
	sp->MajorFunction = major;
	sp->FileObject = file;
	if (major == IRP_MJ_CREATE) {
		sp->Parameters.Create.SecurityContext = &security;
		sp->Parameters.Create.Options = (ULONG)FILE_OPEN << 24;
	} else if (major == IRP_MJ_DEVICE_CONTROL) {
		sp->Parameters.DeviceIoControl.IoControlCode = IOCTL_REDIR_QUERY_PATH_EX;
		sp->Parameters.DeviceIoControl.Type3InputBuffer = query;
		sp->Parameters.DeviceIoControl.InputBufferLength = sizeof(*query);
		sp->Parameters.DeviceIoControl.OutputBufferLength = sizeof(*response);
		irp->UserBuffer = response;
	}
	IoSetCompletionRoutine(irp, nt_mup_done, &done, TRUE, TRUE, TRUE);
	(void)IoCallDriver(device, irp);
	(void)KeWaitForSingleObject(&done, Executive, KernelMode, FALSE, NULL);
	status = irp->IoStatus.Status;
	IoFreeIrp(irp);
	return status;
}

/* STATUS_SUCCESS: claimed, *accepted bytes of the path. */
static NTSTATUS nt_mup_ask(PDEVICE_OBJECT device, PQUERY_PATH_REQUEST_EX query, PULONG accepted)
{
	QUERY_PATH_RESPONSE response = {0};
	PFILE_OBJECT file;
	NTSTATUS status = nt_file_object_create(device, NULL, &file);

	if (!NT_SUCCESS(status))
		return status;
	status = nt_mup_send(file, IRP_MJ_CREATE, NULL, NULL);
	if (NT_SUCCESS(status)) {
		status = nt_mup_send(file, IRP_MJ_DEVICE_CONTROL, query, &response);
		(void)nt_mup_send(file, IRP_MJ_CLEANUP, NULL, NULL);
		(void)nt_mup_send(file, IRP_MJ_CLOSE, NULL, NULL);
	}
	ObDereferenceObject(file);
	/* not believed: a provider may claim the path it was asked for, and nothing else */
	if (NT_SUCCESS(status) &&
	    (response.LengthAccepted == 0 || response.LengthAccepted > query->PathName.Length))
		status = STATUS_BAD_NETWORK_PATH;
	*accepted = response.LengthAccepted;
	return status;
}

/* Of two refusals the one that says more: a server that was reached knows better than one that was not found. */
static NTSTATUS nt_mup_better(NTSTATUS so_far, NTSTATUS status)
{
	return so_far == STATUS_BAD_NETWORK_PATH ? status : so_far;
}

NTSTATUS nt_unc_resolve(PQUERY_PATH_REQUEST_EX query, PDEVICE_OBJECT *out, PULONG accepted)
{
	NTSTATUS answer = STATUS_BAD_NETWORK_PATH;
	PDEVICE_OBJECT device;

	*accepted = 0;
	*out = nt_claim_find(&query->PathName, accepted);
	if (*out != NULL)
		return STATUS_SUCCESS;
	for (unsigned int i = 0; (device = nt_unc_provider(i)) != NULL; i++) {
		NTSTATUS status = nt_mup_ask(device, query, accepted);

		if (NT_SUCCESS(status)) {
			nt_claim_remember(device, &query->PathName, *accepted);
			*out = device;
			return STATUS_SUCCESS;
		}
		ObfDereferenceObject(device);
		answer = nt_mup_better(answer, status);
	}
	*accepted = 0;
	return answer;
}

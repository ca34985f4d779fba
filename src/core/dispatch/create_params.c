/*
 * create_params.c - what a create asks for: parameters that make sense together, and credentials.
 *
 * Owns:   the copies of user name, password and domain of a tree connection, from
 *         rx_create_parse_credentials() to rx_create_forget_credentials(), which wipes them.
 * Locks:  none.
 *
 * The EA buffer comes from the opener and is hostile: every length is checked against what is left.
 */
#include "core/dispatch/create.h"

#define RX_CREDENTIALS_TAG 'rCxR'

static NTSTATUS rx_create_check_options(const NT_CREATE_PARAMETERS *p)
{
	bool directory = (p->CreateOptions & FILE_DIRECTORY_FILE) != 0;

	if (p->Disposition > FILE_MAXIMUM_DISPOSITION)
		return STATUS_INVALID_PARAMETER;
	if (directory && (p->CreateOptions & FILE_NON_DIRECTORY_FILE) != 0)
		return STATUS_INVALID_PARAMETER;
	if (directory && p->Disposition != FILE_OPEN && p->Disposition != FILE_CREATE &&
	    p->Disposition != FILE_OPEN_IF)
		return STATUS_INVALID_PARAMETER;
	if ((p->CreateOptions & FILE_DELETE_ON_CLOSE) != 0 &&
	    (p->DesiredAccess & (DELETE | MAXIMUM_ALLOWED | GENERIC_ALL)) == 0)
		return STATUS_INVALID_PARAMETER;
	if ((p->CreateOptions & FILE_OPEN_BY_FILE_ID) != 0)
		return STATUS_NOT_SUPPORTED;
	return STATUS_SUCCESS;
}

NTSTATUS rx_create_take_parameters(PRX_CONTEXT rxc, PIRP irp)
{
	PIO_STACK_LOCATION sp = rxc->CurrentIrpSp;
	PNT_CREATE_PARAMETERS p = &rxc->Create.NtCreateParameters;
	PIO_SECURITY_CONTEXT security = sp->Parameters.Create.SecurityContext;

	if (security == NULL)
		return STATUS_INVALID_PARAMETER;
	p->DesiredAccess = security->DesiredAccess;
	p->AllocationSize = irp->Overlay.AllocationSize;
	p->FileAttributes = sp->Parameters.Create.FileAttributes &
			    ~(ULONG)(FILE_ATTRIBUTE_DIRECTORY | FILE_ATTRIBUTE_NORMAL);
	p->ShareAccess = sp->Parameters.Create.ShareAccess;
	p->Disposition = sp->Parameters.Create.Options >> 24;
	p->CreateOptions = sp->Parameters.Create.Options & 0x00ffffff;
	p->SecurityContext = security;
	p->ImpersonationLevel = SecurityImpersonation;

	if (security->AccessState != NULL && security->AccessState->SecurityDescriptor != NULL) {
		rxc->Create.SdLength = RtlLengthSecurityDescriptor(security->AccessState->SecurityDescriptor);
		rxc->Info.Buffer = security->AccessState
					   ->SecurityDescriptor; /* the opener's, until the create is over */
	}
	rxc->Create.EaLength = sp->Parameters.Create.EaLength;
	rxc->Create.EaBuffer = rxc->Create.EaLength > 0 ? irp->AssociatedIrp.SystemBuffer : NULL;
	if (rxc->Create.EaBuffer == NULL)
		rxc->Create.EaLength = 0;
	rxc->Create.ThisIsATreeConnectOpen = (p->CreateOptions & FILE_CREATE_TREE_CONNECTION) != 0;
	rxc->Create.Flags |= RX_CONTEXT_CREATE_FLAG_UNC_NAME;
	return rx_create_check_options(p);
}

/* One entry of an EA list, checked. */
struct rx_ea {
	const char *name;
	size_t name_length;
	PUCHAR value;
	USHORT value_length;
	size_t next; /* offset of the next entry from this one; 0: last */
};

static bool rx_ea_read(PUCHAR list, size_t length, size_t offset, struct rx_ea *ea)
{
	const size_t header = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName);
	FILE_FULL_EA_INFORMATION entry;

	if (offset > length || length - offset < header)
		return false;
	RtlCopyMemory(&entry, list + offset, header); /* entries may be unaligned */
	if (length - offset - header < (size_t)entry.EaNameLength + 1 + entry.EaValueLength)
		return false;
	if (entry.NextEntryOffset != 0 &&
	    (entry.NextEntryOffset < header || entry.NextEntryOffset > length - offset))
		return false;
	ea->name = (const char *)list + offset + header;
	ea->name_length = entry.EaNameLength;
	ea->value = list + offset + header + entry.EaNameLength + 1;
	ea->value_length = entry.EaValueLength;
	ea->next = entry.NextEntryOffset;
	return true;
}

static bool rx_ea_is(const struct rx_ea *ea, const char *name)
{
	size_t i;

	for (i = 0; i < ea->name_length && name[i] != '\0'; i++)
		if ((ea->name[i] | 0x20) != (name[i] | 0x20))
			return false;
	return i == ea->name_length && name[i] == '\0';
}

static NTSTATUS rx_credential_copy(const struct rx_ea *ea, PUNICODE_STRING out)
{
	if (ea->value_length % sizeof(WCHAR) != 0 || out->Buffer != NULL)
		return STATUS_INVALID_PARAMETER;
	if (ea->value_length == 0)
		return STATUS_SUCCESS;
	out->Buffer = ExAllocatePoolWithTag(NonPagedPool, ea->value_length, RX_CREDENTIALS_TAG);
	if (out->Buffer == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlCopyMemory(out->Buffer, ea->value, ea->value_length);
	out->Length = out->MaximumLength = ea->value_length;
	return STATUS_SUCCESS;
}

NTSTATUS rx_create_parse_credentials(PRX_CONTEXT rxc)
{
	size_t offset = 0;
	struct rx_ea ea;

	if (rxc->Create.EaBuffer == NULL)
		return STATUS_SUCCESS;
	do {
		NTSTATUS status = STATUS_SUCCESS;

		if (!rx_ea_read(rxc->Create.EaBuffer, rxc->Create.EaLength, offset, &ea))
			return STATUS_EA_LIST_INCONSISTENT;
		if (rx_ea_is(&ea, "username"))
			status = rx_credential_copy(&ea, &rxc->Create.UserName);
		else if (rx_ea_is(&ea, "password"))
			status = rx_credential_copy(&ea, &rxc->Create.Password);
		else if (rx_ea_is(&ea, "domain"))
			status = rx_credential_copy(&ea, &rxc->Create.UserDomainName);
		if (!NT_SUCCESS(status))
			return status;
		offset += ea.next;
	} while (ea.next != 0);
	return STATUS_SUCCESS;
}

static void rx_credential_forget(PUNICODE_STRING s)
{
	if (s->Buffer != NULL) {
		RtlSecureZeroMemory(s->Buffer, s->MaximumLength);
		ExFreePoolWithTag(s->Buffer, RX_CREDENTIALS_TAG);
	}
	RtlZeroMemory(s, sizeof(*s));
}

void rx_create_forget_credentials(PRX_CONTEXT rxc)
{
	size_t offset = 0;
	struct rx_ea ea;

	rx_credential_forget(&rxc->Create.UserName);
	rx_credential_forget(&rxc->Create.Password);
	rx_credential_forget(&rxc->Create.UserDomainName);
	if (!rxc->Create.ThisIsATreeConnectOpen || rxc->Create.EaBuffer == NULL)
		return;
	while (rx_ea_read(rxc->Create.EaBuffer, rxc->Create.EaLength, offset, &ea)) {
		if (rx_ea_is(&ea, "password"))
			RtlSecureZeroMemory(ea.value, ea.value_length);
		if (ea.next == 0)
			break;
		offset += ea.next;
	}
}

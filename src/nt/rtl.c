/* rtl.c - memory, time and security helpers. */
#include "ntifs.h"

SIZE_T RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
	const UCHAR *a = Source1, *b = Source2;
	SIZE_T i;

	for (i = 0; i < Length && a[i] == b[i]; i++)
		;
	return i;
}

#define SECONDS_TO_1970 11644473600LL

VOID RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time)
{
	Time->QuadPart = ((LONGLONG)ElapsedSeconds + SECONDS_TO_1970) * 10000000;
}

/* FALSE: before 1970 or past what 32 bits hold. */
BOOLEAN RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds)
{
	LONGLONG seconds = Time->QuadPart / 10000000 - SECONDS_TO_1970;

	if (Time->QuadPart < 0 || seconds < 0 || seconds > MAXULONG)
		return FALSE;
	*ElapsedSeconds = (ULONG)seconds;
	return TRUE;
}

/* S-R-I-S...: revision, count of sub-authorities, six bytes of authority, the sub-authorities. */
BOOLEAN RtlValidSid(PSID Sid)
{
	const UCHAR *s = Sid;

	return s != NULL && s[0] == 1 && s[1] <= 15;
}

ULONG RtlLengthSid(PSID Sid)
{
	return 8 + 4u * ((const UCHAR *)Sid)[1];
}

BOOLEAN RtlEqualSid(PSID Sid1, PSID Sid2)
{
	ULONG length = RtlLengthSid(Sid1);

	return length == RtlLengthSid(Sid2) && memcmp(Sid1, Sid2, length) == 0;
}

NTSTATUS RtlConvertSidToUnicodeString(PUNICODE_STRING UnicodeString, PSID Sid,
				      BOOLEAN AllocateDestinationString)
{
	const UCHAR *s = Sid;
	char text[16 + 16 + SID_MAX_SUB_AUTHORITIES * 11];
	ULONGLONG authority = 0;
	ANSI_STRING narrow;
	size_t n;

	if (!RtlValidSid(Sid))
		return STATUS_INVALID_SID;
	for (int i = 2; i < 8; i++)
		authority = authority << 8 | s[i];
	/* An authority of more than 32 bits is written in hexadecimal. */
	n = nt_format(text, sizeof(text), authority >> 32 ? "S-%u-0x%012I64x" : "S-%u-%I64u", s[0],
		      authority);
	for (ULONG i = 0; i < s[1]; i++) {
		ULONG part;

		memcpy(&part, s + 8 + 4 * i, sizeof(part));
		n += nt_format(text + n, sizeof(text) - n, "-%u", part);
	}
	RtlInitAnsiString(&narrow, text);
	return RtlAnsiStringToUnicodeString(UnicodeString, &narrow, AllocateDestinationString);
}

static ULONG acl_length(const UCHAR *acl)
{
	return (ULONG)acl[2] | (ULONG)acl[3] << 8;
}

BOOLEAN RtlValidSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor)
{
	const SECURITY_DESCRIPTOR_RELATIVE *sd = SecurityDescriptor;
	const UCHAR *base = SecurityDescriptor;

	if (sd == NULL || sd->Revision != SECURITY_DESCRIPTOR_REVISION || !(sd->Control & SE_SELF_RELATIVE))
		return FALSE;
	if (sd->Owner != 0 && !RtlValidSid((PSID)(base + sd->Owner)))
		return FALSE;
	if (sd->Group != 0 && !RtlValidSid((PSID)(base + sd->Group)))
		return FALSE;
	if (sd->Sacl != 0 && acl_length(base + sd->Sacl) < 8)
		return FALSE;
	return sd->Dacl == 0 || acl_length(base + sd->Dacl) >= 8;
}

/* To the end of the part that lies last. */
ULONG RtlLengthSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor)
{
	const SECURITY_DESCRIPTOR_RELATIVE *sd = SecurityDescriptor;
	const UCHAR *base = SecurityDescriptor;
	ULONG end = sizeof(*sd), part;

	if (sd->Owner != 0 && (part = sd->Owner + RtlLengthSid((PSID)(base + sd->Owner))) > end)
		end = part;
	if (sd->Group != 0 && (part = sd->Group + RtlLengthSid((PSID)(base + sd->Group))) > end)
		end = part;
	if (sd->Sacl != 0 && (part = sd->Sacl + acl_length(base + sd->Sacl)) > end)
		end = part;
	if (sd->Dacl != 0 && (part = sd->Dacl + acl_length(base + sd->Dacl)) > end)
		end = part;
	return end;
}

NTSTATUS RtlCreateSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, ULONG Revision)
{
	PISECURITY_DESCRIPTOR sd = SecurityDescriptor;

	if (Revision != SECURITY_DESCRIPTOR_REVISION)
		return STATUS_UNKNOWN_REVISION;
	memset(sd, 0, sizeof(*sd));
	sd->Revision = SECURITY_DESCRIPTOR_REVISION;
	return STATUS_SUCCESS;
}

NTSTATUS RtlSetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, BOOLEAN DaclPresent, PACL Dacl,
				      BOOLEAN DaclDefaulted)
{
	PISECURITY_DESCRIPTOR sd = SecurityDescriptor;

	if (sd->Revision != SECURITY_DESCRIPTOR_REVISION)
		return STATUS_UNKNOWN_REVISION;
	if (sd->Control & SE_SELF_RELATIVE)
		return STATUS_INVALID_SECURITY_DESCR;
	sd->Control &= (USHORT) ~(SE_DACL_PRESENT | SE_DACL_DEFAULTED);
	sd->Dacl = NULL;
	if (!DaclPresent)
		return STATUS_SUCCESS;
	sd->Control |= SE_DACL_PRESENT;
	if (DaclDefaulted)
		sd->Control |= SE_DACL_DEFAULTED;
	sd->Dacl = Dacl;
	return STATUS_SUCCESS;
}

/* A part of the relative form, which is shorter than the absolute one. */
static PVOID descriptor_part(PISECURITY_DESCRIPTOR sd, ULONG offset)
{
	return offset != 0 ? (PUCHAR)sd + offset : NULL;
}

NTSTATUS RtlGetDaclSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PBOOLEAN DaclPresent,
				      PACL *Dacl, PBOOLEAN DaclDefaulted)
{
	PISECURITY_DESCRIPTOR sd = SecurityDescriptor;

	if (sd->Revision != SECURITY_DESCRIPTOR_REVISION)
		return STATUS_UNKNOWN_REVISION;
	*DaclPresent = BooleanFlagOn(sd->Control, SE_DACL_PRESENT);
	if (!*DaclPresent)
		return STATUS_SUCCESS; /* the other two are not set, as documented */
	*Dacl = sd->Control & SE_SELF_RELATIVE
			? descriptor_part(sd, ((PISECURITY_DESCRIPTOR_RELATIVE)sd)->Dacl)
			: sd->Dacl;
	*DaclDefaulted = BooleanFlagOn(sd->Control, SE_DACL_DEFAULTED);
	return STATUS_SUCCESS;
}

NTSTATUS RtlGetOwnerSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Owner,
				       PBOOLEAN OwnerDefaulted)
{
	PISECURITY_DESCRIPTOR sd = SecurityDescriptor;

	if (sd->Revision != SECURITY_DESCRIPTOR_REVISION)
		return STATUS_UNKNOWN_REVISION;
	*Owner = sd->Control & SE_SELF_RELATIVE
			 ? descriptor_part(sd, ((PISECURITY_DESCRIPTOR_RELATIVE)sd)->Owner)
			 : sd->Owner;
	*OwnerDefaulted = BooleanFlagOn(sd->Control, SE_OWNER_DEFAULTED);
	return STATUS_SUCCESS;
}

NTSTATUS RtlGetGroupSecurityDescriptor(PSECURITY_DESCRIPTOR SecurityDescriptor, PSID *Group,
				       PBOOLEAN GroupDefaulted)
{
	PISECURITY_DESCRIPTOR sd = SecurityDescriptor;

	if (sd->Revision != SECURITY_DESCRIPTOR_REVISION)
		return STATUS_UNKNOWN_REVISION;
	*Group = sd->Control & SE_SELF_RELATIVE
			 ? descriptor_part(sd, ((PISECURITY_DESCRIPTOR_RELATIVE)sd)->Group)
			 : sd->Group;
	*GroupDefaulted = BooleanFlagOn(sd->Control, SE_GROUP_DEFAULTED);
	return STATUS_SUCCESS;
}

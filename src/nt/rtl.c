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

/*
 * token.c - the token of a process: who its user is, in the forms that drivers ask for.
 *
 * Owns:   nothing: a token is the record of its process (process.c), which lives as long as the runtime.
 * Locks:  none; a process' ids are read atomically.
 */
#include "token.h"

#include "exec.h"
#include "pool.h"

#define NT_TAG_TOKEN 'ekoT'

/* S-1-authority-a[-b] behind the structure that points at it. */
static PVOID with_sid(SIZE_T head, UCHAR authority, ULONG count, ULONG first, ULONG second, PSID *sid)
{
	SIZE_T sid_bytes = FIELD_OFFSET(SID, SubAuthority) + count * sizeof(ULONG);
	PUCHAR memory = ExAllocatePoolWithTag(PagedPool, head + sid_bytes, NT_TAG_TOKEN);
	PISID made;

	if (memory == NULL)
		return NULL;
	memset(memory, 0, head + sid_bytes);
	made = (PISID)(memory + head);
	made->Revision = SID_REVISION;
	made->SubAuthorityCount = (UCHAR)count;
	made->IdentifierAuthority.Value[5] = authority;
	made->SubAuthority[0] = first;
	if (count > 1)
		made->SubAuthority[1] = second;
	*sid = made;
	return memory;
}

static PVOID with_account(SIZE_T head, PACCESS_TOKEN token, ULONG kind, PSID *sid)
{
	struct nt_requester who;

	if (!nt_process_requester(token, &who))
		return with_sid(head, 5, 1, 18, 0, sid); /* S-1-5-18, the system */
	return with_sid(head, 22, 2, kind, kind == 1 ? who.uid : who.gid, sid);
}

VOID SeCaptureSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext)
{
	memset(SubjectContext, 0, sizeof(*SubjectContext));
	SubjectContext->PrimaryToken = PsGetCurrentProcess();
	SubjectContext->ProcessAuditId = PsGetCurrentProcessId();
}

PACCESS_TOKEN PsReferencePrimaryToken(PEPROCESS Process)
{
	return Process;
}

PACCESS_TOKEN PsReferenceImpersonationToken(PETHREAD Thread, PBOOLEAN CopyOnOpen, PBOOLEAN EffectiveOnly,
					    PSECURITY_IMPERSONATION_LEVEL ImpersonationLevel)
{
	*CopyOnOpen = FALSE;
	*EffectiveOnly = FALSE;
	*ImpersonationLevel = SecurityImpersonation;
	return Thread->has_requester ? Thread->process : NULL;
}

NTSTATUS SeQueryAuthenticationIdToken(PACCESS_TOKEN Token, PLUID AuthenticationId)
{
	static const LUID system_luid = SYSTEM_LUID;
	struct nt_requester who;

	*AuthenticationId = system_luid;
	if (nt_process_requester(Token, &who)) {
		AuthenticationId->LowPart = who.uid;
		AuthenticationId->HighPart = 1;
	}
	return STATUS_SUCCESS;
}

NTSTATUS SeQuerySessionIdToken(PACCESS_TOKEN Token, PULONG SessionId)
{
	struct nt_requester who;

	*SessionId = nt_process_requester(Token, &who) ? who.uid : 0;
	return STATUS_SUCCESS;
}

BOOLEAN SeTokenIsAdmin(PACCESS_TOKEN Token)
{
	struct nt_requester who;

	return !nt_process_requester(Token, &who) || who.uid == 0;
}

NTSTATUS SeQueryInformationToken(PACCESS_TOKEN Token, TOKEN_INFORMATION_CLASS TokenInformationClass,
				 PVOID *TokenInformation)
{
	ULONG session = 0;
	PSID sid = NULL;

	*TokenInformation = NULL;
	switch ((ULONG)TokenInformationClass) {
	case TokenUser:
		*TokenInformation = with_account(sizeof(TOKEN_USER), Token, 1, &sid);
		if (*TokenInformation != NULL)
			((PTOKEN_USER)*TokenInformation)->User.Sid = sid;
		break;
	case TokenOwner:
		*TokenInformation = with_account(sizeof(TOKEN_OWNER), Token, 1, &sid);
		if (*TokenInformation != NULL)
			((PTOKEN_OWNER)*TokenInformation)->Owner = sid;
		break;
	case TokenPrimaryGroup:
		*TokenInformation = with_account(sizeof(TOKEN_PRIMARY_GROUP), Token, 2, &sid);
		if (*TokenInformation != NULL)
			((PTOKEN_PRIMARY_GROUP)*TokenInformation)->PrimaryGroup = sid;
		break;
	case TokenSessionId:
		(void)SeQuerySessionIdToken(Token, &session); /* cannot fail */
		*TokenInformation = UlongToPtr(session);
		return STATUS_SUCCESS;
	default:
		return STATUS_INVALID_INFO_CLASS;
	}
	return *TokenInformation != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

static void client_fill(PACCESS_TOKEN token, PSECURITY_QUALITY_OF_SERVICE qos, BOOLEAN remote,
			PSECURITY_CLIENT_CONTEXT client)
{
	memset(client, 0, sizeof(*client));
	client->SecurityQos = *qos;
	client->ClientToken = token;
	client->ServerIsRemote = remote;
	client->DirectAccessEffectiveOnly = qos->EffectiveOnly;
	(void)SeQueryAuthenticationIdToken(token,
					   &client->ClientTokenControl.AuthenticationId); /* cannot fail */
}

NTSTATUS SeCreateClientSecurity(PETHREAD ClientThread, PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
				BOOLEAN RemoteSession, PSECURITY_CLIENT_CONTEXT ClientContext)
{
	client_fill(ClientThread->process, ClientSecurityQos, RemoteSession, ClientContext);
	return STATUS_SUCCESS;
}

NTSTATUS SeCreateClientSecurityFromSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext,
						  PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
						  BOOLEAN ServerIsRemote,
						  PSECURITY_CLIENT_CONTEXT ClientContext)
{
	client_fill(SeQuerySubjectContextToken(SubjectContext), ClientSecurityQos, ServerIsRemote,
		    ClientContext);
	return STATUS_SUCCESS;
}

NTSTATUS SeImpersonateClientEx(PSECURITY_CLIENT_CONTEXT ClientContext, PETHREAD ServerThread)
{
	struct nt_requester who;

	if (ClientContext->ClientToken == NULL)
		return STATUS_NO_TOKEN;
	if (ServerThread != NULL && ServerThread != PsGetCurrentThread())
		return STATUS_NOT_SUPPORTED;
	if (nt_process_requester(ClientContext->ClientToken, &who))
		nt_set_requester(&who);
	else
		nt_set_requester(NULL);
	return STATUS_SUCCESS;
}

VOID PsRevertToSelf(void)
{
	nt_set_requester(NULL);
}

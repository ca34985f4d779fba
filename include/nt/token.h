/*
 * token.h - who a request is made for: tokens, client contexts, impersonation.
 *
 * A token is that of a process (process.h): its user is the SID S-1-22-1-uid, its group S-1-22-2-gid (the forms that
 * stand for Unix accounts), its logon session {uid, 1}; the system process has LUID SYSTEM_LUID and S-1-5-18.
 */
#ifndef NT_TOKEN_H
#define NT_TOKEN_H

#include "process.h"
#include "security.h"

typedef enum _TOKEN_TYPE { TokenPrimary = 1, TokenImpersonation } TOKEN_TYPE, *PTOKEN_TYPE;

typedef enum _TOKEN_INFORMATION_CLASS {
	TokenUser = 1,
	TokenGroups,
	TokenPrivileges,
	TokenOwner,
	TokenPrimaryGroup,
	TokenDefaultDacl,
	TokenSource,
	TokenType,
	TokenImpersonationLevel,
	TokenStatistics,
	TokenRestrictedSids,
	TokenSessionId,
	TokenGroupsAndPrivileges,
	TokenSessionReference,
	TokenSandBoxInert,
	TokenAuditPolicy,
	TokenOrigin,
	TokenElevationType,
	TokenLinkedToken,
	TokenElevation,
	MaxTokenInfoClass = 50
} TOKEN_INFORMATION_CLASS,
	*PTOKEN_INFORMATION_CLASS;

typedef struct _SID_AND_ATTRIBUTES {
	PSID Sid;
	ULONG Attributes;
} SID_AND_ATTRIBUTES, *PSID_AND_ATTRIBUTES;

typedef struct _TOKEN_USER {
	SID_AND_ATTRIBUTES User;
} TOKEN_USER, *PTOKEN_USER;

typedef struct _TOKEN_OWNER {
	PSID Owner;
} TOKEN_OWNER, *PTOKEN_OWNER;

typedef struct _TOKEN_PRIMARY_GROUP {
	PSID PrimaryGroup;
} TOKEN_PRIMARY_GROUP, *PTOKEN_PRIMARY_GROUP;

typedef struct _TOKEN_CONTROL {
	LUID TokenId;
	LUID AuthenticationId;
	LUID ModifiedId;
	struct {
		CHAR SourceName[8];
		LUID SourceIdentifier;
	} TokenSource;
} TOKEN_CONTROL, *PTOKEN_CONTROL;

typedef struct _SECURITY_CLIENT_CONTEXT {
	SECURITY_QUALITY_OF_SERVICE SecurityQos;
	PACCESS_TOKEN ClientToken;
	BOOLEAN DirectlyAccessClientToken;
	BOOLEAN DirectAccessEffectiveOnly;
	BOOLEAN ServerIsRemote;
	TOKEN_CONTROL ClientTokenControl;
} SECURITY_CLIENT_CONTEXT, *PSECURITY_CLIENT_CONTEXT;

#define SECURITY_DYNAMIC_TRACKING TRUE
#define SECURITY_STATIC_TRACKING FALSE
#define SYSTEM_LUID \
	{ \
		0x3e7, 0x0 \
	}
#define ANONYMOUS_LOGON_LUID \
	{ \
		0x3e6, 0x0 \
	}

/* The context names tokens; nothing is referenced, tokens live as long as the runtime. Any level. */
VOID SeCaptureSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext);
#define SeReleaseSubjectContext(SubjectContext) ((void)(SubjectContext))
#define SeLockSubjectContext(SubjectContext) ((void)(SubjectContext))
#define SeUnlockSubjectContext(SubjectContext) ((void)(SubjectContext))
#define SeQuerySubjectContextToken(SubjectContext) \
	((SubjectContext)->ClientToken != NULL ? (SubjectContext)->ClientToken \
					       : (SubjectContext)->PrimaryToken)

PACCESS_TOKEN PsReferencePrimaryToken(PEPROCESS Process);
#define PsDereferencePrimaryToken(Token) ((void)(Token))
/* The token of the process the thread works for; NULL when it works for the system. */
PACCESS_TOKEN PsReferenceImpersonationToken(PETHREAD Thread, PBOOLEAN CopyOnOpen, PBOOLEAN EffectiveOnly,
					    PSECURITY_IMPERSONATION_LEVEL ImpersonationLevel);
#define PsDereferenceImpersonationToken(Token) ((void)(Token))
NTSTATUS SeQueryAuthenticationIdToken(PACCESS_TOKEN Token, PLUID AuthenticationId);
NTSTATUS SeQuerySessionIdToken(PACCESS_TOKEN Token, PULONG SessionId);
BOOLEAN SeTokenIsAdmin(PACCESS_TOKEN Token);
#define SeTokenType(Token) ((void)(Token), TokenPrimary)
/*
 * TokenUser, TokenOwner and TokenPrimaryGroup: *TokenInformation is pool memory that the caller frees with
 * ExFreePool(); TokenSessionId: the value itself. STATUS_INVALID_INFO_CLASS for the others.
 */
NTSTATUS SeQueryInformationToken(PACCESS_TOKEN Token, TOKEN_INFORMATION_CLASS TokenInformationClass,
				 PVOID *TokenInformation);
NTSTATUS SeCreateClientSecurity(PETHREAD ClientThread, PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
				BOOLEAN RemoteSession, PSECURITY_CLIENT_CONTEXT ClientContext);
NTSTATUS SeCreateClientSecurityFromSubjectContext(PSECURITY_SUBJECT_CONTEXT SubjectContext,
						  PSECURITY_QUALITY_OF_SERVICE ClientSecurityQos,
						  BOOLEAN ServerIsRemote,
						  PSECURITY_CLIENT_CONTEXT ClientContext);
#define SeDeleteClientSecurity(ClientContext) ((void)((ClientContext)->ClientToken = NULL))
/* The thread works for the client's process from here on; ServerThread: NULL, the calling thread. */
NTSTATUS SeImpersonateClientEx(PSECURITY_CLIENT_CONTEXT ClientContext, PETHREAD ServerThread);
VOID PsRevertToSelf(void);
#define SeStopImpersonatingClient() PsRevertToSelf()

#endif

/* querypath.h - how the multiple UNC provider asks a redirector whether a path is its own. */
#ifndef NT_QUERYPATH_H
#define NT_QUERYPATH_H

#include "fsctl.h"
#include "irp.h"

/* IOCTL_REDIR_QUERY_PATH: the name follows, PathNameLength bytes, not terminated. */
typedef struct _QUERY_PATH_REQUEST {
	ULONG PathNameLength;
	PIO_SECURITY_CONTEXT SecurityContext;
	WCHAR FilePathName[1];
} QUERY_PATH_REQUEST, *PQUERY_PATH_REQUEST;

/* IOCTL_REDIR_QUERY_PATH_EX */
typedef struct _QUERY_PATH_REQUEST_EX {
	PIO_SECURITY_CONTEXT pSecurityContext;
	ULONG EaLength;
	PVOID pEaBuffer;
	UNICODE_STRING PathName;
	UNICODE_STRING DomainServiceName;
	PECP_LIST EcpList;
	PVOID Silo;
	ULONG_PTR Reserved;
} QUERY_PATH_REQUEST_EX, *PQUERY_PATH_REQUEST_EX;

typedef struct _QUERY_PATH_RESPONSE {
	ULONG LengthAccepted; /* bytes of the path, from its first backslash; untouched on failure */
} QUERY_PATH_RESPONSE, *PQUERY_PATH_RESPONSE;

/**
 * nt_unc_resolve - which provider serves a path
 * @query:    [in] PathName `\server\share...`, and with whose credentials it would be opened
 * @device:   [out] the provider's device, referenced; NULL on failure
 * @accepted: [out] bytes of the path the provider claims
 *
 * Providers are asked one by one in their order; the first claim wins and is remembered for fifteen minutes, or until
 * the provider deregisters.
 *
 * Context: PASSIVE_LEVEL; blocks as long as the providers take.
 * Return:  STATUS_SUCCESS; STATUS_BAD_NETWORK_PATH without a provider that knows the path; else the first refusal that
 *          says more.
 * Page:    support for UNC naming and MUP.
 */
NTSTATUS nt_unc_resolve(PQUERY_PATH_REQUEST_EX query, PDEVICE_OBJECT *device, PULONG accepted);

#endif

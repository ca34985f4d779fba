/*
 * explain.c - from an NTSTATUS to what a person can do about it.
 *
 * A mount fails in one of few steps: finding the server, connecting, negotiating, logging on,
 * opening the share, opening the folder.  The status tells which: each belongs to one step.
 */
#include "rdr_explain.h"

struct row {
	NTSTATUS status;
	int code;
	const char *step;
	const char *what;
	const char *hint;
};

static const char find[] = "finding the server";
static const char reach[] = "connecting";
static const char negotiate[] = "negotiating";
static const char logon[] = "logging on";
static const char tree[] = "opening the share";
static const char folder[] = "opening the folder";

static const struct row rows[] = {
	{STATUS_BAD_NETWORK_PATH, RDR_MOUNT_FAILED, find, "no host has that name",
	 "check the spelling, DNS and /etc/hosts, or give ip=ADDRESS"},
	{STATUS_HOST_UNREACHABLE, RDR_MOUNT_FAILED, reach, "no way to the host",
	 "check the network, VPN and firewall"},
	{STATUS_NETWORK_UNREACHABLE, RDR_MOUNT_FAILED, reach, "no way to its network",
	 "check the network, VPN and firewall"},
	{STATUS_CONNECTION_REFUSED, RDR_MOUNT_FAILED, reach, "nothing listens on that port",
	 "check that the server runs, and the port (//server:PORT/share)"},
	{STATUS_IO_TIMEOUT, RDR_MOUNT_FAILED, reach, "the server did not answer in time",
	 "check that it runs and that no firewall drops packets"},
	{STATUS_CONNECTION_RESET, RDR_MOUNT_FAILED, negotiate, "the server broke the connection",
	 "check that an SMB2 or SMB3 server listens there, and vers="},
	{STATUS_CONNECTION_DISCONNECTED, RDR_MOUNT_FAILED, negotiate, "the server closed the connection",
	 "check that an SMB2 or SMB3 server listens there, and vers="},
	{STATUS_CONNECTION_ABORTED, RDR_MOUNT_FAILED, negotiate, "the connection was ended",
	 "check that an SMB2 or SMB3 server listens there, and vers="},
	{STATUS_INVALID_NETWORK_RESPONSE, RDR_MOUNT_FAILED, negotiate, "the answer is not valid SMB2",
	 "check that an SMB2 or SMB3 server listens on that port"},
	{STATUS_NOT_SUPPORTED, RDR_MOUNT_FAILED, negotiate, "the server and we share no way to talk",
	 "try without vers=, sec= and seal"},
	{STATUS_NOT_IMPLEMENTED, RDR_MOUNT_FAILED, negotiate, "this version cannot do what is needed",
	 "try without vers=, sec= and seal"},
	{STATUS_LOGON_FAILURE, RDR_MOUNT_FAILED, logon, "the user name or the password is wrong",
	 "check username=, domain= and the password"},
	{STATUS_WRONG_PASSWORD, RDR_MOUNT_FAILED, logon, "the password is wrong", "check the password"},
	{STATUS_NO_SUCH_USER, RDR_MOUNT_FAILED, logon, "the server does not know that user",
	 "check username= and domain="},
	{STATUS_ACCOUNT_RESTRICTION, RDR_MOUNT_FAILED, logon, "the account may not log on that way",
	 "an empty password or the time of day may be forbidden; ask who runs the server"},
	{STATUS_ACCOUNT_DISABLED, RDR_MOUNT_FAILED, logon, "the account is disabled",
	 "ask who runs the server"},
	{STATUS_ACCOUNT_LOCKED_OUT, RDR_MOUNT_FAILED, logon, "the account is locked",
	 "wait, or ask who runs the server"},
	{STATUS_PASSWORD_EXPIRED, RDR_MOUNT_FAILED, logon, "the password has expired", "change it first"},
	{STATUS_PASSWORD_MUST_CHANGE, RDR_MOUNT_FAILED, logon, "the password must be changed",
	 "change it first"},
	{STATUS_BAD_NETWORK_NAME, RDR_MOUNT_FAILED, tree, "the server has no share of that name",
	 "check the spelling; smbclient -L lists the shares"},
	{STATUS_ACCESS_DENIED, RDR_MOUNT_FAILED, tree, "that user may not use it",
	 "check who you log on as; the share may also insist on encryption (seal)"},
	{STATUS_OBJECT_NAME_NOT_FOUND, RDR_MOUNT_FAILED, folder, "the share has no such folder",
	 "check the path behind the share"},
	{STATUS_OBJECT_PATH_NOT_FOUND, RDR_MOUNT_FAILED, folder, "the share has no such folder",
	 "check the path behind the share"},
	{STATUS_NOT_A_DIRECTORY, RDR_MOUNT_FAILED, folder, "the path behind the share is not a folder",
	 "check the path behind the share"},
	{STATUS_CANCELLED, RDR_INTERRUPTED, reach, "interrupted", "nothing was mounted"},
	{STATUS_INSUFFICIENT_RESOURCES, RDR_SYSTEM, reach, "out of memory", "free some and try again"},
};

/**
 * rdr_explain - one line about a mount that failed
 * @step: where, when the caller knows better than the status does; else NULL
 *
 * Return: the exit code, also in @error.
 */
int rdr_explain(struct rdr_error *error, const char *source, const char *step, NTSTATUS status)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].status == status)
			return rdr_fail(error, rows[i].code, "%s: %s: %s (%s); %s", source,
					step != NULL ? step : rows[i].step, rows[i].what,
					nt_status_name(status), rows[i].hint);
	}
	return rdr_fail(error, RDR_MOUNT_FAILED,
			"%s: %s: failed with %s (0x%08x); rdr mount -f -d shows more", source,
			step != NULL ? step : "mounting", nt_status_name(status), (unsigned int)status);
}

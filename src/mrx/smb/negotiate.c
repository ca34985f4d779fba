/*
 * negotiate.c - the first exchange: which dialect, which algorithms, which limits.
 *
 * Owns:   conn->neg, until the connection is known to others.
 * Page:   MS-SMB2 2.2.3, 2.2.4, 3.2.4.2.2.2, 3.2.5.2.
 */
#include "mrx/smb/session.h"

enum { NEGOTIATE_CAP = 1024, SALT_SIZE = 32, MIN_IO = 4096 };

static const uint16_t all_dialects[] = {SMB2_DIALECT_202, SMB2_DIALECT_210, SMB2_DIALECT_300,
					SMB2_DIALECT_302, SMB2_DIALECT_311};
static const uint16_t all_ciphers[] = {SMB2_CIPHER_AES_128_GCM, SMB2_CIPHER_AES_128_CCM,
				       SMB2_CIPHER_AES_256_GCM, SMB2_CIPHER_AES_256_CCM};
static const uint16_t all_signing[] = {SMB2_SIGN_AES_GMAC, SMB2_SIGN_AES_CMAC, SMB2_SIGN_HMAC_SHA256};

static bool is_among(uint16_t value, const uint16_t *list, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (list[i] == value)
			return true;
	return false;
}

static void smb_offer(struct smb_conn *conn, const struct smb_options *options, const uint8_t *salt,
		      struct smb2_negotiate_request *req)
{
	struct smb_negotiated *neg = &conn->neg;
	size_t i;

	RtlZeroMemory(req, sizeof(*req));
	req->security_mode =
		SMB2_NEGOTIATE_SIGNING_ENABLED | (options->sign ? SMB2_NEGOTIATE_SIGNING_REQUIRED : 0);
	if (options->max_dialect >= SMB2_DIALECT_210)
		req->capabilities = SMB2_GLOBAL_CAP_LARGE_MTU | SMB2_GLOBAL_CAP_LEASING;
	if (options->max_dialect >= SMB2_DIALECT_300)
		req->capabilities |= SMB2_GLOBAL_CAP_ENCRYPTION | SMB2_GLOBAL_CAP_DIRECTORY_LEASING;
	if (options->max_dialect >= SMB2_DIALECT_210)
		RtlCopyMemory(req->client_guid, neg->client_guid, SMB2_GUID_SIZE);
	for (i = 0; i < RTL_NUMBER_OF(all_dialects); i++)
		if (all_dialects[i] >= options->min_dialect && all_dialects[i] <= options->max_dialect)
			req->dialects[req->dialect_count++] = all_dialects[i];
	if (options->max_dialect >= SMB2_DIALECT_311) {
		req->ctx.hash_count = 1;
		req->ctx.hashes[0] = SMB2_HASH_SHA512;
		req->ctx.salt = wire_slice_at(salt, 0, SALT_SIZE);
		req->ctx.cipher_count = RTL_NUMBER_OF(all_ciphers);
		RtlCopyMemory(req->ctx.ciphers, all_ciphers, sizeof(all_ciphers));
		req->ctx.signing_count = RTL_NUMBER_OF(all_signing);
		RtlCopyMemory(req->ctx.signing, all_signing, sizeof(all_signing));
	}
	neg->offered_capabilities = req->capabilities;
	neg->offered_security_mode = req->security_mode;
	neg->offered_count = req->dialect_count;
	RtlCopyMemory(neg->offered, req->dialects, sizeof(neg->offered));
}

static NTSTATUS smb_accept_311(struct smb_negotiated *neg, const struct smb2_negotiate_response *rsp)
{
	if (rsp->ctx.hash_count != 1 || rsp->ctx.hashes[0] != SMB2_HASH_SHA512 ||
	    rsp->ctx.compression_count != 0)
		return STATUS_INVALID_NETWORK_RESPONSE;
	neg->cipher = rsp->ctx.cipher_count == 1 ? rsp->ctx.ciphers[0] : SMB2_CIPHER_NONE;
	if (neg->cipher != SMB2_CIPHER_NONE &&
	    !is_among(neg->cipher, all_ciphers, RTL_NUMBER_OF(all_ciphers)))
		return STATUS_INVALID_NETWORK_RESPONSE;
	if (rsp->ctx.signing_count == 1 &&
	    !is_among(rsp->ctx.signing[0], all_signing, RTL_NUMBER_OF(all_signing)))
		return STATUS_INVALID_NETWORK_RESPONSE;
	return STATUS_SUCCESS;
}

static uint32_t smb_limit(uint32_t offered, bool large)
{
	uint32_t most = large ? SMB_MAX_IO : SMB_CREDIT_BYTES;

	return offered < most ? offered : most;
}

static NTSTATUS smb_accept(struct smb_conn *conn, const struct smb2_negotiate_response *rsp)
{
	struct smb_negotiated *neg = &conn->neg;
	NTSTATUS status = STATUS_SUCCESS;

	if (!is_among(rsp->dialect, neg->offered, neg->offered_count))
		return rsp->dialect == SMB2_DIALECT_WILDCARD ? STATUS_INVALID_NETWORK_RESPONSE
							     : STATUS_NOT_SUPPORTED;
	neg->dialect = rsp->dialect;
	neg->security_mode = rsp->security_mode;
	neg->capabilities = rsp->capabilities;
	RtlCopyMemory(neg->server_guid, rsp->server_guid, SMB2_GUID_SIZE);
	if (rsp->dialect == SMB2_DIALECT_311)
		status = smb_accept_311(neg, rsp);
	else if (rsp->dialect >= SMB2_DIALECT_300 && (rsp->capabilities & SMB2_GLOBAL_CAP_ENCRYPTION))
		neg->cipher = SMB2_CIPHER_AES_128_CCM;
	if (status != STATUS_SUCCESS)
		return status;
	neg->signing = smb2_signing_algorithm(rsp->dialect, rsp->ctx.signing_count == 1, rsp->ctx.signing[0]);
	neg->large_mtu =
		rsp->dialect >= SMB2_DIALECT_210 && (rsp->capabilities & SMB2_GLOBAL_CAP_LARGE_MTU) != 0;
	neg->max_transact = smb_limit(rsp->max_transact, neg->large_mtu);
	neg->max_read = smb_limit(rsp->max_read, neg->large_mtu);
	neg->max_write = smb_limit(rsp->max_write, neg->large_mtu);
	if (neg->max_transact < MIN_IO || neg->max_read < MIN_IO || neg->max_write < MIN_IO)
		return STATUS_INVALID_NETWORK_RESPONSE;
	neg->token_len = rsp->token.len <= sizeof(neg->token) ? rsp->token.len : 0;
	if (neg->token_len != 0)
		RtlCopyMemory(neg->token, rsp->token.p, neg->token_len);
	return STATUS_SUCCESS;
}

static NTSTATUS smb_negotiate_run(struct smb_conn *conn, struct smb_exchange *x)
{
	struct smb_part *part = &x->part[0];
	struct smb2_negotiate_response rsp;
	NTSTATUS status = smb_exchange_run(x);

	if (status != STATUS_SUCCESS)
		return status;
	if (!smb2_negotiate_response_decode(&part->pdu, &rsp))
		return STATUS_INVALID_NETWORK_RESPONSE;
	smb2_preauth_init(&conn->neg.preauth);
	if (!smb2_preauth_update(&conn->neg.preauth, part->bytes, part->len) ||
	    !smb2_preauth_update(&conn->neg.preauth, part->pdu.base, part->pdu.len))
		return STATUS_ENCRYPTION_FAILED;
	return smb_accept(conn, &rsp);
}

NTSTATUS smb_negotiate(struct smb_conn *conn, const struct smb_options *options, const uint8_t *guid,
		       uint64_t deadline)
{
	struct smb_exchange *x = smb_exchange_create(conn, NULL, 0, false);
	struct smb2_negotiate_request req;
	uint8_t salt[SALT_SIZE];
	struct smb_part *part;
	NTSTATUS status = STATUS_INSUFFICIENT_RESOURCES;

	RtlCopyMemory(conn->neg.client_guid, guid, SMB2_GUID_SIZE);
	if (!smb2_random(salt, sizeof(salt))) {
		smb_exchange_put(x);
		return STATUS_ENCRYPTION_FAILED;
	}
	smb_offer(conn, options, salt, &req);
	part = x == NULL ? NULL : smb_exchange_add(x, SMB2_NEGOTIATE, NEGOTIATE_CAP, 0);
	if (part != NULL) {
		part->len = smb2_negotiate_request_encode(part->bytes, part->cap, &req);
		x->deadline = deadline;
		status = smb_negotiate_run(conn, x);
	}
	smb_exchange_put(x);
	if (status == STATUS_SUCCESS)
		InterlockedExchange(&conn->negotiated, 1);
	return status;
}

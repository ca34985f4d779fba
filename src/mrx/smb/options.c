/*
 * options.c - "rdr.Options" of the mount: UTF-8 text, key=value pairs with commas between them.
 *
 * Keys of others are passed over; a value of ours that makes no sense is refused.
 */
#include "mrx/smb/smb.h"

static const struct {
	const char *name;
	uint16_t min, max;
} versions[] = {
	{"2.0", SMB2_DIALECT_202, SMB2_DIALECT_202},     {"2.0.2", SMB2_DIALECT_202, SMB2_DIALECT_202},
	{"2.1", SMB2_DIALECT_210, SMB2_DIALECT_210},     {"2", SMB2_DIALECT_202, SMB2_DIALECT_210},
	{"3.0", SMB2_DIALECT_300, SMB2_DIALECT_300},     {"3.0.2", SMB2_DIALECT_302, SMB2_DIALECT_302},
	{"3.02", SMB2_DIALECT_302, SMB2_DIALECT_302},    {"3.1.1", SMB2_DIALECT_311, SMB2_DIALECT_311},
	{"3.11", SMB2_DIALECT_311, SMB2_DIALECT_311},    {"3", SMB2_DIALECT_300, SMB2_DIALECT_311},
	{"default", SMB2_DIALECT_202, SMB2_DIALECT_311},
};

struct word {
	const char *text;
	size_t length;
};

static bool word_is(struct word w, const char *text)
{
	return strlen(text) == w.length && memcmp(w.text, text, w.length) == 0;
}

/* A number of at most nine digits. */
static bool word_number(struct word w, uint32_t *value)
{
	size_t i;

	if (w.length == 0 || w.length > 9)
		return false;
	for (*value = 0, i = 0; i < w.length; i++) {
		if (w.text[i] < '0' || w.text[i] > '9')
			return false;
		*value = *value * 10 + (uint32_t)(w.text[i] - '0');
	}
	return true;
}

static NTSTATUS set_version(struct smb_options *options, struct word value)
{
	size_t i;

	for (i = 0; i < RTL_NUMBER_OF(versions); i++)
		if (word_is(value, versions[i].name)) {
			options->min_dialect = versions[i].min;
			options->max_dialect = versions[i].max;
			return STATUS_SUCCESS;
		}
	return STATUS_INVALID_PARAMETER;
}

static NTSTATUS set_security(struct smb_options *options, struct word value)
{
	if (word_is(value, "ntlmssp") || word_is(value, "ntlmv2"))
		return STATUS_SUCCESS;
	if (word_is(value, "ntlmsspi") || word_is(value, "ntlmv2i")) {
		options->sign = true;
		return STATUS_SUCCESS;
	}
	if (word_is(value, "none")) {
		options->guest = true;
		return STATUS_SUCCESS;
	}
	return STATUS_NOT_SUPPORTED; /* Kerberos is one of them */
}

static NTSTATUS set_number(struct smb_options *options, struct word key, struct word value)
{
	uint32_t number = 0;
	bool ok = word_number(value, &number) && number > 0;

	if (word_is(key, "rsize") && ok && number >= 4096)
		options->rsize = number;
	else if (word_is(key, "wsize") && ok && number >= 4096)
		options->wsize = number;
	else if (word_is(key, "timeout") && ok && number <= 3600)
		options->conn.timeout = number * SMB_SECOND;
	else if (word_is(key, "echo_interval") && ok && number <= 3600)
		options->conn.echo_interval = number * SMB_SECOND;
	else
		return STATUS_INVALID_PARAMETER;
	return STATUS_SUCCESS;
}

static NTSTATUS set_option(struct smb_options *options, struct word key, struct word value)
{
	if (word_is(key, "vers"))
		return set_version(options, value);
	if (word_is(key, "sec"))
		return set_security(options, value);
	if (word_is(key, "rsize") || word_is(key, "wsize") || word_is(key, "timeout") ||
	    word_is(key, "echo_interval"))
		return set_number(options, key, value);
	if (word_is(key, "guest"))
		options->guest = true;
	else if (word_is(key, "seal"))
		options->seal = true;
	else if (word_is(key, "sign"))
		options->sign = true;
	return STATUS_SUCCESS;
}

static NTSTATUS smb_options_parse(struct smb_options *options, const char *at, const char *end)
{
	NTSTATUS status = STATUS_SUCCESS;

	while (at < end && status == STATUS_SUCCESS) {
		struct word key = {at, 0}, value = {NULL, 0};

		for (; at < end && *at != ',' && *at != '='; at++)
			key.length++;
		if (at < end && *at == '=')
			for (value.text = ++at; at < end && *at != ','; at++)
				value.length++;
		at++;
		status = set_option(options, key, value);
	}
	return status;
}

/* The value of an EA; NULL when the list has none of that name or is malformed before it. */
static const char *find_ea(const void *buffer, ULONG length, const char *name, ULONG *value_length)
{
	const uint8_t *at = buffer, *end = at + length;
	size_t name_length = strlen(name);

	while (buffer != NULL && (size_t)(end - at) >= FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName)) {
		const FILE_FULL_EA_INFORMATION *ea = (const void *)at;
		size_t need = FIELD_OFFSET(FILE_FULL_EA_INFORMATION, EaName) + ea->EaNameLength + 1u +
			      ea->EaValueLength;

		if (need > (size_t)(end - at))
			return NULL;
		if (ea->EaNameLength == name_length && RtlEqualMemory(ea->EaName, name, name_length)) {
			*value_length = ea->EaValueLength;
			return ea->EaName + name_length + 1;
		}
		if (ea->NextEntryOffset == 0 || ea->NextEntryOffset > (size_t)(end - at))
			return NULL;
		at += ea->NextEntryOffset;
	}
	return NULL;
}

NTSTATUS smb_options_read(PRX_CONTEXT RxContext, struct smb_options *options)
{
	const char *text;
	ULONG length = 0;

	RtlZeroMemory(options, sizeof(*options));
	options->min_dialect = SMB2_DIALECT_202;
	options->max_dialect = SMB2_DIALECT_311;
	options->conn.timeout = 30 * SMB_SECOND;
	options->conn.echo_interval = 60 * SMB_SECOND;
	text = find_ea(RxContext->Create.EaBuffer, RxContext->Create.EaLength, "rdr.Options", &length);
	return text == NULL ? STATUS_SUCCESS : smb_options_parse(options, text, text + length);
}

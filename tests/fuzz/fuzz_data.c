/*
 * fuzz_data.c - information classes, NTLM and SPNEGO.
 */
#include "fuzz.h"
#include "touch.h"

#include "mrx/smb/wire/fscc.h"
#include "mrx/smb/wire/spnego.h"

static uint8_t out_buf[1 << 17];

/* The first byte picks the class. */
void fuzz_fscc_dir(const uint8_t *data, size_t size)
{
	static const uint8_t classes[] = {
		FSCC_FILE_DIRECTORY,
		FSCC_FILE_FULL_DIRECTORY,
		FSCC_FILE_BOTH_DIRECTORY,
		FSCC_FILE_ID_FULL_DIRECTORY,
		FSCC_FILE_ID_BOTH_DIRECTORY,
		FSCC_FILE_ID_EXTD_DIRECTORY,
		FSCC_FILE_NAMES,
	};
	struct fscc_dir_entry e;
	struct wire_slice list;
	size_t offset = 0;
	uint8_t info_class;

	if (!size)
		return;
	info_class = classes[data[0] % sizeof(classes)];
	list = (struct wire_slice){data + 1, size - 1};
	while (fscc_dir_next(info_class, list, &offset, &e) > 0) {
		touch(e.name);
		must(e.name.len && e.short_name_len <= sizeof(e.short_name));
	}
}

void fuzz_fscc_notify(const uint8_t *data, size_t size)
{
	struct fscc_notify e;
	size_t offset = 0;

	while (fscc_notify_next((struct wire_slice){data, size}, &offset, &e) > 0)
		touch(e.name);
}

void fuzz_fscc_lists(const uint8_t *data, size_t size)
{
	struct fscc_stream stream;
	size_t offset = 0;
	struct fscc_ea ea;

	while (fscc_stream_next((struct wire_slice){data, size}, &offset, &stream) > 0)
		touch(stream.name);
	offset = 0;
	while (fscc_ea_next((struct wire_slice){data, size}, &offset, &ea) > 0) {
		touch(ea.name);
		touch(ea.value);
	}
}

void fuzz_fscc_file(const uint8_t *data, size_t size)
{
	struct wire_slice all = {data, size}, name;
	struct fscc_network_open network_open;
	struct fscc_attribute_tag tag;
	struct fscc_file_id_info id;
	struct fscc_standard standard;
	struct fscc_rename rename;
	struct fscc_basic basic;
	struct fscc_all info;
	uint64_t v64;
	uint32_t v32;
	bool flag;

	(void)fscc_basic_decode(all, &basic);
	(void)fscc_standard_decode(all, &standard);
	(void)fscc_network_open_decode(all, &network_open);
	(void)fscc_attribute_tag_decode(all, &tag);
	(void)fscc_file_id_info_decode(all, &id);
	(void)fscc_u64_decode(all, &v64);
	(void)fscc_u32_decode(all, &v32);
	(void)fscc_disposition_decode(all, &flag);
	if (fscc_all_decode(all, &info))
		touch(info.name);
	if (fscc_name_decode(all, &name))
		touch(name);
	if (fscc_rename_decode(all, &rename))
		(void)fscc_rename_encode(out_buf, sizeof(out_buf), &rename);
}

void fuzz_fscc_fs(const uint8_t *data, size_t size)
{
	struct wire_slice all = {data, size};
	struct fscc_fs_sector_size sector;
	struct fscc_fs_attribute attribute;
	struct fscc_fs_full_size full;
	struct fscc_fs_volume volume;
	struct fscc_fs_device device;
	struct fscc_fs_size fs_size;

	(void)fscc_fs_size_decode(all, &fs_size);
	(void)fscc_fs_full_size_decode(all, &full);
	(void)fscc_fs_device_decode(all, &device);
	(void)fscc_fs_sector_size_decode(all, &sector);
	if (fscc_fs_volume_decode(all, &volume))
		touch(volume.label);
	if (fscc_fs_attribute_decode(all, &attribute))
		touch(attribute.name);
}

void fuzz_fscc_reparse(const uint8_t *data, size_t size)
{
	struct fscc_reparse r;

	if (!fscc_reparse_decode((struct wire_slice){data, size}, &r))
		return;
	touch(r.data);
	touch(r.substitute);
	touch(r.print);
	touch(r.lx_target);
	if (r.tag == FSCC_REPARSE_TAG_SYMLINK)
		(void)fscc_symlink_encode(out_buf, sizeof(out_buf), r.substitute, r.print, r.relative);
}

static const struct ntlm_credentials credentials = {
	.user = {(const uint8_t *)"u\0s\0e\0r", 8},
	.user_upper = {(const uint8_t *)"U\0S\0E\0R", 8},
	.password = {(const uint8_t *)"p\0w", 4},
	.target_spn = {(const uint8_t *)"c\0i", 4},
};

/* The whole answer to the challenge, not only its decoder. */
void fuzz_ntlm_challenge(const uint8_t *data, size_t size)
{
	struct ntlm_client client;
	struct ntlm_challenge ch;
	struct ntlm_authenticate auth;
	uint8_t first[NTLM_NEGOTIATE_MAX];
	size_t len;

	if (ntlm_challenge_decode(data, size, &ch)) {
		touch(ch.target_name);
		touch(ch.target_info);
	}
	ntlm_client_init(&client);
	must(ntlm_client_negotiate(&client, first, sizeof(first)) > 0);
	len = ntlm_client_authenticate(&client, data, size, &credentials, 0, out_buf, NTLM_AUTHENTICATE_MAX);
	if (len)
		must(ntlm_authenticate_decode(out_buf, len, &auth));
	ntlm_client_wipe(&client);
}

void fuzz_ntlm_authenticate(const uint8_t *data, size_t size)
{
	struct ntlm_authenticate auth;

	if (ntlm_authenticate_decode(data, size, &auth))
		(void)ntlm_authenticate_encode(out_buf, sizeof(out_buf), &auth);
}

void fuzz_spnego_init(const uint8_t *data, size_t size)
{
	struct spnego_init init;

	if (spnego_init_decode(data, size, &init)) {
		touch(init.mech_list);
		touch(init.token);
		touch(init.mic);
	}
}

void fuzz_spnego_resp(const uint8_t *data, size_t size)
{
	struct spnego_resp resp, again;
	size_t len;

	if (!spnego_resp_decode(data, size, &resp))
		return;
	touch(resp.token);
	touch(resp.mic);
	len = spnego_resp_encode(out_buf, sizeof(out_buf), &resp);
	if (len)
		must(spnego_resp_decode(out_buf, len, &again));
}

/* A server's three tokens: hint, challenge, final; each prefixed by its 16-bit length. */
void fuzz_spnego_login(const uint8_t *data, size_t size)
{
	struct wire_reader r = wire_reader_init(data, size);
	struct wire_slice hint = wire_get_slice(&r, wire_get_u16(&r));
	struct wire_slice challenge = wire_get_slice(&r, wire_get_u16(&r));
	struct wire_slice final = wire_get_slice(&r, r.len - r.pos);
	struct wire_slice none = {NULL, 0};
	struct spnego_login l;
	size_t len;

	if (spnego_login_init(&l, hint) &&
	    spnego_login_step(&l, none, false, &credentials, 0, out_buf, SPNEGO_TOKEN_MAX, &len) ==
		    SPNEGO_STEP_CONTINUE &&
	    spnego_login_step(&l, challenge, false, &credentials, 0, out_buf, SPNEGO_TOKEN_MAX, &len) ==
		    SPNEGO_STEP_CONTINUE)
		(void)spnego_login_step(&l, final, true, &credentials, 0, out_buf, SPNEGO_TOKEN_MAX, &len);
	spnego_login_wipe(&l);
}

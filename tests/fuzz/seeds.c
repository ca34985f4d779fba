/*
 * seeds.c - writes the seed corpus of one target: valid inputs, made by the encoders.
 *
 *     fuzz_seeds TARGET DIRECTORY
 *
 * The directory must exist; files are named TARGET-N.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#include "mrx/smb/wire/fscc.h"
#include "mrx/smb/wire/smb2_crypto.h"
#include "mrx/smb/wire/spnego.h"

enum { BUFFER = 4096 };

#define TEXT(s) ((struct wire_slice){(const uint8_t *)u"" s, sizeof(u"" s) - 2})
#define FILE_ID ((struct smb2_file_id){1, 2})

static const char *target, *directory;
static unsigned int written;
static uint8_t buf[BUFFER], aux[BUFFER];

static void save(const uint8_t *data, size_t len)
{
	char path[4096];
	FILE *f;

	if (!len) {
		fprintf(stderr, "fuzz_seeds: %s: a seed does not encode\n", target);
		exit(1);
	}
	snprintf(path, sizeof(path), "%s/%s-%u", directory, target, written++);
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
}

/* Message targets take the body only. */
static void save_body(size_t len)
{
	save(buf + SMB2_HDR_SIZE, len > SMB2_HDR_SIZE ? len - SMB2_HDR_SIZE : 0);
}

static void seed_hdr(void)
{
	struct smb2_hdr hdr = {.command = SMB2_ECHO, .flags = 1, .message_id = 7};

	memset(buf, 0, sizeof(buf));
	smb2_hdr_encode(buf, sizeof(buf), &hdr);
	save(buf, 68);
	smb2_hdr_set_next(buf, 72);
	hdr.flags |= SMB2_FLAGS_ASYNC_COMMAND;
	smb2_hdr_encode(buf + 72, sizeof(buf) - 72, &hdr);
	save(buf, 72 + 68);
}

static void seed_error_response(void)
{
	struct smb2_symlink_error link = {
		.unparsed_bytes = 2, .flags = 1, .substitute = TEXT("..\\a"), .print = TEXT("a")};
	size_t len = smb2_symlink_error_encode(aux, sizeof(aux), &link), pos = 0;
	struct smb2_error_context ctx = {0, {aux, len}};
	struct smb2_error_response rsp = {.data = {aux, len}};
	static uint8_t contexts[256];

	save_body(smb2_error_response_encode(buf, sizeof(buf), &rsp));
	smb2_error_context_append(contexts, sizeof(contexts), &pos, &ctx);
	rsp = (struct smb2_error_response){.context_count = 1, .data = {contexts, pos}};
	save_body(smb2_error_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_negotiate_request(void)
{
	struct smb2_negotiate_request req = {
		.dialect_count = 5,
		.dialects = {0x0202, 0x0210, 0x0300, 0x0302, 0x0311},
		.ctx = {.hash_count = 1,
			.hashes = {1},
			.salt = {aux, 32},
			.cipher_count = 2,
			.ciphers = {2, 1},
			.signing_count = 2,
			.signing = {2, 1},
			.netname = TEXT("server")},
	};

	save_body(smb2_negotiate_request_encode(buf, sizeof(buf), &req));
	req.dialect_count = 2;
	save_body(smb2_negotiate_request_encode(buf, sizeof(buf), &req));
}

static void seed_negotiate_response(void)
{
	struct smb2_negotiate_response rsp = {
		.dialect = 0x0311,
		.token = {aux, 9},
		.ctx = {.hash_count = 1,
			.hashes = {1},
			.salt = {aux, 32},
			.cipher_count = 1,
			.ciphers = {2},
			.signing_count = 1,
			.signing = {2}},
	};

	save_body(smb2_negotiate_response_encode(buf, sizeof(buf), &rsp));
	rsp.dialect = 0x0210;
	save_body(smb2_negotiate_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_session_setup_request(void)
{
	struct smb2_session_setup_request req = {.token = {aux, 40}};

	save_body(smb2_session_setup_request_encode(buf, sizeof(buf), &req));
}

static void seed_session_setup_response(void)
{
	struct smb2_session_setup_response rsp = {.token = {aux, 40}};

	save_body(smb2_session_setup_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_tree_connect_request(void)
{
	struct smb2_tree_connect_request req = {.path = TEXT("\\\\server\\share")};

	save_body(smb2_tree_connect_request_encode(buf, sizeof(buf), &req));
}

static void seed_tree_connect_response(void)
{
	struct smb2_tree_connect_response rsp = {.share_type = 1};

	save_body(smb2_tree_connect_response_encode(buf, sizeof(buf), &rsp));
}

static struct wire_slice make_contexts(void)
{
	struct smb2_create_context_list list = {.buf = aux, .cap = sizeof(aux)};
	struct smb2_lease lease = {.version = 2, .state = 7};
	struct smb2_durable_v2_request durable = {.timeout_ms = 1};
	struct smb2_maximal_access access = {.access = 7};
	struct smb2_disk_id id = {.file_id = 1};

	smb2_lease_append(&list, &lease);
	smb2_durable_v2_request_append(&list, &durable);
	smb2_maximal_access_append(&list, &access);
	smb2_disk_id_append(&list, &id);
	return smb2_create_context_list_slice(&list);
}

static void seed_create_request(void)
{
	struct smb2_create_request req = {.name = TEXT("dir\\file"), .contexts = make_contexts()};

	save_body(smb2_create_request_encode(buf, sizeof(buf), &req));
}

static void seed_create_response(void)
{
	struct smb2_create_response rsp = {.file_id = FILE_ID, .contexts = make_contexts()};

	save_body(smb2_create_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_close_request(void)
{
	struct smb2_close_request req = {1, FILE_ID};

	save_body(smb2_close_request_encode(buf, sizeof(buf), &req));
}

static void seed_close_response(void)
{
	struct smb2_close_response rsp = {.flags = 1};

	save_body(smb2_close_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_read_request(void)
{
	struct smb2_read_request req = {.length = 100, .file_id = FILE_ID};

	save_body(smb2_read_request_encode(buf, sizeof(buf), &req));
}

static void seed_read_response(void)
{
	memset(buf, 0, sizeof(buf));
	save_body(smb2_read_response_encode_head(buf, sizeof(buf), 100) + 100);
}

static void seed_write_request(void)
{
	struct smb2_write_request req = {.length = 100, .file_id = FILE_ID};

	save_body(smb2_write_request_encode(buf, sizeof(buf), &req) + 100);
}

static void seed_write_response(void)
{
	struct smb2_write_response rsp = {.count = 1};

	save_body(smb2_write_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_lock_request(void)
{
	struct smb2_lock_element locks[3] = {{1, 2, 1}};
	struct smb2_lock_request req = {.file_id = FILE_ID, .count = 3};

	save_body(smb2_lock_request_encode(buf, sizeof(buf), &req, locks));
}

static void seed_ioctl_request(void)
{
	struct smb2_ioctl_request req = {
		.ctl_code = SMB2_FSCTL_SRV_COPYCHUNK, .file_id = FILE_ID, .input = {aux, 20}};

	save_body(smb2_ioctl_request_encode(buf, sizeof(buf), &req));
}

static void seed_ioctl_response(void)
{
	struct smb2_ioctl_response rsp = {.file_id = FILE_ID, .input = {aux, 3}, .output = {aux, 20}};

	save_body(smb2_ioctl_response_encode(buf, sizeof(buf), &rsp));
}

static void seed_ioctl_data(void)
{
	struct smb2_network_interface nic = {.index = 1, .address_len = 16};
	struct smb2_copychunk chunks[2] = {{1, 2, 3}};
	uint8_t key[SMB2_RESUME_KEY_SIZE] = {0};
	size_t pos = 0, last = 0;

	smb2_network_interface_append(buf, sizeof(buf), &pos, &last, &nic);
	nic.address_len = 4;
	smb2_network_interface_append(buf, sizeof(buf), &pos, &last, &nic);
	save(buf, pos);
	save(buf, smb2_copychunk_encode(buf, sizeof(buf), key, chunks, 2));
}

static void seed_query_directory_request(void)
{
	struct smb2_query_directory_request req = {
		.info_class = 37, .file_id = FILE_ID, .pattern = TEXT("*")};

	save_body(smb2_query_directory_request_encode(buf, sizeof(buf), &req));
}

static void seed_query_info_request(void)
{
	struct smb2_query_info_request req = {
		.info_type = 1, .info_class = 18, .input = {aux, 5}, .file_id = FILE_ID};

	save_body(smb2_query_info_request_encode(buf, sizeof(buf), &req));
}

static void seed_set_info_request(void)
{
	struct smb2_set_info_request req = {
		.info_type = 1, .info_class = 4, .file_id = FILE_ID, .data = {aux, 40}};

	save_body(smb2_set_info_request_encode(buf, sizeof(buf), &req));
}

static void seed_notify_request(void)
{
	struct smb2_notify_request req = {.file_id = FILE_ID};

	save_body(smb2_notify_request_encode(buf, sizeof(buf), &req));
}

static void seed_output_response(void)
{
	save_body(smb2_output_response_encode(buf, sizeof(buf), (struct wire_slice){aux, 50}));
	save_body(smb2_empty_encode(buf, sizeof(buf)));
	save_body(smb2_set_info_response_encode(buf, sizeof(buf)));
}

static void seed_break_notification(void)
{
	struct smb2_break brk = {.is_lease = true, .current_state = 7};

	save_body(smb2_break_notification_encode(buf, sizeof(buf), &brk));
	brk.is_lease = false;
	save_body(smb2_break_notification_encode(buf, sizeof(buf), &brk));
}

static void seed_break_ack(void)
{
	struct smb2_break brk = {.is_lease = true, .new_state = 1};

	save_body(smb2_break_ack_encode(buf, sizeof(buf), &brk));
	brk.is_lease = false;
	save_body(smb2_break_ack_encode(buf, sizeof(buf), &brk));
}

static void seed_fscc_dir(void)
{
	static const uint8_t classes[] = {1, 2, 3, 38, 37, 60, 12}; /* in the order of fuzz_fscc_dir() */
	struct fscc_dir_entry e = {.short_name_len = 4, .file_id = 5, .name = TEXT("name.txt")};

	for (uint8_t i = 0; i < sizeof(classes); i++) {
		size_t pos = 0, last = 0;

		fscc_dir_append(classes[i], buf + 1, sizeof(buf) - 1, &pos, &last, &e);
		fscc_dir_append(classes[i], buf + 1, sizeof(buf) - 1, &pos, &last, &e);
		buf[0] = i;
		save(buf, pos + 1);
	}
}

static void seed_fscc_notify(void)
{
	struct fscc_notify e = {FSCC_ACTION_ADDED, TEXT("dir\\name")};
	size_t pos = 0, last = 0;

	fscc_notify_append(buf, sizeof(buf), &pos, &last, &e);
	fscc_notify_append(buf, sizeof(buf), &pos, &last, &e);
	save(buf, pos);
}

static void seed_fscc_lists(void)
{
	struct fscc_stream stream = {.name = TEXT(":s:$DATA")};
	struct fscc_ea ea = {.name = {(const uint8_t *)"EA", 2}, .value = TEXT("v")};
	size_t pos = 0, last = 0;

	fscc_stream_append(buf, sizeof(buf), &pos, &last, &stream);
	fscc_stream_append(buf, sizeof(buf), &pos, &last, &stream);
	save(buf, pos);
	pos = last = 0;
	fscc_ea_append(buf, sizeof(buf), &pos, &last, &ea);
	fscc_ea_append(buf, sizeof(buf), &pos, &last, &ea);
	save(buf, pos);
}

static void seed_fscc_file(void)
{
	struct fscc_all all = {.name = TEXT("\\name")};
	struct fscc_rename rename = {true, TEXT("dir\\new")};

	save(buf, fscc_all_encode(buf, sizeof(buf), &all));
	save(buf, fscc_rename_encode(buf, sizeof(buf), &rename));
	save(buf, fscc_name_encode(buf, sizeof(buf), TEXT("name")));
}

static void seed_fscc_fs(void)
{
	struct fscc_fs_volume volume = {.label = TEXT("label")};
	struct fscc_fs_attribute attribute = {.name = TEXT("NTFS")};

	save(buf, fscc_fs_volume_encode(buf, sizeof(buf), &volume));
	save(buf, fscc_fs_attribute_encode(buf, sizeof(buf), &attribute));
}

static void seed_fscc_reparse(void)
{
	size_t len = fscc_symlink_encode(buf, sizeof(buf), TEXT("..\\target"), TEXT("target"), true);

	save(buf, len);
	wire_set_le32(buf, FSCC_REPARSE_TAG_MOUNT_POINT);
	save(buf, len);
	wire_set_le32(buf, FSCC_REPARSE_TAG_LX_SYMLINK);
	save(buf, len);
	wire_set_le32(buf, FSCC_REPARSE_TAG_NFS);
	wire_set_le64(buf + 8, FSCC_NFS_SPECFILE_LNK);
	save(buf, len);
}

static size_t make_challenge(uint8_t *out, size_t cap)
{
	static const uint8_t info[] = {2, 0, 2, 0, 'D', 0, 1, 0, 2, 0, 'S', 0, 7, 0,
				       8, 0, 1, 2, 3,   4, 5, 6, 7, 8, 0,   0, 0, 0};
	struct ntlm_challenge ch = {
		.flags = 0xe28a8233, .target_name = TEXT("S"), .target_info = {info, sizeof(info)}};

	return ntlm_challenge_encode(out, cap, &ch);
}

static void seed_ntlm_challenge(void)
{
	save(buf, make_challenge(buf, sizeof(buf)));
}

static void seed_ntlm_authenticate(void)
{
	struct ntlm_authenticate auth = {.lm_response = {aux, 24},
					 .nt_response = {aux, 84},
					 .domain = TEXT("D"),
					 .user = TEXT("U"),
					 .session_key = {aux, 16},
					 .has_mic = true};

	save(buf, ntlm_authenticate_encode(buf, sizeof(buf), &auth));
}

static void seed_spnego_init(void)
{
	save(buf,
	     spnego_init_encode(buf, sizeof(buf), SPNEGO_MECH_KRB5 | SPNEGO_MECH_NTLMSSP, TEXT("token")));
	save(buf, spnego_init_encode(buf, sizeof(buf), SPNEGO_MECH_NTLMSSP, (struct wire_slice){aux, 300}));
}

static size_t make_resp(uint8_t *out, size_t cap, struct wire_slice token)
{
	struct spnego_resp resp = {.has_state = true,
				   .state = token.len ? SPNEGO_ACCEPT_INCOMPLETE : SPNEGO_ACCEPT_COMPLETED,
				   .has_mech = true,
				   .mech = SPNEGO_MECH_NTLMSSP,
				   .token = token,
				   .mic = {aux, token.len ? 0 : 16}};

	return spnego_resp_encode(out, cap, &resp);
}

static void seed_spnego_resp(void)
{
	save(buf, make_resp(buf, sizeof(buf), TEXT("token")));
	save(buf, make_resp(buf, sizeof(buf), (struct wire_slice){NULL, 0}));
}

static void seed_spnego_login(void)
{
	struct wire_writer w = wire_writer_init(buf, sizeof(buf));
	uint8_t token[512], challenge[512];
	size_t len =
		spnego_init_encode(token, sizeof(token), SPNEGO_MECH_NTLMSSP, (struct wire_slice){NULL, 0});
	size_t challenge_len = make_challenge(challenge, sizeof(challenge));

	wire_put_u16(&w, (uint16_t)len);
	wire_put_bytes(&w, token, len);
	len = make_resp(token, sizeof(token), (struct wire_slice){challenge, challenge_len});
	wire_put_u16(&w, (uint16_t)len);
	wire_put_bytes(&w, token, len);
	len = make_resp(token, sizeof(token), (struct wire_slice){NULL, 0});
	wire_put_bytes(&w, token, len);
	save(buf, wire_done(&w));
	/* Bare NTLMSSP. */
	w = wire_writer_init(buf, sizeof(buf));
	wire_put_u16(&w, 4);
	wire_put_u32(&w, 1);
	wire_put_u16(&w, (uint16_t)challenge_len);
	wire_put_bytes(&w, challenge, challenge_len);
	save(buf, wire_done(&w));
}

static void seed_sealed(void)
{
	struct smb2_transform_hdr transform = {.original_size = 100, .flags = 1};
	struct smb2_hdr hdr = {.flags = SMB2_FLAGS_SIGNED};

	memset(buf, 0, sizeof(buf));
	smb2_transform_hdr_encode(buf, sizeof(buf), &transform);
	save(buf, SMB2_TRANSFORM_HDR_SIZE + 100);
	smb2_hdr_encode(buf, sizeof(buf), &hdr);
	save(buf, 100);
}

#define SEED_ROW(name) {#name, seed_##name},

static const struct {
	const char *name;
	void (*seed)(void);
} rows[] = {FUZZ_TARGETS(SEED_ROW)};

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: fuzz_seeds TARGET DIRECTORY\n");
		return 2;
	}
	target = argv[1];
	directory = argv[2];
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, target) == 0) {
			rows[i].seed();
			return 0;
		}
	}
	fprintf(stderr, "fuzz_seeds: no target %s\n", target);
	return 2;
}

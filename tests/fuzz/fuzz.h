/*
 * fuzz.h - the decoders under fuzz.  Each entry takes any bytes; what it accepts it reads in full, so that
 * AddressSanitizer sees a slice that leaves its buffer.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Every target: its entry is fuzz_<name>(), its program fuzz_<name>, its seeds those of seed_<name>(). */
#define FUZZ_TARGETS(X) \
	X(hdr) \
	X(error_response) \
	X(negotiate_request) \
	X(negotiate_response) \
	X(session_setup_request) \
	X(session_setup_response) \
	X(tree_connect_request) \
	X(tree_connect_response) \
	X(create_request) \
	X(create_response) \
	X(close_request) \
	X(close_response) \
	X(read_request) \
	X(read_response) \
	X(write_request) \
	X(write_response) \
	X(lock_request) \
	X(ioctl_request) \
	X(ioctl_response) \
	X(ioctl_data) \
	X(query_directory_request) \
	X(query_info_request) \
	X(set_info_request) \
	X(notify_request) \
	X(output_response) \
	X(break_notification) \
	X(break_ack) \
	X(fscc_dir) \
	X(fscc_notify) \
	X(fscc_lists) \
	X(fscc_file) \
	X(fscc_fs) \
	X(fscc_reparse) \
	X(ntlm_challenge) \
	X(ntlm_authenticate) \
	X(spnego_init) \
	X(spnego_resp) \
	X(spnego_login) \
	X(sealed)

#define FUZZ_DECLARE(name) void fuzz_##name(const uint8_t *data, size_t size);
FUZZ_TARGETS(FUZZ_DECLARE)

#endif

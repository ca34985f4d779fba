/*
 * options_int.h - what reads the value of an option.
 *
 * Each takes the option as it was written: @name for what it says, @value NULL where there is none. Return: 0, or the code
 * of the error, which is filled in.
 */
#ifndef RDR_OPTIONS_INT_H
#define RDR_OPTIONS_INT_H

#include "rdr.h"

typedef int rdr_apply_fn(struct rdr_options *options, const char *name, char *value, struct rdr_error *error);

rdr_apply_fn rdr_apply_user;
rdr_apply_fn rdr_apply_password;
rdr_apply_fn rdr_apply_domain;
rdr_apply_fn rdr_apply_credentials;
rdr_apply_fn rdr_apply_guest;
rdr_apply_fn rdr_apply_sec;
rdr_apply_fn rdr_apply_vers;
rdr_apply_fn rdr_apply_flag;
rdr_apply_fn rdr_apply_port;
rdr_apply_fn rdr_apply_address;
rdr_apply_fn rdr_apply_uid;
rdr_apply_fn rdr_apply_gid;
rdr_apply_fn rdr_apply_mode;
rdr_apply_fn rdr_apply_seconds;
rdr_apply_fn rdr_apply_size;
rdr_apply_fn rdr_apply_max_read;
rdr_apply_fn rdr_apply_echo_interval;
rdr_apply_fn rdr_apply_timeout;
rdr_apply_fn rdr_apply_cache;
rdr_apply_fn rdr_apply_text;
rdr_apply_fn rdr_apply_kernel;

#endif

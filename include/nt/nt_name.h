/*
 * nt_name.h - file names: POSIX bytes on one side, UTF-16 on the other, without loss either way.
 */
#ifndef NT_NT_NAME_H
#define NT_NT_NAME_H

#include "ntdef.h"

/**
 * nt_name_from_bytes - a POSIX path or component to UTF-16; '/' becomes '\'
 * @name: [out] Buffer from the pool; free with nt_name_free()
 *
 * Return: STATUS_SUCCESS, STATUS_NAME_TOO_LONG, STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS nt_name_from_bytes(const char *bytes, size_t length, PUNICODE_STRING name);

/**
 * nt_name_to_bytes - back; '\' becomes '/'
 * @bytes: [out] NUL-terminated, from the pool; free with nt_name_bytes_free(); @length without the NUL
 */
NTSTATUS nt_name_to_bytes(PCUNICODE_STRING name, char **bytes, size_t *length);
/* Into the caller's buffer; STATUS_BUFFER_TOO_SMALL leaves *length at what is needed (without a NUL). */
NTSTATUS nt_name_to_buffer(PCUNICODE_STRING name, char *buffer, size_t capacity, size_t *length);
void nt_name_free(PUNICODE_STRING name);
void nt_name_bytes_free(char *bytes);

#endif

/*
 * nt_count.h - counters of what the process does, by name: messages by the operation that waits for them, breaks,
 * bytes. Ours; the WDK has none.
 *
 * A counter is named by a group and up to NT_COUNT_PARTS words; it begins to exist when it is counted first and lives
 * as long as the process. The names are constants that live as long.
 */
#ifndef NT_COUNT_H
#define NT_COUNT_H

#include <stddef.h>
#include <stdint.h>

#define NT_COUNT_PARTS 6    /* who, and the commands of a compound */
#define NT_COUNT_LIMIT 1024 /* counters; what finds no room is lost, and nt_count_read() says how much */

/*
 * Groups:
 *   NT_COUNT_REQUEST     <operation>                  what the front end was asked
 *   the operation        <command> [<command> ...]    one message that the operation waits for; amount: bytes sent
 *   NT_COUNT_BACKGROUND  <command> [<command> ...]    one message that no operation waits for; amount: bytes sent
 *   NT_COUNT_COMMAND     <command>                    one answer
 *   NT_COUNT_FAILED      <command>                    of them, those that were refused
 *   NT_COUNT_EVENT       <name>                       anything else; amount: bytes, where there are any
 * Groups are told apart by their text.
 */
#define NT_COUNT_REQUEST "request"
#define NT_COUNT_BACKGROUND "background"
#define NT_COUNT_COMMAND "command"
#define NT_COUNT_FAILED "failed"
#define NT_COUNT_EVENT "event"

struct nt_count {
	const char *group;
	const char *part[NT_COUNT_PARTS]; /* NULL: no more */
	uint64_t times;
	uint64_t amount;
};

/* Any thread, any level; takes no lock. @parts beyond NT_COUNT_PARTS are left out of the name. */
void nt_count(const char *group, const char *const *parts, unsigned int count, uint64_t amount);
/* The same with one word. */
void nt_count_one(const char *group, const char *name, uint64_t amount);
/* Copies at most @capacity counters, in no order. @lost: how often nt_count() found no room. Return: how many. */
size_t nt_count_read(struct nt_count *out, size_t capacity, uint64_t *lost);

#endif

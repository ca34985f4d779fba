/*
 * json.c - the text of the control socket: a writer, and a reader for answers.
 *
 * Owns:      the buffer of a struct rdr_json; the tree of struct rdr_json_value.
 * Rules:     file names are bytes: what is not UTF-8 is written as U+FFFD, since JSON is
 *            text.  The reader takes nothing on trust: depth, sizes and escapes are bounded.
 */
#include "rdr.h"

#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH 32

/* ---- writer ---------------------------------------------------------------------------------- */

static void put(struct rdr_json *json, const char *bytes, size_t length)
{
	if (json->failed)
		return;
	if (json->length + length + 1 > json->capacity) {
		size_t capacity = (json->length + length + 1) * 2;
		char *text = realloc(json->text, capacity);

		if (text == NULL) {
			json->failed = true;
			return;
		}
		json->text = text;
		json->capacity = capacity;
	}
	memcpy(json->text + json->length, bytes, length);
	json->length += length;
	json->text[json->length] = '\0';
}

/* Length of the valid UTF-8 sequence at @s, 0 when there is none. */
static size_t utf8_length(const unsigned char *s)
{
	size_t length = s[0] < 0x80                    ? 1
			: s[0] >= 0xc2 && s[0] < 0xe0  ? 2
			: (s[0] & 0xf0) == 0xe0        ? 3
			: s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
						       : 0;

	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] >= 0xa0) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] >= 0x90))
		return 0;
	return length;
}

static void put_string(struct rdr_json *json, const char *value)
{
	const unsigned char *s = (const unsigned char *)value;
	char escaped[8];

	put(json, "\"", 1);
	while (*s != 0) {
		size_t length = utf8_length(s);

		if (*s == '"' || *s == '\\') {
			snprintf(escaped, sizeof(escaped), "\\%c", *s);
			put(json, escaped, 2);
		} else if (*s < 0x20 || *s == 0x7f) {
			snprintf(escaped, sizeof(escaped), "\\u%04x", *s);
			put(json, escaped, 6);
		} else if (length == 0) {
			put(json, "\xef\xbf\xbd", 3);
		} else {
			put(json, (const char *)s, length);
		}
		s += length != 0 ? length : 1;
	}
	put(json, "\"", 1);
}

static void put_name(struct rdr_json *json, const char *name)
{
	if (json->comma)
		put(json, ",", 1);
	json->comma = true;
	if (name != NULL) {
		put_string(json, name);
		put(json, ":", 1);
	}
}

/* @bracket is '{' or '['. */
void rdr_json_open(struct rdr_json *json, const char *name, char bracket)
{
	put_name(json, name);
	put(json, &bracket, 1);
	json->comma = false;
}

/* @bracket is '}' or ']'. */
void rdr_json_close(struct rdr_json *json, char bracket)
{
	put(json, &bracket, 1);
	json->comma = true;
}

/* @value NULL is written as null. */
void rdr_json_string(struct rdr_json *json, const char *name, const char *value)
{
	put_name(json, name);
	if (value == NULL)
		put(json, "null", 4);
	else
		put_string(json, value);
}

void rdr_json_number(struct rdr_json *json, const char *name, long long value)
{
	char text[32];
	int length = snprintf(text, sizeof(text), "%lld", value);

	put_name(json, name);
	put(json, text, (size_t)length);
}

void rdr_json_bool(struct rdr_json *json, const char *name, bool value)
{
	put_name(json, name);
	put(json, value ? "true" : "false", value ? 4 : 5);
}

/* @value is JSON already. */
void rdr_json_raw(struct rdr_json *json, const char *name, const char *value)
{
	put_name(json, name);
	put(json, value, strlen(value));
}

void rdr_json_free(struct rdr_json *json)
{
	free(json->text);
	memset(json, 0, sizeof(*json));
}

/* ---- reader ---------------------------------------------------------------------------------- */

struct reader {
	const char *at;
	const char *end;
	unsigned int depth;
};

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end &&
	       (*reader->at == ' ' || *reader->at == '\t' || *reader->at == '\n' || *reader->at == '\r'))
		reader->at++;
}

static bool take(struct reader *reader, const char *word)
{
	size_t length = strlen(word);

	if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0)
		return false;
	reader->at += length;
	return true;
}

static bool read_unicode(struct reader *reader, unsigned int *value)
{
	*value = 0;
	if (reader->end - reader->at < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char c = *reader->at++;
		unsigned int digit = c >= '0' && c <= '9'   ? (unsigned int)(c - '0')
				     : c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10
				     : c >= 'A' && c <= 'F' ? (unsigned int)(c - 'A') + 10
							    : 16;

		if (digit == 16)
			return false;
		*value = *value * 16 + digit;
	}
	return true;
}

static size_t encode_utf8(unsigned int c, char *out)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	out[0] = (char)(0xe0 | c >> 12);
	out[1] = (char)(0x80 | (c >> 6 & 0x3f));
	out[2] = (char)(0x80 | (c & 0x3f));
	return 3;
}

/* One escape behind the backslash; bytes written to @out (at most 3), 0 when malformed. */
static size_t read_escape(struct reader *reader, char *out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	unsigned int unicode;

	if (reader->at == reader->end)
		return 0;
	char c = *reader->at++;

	if (c == 'u') {
		if (!read_unicode(reader, &unicode) || unicode == 0)
			return 0;
		return encode_utf8(unicode, out);
	}
	const char *found = strchr(from, c);

	if (c == '\0' || found == NULL)
		return 0;
	out[0] = to[found - from];
	return 1;
}

static char *read_string(struct reader *reader)
{
	if (!take(reader, "\""))
		return NULL;
	const char *quote = reader->at;

	while (quote < reader->end && *quote != '"')
		quote += *quote == '\\' && quote + 1 < reader->end ? 2 : 1;
	if (quote >= reader->end)
		return NULL;
	/* an escape never gets longer by being read */
	char *text = malloc((size_t)(quote - reader->at) + 4);
	size_t length = 0;

	if (text == NULL)
		return NULL;
	while (*reader->at != '"') {
		if (*reader->at != '\\') {
			text[length++] = *reader->at++;
			continue;
		}
		reader->at++;
		size_t added = read_escape(reader, text + length);

		if (added == 0 || reader->at > quote) {
			free(text);
			return NULL;
		}
		length += added;
	}
	reader->at++;
	text[length] = '\0';
	return text;
}

static bool read_value(struct reader *reader, struct rdr_json_value *value);

/* Members or elements up to @closing. */
static bool read_children(struct reader *reader, struct rdr_json_value *parent, const char *closing)
{
	struct rdr_json_value **link = &parent->first;

	skip_blanks(reader);
	if (take(reader, closing))
		return true;
	for (;;) {
		struct rdr_json_value *child = calloc(1, sizeof(*child));

		if (child == NULL)
			return false;
		*link = child;
		link = &child->next;
		skip_blanks(reader);
		if (parent->kind == RDR_JSON_OBJECT) {
			child->name = read_string(reader);
			skip_blanks(reader);
			if (child->name == NULL || !take(reader, ":"))
				return false;
		}
		if (!read_value(reader, child))
			return false;
		skip_blanks(reader);
		if (take(reader, closing))
			return true;
		if (!take(reader, ","))
			return false;
	}
}

static bool read_number(struct reader *reader, struct rdr_json_value *value)
{
	char text[40];
	size_t length = 0;
	char *end;

	while (reader->at < reader->end && length < sizeof(text) - 1 && *reader->at != '\0' &&
	       strchr("+-.0123456789eE", *reader->at) != NULL)
		text[length++] = *reader->at++;
	text[length] = '\0';
	value->number = strtod(text, &end);
	return length > 0 && *end == '\0';
}

static bool read_value(struct reader *reader, struct rdr_json_value *value)
{
	bool good = true;

	skip_blanks(reader);
	if (reader->at == reader->end || reader->depth == MAX_DEPTH)
		return false;
	reader->depth++;
	if (take(reader, "{")) {
		value->kind = RDR_JSON_OBJECT;
		good = read_children(reader, value, "}");
	} else if (take(reader, "[")) {
		value->kind = RDR_JSON_ARRAY;
		good = read_children(reader, value, "]");
	} else if (*reader->at == '"') {
		value->kind = RDR_JSON_STRING;
		value->string = read_string(reader);
		good = value->string != NULL;
	} else if (take(reader, "true")) {
		value->kind = RDR_JSON_BOOL;
		value->number = 1;
	} else if (take(reader, "false")) {
		value->kind = RDR_JSON_BOOL;
	} else if (take(reader, "null")) {
		value->kind = RDR_JSON_NULL;
	} else {
		value->kind = RDR_JSON_NUMBER;
		good = read_number(reader, value);
	}
	reader->depth--;
	return good;
}

/* The whole of @text as one value; NULL when it is not JSON or there is no memory. */
struct rdr_json_value *rdr_json_parse(const char *text, size_t length)
{
	struct reader reader = {.at = text, .end = text + length};
	struct rdr_json_value *value = calloc(1, sizeof(*value));

	if (value == NULL)
		return NULL;
	if (read_value(&reader, value)) {
		skip_blanks(&reader);
		if (reader.at == reader.end)
			return value;
	}
	rdr_json_value_free(value);
	return NULL;
}

const struct rdr_json_value *rdr_json_member(const struct rdr_json_value *object, const char *name)
{
	if (object == NULL || object->kind != RDR_JSON_OBJECT)
		return NULL;
	for (const struct rdr_json_value *child = object->first; child != NULL; child = child->next) {
		if (strcmp(child->name, name) == 0)
			return child;
	}
	return NULL;
}

const char *rdr_json_get_string(const struct rdr_json_value *object, const char *name, const char *otherwise)
{
	const struct rdr_json_value *member = rdr_json_member(object, name);

	return member != NULL && member->kind == RDR_JSON_STRING ? member->string : otherwise;
}

double rdr_json_get_number(const struct rdr_json_value *object, const char *name, double otherwise)
{
	const struct rdr_json_value *member = rdr_json_member(object, name);

	if (member == NULL || (member->kind != RDR_JSON_NUMBER && member->kind != RDR_JSON_BOOL))
		return otherwise;
	return member->number;
}

void rdr_json_value_free(struct rdr_json_value *value)
{
	while (value != NULL) {
		struct rdr_json_value *next = value->next;

		rdr_json_value_free(value->first); /* as deep as MAX_DEPTH */
		free(value->name);
		free(value->string);
		free(value);
		value = next;
	}
}

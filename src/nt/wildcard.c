/*
 * wildcard.c - name patterns of the directory interface, [MS-FSA] 2.1.4.4.
 *
 *   *  any run of characters        ?  one character
 *   <  (DOS_STAR)  any run up to the last dot of the name, or of it all
 *   >  (DOS_QM)    one character, or nothing at a dot or the end
 *   "  (DOS_DOT)   a dot, or nothing at the end
 */
#include "ntifs.h"

BOOLEAN FsRtlDoesNameContainWildCards(PUNICODE_STRING Name)
{
	USHORT i;

	for (i = 0; i < Name->Length / sizeof(WCHAR); i++) {
		WCHAR c = Name->Buffer[i];

		if (c == '*' || c == '?' || c == '<' || c == '>' || c == '"')
			return TRUE;
	}
	return FALSE;
}

struct match {
	const WCHAR *pattern, *name;
	size_t pattern_length, name_length;
	size_t last_dot; /* index of the last dot of the name, or its length */
	BOOLEAN fold;
};

static bool same(const struct match *m, WCHAR a, WCHAR b)
{
	return a == b || (m->fold && RtlUpcaseUnicodeChar(a) == RtlUpcaseUnicodeChar(b));
}

/* Does pattern[p] let name[n] be passed, and if so may it stay for the next character? */
static bool passes(const struct match *m, size_t p, size_t n)
{
	WCHAR c = m->pattern[p], d = m->name[n];

	switch (c) {
	case '*':
	case '?':
		return true;
	case '<':
		return n != m->last_dot || m->last_dot == m->name_length;
	case '>':
		return d != '.';
	case '"':
		return d == '.';
	default:
		return same(m, c, d);
	}
}

/* Can pattern[p] stand for nothing at name[n]? */
static bool may_be_empty(const struct match *m, size_t p, size_t n)
{
	switch (m->pattern[p]) {
	case '*':
	case '<':
		return true;
	case '>':
		return n == m->name_length || m->name[n] == '.';
	case '"':
		return n == m->name_length;
	default:
		return false;
	}
}

/*
 * The set of pattern positions that can be reached after n characters, as one byte each: linear in both lengths,
 * whatever a caller puts into the pattern.
 */
BOOLEAN FsRtlIsNameInExpression(PUNICODE_STRING Expression, PUNICODE_STRING Name, BOOLEAN IgnoreCase,
				PWCH UpcaseTable)
{
	struct match m = {Expression->Buffer,
			  Name->Buffer,
			  Expression->Length / sizeof(WCHAR),
			  Name->Length / sizeof(WCHAR),
			  0,
			  IgnoreCase};
	UCHAR on_stack[2][256], *now, *next, *pool = NULL, *swap;
	size_t n, p;
	BOOLEAN result;

	(void)UpcaseTable; /* ours is the only one */
	if (m.pattern_length == 0 || m.name_length == 0)
		return m.pattern_length == m.name_length;
	for (m.last_dot = m.name_length; m.last_dot > 0 && m.name[m.last_dot - 1] != '.'; m.last_dot--)
		;
	m.last_dot = m.last_dot == 0 ? m.name_length : m.last_dot - 1;
	now = on_stack[0];
	next = on_stack[1];
	if (m.pattern_length + 1 > sizeof(on_stack[0])) {
		pool = ExAllocatePoolWithTag(PagedPool, 2 * (m.pattern_length + 1), 'pxeN');
		if (pool == NULL)
			return FALSE;
		now = pool;
		next = pool + m.pattern_length + 1;
	}
	memset(now, 0, m.pattern_length + 1);
	now[0] = 1;
	for (n = 0; n <= m.name_length; n++) {
		memset(next, 0, m.pattern_length + 1);
		for (p = 0; p < m.pattern_length; p++) {
			if (!now[p])
				continue;
			if (may_be_empty(&m, p, n))
				now[p + 1] = 1;
			if (n == m.name_length || !passes(&m, p, n))
				continue;
			if (m.pattern[p] == '*' || m.pattern[p] == '<')
				next[p] = 1;
			next[p + 1] = 1;
		}
		if (n == m.name_length)
			break;
		swap = now;
		now = next;
		next = swap;
	}
	result = now[m.pattern_length];
	if (pool != NULL)
		ExFreePoolWithTag(pool, 'pxeN');
	return result;
}

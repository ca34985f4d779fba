/* list.h - doubly and singly linked lists as the WDK has them.  The caller's lock guards them. */
#ifndef NT_LIST_H
#define NT_LIST_H

#include "ntdef.h"

static inline void InitializeListHead(PLIST_ENTRY head)
{
	head->Flink = head->Blink = head;
}

static inline BOOLEAN IsListEmpty(const LIST_ENTRY *head)
{
	return head->Flink == head;
}

/* TRUE when the list is empty afterwards. */
static inline BOOLEAN RemoveEntryList(PLIST_ENTRY entry)
{
	PLIST_ENTRY before = entry->Blink, after = entry->Flink;

	before->Flink = after;
	after->Blink = before;
	return before == after;
}

static inline PLIST_ENTRY RemoveHeadList(PLIST_ENTRY head)
{
	PLIST_ENTRY entry = head->Flink;

	(void)RemoveEntryList(entry); /* whether it was the last is for the caller to ask */
	return entry;
}

static inline PLIST_ENTRY RemoveTailList(PLIST_ENTRY head)
{
	PLIST_ENTRY entry = head->Blink;

	(void)RemoveEntryList(entry);
	return entry;
}

static inline void InsertTailList(PLIST_ENTRY head, PLIST_ENTRY entry)
{
	PLIST_ENTRY last = head->Blink;

	entry->Flink = head;
	entry->Blink = last;
	last->Flink = entry;
	head->Blink = entry;
}

static inline void InsertHeadList(PLIST_ENTRY head, PLIST_ENTRY entry)
{
	PLIST_ENTRY first = head->Flink;

	entry->Flink = first;
	entry->Blink = head;
	first->Blink = entry;
	head->Flink = entry;
}

static inline void PushEntryList(PSINGLE_LIST_ENTRY head, PSINGLE_LIST_ENTRY entry)
{
	entry->Next = head->Next;
	head->Next = entry;
}

static inline PSINGLE_LIST_ENTRY PopEntryList(PSINGLE_LIST_ENTRY head)
{
	PSINGLE_LIST_ENTRY first = head->Next;

	if (first != NULL)
		head->Next = first->Next;
	return first;
}

#endif

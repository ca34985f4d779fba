/*
 * section.c - sections without a file: memory that several views share.
 *
 * Owns:      the sections and the list of those with a name; the list of views.
 * Found by:  handle, or name (compared without case).
 * Locks:     `latch`, a leaf.
 * Dies when: a section's last handle is closed and its last view unmapped.
 */
#include "section.h"

#include "exec.h"
#include "handle.h"
#include "pool.h"
#include "unicode.h"

#define NT_TAG_SECTION 'tceS'
#define NT_SECTION_LIMIT (1ll << 32) /* bytes */

struct nt_section {
	LIST_ENTRY link; /* self-linked without a name */
	volatile LONG references;
	UNICODE_STRING name; /* behind the structure */
	SIZE_T size;         /* bytes */
	PUCHAR memory;
};

struct nt_view {
	LIST_ENTRY link;
	struct nt_section *section;
	PVOID base;
};

static struct nt_latch latch;
static LIST_ENTRY named = {&named, &named};
static LIST_ENTRY views = {&views, &views};

static void section_reference(PVOID section)
{
	InterlockedIncrement(&((struct nt_section *)section)->references);
}

void nt_section_dereference(PVOID object)
{
	struct nt_section *section = object;
	bool last;

	nt_latch_acquire(&latch);
	last = InterlockedDecrement(&section->references) == 0;
	if (last)
		RemoveEntryList(&section->link);
	nt_latch_release(&latch);
	if (!last)
		return;
	ExFreePoolWithTag(section->memory, NT_TAG_SECTION);
	ExFreePoolWithTag(section, NT_TAG_SECTION);
}

/* Locks: latch. */
static struct nt_section *find_locked(PUNICODE_STRING name)
{
	for (PLIST_ENTRY at = named.Flink; at != &named; at = at->Flink) {
		struct nt_section *section = CONTAINING_RECORD(at, struct nt_section, link);

		if (RtlEqualUnicodeString(&section->name, name, TRUE))
			return section;
	}
	return NULL;
}

static PUNICODE_STRING name_of(POBJECT_ATTRIBUTES attributes)
{
	if (attributes == NULL || attributes->ObjectName == NULL || attributes->ObjectName->Length == 0)
		return NULL;
	return attributes->ObjectName;
}

static struct nt_section *section_make(PUNICODE_STRING name, SIZE_T size)
{
	USHORT bytes = name != NULL ? name->Length : 0;
	struct nt_section *section =
		ExAllocatePoolWithTag(NonPagedPool, sizeof(*section) + bytes, NT_TAG_SECTION);

	if (section == NULL)
		return NULL;
	memset(section, 0, sizeof(*section));
	section->memory = ExAllocatePoolZero(NonPagedPool, size, NT_TAG_SECTION);
	if (section->memory == NULL) {
		ExFreePoolWithTag(section, NT_TAG_SECTION);
		return NULL;
	}
	InitializeListHead(&section->link);
	section->references = 1;
	section->size = size;
	section->name.Buffer = (PWCH)(section + 1);
	section->name.Length = section->name.MaximumLength = bytes;
	if (bytes != 0)
		memcpy(section->name.Buffer, name->Buffer, bytes);
	return section;
}

NTSTATUS ZwCreateSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess,
			 POBJECT_ATTRIBUTES ObjectAttributes, PLARGE_INTEGER MaximumSize,
			 ULONG SectionPageProtection, ULONG AllocationAttributes, HANDLE FileHandle)
{
	PUNICODE_STRING name = name_of(ObjectAttributes);
	struct nt_section *section, *other = NULL;
	NTSTATUS status;

	(void)DesiredAccess;
	(void)AllocationAttributes;
	*SectionHandle = NULL;
	if (FileHandle != NULL)
		return STATUS_NOT_SUPPORTED;
	if (MaximumSize == NULL || MaximumSize->QuadPart <= 0 || MaximumSize->QuadPart > NT_SECTION_LIMIT)
		return STATUS_INVALID_PARAMETER_4;
	if (SectionPageProtection != PAGE_READWRITE && SectionPageProtection != PAGE_READONLY)
		return STATUS_INVALID_PAGE_PROTECTION;
	section = section_make(name, (SIZE_T)MaximumSize->QuadPart);
	if (section == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (name != NULL) {
		nt_latch_acquire(&latch);
		other = find_locked(name);
		if (other == NULL)
			InsertTailList(&named, &section->link);
		else if (FlagOn(ObjectAttributes->Attributes, OBJ_OPENIF))
			section_reference(other);
		nt_latch_release(&latch);
	}
	if (other != NULL) {
		nt_section_dereference(section);
		if (!FlagOn(ObjectAttributes->Attributes, OBJ_OPENIF))
			return STATUS_OBJECT_NAME_COLLISION;
		section = other;
	}
	status = nt_handle_open(NT_HANDLE_SECTION, section, SectionHandle);
	if (!NT_SUCCESS(status))
		nt_section_dereference(section);
	else if (other != NULL)
		status = STATUS_OBJECT_NAME_EXISTS;
	return status;
}

NTSTATUS ZwOpenSection(PHANDLE SectionHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes)
{
	PUNICODE_STRING name = name_of(ObjectAttributes);
	struct nt_section *section;
	NTSTATUS status;

	(void)DesiredAccess;
	*SectionHandle = NULL;
	if (name == NULL)
		return STATUS_OBJECT_PATH_SYNTAX_BAD;
	nt_latch_acquire(&latch);
	section = find_locked(name);
	if (section != NULL)
		section_reference(section);
	nt_latch_release(&latch);
	if (section == NULL)
		return STATUS_OBJECT_NAME_NOT_FOUND;
	status = nt_handle_open(NT_HANDLE_SECTION, section, SectionHandle);
	if (!NT_SUCCESS(status))
		nt_section_dereference(section);
	return status;
}

NTSTATUS ZwMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress,
			    ULONG_PTR ZeroBits, SIZE_T CommitSize, PLARGE_INTEGER SectionOffset,
			    PSIZE_T ViewSize, SECTION_INHERIT InheritDisposition, ULONG AllocationType,
			    ULONG Win32Protect)
{
	LONGLONG offset = SectionOffset != NULL ? SectionOffset->QuadPart : 0;
	struct nt_section *section;
	struct nt_view *view;

	(void)ProcessHandle; /* one address space */
	(void)ZeroBits;
	(void)CommitSize;
	(void)InheritDisposition;
	(void)AllocationType;
	(void)Win32Protect;
	if (*BaseAddress != NULL)
		return STATUS_CONFLICTING_ADDRESSES;
	section = nt_handle_get(SectionHandle, NT_HANDLE_SECTION, section_reference);
	if (section == NULL)
		return STATUS_INVALID_HANDLE;
	if (offset < 0 || (SIZE_T)offset >= section->size || *ViewSize > section->size - (SIZE_T)offset) {
		nt_section_dereference(section);
		return STATUS_INVALID_VIEW_SIZE;
	}
	view = ExAllocatePoolWithTag(NonPagedPool, sizeof(*view), NT_TAG_SECTION);
	if (view == NULL) {
		nt_section_dereference(section);
		return STATUS_INSUFFICIENT_RESOURCES;
	}
	if (*ViewSize == 0)
		*ViewSize = section->size - (SIZE_T)offset;
	view->section = section;
	view->base = section->memory + offset;
	*BaseAddress = view->base;
	nt_latch_acquire(&latch);
	InsertTailList(&views, &view->link);
	nt_latch_release(&latch);
	return STATUS_SUCCESS;
}

NTSTATUS ZwUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress)
{
	struct nt_view *found = NULL;

	(void)ProcessHandle;
	nt_latch_acquire(&latch);
	for (PLIST_ENTRY at = views.Flink; at != &views && found == NULL; at = at->Flink) {
		struct nt_view *view = CONTAINING_RECORD(at, struct nt_view, link);

		if (view->base == BaseAddress)
			found = view;
	}
	if (found != NULL)
		RemoveEntryList(&found->link);
	nt_latch_release(&latch);
	if (found == NULL)
		return STATUS_NOT_MAPPED_VIEW;
	nt_section_dereference(found->section);
	ExFreePoolWithTag(found, NT_TAG_SECTION);
	return STATUS_SUCCESS;
}

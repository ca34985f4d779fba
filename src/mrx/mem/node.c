/*
 * node.c - nodes of a memory volume, their names, and directories.
 *
 * Owns:      struct mem_volume, mem_node, mem_entry.
 * Found by:  a directory's hash of names; enumeration walks an array in cookie order, so that it neither skips
 *            nor repeats an entry that stays, whatever comes and goes meanwhile.
 * Locks:     the volume's mutex for everything here.
 * Dies when: a node has neither a name nor a handle; a volume when nobody refers to it.
 */
#include "memfs.h"

#define FIRST_BUCKETS 8u
#define FIRST_SLOTS 8u
#define BREAK_LIMIT 10000u /* ms */

void mem_node_touch_locked(struct mem_node *node, ULONG what)
{
	LARGE_INTEGER now;

	KeQuerySystemTime(&now);
	if (what & MEM_TOUCH_ACCESS)
		node->last_access_time = now;
	if (what & MEM_TOUCH_WRITE)
		node->last_write_time = now;
	if (what & (MEM_TOUCH_CHANGE | MEM_TOUCH_WRITE))
		node->change_time = now;
}

NTSTATUS mem_blob_set(struct mem_blob *blob, const void *bytes, ULONG length)
{
	void *copy = NULL;

	if (length > 0) {
		copy = ExAllocatePoolWithTag(PagedPool, length, MEM_TAG_BLOB);
		if (copy == NULL)
			return STATUS_INSUFFICIENT_RESOURCES;
		RtlCopyMemory(copy, bytes, length);
	}
	if (blob->bytes != NULL)
		ExFreePoolWithTag(blob->bytes, MEM_TAG_BLOB);
	blob->bytes = copy;
	blob->length = length;
	return STATUS_SUCCESS;
}

NTSTATUS mem_node_create_locked(struct mem_volume *volume, bool directory, struct mem_node **out)
{
	struct mem_node *node = ExAllocatePoolWithTag(NonPagedPool, sizeof(*node), MEM_TAG_NODE);

	*out = NULL;
	if (node == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(node, sizeof(*node));
	node->volume = volume;
	node->id = ++volume->next_id;
	node->refs = 1; /* the creator's; given back once it has a name or a handle */
	node->is_directory = directory;
	node->attributes = directory ? FILE_ATTRIBUTE_DIRECTORY : FILE_ATTRIBUTE_ARCHIVE;
	node->dir.next_cookie = 1;
	ExInitializeResourceLite(&node->data_lock);
	InitializeListHead(&node->locks);
	InitializeListHead(&node->lock_waiters);
	InitializeListHead(&node->watches);
	InitializeListHead(&node->handles);
	InitializeListHead(&node->leases);
	InitializeListHead(&node->lease_waiters);
	mem_node_touch_locked(node, MEM_TOUCH_ACCESS | MEM_TOUCH_WRITE);
	node->creation_time = node->change_time;
	*out = node;
	return STATUS_SUCCESS;
}

static void node_destroy_locked(struct mem_node *node)
{
	ASSERT(IsListEmpty(&node->locks) && IsListEmpty(&node->lock_waiters) && IsListEmpty(&node->watches));
	ASSERT(IsListEmpty(&node->handles) && IsListEmpty(&node->leases) &&
	       IsListEmpty(&node->lease_waiters));
	ASSERT(node->dir.count == 0);
	mem_data_discard(node, 0);
	(void)mem_blob_set(&node->reparse, NULL, 0); /* length 0 only frees */
	(void)mem_blob_set(&node->ea, NULL, 0);
	(void)mem_blob_set(&node->sd, NULL, 0);
	if (node->dir.buckets != NULL)
		ExFreePoolWithTag(node->dir.buckets, MEM_TAG_NODE);
	if (node->dir.slots != NULL)
		ExFreePoolWithTag(node->dir.slots, MEM_TAG_NODE);
	ExDeleteResourceLite(&node->data_lock);
	ExFreePoolWithTag(node, MEM_TAG_NODE);
}

void mem_node_dereference_locked(struct mem_node *node)
{
	if (--node->refs == 0)
		node_destroy_locked(node);
}

void mem_entry_dereference_locked(struct mem_entry *entry)
{
	while (entry != NULL && --entry->refs == 0) {
		struct mem_entry *successor = entry->successor;

		ExFreePoolWithTag(entry, MEM_TAG_NAME);
		entry = successor;
	}
}

static bool names_equal(const struct mem_node *dir, const UNICODE_STRING *a, const UNICODE_STRING *b)
{
	return RtlEqualUnicodeString((PUNICODE_STRING)a, (PUNICODE_STRING)b, dir->volume->case_insensitive);
}

static ULONG name_hash(const struct mem_node *dir, const UNICODE_STRING *name)
{
	ULONG hash = 0;

	(void)RtlHashUnicodeString((PUNICODE_STRING)name, dir->volume->case_insensitive,
				   HASH_STRING_ALGORITHM_DEFAULT, &hash);
	return hash;
}

struct mem_entry *mem_dir_find_locked(struct mem_node *dir, const UNICODE_STRING *name)
{
	struct mem_entry *entry;
	ULONG hash;

	if (dir->dir.bucket_count == 0)
		return NULL;
	hash = name_hash(dir, name);
	for (entry = dir->dir.buckets[hash & (dir->dir.bucket_count - 1)]; entry != NULL;
	     entry = entry->hash_next)
		if (entry->hash == hash && names_equal(dir, &entry->name, name))
			return entry;
	return NULL;
}

static NTSTATUS grow_buckets(struct mem_node *dir)
{
	ULONG want = dir->dir.bucket_count == 0 ? FIRST_BUCKETS : dir->dir.bucket_count * 2;
	struct mem_entry **fresh, *entry, *next;
	ULONG i;

	if (dir->dir.bucket_count != 0 && dir->dir.count < dir->dir.bucket_count)
		return STATUS_SUCCESS;
	fresh = ExAllocatePoolWithTag(PagedPool, want * sizeof(*fresh), MEM_TAG_NODE);
	if (fresh == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(fresh, want * sizeof(*fresh));
	for (i = 0; i < dir->dir.bucket_count; i++)
		for (entry = dir->dir.buckets[i]; entry != NULL; entry = next) {
			next = entry->hash_next;
			entry->hash_next = fresh[entry->hash & (want - 1)];
			fresh[entry->hash & (want - 1)] = entry;
		}
	if (dir->dir.buckets != NULL)
		ExFreePoolWithTag(dir->dir.buckets, MEM_TAG_NODE);
	dir->dir.buckets = fresh;
	dir->dir.bucket_count = want;
	return STATUS_SUCCESS;
}

static void compact_slots(struct mem_dir *dir)
{
	ULONG from, to = 0;

	for (from = 0; from < dir->slot_count; from++)
		if (dir->slots[from].entry != NULL)
			dir->slots[to++] = dir->slots[from];
	dir->slot_count = to;
}

static NTSTATUS grow_slots(struct mem_dir *dir)
{
	ULONG want = dir->slot_capacity == 0 ? FIRST_SLOTS : dir->slot_capacity * 2;
	struct mem_slot *fresh;

	if (dir->slot_count < dir->slot_capacity)
		return STATUS_SUCCESS;
	if (dir->count < dir->slot_count / 2) {
		compact_slots(dir);
		return STATUS_SUCCESS;
	}
	fresh = ExAllocatePoolWithTag(PagedPool, want * sizeof(*fresh), MEM_TAG_NODE);
	if (fresh == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (dir->slots != NULL) {
		RtlCopyMemory(fresh, dir->slots, dir->slot_count * sizeof(*fresh));
		ExFreePoolWithTag(dir->slots, MEM_TAG_NODE);
	}
	dir->slots = fresh;
	dir->slot_capacity = want;
	return STATUS_SUCCESS;
}

/* Index of the first slot whose cookie is at least `cookie`. */
static ULONG slot_at_or_after(const struct mem_dir *dir, uint64_t cookie)
{
	ULONG low = 0, high = dir->slot_count;

	while (low < high) {
		ULONG middle = low + (high - low) / 2;

		if (dir->slots[middle].cookie < cookie)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct mem_entry *mem_dir_next_locked(struct mem_node *dir, uint64_t cookie)
{
	ULONG i;

	for (i = slot_at_or_after(&dir->dir, cookie); i < dir->dir.slot_count; i++)
		if (dir->dir.slots[i].entry != NULL)
			return dir->dir.slots[i].entry;
	return NULL;
}

NTSTATUS mem_dir_link_locked(struct mem_node *dir, const UNICODE_STRING *name, struct mem_node *node,
			     struct mem_entry **out)
{
	struct mem_entry *entry, **bucket;
	NTSTATUS status = grow_buckets(dir);

	if (NT_SUCCESS(status))
		status = grow_slots(&dir->dir);
	if (!NT_SUCCESS(status))
		return status;
	entry = ExAllocatePoolWithTag(PagedPool, sizeof(*entry) + name->Length, MEM_TAG_NAME);
	if (entry == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;

	RtlZeroMemory(entry, sizeof(*entry));
	entry->name.Buffer = (WCHAR *)(entry + 1);
	entry->name.Length = entry->name.MaximumLength = name->Length;
	RtlCopyMemory(entry->name.Buffer, name->Buffer, name->Length);
	entry->parent = dir;
	entry->node = node;
	entry->refs = 1;
	entry->linked = true;
	entry->hash = name_hash(dir, name);
	entry->cookie = dir->dir.next_cookie++;
	bucket = &dir->dir.buckets[entry->hash & (dir->dir.bucket_count - 1)];
	entry->hash_next = *bucket;
	*bucket = entry;
	dir->dir.slots[dir->dir.slot_count].cookie = entry->cookie;
	dir->dir.slots[dir->dir.slot_count].entry = entry;
	dir->dir.slot_count++;
	dir->dir.count++;
	node->refs++;
	node->links++;
	if (node->is_directory)
		node->dir.parent = dir;
	mem_node_touch_locked(dir, MEM_TOUCH_WRITE);
	if (out != NULL)
		*out = entry;
	return STATUS_SUCCESS;
}

static void detach_name(struct mem_entry *entry)
{
	struct mem_node *dir = entry->parent;
	struct mem_entry **at = &dir->dir.buckets[entry->hash & (dir->dir.bucket_count - 1)];
	ULONG slot = slot_at_or_after(&dir->dir, entry->cookie);

	while (*at != entry)
		at = &(*at)->hash_next;
	*at = entry->hash_next;
	ASSERT(slot < dir->dir.slot_count && dir->dir.slots[slot].entry == entry);
	dir->dir.slots[slot].entry = NULL;
	dir->dir.count--;
	mem_node_touch_locked(dir, MEM_TOUCH_WRITE);
}

void mem_dir_unlink_locked(struct mem_entry *entry)
{
	struct mem_node *node = entry->node;

	detach_name(entry);
	entry->linked = false;
	if (entry->delete_pending) {
		entry->delete_pending = false;
		node->deletes--;
	}
	node->links--;
	if (node->is_directory)
		node->dir.parent = NULL;
	mem_node_touch_locked(node, MEM_TOUCH_CHANGE);
	mem_node_dereference_locked(node);
	mem_entry_dereference_locked(entry);
}

/* Gives a node a new name in place of `entry`; handles that came in through the old name find the new one. */
NTSTATUS mem_dir_move_locked(struct mem_entry *entry, struct mem_node *to, const UNICODE_STRING *name,
			     struct mem_entry **moved)
{
	struct mem_node *node = entry->node;
	NTSTATUS status = mem_dir_link_locked(to, name, node, moved);

	if (!NT_SUCCESS(status))
		return status;
	entry->successor = *moved;
	(*moved)->refs++;
	if (entry->delete_pending) {
		(*moved)->delete_pending = true;
		node->deletes++;
	}
	mem_dir_unlink_locked(entry);
	if (node->is_directory)
		node->dir.parent = to; /* the unlink took the old one away */
	return STATUS_SUCCESS;
}

NTSTATUS mem_volume_create(const UNICODE_STRING *name, LONGLONG capacity, bool case_insensitive,
			   struct mem_volume **out)
{
	struct mem_volume *volume;
	NTSTATUS status;

	*out = NULL;
	volume = ExAllocatePoolWithTag(NonPagedPool, sizeof(*volume) + name->Length, MEM_TAG_VOLUME);
	if (volume == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	RtlZeroMemory(volume, sizeof(*volume));
	volume->name.Buffer = (WCHAR *)(volume + 1);
	volume->name.Length = volume->name.MaximumLength = name->Length;
	RtlCopyMemory(volume->name.Buffer, name->Buffer, name->Length);
	ExInitializeFastMutex(&volume->mutex);
	volume->refs = 1;
	volume->capacity = capacity;
	volume->case_insensitive = case_insensitive;
	volume->serial = 0x6d656d00;
	volume->break_limit = BREAK_LIMIT;
	ExAcquireFastMutex(&volume->mutex);
	status = mem_node_create_locked(volume, true, &volume->root);
	ExReleaseFastMutex(&volume->mutex);
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(volume, MEM_TAG_VOLUME);
		return status;
	}
	volume->root->links = 1;
	*out = volume;
	return STATUS_SUCCESS;
}

/* Unlinks everything below `dir`, deepest first, without recursion: trees can be deeper than a stack. */
static void empty_tree(struct mem_node *dir)
{
	struct mem_node *at = dir;

	while (true) {
		struct mem_entry *entry = mem_dir_next_locked(at, 0);
		struct mem_node *up;

		if (entry == NULL) {
			if (at == dir)
				return;
			up = at->dir.parent;
			mem_dir_unlink_locked(mem_dir_next_locked(up, 0));
			at = up;
		} else if (entry->node->is_directory && entry->node->dir.count > 0) {
			at = entry->node;
		} else {
			mem_dir_unlink_locked(entry);
		}
	}
}

void mem_volume_dereference(struct mem_volume *volume)
{
	if (InterlockedDecrement(&volume->refs) != 0)
		return;
	empty_tree(volume->root); /* nobody else can see it any more */
	mem_node_dereference_locked(volume->root);
	ASSERT(volume->used == 0);
	ExFreePoolWithTag(volume, MEM_TAG_VOLUME);
}

/*
 * node_names.c - the names that lead to nodes: paths, spellings, and what becomes of names that change.
 *
 * Owns:      struct front_link: one name of a node.  It belongs to its node and holds the parent (children).
 * Found by:  parent and name (nodes.by_name; the spellings of a name share a bucket); node->names.
 * Locks:     nodes.mutex for everything here.
 * Dies when: the name is gone or leads elsewhere, or its node is freed (front_node_settle_locked()).
 */
#include "node_int.h"

#define MAX_DEPTH 4096
#define MAX_PATH_BYTES 65000u

/* The spellings of a name share a bucket. */
static ULONG hash_name(const struct front_node *parent, const UNICODE_STRING *name)
{
	uint64_t h = (uint64_t)(uintptr_t)parent * 0x9E3779B97F4A7C15ull;
	USHORT i;

	for (i = 0; i < name->Length / sizeof(WCHAR); i++)
		h = (h ^ RtlUpcaseUnicodeChar(name->Buffer[i])) * 0x100000001B3ull;
	return (ULONG)(h ^ (h >> 32));
}

struct front_link *front_link_find_locked(struct front_nodes *nodes, struct front_node *parent,
					  const UNICODE_STRING *name)
{
	ULONG hash = hash_name(parent, name);
	LIST_ENTRY *head = &nodes->by_name[hash & (nodes->buckets - 1)];
	LIST_ENTRY *l;

	for (l = head->Flink; l != head; l = l->Flink) {
		struct front_link *link = CONTAINING_RECORD(l, struct front_link, bucket_link);

		if (link->hash == hash && link->parent == parent &&
		    RtlEqualUnicodeString(&link->name, name, FALSE))
			return link;
	}
	return NULL;
}

struct front_link *front_link_create(const UNICODE_STRING *name)
{
	struct front_link *link =
		ExAllocatePoolWithTag(NonPagedPool, sizeof(*link) + name->Length, FUSE_TAG_LINK);

	if (link == NULL)
		return NULL;
	RtlZeroMemory(link, sizeof(*link));
	link->name.Buffer = (PWCH)(link + 1);
	link->name.Length = name->Length;
	link->name.MaximumLength = name->Length;
	RtlCopyMemory(link->name.Buffer, name->Buffer, name->Length);
	return link;
}

void front_link_insert_locked(struct front_nodes *nodes, struct front_link *link, struct front_node *parent,
			      struct front_node *node)
{
	link->parent = parent;
	link->node = node;
	link->hash = hash_name(parent, &link->name);
	InsertHeadList(&nodes->by_name[link->hash & (nodes->buckets - 1)], &link->bucket_link);
	InsertHeadList(&node->names, &link->node_link);
	parent->children++;
}

void front_link_remove_locked(struct front_nodes *nodes, struct front_link *link)
{
	struct front_node *parent = link->parent;

	RemoveEntryList(&link->node_link);
	RemoveEntryList(&link->bucket_link);
	ExFreePoolWithTag(link, FUSE_TAG_LINK);
	parent->children--;
	front_node_settle_locked(nodes, parent);
}

/* ---- where a node stands ---------------------------------------------------------------------------- */

struct front_node *front_node_folder(struct rdr_fuse *fuse, struct front_node *node)
{
	struct front_node *folder = NULL;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	if (!IsListEmpty(&node->names)) {
		folder = CONTAINING_RECORD(node->names.Flink, struct front_link, node_link)->parent;
		folder->pins++;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return folder;
}

bool front_node_is_beside_locks(struct rdr_fuse *fuse, struct front_node *node)
{
	bool beside = false;
	LIST_ENTRY *l;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	for (l = node->names.Flink; l != &node->names && !beside; l = l->Flink)
		beside = atomic_load(&CONTAINING_RECORD(l, struct front_link, node_link)->parent->locking) !=
			 0;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return beside;
}

/* ---- paths ------------------------------------------------------------------------------------------ */

/* Bytes of the path without the root's own; status says when there is none. */
static NTSTATUS measure_locked(struct rdr_fuse *fuse, struct front_node *node, ULONG *bytes)
{
	ULONG total = 0;
	int depth;

	for (depth = 0; node != fuse->root; depth++) {
		struct front_link *link;

		if (IsListEmpty(&node->names))
			return STATUS_OBJECT_NAME_NOT_FOUND;
		link = CONTAINING_RECORD(node->names.Flink, struct front_link, node_link);
		total += link->name.Length + sizeof(WCHAR);
		/* A loop in the tree is possible for a moment when a server moves folders around. */
		if (depth >= MAX_DEPTH || total > MAX_PATH_BYTES)
			return STATUS_NAME_TOO_LONG;
		node = link->parent;
	}
	*bytes = total;
	return STATUS_SUCCESS;
}

NTSTATUS front_node_path(struct rdr_fuse *fuse, struct front_node *node, const char *name,
			 UNICODE_STRING *path)
{
	UNICODE_STRING leaf = {0};
	NTSTATUS status = STATUS_SUCCESS;
	ULONG bytes = 0, total;
	ULONG at; /* WCHARs */

	RtlZeroMemory(path, sizeof(*path));
	if (name != NULL)
		status = door_component_from_posix(name, strlen(name), &leaf);
	if (!NT_SUCCESS(status))
		return status;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	status = measure_locked(fuse, node, &bytes);
	total = fuse->root_path.Length + bytes + leaf.Length + 2 * sizeof(WCHAR);
	if (NT_SUCCESS(status) && total > MAX_PATH_BYTES)
		status = STATUS_NAME_TOO_LONG;
	if (NT_SUCCESS(status)) {
		path->Buffer = ExAllocatePoolWithTag(NonPagedPool, total, DOOR_TAG_NAME);
		if (path->Buffer == NULL)
			status = STATUS_INSUFFICIENT_RESOURCES;
	}
	if (!NT_SUCCESS(status))
		goto out_unlock;

	/* Filled from the right; a path never starts with a separator. */
	at = (fuse->root_path.Length + bytes) / sizeof(WCHAR);
	path->Length = (USHORT)(at * sizeof(WCHAR));
	path->MaximumLength = (USHORT)total;
	while (node != fuse->root) {
		struct front_link *link = CONTAINING_RECORD(node->names.Flink, struct front_link, node_link);

		at -= link->name.Length / sizeof(WCHAR);
		RtlCopyMemory(path->Buffer + at, link->name.Buffer, link->name.Length);
		path->Buffer[--at] = L'\\';
		node = link->parent;
	}
	if (fuse->root_path.Length != 0)
		RtlCopyMemory(path->Buffer, fuse->root_path.Buffer, fuse->root_path.Length);
	if (leaf.Length != 0) {
		path->Buffer[path->Length / sizeof(WCHAR)] = L'\\';
		RtlCopyMemory(path->Buffer + path->Length / sizeof(WCHAR) + 1, leaf.Buffer, leaf.Length);
		path->Length = (USHORT)(path->Length + leaf.Length + sizeof(WCHAR));
	}
	if (fuse->root_path.Length == 0 && path->Length != 0) {
		path->Length = (USHORT)(path->Length - sizeof(WCHAR));
		RtlMoveMemory(path->Buffer, path->Buffer + 1, path->Length);
	}
out_unlock:
	ExReleaseFastMutex(&fuse->nodes.mutex);
	door_name_free(&leaf);
	return status;
}

static bool has_names(struct rdr_fuse *fuse, struct front_node *node)
{
	bool several;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	several = node->names.Flink != node->names.Blink;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return several;
}

bool front_node_is_another(struct rdr_fuse *fuse, const struct front_node *node,
			   const FILE_STAT_INFORMATION *stat)
{
	return node != fuse->root && node->file_id != 0 && (uint64_t)stat->FileId.QuadPart != node->file_id;
}

NTSTATUS front_node_own_path(struct front_request *r, struct front_node *node, UNICODE_STRING *path)
{
	NTSTATUS status = front_node_path(r->fuse, node, NULL, path);
	FILE_STAT_INFORMATION stat;

	if (!NT_SUCCESS(status) || !has_names(r->fuse, node))
		return status;
	status = door_stat_path(r->fuse->volume, &r->caller, path, &stat);
	if (NT_SUCCESS(status) && front_node_is_another(r->fuse, node, &stat))
		status = STATUS_FILE_RENAMED;
	if (!NT_SUCCESS(status)) {
		door_name_free(path);
		path->Buffer = NULL;
	}
	return front_node_status(status);
}

/* ---- lookup by name --------------------------------------------------------------------------------- */

struct front_node *front_node_find_wide(struct rdr_fuse *fuse, struct front_node *parent,
					const UNICODE_STRING *name)
{
	struct front_node *node = NULL;
	struct front_link *link;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	link = front_link_find_locked(&fuse->nodes, parent, name);
	if (link != NULL) {
		node = link->node;
		node->pins++;
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return node;
}

struct front_node *front_node_find(struct rdr_fuse *fuse, struct front_node *parent, const char *name)
{
	UNICODE_STRING wide;
	struct front_node *node;

	if (!NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide)))
		return NULL;
	node = front_node_find_wide(fuse, parent, &wide);
	door_name_free(&wide);
	return node;
}

bool front_node_is_below(struct rdr_fuse *fuse, struct front_node *node, struct front_node *top)
{
	int depth;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	for (depth = 0; node != top && node != fuse->root && depth < MAX_DEPTH && !IsListEmpty(&node->names);
	     depth++)
		node = CONTAINING_RECORD(node->names.Flink, struct front_link, node_link)->parent;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return node == top;
}

bool front_node_has_spellings(struct rdr_fuse *fuse, struct front_node *node, struct front_node *parent)
{
	const UNICODE_STRING *first = NULL;
	bool several = false;
	LIST_ENTRY *l;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	for (l = node->names.Flink; l != &node->names; l = l->Flink) {
		struct front_link *link = CONTAINING_RECORD(l, struct front_link, node_link);

		if (link->parent != parent)
			continue;
		if (first == NULL) {
			first = &link->name; /* confirmed last: the one that is answered now */
		} else if (RtlEqualUnicodeString(first, &link->name, TRUE)) {
			several = true;
			front_notify_expire_entry(fuse, front_ino_of(fuse, parent), &link->name);
		}
	}
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return several;
}

/* ---- others' changes -------------------------------------------------------------------------------- */

static void tell_kernel_locked(struct rdr_fuse *fuse, struct front_link *link, bool moved)
{
	fuse_ino_t parent = front_ino_of(fuse, link->parent);

	if (moved && atomic_load(&fuse->can_expire))
		front_notify_expire_entry(fuse, parent, &link->name);
	else if (moved && link->node->type != S_IFDIR) /* nobody stands in it */
		front_notify_inval_entry(fuse, parent, &link->name);
	front_notify_inval_attr(fuse, front_ino_of(fuse, link->node));
}

void front_name_changed(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			bool moved)
{
	struct front_nodes *nodes = &fuse->nodes;
	LIST_ENTRY *head, *l, *n;

	ExAcquireFastMutex(&nodes->mutex);
	if (name != NULL) {
		head = &nodes->by_name[hash_name(parent, name) & (nodes->buckets - 1)];
		for (l = head->Flink; l != head; l = l->Flink) {
			struct front_link *link = CONTAINING_RECORD(l, struct front_link, bucket_link);

			if (link->parent == parent && RtlEqualUnicodeString(&link->name, name, TRUE))
				tell_kernel_locked(fuse, link, moved);
		}
	} else {
		for (n = nodes->all.Flink; n != &nodes->all; n = n->Flink) {
			head = &CONTAINING_RECORD(n, struct front_node, all_link)->names;
			for (l = head->Flink; l != head; l = l->Flink) {
				struct front_link *link = CONTAINING_RECORD(l, struct front_link, node_link);

				if (link->parent == parent)
					tell_kernel_locked(fuse, link, moved);
			}
		}
	}
	ExReleaseFastMutex(&nodes->mutex);
}

/* ---- names that go ---------------------------------------------------------------------------------- */

/*
 * Drops parent/name and its other spellings on a server that folds case.  A second, truly different name that
 * only differs in case is dropped as well and found again by its next lookup.
 */
static void drop_name_locked(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name)
{
	struct front_nodes *nodes = &fuse->nodes;
	struct front_link *link = front_link_find_locked(nodes, parent, name);
	struct front_node *node;
	LIST_ENTRY *l, *next;

	if (link == NULL)
		return;
	node = link->node;
	node->pins++;
	for (l = node->names.Flink; l != &node->names; l = next) {
		struct front_link *other = CONTAINING_RECORD(l, struct front_link, node_link);

		next = l->Flink;
		if (other->parent != parent || !RtlEqualUnicodeString(&other->name, name, TRUE))
			continue;
		if (other != link)
			front_notify_inval_entry(fuse, front_ino_of(fuse, parent), &other->name);
		parent->pins++;
		front_link_remove_locked(nodes, other);
		parent->pins--;
	}
	/* No name left: a new file may get the number while old handles live on. */
	if (IsListEmpty(&node->names))
		front_node_unhash_locked(node);
	node->pins--;
	front_node_settle_locked(nodes, node);
}

void front_name_removed(struct rdr_fuse *fuse, struct front_node *parent, const char *name)
{
	UNICODE_STRING wide;

	if (!NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide)))
		return;
	ExAcquireFastMutex(&fuse->nodes.mutex);
	drop_name_locked(fuse, parent, &wide);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	door_name_free(&wide);
}

void front_name_moved(struct rdr_fuse *fuse, struct front_node *parent, const char *name,
		      struct front_node *new_parent, const char *new_name)
{
	struct front_nodes *nodes = &fuse->nodes;
	UNICODE_STRING from, to;
	struct front_link *fresh = NULL, *link;
	struct front_node *node = NULL;

	if (!NT_SUCCESS(door_component_from_posix(name, strlen(name), &from)))
		return;
	if (!NT_SUCCESS(door_component_from_posix(new_name, strlen(new_name), &to)))
		goto out_from;
	fresh = front_link_create(&to);

	ExAcquireFastMutex(&nodes->mutex);
	link = front_link_find_locked(nodes, parent, &from);
	if (link != NULL) {
		node = link->node;
		node->pins++;
	}
	link = front_link_find_locked(nodes, new_parent, &to);
	if (link != NULL && link->node != node)
		drop_name_locked(fuse, new_parent, &to);
	if (node != NULL) {
		bool was_hashed = node->hashed;

		drop_name_locked(fuse, parent, &from);
		/* Without memory for the new name the node works by its handles until the next lookup. */
		if (fresh != NULL && front_link_find_locked(nodes, new_parent, &to) == NULL) {
			front_link_insert_locked(nodes, fresh, new_parent, node);
			fresh = NULL;
			if (was_hashed && !node->hashed)
				front_node_hash_locked(nodes, node);
		}
		node->pins--;
		front_node_settle_locked(nodes, node);
	}
	ExReleaseFastMutex(&nodes->mutex);

	if (fresh != NULL)
		ExFreePoolWithTag(fresh, FUSE_TAG_LINK);
	door_name_free(&to);
out_from:
	door_name_free(&from);
}

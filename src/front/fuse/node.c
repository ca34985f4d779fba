/*
 * node.c - what the kernel's node numbers mean: files by server id, and the names that lead to them.
 *
 * Owns:      struct front_node and struct front_link, in two hash tables (by server file id; by parent and
 *            name).  A node number is the node's address, FUSE_ROOT_ID for the root.
 * Found by:  the kernel's number; server id on lookup; parent and name on rename and removal.
 * Locks:     nodes.mutex for everything here.
 * Dies when: the kernel forgot it (nlookup), no child's name hangs on it, no handle is open and no request
 *            pins it.  Freeing never uses the network: a node is names and numbers only.
 *
 * A node without names was deleted or replaced; it works through its open handles.
 */
#include "fuse_int.h"

#define INITIAL_BUCKETS 1024u
#define MAX_BUCKETS (1u << 21)
#define MAX_DEPTH 4096
#define MAX_PATH_BYTES 65000u

static ULONG hash_id(uint64_t id)
{
	id *= 0x9E3779B97F4A7C15ull;
	return (ULONG)(id >> 32);
}

/* The spellings of a name share a bucket. */
static ULONG hash_name(const struct front_node *parent, const UNICODE_STRING *name)
{
	uint64_t h = (uint64_t)(uintptr_t)parent * 0x9E3779B97F4A7C15ull;
	USHORT i;

	for (i = 0; i < name->Length / sizeof(WCHAR); i++)
		h = (h ^ RtlUpcaseUnicodeChar(name->Buffer[i])) * 0x100000001B3ull;
	return (ULONG)(h ^ (h >> 32));
}

static LIST_ENTRY *make_buckets(ULONG count)
{
	LIST_ENTRY *heads = ExAllocatePoolWithTag(NonPagedPool, count * sizeof(*heads), FUSE_TAG_NODE);
	ULONG i;

	for (i = 0; heads != NULL && i < count; i++)
		InitializeListHead(&heads[i]);
	return heads;
}

static void hash_node_locked(struct front_nodes *nodes, struct front_node *node)
{
	InsertHeadList(&nodes->by_id[hash_id(node->file_id) & (nodes->buckets - 1)], &node->id_link);
	node->hashed = true;
}

static void unhash_node_locked(struct front_node *node)
{
	if (!node->hashed)
		return;
	RemoveEntryList(&node->id_link);
	node->hashed = false;
}

/* Failing to grow is harmless: chains get longer. */
static void grow_locked(struct front_nodes *nodes)
{
	ULONG count = nodes->buckets * 2;
	LIST_ENTRY *by_id, *by_name, *n, *l;

	if (nodes->count < nodes->buckets || count > MAX_BUCKETS)
		return;
	by_id = make_buckets(count);
	by_name = make_buckets(count);
	if (by_id == NULL || by_name == NULL) {
		if (by_id != NULL)
			ExFreePoolWithTag(by_id, FUSE_TAG_NODE);
		if (by_name != NULL)
			ExFreePoolWithTag(by_name, FUSE_TAG_NODE);
		return;
	}
	for (n = nodes->all.Flink; n != &nodes->all; n = n->Flink) {
		struct front_node *node = CONTAINING_RECORD(n, struct front_node, all_link);

		if (node->hashed)
			InsertHeadList(&by_id[hash_id(node->file_id) & (count - 1)], &node->id_link);
		for (l = node->names.Flink; l != &node->names; l = l->Flink) {
			struct front_link *link = CONTAINING_RECORD(l, struct front_link, node_link);

			InsertHeadList(&by_name[link->hash & (count - 1)], &link->bucket_link);
		}
	}
	ExFreePoolWithTag(nodes->by_id, FUSE_TAG_NODE);
	ExFreePoolWithTag(nodes->by_name, FUSE_TAG_NODE);
	nodes->by_id = by_id;
	nodes->by_name = by_name;
	nodes->buckets = count;
}

static struct front_node *node_create_locked(struct front_nodes *nodes)
{
	struct front_node *node = ExAllocatePoolWithTag(NonPagedPool, sizeof(*node), FUSE_TAG_NODE);

	if (node == NULL)
		return NULL;
	RtlZeroMemory(node, sizeof(*node));
	InitializeListHead(&node->names);
	InitializeListHead(&node->files);
	InsertTailList(&nodes->all, &node->all_link);
	nodes->count++;
	grow_locked(nodes);
	return node;
}

/* Frees @node when nothing holds it, then its parents likewise. */
static void settle_locked(struct front_nodes *nodes, struct front_node *node)
{
	struct rdr_fuse *fuse = CONTAINING_RECORD(nodes, struct rdr_fuse, nodes);

	while (node != NULL && node->nlookup == 0 && node->children == 0 && node->pins == 0 &&
	       IsListEmpty(&node->files)) {
		struct front_node *parent = NULL;

		while (!IsListEmpty(&node->names)) {
			struct front_link *link =
				CONTAINING_RECORD(node->names.Flink, struct front_link, node_link);
			struct front_node *holder = link->parent;

			RemoveEntryList(&link->node_link);
			RemoveEntryList(&link->bucket_link);
			ExFreePoolWithTag(link, FUSE_TAG_LINK);
			holder->children--;
			/* One parent is settled by the loop, further ones (hard links) by recursion. */
			if (parent == NULL)
				parent = holder;
			else if (holder != parent)
				settle_locked(nodes, holder);
		}
		unhash_node_locked(node);
		front_listing_node_gone(fuse, node);
		front_cache_node_gone(node);
		RemoveEntryList(&node->all_link);
		nodes->count--;
		ExFreePoolWithTag(node, FUSE_TAG_NODE);
		node = parent;
	}
}

static void link_remove_locked(struct front_nodes *nodes, struct front_link *link)
{
	struct front_node *parent = link->parent;

	RemoveEntryList(&link->node_link);
	RemoveEntryList(&link->bucket_link);
	ExFreePoolWithTag(link, FUSE_TAG_LINK);
	parent->children--;
	settle_locked(nodes, parent);
}

static struct front_link *link_find_locked(struct front_nodes *nodes, struct front_node *parent,
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

static struct front_link *link_create(const UNICODE_STRING *name)
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

static void link_insert_locked(struct front_nodes *nodes, struct front_link *link, struct front_node *parent,
			       struct front_node *node)
{
	link->parent = parent;
	link->node = node;
	link->hash = hash_name(parent, &link->name);
	InsertHeadList(&nodes->by_name[link->hash & (nodes->buckets - 1)], &link->bucket_link);
	InsertHeadList(&node->names, &link->node_link);
	parent->children++;
}

/* ---- life of the table ------------------------------------------------------------------------------ */

NTSTATUS front_nodes_init(struct rdr_fuse *fuse)
{
	struct front_nodes *nodes = &fuse->nodes;

	ExInitializeFastMutex(&nodes->mutex);
	KeInitializeEvent(&nodes->left, NotificationEvent, FALSE);
	front_listings_init(fuse);
	InitializeListHead(&nodes->all);
	nodes->count = 0;
	nodes->buckets = INITIAL_BUCKETS;
	nodes->by_id = make_buckets(nodes->buckets);
	nodes->by_name = make_buckets(nodes->buckets);
	if (nodes->by_id == NULL || nodes->by_name == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	fuse->root = node_create_locked(nodes);
	if (fuse->root == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	fuse->root->pins = 1;
	fuse->root->type = S_IFDIR;
	return STATUS_SUCCESS;
}

/* The session is over: the kernel does not send FORGET for what it still knew. */
void front_nodes_free(struct rdr_fuse *fuse)
{
	struct front_nodes *nodes = &fuse->nodes;

	if (nodes->by_id != NULL && nodes->by_name != NULL) {
		while (!IsListEmpty(&nodes->all)) {
			struct front_node *node =
				CONTAINING_RECORD(nodes->all.Flink, struct front_node, all_link);

			while (!IsListEmpty(&node->names)) {
				struct front_link *link = CONTAINING_RECORD(RemoveHeadList(&node->names),
									    struct front_link, node_link);

				ExFreePoolWithTag(link, FUSE_TAG_LINK);
			}
			front_listing_node_gone(fuse, node);
			ExAcquireFastMutex(&nodes->mutex);
			front_cache_node_gone(node);
			ExReleaseFastMutex(&nodes->mutex);
			RemoveEntryList(&node->all_link);
			ExFreePoolWithTag(node, FUSE_TAG_NODE);
		}
	}
	if (nodes->by_id != NULL)
		ExFreePoolWithTag(nodes->by_id, FUSE_TAG_NODE);
	if (nodes->by_name != NULL)
		ExFreePoolWithTag(nodes->by_name, FUSE_TAG_NODE);
	nodes->by_id = NULL;
	nodes->by_name = NULL;
	nodes->count = 0;
	fuse->root = NULL;
}

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

uint32_t front_node_count(struct rdr_fuse *fuse)
{
	uint32_t count;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	count = fuse->nodes.count;
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return count;
}

/* ---- numbers ---------------------------------------------------------------------------------------- */

struct front_node *front_node_of(struct rdr_fuse *fuse, fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? fuse->root : (struct front_node *)(uintptr_t)ino;
}

fuse_ino_t front_ino_of(struct rdr_fuse *fuse, struct front_node *node)
{
	return node == fuse->root ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)node;
}

void front_node_pin(struct rdr_fuse *fuse, struct front_node *node)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	node->pins++;
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

void front_node_unpin(struct rdr_fuse *fuse, struct front_node *node)
{
	ExAcquireFastMutex(&fuse->nodes.mutex);
	node->pins--;
	settle_locked(&fuse->nodes, node);
	ExReleaseFastMutex(&fuse->nodes.mutex);
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

/* ---- lookup, forget, names -------------------------------------------------------------------------- */

static struct front_node *find_by_id_locked(struct front_nodes *nodes, uint64_t id, uint32_t type)
{
	LIST_ENTRY *head = &nodes->by_id[hash_id(id) & (nodes->buckets - 1)];
	LIST_ENTRY *l;

	for (l = head->Flink; l != head; l = l->Flink) {
		struct front_node *node = CONTAINING_RECORD(l, struct front_node, id_link);

		if (node->file_id != id)
			continue;
		if (node->type == type)
			return node;
		/* The server gave the number to something else: the old file is no more. */
		unhash_node_locked(node);
		return NULL;
	}
	return NULL;
}

bool front_node_is_as_listed(struct rdr_fuse *fuse, uint64_t file_id, ULONGLONG since)
{
	struct front_nodes *nodes = &fuse->nodes;
	bool as_listed = true;
	LIST_ENTRY *head, *l;

	ExAcquireFastMutex(&nodes->mutex);
	head = &nodes->by_id[hash_id(file_id) & (nodes->buckets - 1)];
	for (l = head->Flink; l != head; l = l->Flink) {
		struct front_node *node = CONTAINING_RECORD(l, struct front_node, id_link);

		if (node->file_id != file_id)
			continue;
		as_listed = IsListEmpty(&node->files) && node->leaving == 0;
		ExAcquireFastMutex(&fuse->listings.mutex);
		as_listed = as_listed && node->changed_at < since;
		ExReleaseFastMutex(&fuse->listings.mutex);
	}
	ExReleaseFastMutex(&nodes->mutex);
	return as_listed;
}

bool front_node_is_settled(struct rdr_fuse *fuse, struct front_node *node, ULONGLONG since)
{
	bool settled;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	settled = IsListEmpty(&node->files) && node->leaving == 0;
	ExAcquireFastMutex(&fuse->listings.mutex);
	settled = settled && node->changed_at < since && fuse->listings.floor < since;
	ExReleaseFastMutex(&fuse->listings.mutex);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return settled;
}

NTSTATUS front_node_obtain(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			   const FILE_STAT_INFORMATION *stat, struct front_node **out)
{
	struct front_nodes *nodes = &fuse->nodes;
	uint64_t id = (uint64_t)stat->FileId.QuadPart;
	uint32_t type = front_type_of(stat);
	struct front_link *fresh = link_create(name);
	struct front_link *link;
	struct front_node *node = NULL;

	*out = NULL;
	if (fresh == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (id == ~(uint64_t)0)
		id = 0;

	ExAcquireFastMutex(&nodes->mutex);
	link = link_find_locked(nodes, parent, name);
	if (id != 0)
		node = find_by_id_locked(nodes, id, type);
	else if (link != NULL && link->node->type == type)
		node = link->node;
	/* The root seen through a name below it: a loop that only a broken server makes. */
	if (node == fuse->root)
		node = NULL;
	if (node == NULL) {
		node = node_create_locked(nodes);
		if (node == NULL)
			goto out_unlock;
		node->type = type;
		node->file_id = id;
		if (id != 0)
			hash_node_locked(nodes, node);
	}
	node->nlookup++;
	if (link != NULL && link->node == node) {
		RemoveEntryList(&link->node_link);
		InsertHeadList(&node->names, &link->node_link);
	} else {
		parent->pins++; /* link_remove_locked() must not free it under us */
		if (link != NULL)
			link_remove_locked(nodes, link);
		link_insert_locked(nodes, fresh, parent, node);
		parent->pins--;
		fresh = NULL;
	}
	*out = node;
out_unlock:
	ExReleaseFastMutex(&nodes->mutex);
	if (fresh != NULL)
		ExFreePoolWithTag(fresh, FUSE_TAG_LINK);
	return *out != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

void front_node_forget(struct rdr_fuse *fuse, struct front_node *node, uint64_t n)
{
	if (node == fuse->root)
		return;
	ExAcquireFastMutex(&fuse->nodes.mutex);
	node->nlookup -= n < node->nlookup ? n : node->nlookup;
	settle_locked(&fuse->nodes, node);
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

struct front_node *front_node_find_wide(struct rdr_fuse *fuse, struct front_node *parent,
					const UNICODE_STRING *name)
{
	struct front_node *node = NULL;
	struct front_link *link;

	ExAcquireFastMutex(&fuse->nodes.mutex);
	link = link_find_locked(&fuse->nodes, parent, name);
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
	struct front_link *link = link_find_locked(nodes, parent, name);
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
		link_remove_locked(nodes, other);
		parent->pins--;
	}
	/* No name left: a new file may get the number while old handles live on. */
	if (IsListEmpty(&node->names))
		unhash_node_locked(node);
	node->pins--;
	settle_locked(nodes, node);
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
	fresh = link_create(&to);

	ExAcquireFastMutex(&nodes->mutex);
	link = link_find_locked(nodes, parent, &from);
	if (link != NULL) {
		node = link->node;
		node->pins++;
	}
	link = link_find_locked(nodes, new_parent, &to);
	if (link != NULL && link->node != node)
		drop_name_locked(fuse, new_parent, &to);
	if (node != NULL) {
		bool was_hashed = node->hashed;

		drop_name_locked(fuse, parent, &from);
		/* Without memory for the new name the node works by its handles until the next lookup. */
		if (fresh != NULL && link_find_locked(nodes, new_parent, &to) == NULL) {
			link_insert_locked(nodes, fresh, new_parent, node);
			fresh = NULL;
			if (was_hashed && !node->hashed)
				hash_node_locked(nodes, node);
		}
		node->pins--;
		settle_locked(nodes, node);
	}
	ExReleaseFastMutex(&nodes->mutex);

	if (fresh != NULL)
		ExFreePoolWithTag(fresh, FUSE_TAG_LINK);
	door_name_free(&to);
out_from:
	door_name_free(&from);
}

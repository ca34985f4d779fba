/*
 * node.c - what the kernel's node numbers mean: files by server id.
 *
 * Owns:      struct front_node, and the two hash tables (by server file id; by parent and name: node_names.c).  A node
 *            number is the node's address, FUSE_ROOT_ID for the root.
 * Found by:  the kernel's number; server id on lookup; parent and name on rename and removal.
 * Locks:     nodes.mutex for everything here.
 * Dies when: the kernel forgot it (nlookup), no child's name hangs on it, no handle is open and no request
 *            pins it.  Freeing never uses the network: a node is names and numbers only.
 *
 * A node without names was deleted or replaced; it works through its open handles.
 */
#include "node_int.h"

#define INITIAL_BUCKETS 1024u
#define MAX_BUCKETS (1u << 21)

static ULONG hash_id(uint64_t id)
{
	id *= 0x9E3779B97F4A7C15ull;
	return (ULONG)(id >> 32);
}

static LIST_ENTRY *make_buckets(ULONG count)
{
	LIST_ENTRY *heads = ExAllocatePoolWithTag(NonPagedPool, count * sizeof(*heads), FUSE_TAG_NODE);
	ULONG i;

	for (i = 0; heads != NULL && i < count; i++)
		InitializeListHead(&heads[i]);
	return heads;
}

void front_node_hash_locked(struct front_nodes *nodes, struct front_node *node)
{
	InsertHeadList(&nodes->by_id[hash_id(node->file_id) & (nodes->buckets - 1)], &node->id_link);
	node->hashed = true;
}

void front_node_unhash_locked(struct front_node *node)
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

void front_node_settle_locked(struct front_nodes *nodes, struct front_node *node)
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
				front_node_settle_locked(nodes, holder);
		}
		front_node_unhash_locked(node);
		front_listing_node_gone(fuse, node);
		front_cache_node_gone(node);
		RemoveEntryList(&node->all_link);
		nodes->count--;
		ExFreePoolWithTag(node, FUSE_TAG_NODE);
		node = parent;
	}
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
	front_node_settle_locked(&fuse->nodes, node);
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

/* ---- lookup, forget --------------------------------------------------------------------------------- */

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
		front_node_unhash_locked(node);
		return NULL;
	}
	return NULL;
}

/* A listing does not count names: a file that had several is asked for. */
static bool has_one_name(const struct front_node *node)
{
	return atomic_load_explicit(&node->told_links, memory_order_relaxed) < 2;
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
		as_listed = IsListEmpty(&node->files) && node->leaving == 0 && has_one_name(node);
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
	settled = IsListEmpty(&node->files) && node->leaving == 0 && has_one_name(node);
	ExAcquireFastMutex(&fuse->listings.mutex);
	settled = settled && node->changed_at < since && fuse->listings.floor < since;
	ExReleaseFastMutex(&fuse->listings.mutex);
	ExReleaseFastMutex(&fuse->nodes.mutex);
	return settled;
}

void front_node_is_made(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			const FILE_STAT_INFORMATION *stat)
{
	struct front_nodes *nodes = &fuse->nodes;
	uint64_t id = (uint64_t)stat->FileId.QuadPart;
	struct front_node *old;
	struct front_link *link;

	if (id == 0 || id == ~(uint64_t)0)
		return;
	ExAcquireFastMutex(&nodes->mutex);
	link = front_link_find_locked(nodes, parent, name);
	old = find_by_id_locked(nodes, id, front_type_of(stat));
	if (old != NULL && (link == NULL || link->node != old)) /* else somebody looked it up before us */
		front_node_unhash_locked(old);
	ExReleaseFastMutex(&nodes->mutex);
}

NTSTATUS front_node_obtain(struct rdr_fuse *fuse, struct front_node *parent, const UNICODE_STRING *name,
			   const FILE_STAT_INFORMATION *stat, struct front_node **out)
{
	struct front_nodes *nodes = &fuse->nodes;
	uint64_t id = (uint64_t)stat->FileId.QuadPart;
	uint32_t type = front_type_of(stat);
	struct front_link *fresh = front_link_create(name);
	struct front_link *link;
	struct front_node *node = NULL;

	*out = NULL;
	if (fresh == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (id == ~(uint64_t)0)
		id = 0;

	ExAcquireFastMutex(&nodes->mutex);
	link = front_link_find_locked(nodes, parent, name);
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
			front_node_hash_locked(nodes, node);
	}
	node->nlookup++;
	if (link != NULL && link->node == node) {
		RemoveEntryList(&link->node_link);
		InsertHeadList(&node->names, &link->node_link);
	} else {
		parent->pins++; /* front_link_remove_locked() must not free it under us */
		if (link != NULL)
			front_link_remove_locked(nodes, link);
		front_link_insert_locked(nodes, fresh, parent, node);
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
	front_node_settle_locked(&fuse->nodes, node);
	ExReleaseFastMutex(&fuse->nodes.mutex);
}

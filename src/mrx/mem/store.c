/*
 * store.c - sparse file contents in memory.
 *
 * Owns:   the chunks and interior tables below struct mem_data.
 * Locks:  the node's data_lock: shared for reading, exclusive for the rest.
 *
 * A file is a radix tree: leaves are 64 KiB chunks, tables have 512 entries, and the tree is only as high as
 * the last byte needs.  A hole costs nothing, so a file of many GiB with little in it stays small.
 */
#include "memfs.h"

#define CHUNK_SHIFT 16
#define CHUNK_BYTES (1u << CHUNK_SHIFT)
#define FAN_SHIFT 9
#define FAN (1u << FAN_SHIFT)

struct table {
	void *child[FAN];
};

static uint64_t height_capacity(unsigned int height)
{
	/* Chunks that a tree of this height can address; 2^63 bytes fit in height 6. */
	return (uint64_t)1 << (FAN_SHIFT * height);
}

static void *zeroed(size_t bytes)
{
	void *p = ExAllocatePoolWithTag(PagedPool, bytes, MEM_TAG_DATA);

	if (p != NULL)
		RtlZeroMemory(p, bytes);
	return p;
}

/* The slot that holds chunk `index`, or NULL when the tree does not reach it (or memory ran out while growing). */
static void **chunk_slot(struct mem_data *data, uint64_t index, bool grow)
{
	void **slot;
	unsigned int level;

	while (index >= height_capacity(data->height)) {
		struct table *above;

		if (!grow)
			return NULL;
		if (data->root != NULL) {
			above = zeroed(sizeof(*above));
			if (above == NULL)
				return NULL;
			above->child[0] = data->root;
			data->root = above;
		}
		data->height++;
	}

	slot = &data->root;
	for (level = data->height; level > 0; level--) {
		if (*slot == NULL) {
			if (!grow)
				return NULL;
			*slot = zeroed(sizeof(struct table));
			if (*slot == NULL)
				return NULL;
		}
		slot = &((struct table *)*slot)->child[(index >> (FAN_SHIFT * (level - 1))) & (FAN - 1)];
	}
	return slot;
}

static void *chunk_find(const struct mem_data *data, uint64_t index)
{
	void **slot = chunk_slot((struct mem_data *)data, index, false);

	return slot == NULL ? NULL : *slot;
}

static NTSTATUS chunk_make(struct mem_node *node, uint64_t index, void **out)
{
	void **slot = chunk_slot(&node->data, index, true);

	if (slot == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	if (*slot == NULL) {
		LONGLONG used = InterlockedAdd64(&node->volume->used, CHUNK_BYTES);

		if (used > node->volume->capacity) {
			InterlockedAdd64(&node->volume->used, -(LONGLONG)CHUNK_BYTES);
			return STATUS_DISK_FULL;
		}
		*slot = zeroed(CHUNK_BYTES);
		if (*slot == NULL) {
			InterlockedAdd64(&node->volume->used, -(LONGLONG)CHUNK_BYTES);
			return STATUS_INSUFFICIENT_RESOURCES;
		}
		node->data.chunks++;
	}
	*out = *slot;
	return STATUS_SUCCESS;
}

NTSTATUS mem_data_write(struct mem_node *node, LONGLONG offset, const void *bytes, ULONG length)
{
	const uint8_t *from = bytes;

	while (length > 0) {
		ULONG within = (ULONG)(offset & (CHUNK_BYTES - 1));
		ULONG part = CHUNK_BYTES - within;
		void *chunk;
		NTSTATUS status;

		if (part > length)
			part = length;
		status = chunk_make(node, (uint64_t)offset >> CHUNK_SHIFT, &chunk);
		if (!NT_SUCCESS(status))
			return status;
		RtlCopyMemory((uint8_t *)chunk + within, from, part);
		from += part;
		offset += part;
		length -= part;
	}
	return STATUS_SUCCESS;
}

void mem_data_read(const struct mem_node *node, LONGLONG offset, void *bytes, ULONG length)
{
	uint8_t *to = bytes;

	while (length > 0) {
		ULONG within = (ULONG)(offset & (CHUNK_BYTES - 1));
		ULONG part = CHUNK_BYTES - within;
		const uint8_t *chunk = chunk_find(&node->data, (uint64_t)offset >> CHUNK_SHIFT);

		if (part > length)
			part = length;
		if (chunk != NULL)
			RtlCopyMemory(to, chunk + within, part);
		else
			RtlZeroMemory(to, part);
		to += part;
		offset += part;
		length -= part;
	}
}

/* Frees the chunks of the subtree whose index is at least `first`; true when nothing is left of it. */
static bool prune(struct mem_node *node, void **slot, unsigned int level, uint64_t base, uint64_t first)
{
	bool empty = true;
	unsigned int i;

	if (*slot == NULL)
		return true;
	if (level == 0) {
		if (base < first)
			return false;
		ExFreePoolWithTag(*slot, MEM_TAG_DATA);
		*slot = NULL;
		node->data.chunks--;
		InterlockedAdd64(&node->volume->used, -(LONGLONG)CHUNK_BYTES);
		return true;
	}
	for (i = 0; i < FAN; i++) {
		uint64_t span = height_capacity(level - 1);
		uint64_t child = base + i * span;
		void **below = &((struct table *)*slot)->child[i];

		if (*below == NULL)
			continue;
		if (child + span <= first || !prune(node, below, level - 1, child, first))
			empty = false;
	}
	if (empty) {
		ExFreePoolWithTag(*slot, MEM_TAG_DATA);
		*slot = NULL;
	}
	return empty;
}

void mem_data_discard(struct mem_node *node, LONGLONG from)
{
	uint64_t first = ((uint64_t)from + CHUNK_BYTES - 1) >> CHUNK_SHIFT;
	ULONG within = (ULONG)(from & (CHUNK_BYTES - 1));

	if (prune(node, &node->data.root, node->data.height, 0, first))
		node->data.height = 0;
	if (within != 0) {
		uint8_t *chunk = chunk_find(&node->data, (uint64_t)from >> CHUNK_SHIFT);

		if (chunk != NULL)
			RtlZeroMemory(chunk + within, CHUNK_BYTES - within);
	}
}

/* The lowest allocated chunk whose index is at least `first`, or UINT64_MAX. */
static uint64_t next_chunk(void *root, unsigned int level, uint64_t base, uint64_t first)
{
	uint64_t span, i;

	if (root == NULL)
		return UINT64_MAX;
	if (level == 0)
		return base >= first ? base : UINT64_MAX;
	span = height_capacity(level - 1);
	for (i = first > base ? (first - base) / span : 0; i < FAN; i++) {
		uint64_t found =
			next_chunk(((struct table *)root)->child[i], level - 1, base + i * span, first);

		if (found != UINT64_MAX)
			return found;
	}
	return UINT64_MAX;
}

/* Zeros a range in place; whole chunks become holes again, and holes are stepped over however long they are. */
void mem_data_zero(struct mem_node *node, LONGLONG from, LONGLONG to)
{
	uint64_t index;

	for (index = next_chunk(node->data.root, node->data.height, 0, (uint64_t)from >> CHUNK_SHIFT);
	     index != UINT64_MAX && (LONGLONG)(index << CHUNK_SHIFT) < to;
	     index = next_chunk(node->data.root, node->data.height, 0, index + 1)) {
		LONGLONG start = (LONGLONG)(index << CHUNK_SHIFT);
		LONGLONG first = from > start ? from - start : 0;
		LONGLONG last = to - start < CHUNK_BYTES ? to - start : CHUNK_BYTES;
		void **slot = chunk_slot(&node->data, index, false);

		if (last - first == CHUNK_BYTES) {
			ExFreePoolWithTag(*slot, MEM_TAG_DATA);
			*slot = NULL;
			node->data.chunks--;
			InterlockedAdd64(&node->volume->used, -(LONGLONG)CHUNK_BYTES);
		} else {
			RtlZeroMemory((uint8_t *)*slot + first, (size_t)(last - first));
		}
	}
}

/* The first allocated range at or after `from`, cut at the end of the file; false when there is none. */
bool mem_data_next_range(const struct mem_node *node, LONGLONG from, LONGLONG *start, LONGLONG *end)
{
	uint64_t index = next_chunk(node->data.root, node->data.height, 0, (uint64_t)from >> CHUNK_SHIFT);
	uint64_t last = index;

	if (index == UINT64_MAX)
		return false;
	*start = (LONGLONG)(index << CHUNK_SHIFT);
	if (*start < from)
		*start = from;
	if (*start >= node->size)
		return false;
	while (chunk_find(&node->data, last + 1) != NULL)
		last++;
	/* Unsigned: the chunk that holds the last byte there can be ends past what a LONGLONG holds. */
	*end = (last + 1) << CHUNK_SHIFT > (uint64_t)node->size ? node->size
								: (LONGLONG)((last + 1) << CHUNK_SHIFT);
	return true;
}

LONGLONG mem_data_allocation(const struct mem_node *node)
{
	return (LONGLONG)(node->data.chunks << CHUNK_SHIFT);
}

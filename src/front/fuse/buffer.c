/*
 * buffer.c - pooled buffers for data on its way to the kernel.
 *
 * Owns:      free buffers in a few size classes, so that a stream of reads touches the same warm pages.
 * Locks:     one spin lock; a leaf.
 * Dies when: front_buffer_trim(), called when the last mount ends.
 * Level:     <= DISPATCH_LEVEL; completions return buffers.
 */
#include "fuse_int.h"

#define CLASSES 4
#define KEEP_BYTES (8u << 20) /* free bytes kept per class */

static const size_t class_size[CLASSES] = {16u << 10, 128u << 10, 256u << 10, FRONT_MAX_IO};

struct free_buffer {
	struct free_buffer *next;
};

static KSPIN_LOCK cache_lock; /* free, as a static one is */
static struct {
	struct free_buffer *head[CLASSES];
	unsigned int count[CLASSES];
} cache RX_GUARDED_BY(cache_lock);

static int class_of(size_t size)
{
	int c;

	for (c = 0; c < CLASSES; c++)
		if (size <= class_size[c])
			return c;
	return -1;
}

void *front_buffer_get(size_t size, size_t *capacity)
{
	int c = class_of(size);
	struct free_buffer *b = NULL;
	KIRQL irql;

	*capacity = c < 0 ? size : class_size[c];
	if (c >= 0) {
		KeAcquireSpinLock(&cache_lock, &irql);
		b = cache.head[c];
		if (b != NULL) {
			cache.head[c] = b->next;
			cache.count[c]--;
		}
		KeReleaseSpinLock(&cache_lock, irql);
	}
	return b != NULL ? b : ExAllocatePoolWithTag(NonPagedPool, *capacity, FUSE_TAG_BUFFER);
}

void front_buffer_put(void *buffer, size_t capacity)
{
	int c = class_of(capacity);
	struct free_buffer *b = buffer;
	KIRQL irql;

	if (buffer == NULL)
		return;
	if (c >= 0 && class_size[c] == capacity) {
		KeAcquireSpinLock(&cache_lock, &irql);
		if (cache.count[c] < KEEP_BYTES / class_size[c]) {
			b->next = cache.head[c];
			cache.head[c] = b;
			cache.count[c]++;
			b = NULL;
		}
		KeReleaseSpinLock(&cache_lock, irql);
	}
	if (b != NULL)
		ExFreePoolWithTag(b, FUSE_TAG_BUFFER);
}

void front_buffer_trim(void)
{
	int c;

	for (c = 0; c < CLASSES; c++) {
		struct free_buffer *b, *next;
		KIRQL irql;

		KeAcquireSpinLock(&cache_lock, &irql);
		b = cache.head[c];
		cache.head[c] = NULL;
		cache.count[c] = 0;
		KeReleaseSpinLock(&cache_lock, irql);
		for (; b != NULL; b = next) {
			next = b->next;
			ExFreePoolWithTag(b, FUSE_TAG_BUFFER);
		}
	}
}

/*
 * pool.c - tagged memory over malloc, counted by tag.
 *
 * Owns:    a 16-byte header before each allocation; per OS thread a table of counters by tag, written by that thread
 *          alone and handed to a later thread when it ends; the armed allocation failure.
 * Locks:   shard_lock for the list of tables, a leaf.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "nt/exec.h"
#include "nt_misuse.h"
#include "pool.h"

#define NT_POOL_LIVE 0x4c4du
#define NT_POOL_FREED 0x4644u
#define NT_POOL_ALIGN 64  /* of the cache-aligned pool types */
#define NT_SHARD_TAGS 512 /* a power of two */

struct pool_header {
	ULONG tag;
	USHORT state;
	USHORT offset; /* of the header from the start of malloc's block */
	SIZE_T size;   /* as asked for */
};
_Static_assert(sizeof(struct pool_header) == 16, "keeps malloc's alignment");

struct tag_count {
	ULONG tag;    /* 0: free */
	LONG64 bytes; /* negative where another thread's memory was freed */
	LONG64 blocks;
};

struct pool_shard {
	struct pool_shard *next; /* of all; never removed */
	bool in_use;             /* under shard_lock */
	struct tag_count counts[NT_SHARD_TAGS];
	struct tag_count rest; /* when the table is full */
};

static volatile LONG shard_lock;
static struct pool_shard *shards;
static pthread_key_t shard_key;
static pthread_once_t shard_once = PTHREAD_ONCE_INIT;
static __thread struct pool_shard *my_shard __attribute__((tls_model("initial-exec")));

static volatile LONG fault_mode; /* 0 none, 1 after a count, 2 at random */
static volatile LONG64 fault_countdown;
static volatile LONG fault_fired;
static volatile uint64_t fault_one_in;

static void shard_give_back(void *value)
{
	struct pool_shard *shard = value;

	my_shard = NULL;
	nt_word_lock(&shard_lock);
	shard->in_use = false;
	nt_word_unlock(&shard_lock);
}

static void shard_make_key(void)
{
	if (pthread_key_create(&shard_key, shard_give_back) != 0)
		NT_BUG("no thread key for the pool's counters");
}

static struct pool_shard *shard_take(void)
{
	struct pool_shard *shard;

	pthread_once(&shard_once, shard_make_key);
	nt_word_lock(&shard_lock);
	for (shard = shards; shard != NULL; shard = shard->next)
		if (!shard->in_use)
			break;
	if (shard == NULL) {
		shard = calloc(1, sizeof(*shard));
		if (shard == NULL)
			NT_BUG("no memory for the pool's counters");
		shard->next = shards;
		shards = shard;
	}
	shard->in_use = true;
	nt_word_unlock(&shard_lock);
	my_shard = shard;
	pthread_setspecific(shard_key, shard);
	return shard;
}

static struct tag_count *shard_count(struct pool_shard *shard, ULONG tag)
{
	uint32_t at = (tag * 2654435761u) >> 23; /* 9 bits */

	for (uint32_t i = 0; i < NT_SHARD_TAGS; i++, at = (at + 1) & (NT_SHARD_TAGS - 1)) {
		struct tag_count *count = &shard->counts[at];

		if (count->tag == tag)
			return count;
		if (count->tag == 0) {
			__atomic_store_n(&count->tag, tag, __ATOMIC_RELAXED);
			return count;
		}
	}
	return &shard->rest;
}

/* One writer, so a load and a store will do; readers may look at any time. */
static void pool_count(ULONG tag, LONG64 bytes, LONG64 blocks)
{
	struct pool_shard *shard = my_shard != NULL ? my_shard : shard_take();
	struct tag_count *count = shard_count(shard, tag);

	__atomic_store_n(&count->bytes, count->bytes + bytes, __ATOMIC_RELAXED);
	__atomic_store_n(&count->blocks, count->blocks + blocks, __ATOMIC_RELAXED);
}

static bool fault_fires(void)
{
	LONG mode = __atomic_load_n(&fault_mode, __ATOMIC_RELAXED);

	if (__builtin_expect(mode == 0, 1))
		return false;
	if (mode == 2)
		return nt_random() % __atomic_load_n(&fault_one_in, __ATOMIC_RELAXED) == 0;
	if (__atomic_fetch_sub(&fault_countdown, 1, __ATOMIC_SEQ_CST) != 0)
		return false;
	__atomic_store_n(&fault_fired, 1, __ATOMIC_SEQ_CST);
	return true;
}

void nt_fault_arm(long n)
{
	__atomic_store_n(&fault_fired, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fault_countdown, n, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fault_mode, 1, __ATOMIC_SEQ_CST);
}

bool nt_fault_disarm(void)
{
	__atomic_store_n(&fault_mode, 0, __ATOMIC_SEQ_CST);
	return __atomic_exchange_n(&fault_fired, 0, __ATOMIC_SEQ_CST) != 0;
}

void nt_fault_random(unsigned int n)
{
	__atomic_store_n(&fault_one_in, n, __ATOMIC_SEQ_CST);
	__atomic_store_n(&fault_mode, n != 0 ? 2 : 0, __ATOMIC_SEQ_CST);
}

static struct pool_header *header_of(PVOID memory)
{
	return (struct pool_header *)memory - 1;
}

static PVOID pool_allocate(SIZE_T bytes, ULONG tag, bool aligned, bool zero)
{
	SIZE_T before = aligned ? NT_POOL_ALIGN : sizeof(struct pool_header);
	SIZE_T total = before + bytes;
	struct pool_header *header;
	char *block;

	if (tag == 0)
		NT_BUG("an allocation without a tag");
	if (total < bytes || fault_fires())
		return NULL;
	if (aligned) {
		total = (total + NT_POOL_ALIGN - 1) & ~(SIZE_T)(NT_POOL_ALIGN - 1);
		block = total >= bytes ? aligned_alloc(NT_POOL_ALIGN, total) : NULL;
		if (block != NULL && zero)
			memset(block, 0, total);
	} else {
		block = zero ? calloc(1, total) : malloc(total);
	}
	if (block == NULL)
		return NULL;
	header = (struct pool_header *)(block + before) - 1;
	header->tag = tag;
	header->state = NT_POOL_LIVE;
	header->offset = (USHORT)(before - sizeof(*header));
	header->size = bytes;
	/* What was not written must not look like what a driver hopes for. */
	if (nt_sim_active && !zero)
		memset(header + 1, 0xa5, bytes);
	pool_count(tag, (LONG64)bytes, 1);
	return header + 1;
}

static bool is_aligned_type(POOL_TYPE type)
{
	return ((unsigned int)type & ~512u) == NonPagedPoolCacheAligned ||
	       ((unsigned int)type & ~512u) == PagedPoolCacheAligned;
}

PVOID ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
	return pool_allocate(NumberOfBytes, Tag, is_aligned_type(PoolType), false);
}

PVOID ExAllocatePoolZero(POOL_TYPE PoolType, SIZE_T NumberOfBytes, ULONG Tag)
{
	return pool_allocate(NumberOfBytes, Tag, is_aligned_type(PoolType), true);
}

PVOID ExAllocatePool2(POOL_FLAGS Flags, SIZE_T NumberOfBytes, ULONG Tag)
{
	return pool_allocate(NumberOfBytes, Tag, (Flags & POOL_FLAG_CACHE_ALIGNED) != 0,
			     (Flags & POOL_FLAG_UNINITIALIZED) == 0);
}

#if defined(__SANITIZE_ADDRESS__)
#define NT_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define NT_HAS_ASAN 1
#endif
#endif

#ifdef NT_HAS_ASAN
void *__asan_region_is_poisoned(void *begin, size_t size);

bool nt_memory_is_live(const void *memory, size_t bytes)
{
	return memory != NULL && __asan_region_is_poisoned((void *)memory, bytes) == NULL;
}
#else
bool nt_memory_is_live(const void *memory, size_t bytes)
{
	(void)bytes;
	return memory != NULL;
}
#endif

bool nt_pool_is_live(const void *memory)
{
	const struct pool_header *header = (const struct pool_header *)memory - 1;

	if (((uintptr_t)memory & (sizeof(*header) - 1)) != 0 || !nt_memory_is_live(memory, 1))
		return false;
	return nt_memory_is_live(header, sizeof(*header)) && header->state == NT_POOL_LIVE;
}

/* False: the driver was told; what is not freed shows in the report of what is left. */
static bool may_free(PVOID memory, ULONG tag)
{
	const struct pool_header *header = header_of(memory);
	char is[5], asked[5];

	if (!nt_memory_is_live(header, sizeof(*header)) || header->state != NT_POOL_LIVE) {
		nt_misuse(NT_RULE_FREE_TAG, "ExFreePoolWithTag",
			  "memory %p: freed before, or not pool memory", memory);
		return false;
	}
	if (tag == 0 || tag == header->tag)
		return true;
	nt_pool_tag_text(header->tag, is);
	nt_pool_tag_text(tag, asked);
	nt_misuse(NT_RULE_FREE_TAG, "ExFreePoolWithTag", "memory %p: memory with tag '%s' is freed as '%s'",
		  memory, is, asked);
	return false;
}

VOID ExFreePoolWithTag(PVOID P, ULONG Tag)
{
	struct pool_header *header = header_of(P);

	if (!may_free(P, Tag))
		return;
	header->state = NT_POOL_FREED;
	pool_count(header->tag, -(LONG64)header->size, -1);
	free((char *)header - header->offset);
}

VOID ExFreePool(PVOID P)
{
	ExFreePoolWithTag(P, 0);
}

void nt_pool_tag_text(ULONG tag, char text[5])
{
	for (int i = 0; i < 4; i++) {
		char c = (char)(tag >> (8 * i));

		text[i] = c >= 0x20 && c < 0x7f ? c : '.';
	}
	text[4] = 0;
}

unsigned long nt_pool_bytes(void)
{
	LONG64 bytes = 0;

	nt_word_lock(&shard_lock);
	for (struct pool_shard *shard = shards; shard != NULL; shard = shard->next) {
		bytes += __atomic_load_n(&shard->rest.bytes, __ATOMIC_RELAXED);
		for (size_t i = 0; i < NT_SHARD_TAGS; i++)
			bytes += __atomic_load_n(&shard->counts[i].bytes, __ATOMIC_RELAXED);
	}
	nt_word_unlock(&shard_lock);
	return (unsigned long)bytes;
}

/* What all threads together counted for the tag. */
static struct tag_count sum_of_tag(ULONG tag)
{
	struct tag_count sum = {.tag = tag};

	for (struct pool_shard *shard = shards; shard != NULL; shard = shard->next)
		for (size_t i = 0; i < NT_SHARD_TAGS; i++)
			if (__atomic_load_n(&shard->counts[i].tag, __ATOMIC_RELAXED) == tag) {
				sum.bytes += __atomic_load_n(&shard->counts[i].bytes, __ATOMIC_RELAXED);
				sum.blocks += __atomic_load_n(&shard->counts[i].blocks, __ATOMIC_RELAXED);
			}
	return sum;
}

static bool tag_seen_before(const struct pool_shard *until, ULONG tag)
{
	for (const struct pool_shard *shard = shards; shard != until; shard = shard->next)
		for (size_t i = 0; i < NT_SHARD_TAGS; i++)
			if (__atomic_load_n(&shard->counts[i].tag, __ATOMIC_RELAXED) == tag)
				return true;
	return false;
}

unsigned long nt_pool_report(FILE *out)
{
	unsigned long total = nt_pool_bytes();
	LONG64 blocks = 0;

	nt_word_lock(&shard_lock);
	for (struct pool_shard *shard = shards; shard != NULL; shard = shard->next) {
		for (size_t i = 0; i < NT_SHARD_TAGS; i++) {
			ULONG tag = __atomic_load_n(&shard->counts[i].tag, __ATOMIC_RELAXED);
			struct tag_count sum;
			char text[5];

			if (tag == 0 || tag_seen_before(shard, tag))
				continue;
			sum = sum_of_tag(tag);
			blocks += sum.blocks;
			nt_pool_tag_text(tag, text);
			if (sum.blocks != 0 && out != NULL)
				fprintf(out, "leak: tag %s: %lld bytes in %lld blocks\n", text,
					(long long)sum.bytes, (long long)sum.blocks);
		}
		blocks += shard->rest.blocks;
		if (shard->rest.blocks != 0 && out != NULL)
			fprintf(out, "leak: other tags: %lld bytes in %lld blocks\n",
				(long long)shard->rest.bytes, (long long)shard->rest.blocks);
	}
	nt_word_unlock(&shard_lock);
	return total != 0 || blocks == 0 ? total : (unsigned long)blocks; /* blocks of no bytes leak too */
}

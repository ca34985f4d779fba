/*
 * listing.c - what a folder's listing told, kept for as long as names and attributes are believed (actimeo, 1 s), and
 * its names for as long as a lease says that nobody changes them.
 *
 * Owns:      struct front_listing and its entries; at most one per folder, ENTRIES_MAX entries in all.
 * Found by:  node->listing; fuse->listings.all, the newest first.
 * Locks:     listings.mutex, a leaf (taken under nodes.mutex), for listings that are installed and for what nodes hold
 *            for them.  A listing that is being filled belongs to its filler.
 * Dies when: it has expired and another is installed, a newer one replaces it, or its folder's node goes.
 *
 * A lookup is answered from a listing when that is as good as the server's answer of the same moment:
 *   - the name stands in it in this very spelling, or, in a complete one, in none.  Names that servers have without
 *     listing them (".snapshot", "~snapshot", "@GMT-...", short names) and names whose equality is the server's
 *     business (beyond ASCII) are always asked for when they are missing;
 *   - we have changed neither the name nor the file since.  Our changes count twice, when they begin and when they end:
 *     a listing under way at either moment is not installed, one that is there forgets the name;
 *   - we have removed nothing from the folder lately: a server lists what it deletes with its last handle, somebody's
 *     close that is still on its way, though it opens it for nobody;
 *   - the file has no open handle here: a server's listing may lag behind an open file.
 */
#include "fuse_int.h"

#define ENTRIES_MAX 65536u     /* of all listings */
#define LISTING_MAX 8192u      /* of one */
#define FIRST_ENTRIES 256u     /* of one that a few lookups brought about: what comes in one answer, or two */
#define FIRST_MISSES 3u        /* lookups within the time of belief that make the listing worth while */
#define ENTRIES_PER_MISS 64u   /* so many entries more for each further one */
#define ENTRIES_PER_LOOKUP 16u /* a lookup costs the server as much as that many entries of a listing */
#define BATCH_BYTES (256u << 10)

struct listed_name {
	struct listed_name *next; /* in its bucket */
	ULONG hash;               /* of the name in upper case */
	bool forgotten;           /* changed by us since: ask */
	FILE_STAT_INFORMATION stat;
	UNICODE_STRING name; /* bytes follow the structure */
};

#define TOUCHED 32u

/* Names of a folder that we have changed lately, or heard of; the oldest makes room. */
struct front_touched {
	struct {
		ULONG hash;   /* front_name_hash() */
		ULONGLONG at; /* interrupt time; 0: unused */
	} name[TOUCHED];
	unsigned int next;
	ULONGLONG lost; /* interrupt time: what changed until then may not be among them */
};

struct front_listing {
	LIST_ENTRY link; /* in listings.all, when installed */
	struct front_node *dir;
	ULONGLONG asked_at; /* interrupt time */
	uint32_t changes;   /* dir->changes when it was asked for */
	bool refused;       /* never to be installed */
	bool complete;
	ULONG count;
	ULONG buckets; /* a power of two */
	struct listed_name **bucket;
};

ULONG front_name_hash(const UNICODE_STRING *name)
{
	ULONG h = 2166136261u;
	USHORT i;

	for (i = 0; i < name->Length / sizeof(WCHAR); i++)
		h = (h ^ RtlUpcaseUnicodeChar(name->Buffer[i])) * 16777619u;
	return h ^ h >> 15;
}

static ULONGLONG life_of(struct rdr_fuse *fuse)
{
	return (ULONGLONG)(fuse->timeout * 1e7);
}

void front_listings_init(struct rdr_fuse *fuse)
{
	ExInitializeFastMutex(&fuse->listings.mutex);
	InitializeListHead(&fuse->listings.all);
	fuse->listings.entries = 0;
	fuse->listings.floor = 0;
}

/* Locks: listings.mutex. */
static bool removed_lately(struct rdr_fuse *fuse, const struct front_node *dir)
{
	return dir->removed_at != 0 && KeQueryInterruptTime() - dir->removed_at < life_of(fuse);
}

bool front_listing_removed_lately(struct rdr_fuse *fuse, const struct front_node *dir)
{
	bool lately;

	ExAcquireFastMutex(&fuse->listings.mutex);
	lately = removed_lately(fuse, dir);
	ExReleaseFastMutex(&fuse->listings.mutex);
	return lately;
}

/* ---- names that changed lately ---------------------------------------------------------------------- */

/* @name NULL: any.  Locks: listings.mutex. */
static void touch_locked(struct front_node *dir, const UNICODE_STRING *name)
{
	struct front_touched *t = dir->touched;
	ULONGLONG now = KeQueryInterruptTime();

	if (t == NULL) {
		t = ExAllocatePoolWithTag(NonPagedPool, sizeof(*t), FUSE_TAG_DIR);
		if (t != NULL)
			RtlZeroMemory(t, sizeof(*t));
		dir->touched = t;
	}
	if (t != NULL && name == NULL) {
		t->lost = now;
	} else if (t != NULL) {
		if (t->name[t->next].at > t->lost)
			t->lost = t->name[t->next].at;
		t->name[t->next].hash = front_name_hash(name);
		t->name[t->next].at = now;
		t->next = (t->next + 1) % TOUCHED;
	}
	atomic_store(&dir->touched_at, now);
}

static bool name_is_touched(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
			    ULONGLONG since)
{
	ULONG hash = front_name_hash(name);
	const struct front_touched *t;
	bool touched;
	unsigned int i;

	ExAcquireFastMutex(&fuse->listings.mutex);
	t = dir->touched;
	touched = t == NULL || t->lost >= since; /* without memory: anything */
	for (i = 0; t != NULL && i < TOUCHED && !touched; i++)
		touched = t->name[i].hash == hash && t->name[i].at >= since;
	ExReleaseFastMutex(&fuse->listings.mutex);
	return touched;
}

bool front_listed_is_true(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
			  struct front_node *node, ULONGLONG asked_at)
{
	if (atomic_load(&dir->touched_at) >= asked_at && name_is_touched(fuse, dir, name, asked_at))
		return false;
	return front_node_is_settled(fuse, node, asked_at);
}

bool front_folder_is_as_asked(struct rdr_fuse *fuse, struct front_node *dir, ULONGLONG asked_at)
{
	double age = (double)(KeQueryInterruptTime() - asked_at) / 1e7;
	bool as_asked;

	if (front_attr_timeout(fuse, dir) <= age || atomic_load(&dir->touched_at) >= asked_at)
		return false;
	ExAcquireFastMutex(&fuse->listings.mutex);
	as_asked = dir->changed_at < asked_at && dir->changing == 0;
	ExReleaseFastMutex(&fuse->listings.mutex);
	return as_asked;
}

/* ---- making one ------------------------------------------------------------------------------------- */

void front_listing_discard(struct front_listing *listing)
{
	ULONG i;

	if (listing == NULL)
		return;
	for (i = 0; i < listing->buckets; i++)
		while (listing->bucket[i] != NULL) {
			struct listed_name *n = listing->bucket[i];

			listing->bucket[i] = n->next;
			ExFreePoolWithTag(n, FUSE_TAG_DIR);
		}
	ExFreePoolWithTag(listing->bucket, FUSE_TAG_DIR);
	ExFreePoolWithTag(listing, FUSE_TAG_DIR);
}

struct front_listing *front_listing_start(struct rdr_fuse *fuse, struct front_node *dir, ULONG expected)
{
	struct front_listing *listing;

	if (life_of(fuse) == 0)
		return NULL;
	listing = ExAllocatePoolWithTag(NonPagedPool, sizeof(*listing), FUSE_TAG_DIR);
	if (listing == NULL)
		return NULL;
	RtlZeroMemory(listing, sizeof(*listing));
	for (listing->buckets = 64; listing->buckets < expected && listing->buckets < LISTING_MAX;)
		listing->buckets *= 2;
	listing->bucket = ExAllocatePoolWithTag(NonPagedPool, listing->buckets * sizeof(*listing->bucket),
						FUSE_TAG_DIR);
	if (listing->bucket == NULL) {
		ExFreePoolWithTag(listing, FUSE_TAG_DIR);
		return NULL;
	}
	RtlZeroMemory(listing->bucket, listing->buckets * sizeof(*listing->bucket));
	listing->dir = dir;
	listing->asked_at = KeQueryInterruptTime();
	ExAcquireFastMutex(&fuse->listings.mutex);
	listing->changes = dir->changes;
	listing->refused = dir->changing != 0 || removed_lately(fuse, dir);
	ExReleaseFastMutex(&fuse->listings.mutex);
	return listing;
}

bool front_listing_is_fresh(struct rdr_fuse *fuse, const struct front_listing *listing)
{
	bool fresh;

	ExAcquireFastMutex(&fuse->listings.mutex);
	fresh = listing->changes == listing->dir->changes &&
		KeQueryInterruptTime() - listing->asked_at < life_of(fuse) / 4;
	ExReleaseFastMutex(&fuse->listings.mutex);
	return fresh;
}

bool front_listing_add(struct front_listing *listing, const struct dir_entry *entry)
{
	struct listed_name *n, **head;

	if (listing->count >= LISTING_MAX)
		return false;
	n = ExAllocatePoolWithTag(NonPagedPool, sizeof(*n) + entry->name.Length, FUSE_TAG_DIR);
	if (n == NULL)
		return false;
	n->stat = entry->stat;
	n->name.Buffer = (PWCH)(n + 1);
	n->name.Length = n->name.MaximumLength = entry->name.Length;
	RtlCopyMemory(n->name.Buffer, entry->name.Buffer, entry->name.Length);
	n->hash = front_name_hash(&n->name);
	/* A link's length is not in a listing, and a file without a number cannot be told from another. */
	n->forgotten = front_type_of(&n->stat) == S_IFLNK || n->stat.FileId.QuadPart == 0 ||
		       n->stat.FileId.QuadPart == -1;
	head = &listing->bucket[n->hash & (listing->buckets - 1)];
	n->next = *head;
	*head = n;
	listing->count++;
	return true;
}

static void remove_locked(struct front_listings *all, struct front_listing *listing)
{
	RemoveEntryList(&listing->link);
	all->entries -= listing->count;
	listing->dir->listing = NULL;
	front_listing_discard(listing);
}

static bool expired(struct rdr_fuse *fuse, const struct front_listing *listing)
{
	return KeQueryInterruptTime() - listing->asked_at >= life_of(fuse);
}

/* It was made under the lease that the folder has now: its names are as they were. */
static bool leased(const struct front_listing *listing)
{
	ULONGLONG since = atomic_load(&listing->dir->leased_since);

	return since != 0 && listing->asked_at >= since;
}

void front_listing_install(struct rdr_fuse *fuse, struct front_listing *listing, bool complete)
{
	struct front_listings *all = &fuse->listings;
	struct front_node *dir = listing->dir;

	listing->complete = complete;
	ExAcquireFastMutex(&all->mutex);
	dir->listed = complete ? listing->count : listing->count * 2;
	if (listing->refused || dir->changing != 0 || dir->changes != listing->changes) {
		ExReleaseFastMutex(&all->mutex);
		front_listing_discard(listing);
		return;
	}
	if (dir->listing != NULL)
		remove_locked(all, dir->listing);
	dir->listing = listing;
	InsertHeadList(&all->all, &listing->link);
	all->entries += listing->count;
	while (!IsListEmpty(&all->all)) {
		struct front_listing *oldest = CONTAINING_RECORD(all->all.Blink, struct front_listing, link);

		if (all->entries <= ENTRIES_MAX && (!expired(fuse, oldest) || leased(oldest)))
			break;
		remove_locked(all, oldest);
	}
	ExReleaseFastMutex(&all->mutex);
	front_watch_want(fuse, dir);
}

/* ---- what ends it ----------------------------------------------------------------------------------- */

static struct listed_name *find_locked(const struct front_listing *listing, const UNICODE_STRING *name,
				       bool fold)
{
	ULONG hash = front_name_hash(name);
	struct listed_name *n;

	for (n = listing->bucket[hash & (listing->buckets - 1)]; n != NULL; n = n->next)
		if (n->hash == hash && RtlEqualUnicodeString(&n->name, name, fold))
			return n;
	return NULL;
}

/* All spellings become unknown.  A name that was not there is entered as one to ask for. */
static void forget_locked(struct front_listings *all, struct front_node *dir, const UNICODE_STRING *name)
{
	struct front_listing *listing = dir->listing;
	struct dir_entry unknown = {.name = *name};
	ULONG hash = front_name_hash(name);
	struct listed_name *n;
	bool found = false;

	if (listing == NULL)
		return;
	for (n = listing->bucket[hash & (listing->buckets - 1)]; n != NULL; n = n->next)
		if (n->hash == hash && RtlEqualUnicodeString(&n->name, name, TRUE))
			n->forgotten = found = true;
	if (found)
		return;
	if (front_listing_add(listing, &unknown))
		all->entries++;
	else
		remove_locked(all, listing);
}

#define BUSY (1000 * 10000ull) /* 100 ns */
#define BUSY_CHANGES 8u

bool front_change_is_busy(struct rdr_fuse *fuse, struct front_node *dir)
{
	bool busy;

	ExAcquireFastMutex(&fuse->listings.mutex);
	busy = dir->busy_changes >= BUSY_CHANGES && KeQueryInterruptTime() - dir->busy_since < BUSY;
	ExReleaseFastMutex(&fuse->listings.mutex);
	return busy;
}

static void count_change_locked(struct front_node *dir)
{
	ULONGLONG now = KeQueryInterruptTime();

	if (now - dir->busy_since >= BUSY) {
		dir->busy_since = now;
		dir->busy_changes = 0;
	}
	dir->busy_changes++;
}

static void change(struct rdr_fuse *fuse, struct front_node *dir, const char *name, int under_way,
		   unsigned int actions)
{
	struct front_listings *all = &fuse->listings;
	UNICODE_STRING wide;
	bool named = NT_SUCCESS(door_component_from_posix(name, strlen(name), &wide));

	ExAcquireFastMutex(&all->mutex);
	dir->changes++;
	dir->changing += (uint32_t)under_way;
	if (under_way > 0)
		count_change_locked(dir);
	touch_locked(dir, named ? &wide : NULL);
	if (named)
		forget_locked(all, dir, &wide);
	else if (dir->listing != NULL)
		remove_locked(all, dir->listing);
	ExReleaseFastMutex(&all->mutex);
	if (named && actions != 0)
		front_watch_expect(fuse, dir, &wide, actions);
	if (named)
		door_name_free(&wide);
}

void front_change_begin(struct rdr_fuse *fuse, struct front_node *dir, const char *name, unsigned int actions)
{
	change(fuse, dir, name, 1, actions);
}

void front_change_end(struct rdr_fuse *fuse, struct front_node *dir, const char *name)
{
	change(fuse, dir, name, -1, 0);
}

void front_listing_changed(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name)
{
	struct front_listings *all = &fuse->listings;

	ExAcquireFastMutex(&all->mutex);
	dir->changes++; /* one under way may have been read before */
	atomic_fetch_add(&dir->news, 1);
	touch_locked(dir, name);
	if (name != NULL)
		forget_locked(all, dir, name);
	else if (dir->listing != NULL)
		remove_locked(all, dir->listing);
	ExReleaseFastMutex(&all->mutex);
}

void front_name_is_removed(struct rdr_fuse *fuse, struct front_node *dir)
{
	ExAcquireFastMutex(&fuse->listings.mutex);
	dir->removed_at = KeQueryInterruptTime();
	ExReleaseFastMutex(&fuse->listings.mutex);
}

void front_node_changed(struct rdr_fuse *fuse, struct front_node *node)
{
	ExAcquireFastMutex(&fuse->listings.mutex);
	node->changed_at = KeQueryInterruptTime();
	ExReleaseFastMutex(&fuse->listings.mutex);
}

/* Under nodes.mutex.  What the node knew of our changes, all listings have to know from now on. */
void front_listing_node_gone(struct rdr_fuse *fuse, struct front_node *node)
{
	struct front_listings *all = &fuse->listings;

	ExAcquireFastMutex(&all->mutex);
	if (node->listing != NULL)
		remove_locked(all, node->listing);
	if (node->touched != NULL)
		ExFreePoolWithTag(node->touched, FUSE_TAG_DIR);
	node->touched = NULL;
	if (node->changed_at > all->floor)
		all->floor = node->changed_at;
	ExReleaseFastMutex(&all->mutex);
}

/* ---- asking it -------------------------------------------------------------------------------------- */

/* Would a server that has the name also list it, and spell it as we do? */
static bool listed_when_there(const UNICODE_STRING *name)
{
	USHORT i;

	if (name->Length == 0 || name->Buffer[0] == '.' || name->Buffer[0] == '@')
		return false;
	for (i = 0; i < name->Length / sizeof(WCHAR); i++)
		if (name->Buffer[i] >= 0x7F || name->Buffer[i] < 0x20 || name->Buffer[i] == '~')
			return false;
	return true;
}

enum front_known front_listing_ask(struct rdr_fuse *fuse, struct front_node *dir, const UNICODE_STRING *name,
				   FILE_STAT_INFORMATION *stat, ULONGLONG *asked_at)
{
	enum front_known known = FRONT_UNKNOWN;
	struct front_listing *listing;
	struct listed_name *n;
	bool old;

	ExAcquireFastMutex(&fuse->listings.mutex);
	listing = dir->listing;
	if (listing == NULL || listing->asked_at <= fuse->listings.floor)
		goto out;
	old = expired(fuse, listing);
	if (old && !leased(listing))
		goto out;
	*asked_at = listing->asked_at;
	n = find_locked(listing, name, false);
	if (n != NULL && !n->forgotten) {
		*stat = n->stat;
		known = old ? FRONT_NAMED : FRONT_THERE;
	} else if (n == NULL && listing->complete && listed_when_there(name) &&
		   find_locked(listing, name, true) == NULL) {
		known = FRONT_ABSENT;
	}
out:
	ExReleaseFastMutex(&fuse->listings.mutex);
	/* nodes.mutex comes before ours */
	if ((known == FRONT_THERE || known == FRONT_NAMED) &&
	    !front_node_is_as_listed(fuse, (uint64_t)stat->FileId.QuadPart, *asked_at))
		known = FRONT_UNKNOWN;
	return known;
}

/*
 * A lookup in the folder has to go to the server.  When several do within the time of belief, the listing answers the
 * next ones.
 * Return: how many entries it may have; 0: not now.  Otherwise the caller lists, and calls front_listing_done().
 */
ULONG front_listing_wanted(struct rdr_fuse *fuse, struct front_node *dir)
{
	ULONGLONG now = KeQueryInterruptTime();
	ULONG wanted = 0, threshold;

	ExAcquireFastMutex(&fuse->listings.mutex);
	if (now - dir->misses_since >= life_of(fuse)) {
		dir->misses_since = now;
		dir->misses = 0;
	}
	dir->misses++;
	threshold = dir->listed / ENTRIES_PER_LOOKUP;
	if (threshold < FIRST_MISSES)
		threshold = FIRST_MISSES;
	if (life_of(fuse) != 0 && !dir->listing_now && dir->changing == 0 && !removed_lately(fuse, dir) &&
	    dir->misses >= threshold) {
		wanted = dir->misses * ENTRIES_PER_MISS;
		wanted = wanted < FIRST_ENTRIES ? FIRST_ENTRIES : wanted < LISTING_MAX ? wanted : LISTING_MAX;
		dir->listing_now = true;
		/* What it does not answer has to come as often again. */
		dir->misses_since = now;
		dir->misses = 0;
	}
	ExReleaseFastMutex(&fuse->listings.mutex);
	return wanted;
}

/* Fills @listing through the open folder @file. */
static bool fetch_entries(struct front_request *r, struct door_file *file, struct front_listing *listing,
			  ULONG most, bool *complete)
{
	void *batch = ExAllocatePoolWithTag(NonPagedPool, BATCH_BYTES, FUSE_TAG_DIR);
	NTSTATUS status = batch != NULL ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;

	*complete = false;
	while (NT_SUCCESS(status) && listing->count < most) {
		struct dir_entry e = {.next_offset = 0};
		ULONG returned = 0;

		status = door_query_directory(file, &r->caller, FileIdBothDirectoryInformation, NULL, FALSE,
					      batch, BATCH_BYTES, &returned, NULL);
		*complete = status == STATUS_NO_MORE_FILES || status == STATUS_NO_SUCH_FILE;
		if (*complete || NT_ERROR(status) || returned == 0)
			break;
		do {
			if (!front_dir_parse(batch, returned < BATCH_BYTES ? returned : BATCH_BYTES, true,
					     e.next_offset, &e) ||
			    !front_listing_add(listing, &e)) {
				status = STATUS_UNSUCCESSFUL;
				break;
			}
		} while (e.next_offset != 0);
	}
	if (batch != NULL)
		ExFreePoolWithTag(batch, FUSE_TAG_DIR);
	return listing->count != 0 || *complete;
}

void front_listing_fetch(struct front_request *r, struct front_node *dir, ULONG most)
{
	struct rdr_fuse *fuse = r->fuse;
	struct front_listing *listing = front_listing_start(fuse, dir, most);
	struct door_open open = {.access = FILE_LIST_DIRECTORY | SYNCHRONIZE,
				 .share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
				 .disposition = FILE_OPEN,
				 .options = FILE_DIRECTORY_FILE,
				 .query = DOOR_QUERY_LIST};
	struct door_opened opened = {.file = NULL};
	bool usable = false, complete = false;

	if (listing != NULL && !atomic_load(&fuse->id_less) &&
	    NT_SUCCESS(front_node_path(fuse, dir, NULL, &open.path))) {
		if (NT_SUCCESS(door_open(fuse->volume, &r->caller, &open, &opened))) {
			usable = fetch_entries(r, opened.file, listing, most, &complete);
			(void)door_close(opened.file, NULL); /* only listed */
		}
		door_name_free(&open.path);
	}
	if (usable)
		front_listing_install(fuse, listing, complete);
	else
		front_listing_discard(listing);
	ExAcquireFastMutex(&fuse->listings.mutex);
	dir->listing_now = false;
	ExReleaseFastMutex(&fuse->listings.mutex);
}

/*
 * watches.c - who hears of changes in a directory of a memory volume.
 *
 * Owns:      struct mem_watch and the news it collects while none of its requests waits.
 * Found by:  node->watches of the directory.
 * Locks:     the volume's mutex.
 * Dies when: its handle is cleaned up.
 *
 * What changes between two requests is told with the second, as a file server does it; what does not fit into
 * MEM_NEWS_BYTES any more becomes "look yourself".
 */
#include "memfs.h"

static struct mem_watch *watch_of_locked(struct mem_handle *handle)
{
	PLIST_ENTRY at;

	for (at = handle->node->watches.Flink; at != &handle->node->watches; at = at->Flink) {
		struct mem_watch *watch = CONTAINING_RECORD(at, struct mem_watch, link);

		if (watch->owner == handle)
			return watch;
	}
	return NULL;
}

static struct mem_watch *watch_create_locked(struct mem_handle *handle, ULONG filter, bool tree)
{
	struct mem_watch *watch = ExAllocatePoolWithTag(PagedPool, sizeof(*watch), MEM_TAG_WATCH);

	if (watch == NULL)
		return NULL;
	RtlZeroMemory(watch, sizeof(*watch));
	watch->owner = handle;
	watch->filter = filter; /* the first request decides, as on NTFS */
	watch->tree = tree;
	InsertTailList(&handle->node->watches, &watch->link);
	return watch;
}

/* Tells the request that waits what there is to tell. */
static void answer_locked(struct mem_watch *watch, struct mem_wakeups *wake)
{
	NTSTATUS status = watch->missed ? STATUS_NOTIFY_ENUM_DIR : STATUS_SUCCESS;

	if (watch->wakeup == NULL || (!watch->missed && watch->news == NULL))
		return;
	watch->missed = false;
	watch->wakeup->news = watch->news;
	watch->news = NULL;
	mem_wakeup_hand_out(&watch->wakeup, status, wake);
}

NTSTATUS mem_fs_watch(struct mem_handle *handle, ULONG filter, bool tree, void *request,
		      struct mem_wakeups *wake)
{
	struct mem_wakeup *wakeup;
	struct mem_watch *watch;
	NTSTATUS status = STATUS_PENDING;

	if (!handle->node->is_directory)
		return STATUS_INVALID_PARAMETER;
	wakeup = mem_wakeup_alloc(request);
	if (wakeup == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	ExAcquireFastMutex(&handle->volume->mutex);
	watch = watch_of_locked(handle);
	if (watch == NULL)
		watch = watch_create_locked(handle, filter, tree);
	if (watch == NULL) {
		status = STATUS_INSUFFICIENT_RESOURCES;
	} else if (watch->wakeup != NULL) {
		status = STATUS_DEVICE_BUSY;
	} else {
		watch->wakeup = wakeup;
		wakeup = NULL;
		answer_locked(watch, wake);
	}
	ExReleaseFastMutex(&handle->volume->mutex);
	if (wakeup != NULL)
		mem_wakeup_free(wakeup);
	return status;
}

struct mem_wakeup *mem_watch_take_back_locked(struct mem_handle *handle, void *request)
{
	struct mem_watch *watch = watch_of_locked(handle);
	struct mem_wakeup *wakeup;

	if (watch == NULL || watch->wakeup == NULL || watch->wakeup->request != request)
		return NULL;
	wakeup = watch->wakeup;
	watch->wakeup = NULL;
	return wakeup;
}

void mem_watch_drop_locked(struct mem_handle *handle, struct mem_wakeups *wake)
{
	struct mem_watch *watch = watch_of_locked(handle);

	if (watch == NULL)
		return;
	RemoveEntryList(&watch->link);
	if (watch->wakeup != NULL)
		mem_wakeup_hand_out(&watch->wakeup, STATUS_NOTIFY_CLEANUP, wake);
	if (watch->news != NULL)
		ExFreePoolWithTag(watch->news, MEM_TAG_WATCH);
	ExFreePoolWithTag(watch, MEM_TAG_WATCH);
}

/* ---- what changes ----------------------------------------------------------------------------------- */

static bool is_last(const struct mem_news *news, ULONG action, const UNICODE_STRING *name)
{
	const FILE_NOTIFY_INFORMATION *last = (const void *)(news->bytes + news->last);

	return news->length != 0 && last->Action == action && last->FileNameLength == name->Length &&
	       RtlEqualMemory(last->FileName, name->Buffer, name->Length);
}

/* Return: false: there is no room for it. */
static bool add_news(struct mem_news *news, ULONG action, const UNICODE_STRING *name)
{
	ULONG at = (news->length + 3) & ~3u;
	PFILE_NOTIFY_INFORMATION info = (void *)(news->bytes + at);

	if (action == FILE_ACTION_MODIFIED && is_last(news, action, name))
		return true; /* once more, and nobody has looked yet */
	if (at + FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName) + name->Length > MEM_NEWS_BYTES)
		return false;
	if (news->length != 0)
		((PFILE_NOTIFY_INFORMATION)(void *)(news->bytes + news->last))->NextEntryOffset =
			at - news->last;
	info->NextEntryOffset = 0;
	info->Action = action;
	info->FileNameLength = name->Length;
	RtlCopyMemory(info->FileName, name->Buffer, name->Length);
	news->last = at;
	news->length = at + FIELD_OFFSET(FILE_NOTIFY_INFORMATION, FileName) + name->Length;
	return true;
}

/* @name NULL: something that has no name here. */
static void collect_locked(struct mem_watch *watch, ULONG action, const UNICODE_STRING *name)
{
	if (watch->missed)
		return;
	if (watch->news == NULL && name != NULL) {
		watch->news = ExAllocatePoolWithTag(PagedPool, sizeof(*watch->news), MEM_TAG_WATCH);
		if (watch->news != NULL)
			RtlZeroMemory(watch->news, sizeof(*watch->news));
	}
	if (watch->news != NULL && name != NULL && add_news(watch->news, action, name))
		return;
	watch->missed = true;
	if (watch->news != NULL)
		ExFreePoolWithTag(watch->news, MEM_TAG_WATCH);
	watch->news = NULL;
}

void mem_watches_changed_locked(struct mem_node *dir, ULONG filter, ULONG action, const UNICODE_STRING *name,
				struct mem_wakeups *wake)
{
	struct mem_node *at;
	PLIST_ENTRY link;

	for (at = dir; at != NULL; at = at->dir.parent)
		for (link = at->watches.Flink; link != &at->watches; link = link->Flink) {
			struct mem_watch *watch = CONTAINING_RECORD(link, struct mem_watch, link);

			if (!(watch->filter & filter) || (at != dir && !watch->tree))
				continue;
			collect_locked(watch, action, at == dir ? name : NULL);
			answer_locked(watch, wake);
		}
}

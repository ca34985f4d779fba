/*
 * device.c - drivers, their devices, and the names by which devices are found.
 *
 * Owns:      DRIVER_OBJECTs, DEVICE_OBJECTs, the table of device names and symbolic links, the list of
 *            registered file systems. (UNC providers: mup.c.)
 * Found by:  name, through nt_device_open(); names compare without case, as NT's object directory does.
 * Locks:     nt_device_lock, a fast mutex, over all tables. Leaf.
 * Dies when: a device, after IoDeleteDevice() and the last reference; it then has no name any more. A driver, at
 *            nt_driver_unload().
 */
#include <pthread.h>
#include <stdio.h>

#include "exec.h"
#include "fastmutex.h"
#include "io.h"
#include "nt_misuse.h"
#include "pool.h"
#include "timer.h"

#define NT_TAG_DRIVER 'rDoI'
#define NT_TAG_DEVICE 'eDoI'
#define NT_TAG_NAME 'mNoI'
#define NT_MAX_LINK_DEPTH 8

/* A name of a device, or a symbolic link from one name to another. */
struct nt_device_name {
	LIST_ENTRY link;
	PDEVICE_OBJECT
	device; /* NULL: a symbolic link; not a reference: IoDeleteDevice() takes the name away */
	UNICODE_STRING target; /* of a symbolic link */
	UNICODE_STRING name;
};

/* A registered file system; holds a reference. */
struct nt_device_entry {
	LIST_ENTRY link;
	PDEVICE_OBJECT device;
};

struct nt_driver {
	DRIVER_OBJECT object;
	WCHAR name[64];
};

static pthread_once_t nt_device_once = PTHREAD_ONCE_INIT;
static FAST_MUTEX nt_device_lock;
static LIST_ENTRY nt_device_names, nt_file_systems;

static void nt_device_init(void)
{
	ExInitializeFastMutex(&nt_device_lock);
	InitializeListHead(&nt_device_names);
	InitializeListHead(&nt_file_systems);
}

static void nt_device_acquire(void) RX_NO_TSA
{
	pthread_once(&nt_device_once, nt_device_init);
	ExAcquireFastMutex(&nt_device_lock);
}

static void nt_device_release(void) RX_NO_TSA
{
	ExReleaseFastMutex(&nt_device_lock);
}

static struct nt_device_name *nt_device_name_find_locked(PCUNICODE_STRING name)
{
	for (PLIST_ENTRY at = nt_device_names.Flink; at != &nt_device_names; at = at->Flink) {
		struct nt_device_name *entry = CONTAINING_RECORD(at, struct nt_device_name, link);

		if (RtlEqualUnicodeString(&entry->name, name, TRUE))
			return entry;
	}
	return NULL;
}

/* A record with copies of both strings behind it; target may be NULL. */
static struct nt_device_name *nt_device_name_create(PCUNICODE_STRING name, PCUNICODE_STRING target)
{
	SIZE_T target_bytes = target == NULL ? 0 : target->Length;
	struct nt_device_name *entry = ExAllocatePoolWithTag(
		NonPagedPool, sizeof(*entry) + name->Length + target_bytes, NT_TAG_NAME);

	if (entry == NULL)
		return NULL;
	memset(entry, 0, sizeof(*entry));
	entry->name.Buffer = (PWCH)(entry + 1);
	entry->name.Length = entry->name.MaximumLength = name->Length;
	memcpy(entry->name.Buffer, name->Buffer, name->Length);
	entry->target.Buffer = entry->name.Buffer + name->Length / sizeof(WCHAR);
	entry->target.Length = entry->target.MaximumLength = (USHORT)target_bytes;
	if (target_bytes != 0)
		memcpy(entry->target.Buffer, target->Buffer, target_bytes);
	return entry;
}

static NTSTATUS nt_device_name_insert(struct nt_device_name *entry)
{
	NTSTATUS status = STATUS_OBJECT_NAME_COLLISION;

	nt_device_acquire();
	if (nt_device_name_find_locked(&entry->name) == NULL) {
		InsertTailList(&nt_device_names, &entry->link);
		status = STATUS_SUCCESS;
	}
	nt_device_release();
	if (!NT_SUCCESS(status))
		ExFreePoolWithTag(entry, NT_TAG_NAME);
	return status;
}

static NTSTATUS nt_driver_refuse(PDEVICE_OBJECT device, PIRP irp)
{
	(void)device;
	irp->IoStatus.Status = STATUS_INVALID_DEVICE_REQUEST;
	irp->IoStatus.Information = 0;
	IofCompleteRequest(irp, IO_NO_INCREMENT);
	return STATUS_INVALID_DEVICE_REQUEST;
}

NTSTATUS nt_driver_load(const char *name, PDRIVER_INITIALIZE entry, PDRIVER_OBJECT *out)
{
	static const char prefix[] = "\\Driver\\";
	UNICODE_STRING registry_path;
	struct nt_driver *driver;
	NTSTATUS status;
	size_t n = 0;

	*out = NULL;
	driver = ExAllocatePoolWithTag(NonPagedPool, sizeof(*driver), NT_TAG_DRIVER);
	if (driver == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(driver, 0, sizeof(*driver));
	for (const char *c = prefix; *c != '\0'; c++)
		driver->name[n++] = (WCHAR)(UCHAR)*c;
	for (const char *c = name; *c != '\0' && n < RTL_NUMBER_OF(driver->name) - 1; c++)
		driver->name[n++] = (WCHAR)(UCHAR)*c;
	driver->object.Type = IO_TYPE_DRIVER;
	driver->object.Size = sizeof(driver->object);
	driver->object.DriverInit = entry;
	RtlInitUnicodeString(&driver->object.DriverName, driver->name);
	for (int i = 0; i <= IRP_MJ_MAXIMUM_FUNCTION; i++)
		driver->object.MajorFunction[i] = nt_driver_refuse;

	/* There is no registry; the path names the driver, as drivers expect. */
	registry_path = driver->object.DriverName;
	status = entry(&driver->object, &registry_path);
	if (!NT_SUCCESS(status)) {
		driver->object.DriverUnload = NULL; /* a driver that failed to load is not asked to unload */
		nt_driver_unload(&driver->object);
		return status;
	}
	/* a device that is made later says itself when it is ready */
	for (PDEVICE_OBJECT device = driver->object.DeviceObject; device != NULL; device = device->NextDevice)
		device->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
	*out = &driver->object;
	return status;
}

/* False: one of its devices is open; the caller was told. */
static bool nt_driver_is_idle(PDRIVER_OBJECT driver)
{
	for (PDEVICE_OBJECT device = driver->DeviceObject; device != NULL; device = device->NextDevice) {
		LONG open = __atomic_load_n(&device->OpenFileObjects, __ATOMIC_ACQUIRE);

		if (open == 0)
			continue;
		nt_misuse(NT_RULE_UNLOAD_IDLE, "nt_driver_unload",
			  "device %p: %ld file objects of it are open", (void *)device, (long)open);
		return false;
	}
	return true;
}

void nt_driver_unload(PDRIVER_OBJECT driver)
{
	if (!nt_driver_is_idle(driver))
		return;
	if (driver->DriverUnload != NULL)
		driver->DriverUnload(driver);
	while (driver->DeviceObject != NULL) {
		fprintf(stderr, "nt: a driver left device %p behind with %ld references\n",
			(void *)driver->DeviceObject, (long)driver->DeviceObject->ReferenceCount);
		IoDeleteDevice(driver->DeviceObject);
	}
	driver->Type = 0;
	ExFreePoolWithTag(CONTAINING_RECORD(driver, struct nt_driver, object), NT_TAG_DRIVER);
}

NTSTATUS IoCreateDevice(PDRIVER_OBJECT DriverObject, ULONG DeviceExtensionSize, PUNICODE_STRING DeviceName,
			DEVICE_TYPE DeviceType, ULONG DeviceCharacteristics, BOOLEAN Exclusive,
			PDEVICE_OBJECT *DeviceObject)
{
	SIZE_T head = ROUND_TO_SIZE(sizeof(DEVICE_OBJECT), 16);
	PDEVICE_OBJECT device;
	NTSTATUS status;

	*DeviceObject = NULL;
	device = ExAllocatePoolWithTag(NonPagedPool, head + DeviceExtensionSize, NT_TAG_DEVICE);
	if (device == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(device, 0, head + DeviceExtensionSize);
	device->Type = IO_TYPE_DEVICE;
	device->Size = (USHORT)min(head + DeviceExtensionSize, (SIZE_T)MAXUSHORT);
	device->ReferenceCount = 1; /* the driver's, until IoDeleteDevice() */
	device->DriverObject = DriverObject;
	device->DeviceExtension = DeviceExtensionSize == 0 ? NULL : (char *)device + head;
	device->DeviceType = DeviceType;
	device->Characteristics = DeviceCharacteristics;
	device->Flags = DO_DEVICE_INITIALIZING | (Exclusive ? DO_EXCLUSIVE : 0);
	device->StackSize = 1;

	if (DeviceName != NULL && DeviceName->Length != 0) {
		struct nt_device_name *name = nt_device_name_create(DeviceName, NULL);

		if (name == NULL) {
			ExFreePoolWithTag(device, NT_TAG_DEVICE);
			return STATUS_INSUFFICIENT_RESOURCES;
		}
		name->device = device;
		status = nt_device_name_insert(name);
		if (!NT_SUCCESS(status)) {
			ExFreePoolWithTag(device, NT_TAG_DEVICE);
			return status;
		}
	}
	device->NextDevice = DriverObject->DeviceObject;
	DriverObject->DeviceObject = device;
	*DeviceObject = device;
	return STATUS_SUCCESS;
}

VOID IoDeleteDevice(PDEVICE_OBJECT DeviceObject)
{
	PDEVICE_OBJECT *link = &DeviceObject->DriverObject->DeviceObject;

	nt_device_acquire();
	for (PLIST_ENTRY at = nt_device_names.Flink; at != &nt_device_names;) {
		struct nt_device_name *entry = CONTAINING_RECORD(at, struct nt_device_name, link);

		at = at->Flink;
		if (entry->device == DeviceObject) {
			RemoveEntryList(&entry->link);
			ExFreePoolWithTag(entry, NT_TAG_NAME);
		}
	}
	nt_device_release();
	while (*link != NULL && *link != DeviceObject)
		link = &(*link)->NextDevice;
	RX_CHECK(*link == DeviceObject); /* deleted twice otherwise */
	*link = DeviceObject->NextDevice;
	ObfDereferenceObject(DeviceObject);
}

void nt_device_free(PDEVICE_OBJECT device)
{
	device->Type = 0;
	ExFreePoolWithTag(device, NT_TAG_DEVICE);
}

NTSTATUS IoCreateSymbolicLink(PUNICODE_STRING SymbolicLinkName, PUNICODE_STRING DeviceName)
{
	struct nt_device_name *entry = nt_device_name_create(SymbolicLinkName, DeviceName);

	return entry == NULL ? STATUS_INSUFFICIENT_RESOURCES : nt_device_name_insert(entry);
}

NTSTATUS IoDeleteSymbolicLink(PUNICODE_STRING SymbolicLinkName)
{
	NTSTATUS status = STATUS_OBJECT_NAME_NOT_FOUND;
	struct nt_device_name *entry;

	nt_device_acquire();
	entry = nt_device_name_find_locked(SymbolicLinkName);
	if (entry != NULL && entry->device != NULL) {
		status = STATUS_OBJECT_TYPE_MISMATCH;
	} else if (entry != NULL) {
		RemoveEntryList(&entry->link);
		ExFreePoolWithTag(entry, NT_TAG_NAME);
		status = STATUS_SUCCESS;
	}
	nt_device_release();
	return status;
}

NTSTATUS nt_device_open(PUNICODE_STRING DeviceName, PDEVICE_OBJECT *DeviceObject)
{
	struct nt_device_name *entry;
	int depth = 0;

	*DeviceObject = NULL;
	nt_device_acquire();
	entry = nt_device_name_find_locked(DeviceName);
	while (entry != NULL && entry->device == NULL && depth++ < NT_MAX_LINK_DEPTH)
		entry = nt_device_name_find_locked(&entry->target);
	if (entry != NULL && entry->device != NULL) {
		*DeviceObject = entry->device;
		ObfReferenceObject(entry->device);
	}
	nt_device_release();
	return *DeviceObject == NULL ? STATUS_OBJECT_NAME_NOT_FOUND : STATUS_SUCCESS;
}

static struct nt_device_entry *nt_device_entry_add(LIST_ENTRY *list, PDEVICE_OBJECT device)
{
	struct nt_device_entry *entry = ExAllocatePoolWithTag(NonPagedPool, sizeof(*entry), NT_TAG_NAME);

	if (entry == NULL)
		return NULL;
	entry->device = device;
	ObfReferenceObject(device);
	nt_device_acquire();
	InsertTailList(list, &entry->link);
	nt_device_release();
	return entry;
}

VOID IoRegisterFileSystem(PDEVICE_OBJECT DeviceObject)
{
	/* Nothing is mounted by asking file systems in turn here; the list keeps the device, as on Windows. */
	if (nt_device_entry_add(&nt_file_systems, DeviceObject) != NULL)
		DeviceObject->Flags &= ~(ULONG)DO_DEVICE_INITIALIZING;
}

VOID IoUnregisterFileSystem(PDEVICE_OBJECT DeviceObject)
{
	struct nt_device_entry *found = NULL;

	nt_device_acquire();
	for (PLIST_ENTRY at = nt_file_systems.Flink; at != &nt_file_systems && found == NULL;
	     at = at->Flink) {
		struct nt_device_entry *entry = CONTAINING_RECORD(at, struct nt_device_entry, link);

		if (entry->device == DeviceObject)
			found = entry;
	}
	if (found != NULL)
		RemoveEntryList(&found->link);
	nt_device_release();
	if (found != NULL) {
		ExFreePoolWithTag(found, NT_TAG_NAME);
		ObfDereferenceObject(DeviceObject);
	}
}

VOID IoRegisterShutdownNotification(PDEVICE_OBJECT DeviceObject)
{
	/* The process ends by unloading its drivers, which is when they clean up: nobody is told separately. */
	(void)DeviceObject;
}

VOID IoUnregisterShutdownNotification(PDEVICE_OBJECT DeviceObject)
{
	(void)DeviceObject;
}

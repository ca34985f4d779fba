/*
 * object.c - file objects, and the references that keep file objects, devices and threads alive.
 *
 * Owns:      FILE_OBJECTs. Whoever opens creates one, sends IRP_MJ_CREATE with it and later IRP_MJ_CLEANUP and
 *            IRP_MJ_CLOSE; this file sends nothing.
 * Locks:     none; counts are atomic.
 * Dies when: the last reference goes: the name is freed and the reference on the device put.
 *
 * FILE_OBJECT and DEVICE_OBJECT have Type and ReferenceCount in the same places; threads are asked of thread.c.
 */
#include "exec.h"
#include "handle.h"
#include "io.h"
#include "pool.h"
#include "nt_misuse.h"

#define NT_TAG_FILE 'liFN'

static volatile LONG nt_file_object_count;

C_ASSERT(offsetof(FILE_OBJECT, ReferenceCount) == offsetof(DEVICE_OBJECT, ReferenceCount));
C_ASSERT(offsetof(FILE_OBJECT, Type) == 0 && offsetof(DEVICE_OBJECT, Type) == 0);

LONG nt_file_objects_alive(void)
{
	return __atomic_load_n(&nt_file_object_count, __ATOMIC_ACQUIRE);
}

NTSTATUS nt_file_object_create(PDEVICE_OBJECT device, const UNICODE_STRING *name, PFILE_OBJECT *out)
{
	SIZE_T name_bytes = name == NULL ? 0 : name->Length;
	PFILE_OBJECT file;

	*out = NULL;
	file = ExAllocatePoolWithTag(NonPagedPool, sizeof(*file), NT_TAG_FILE);
	if (file == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	memset(file, 0, sizeof(*file));
	if (name_bytes != 0) {
		file->FileName.Buffer = ExAllocatePoolWithTag(NonPagedPool, name_bytes, NT_TAG_FILE);
		if (file->FileName.Buffer == NULL) {
			ExFreePoolWithTag(file, NT_TAG_FILE);
			return STATUS_INSUFFICIENT_RESOURCES;
		}
		memcpy(file->FileName.Buffer, name->Buffer, name_bytes);
		file->FileName.Length = file->FileName.MaximumLength = (USHORT)name_bytes;
	}
	file->Type = IO_TYPE_FILE;
	file->Size = sizeof(*file);
	file->ReferenceCount = 1;
	file->DeviceObject = device;
	KeInitializeEvent(&file->Lock, SynchronizationEvent, FALSE);
	KeInitializeEvent(&file->Event, NotificationEvent, FALSE);
	ObfReferenceObject(device);
	__atomic_add_fetch(&device->OpenFileObjects, 1, __ATOMIC_RELEASE);
	__atomic_add_fetch(&nt_file_object_count, 1, __ATOMIC_RELAXED);
	*out = file;
	return STATUS_SUCCESS;
}

static void nt_file_object_free(PFILE_OBJECT file)
{
	PDEVICE_OBJECT device = file->DeviceObject;

	/* A driver may have put another buffer in the name's place, from the pool as well. */
	if (file->FileName.Buffer != NULL)
		ExFreePool(file->FileName.Buffer);
	file->Type = 0;
	ExFreePoolWithTag(file, NT_TAG_FILE);
	__atomic_sub_fetch(&nt_file_object_count, 1, __ATOMIC_RELAXED);
	__atomic_sub_fetch(&device->OpenFileObjects, 1, __ATOMIC_RELEASE);
	ObfDereferenceObject(device);
}

PDEVICE_OBJECT IoGetRelatedDeviceObject(PFILE_OBJECT FileObject)
{
	PDEVICE_OBJECT device = FileObject->DeviceObject;

	while (device->AttachedDevice != NULL)
		device = device->AttachedDevice;
	return device;
}

VOID ObfReferenceObject(PVOID Object)
{
	PDEVICE_OBJECT object = Object;

	if (object->Type == IO_TYPE_FILE || object->Type == IO_TYPE_DEVICE) {
		LONG before = InterlockedIncrement(&object->ReferenceCount) - 1;

		if (before <= 0)
			NT_BUG("object %p of type %d is dead and cannot be revived", Object, object->Type);
	} else if (nt_object_is_thread(Object)) {
		nt_thread_reference(Object);
	} else if (!nt_object_is_process(Object)) { /* processes live as long as the runtime */
		NT_BUG("%p is no object that can be referenced", Object);
	}
}

VOID ObfDereferenceObject(PVOID Object)
{
	PDEVICE_OBJECT object = Object;

	if (object->Type == IO_TYPE_FILE || object->Type == IO_TYPE_DEVICE) {
		CSHORT type = object->Type;
		LONG now = InterlockedDecrement(&object->ReferenceCount);

		if (now < 0) {
			(void)InterlockedIncrement(&object->ReferenceCount);
			nt_misuse(NT_RULE_REFERENCE, "ObDereferenceObject",
				  "object %p of type %d has no reference to put", Object, type);
			return;
		}
		if (now == 0 && type == IO_TYPE_FILE)
			nt_file_object_free(Object);
		else if (now == 0)
			nt_device_free(Object);
	} else if (nt_object_is_thread(Object)) {
		nt_thread_dereference(Object);
	} else if (!nt_object_is_process(Object)) {
		nt_misuse(NT_RULE_REFERENCE, "ObDereferenceObject",
			  "%p is no object that can be dereferenced", Object);
	}
}

NTSTATUS ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
				    KPROCESSOR_MODE AccessMode)
{
	(void)DesiredAccess; /* one process: who has the pointer has every access */
	(void)ObjectType;
	(void)AccessMode;
	ObfReferenceObject(Object);
	return STATUS_SUCCESS;
}

/* The types are told apart by their addresses alone. */
struct _OBJECT_TYPE {
	UCHAR type;
};
static struct _OBJECT_TYPE file_type = {IO_TYPE_FILE}, thread_type = {NT_THREAD};
static POBJECT_TYPE file_type_pointer = &file_type, thread_type_pointer = &thread_type;
POBJECT_TYPE *IoFileObjectType = &file_type_pointer;
POBJECT_TYPE *PsThreadType = &thread_type_pointer;

NTSTATUS ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK DesiredAccess, POBJECT_TYPE ObjectType,
				   KPROCESSOR_MODE AccessMode, PVOID *Object,
				   POBJECT_HANDLE_INFORMATION HandleInformation)
{
	struct nt_thread *thread;

	(void)DesiredAccess;
	(void)AccessMode;
	(void)HandleInformation;
	*Object = nt_handle_get(Handle, NT_HANDLE_FILE, ObfReferenceObject);
	if (*Object != NULL && ObjectType != NULL && ObjectType != &file_type) {
		ObfDereferenceObject(*Object);
		*Object = NULL;
		return STATUS_OBJECT_TYPE_MISMATCH;
	}
	if (*Object != NULL)
		return STATUS_SUCCESS;
	thread = nt_thread_of_handle(Handle);
	if (thread == NULL)
		return STATUS_INVALID_HANDLE;
	if (ObjectType != NULL && ObjectType != &thread_type)
		return STATUS_OBJECT_TYPE_MISMATCH;
	nt_thread_reference(thread);
	*Object = thread;
	return STATUS_SUCCESS;
}

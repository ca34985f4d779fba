/*
 * zwfile.h - files of devices, opened by name and held by handles, as drivers and their user-mode half do.
 *
 * A name is that of a device or of a symbolic link to one, with or without a path behind it:
 * \Device\NulMRx, \??\NulMRx, \Device\NulMRx\server\share\file. Files of the host are not reached.
 */
#ifndef NT_ZWFILE_H
#define NT_ZWFILE_H

#include "irp.h"

/**
 * ZwCreateFile - open a device, or a file behind it
 * @FileHandle: [out] for ZwClose(), which sends IRP_MJ_CLEANUP and IRP_MJ_CLOSE
 *
 * Context: PASSIVE_LEVEL; waits for the driver.
 * Return:  what the driver answered; STATUS_OBJECT_NAME_NOT_FOUND: no such device; STATUS_INVALID_PARAMETER;
 *          STATUS_INSUFFICIENT_RESOURCES.
 */
NTSTATUS ZwCreateFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
		      PIO_STATUS_BLOCK IoStatusBlock, PLARGE_INTEGER AllocationSize, ULONG FileAttributes,
		      ULONG ShareAccess, ULONG CreateDisposition, ULONG CreateOptions, PVOID EaBuffer,
		      ULONG EaLength);
NTSTATUS ZwOpenFile(PHANDLE FileHandle, ACCESS_MASK DesiredAccess, POBJECT_ATTRIBUTES ObjectAttributes,
		    PIO_STATUS_BLOCK IoStatusBlock, ULONG ShareAccess, ULONG OpenOptions);
/* Waits for the end, also without an Event; ApcRoutine: STATUS_NOT_IMPLEMENTED. */
NTSTATUS ZwDeviceIoControlFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
			       PIO_STATUS_BLOCK IoStatusBlock, ULONG IoControlCode, PVOID InputBuffer,
			       ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength);
NTSTATUS ZwFsControlFile(HANDLE FileHandle, HANDLE Event, PVOID ApcRoutine, PVOID ApcContext,
			 PIO_STATUS_BLOCK IoStatusBlock, ULONG FsControlCode, PVOID InputBuffer,
			 ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength);

/*
 * An IRP for a device, to be sent with IoCallDriver(). When it completes, Event is set, *IoStatusBlock filled and the
 * IRP freed: the sender does not touch it again. The buffers are the caller's until then. METHOD_BUFFERED data goes
 * through a copy, as for any requester. NULL: no memory. Page: wdm/IoBuildDeviceIoControlRequest.
 */
PIRP IoBuildDeviceIoControlRequest(ULONG IoControlCode, PDEVICE_OBJECT DeviceObject, PVOID InputBuffer,
				   ULONG InputBufferLength, PVOID OutputBuffer, ULONG OutputBufferLength,
				   BOOLEAN InternalDeviceIoControl, PKEVENT Event,
				   PIO_STATUS_BLOCK IoStatusBlock);
/* IRP_MJ_READ, IRP_MJ_WRITE, IRP_MJ_FLUSH_BUFFERS and IRP_MJ_SHUTDOWN. Page: wdm/IoBuildSynchronousFsdRequest. */
PIRP IoBuildSynchronousFsdRequest(ULONG MajorFunction, PDEVICE_OBJECT DeviceObject, PVOID Buffer,
				  ULONG Length, PLARGE_INTEGER StartingOffset, PKEVENT Event,
				  PIO_STATUS_BLOCK IoStatusBlock);
/* References the file behind a device's name, as a lower driver is found. Page: wdm/IoGetDeviceObjectPointer. */
NTSTATUS IoGetDeviceObjectPointer(PUNICODE_STRING ObjectName, ACCESS_MASK DesiredAccess,
				  PFILE_OBJECT *FileObject, PDEVICE_OBJECT *DeviceObject);

#endif

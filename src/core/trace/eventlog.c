/*
 * eventlog.c - the event log of a redirector: entries go to the core's log ring and to the debug output.
 *
 * Owns:   nothing.
 * Locks:  none.
 */
#include "core/trace/trace.h"

#define RX_EVENT_MAX_BYTES 255u /* an entry that is larger is not written: the page */

VOID RxLogEventDirect(PRDBSS_DEVICE_OBJECT DeviceObject, PUNICODE_STRING OriginatorId, ULONG EventId,
		      NTSTATUS Status, ULONG Line)
{
	RxLogEventWithBufferDirect(DeviceObject, OriginatorId, EventId, Status, NULL, 0, Line);
}

VOID RxLogEventWithBufferDirect(PVOID DeviceObject, PUNICODE_STRING OriginatorId, ULONG EventId,
				NTSTATUS Status, PVOID DataBuffer, USHORT DataBufferLength, ULONG LineNumber)
{
	(void)DeviceObject;
	(void)DataBuffer;
	RxLog(("event %lx %wZ status %lx line %lu, %u bytes of data", EventId, OriginatorId, (ULONG)Status,
	       LineNumber, DataBufferLength));
	DbgPrint("event %lx %wZ status %lx line %lu\n", EventId, OriginatorId, (ULONG)Status, LineNumber);
}

VOID RxLogEventWithAnnotation(PRDBSS_DEVICE_OBJECT DeviceObject, ULONG Id, NTSTATUS NtStatus,
			      PVOID RawDataBuffer, USHORT RawDataLength, PUNICODE_STRING Annotations,
			      ULONG AnnotationCount)
{
	ULONG bytes = RawDataLength;

	(void)RawDataBuffer;
	for (ULONG i = 0; i < AnnotationCount; i++) {
		bytes += Annotations[i].Length + (ULONG)sizeof(WCHAR);
		if (bytes > RX_EVENT_MAX_BYTES)
			return;
	}
	if (bytes > RX_EVENT_MAX_BYTES)
		return;
	RxLog(("event %lx device %wZ status %lx, %u bytes of data", Id, &DeviceObject->DeviceName,
	       (ULONG)NtStatus, RawDataLength));
	for (ULONG i = 0; i < AnnotationCount; i++)
		RxLog(("event %lx: %wZ", Id, &Annotations[i]));
}

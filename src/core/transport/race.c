/*
 * race.c - connecting over several transports at once; one wins.
 *
 * Owns:   struct rx_ce_race from the call until the completion routine has returned.
 * Locks:  none: the answers come on the engine's thread, one at a time; the end runs on a worker after the last one
 *         that counts.
 *
 *   started --an answer decides--> decided --worker--> losers ended, completion routine, gone
 */
#include "core/transport/connection.h"

#define RX_TAG_CE_RACE 'rExR'
#define RX_CE_MOST_ADDRESSES 16

struct rx_ce_runner {
	struct rx_ce_remote remote;
	struct rx_ce_circuit *circuit;
	bool answered;
	NTSTATUS status;
};

struct rx_ce_race {
	PRDBSS_DEVICE_OBJECT device;
	RXCE_CONNECTION_CREATE_OPTIONS options;
	struct nt_loop *loop;
	PRXCE_ADDRESS address[RX_CE_MOST_ADDRESSES];
	struct rx_ce_runner runner[RX_CE_MOST_ADDRESSES];
	ULONG runners;
	bool decided;
	LONG winner;                              /* -1: none */
	PRXCE_CONNECTION_INFORMATION information; /* points into `remote` */
	RXCE_CONNECTION_INFORMATION copy;
	DECLSPEC_ALIGN(8) UCHAR remote[RXCE_MAXIMUM_ADDRESS_BYTES];
	PRXCE_CONNECTION_EVENT_HANDLER handler;
	PVOID context;
	PRXCE_CONNECTION_COMPLETION_ROUTINE completion;
	PRXCE_CONNECTION_COMPLETION_CONTEXT completion_context;
	struct nt_loop_task start;
	RX_WORK_QUEUE_ITEM work;
};

/* ---- the end, on a worker ---- */

static NTSTATUS rx_ce_race_status(const struct rx_ce_race *race)
{
	return race->winner >= 0 ? STATUS_SUCCESS : race->runner[race->runners - 1].status;
}

static VOID NTAPI rx_ce_race_end(PVOID parameter)
{
	struct rx_ce_race *race = parameter;
	PRXCE_CONNECTION_COMPLETION_CONTEXT result = race->completion_context;

	for (ULONG i = 0; i < race->runners; i++)
		if ((LONG)i != race->winner)
			rx_ce_circuit_end(race->runner[i].circuit);
	result->Status = rx_ce_race_status(race);
	result->AddressIndex = race->winner >= 0 ? (ULONG)race->winner : race->runners;
	if (race->winner >= 0) {
		rx_ce_connection_init(result->pConnection, race->address[race->winner], race->information,
				      race->handler, race->context);
		rx_ce_vc_init(result->pVc, result->pConnection, race->runner[race->winner].circuit);
	}
	for (ULONG i = 0; i < race->runners; i++)
		InterlockedDecrement(&race->address[i]->ConnectionCount);
	rx_ce_loop_put();
	(void)race->completion(result);
	ExFreePoolWithTag(race, RX_TAG_CE_RACE);
}

/* ---- the race, on the engine's thread ---- */

static bool rx_ce_race_won_by(const struct rx_ce_race *race, ULONG i)
{
	return race->runner[i].answered && NT_SUCCESS(race->runner[i].status);
}

/* The best is the first in the caller's order: it is known when all before it have failed. */
static bool rx_ce_race_is_decided(struct rx_ce_race *race)
{
	ULONG failed = 0;

	for (ULONG i = 0; i < race->runners; i++) {
		if (rx_ce_race_won_by(race, i) &&
		    (race->options == RxCeSelectFirstSuccessfulTransport || failed == i)) {
			race->winner = (LONG)i;
			return true;
		}
		failed += race->runner[i].answered && !NT_SUCCESS(race->runner[i].status) ? 1 : 0;
	}
	return failed == race->runners;
}

static void rx_ce_race_look(struct rx_ce_race *race)
{
	if (race->decided || !rx_ce_race_is_decided(race))
		return;
	race->decided = true;
	(void)RxPostToWorkerThread(race->device, DelayedWorkQueue, &race->work, rx_ce_race_end, race);
}

static void rx_ce_race_answer(struct rx_ce_circuit *circuit, void *context, NTSTATUS status)
{
	struct rx_ce_race *race = context;

	if (race->decided)
		return; /* the worker ends it */
	for (ULONG i = 0; i < race->runners; i++) {
		if (race->runner[i].circuit == circuit) {
			race->runner[i].answered = true;
			race->runner[i].status = status;
		}
	}
	rx_ce_race_look(race);
}

/* No answer comes while this runs: they come on the same thread. */
static void rx_ce_race_start(struct nt_loop_task *task)
{
	struct rx_ce_race *race = CONTAINING_RECORD(task, struct rx_ce_race, start);

	for (ULONG i = 0; i < race->runners; i++) {
		struct rx_ce_runner *runner = &race->runner[i];

		runner->status = rx_ce_circuit_start(race->loop, &runner->remote, rx_ce_race_answer, race,
						     &runner->circuit);
		runner->answered = !NT_SUCCESS(runner->status);
	}
	rx_ce_race_look(race);
}

/* ---- the call ---- */

static NTSTATUS rx_ce_race_check(ULONG count, PRXCE_ADDRESS *addresses)
{
	if (count == 0 || count > RX_CE_MOST_ADDRESSES || addresses == NULL)
		return STATUS_INVALID_PARAMETER;
	for (ULONG i = 0; i < count; i++)
		if (!rx_ce_is_address(addresses[i]))
			return STATUS_INVALID_HANDLE;
	return STATUS_SUCCESS;
}

static NTSTATUS rx_ce_race_fill(struct rx_ce_race *race, ULONG count, PRXCE_ADDRESS *addresses,
				PRXCE_CONNECTION_INFORMATION information)
{
	race->winner = -1;
	race->runners = count;
	for (ULONG i = 0; i < count; i++) {
		race->address[i] = addresses[i];
		if (!rx_ce_remote_of(addresses[i]->pTransport, information, &race->runner[i].remote))
			return STATUS_INVALID_PARAMETER;
	}
	RtlCopyMemory(race->remote, information->RemoteAddress, (SIZE_T)information->RemoteAddressLength);
	race->copy.RemoteAddressLength = information->RemoteAddressLength;
	race->copy.RemoteAddress = race->remote;
	race->information = &race->copy;
	race->start.fn = rx_ce_race_start;
	return rx_ce_loop_get(&race->loop);
}

/**
 * RxCeBuildConnectionOverMultipleTransports - connect through several local addresses at once, and keep one
 * @CreateOptions:         [in] first: who answers first; best: the first in the array that answers
 * @pLocalAddressPointers: [in] their addresses stay until the completion routine has run
 * @pServerName:           [in] not needed to connect
 * @pCompletionRoutine:    [in] called once, on a worker, when STATUS_PENDING was returned
 * @pCompletionContext:    [in,out] with pConnection and pVc: memory for the winner
 *
 * Context: PASSIVE_LEVEL.
 * Return:  STATUS_PENDING; STATUS_INVALID_HANDLE (a local address is none), STATUS_INVALID_PARAMETER,
 *          STATUS_INSUFFICIENT_RESOURCES, STATUS_NOT_SUPPORTED (RxCeSelectAllSuccessfulTransports).
 * Page:    rxce/RxCeBuildConnectionOverMultipleTransports.
 */
NTSTATUS RxCeBuildConnectionOverMultipleTransports(
	PRDBSS_DEVICE_OBJECT pMiniRedirectorDeviceObject, RXCE_CONNECTION_CREATE_OPTIONS CreateOptions,
	ULONG NumberOfAddresses, PRXCE_ADDRESS *pLocalAddressPointers, PUNICODE_STRING pServerName,
	PRXCE_CONNECTION_INFORMATION pConnectionInformation, PRXCE_CONNECTION_EVENT_HANDLER pHandler,
	PVOID pEventContext, PRXCE_CONNECTION_COMPLETION_ROUTINE pCompletionRoutine,
	PRXCE_CONNECTION_COMPLETION_CONTEXT pCompletionContext)
{
	struct rx_ce_race *race;
	NTSTATUS status = rx_ce_race_check(NumberOfAddresses, pLocalAddressPointers);

	(void)pServerName;
	PAGED_CODE();
	if (!NT_SUCCESS(status))
		return status;
	if (CreateOptions == RxCeSelectAllSuccessfulTransports)
		return STATUS_NOT_SUPPORTED;
	if (pMiniRedirectorDeviceObject == NULL || pHandler == NULL || pCompletionRoutine == NULL ||
	    pCompletionContext == NULL || pCompletionContext->pConnection == NULL ||
	    pCompletionContext->pVc == NULL)
		return STATUS_INVALID_PARAMETER;
	race = ExAllocatePoolZero(NonPagedPool, sizeof(*race), RX_TAG_CE_RACE);
	if (race == NULL)
		return STATUS_INSUFFICIENT_RESOURCES;
	race->device = pMiniRedirectorDeviceObject;
	race->options = CreateOptions;
	race->handler = pHandler;
	race->context = pEventContext;
	race->completion = pCompletionRoutine;
	race->completion_context = pCompletionContext;
	status = rx_ce_race_fill(race, NumberOfAddresses, pLocalAddressPointers, pConnectionInformation);
	if (!NT_SUCCESS(status)) {
		ExFreePoolWithTag(race, RX_TAG_CE_RACE);
		return status;
	}
	for (ULONG i = 0; i < race->runners; i++)
		InterlockedIncrement(&race->address[i]->ConnectionCount); /* they stay */
	nt_loop_post(race->loop, &race->start);
	return STATUS_PENDING;
}

/*
 * fixture.c - see fixture.h.
 */
#include "fixture.h"

#include "nt_exec.h"

#include "core/trace/trace.h"
#include "quiet.h"

static PDRIVER_OBJECT fixture_driver;

void fixture_load(void)
{
	CHECK_EQUAL(nt_driver_load("recorder", recorder_driver_entry, &fixture_driver), STATUS_SUCCESS);
	recorder_reset();
}

void fixture_unload(void)
{
	fixture_check_quiet();
	nt_driver_unload(fixture_driver);
	fixture_driver = NULL;
}

int fixture_begin(void **state)
{
	struct nt_config config = {.executive = NT_EXEC_POSIX};

	(void)state;
	CHECK_EQUAL(nt_initialize(&config), STATUS_SUCCESS);
	fixture_load();
	return 0;
}

int fixture_end(void **state)
{
	(void)state;
	fixture_unload();
	CHECK_EQUAL(nt_shutdown(stderr), 0);
	return 0;
}

PRX_CONTEXT fixture_context(void)
{
	PRX_CONTEXT rxc = RxCreateRxContext(NULL, recorder_device, RX_CONTEXT_FLAG_WAIT);

	CHECK(rxc != NULL);
	rxc->MajorFunction = IRP_MJ_CREATE;
	return rxc;
}

void fixture_context_end(PRX_CONTEXT rxc)
{
	RxDereferenceAndDeleteRxContext(rxc);
}

void fixture_lock(void)
{
	CHECK(RxAcquirePrefixTableLockExclusive(recorder_device->pRxNetNameTable, TRUE));
}

void fixture_unlock(void)
{
	RxReleasePrefixTableLock(recorder_device->pRxNetNameTable);
}

PV_NET_ROOT fixture_connect(PUNICODE_STRING name, NTSTATUS *status)
{
	PRX_CONTEXT rxc = fixture_context();
	UNICODE_STRING rest;
	PV_NET_ROOT vnr;

	*status = RxFindOrConstructVirtualNetRoot(rxc, NULL, name, NET_ROOT_WILD, &rest);
	vnr = (PV_NET_ROOT)rxc->Create.pVNetRoot;
	CHECK(NT_SUCCESS(*status) == (vnr != NULL));
	rxc->Create.pVNetRoot = NULL;
	fixture_context_end(rxc);
	return vnr;
}

void fixture_disconnect(PV_NET_ROOT vnr)
{
	fixture_lock();
	RxDereferenceVNetRoot(vnr, LHS_ExclusiveLockHeld);
	fixture_unlock();
}

PFCB fixture_fcb(PRX_CONTEXT rxc, PV_NET_ROOT vnr, PUNICODE_STRING name)
{
	PRX_FCB_TABLE table = &((PNET_ROOT)vnr->pNetRoot)->FcbTable;
	PFCB fcb;

	CHECK(RxAcquireFcbTableLockExclusive(table, TRUE));
	fcb = RxFcbTableLookupFcb(table, name);
	if (fcb == NULL)
		fcb = RxCreateNetFcb(rxc, NULL, vnr, name);
	RxReleaseFcbTableLock(table);
	CHECK(fcb != NULL);
	CHECK_EQUAL(RxAcquireExclusiveFcb(rxc, fcb), STATUS_SUCCESS);
	return fcb;
}

bool fixture_fcb_end(PRX_CONTEXT rxc, PFCB fcb)
{
	if (RxDereferenceAndFinalizeNetFcb(fcb, rxc, FALSE, FALSE))
		return true;
	RxReleaseFcb(rxc, fcb);
	return false;
}

void fixture_check_objects(void)
{
	CHECK_EQUAL(rx_check_objects(recorder_device, RX_CHECK_LIVE, rx_check_print, NULL, NULL), 0);
}

void fixture_check_quiet(void)
{
	CHECK_EQUAL(check_when_quiet(recorder_device), 0);
}

ULONG fixture_names_in_table(void)
{
	ULONG count;

	fixture_lock();
	count = recorder_device->pRxNetNameTable->EntryCount;
	fixture_unlock();
	return count;
}

/*
 * minirdr.h - registration, start and stop of mini-redirectors, as the rest of the core sees them.
 */
#ifndef RX_CORE_MINIRDR_MINIRDR_H
#define RX_CORE_MINIRDR_MINIRDR_H

#include <stdbool.h>

#include "ntifs.h"
#include "rx.h"

/* register.c */
/* The FCB every open of a redirector device, and every tree connection, points at. Never freed, never locked. */
extern FCB RxDeviceFCB;

/* The device object that stands for RDBSS itself. */
PDEVICE_OBJECT rx_rdbss_device(void);
bool rx_is_rdbss_device(PDEVICE_OBJECT device);

/* start_stop.c */
VOID rx_start_stop_init(VOID);
/*
 * May a request pass, given the device's state? STATUS_SUCCESS or STATUS_REDIRECTOR_NOT_STARTED (E-16, E-17):
 * before a start and from the beginning of a stop only device opens, controls of such opens, cleanup and close.
 */
NTSTATUS rx_start_stop_admit(PRDBSS_DEVICE_OBJECT dev, PIRP irp);
/* Takes back what a start registered with others, if anything: after this nobody finds the device by a path. */
void rx_start_unregister(PRDBSS_DEVICE_OBJECT dev);
/*
 * Ends dormant opens and finalizes every view, share and server of a device, users or not; who still holds one
 * keeps its memory. No request of the device may be in flight but the caller's. Blocks, calls down.
 */
void rx_finalize_all_objects(PRDBSS_DEVICE_OBJECT dev);

/* config.c */
/* What the registry says; defaults without it. */
void rx_config_read(void);

#endif

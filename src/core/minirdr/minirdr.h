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

/* start_stop.c */
/*
 * May a request pass, given the device's state? STATUS_SUCCESS, STATUS_REDIRECTOR_NOT_STARTED or, while a
 * stop is in progress, STATUS_REDIRECTOR_NOT_STARTED as well. Rules E-16 and E-17.
 */
NTSTATUS rx_start_stop_admit(PRDBSS_DEVICE_OBJECT dev, PIRP irp);

#endif

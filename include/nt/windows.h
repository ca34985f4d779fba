/* windows.h - for sources that are shared by a driver and its user-mode half. */
#ifndef NT_WINDOWS_H
#define NT_WINDOWS_H

#include "windef.h"
#include "winerror.h"
#include "ntifs.h"

#endif

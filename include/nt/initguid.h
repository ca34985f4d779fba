/* initguid.h - from here on DEFINE_GUID defines; before, it declares. */
#ifndef NT_INITGUID_H
#define NT_INITGUID_H

#ifndef INITGUID
#define INITGUID
#endif
#include "guiddef.h"

#endif

/* ntddk.h - the same as ntifs.h: one executive, one set of headers. */
#include "ntifs.h"

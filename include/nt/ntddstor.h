/* ntddstor.h - storage controls: none is used by a redirector; the name exists because drivers include it. */
#ifndef NT_NTDDSTOR_H
#define NT_NTDDSTOR_H

#include "fsctl.h"

#endif

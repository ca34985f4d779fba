/* pseh2.h - the _SEH2_ spellings of structured exceptions are in seh.h. */
#ifndef NT_PSEH_PSEH2_H
#define NT_PSEH_PSEH2_H

#include "../seh.h"

#endif

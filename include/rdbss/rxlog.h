/*
 * rxlog.h - the debug log: a ring of lines in memory, kept in every build.
 */
#ifndef RX_RXLOG_H
#define RX_RXLOG_H

#include "rxtypes/forward.h"

/* printf-like, with the formats of DbgPrint. No secrets, no user data. Callable at any level. */
VOID _RxLog(char *Format, ...);

#define RxLog(_args) _RxLog _args
#define RxLogRetail(_args) _RxLog _args

/* Trace channels of old drivers; every channel goes nowhere. */
#define RxDbgTrace(INDENT, CHANNEL, ARGS) ((void)0)
#define RxDbgTraceLV(INDENT, CHANNEL, LEVEL, ARGS) ((void)0)
#define RxDbgTraceUnIndent(INDENT, CHANNEL) ((void)0)
/* With which old drivers suppress them for a while. */
extern BOOLEAN RxGlobalTraceSuppress, RxNextGlobalTraceSuppress;

#endif

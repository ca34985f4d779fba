/* rdr_explain.h - the one part of the command's own headers that knows an NT type. */
#ifndef RDR_TOOLS_RDR_EXPLAIN_H
#define RDR_TOOLS_RDR_EXPLAIN_H

#include "ntifs.h"
#include "nt_status.h"
#include "rdr.h"

int rdr_explain(struct rdr_error *error, const char *source, const char *step, NTSTATUS status);

struct door;
void rdr_status_put_objects(struct door *door, struct rdr_json *json);

#endif

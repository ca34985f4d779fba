/*
 * breakages.h - objects to check, one of each kind, and each way in which a rule of the checker can be broken.
 */
#ifndef RX_TEST_BREAKAGES_H
#define RX_TEST_BREAKAGES_H

#include "core/support/fixture.h"

#include "core/object/object.h"
#include "core/trace/trace.h"

/* One of each kind, and what stands in for a wrong pointer. */
extern struct world {
	PRX_CONTEXT rxc;
	PV_NET_ROOT vnr, other, gone; /* two shares; one view that lost its name */
	PNET_ROOT nr;
	PSRV_CALL sc;
	PFCB fcb, orphan;
	PSRV_OPEN in_fcb, own;          /* the SRV_OPEN inside the FCB, and one with its own memory */
	PFOBX first, of_own, allocated; /* inside the FCB; inside `own`; with its own memory */
} w;

/* Made, whole, before a test; and, mended, at its end. */
int breakages_begin(void **state);
int breakages_end(void **state);

struct breakage {
	const char *rule;
	const char *text; /* part of what the finding says */
	const char *name; /* that it gives; NULL: none */
	enum rx_check_mode mode;
	void (*apply)(bool mend);
};

extern const struct breakage breakages[];
extern const size_t breakages_count;

#define THE_FILE "\\dir\\file"
#define THE_SHARE "\\server\\share"

/* Some of them, to be broken by name. */
void break_list_back(bool mend);
void break_parent_fobx(bool mend);
void break_count_fcb(bool mend);
void break_count_srv_open(bool mend);

/* Writes a field, or with mend what was there before. Two fields may be broken at once. */
void breakage_put(unsigned int slot, volatile void *field, const void *value, size_t bytes, bool mend);

#define PUT(slot, field, value) \
	do { \
		__typeof__(field) new_ = (value); \
		breakage_put(slot, &(field), (const void *)&new_, sizeof(new_), mend); \
	} while (0)

#endif

/*
 * check.h - CHECK for tests: always on, usable from any thread and fiber, stops the program.
 */
#ifndef TESTS_CORE_SUPPORT_CHECK_H
#define TESTS_CORE_SUPPORT_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(e) \
	do { \
		if (!(e)) { \
			fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #e); \
			abort(); \
		} \
	} while (0)

#define CHECK_EQUAL(a, b) \
	do { \
		unsigned long long a_ = (unsigned long long)(a), b_ = (unsigned long long)(b); \
		if (a_ != b_) { \
			fprintf(stderr, "%s:%d: %s is %llu (0x%llx), not %llu (0x%llx)\n", __FILE__, \
				__LINE__, #a, a_, a_, b_, b_); \
			abort(); \
		} \
	} while (0)

#endif

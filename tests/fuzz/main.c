/*
 * main.c - libFuzzer's door to one decoder; FUZZ_ENTRY names it.
 */
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FUZZ_ENTRY(data, size);
	return 0;
}

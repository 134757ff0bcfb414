/* What fuzz targets share. A target is a file with one function, LLVMFuzzerTestOneInput, that ends the process where its
 * property does not hold: clang's libFuzzer draws the bytes, replay.c takes them from files. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include "wavelstm.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define REQUIRE(condition) ((condition) ? (void)0 : fuzz_failed(__FILE__, __LINE__, #condition))
_Noreturn void fuzz_failed(const char *file, int line, const char *condition);

/* The path of a file in a folder of this process, which goes away with it. Four may be in use at once. */
const char *fuzz_path(const char *name);

/* The same, with this content. */
const char *fuzz_write(const char *name, const void *bytes, size_t count);

/* Its content in memory of malloc; NULL where it is not there. */
unsigned char *fuzz_read(const char *name, size_t *count);

/* A failure is one of the file's (or a lack of memory) and has a sentence that a terminal can show. */
void fuzz_check_failure(wlstm_status status);

/* What is printed to stdout and stderr until fuzz_caught goes to memory. */
void fuzz_catch(void);
const char *fuzz_caught(void);

/* Bytes as a source of numbers: low when none are left. */
typedef struct fuzz_source {
    const uint8_t *at;
    size_t left;
} fuzz_source;
int64_t fuzz_between(fuzz_source *source, int64_t low, int64_t high);

#endif

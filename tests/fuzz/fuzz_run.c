/* wlstm-run whole, in this process, on any files: exit status 0, 1 or 2, with a message if not 0, and with a result if and
 * only if 0. The bytes are options, and for each file its length in two bytes and its content, of the last what is left. */
#include "target.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int wlstm_run(int argc, char **argv); /* its main */

enum { WITH_LENGTHS = 1, WITH_STATES = 2, BATCH_FIRST = 4, AS_F64 = 8, COMPACT = 16, ROUNDED = 32 };

static void write_file(fuzz_source *source, const char *name, bool last) {
    size_t count = last ? source->left : (size_t)fuzz_between(source, 0, 0xffff);
    if (count > source->left) count = source->left;
    fuzz_write(name, source->at, count);
    source->at += count, source->left -= count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    fuzz_source source = { bytes, count };
    const int options = (int)fuzz_between(&source, 0, 0xff);
    char paths[5][300], *argv[30];
    static const char *const names[5] = { "model", "input", "lengths", "h0", "output" };
    int argc = 0;
    for (int k = 0; k < 5; k++) strcpy(paths[k], fuzz_path(names[k]));
    write_file(&source, "model", false);
    write_file(&source, "input", (options & (WITH_LENGTHS | WITH_STATES)) == 0);
    if (options & WITH_LENGTHS) write_file(&source, "lengths", (options & WITH_STATES) == 0);
    if (options & WITH_STATES) write_file(&source, "h0", true);
    unlink(paths[4]);
    char *const fixed[] = { "wlstm-run", "--threads", "1",        "--model", paths[0],
                            "--input",   paths[1],    "--output", paths[4] };
    for (size_t k = 0; k < sizeof fixed / sizeof fixed[0]; k++) argv[argc++] = fixed[k];
    if (options & WITH_LENGTHS) argv[argc++] = "--lengths", argv[argc++] = paths[2];
    if (options & WITH_STATES)
        argv[argc++] = "--h0", argv[argc++] = paths[3], argv[argc++] = "--c0", argv[argc++] = paths[3];
    if (options & BATCH_FIRST) argv[argc++] = "--batch-first";
    if (options & AS_F64) argv[argc++] = "--dtype", argv[argc++] = "f64";
    if (options & COMPACT) argv[argc++] = "--compact";
    if (options & ROUNDED) argv[argc++] = "--precision", argv[argc++] = "int8";
    argv[argc] = NULL;
    setenv("WLSTM_CACHE", "off", 0);
    optind = 0;
    fuzz_catch();
    const int status = wlstm_run(argc, argv);
    const char *printed = fuzz_caught();
    REQUIRE(status >= 0 && status <= 2);
    REQUIRE(printed[0] != '\0');
    REQUIRE((access(paths[4], F_OK) == 0) == (status == 0));
    return 0;
}

#include "base/environment.h"

#include "base/lock.h"
#include "base/number.h"
#include "base/text.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wli_environment environment;
static wli_once read_once;

/* One value that a variable may have. */
typedef struct choice {
    const char *name;
    int value;
} choice;

static const choice backends[] = { { "auto", WLSTM_BACKEND_AUTO },
                                   { "reference", WLSTM_BACKEND_REFERENCE },
                                   { "onednn", WLSTM_BACKEND_ONEDNN },
                                   { "native", WLSTM_BACKEND_NATIVE },
                                   { NULL, 0 } };
static const choice efforts[] = { { "default", WLSTM_EFFORT_DEFAULT },
                                  { "estimate", WLSTM_EFFORT_ESTIMATE },
                                  { "measure", WLSTM_EFFORT_MEASURE },
                                  { "patient", WLSTM_EFFORT_PATIENT },
                                  { NULL, 0 } };
static const choice schedules[] = { { "auto", WLSTM_SCHEDULE_AUTO },
                                    { "serial", WLSTM_SCHEDULE_SERIAL },
                                    { "wavefront", WLSTM_SCHEDULE_WAVEFRONT },
                                    { "gangs", WLSTM_SCHEDULE_GANGS },
                                    { NULL, 0 } };
static const choice precisions[] = {
    { "full", WLSTM_PRECISION_FULL }, { "bf16", WLSTM_PRECISION_BF16 }, { "int8", WLSTM_PRECISION_INT8 }, { NULL, 0 }
};
/* neon is ARM's baseline. */
static const choice isas[] = {
    { "baseline", WLI_ISA_BASELINE },       { "neon", WLI_ISA_BASELINE }, { "avx2", WLI_ISA_AVX2 },
    { "avx2_vnni", WLI_ISA_AVX2_VNNI },     { "avx512", WLI_ISA_AVX512 }, { "avx512_vnni", WLI_ISA_AVX512_VNNI },
    { "avx512_bf16", WLI_ISA_AVX512_BF16 }, { "amx", WLI_ISA_AMX },       { NULL, 0 }
};

/* Reading is not over yet, so that wli_verbose cannot be asked. */
static void ignore_value(const char *variable, const char *value, const char *expected) {
    char shown[64];
    if (environment.verbose >= 1)
        fprintf(stderr, "wavelstm: %s: %s expected, got '%s': ignored\n", variable, expected,
                wli_printable(value, strlen(value), shown, sizeof shown));
}

static int read_choice(const char *variable, const choice *choices, int fallback) {
    const char *value = getenv(variable);
    char expected[112] = "one of";
    if (!value || !*value) return fallback;
    for (int i = 0; choices[i].name; i++) {
        if (strcmp(value, choices[i].name) == 0) return choices[i].value;
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s %s", i ? "," : "", choices[i].name);
    }
    ignore_value(variable, value, expected);
    return fallback;
}

static int read_number(const char *variable, int lowest, int highest, const char *expected, int fallback) {
    const char *value = getenv(variable);
    if (!value || !*value) return fallback;
    int64_t number;
    if (wli_parse_integer(value, lowest, highest, &number)) return (int)number;
    ignore_value(variable, value, expected);
    return fallback;
}

/* The user's directory of plan caches. A relative XDG_CACHE_HOME or HOME counts as not set. */
static const char *find_cache_directory(void) {
    static char directory[4096];
    const char *given = getenv("WLSTM_CACHE"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    const char *variable = "WLSTM_CACHE";
    int length = 0;
    if (given && *given)
        length = snprintf(directory, sizeof directory, "%s", given);
    else if (xdg && *xdg == '/')
        variable = "XDG_CACHE_HOME", length = snprintf(directory, sizeof directory, "%s/wavelstm", xdg);
    else if (home && *home == '/')
        variable = "HOME", length = snprintf(directory, sizeof directory, "%s/.cache/wavelstm", home);
    if (length >= (int)sizeof directory) ignore_value(variable, directory, "a plan cache's path of at most 4095 bytes");
    return length > 0 && length < (int)sizeof directory ? directory : NULL;
}

static void read_environment(void) {
    environment.verbose = read_number("WLSTM_VERBOSE", 0, 2, "0 to 2", 0);
    environment.num_threads = read_number("WLSTM_NUM_THREADS", 1, 1 << 16, "1 to 65536", 0);
    environment.backend = (wlstm_backend)read_choice("WLSTM_BACKEND", backends, WLSTM_BACKEND_AUTO);
    environment.effort = (wlstm_effort)read_choice("WLSTM_EFFORT", efforts, WLSTM_EFFORT_DEFAULT);
    environment.schedule = (wlstm_schedule)read_choice("WLSTM_SCHEDULE", schedules, WLSTM_SCHEDULE_AUTO);
    environment.precision = (wlstm_precision)read_choice("WLSTM_PRECISION", precisions, WLSTM_PRECISION_DEFAULT);
    const char *cache = getenv("WLSTM_CACHE");
    environment.caching = !cache || strcmp(cache, "off") != 0;
    environment.cache_directory = environment.caching ? find_cache_directory() : NULL;
    environment.isa_cap = (wli_isa)read_choice("WLSTM_ISA", isas, WLI_ISA_AMX);
}

const wli_environment *wli_environment_get(void) {
    wli_once_run(&read_once, read_environment);
    return &environment;
}

void wli_verbose(int level, const char *line) {
    if (wli_environment_get()->verbose >= level) fprintf(stderr, "wavelstm: %s\n", line);
}

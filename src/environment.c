#include "environment.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wli_environment environment;
static pthread_once_t read_once = PTHREAD_ONCE_INIT;

/* The index of variable's value in names (NULL-terminated), or fallback. */
static int choice(const char *variable, const char *const *names, int fallback) {
    const char *value = getenv(variable);
    for (int i = 0; value && names[i]; i++)
        if (strcmp(value, names[i]) == 0) return i;
    return fallback;
}

static int number(const char *variable, int lowest, int highest, int fallback) {
    const char *value = getenv(variable);
    if (!value || !*value) return fallback;
    char *end;
    long parsed = strtol(value, &end, 10);
    return *end == '\0' && parsed >= lowest && parsed <= highest ? (int)parsed : fallback;
}

static void read_environment(void) {
    static const char *const backends[] = { "auto", "reference", "onednn", "native", NULL };
    static const char *const efforts[] = { "default", "estimate", "measure", "patient", NULL };
    static const char *const isas[] = { "baseline", "avx2", "avx512", NULL };
    static const char *const wider_isas[] = { "neon", "avx512_bf16", NULL };
    environment.num_threads = number("WLSTM_NUM_THREADS", 1, 1 << 16, 0);
    environment.verbose = number("WLSTM_VERBOSE", 0, 3, 0);
    environment.backend = (wlstm_backend)choice("WLSTM_BACKEND", backends, WLSTM_BACKEND_AUTO);
    environment.effort = (wlstm_effort)choice("WLSTM_EFFORT", efforts, WLSTM_EFFORT_DEFAULT);
    /* neon is ARM's baseline; avx512_bf16 caps nothing that f32 and f64 use. */
    int wider = choice("WLSTM_ISA", wider_isas, 1);
    environment.isa_cap = wider == 0 ? WLI_ISA_BASELINE : (wli_isa)choice("WLSTM_ISA", isas, WLI_ISA_AVX512);
}

const wli_environment *wli_environment_get(void) {
    pthread_once(&read_once, read_environment);
    return &environment;
}

void wli_verbose(int level, const char *line) {
    if (wli_environment_get()->verbose >= level) fprintf(stderr, "wavelstm: %s\n", line);
}

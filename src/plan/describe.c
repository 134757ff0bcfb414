#include "plan/describe.h"

#include <inttypes.h>
#include <stdio.h>

/* "native avx2", "onednn matmul 2.6.3" */
static void name_gemm(const wli_choice *choice, int64_t kind, char text[64]) {
    char code[WLI_CODE_NAME_BYTES];
    wli_multipliers[kind]->name_code(choice->native, code);
    snprintf(text, 64, "%s %s", wli_gemm_names[kind], code);
}

static void describe_backend(const wli_choice *choice, char text[160]) {
    char project[64], step[64];
    name_gemm(choice, choice->project, project), name_gemm(choice, choice->step, step);
    const char *isa = choice->native->isa;
    if (choice->project != choice->step)
        snprintf(text, 160, "project %s, step %s, cell %s", project, step, isa);
    else if (!wli_multipliers[choice->step]->in_panels)
        snprintf(text, 160, "project and step %s, cell %s", step, isa);
    else
        snprintf(text, 160, "project and step %s", step);
}

/* Where the choice comes from, as the end of the description; the reference has none. */
static void describe_origin(const wli_decision *decision, char text[WLI_PROBLEM_NAME_BYTES + 32]) {
    static const char *const origins[] = {
        [WLI_FROM_MODEL] = ", estimated", [WLI_FROM_TUNING] = ", tuned", [WLI_FROM_NEIGHBOUR] = ", tuned for "
    };
    char name[WLI_PROBLEM_NAME_BYTES] = "";
    if (decision && decision->origin == WLI_FROM_NEIGHBOUR) wli_problem_format(&decision->neighbour, name);
    snprintf(text, WLI_PROBLEM_NAME_BYTES + 32, "%s%s", decision ? origins[decision->origin] : "", name);
}

/* Where a schedule is named and cannot be had. */
static const char *describe_missing(const wli_setting *setting, const wli_choice *choice) {
    static const char *const missing[] = { "", "", " (no wavefront)", " (no gangs)" };
    return setting->schedule && (int)choice->schedule != (int)setting->schedule - WLSTM_SCHEDULE_SERIAL
               ? missing[setting->schedule]
               : "";
}

static void describe_schedule(const wli_choice *choice, char text[160]) {
    const int64_t layers = choice->gang_layers, directions = choice->gang_directions, parts = choice->parts;
    if (choice->threads <= 1)
        snprintf(text, 160, "1 thread");
    else if (choice->schedule == WLI_GANG)
        snprintf(text, 160,
                 "%" PRId64 " threads as gangs, layers %" PRId64 " x directions %" PRId64 " x parts %" PRId64
                 " x units %" PRId64 ", chunk %" PRId64,
                 choice->threads, layers, directions, parts, wli_choice_shares(choice), choice->chunk_steps);
    else
        snprintf(text, 160, "%" PRId64 " threads as wavefront, parts %" PRId64 ", chunk %" PRId64, choice->threads,
                 parts, choice->chunk_steps);
}

void wli_describe(const wli_problem *problem, const wli_setting *setting, const wli_choice *choice, bool by_reference,
                  const wli_decision *decision, size_t weight_bytes, size_t scratch_bytes,
                  char text[WLI_DESCRIPTION_BYTES]) {
    char name[WLI_PROBLEM_NAME_BYTES], backend[160] = "reference", schedule[160], origin[WLI_PROBLEM_NAME_BYTES + 32];
    wli_problem_format(problem, name);
    if (!by_reference) describe_backend(choice, backend);
    describe_origin(decision, origin);
    describe_schedule(choice, schedule);
    snprintf(text, WLI_DESCRIPTION_BYTES, "%s: %s, %s%s, weights %.1f MB, scratch %.1f MB%s", name, backend, schedule,
             describe_missing(setting, choice), (double)weight_bytes / 1e6, (double)scratch_bytes / 1e6, origin);
}

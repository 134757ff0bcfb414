/* Any text as the name of a problem, of wlstm-bench's stacks of cells too: an error with a sentence, or a problem whose
 * sizes a model and a call may have and whose name is the text. */
#include "target.h"

#include "plan/problem.h"
#include "problems.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check_problem(const wli_problem *problem, const char *name) {
    char formatted[WLI_PROBLEM_NAME_BYTES];
    const int64_t sizes[] = { problem->seq_len, problem->batch, problem->input_size, problem->hidden_size,
                              problem->num_layers };
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) REQUIRE(sizes[k] >= 1 && sizes[k] <= WLI_LARGEST_SIZE);
    REQUIRE(problem->seq_len <= WLI_LARGEST_SIZE / problem->batch);
    REQUIRE(problem->proj_size >= 0 && problem->proj_size < problem->hidden_size);
    REQUIRE(wli_dtype_runs(problem->dtype) && problem->precision != WLSTM_PRECISION_DEFAULT);
    REQUIRE(isfinite(wli_problem_flops(problem)) && wli_problem_flops(problem) > 0);
    wli_problem_format(problem, formatted);
    REQUIRE(strcmp(formatted, name) == 0);
}

static void check_name(const char *name) {
    wli_problem problem;
    bench_problem stack;
    const wlstm_status status = wli_problem_parse(name, &problem);
    if (status == WLSTM_OK)
        check_problem(&problem, name);
    else
        fuzz_check_failure(status);
    const wlstm_status of_bench = bench_problem_parse(name, &stack);
    REQUIRE(status != WLSTM_OK || (of_bench == WLSTM_OK && stack.cells == 0));
    if (of_bench != WLSTM_OK)
        fuzz_check_failure(of_bench);
    else if (stack.cells > 0)
        REQUIRE(strcmp(stack.name, name) == 0 && stack.cells <= MOST_CELLS && stack.problem.num_layers == stack.cells);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    char *name = malloc(count + 1);
    if (name == NULL) abort();
    memcpy(name, bytes, count);
    name[count] = '\0';
    /* Up to a NUL; error sentences show the name as it is given, so that only what a terminal shows is tried. */
    for (size_t k = 0; k < count && name[k]; k++)
        if ((unsigned char)name[k] < ' ' || name[k] == 0x7f) name[k] = '?';
    check_name(name);
    free(name);
    return 0;
}

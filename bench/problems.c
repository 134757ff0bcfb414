#include "problems.h"

#include "base/number.h"
#include "base/status.h"
#include <stdio.h>
#include <string.h>

/* "h512h256h128" at *text, which moves past it. */
static bool take_hidden_sizes(const char **text, bench_problem *problem) {
    for (problem->cells = 0; **text == 'h'; problem->cells++) {
        ++*text;
        if (problem->cells == MOST_CELLS || **text == '0' ||
            !wli_take_integer(text, 1, WLI_LARGEST_SIZE, &problem->hidden_sizes[problem->cells]))
            return false;
    }
    return true;
}

wlstm_status bench_problem_parse(const char *name, bench_problem *problem) {
    const char *sizes = strchr(name, 'h'), *rest = sizes;
    *problem = (bench_problem){ 0 };
    if (!sizes || !strchr(sizes + 1, 'h')) {
        const wlstm_status status = wli_problem_parse(name, &problem->problem);
        if (status == WLSTM_OK) wli_problem_format(&problem->problem, problem->name);
        return status;
    }
    char alike[2 * WLI_PROBLEM_NAME_BYTES];
    bool known = strlen(name) < sizeof problem->name && take_hidden_sizes(&rest, problem);
    if (known) {
        snprintf(alike, sizeof alike, "%.*sh%lldl%d%s", (int)(sizes - name), name,
                 (long long)problem->hidden_sizes[problem->cells - 1], problem->cells, rest);
        known = wli_problem_parse(alike, &problem->problem) == WLSTM_OK && !problem->problem.bidirectional &&
                problem->problem.proj_size == 0;
    }
    if (!known)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "stack of cells \"%s\": t<seq_len>b<batch>i<input_size>h<hidden_size>h<hidden_size>..."
                        "[-nobias][-f64|-bf16|[-bf16arrays][-int8]] with at most %d cells expected",
                        name, (int)MOST_CELLS);
    memcpy(problem->name, name, strlen(name) + 1);
    return WLSTM_OK;
}

wlstm_status bench_problem_lstm(const bench_problem *problem, wlstm_lstm **lstm) {
    const wlstm_lstm_config config = wli_problem_config(&problem->problem);
    if (!problem->cells) return wlstm_lstm_create(&config, lstm);
    wlstm_cell *cells[MOST_CELLS] = { NULL };
    wlstm_status status = WLSTM_OK;
    *lstm = NULL;
    for (int k = 0; k < problem->cells && status == WLSTM_OK; k++) {
        wlstm_cell_config cell = WLSTM_CELL_CONFIG_INIT;
        cell.input_size = k ? problem->hidden_sizes[k - 1] : config.input_size;
        cell.hidden_size = problem->hidden_sizes[k];
        cell.bias = config.bias, cell.dtype = config.dtype;
        status = wlstm_cell_create(&cell, &cells[k]);
    }
    if (status == WLSTM_OK)
        status = wlstm_lstm_create_from_cells((const wlstm_cell *const *)cells, problem->cells, lstm);
    for (int k = 0; k < problem->cells; k++) wlstm_cell_free(cells[k]);
    return status;
}

double bench_problem_flops(const bench_problem *problem) {
    if (!problem->cells) return wli_problem_flops(&problem->problem);
    double input = (double)problem->problem.input_size, row = 0;
    for (int k = 0; k < problem->cells; k++) {
        const double H = (double)problem->hidden_sizes[k];
        row += 8 * H * (input + H);
        input = H;
    }
    return (double)problem->problem.seq_len * (double)problem->problem.batch * row;
}

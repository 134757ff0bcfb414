/* A model, a call and a plan (schedule, threads, precision, backend, chunks, compact or not) out of the bytes: the
 * reference's result, the same bits a second time and in place, for whatever values; and a row alone has the bits it has
 * in the batch, where the kernels are ours. */
#include "draw.h"
#include "target.h"

#include "compare.h"
#include "random.h"
#include "reference/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static wlstm_plan_options draw_options(fuzz_source *source, const problem *p) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    options.max_seq_len = p->seq_len + fuzz_between(source, 0, 3);
    options.max_batch = p->batch + fuzz_between(source, 0, 3);
    options.num_threads = (int)fuzz_between(source, 1, 6);
    options.backend = (wlstm_backend)fuzz_between(source, WLSTM_BACKEND_AUTO, WLSTM_BACKEND_NATIVE);
    options.schedule = (wlstm_schedule)fuzz_between(source, WLSTM_SCHEDULE_AUTO, WLSTM_SCHEDULE_GANGS);
    options.chunk_steps = fuzz_between(source, 0, 9);
    options.deterministic = fuzz_between(source, 0, 1) == 1;
    options.effort = WLSTM_EFFORT_ESTIMATE;
    options.precision = draw_precision(source, p);
    return options;
}

/* Some elements become such as float has at its ends. */
static void spoil(fuzz_source *source, const problem *p) {
    static const double odd[] = { 0, -0.0, NAN, INFINITY, -INFINITY, 1e-40, 1e4, -1e4 };
    for (int64_t left = fuzz_between(source, 0, 3); left > 0; left--) {
        const int64_t at = fuzz_between(source, 0, problem_x_count(p) - 1);
        const double value = odd[fuzz_between(source, 0, 7)];
        if (p->config.dtype == WLSTM_F64)
            ((double *)p->x)[at] = value;
        else
            ((float *)p->x)[at] = (float)value;
    }
}

static void check_close(const problem *p, wlstm_precision precision, const void *got, const void *expected,
                        int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        const double value = tensor_at(p->config.dtype, got, k), wanted = tensor_at(p->config.dtype, expected, k);
        if (wli_close_enough(p->config.dtype, precision, value, wanted)) continue;
        fprintf(stderr, "%s, precision %d: [%lld] of %lld is %.9g, %.9g expected\n", p->name, (int)precision,
                (long long)k, (long long)count, value, wanted);
        fuzz_failed(__FILE__, __LINE__, "close to the reference");
    }
}

/* As a plan's h and c may be written where they were read. */
static void check_in_place(const problem *p, wlstm_plan *plan, const outcome *expected) {
    const size_t size = dtype_size(p->config.dtype);
    outcome o = outcome_create(p);
    memcpy(o.h_n, p->h_0, (size_t)problem_h_count(p) * size);
    memcpy(o.c_n, p->c_0, (size_t)problem_c_count(p) * size);
    REQUIRE(wlstm_plan_execute(plan, p->seq_len, p->batch, p->lengths, p->x, o.h_n, o.c_n, o.out, o.h_n, o.c_n) ==
            WLSTM_OK);
    REQUIRE(outcomes_agree(p, "in place", &o, expected, true));
    outcome_free(&o);
}

static void check_row(const problem *p, wlstm_plan *plan, const outcome *whole, int64_t row) {
    const int64_t length = p->lengths ? p->lengths[row] : p->seq_len;
    problem alone = problem_row(p, row, length);
    outcome of_row = outcome_row(p, whole, row, length), o;
    REQUIRE(problem_execute(&alone, plan, &o) == WLSTM_OK);
    REQUIRE(outcomes_agree(&alone, "a row alone", &o, &of_row, true));
    outcome_free(&o);
    outcome_free(&of_row);
    problem_free(&alone);
}

static void check_plan(const problem *p, wlstm_plan *plan, wlstm_precision precision, bool native, int64_t row) {
    const wlstm_plan_options by_reference = { .struct_size = sizeof by_reference,
                                              .max_seq_len = p->seq_len,
                                              .max_batch = p->batch,
                                              .num_threads = 1,
                                              .backend = WLSTM_BACKEND_REFERENCE,
                                              .precision = precision };
    wlstm_plan *reference;
    outcome expected, o, again;
    REQUIRE(wlstm_plan_create(p->lstm, &by_reference, &reference) == WLSTM_OK);
    REQUIRE(problem_execute(p, reference, &expected) == WLSTM_OK && problem_execute(p, plan, &o) == WLSTM_OK);
    check_close(p, precision, o.out, expected.out, problem_out_count(p));
    check_close(p, precision, o.h_n, expected.h_n, problem_h_count(p));
    check_close(p, precision, o.c_n, expected.c_n, problem_c_count(p));
    REQUIRE(problem_execute(p, plan, &again) == WLSTM_OK);
    REQUIRE(outcomes_agree(p, "again", &again, &o, true));
    if (p->with_states) check_in_place(p, plan, &o);
    if (native) check_row(p, plan, &o, row);
    outcome_free(&o);
    outcome_free(&again);
    outcome_free(&expected);
    wlstm_plan_free(reference);
}

/* A model of packed weights alone gives the bits of the one it was. */
static void check_compact(const problem *p, wlstm_plan_options options, wlstm_plan *plan) {
    wlstm_plan *compact;
    outcome o, expected;
    REQUIRE(wlstm_lstm_set_precision(p->lstm, options.precision) == WLSTM_OK);
    REQUIRE(wlstm_lstm_compact(p->lstm) == WLSTM_OK);
    REQUIRE(wlstm_plan_create(p->lstm, &options, &compact) == WLSTM_OK);
    REQUIRE(problem_execute(p, plan, &expected) == WLSTM_OK && problem_execute(p, compact, &o) == WLSTM_OK);
    REQUIRE(outcomes_agree(p, "compact", &o, &expected, true));
    outcome_free(&o);
    outcome_free(&expected);
    wlstm_plan_free(compact);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    fuzz_source source = { bytes, count };
    setenv("WLSTM_CACHE", "off", 0);
    problem p = draw_problem(&source);
    const wlstm_plan_options options = draw_options(&source, &p);
    const int64_t row = fuzz_between(&source, 0, p.batch - 1);
    const bool compact = fuzz_between(&source, 0, 3) == 3;
    uint64_t stream = (uint64_t)fuzz_between(&source, 0, 0xffff);
    problem_build(&p, &stream);
    spoil(&source, &p);
    wlstm_plan *plan;
    const wlstm_status status = wlstm_plan_create(p.lstm, &options, &plan);
    if (status == WLSTM_OK) {
        const bool native = options.backend == WLSTM_BACKEND_NATIVE;
        check_plan(&p, plan, options.precision ? options.precision : WLSTM_PRECISION_FULL, native, row);
        if (compact && native) check_compact(&p, options, plan);
    } else {
        REQUIRE(plan == NULL && status == WLSTM_ERROR_UNSUPPORTED && options.backend == WLSTM_BACKEND_ONEDNN);
    }
    wlstm_plan_free(plan);
    problem_free(&p);
    return 0;
}

/* The order in which a batch's rows are worked on: longest first, equal ones as they came; who is active when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "random.h"
#include "schedule/rows.h"

enum { MAX_BATCH = 200, ROUNDS = 2000 };

static uint64_t stream;

static void check_order(const wli_rows *rows, const wli_call *call) {
    bool seen[MAX_BATCH] = { false };
    assert_int_equal(rows->batch, call->batch);
    for (int64_t r = 0; r < call->batch; r++) {
        const int64_t row = rows->order[r];
        assert_in_range(row, 0, call->batch - 1);
        assert_false(seen[row]);
        seen[row] = true;
        assert_int_equal(rows->lengths[r], wli_call_length(call, row));
        if (r == 0) continue;
        assert_true(rows->lengths[r - 1] >= rows->lengths[r]);
        if (rows->lengths[r - 1] == rows->lengths[r]) assert_true(rows->order[r - 1] < row);
    }
}

static void longest_first_equal_ones_as_they_came(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t lengths[MAX_BATCH], order[MAX_BATCH], sorted[MAX_BATCH];
        wli_call call = { .seq_len = random_between(&stream, 1, random_flag(&stream) ? 4 : 1000), .lengths = lengths };
        wli_rows rows = { .order = order, .lengths = sorted };
        call.batch = random_between(&stream, 0, MAX_BATCH);
        for (int64_t b = 0; b < call.batch; b++) lengths[b] = random_between(&stream, 1, call.seq_len);
        wli_rows_sort(&rows, &call);
        check_order(&rows, &call);
    }
}

static void without_lengths_the_order_is_the_callers(void **state) {
    (void)state;
    int64_t order[MAX_BATCH], sorted[MAX_BATCH];
    wli_call call = { .seq_len = 7 };
    wli_rows rows = { .order = order, .lengths = sorted };
    for (call.batch = 0; call.batch <= MAX_BATCH; call.batch++) {
        wli_rows_sort(&rows, &call);
        check_order(&rows, &call);
        for (int64_t r = 0; r < call.batch; r++) assert_int_equal(order[r], r);
    }
}

/* Packed rows are in the order of work as they come, and (t, b) lies behind all rows of the times before. */
static void packed_rows_lie_one_time_after_the_other(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        enum { MAX_STEPS = 30 };
        int64_t batch_sizes[MAX_STEPS], order[MAX_BATCH], sorted[MAX_BATCH], behind[MAX_BATCH + 1], at = 0;
        wli_call call = { .seq_len = random_between(&stream, 1, MAX_STEPS), .batch_sizes = batch_sizes };
        wli_rows rows = { .order = order, .lengths = sorted };
        wli_packed_rows packed = { .behind = behind };
        batch_sizes[0] = random_between(&stream, 1, MAX_BATCH);
        for (int64_t t = 1; t < call.seq_len; t++) batch_sizes[t] = random_between(&stream, 1, batch_sizes[t - 1]);
        assert_int_equal(wli_call_count_rows(&call), WLSTM_OK);
        assert_int_equal(call.batch, batch_sizes[0]);
        wli_rows_sort(&rows, &call);
        check_order(&rows, &call);
        wli_packed_rows_begin(&packed, &call);
        for (int64_t t = 0; t < call.seq_len; t++)
            for (int64_t b = 0; b < batch_sizes[t]; b++) {
                assert_int_equal(order[b], b);
                assert_true(sorted[b] > t);
                assert_int_equal(wli_packed_rows_at(&packed, t, b), at++);
            }
        for (int64_t b = 0; b < call.batch; b++) at -= sorted[b];
        assert_int_equal(at, 0);
    }
}

static void active_rows_are_the_first_ones(void **state) {
    (void)state;
    int64_t lengths[] = { 5, 5, 3, 1 };
    const wli_rows rows = { .lengths = lengths, .batch = 4 };
    const int64_t expected[] = { 4, 3, 3, 2, 2, 0, 0 };
    int64_t active = wli_rows_of_part(&rows, 0, 1);
    for (int64_t step = 0; step < 7; step++) {
        active = wli_rows_active(&rows, 0, 1, step, active);
        assert_int_equal(active, expected[step]);
        assert_int_equal(wli_rows_active(&rows, 0, 1, step, rows.batch), expected[step]);
    }
}

/* Each part's rows are longest first, and no two parts' steps differ by more than the longest row, as those of rows dealt in one
 * direction would. */
static void parts_have_nearly_the_same_steps(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        int64_t lengths[MAX_BATCH], order[MAX_BATCH], sorted[MAX_BATCH], most = 0, fewest = INT64_MAX, total = 0;
        wli_call call = { .seq_len = random_between(&stream, 1, 1000), .lengths = lengths };
        wli_rows rows = { .order = order, .lengths = sorted };
        call.batch = random_between(&stream, 1, MAX_BATCH);
        const int64_t parts = random_between(&stream, 1, call.batch);
        for (int64_t b = 0; b < call.batch; b++) lengths[b] = random_between(&stream, 1, call.seq_len);
        wli_rows_sort(&rows, &call);
        wli_rows_deal(&rows, parts);
        for (int64_t part = 0; part < parts; part++) {
            int64_t steps = 0, before = call.seq_len;
            const int64_t count = wli_rows_of_part(&rows, part, parts);
            for (int64_t i = 0, r = part; i < count; i++, r += parts) {
                assert_int_equal(rows.lengths[r], lengths[rows.order[r]]);
                assert_true(rows.lengths[r] <= before);
                before = rows.lengths[r];
                steps += before;
            }
            total += steps;
            if (steps > most) most = steps;
            if (steps < fewest) fewest = steps;
        }
        for (int64_t b = 0; b < call.batch; b++) total -= lengths[b];
        assert_int_equal(total, 0);
        assert_true(most - fewest <= rows.lengths[0]);
    }
    /* 16 rows of 16, 15, ... 1 steps to 8 parts: 17 each, not 24 to 10. */
    int64_t lengths[16], order[16], sorted[16];
    const wli_call call = { .seq_len = 16, .batch = 16, .lengths = lengths };
    wli_rows rows = { .order = order, .lengths = sorted };
    for (int64_t b = 0; b < 16; b++) lengths[b] = 16 - b;
    wli_rows_sort(&rows, &call);
    wli_rows_deal(&rows, 8);
    for (int64_t part = 0; part < 8; part++) assert_int_equal(rows.lengths[part] + rows.lengths[part + 8], 17);
}

static void the_reverse_direction_starts_at_a_rows_own_end(void **state) {
    (void)state;
    int64_t lengths[] = { 5, 3 };
    const wli_rows rows = { .lengths = lengths, .batch = 2 };
    assert_int_equal(wli_rows_time(&rows, 0, 2, 0), 2);
    assert_int_equal(wli_rows_time(&rows, 0, 2, 1), 2);
    assert_int_equal(wli_rows_time(&rows, 1, 0, 0), 4);
    assert_int_equal(wli_rows_time(&rows, 1, 0, 1), 2);
    assert_int_equal(wli_rows_time(&rows, 1, 2, 1), 0);
}

/* x [T, B, .] and [B, T, .] by the caller's rows, and a chunk that begins at a later time in the order of work. */
static void views(void **state) {
    (void)state;
    char tensor[256];
    const int64_t order[] = { 2, 0, 1 };
    const wli_view time_major = { .base = tensor, .time = 30, .row = 10, .order = order };
    const wli_view batch_first = { .base = tensor, .time = 10, .row = 40, .order = order };
    const wli_view chunk = { .base = tensor, .first_time = 4, .time = 30, .row = 10 };
    assert_ptr_equal(wli_view_at(&time_major, 3, 0), tensor + 3 * 30 + 20);
    assert_ptr_equal(wli_view_at(&batch_first, 3, 2), tensor + 3 * 10 + 40);
    assert_ptr_equal(wli_view_at(&chunk, 4, 0), tensor);
    assert_ptr_equal(wli_view_at(&chunk, 6, 2), tensor + 2 * 30 + 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(longest_first_equal_ones_as_they_came),
        cmocka_unit_test(without_lengths_the_order_is_the_callers),
        cmocka_unit_test(packed_rows_lie_one_time_after_the_other),
        cmocka_unit_test(active_rows_are_the_first_ones),
        cmocka_unit_test(parts_have_nearly_the_same_steps),
        cmocka_unit_test(the_reverse_direction_starts_at_a_rows_own_end),
        cmocka_unit_test(views),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

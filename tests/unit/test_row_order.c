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

static void active_rows_are_the_first_ones(void **state) {
    (void)state;
    int64_t lengths[] = { 5, 5, 3, 1 };
    const wli_rows rows = { .lengths = lengths, .batch = 4 };
    const int64_t expected[] = { 4, 3, 3, 2, 2, 0, 0 };
    int64_t active = rows.batch;
    for (int64_t step = 0; step < 7; step++) {
        active = wli_rows_active(&rows, step, active);
        assert_int_equal(active, expected[step]);
        assert_int_equal(wli_rows_active(&rows, step, rows.batch), expected[step]);
    }
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
        cmocka_unit_test(active_rows_are_the_first_ones),
        cmocka_unit_test(the_reverse_direction_starts_at_a_rows_own_end),
        cmocka_unit_test(views),
    };
    stream = random_test_stream();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

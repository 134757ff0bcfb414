/* Who does what of a job over ranks: layers in order, as evenly as they go; rows with about as many steps each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>

#include "deal.h"
#include "random.h"

enum { MOST = 12, RANKS = 6, ROWS = 40 };

static double sum(const double *costs, int64_t from, int64_t to) {
    double all = 0;
    for (int64_t i = from; i < to; i++) all += costs[i];
    return all;
}

/* The smallest largest share of the first `count` over `ranks`, by trying all. */
static double best(const double *costs, int64_t count, int ranks) {
    if (ranks == 1) return sum(costs, 0, count);
    double least = sum(costs, 0, count);
    for (int64_t last = 0; last <= count; last++) {
        const double below = best(costs, last, ranks - 1), own = sum(costs, last, count);
        const double largest = below > own ? below : own;
        if (largest < least) least = largest;
    }
    return least;
}

static void layers_are_dealt_as_evenly_as_they_go(void **state) {
    uint64_t *stream = *state;
    for (int trial = 0; trial < 300; trial++) {
        double costs[MOST];
        int64_t first[RANKS + 1];
        const int64_t count = random_between(stream, 1, MOST);
        const int ranks = (int)random_between(stream, 1, RANKS);
        for (int64_t i = 0; i < count; i++) costs[i] = (double)random_between(stream, 1, 9);
        wlm_deal_in_order(costs, count, ranks, first);
        double largest = 0;
        assert_int_equal(first[0], 0);
        assert_int_equal(first[ranks], count);
        for (int r = 0; r < ranks; r++) {
            assert_true(first[r] <= first[r + 1]);
            if (first[r] == first[r + 1]) assert_int_equal(first[r], count); /* idle ranks come last */
            const double own = sum(costs, first[r], first[r + 1]);
            if (own > largest) largest = own;
        }
        assert_true(largest <= best(costs, count, ranks) * (1 + 1e-9));
    }
}

static void no_more_ranks_than_it_takes(void **state) {
    (void)state;
    const double alike[] = { 1, 1, 1, 1, 1 };
    int64_t first[7];
    wlm_deal_in_order(alike, 4, 3, first); /* two by two: a third rank would not lessen the largest share */
    assert_true(first[1] == 2 && first[2] == 4 && first[3] == 4);
    wlm_deal_in_order(alike, 5, 6, first);
    assert_true(first[1] == 1 && first[4] == 4 && first[5] == 5 && first[6] == 5);
    wlm_deal_in_order(alike, 5, 1, first);
    assert_true(first[0] == 0 && first[1] == 5);
}

static void rows_are_dealt_once_each_and_evenly(void **state) {
    uint64_t *stream = *state;
    for (int trial = 0; trial < 300; trial++) {
        int64_t lengths[ROWS], order[ROWS], rows[ROWS], first[RANKS + 1], longest = 0, least = INT64_MAX, most = 0;
        const int64_t batch = random_between(stream, 0, ROWS);
        const int ranks = (int)random_between(stream, 1, RANKS);
        const bool ragged = random_flag(stream);
        bool dealt[ROWS] = { false };
        for (int64_t b = 0; b < batch; b++) {
            lengths[b] = ragged ? random_between(stream, 1, 100) : 1;
            if (lengths[b] > longest) longest = lengths[b];
        }
        wlm_deal_rows(ragged ? lengths : NULL, batch, ranks, order, rows, first);
        assert_int_equal(first[0], 0);
        assert_int_equal(first[ranks], batch);
        for (int r = 0; r < ranks; r++) {
            int64_t steps = 0;
            assert_in_range(first[r + 1] - first[r], 0, batch / ranks + 1);
            for (int64_t i = first[r]; i < first[r + 1]; i++) {
                assert_false(dealt[rows[i]]);
                dealt[rows[i]] = true;
                steps += lengths[rows[i]];
            }
            if (steps > most) most = steps;
            if (steps < least) least = steps;
        }
        assert_true(most - least <= longest);
    }
}

static void chunks_are_short_but_no_message_a_step(void **state) {
    (void)state;
    const double small = wlm_layer_cost(32, 32, 32), large = wlm_layer_cost(1024, 1024, 1024);
    assert_int_equal(wlm_choose_chunk(1000, 1, 1, large), 64); /* no pipeline */
    /* What comes once a chunk, weights above all, is some steps of a row. */
    assert_in_range(wlm_choose_chunk(1000, 1, 2, large), 66, 67); /* 15, equally long, of 70 or 71 */
    assert_int_equal(wlm_choose_chunk(1000, 64, 2, large), 8);
    assert_int_equal(wlm_choose_chunk(1000, 4096, 2, large), 2);
    assert_int_equal(wlm_choose_chunk(16, 1, 2, large), 4); /* four rows, and a quarter of the steps */
    assert_in_range(wlm_choose_chunk(1000, 1, 2, small), 50, 250);
    assert_int_equal(wlm_choose_chunk(8, 1, 2, large), 2); /* a quarter of the steps */
    assert_int_equal(wlm_choose_chunk(1, 1, 4, small), 1);
    for (int64_t T = 1; T < 200; T++)
        for (int stages = 1; stages < 9; stages++) assert_in_range(wlm_choose_chunk(T, 3, stages, small), 1, T);
}

/* When the last stage is done, stages being as fast as each other: by chunks of `chunk` steps, each of which costs `once` more. */
static double pipeline_end(int64_t T, int64_t chunk, int stages, double once) {
    double done[8] = { 0 };
    for (int64_t first = 0; first < T; first += chunk)
        for (int s = 0; s < stages; s++) {
            const double begins = s > 0 && done[s - 1] > done[s] ? done[s - 1] : done[s];
            done[s] = begins + once + (double)(T - first < chunk ? T - first : chunk);
        }
    return done[stages - 1];
}

/* No longer chunk brings a pipeline of as many chunks sooner to its end: a short last one would not. */
static void chunks_are_equally_long(void **state) {
    (void)state;
    const double cost = wlm_layer_cost(64, 64, 64);
    for (int64_t T = 1; T < 300; T++)
        for (int stages = 2; stages < 8; stages++) {
            const int64_t chunk = wlm_choose_chunk(T, 2, stages, cost), chunks = (T + chunk - 1) / chunk;
            for (int64_t other = chunk + 1; other <= T && (T + other - 1) / other == chunks; other++)
                assert_true(pipeline_end(T, chunk, stages, 3) <= pipeline_end(T, other, stages, 3));
            if (chunk > 1) assert_true((T + chunk - 2) / (chunk - 1) > chunks);
        }
}

/* 6 + 3 and 5 + 4, not 6 + 4 and 5 + 3. */
static void every_second_round_goes_backwards(void **state) {
    (void)state;
    const int64_t lengths[] = { 3, 6, 5, 4 }, expected[] = { 1, 0, 2, 3 };
    int64_t order[4], rows[4], first[3];
    wlm_deal_rows(lengths, 4, 2, order, rows, first);
    assert_memory_equal(rows, expected, sizeof expected);
    assert_true(first[1] == 2 && first[2] == 4);
}

static void rows_of_one_length_keep_their_order(void **state) {
    (void)state;
    const int64_t lengths[] = { 3, 5, 3, 1, 5, 3 }, sorted[] = { 1, 4, 0, 2, 5, 3 };
    int64_t rows[6], room[6];
    wlm_sort_rows(lengths, 6, rows, room);
    assert_memory_equal(rows, sorted, sizeof sorted);
    wlm_sort_rows(NULL, 6, rows, room);
    for (int64_t b = 0; b < 6; b++) assert_int_equal(rows[b], b);
}

int main(void) {
    uint64_t stream = random_test_stream();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(layers_are_dealt_as_evenly_as_they_go, &stream),
        cmocka_unit_test(no_more_ranks_than_it_takes),
        cmocka_unit_test_prestate(rows_are_dealt_once_each_and_evenly, &stream),
        cmocka_unit_test(chunks_are_short_but_no_message_a_step),
        cmocka_unit_test(chunks_are_equally_long),
        cmocka_unit_test(every_second_round_goes_backwards),
        cmocka_unit_test(rows_of_one_length_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

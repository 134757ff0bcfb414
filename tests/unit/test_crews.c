/* Crews: which layers they have, how many there are, what they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/module.h"
#include "base/processor_caches.h"
#include "problem.h"
#include "random.h"
#include "train/crews.h"
#include "train/tape.h"
#include "training.h"

enum { ROUNDS = 200 };

static void each_layer_has_one_crew(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    for (int round = 0; round < ROUNDS; ++round) {
        problem p = problem_draw_for_training(&stream);
        p.config.num_layers = random_between(&stream, 1, 9), p.config.bidirectional = 0;
        p.config.input_size = random_between(&stream, 1, 400);
        problem_build(&p, &stream);
        const int threads = (int)random_between(&stream, 1, 12);
        wlstm_trainer *trainer = problem_trainer(&p, 0, threads, WLSTM_SCHEDULE_AUTO);
        const int64_t L = p.config.num_layers;
        assert_int_equal(wli_most_crews(trainer), L < threads ? L : threads);
        for (int64_t crews = 1; crews <= wli_most_crews(trainer); ++crews) {
            int64_t end = 0;
            for (int64_t crew = 0; crew < crews; ++crew) {
                const wli_span own = wli_crew_layers(trainer, threads, crew, crews);
                assert_true(own.first == end && own.end > own.first);
                end = own.end;
            }
            assert_int_equal(end, L);
        }
        wlstm_trainer_free(trainer);
        problem_free(&p);
    }
}

/* Equal layers are dealt as the threads are. */
static void layers_follow_threads(void **state) {
    (void)state;
    uint64_t stream = random_test_stream();
    problem p = problem_draw_for_training(&stream);
    p.config.num_layers = 6, p.config.bidirectional = 0, p.config.proj_size = 0;
    p.config.input_size = p.config.hidden_size = 8;
    problem_build(&p, &stream);
    wlstm_trainer *trainer = problem_trainer(&p, 0, 6, WLSTM_SCHEDULE_AUTO);
    for (int64_t crew = 0; crew < 2; ++crew) assert_int_equal(wli_crew_layers(trainer, 2, crew, 2).first, 3 * crew);
    for (int64_t crew = 0; crew < 6; ++crew) assert_int_equal(wli_crew_layers(trainer, 6, crew, 6).first, crew);
    assert_int_equal(wli_crew_layers(trainer, 3, 0, 2).end, 2); /* one thread of three */
    wlstm_trainer_free(trainer);
    problem_free(&p);
}

static void chunks_are_shorter_the_more_waits(void **state) {
    (void)state;
    assert_int_equal(wli_crew_chunk(1, 100, 1), 100);
    assert_int_equal(wli_crew_chunk(2, 100, 1), 9);
    assert_int_equal(wli_crew_chunk(5, 100, 1), 5);
    assert_int_equal(wli_crew_chunk(2, 100, 16), 4);
    assert_int_equal(wli_crew_chunk(2, 100, 1000), 1);
    assert_int_equal(wli_crew_chunk(2, 1, 1), 1);
}

/* How many crews form for a problem of four equal layers, by threads and a schedule, where step_work is the library's. */
static int64_t crews_of(int64_t T, int64_t B, int64_t H, int64_t L, int bidirectional, int threads,
                        wlstm_schedule schedule, size_t *bytes) {
    uint64_t stream = 1;
    problem p = problem_draw_for_training(&stream);
    p.config.dtype = WLSTM_F32, p.config.num_layers = L, p.config.bidirectional = bidirectional, p.config.proj_size = 0;
    p.config.input_size = p.config.hidden_size = H, p.config.dropout = 0;
    p.seq_len = T, p.batch = B;
    problem_build(&p, &stream);
    wlstm_trainer *trainer;
    assert_int_equal(wli_trainer_make(p.lstm->module.model, T, B, 0, threads, schedule, &trainer), WLSTM_OK);
    const wli_tape tape = { .call = { .seq_len = T, .batch = B }, .pairs = T * B };
    const int64_t crews = wli_crews_for(trainer, &tape, threads);
    assert_int_equal(wlstm_trainer_memory(trainer, bytes, NULL), WLSTM_OK);
    wlstm_trainer_free(trainer);
    problem_free(&p);
    return crews;
}

static void a_schedule_is_kept_to_where_it_can_be_had(void **state) {
    (void)state;
    size_t serial, gangs;
    assert_int_equal(crews_of(20, 3, 16, 4, 0, 4, WLSTM_SCHEDULE_SERIAL, &serial), 1);
    assert_true(crews_of(20, 3, 16, 4, 0, 4, WLSTM_SCHEDULE_GANGS, &gangs) > 1);
    assert_true(gangs > serial);
    assert_true(crews_of(20, 3, 16, 4, 0, 4, WLSTM_SCHEDULE_WAVEFRONT, &gangs) > 1);
    assert_int_equal(crews_of(20, 3, 16, 4, 0, 1, WLSTM_SCHEDULE_GANGS, &gangs), 1);
    assert_int_equal(crews_of(20, 3, 16, 1, 0, 4, WLSTM_SCHEDULE_GANGS, &gangs), 1);
    assert_int_equal(crews_of(20, 3, 16, 4, 1, 4, WLSTM_SCHEDULE_GANGS, &gangs), 1);
    /* Short steps are not worth meeting in, where a crew keeps its weights, 512 KiB, near. */
    if (wli_cache_sizes()[1] >= 512 << 10)
        assert_int_equal(crews_of(100, 1, 128, 2, 0, 2, WLSTM_SCHEDULE_AUTO, &gangs), 2);
    /* One step leaves nothing to run beside. */
    assert_int_equal(crews_of(1, 64, 64, 4, 0, 2, WLSTM_SCHEDULE_AUTO, &gangs), 1);
}

/* Chunk by chunk: each crew after the one before it, and after its own last one. */
static void crews_begin_a_chunk_apart(void **state) {
    (void)state;
    for (int64_t crews = 1; crews <= 4; crews++)
        for (int64_t chunk = 1; chunk <= 12; chunk++)
            for (int64_t steps = 1; steps <= 60; steps++) {
                int64_t done[4] = { 0 };
                if (steps > chunk && steps % chunk != 0) continue;
                for (int64_t from = 0; from < steps; from += chunk)
                    for (int64_t crew = 0; crew < crews; crew++) {
                        const int64_t before = crew > 0 ? done[crew - 1] : 0;
                        done[crew] = (before > done[crew] ? before : done[crew]) + (steps < chunk ? steps : chunk);
                    }
                assert_true(wli_crew_steps(crews, chunk, steps) == (double)done[crews - 1]);
            }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_layer_has_one_crew),
        cmocka_unit_test(layers_follow_threads),
        cmocka_unit_test(chunks_are_shorter_the_more_waits),
        cmocka_unit_test(crews_begin_a_chunk_apart),
        cmocka_unit_test(a_schedule_is_kept_to_where_it_can_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

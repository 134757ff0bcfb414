/* A model and a pass forward and back out of the bytes, by so many threads, with dropout or none, its tape whole or in
 * part: the reference's results and gradients, and the bits of one thread and a whole tape. */
#include "draw.h"
#include "target.h"

#include <stdlib.h>

#include "training.h"

enum { SEED = 42 };

static void train(const problem *p, wlstm_trainer *trainer, outcome *o, gradients *g) {
    REQUIRE(problem_train(p, trainer, SEED, NULL, o) == WLSTM_OK);
    REQUIRE(problem_back(trainer, NULL, g) == WLSTM_OK);
}

static void check_against_reference(const problem *p, wlstm_trainer *trainer, outcome *o, gradients *g) {
    gradients expected = gradients_like(p, g);
    outcome of_reference;
    REQUIRE(problem_train(p, trainer, SEED, NULL, o) == WLSTM_OK);
    void *mask = problem_mask(p, trainer, NULL);
    REQUIRE(problem_back(trainer, NULL, g) == WLSTM_OK);
    problem_reference(p, mask, &of_reference, &expected);
    REQUIRE(outcomes_agree(p, "trainer", o, &of_reference, false));
    REQUIRE(gradients_agree(p, "trainer", g, &expected, false));
    test_release(mask);
    outcome_free(&of_reference);
    gradients_free(&expected, false);
}

/* One thread that keeps all. */
static void check_bits(const problem *p, const outcome *o, const gradients *g) {
    wlstm_trainer *simplest = problem_trainer(p, 0, 1, WLSTM_SCHEDULE_AUTO);
    gradients again = gradients_like(p, g);
    outcome same;
    train(p, simplest, &same, &again);
    REQUIRE(outcomes_agree(p, "one thread", &same, o, true) && gradients_agree(p, "one thread", &again, g, true));
    outcome_free(&same);
    gradients_free(&again, false);
    wlstm_trainer_free(simplest);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    fuzz_source source = { bytes, count };
    problem p = draw_problem(&source);
    p.config.dropout = (double)fuzz_between(&source, 0, 4) / 4;
    const int threads = (int)fuzz_between(&source, 1, 6);
    const int64_t recompute_steps = p.config.bidirectional ? 0 : fuzz_between(&source, 0, p.seq_len + 1);
    uint64_t stream = (uint64_t)fuzz_between(&source, 0, 0xffff);
    const wlstm_schedule schedule = (wlstm_schedule)fuzz_between(&source, 0, 3);
    problem_build(&p, &stream);
    wlstm_trainer *trainer = problem_trainer(&p, recompute_steps, threads, schedule);
    gradients g = gradients_create(&p, &stream);
    outcome o;
    check_against_reference(&p, trainer, &o, &g);
    check_bits(&p, &o, &g);
    outcome_free(&o);
    gradients_free(&g, true);
    wlstm_trainer_free(trainer);
    problem_free(&p);
    return 0;
}

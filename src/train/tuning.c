#include "train/tuning.h"

#include "base/allocator.h"
#include "base/environment.h"
#include "base/random.h"
#include "base/status.h"
#include "train/choices.h"
#include "train/passes.h"
#include "train/weights.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>

static const double clear_gain = 0.97; /* the most that a better choice takes of the best one's time */
static const double hopeless = 1.3;    /* of the best one's time, after two turns */
static const double shortest_turn = 1e-3, long_pass = 0.02, longest_pass = 0.25; /* seconds */

enum { MOST_TRIED = 500, TURNS = 4, LAST_TURNS = 8 };

typedef struct search {
    const wlstm_trainer *given;
    wlstm_trainer *timed;        /* of its kind, for fewer steps where they take long */
    void *x, *out, *d_out, *d_x; /* [T, B, .] of the timed one, in whichever order */
    wli_train_choice best, tried[MOST_TRIED];
    int num_tried;
    double deadline;
    const atomic_int *stop;
} search;

static bool stopped(const search *s) {
    return s->stop && atomic_load(s->stop);
}

static bool over(const search *s) {
    return stopped(s) || omp_get_wtime() >= s->deadline;
}

static void free_timed(search *s) {
    wli_free(s->x), wli_free(s->out), wli_free(s->d_out), wli_free(s->d_x);
    s->x = s->out = s->d_out = s->d_x = NULL;
    wlstm_trainer_free(s->timed);
    s->timed = NULL;
}

/* [T, B, width], random numbers of [-1, 1) by a seed, or zeros by 0. */
static wlstm_status make_array(const search *s, int64_t width, uint64_t seed, void **values) {
    size_t count, bytes = SIZE_MAX;
    *values = wli_size_product(s->timed->max_seq_len, s->timed->max_batch, width, &count) &&
                      !__builtin_mul_overflow(count, s->timed->element, &bytes)
                  ? wli_calloc(bytes)
                  : NULL;
    if (!*values) return wli_out_of_memory("arrays to measure with", bytes);
    for (size_t k = 0; k < count && seed; k++) wli_put(s->timed->model->dtype, *values, k, wli_random_real(seed, k));
    return WLSTM_OK;
}

/* A trainer of so many steps, and its arrays. */
static wlstm_status make_timed(search *s, int64_t steps) {
    const wlstm_trainer *given = s->given;
    const int64_t inputs = given->cells[0].I, outputs = wli_output_width(given, given->model->num_layers - 1);
    free_timed(s);
    wlstm_status status = wli_trainer_make(given->model, steps, given->max_batch, given->recompute_steps,
                                           given->threads, given->schedule, &s->timed);
    if (status == WLSTM_OK) status = make_array(s, inputs, 1, &s->x);
    if (status == WLSTM_OK) status = make_array(s, outputs, 0, &s->out);
    if (status == WLSTM_OK) status = make_array(s, outputs, 2, &s->d_out);
    if (status == WLSTM_OK) status = make_array(s, inputs, 0, &s->d_x);
    if (status != WLSTM_OK) return status;
    /* As many threads as the whole problem is worth, and for a short one more to pack the parameters. */
    const int64_t pass_work = given->pass_work * steps / given->max_seq_len;
    s->timed->step_work = given->step_work, s->timed->pass_work = pass_work > 0 ? pass_work : 1;
    return WLSTM_OK;
}

/* Of seconds that the timed steps take in chunks, those of all steps. With windows crews begin late in each. */
static double scaled(const search *s, int64_t crews, int64_t chunk_steps, double seconds) {
    const int64_t T = s->given->max_seq_len, t = s->timed->max_seq_len;
    if (s->given->recompute_steps > 0) crews = 1;
    return seconds * wli_crew_steps(crews, chunk_steps, T) / wli_crew_steps(crews, chunk_steps, t);
}

/* A pass forward and a pass back by new parameters: the seconds that they would take of the whole problem. */
static double time_passes(const search *s, const wli_train_choice *choice) {
    wlstm_trainer *trainer = s->timed;
    const int64_t back_chunk = wli_backward_chunk(trainer, trainer->max_seq_len, trainer->max_batch);
    const wli_call call = { .seq_len = trainer->max_seq_len, .batch = trainer->max_batch, .x = s->x, .out = s->out };
    const wli_backward_call back = { .d_out = s->d_out, .d_x = s->d_x };
    const double start = omp_get_wtime();
    trainer->choice = *choice;
    wli_trainer_changed(trainer);
    wli_tape *tape = wli_tape_begin(trainer, trainer->own_tape, &call, true);
    wli_team_run(trainer, tape, true, wli_forward_pass, NULL);
    wli_weights_packed(trainer, false);
    const double forward = omp_get_wtime() - start;
    wli_watch_begin(trainer);
    wli_team_run(trainer, tape, false, wli_backward_pass, &back);
    wli_weights_packed(trainer, true);
    const double back_seconds = omp_get_wtime() - start - forward;
    return scaled(s, choice->crews, choice->chunk_steps, forward) +
           scaled(s, choice->crews, wli_smaller(choice->chunk_steps, back_chunk), back_seconds);
}

/* The least of two passes or of as many as a turn has time for: in the first, if it is short, the caches are another
 * choice's. */
static double time_choice(const search *s, const wli_train_choice *choice) {
    const double start = omp_get_wtime();
    double least = INFINITY, took = 0;
    for (int i = 0; (i < 1 || (i < 2 && took < long_pass) || took < shortest_turn) && !stopped(s); i++) {
        least = fmin(least, time_passes(s, choice));
        took = omp_get_wtime() - start;
    }
    return least;
}

static void take_turns(const search *s, const wli_train_choice *first, const wli_train_choice *second, int turns,
                       double least[2]) {
    least[0] = least[1] = INFINITY;
    for (int i = 0; i < turns; i++) {
        least[0] = fmin(least[0], time_choice(s, first));
        least[1] = fmin(least[1], time_choice(s, second));
        if (over(s) || (i > 0 && least[1] > hopeless * least[0])) return;
    }
}

static void report(const wli_train_choice *choice, const double seconds[2]) {
    char chosen[WLI_TRAIN_CHOICE_TEXT], line[WLI_TRAIN_CHOICE_TEXT + 96];
    if (wli_environment_get()->verbose < 2) return;
    wli_train_choice_print(choice, chosen);
    snprintf(line, sizeof line, "tuning: %.1f us, best so far %.1f us: %s", 1e6 * seconds[1], 1e6 * seconds[0], chosen);
    wli_verbose(2, line);
}

static bool equal(const wli_train_choice *a, const wli_train_choice *b) {
    return a->crews == b->crews && a->chunk_steps == b->chunk_steps && a->parts == b->parts;
}

/* Measures a choice that was not tried yet against the best, whose place it takes by a clear gain. */
static void try(search *s, wli_train_choice choice) {
    double least[2];
    const int64_t T = s->given->max_seq_len;
    if (choice.crews == 1 || choice.chunk_steps > T) choice.chunk_steps = T;
    if (s->num_tried == MOST_TRIED || over(s)) return;
    for (int i = 0; i < s->num_tried; i++)
        if (equal(&s->tried[i], &choice)) return;
    s->tried[s->num_tried++] = choice;
    take_turns(s, &s->best, &choice, TURNS, least);
    report(&choice, least);
    if (least[1] < clear_gain * least[0]) s->best = choice;
}

static void try_around(search *s, wli_train_choice choice) {
    const int64_t chunks[] = { choice.chunk_steps, (choice.chunk_steps + 1) / 2, 2 * choice.chunk_steps };
    const int64_t parts[] = { choice.parts, 1, wli_most_parts(s->given, choice.crews) };
    for (int chunk = 0; chunk < 3; chunk++)
        for (int part = 0; part < 3; part++) try(s, (wli_train_choice){ choice.crews, chunks[chunk], parts[part] });
}

/* As many steps as fill some blocks of sums, and then twice as many until a pass takes about as long as it may: what each
 * pass or block costs anew is to be little of what is scaled up. */
static wlstm_status choose_steps(search *s, double longest) {
    const int64_t T = s->given->max_seq_len, K = s->given->recompute_steps;
    int64_t steps = (2 * WLI_BLOCK_PAIRS + s->given->max_batch - 1) / s->given->max_batch;
    wlstm_status status;
    if (K > 0 && K < T && steps <= K) steps = K + 1; /* of two windows one is computed again */
    for (;;) {
        if (steps > T / 2) steps = T; /* the rest takes no longer */
        status = make_timed(s, steps);
        if (status != WLSTM_OK || steps == T || stopped(s)) return status;
        const double start = omp_get_wtime();
        (void)time_passes(s, &s->best);
        if (2 * (omp_get_wtime() - start) > longest) return status;
        steps *= 2;
    }
}

static wlstm_status run(search *s, bool patient, double limit, wli_train_result *result) {
    const double end = omp_get_wtime() + limit;
    const wli_train_choice rule = wli_rule_for(s->given, 0);
    const wli_span crews = wli_possible_crews(s->given, wli_whole_threads(s->given));
    double least[2];
    s->deadline = end - 0.15 * limit;
    s->best = s->tried[s->num_tried++] = rule;
    const wlstm_status status = choose_steps(s, fmin(limit / 20, longest_pass));
    if (status != WLSTM_OK) return status;
    for (int64_t count = crews.first; count < crews.end; count++) {
        if (patient)
            try_around(s, wli_rule_for(s->given, count));
        else
            try(s, wli_rule_for(s->given, count));
    }
    try_around(s, s->best);
    /* The luckiest of many is not the fastest of many: once more, in fresh turns. */
    s->deadline = end;
    if (equal(&rule, &s->best))
        least[0] = least[1] = time_choice(s, &rule);
    else
        take_turns(s, &rule, &s->best, LAST_TURNS, least);
    if (stopped(s)) return wli_fail(WLSTM_ERROR_BACKEND, "tuning: was stopped");
    *result = (wli_train_result){ rule, rule, least[0], least[0], s->num_tried - 1 };
    if (least[1] < clear_gain * least[0]) result->tuned = s->best, result->tuned_seconds = least[1];
    return WLSTM_OK;
}

wlstm_status wli_train_search(const wlstm_trainer *trainer, wlstm_effort effort, double time_limit,
                              const atomic_int *stop, wli_train_result *result) {
    const bool patient = effort == WLSTM_EFFORT_PATIENT;
    search s = { .given = trainer, .stop = stop };
    const wlstm_status status = run(&s, patient, time_limit > 0 ? time_limit : patient ? 10 : 2, result);
    free_timed(&s);
    return status;
}

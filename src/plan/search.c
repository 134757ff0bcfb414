/* the model's choice -> other libraries' gemms -> schedules -> each axis up and down -> again, until a round brings
 * nothing -> against the model's once more. A candidate runs in turns with the best so far, so that what disturbs the
 * machine disturbs both, and takes its place only by a clear gain. */
#include "plan/search.h"

#include "base/allocator.h"
#include "base/environment.h"
#include "base/lock.h"
#include "base/status.h"
#include "plan/choice.h"
#include "plan/trial.h"
#include <math.h>
#include <omp.h>
#include <stdio.h>

static const double clear_gain = 0.97;  /* the most that a better candidate takes of the best one's time */
static const double near_miss = 1.06;   /* worth a second look, with more turns */
static const double longest_run = 0.25; /* seconds of a piece that nothing interrupts */
/* What a candidate may take of the best one's time and go on, after so many turns. */
static const double bearable[] = { 1.5, 1.15, 1.08, 1.04 };

enum { MOST_TRIED = 2000, TURNS = 8, TURNS_OF_SECOND_LOOK = 16, SECOND_LOOKS = 6 };

/* What was looked at already, and how it compared with the best at that time; INFINITY if it was not measured. */
typedef struct seen_candidate {
    wli_candidate candidate;
    wli_choice choice;
    double ratio;
} seen_candidate;

typedef struct search {
    const wli_search_request *request;
    wli_setting setting; /* of the copy */
    wli_machine_model machine;
    wli_trials *trials;
    seen_candidate *seen; /* [MOST_TRIED] */
    int num_seen, measured;
    bool patient, stopped;
    double end;                /* of the search, where the last turns may go on to */
    double deadline, patience; /* patience: seconds for the turns of two runners, when two are done */
    wli_candidate best, untuned;
    wli_runner *best_runner, *untuned_runner;
} search;

static bool over(void *context) {
    search *s = context;
    if (s->request->stop && atomic_load(s->request->stop)) s->stopped = true;
    return s->stopped || omp_get_wtime() >= s->deadline;
}

/* Seconds of the whole problem a second of the timed part of it: what the model says of either. */
static double scale(const search *s, const wli_candidate *candidate) {
    const wli_setting timed = wli_trials_timed(s->trials);
    const wli_choice whole = wli_candidate_resolve(&s->setting, candidate);
    const wli_choice sample = wli_candidate_resolve(wli_trials_setting(s->trials), candidate);
    return wli_predict(&s->setting, &whole, &s->machine) / wli_predict(&timed, &sample, &s->machine);
}

/* The least times of two runners by turns; false when one fails. Ends early where the second is hopeless. */
static bool take_turns(search *s, wli_runner *first, wli_runner *second, double ratio, int turns, double least[2]) {
    const double turn = 1e-3, begin = omp_get_wtime(), patience = turns > TURNS ? 2 * s->patience : s->patience;
    least[0] = least[1] = INFINITY;
    for (int i = 0; i < turns; i++) {
        const double a = wli_trials_time(s->trials, first, turn), b = wli_trials_time(s->trials, second, turn);
        if (a < 0 || b < 0) return false;
        least[0] = fmin(least[0], a), least[1] = fmin(least[1], b);
        const size_t rung =
            (size_t)i < sizeof bearable / sizeof bearable[0] ? (size_t)i : sizeof bearable / sizeof bearable[0] - 1;
        if (least[1] * ratio > least[0] * bearable[rung]) break;
        if (over(s) || (i > 0 && omp_get_wtime() - begin > patience)) break;
    }
    return true;
}

static void report(const wli_candidate *candidate, double seconds, double best_seconds) {
    char chosen[WLI_CANDIDATE_TEXT], line[WLI_CANDIDATE_TEXT + 96];
    if (wli_environment_get()->verbose < 2) return;
    wli_candidate_print(candidate, chosen);
    snprintf(line, sizeof line, "tuning: %.1f us, best so far %.1f us: %s", 1e6 * seconds, 1e6 * best_seconds, chosen);
    wli_verbose(2, line);
}

/* Runs a candidate against the best; whether it took its place. *ratio is how they compared, INFINITY where it does
 * not run. */
static bool challenge(search *s, const wli_candidate *candidate, int turns, double *ratio) {
    wli_runner *runner;
    *ratio = INFINITY;
    if (wli_trials_runner(s->trials, candidate, &runner) != WLSTM_OK) return false;
    s->measured++;
    double least[2];
    const double best_scale = scale(s, &s->best), scales = scale(s, candidate) / best_scale;
    if (take_turns(s, s->best_runner, runner, scales, turns, least)) {
        *ratio = least[1] * scales / least[0];
        report(candidate, least[1] * scales * best_scale, least[0] * best_scale);
    }
    if (!(*ratio < clear_gain)) {
        wli_runner_free(runner);
        return false;
    }
    if (s->best_runner != s->untuned_runner) wli_runner_free(s->best_runner);
    s->best = *candidate, s->best_runner = runner;
    return true;
}

/* Measures a candidate that was not seen yet and is not hopeless; whether it became the best. */
static bool try(search *s, const wli_candidate *candidate) {
    const double far_slower = s->patient ? 4 : 1.6;
    if (s->num_seen == MOST_TRIED || over(s) || !wli_candidate_legal(&s->setting, candidate) ||
        !wli_candidate_legal(wli_trials_setting(s->trials), candidate))
        return false;
    const wli_choice choice = wli_candidate_resolve(&s->setting, candidate);
    for (int i = 0; i < s->num_seen; i++)
        if (wli_choice_equal(&s->setting, &s->seen[i].choice, &choice)) return false;
    seen_candidate *seen = &s->seen[s->num_seen++];
    *seen = (seen_candidate){ *candidate, choice, INFINITY };
    const wli_choice best = wli_candidate_resolve(&s->setting, &s->best);
    if (wli_predict(&s->setting, &choice, &s->machine) > far_slower * wli_predict(&s->setting, &best, &s->machine))
        return false;
    return challenge(s, candidate, TURNS, &seen->ratio);
}

/* Those that came near, nearest first: one disturbed turn may have decided. */
static void look_again(search *s) {
    for (int look = 0; look < SECOND_LOOKS && !over(s); look++) {
        seen_candidate *nearest = &s->seen[0];
        for (int i = 1; i < s->num_seen; i++)
            if (s->seen[i].ratio < nearest->ratio && s->seen[i].ratio >= clear_gain) nearest = &s->seen[i];
        double ratio;
        if (!(nearest->ratio < near_miss)) return;
        nearest->ratio = INFINITY;
        (void)challenge(s, &nearest->candidate, TURNS_OF_SECOND_LOOK, &ratio);
    }
}

static bool try_value(search *s, wli_axis_id axis, int index) {
    wli_candidate candidate = s->best;
    candidate.index[axis] = (uint8_t)index;
    return try(s, &candidate);
}

/* Another schedule starts from its own defaults, a wavefront with the chunk that the model likes best. */
static bool try_schedule(search *s, wli_schedule schedule) {
    wli_candidate candidate = s->best, likely;
    double least = INFINITY;
    for (int axis = 0; axis < WLI_AXES; axis++)
        if (wli_axes[axis].of_schedule) candidate.index[axis] = 0;
    candidate.index[WLI_AXIS_SCHEDULE] = (uint8_t)schedule;
    likely = candidate;
    for (int i = 0; schedule == WLI_WAVEFRONT && i < wli_axes[WLI_AXIS_CHUNK_STEPS].count; i++) {
        candidate.index[WLI_AXIS_CHUNK_STEPS] = (uint8_t)i;
        if (!wli_candidate_legal(&s->setting, &candidate)) break;
        const wli_choice choice = wli_candidate_resolve(&s->setting, &candidate);
        const double seconds = wli_predict(&s->setting, &choice, &s->machine);
        if (seconds < least) least = seconds, likely = candidate;
    }
    return try(s, &likely);
}

/* Each gemm with the schedule that it likes best: where a library is much faster than the native kernels, the time for
 * their schedules would be lost. */
static void try_libraries(search *s) {
    for (wli_gemm_kind kind = WLI_GEMM_NATIVE + 1; kind < WLI_GEMM_KINDS; kind++) {
        if (!wli_multipliers[kind]->serves(wli_setting_product(&s->setting))) continue;
        const wli_candidate likely = wli_choose_by(&s->setting, &s->machine, kind);
        (void)try(s, &likely);
    }
}

/* Up a ladder, or down, from the value in use until two rungs in a row bring nothing. */
static bool climb(search *s, wli_axis_id axis, int direction) {
    const wli_axis *ladder = &wli_axes[axis];
    const wli_choice choice = wli_candidate_resolve(&s->setting, &s->best);
    const int64_t value = wli_choice_value(&choice, axis);
    int rung = 1, failures = 0;
    bool gained = false;
    while (rung + 1 < ladder->count && ladder->numbers[rung] < value) rung++;
    if (direction < 0 && ladder->numbers[rung] >= value) rung--;
    if (direction > 0 && ladder->numbers[rung] <= value) rung++;
    for (; rung > 0 && rung < ladder->count && failures < 2 && !over(s); rung += direction) {
        const int seen = s->num_seen;
        if (try_value(s, axis, rung))
            gained = true, failures = 0;
        else
            failures += s->num_seen > seen; /* not where it comes to the same as another */
    }
    if (direction < 0) gained = try_value(s, axis, 0) || gained; /* the axis's default */
    return gained;
}

static bool descend_axis(search *s, wli_axis_id axis) {
    bool gained = false;
    if (wli_axes[axis].numbers && !s->patient) {
        gained = climb(s, axis, 1);
        return climb(s, axis, -1) || gained;
    }
    for (int i = 0; i < wli_axes[axis].count; i++) gained = try_value(s, axis, i) || gained;
    return gained;
}

static void descend(search *s) {
    bool gained = true;
    while (gained && !over(s)) {
        gained = false;
        for (int schedule = 0; schedule < wli_axes[WLI_AXIS_SCHEDULE].count; schedule++)
            gained = try_schedule(s, (wli_schedule)schedule) || gained;
        for (int axis = 1; axis < WLI_AXES; axis++) gained = descend_axis(s, (wli_axis_id)axis) || gained;
    }
}

/* Any candidate at all, while there is time; each axis at its default half of the time, as few of all others are
 * legal. */
static void wander(search *s) {
    uint64_t state = 1;
    for (int draws = 0; draws < 100000 && !over(s); draws++) {
        wli_candidate candidate;
        for (int axis = 0; axis < WLI_AXES; axis++) {
            state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            candidate.index[axis] = (uint8_t)(state >> 63 ? (state >> 33) % (uint64_t)wli_axes[axis].count : 0);
        }
        try(s, &candidate);
    }
}

/* The best against the untuned once more, in fresh turns: the luckiest of many measurements is not the fastest of
 * many plans. */
static wlstm_status conclude(search *s, wli_search_result *result) {
    double least[2];
    const double untuned_scale = scale(s, &s->untuned), best_scale = scale(s, &s->best);
    result->looked = s->measured > 0 || !over(s);
    s->deadline = fmin(omp_get_wtime() + (s->patient ? 1.0 : 0.3), s->end);
    result->tried = s->measured;
    result->untuned = result->tuned = s->untuned;
    if (s->best_runner == s->untuned_runner) {
        least[0] = least[1] = wli_trials_time(s->trials, s->untuned_runner, 5e-3);
    } else if (!take_turns(s, s->untuned_runner, s->best_runner, best_scale / untuned_scale, 12, least))
        least[0] = -1;
    if (least[0] < 0) return WLSTM_ERROR_BACKEND;
    result->untuned_seconds = result->tuned_seconds = least[0] * untuned_scale;
    if (least[1] * best_scale < clear_gain * least[0] * untuned_scale)
        result->tuned = s->best, result->tuned_seconds = least[1] * best_scale;
    return WLSTM_OK;
}

static wlstm_status run(search *s, wli_search_result *result, double limit) {
    /* Untuned is who never tuned: the machine guessed, not probed. */
    const wli_machine_model guess = wli_machine_model_guess(s->setting.threads);
    s->untuned = s->best = wli_choose(&s->setting, &guess);
    const wli_choice untuned = wli_candidate_resolve(&s->setting, &s->untuned);
    if (!(s->seen = wli_alloc(MOST_TRIED * sizeof *s->seen)))
        return wli_out_of_memory("search", MOST_TRIED * sizeof *s->seen);
    s->seen[s->num_seen++] = (seen_candidate){ s->untuned, untuned, INFINITY };
    const wli_trials_request trials = { .model = (wli_model *)(uintptr_t)s->setting.model,
                                        .setting = &s->setting,
                                        .first = &s->untuned,
                                        .machine = &s->machine,
                                        .longest_run = fmin(limit / 40, longest_run),
                                        .over = over,
                                        .context = s };
    wlstm_status status = wli_trials_make(&trials, &s->trials, &s->untuned_runner);
    if (status != WLSTM_OK) return status;
    s->best_runner = s->untuned_runner;
    s->patience = limit / 12;
    s->deadline = s->end - 0.15 * limit; /* the rest is for the last turns */
    const wli_candidate calibrated = wli_choose(&s->setting, &s->machine);
    (void)try(s, &calibrated);
    try_libraries(s);
    descend(s);
    look_again(s);
    if (s->patient) wander(s);
    if (s->stopped) return wli_fail(WLSTM_ERROR_BACKEND, "tuning: was stopped");
    return conclude(s, result);
}

wlstm_status wli_search(const wli_search_request *request, wli_search_result *result) {
    const bool patient = request->effort == WLSTM_EFFORT_PATIENT;
    const double limit = request->time_limit > 0 ? request->time_limit : patient ? 10 : 2;
    search s = { .request = request, .setting = request->setting, .patient = patient, .end = omp_get_wtime() + limit };
    /* What the losers packed goes away with the copy. */
    wli_model *copy = request->model;
    wli_model_retain(copy);
    wlstm_status status = wli_model_make_private(&copy);
    s.setting.model = copy;
    s.machine = wli_machine_model_get(s.setting.threads);
    if (status == WLSTM_OK) status = run(&s, result, limit);
    if (s.best_runner != s.untuned_runner) wli_runner_free(s.best_runner);
    wli_runner_free(s.untuned_runner);
    wli_trials_free(s.trials);
    wli_free(s.seen);
    wli_model_release(copy);
    return status;
}

static wli_turn searching;

void wli_search_turn_take(void) {
    wli_lock();
    wli_turn_take(&searching);
    wli_unlock();
}

void wli_search_turn_give(void) {
    wli_lock();
    wli_turn_give(&searching);
    wli_unlock();
}

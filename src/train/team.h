/* The threads of a pass, and what each of them does. A crew of them has layers (crews.h), most often all. The steps of
 * a cell are run by a gang of the crew, which has directions and parts of the batch for itself, and whose threads share
 * columns and units and meet within each step; all else is shared among the crew's threads. */
#ifndef WLI_TEAM_H
#define WLI_TEAM_H

#include "kernels/multiplier.h"
#include "train/tape.h"

/* One thread's place. */
typedef struct wli_hand {
    wlstm_trainer *trainer;
    wli_tape *tape;
    wli_train_worker *worker;
    int64_t me, threads; /* in the crew */
    int64_t in_team;     /* threads of all crews */
    int64_t crew, crews;
    int64_t first_layer, end_layer; /* that the crew has */
    int64_t direction, directions;  /* the gang has directions `direction`, + directions, ... */
    int64_t part, parts;            /* and parts of the batch likewise */
    int64_t share, shares;
    bool steps; /* it is in a gang */
    bool alone; /* it waits for nobody */
    wli_barrier *gang;
} wli_hand;

/* Places [first, end) of `count` that fall to the index-th of so many. */
typedef struct wli_span {
    int64_t first, end;
} wli_span;

static inline wli_span wli_span_of(int64_t count, int64_t index, int64_t of) {
    return (wli_span){ count * index / of, count * (index + 1) / of };
}

/* How so many threads run the steps of a cell's rows: gangs have directions and parts, and members share units. */
typedef struct wli_deal {
    int64_t directions, parts, shares;
} wli_deal;

/* Of a crew of so many threads; `parts` there are already, or 0. */
wli_deal wli_deal_for(const wlstm_trainer *trainer, int64_t batch, int64_t threads, int64_t parts);

/* To how many parts so many threads of a crew deal a tape's rows: by the trainer's choice, else by the rule. */
int64_t wli_parts_for(const wlstm_trainer *trainer, const wli_tape *tape, int64_t threads);

/* What a pass does on each of its threads. */
typedef void wli_pass(wli_hand *hand, const void *arguments);

/* Runs a pass by the trainer's threads, or by the calling one alone (schedule/sequence.h). Where it `deals`, the tape's
 * rows are dealt to as many parts as there are gangs for. Without a tape there are no gangs. */
void wli_team_run(wlstm_trainer *trainer, wli_tape *tape, bool deals, wli_pass *pass, const void *arguments);

/* How many threads a pass is worth, and how many run it where it is called. */
int wli_worth_threads(const wlstm_trainer *trainer, const wli_tape *tape);
int wli_team_threads(const wlstm_trainer *trainer, const wli_tape *tape);

/* What one thread of a crew would have to do in a pass by so many threads, done by the calling one, which waits for
 * nobody: for its time. By one thread it is the pass; by more, results are of no use. */
void wli_team_rehearse(wlstm_trainer *trainer, wli_tape *tape, int64_t threads, int64_t crew, wli_pass *pass,
                       const void *arguments);

/* Returns when all threads of the gang, of the crew, of the team, have called it. */
static inline void wli_meet_gang(const wli_hand *hand) {
    if (hand->shares > 1 && !hand->alone) wli_barrier_wait(hand->gang, (int)hand->shares);
}

static inline void wli_meet_crew(const wli_hand *hand) {
    if (hand->threads > 1 && !hand->alone)
        wli_barrier_wait(&hand->trainer->shared.crews[hand->crew].barrier, (int)hand->threads);
}

static inline void wli_meet_team(const wli_hand *hand) {
    if (hand->in_team > 1 && !hand->alone) wli_barrier_wait(&hand->trainer->shared.team, (int)hand->in_team);
}

/* A product (native.h) as its rows and the tape have it: columns not padded, rows of any distance. */
void wli_team_multiply(const wli_hand *hand, const wli_gemm_args *product);

/* The panels of so many columns that are this thread's, of its gang or of the crew. */
static inline wli_panel_range wli_panels_of(const wli_hand *hand, int64_t columns, int64_t index, int64_t of) {
    const wli_panel_range all = wli_all_panels(wli_padded(hand->trainer, columns), hand->trainer->kernels->lanes);
    return wli_slices_of(all, index, index + 1, of);
}

/* The columns of a row of `width` that a range of panels has. */
static inline wli_span wli_columns_of(const wli_hand *hand, wli_panel_range range, int64_t width) {
    const int64_t panel = (int64_t)WLI_PANEL_VECTORS * hand->trainer->kernels->lanes;
    return (wli_span){ range.first * panel < width ? range.first * panel : width,
                       range.end * panel < width ? range.end * panel : width };
}

/* Its share of a cell's units, in whole vectors. */
static inline wli_units wli_units_of(const wli_hand *hand, int64_t H) {
    const int64_t lanes = hand->trainer->kernels->lanes, vectors = (H + lanes - 1) / lanes;
    const wli_span own = wli_span_of(vectors, hand->share, hand->shares);
    return (wli_units){ H, own.first * lanes, own.end * lanes < H ? own.end * lanes : H };
}

#endif

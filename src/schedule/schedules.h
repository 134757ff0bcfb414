/* Who runs which node of the graph when; private to src/schedule. */
#ifndef WLI_SCHEDULES_H
#define WLI_SCHEDULES_H

#include "schedule/item.h"

/* Gangs of `shares` threads, each of which has a share of the units, own layers, directions and parts of the batch. */
typedef struct wli_grid {
    int64_t layers, directions, parts, shares;
} wli_grid;

/* The grid of a run by gangs: the spec's, fewer where the batch has fewer rows. */
wli_grid wli_grid_of(const wli_run *run);

/* The same for as many rows as the spec's. */
wli_grid wli_grid_of_spec(const wli_sequence_spec *spec);

/* What one of a team's threads is, where there may be fewer than asked for: a member of a gang, unless gang >= gangs. */
typedef struct wli_seat {
    int64_t gangs, gang, member, members;
} wli_seat;

static inline wli_seat wli_grid_seat(const wli_grid *grid, int64_t team, int64_t me) {
    const int64_t gangs = wli_smaller(grid->layers * grid->directions * grid->parts, team), members = team / gangs;
    return (wli_seat){ .gangs = gangs, .gang = me / members, .member = me % members, .members = members };
}

/* Which of the gangs owns a node: layers, directions and parts in turn where there are fewer gangs. */
int64_t wli_grid_owner(const wli_grid *grid, int64_t gangs, const wli_node *node);

/* The order in which gangs go through the graph. */
static inline wli_order wli_grid_order(const wli_grid *grid) {
    return grid->layers > 1 ? WLI_BY_FRONT : WLI_BY_CHUNK;
}

/* Whether somebody in the run would start threads of its own outside a parallel region. */
static inline bool wli_run_forks(const wli_run *run) {
    const wli_choice *choice = &run->sequence->spec.choice;
    return wli_multipliers[choice->project]->forks || wli_multipliers[choice->step]->forks;
}

wlstm_status wli_run_serial(const wli_run *run);

/* The schedules for several threads. */
wlstm_status wli_run_wavefront(const wli_run *run, int threads);
wlstm_status wli_run_gangs(const wli_run *run, wli_grid grid);

#endif

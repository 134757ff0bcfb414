/* Gangs: one parallel region for the whole call, in which every thread knows from the start what it will do. */
#include "schedule/schedules.h"

#include <omp.h>

wli_grid wli_grid_of_spec(const wli_sequence_spec *spec) {
    const wli_choice *choice = &spec->choice;
    const int64_t directions = wli_smaller(wli_larger(choice->gang_directions, 1), spec->model->num_directions);
    wli_grid grid = { .layers = wli_smaller(wli_larger(choice->gang_layers, 1), choice->threads) };
    grid.directions = wli_smaller(directions, choice->threads / grid.layers);
    grid.parts = wli_smaller(choice->parts, choice->threads / (grid.layers * grid.directions));
    grid.shares = choice->threads / (grid.layers * grid.directions * grid.parts);
    return grid;
}

wli_grid wli_grid_of(const wli_run *run) {
    wli_grid grid = wli_grid_of_spec(&run->sequence->spec);
    grid.parts = wli_smaller(run->graph.parts, grid.parts);
    return grid;
}

int64_t wli_grid_owner(const wli_grid *grid, int64_t gangs, const wli_node *node) {
    const int64_t direction = node->direction % grid->directions, part = node->part % grid->parts;
    return ((node->layer % grid->layers * grid->directions + direction) * grid->parts + part) % gangs;
}

/* One thread of a gang: its nodes in an order that all gangs share, so that the first node not yet done can always
 * run. */
static void run_gang_member(const wli_run *run, wli_grid grid, int64_t gangs, int64_t gang, int64_t member,
                            wli_share share) {
    wli_sequence *sequence = run->sequence;
    const wli_graph *graph = &run->graph;
    wli_worker worker = sequence->workers[gang * share.members + member];
    worker.workspace.unprojected = sequence->workers[gang * share.members].workspace.unprojected;
    wli_node node, needed[WLI_MOST_NEEDED];
    const wli_order order = wli_grid_order(&grid);
    for (bool more = wli_graph_first(graph, &node); more; more = wli_graph_next(graph, order, &node)) {
        if (wli_grid_owner(&grid, gangs, &node) != gang) continue;
        for (int i = wli_graph_needed(graph, &node, needed); i-- > 0;)
            if (wli_grid_owner(&grid, gangs, &needed[i]) != gang)
                wli_counter_wait(&sequence->done[wli_graph_chain(graph, &needed[i])], needed[i].chunk + 1);
        wli_failure_keep(&sequence->failure, wli_node_run(run, &worker, &node, &share));
        /* The gang has met at the item's end, so one may speak for all. */
        if (member == 0)
            atomic_store_explicit(&sequence->done[wli_graph_chain(graph, &node)].value, node.chunk + 1,
                                  memory_order_release);
    }
}

/* What one of a gang's threads has of the units: whole slices, of which there are as many as threads were planned. */
static wli_share share_of(const wli_run *run, int64_t member, int64_t members, wli_barrier *barrier) {
    const int64_t packed = run->sequence->spec.cells[0].slices, slices = packed ? packed : members;
    return (wli_share){ .first = slices * member / members,
                        .end = slices * (member + 1) / members,
                        .slices = slices,
                        .members = (int)members,
                        .barrier = members > 1 ? barrier : NULL };
}

wlstm_status wli_run_gangs(const wli_run *run, wli_grid grid) {
    wli_sequence *sequence = run->sequence;
    const int64_t wanted = grid.layers * grid.directions * grid.parts;
    for (int64_t chain = 0; chain < wli_graph_chains(&run->graph); chain++)
        atomic_store(&sequence->done[chain].value, 0);
    for (int64_t gang = 0; gang < wanted; gang++) atomic_store(&sequence->barriers[gang].arrived.value, 0);
#pragma omp parallel num_threads((int)(wanted * grid.shares))
    {
        /* There may be fewer threads than asked for. */
        const wli_seat seat = wli_grid_seat(&grid, omp_get_num_threads(), omp_get_thread_num());
        if (wli_run_forks(run)) omp_set_num_threads(1); /* the region may have one thread */
        if (seat.gang < seat.gangs)
            run_gang_member(run, grid, seat.gangs, seat.gang, seat.member,
                            share_of(run, seat.member, seat.members, &sequence->barriers[seat.gang]));
    }
    return wli_failure_take(&sequence->failure);
}

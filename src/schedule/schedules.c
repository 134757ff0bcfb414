/* Who runs which item. What an item waits for is graph.c's. */
#include "schedule/state.h"

#include <omp.h>

wlstm_status wli_node_run(const wli_run *run, wli_worker *worker, const wli_node *node, const wli_share *share) {
    const int64_t T = run->call->seq_len, S = run->graph.chunk_steps;
    const wli_item item = { .layer = node->layer,
                            .direction = node->direction,
                            .part = node->part,
                            .first_step = node->chunk * S,
                            .end_step = (node->chunk + 1) * S < T ? (node->chunk + 1) * S : T,
                            .share = share ? *share : (wli_share){ 0, 1, NULL } };
    return wli_item_run(run, worker, &item);
}

wlstm_status wli_run_serial(const wli_run *run, wli_worker *worker) {
    wlstm_status status = WLSTM_OK;
    wli_node node;
    for (bool more = wli_graph_first(&run->graph, &node); more && status == WLSTM_OK;
         more = wli_graph_next(&run->graph, WLI_BY_CHUNK, &node))
        status = wli_node_run(run, worker, &node, NULL);
    return status;
}

/* What stands for a node in task dependences. With one direction a lane's chunks share four in turn: a node comes after all who
 * name the one four chunks before. With two the other direction's chunks are far away, so each has its own. */
static char *token(const wli_run *run, const wli_node *node) {
    const int64_t window = run->sequence->token_window;
    return &run->sequence->tokens[1 + wli_graph_lane(&run->graph, node) * window + node->chunk % window];
}

void wli_run_wavefront(const wli_run *run, int threads) {
    const wli_graph *graph = &run->graph;
#pragma omp parallel num_threads(threads)
#pragma omp single
    {
        wli_node node;
        for (bool more = wli_graph_first(graph, &node); more; more = wli_graph_next(graph, WLI_BY_FRONT, &node)) {
            wli_node needed[WLI_MOST_NEEDED];
            const int count = wli_graph_needed(graph, &node, needed);
            char *own = token(run, &node), *after[WLI_MOST_NEEDED];
            for (int i = 0; i < WLI_MOST_NEEDED; i++)
                after[i] = i < count ? token(run, &needed[i]) : run->sequence->tokens; /* the first is nobody's */
            char *a = after[0], *b = after[1], *c = after[2];
            (void)own, (void)a, (void)b, (void)c; /* some compilers do not count a use in a depend clause */
#pragma omp task firstprivate(node) depend(in : *a, *b, *c) depend(inout : *own)
            (void)wli_node_run(run, &run->sequence->workers[omp_get_thread_num()], &node, NULL);
        }
    }
}

/* The gang that owns a node: gangs own layers, directions and parts, in turn where there are fewer of them. */
static int64_t owner(const wli_grid *grid, int64_t gangs, const wli_node *node) {
    const int64_t direction = node->direction % grid->directions, part = node->part % grid->parts;
    return ((node->layer % grid->layers * grid->directions + direction) * grid->parts + part) % gangs;
}

/* One thread of a gang: its nodes in an order that all gangs share, so that the first node not yet done can always run. */
static void run_gang_member(const wli_run *run, wli_grid grid, int64_t gangs, int64_t gang, wli_share share) {
    wli_sequence *sequence = run->sequence;
    const wli_graph *graph = &run->graph;
    wli_worker worker = sequence->workers[gang * share.units + share.member];
    worker.workspace.unprojected = sequence->workers[gang * share.units].workspace.unprojected;
    wli_node node, needed[WLI_MOST_NEEDED];
    const wli_order order = grid.layers > 1 ? WLI_BY_FRONT : WLI_BY_CHUNK;
    for (bool more = wli_graph_first(graph, &node); more; more = wli_graph_next(graph, order, &node)) {
        if (owner(&grid, gangs, &node) != gang) continue;
        for (int i = wli_graph_needed(graph, &node, needed); i-- > 0;)
            if (owner(&grid, gangs, &needed[i]) != gang)
                wli_counter_wait(&sequence->done[wli_graph_lane(graph, &needed[i])], needed[i].chunk + 1);
        (void)wli_node_run(run, &worker, &node, &share);
        /* The gang has met after the last step, so one may speak for all. */
        if (share.member == 0)
            atomic_store_explicit(&sequence->done[wli_graph_lane(graph, &node)].value, node.chunk + 1,
                                  memory_order_release);
    }
}

void wli_run_gangs(const wli_run *run, wli_grid grid) {
    wli_sequence *sequence = run->sequence;
    const int64_t wanted = grid.layers * grid.directions * grid.parts;
    for (int64_t lane = 0; lane < wli_graph_lanes(&run->graph); lane++) atomic_store(&sequence->done[lane].value, 0);
    for (int64_t gang = 0; gang < wanted; gang++) atomic_store(&sequence->barriers[gang].arrived.value, 0);
#pragma omp parallel num_threads((int)(wanted * grid.units))
    {
        /* There may be fewer threads than asked for. */
        const int64_t team = omp_get_num_threads(), me = omp_get_thread_num();
        const int64_t gangs = wanted < team ? wanted : team, units = team / gangs, gang = me / units;
        if (gang < gangs)
            run_gang_member(run, grid, gangs, gang,
                            (wli_share){ (int)(me % units), (int)units, &sequence->barriers[gang] });
    }
}

/* List scheduling: items are taken in the order in which the library takes them; each begins when what it needs is done and its
 * threads are free. A gang's items are its own; a wavefront's task takes the thread that is free first. */
#include "replay.h"

#include "base/allocator.h"
#include <math.h>

typedef struct replay_state {
    double *done;    /* [chains][chunks] */
    double *longest; /* [chains][chunks] the same with a thread for every item */
    double *free_at; /* [gangs or threads] */
    int64_t chunks, gangs;
} replay_state;

static double later(double a, double b) {
    return a > b ? a : b;
}

static double item_seconds(const replay_plan *plan, const replay_costs *costs, const wli_node *node) {
    const int64_t first = node->chunk * plan->graph.chunk_steps, length = plan->graph.lengths[node->part];
    const int64_t left = length - first, steps = left < plan->graph.chunk_steps ? left : plan->graph.chunk_steps;
    const double meetings = plan->grid.shares > 1 ? costs->meetings * costs->barrier : 0;
    return (double)steps * (costs->step[wli_graph_chain(&plan->graph, node)] + meetings);
}

static int64_t first_free(const replay_state *state) {
    int64_t first = 0;
    for (int64_t i = 1; i < state->gangs; i++)
        if (state->free_at[i] < state->free_at[first]) first = i;
    return first;
}

static void run_item(const replay_plan *plan, const replay_costs *costs, const wli_node *node, replay_state *state,
                     replay_times *times) {
    const bool tasks = plan->schedule == WLI_WAVEFRONT;
    const int64_t gang = tasks ? first_free(state) : wli_grid_owner(&plan->grid, state->gangs, node);
    const int64_t at = wli_graph_chain(&plan->graph, node) * state->chunks + node->chunk;
    const double seconds = item_seconds(plan, costs, node) + (tasks ? costs->task : 0);
    double ready = 0, longest = 0;
    wli_node needed[WLI_MOST_NEEDED];
    for (int i = wli_graph_needed(&plan->graph, node, needed); i-- > 0;) {
        const int64_t before = wli_graph_chain(&plan->graph, &needed[i]) * state->chunks + needed[i].chunk;
        const bool own = !tasks && wli_grid_owner(&plan->grid, state->gangs, &needed[i]) == gang;
        ready = later(ready, state->done[before] + (own || tasks ? 0 : costs->wait));
        longest = later(longest, state->longest[before]);
    }
    state->done[at] = state->free_at[gang] = later(ready, state->free_at[gang]) + seconds;
    state->longest[at] = longest + seconds;
    times->all = later(times->all, state->done[at]);
    times->critical_path = later(times->critical_path, state->longest[at]);
    times->work += seconds * (double)(tasks ? 1 : plan->grid.shares);
}

bool replay_run(const replay_plan *plan, const replay_costs *costs, replay_times *times) {
    const wli_grid *grid = &plan->grid;
    const bool tasks = plan->schedule == WLI_WAVEFRONT;
    const int64_t chunks = wli_graph_chunks(&plan->graph, 0), chains = wli_graph_chains(&plan->graph);
    const wli_order order = tasks ? WLI_BY_FRONT : wli_grid_order(grid);
    replay_state state = { .chunks = chunks,
                           .gangs = tasks ? plan->threads : grid->layers * grid->directions * grid->parts };
    *times = (replay_times){ 0 };
    state.done = wli_calloc((size_t)(chains * chunks) * sizeof(double));
    state.longest = wli_calloc((size_t)(chains * chunks) * sizeof(double));
    state.free_at = wli_calloc((size_t)state.gangs * sizeof(double));
    const bool made = state.done && state.longest && state.free_at;
    wli_node node;
    for (bool more = made && wli_graph_first(&plan->graph, &node); more;
         more = wli_graph_next(&plan->graph, order, &node))
        run_item(plan, costs, &node, &state, times);
    if (plan->threads > 1) times->all += costs->region;
    wli_free(state.done);
    wli_free(state.longest);
    wli_free(state.free_at);
    return made;
}

/* The wavefront: each node of the graph is an OpenMP task, and what it needs are the task's dependences. */
#include "schedule/schedules.h"

#include <omp.h>

/* What stands for a node in task dependences: a node comes after all who named the one that had its token before.
 * With one direction, or one layer, a chain's chunks share four in turn: who names the one four chunks before is
 * done early. In a stack of two directions the other direction's chunks are far away, so each has its own, but every
 * second layer the same: a layer starts at both ends, and so when all of the layer two below is done. */
static char *token(const wli_run *run, const wli_node *node) {
    const wli_sequence *sequence = run->sequence;
    wli_node shared = *node;
    shared.layer %= sequence->token_layers;
    const int64_t window = sequence->token_window;
    return &sequence->tokens[1 + wli_graph_chain(&run->graph, &shared) * window + node->chunk % window];
}

static void run_task(const wli_run *run, const wli_node *node) {
    const wlstm_status status = wli_node_run(run, &run->sequence->workers[omp_get_thread_num()], node, NULL);
    wli_failure_keep(&run->sequence->failure, status);
}

wlstm_status wli_run_wavefront(const wli_run *run, int threads) {
    const wli_graph *graph = &run->graph;
#pragma omp parallel num_threads(threads)
#pragma omp single
    {
        if (wli_run_forks(run)) omp_set_num_threads(1); /* the tasks', as the region may have one thread */
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
            run_task(run, &node);
        }
    }
    return wli_failure_take(&run->sequence->failure);
}

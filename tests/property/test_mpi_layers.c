/* Layers over ranks give the bits of one process: ragged or not, chunks of any size, states, fewer layers than ranks,
 * several calls of one pipeline, chunks of more than a message; and each rank has its own layers alone. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "problem.h"
#include "ranks.h"
#include "wavelstm_mpi.h"

enum { PROBLEMS = 25, CALLS = 3 };

static char path[64];

/* A problem of one direction, its lstm in the file. */
static problem draw(ranks *r) {
    problem p = problem_draw(&r->stream);
    if (p.config.dtype == WLSTM_BF16) p.config.dtype = WLSTM_F32; /* is refused */
    p.config.bidirectional = 0, p.config.num_layers = random_between(&r->stream, 1, 6);
    p.seq_len = random_between(&r->stream, 1, 30), p.batch = random_between(&r->stream, 1, 9);
    return p;
}

static wlstm_lstm *load_stage(const ranks *r, const problem *p) {
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    wlstm_lstm *stage;
    options.prefix = "stack.", options.batch_first = p->config.batch_first;
    if (r->rank == 0)
        require(wlstm_lstm_save(p->lstm, path, "stack.") == WLSTM_OK, "%s: %s", p->name, wlstm_last_error());
    MPI_Barrier(MPI_COMM_WORLD);
    require(wlstm_mpi_load_layers(MPI_COMM_WORLD, path, &options, &stage) == WLSTM_OK, "%s: %s", p->name,
            wlstm_mpi_last_error());
    int64_t parameters = wlstm_lstm_num_parameters(stage), all;
    MPI_Allreduce(&parameters, &all, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    require(all == wlstm_lstm_num_parameters(p->lstm), "%s: each layer on one rank", p->name);
    return stage;
}

static wlstm_plan *plan_of_one(const problem *p) {
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_plan *plan;
    options.max_seq_len = p->seq_len, options.max_batch = p->batch > 0 ? p->batch : 1, options.deterministic = 1;
    require(wlstm_plan_create(p->lstm, &options, &plan) == WLSTM_OK, "%s: %s", p->name, wlstm_last_error());
    return plan;
}

/* One call; h_n and c_n in the place of h_0 and c_0 where there are states, every second time. */
static void compare(const ranks *r, problem *p, wlstm_mpi_pipeline *pipeline, bool in_place) {
    const bool root = r->rank == 0;
    outcome over_ranks = outcome_create(p), alone = outcome_create(p);
    const size_t bytes = dtype_size(p->config.dtype);
    const void *h_0 = p->h_0, *c_0 = p->c_0;
    if (in_place && p->h_0) {
        memcpy(over_ranks.h_n, p->h_0, (size_t)problem_h_count(p) * bytes);
        memcpy(over_ranks.c_n, p->c_0, (size_t)problem_c_count(p) * bytes);
        h_0 = over_ranks.h_n, c_0 = over_ranks.c_n;
    }
    const wlstm_status status = wlstm_mpi_pipeline_execute(
        pipeline, p->seq_len, p->batch, root ? p->lengths : NULL, root ? p->x : NULL, root ? h_0 : NULL,
        root ? c_0 : NULL, root ? over_ranks.out : NULL, root ? over_ranks.h_n : NULL, root ? over_ranks.c_n : NULL);
    require(status == WLSTM_OK, "%s: %s", p->name, wlstm_mpi_last_error());
    if (root) {
        wlstm_plan *plan = plan_of_one(p);
        require(problem_execute(p, plan, &alone) == WLSTM_OK, "%s: %s", p->name, wlstm_last_error());
        require(outcomes_agree(p, "layers", &over_ranks, &alone, true), "%s on %d ranks: %s", p->name, r->count,
                wlstm_mpi_pipeline_describe(pipeline));
        wlstm_plan_free(plan);
    }
    outcome_free(&over_ranks);
    outcome_free(&alone);
}

static void one_problem(ranks *r, bool large) {
    problem p = draw(r);
    if (large) p.config.hidden_size = 40, p.config.proj_size = 0, p.config.num_layers = 4, p.seq_len = 60, p.batch = 40;
    problem_build(&p, &r->stream);
    wlstm_lstm *stage = load_stage(r, &p);
    wlstm_plan_options options = WLSTM_PLAN_OPTIONS_INIT;
    wlstm_mpi_pipeline *pipeline;
    options.max_seq_len = p.seq_len, options.max_batch = p.batch, options.deterministic = 1;
    options.chunk_steps = large ? 29 : random_flag(&r->stream) ? random_between(&r->stream, 1, 12) : 0;
    require(wlstm_mpi_pipeline_create(MPI_COMM_WORLD, stage, &options, &pipeline) == WLSTM_OK, "%s: %s", p.name,
            wlstm_mpi_last_error());
    wlstm_lstm_free(stage);
    for (int call = 0; call < CALLS; call++) {
        problem smaller = { .config = p.config };
        smaller.seq_len = random_between(&r->stream, 1, p.seq_len),
        smaller.batch = random_between(&r->stream, 0, p.batch);
        smaller.with_states = random_flag(&r->stream), smaller.with_lengths = random_flag(&r->stream);
        problem_build(&smaller, &r->stream);
        wlstm_lstm_free(smaller.lstm);
        smaller.lstm = p.lstm, smaller.owns_lstm = false;
        compare(r, call == 0 ? &p : &smaller, pipeline, call == 1);
        problem_free(&smaller);
    }
    wlstm_mpi_pipeline_free(pipeline);
    problem_free(&p);
}

int main(int argc, char **argv) {
    ranks r = ranks_begin(&argc, &argv);
    int id = (int)getpid();
    MPI_Bcast(&id, 1, MPI_INT, 0, MPI_COMM_WORLD);
    snprintf(path, sizeof path, "/tmp/wavelstm-test-ranks-%d.safetensors", id);
    for (int i = 0; i < PROBLEMS; i++) one_problem(&r, i == 0);
    MPI_Barrier(MPI_COMM_WORLD);
    if (r.rank == 0) require(unlink(path) == 0, "%s", path);
    MPI_Finalize();
    return 0;
}

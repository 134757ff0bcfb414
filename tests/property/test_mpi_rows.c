/* The rows of a batch over ranks give the bits of one process, whatever the problem: ragged, fewer rows than ranks, none. */
#include <string.h>

#include "compare.h"
#include "problem.h"
#include "ranks.h"
#include "wavelstm_mpi.h"

enum { PROBLEMS = 40 };

static void one_problem(ranks *r) {
    problem p = problem_draw(&r->stream);
    p.batch = random_between(&r->stream, 0, 3 * r->count);
    problem_build(&p, &r->stream);
    outcome over_ranks = outcome_create(&p), alone = outcome_create(&p);
    const bool root = r->rank == 0, with_h_n = random_flag(&r->stream), with_c_n = random_flag(&r->stream);
    const wlstm_status status =
        wlstm_mpi_forward(MPI_COMM_WORLD, p.lstm, p.seq_len, p.batch, root ? p.lengths : NULL, root ? p.x : NULL,
                          root ? p.h_0 : NULL, root ? p.c_0 : NULL, root ? over_ranks.out : NULL,
                          root && with_h_n ? over_ranks.h_n : NULL, root && with_c_n ? over_ranks.c_n : NULL);
    require(status == WLSTM_OK, "%s: %s", p.name, wlstm_mpi_last_error());
    if (root) {
        require(problem_forward(&p, &alone) == WLSTM_OK, "%s: %s", p.name, wlstm_last_error());
        if (!with_h_n) memcpy(over_ranks.h_n, alone.h_n, (size_t)problem_h_count(&p) * dtype_size(p.config.dtype));
        if (!with_c_n) memcpy(over_ranks.c_n, alone.c_n, (size_t)problem_c_count(&p) * dtype_size(p.config.dtype));
        require(outcomes_agree(&p, "rows", &over_ranks, &alone, true), "%s on %d ranks", p.name, r->count);
    }
    outcome_free(&over_ranks);
    outcome_free(&alone);
    problem_free(&p);
}

int main(int argc, char **argv) {
    ranks r = ranks_begin(&argc, &argv);
    for (int i = 0; i < PROBLEMS; i++) one_problem(&r);
    MPI_Finalize();
    return 0;
}

/* What rank 0 knows of tuned plans, all ranks know afterwards, and nothing else: no other rank reads a file. */
#include <stdlib.h>
#include <string.h>

#include "plan/cache.h"
#include "ranks.h"
#include "scratch_dir.h"
#include "wavelstm_mpi.h"

static wli_cache_table table_of(const char *name) {
    wli_cache_table table = { 0 };
    wli_cache_entry entry = { .threads = 1, .effort = WLSTM_EFFORT_MEASURE };
    require(wli_problem_parse(name, &entry.problem) == WLSTM_OK, "%s", wlstm_last_error());
    require(wli_cache_table_put(&table, &entry), "memory");
    return table;
}

static char *known(void) {
    size_t bytes;
    require(wlstm_plan_cache_export_text(NULL, 0, &bytes) == WLSTM_OK, "%s", wlstm_last_error());
    char *text = calloc(bytes + 1, 1);
    require(text && wlstm_plan_cache_export_text(text, bytes, &bytes) == WLSTM_OK, "%s", wlstm_last_error());
    return text;
}

/* Each rank has a directory of its own, whose file knows another problem. */
int main(int argc, char **argv) {
    const ranks r = ranks_begin(&argc, &argv);
    char problem[32];
    snprintf(problem, sizeof problem, "t10b%di8h16l1", r.rank + 1);
    require(scratch_create(NULL) == 0, "a directory");
    setenv("WLSTM_CACHE", scratch_directory, 1);
    wli_cache_table table = table_of(problem);
    require(wli_cache_merge(scratch_directory, &table, NULL, false) == WLSTM_OK, "%s", wlstm_last_error());
    wli_cache_table_clear(&table);

    require(wlstm_mpi_plan_cache_broadcast(MPI_COMM_WORLD) == WLSTM_OK, "%s", wlstm_mpi_last_error());
    char *text = known();
    require(strstr(text, "t10b1i8h16l1") != NULL, "rank 0's problem in %s", text);
    require(r.rank == 0 || strstr(text, problem) == NULL, "no %s in %s", problem, text);
    free(text);
    require(scratch_remove_all(NULL) == 0, "%s", scratch_directory);
    MPI_Finalize();
    return 0;
}

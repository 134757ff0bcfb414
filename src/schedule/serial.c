/* One thread: chunk by chunk through all layers. */
#include "schedule/schedules.h"

#include "base/one_thread.h"
#include <omp.h>

/* All nodes by the first worker. */
typedef struct serial_run {
    const wli_run *run;
    wlstm_status status;
} serial_run;

static void run_nodes(void *context) {
    serial_run *serial = context;
    const wli_run *run = serial->run;
    wli_node node;
    for (bool more = wli_graph_first(&run->graph, &node); more && serial->status == WLSTM_OK;
         more = wli_graph_next(&run->graph, WLI_BY_CHUNK, &node))
        serial->status = wli_node_run(run, &run->sequence->workers[0], &node, NULL);
}

wlstm_status wli_run_serial(const wli_run *run) {
    serial_run serial = { run, WLSTM_OK };
    if (wli_run_forks(run) && !omp_in_parallel())
        wli_as_one_thread(run_nodes, &serial);
    else
        run_nodes(&serial);
    return serial.status;
}

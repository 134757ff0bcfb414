/* A rank's layers of a model file. Rank 0 looks at the shapes in the file's header and deals; each rank loads its own. */
#include "parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A layer's tensor by its kind: its shape [2] where it is there and a matrix. */
static bool find(const char *path, const char *prefix, const char *kind, int64_t layer, const char *reverse,
                 int64_t shape[2], wlm_failure *failure) {
    const size_t bytes = strlen(prefix) + 64;
    char *name = malloc(bytes);
    int64_t found[8];
    int ndim = 0;
    if (!name) {
        wlm_out_of_memory(failure, "name");
        return false;
    }
    snprintf(name, bytes, "%s%s_l%" PRId64 "%s", prefix, kind, layer, reverse);
    const wlstm_status status = wlstm_tensor_read(path, name, WLSTM_F32, NULL, 0, &ndim, found);
    free(name);
    if (status != WLSTM_ERROR_MISSING) (void)wlm_note(failure, status);
    if (status != WLSTM_OK || ndim != 2) return false;
    shape[0] = found[0], shape[1] = found[1];
    return true;
}

/* The costs of all layers in *costs, NULL and 0 where the file has no weight_ih_l0. The caller frees them. */
static int64_t read_costs(const char *path, const char *prefix, double **costs, wlm_failure *failure) {
    int64_t count = 0, capacity = 0, weight_ih[2], weight_hh[2];
    *costs = NULL;
    while (find(path, prefix, "weight_ih", count, "", weight_ih, failure) &&
           find(path, prefix, "weight_hh", count, "", weight_hh, failure)) {
        if (count == capacity) {
            capacity = 2 * capacity + 16;
            double *more = realloc(*costs, (size_t)capacity * sizeof *more);
            if (!more) {
                wlm_out_of_memory(failure, "layers");
                break;
            }
            *costs = more;
        }
        (*costs)[count++] = wlm_layer_cost(weight_ih[1], weight_ih[0] / 4, weight_hh[1]);
    }
    if (count > 0 && find(path, prefix, "weight_ih", 0, "_reverse", weight_ih, failure))
        wlm_fail(failure, WLSTM_ERROR_UNSUPPORTED,
                 "%s: one direction expected, got two: a layer of two waits for both ends of the one below, so put its "
                 "rows over ranks (wlstm_mpi_forward)",
                 path);
    return count;
}

/* A file that has more layers than were found, one of them not whole, is not to pass for a shorter stack. */
static void check_end(const char *path, const wlstm_load_options *options, int64_t count, wlm_failure *failure) {
    wlstm_load_options next = *options;
    wlstm_lstm *none;
    next.first_layer = count, next.num_layers = 1;
    const wlstm_status status = wlstm_lstm_load(path, &next, &none);
    if (status != WLSTM_ERROR_INVALID_ARGUMENT) (void)wlm_note(failure, status); /* that is: there is no such layer */
    wlstm_lstm_free(none);
}

/* parts [2 * ranks]: each rank's first layer and how many. */
static void deal(const char *path, const wlstm_load_options *options, int ranks, int64_t *parts, int64_t *first,
                 wlm_failure *failure) {
    double *costs = NULL;
    const int64_t count = read_costs(path, options->prefix ? options->prefix : "", &costs, failure);
    const int64_t from = options->first_layer, rest = count - from;
    if (count > 0 && failure->status == WLSTM_OK) check_end(path, options, count, failure);
    memset(parts, 0, 2 * (size_t)ranks * sizeof *parts);
    if (from < 0 || rest < 1 || options->num_layers < 0 || options->num_layers > rest) {
        /* Another kind of file, or none: the load says what is wrong, and an nn.LSTMCell is one layer. */
        parts[0] = from, parts[1] = options->num_layers > 0 ? options->num_layers : 1;
    } else if (failure->status == WLSTM_OK) {
        wlm_deal_in_order(costs + from, options->num_layers > 0 ? options->num_layers : rest, ranks, first);
        for (int r = 0; r < ranks; r++) parts[2 * r] = from + first[r], parts[2 * r + 1] = first[r + 1] - first[r];
    }
    free(costs);
}

wlstm_status wlstm_mpi_load_layers(MPI_Comm comm, const char *path, const wlstm_load_options *options,
                                   wlstm_lstm **stage) {
    if (stage) *stage = NULL;
    if (wlm_check_comm(comm) != WLSTM_OK) return WLSTM_ERROR_INVALID_ARGUMENT;
    wlm_failure failure = { 0 };
    wlstm_load_options own = WLSTM_LOAD_OPTIONS_INIT;
    int rank, ranks;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    if (!stage || !path)
        wlm_fail(&failure, WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", stage ? "path" : "stage");
    if (options)
        wlm_take_options("WLSTM_LOAD_OPTIONS_INIT", offsetof(wlstm_load_options, num_layers) + sizeof(int64_t),
                         sizeof own, options, &own, &failure);
    int64_t *parts = NULL, part[2];
    if (rank == 0) {
        parts = malloc((3 * (size_t)ranks + 1) * sizeof *parts);
        if (!parts)
            wlm_out_of_memory(&failure, "ranks");
        else if (failure.status == WLSTM_OK)
            deal(path, &own, ranks, parts, parts + 2 * ranks, &failure);
    }
    wlstm_status status = wlm_settle(comm, &failure);
    if (status == WLSTM_OK) {
        MPI_Scatter(parts, 2, MPI_INT64_T, part, 2, MPI_INT64_T, 0, comm);
        own.first_layer = part[0], own.num_layers = part[1];
        if (part[1] > 0) (void)wlm_note(&failure, wlstm_lstm_load(path, &own, stage));
        status = wlm_settle(comm, &failure);
    }
    free(parts);
    if (status != WLSTM_OK && stage) {
        wlstm_lstm_free(*stage);
        *stage = NULL;
    }
    return status;
}

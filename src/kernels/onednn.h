/* Gate GEMMs by oneDNN's matmul or inner-product primitives, f32; the one place that uses oneDNN, of which a build
 * without it has the version alone. Primitives are made for one thread, and run on any thread's own memory objects.
 *
 * What oneDNN cannot get for itself ends the process, by an exception or by code that is not there. So before it is
 * asked for anything, it is tried whether there is ample room: OUT_OF_MEMORY where there is none. */
#ifndef WLI_ONEDNN_H
#define WLI_ONEDNN_H

#include "wavelstm.h"

#include <stdbool.h>
#include <stdint.h>

/* C [rows, columns] = bias + A [rows, depth] B^T, or C += A B^T: primitives for several row counts over one reordered
 * B. Read-only once made, so that plans and threads share it. */
typedef struct wli_onednn_gemm wli_onednn_gemm;

/* One thread's way to run gemms: memory objects for each shape of them, one scratchpad. */
typedef struct wli_onednn_runner wli_onednn_runner;

typedef struct wli_onednn_gemm_spec {
    bool inner_product; /* else matmul */
    int64_t max_rows, depth, columns;
    int64_t ldc;       /* elements from one row of C to the next; with gaps oneDNN's inner products are plain loops */
    const float *b;    /* [columns, depth], copied into oneDNN's own layout */
    const float *bias; /* [columns], copied; NULL makes the gemm accumulate onto C */
} wli_onednn_gemm_spec;

wlstm_status wli_onednn_gemm_make(const wli_onednn_gemm_spec *spec, wli_onednn_gemm **gemm);
void wli_onednn_gemm_destroy(wli_onednn_gemm *gemm);
size_t wli_onednn_gemm_bytes(const wli_onednn_gemm *gemm);

/* Adds what the gemm, and any of its shape, needs; *runner is NULL at first. */
wlstm_status wli_onednn_runner_equip(wli_onednn_runner **runner, const wli_onednn_gemm *gemm);
void wli_onednn_runner_destroy(wli_onednn_runner *runner);

/* Whether there is such room for each of the threads: the functions above ask by themselves, for one, a plan once more
 * when all that it needs is there. */
wlstm_status wli_onednn_check_room(int64_t threads);

/* a [rows, depth] dense, c [rows, columns] ldc apart, by a runner that is equipped for the gemm. Runs on the calling
 * thread alone if OpenMP gives it one thread or a region is active. Allocates nothing of ours. */
wlstm_status wli_onednn_run(wli_onednn_runner *runner, const wli_onednn_gemm *gemm, int64_t rows, const float *a,
                            float *c);

enum { WLI_ONEDNN_VERSION_BYTES = 24 };

/* "2.6.3", or "" without oneDNN. */
void wli_onednn_version(char text[WLI_ONEDNN_VERSION_BYTES]);

#endif

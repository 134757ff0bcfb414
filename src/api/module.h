/* What wlstm_lstm and wlstm_cell have in common: parameters and the plans that run them. Each public function on a parameter
 * is a line that calls the one here.
 *
 * `what` is the public argument's name, "lstm" or "cell", for the error when the module is NULL. */
#ifndef WLI_MODULE_H
#define WLI_MODULE_H

#include "api/pool.h"

typedef struct wli_module {
    wli_model *model;
    wlstm_precision precision; /* of plans that name none */
    wli_plan_pool pool;
} wli_module;

struct wlstm_lstm {
    wli_module module;
};

struct wlstm_cell {
    wli_module module;
};

/* The module of a public handle; NULL stays NULL. */
#define WLI_MODULE(handle) ((handle) ? &(handle)->module : NULL)

wlstm_status wli_null_argument(const char *name);

/* A module over the model, whose reference it takes over even on failure; NULL on failure. A public handle is a pointer to its
 * module, cast. */
wlstm_status wli_module_wrap(wli_model *model, wli_module **module);

/* A module of the spec's shape, initialised with seed 0; one out of a file. */
wlstm_status wli_module_create(const wli_model_spec *spec, wli_module **module);
wlstm_status wli_module_load(const char *path, const wlstm_load_options *options, bool as_cell, wli_module **module);
void wli_module_free(wli_module *module);

wlstm_status wli_module_save(const wli_module *module, const char *what, const char *path, const char *prefix);
wlstm_status wli_module_reset(wli_module *module, const char *what, uint64_t seed);
wlstm_status wli_module_set_precision(wli_module *module, const char *what, wlstm_precision precision);
wlstm_status wli_module_compact(wli_module *module, const char *what);
int64_t wli_module_num_parameters(const wli_module *module);
wlstm_status wli_module_info(const wli_module *module, const char *what, int64_t index, const char **name, int *ndim,
                             int64_t shape[2]);
wlstm_status wli_module_set(wli_module *module, const char *what, const char *name, const void *values, int64_t count);
wlstm_status wli_module_get(const wli_module *module, const char *what, const char *name, void *values, int64_t count);

/* A checked call, by a plan of the module's pool. */
wlstm_status wli_module_run(wli_module *module, const wli_call *call);

#endif

#include "api/module.h"

#include "base/allocator.h"
#include "base/status.h"
#include "base/struct_size.h"
#include "plan/compact.h"

wlstm_status wli_null_argument(const char *name) {
    return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", name);
}

wlstm_status wli_module_wrap(wli_model *model, wli_module **module) {
    *module = wli_calloc(sizeof **module);
    if (!*module) {
        const char *what = model->is_cell ? "cell" : "lstm";
        wli_model_release(model);
        return wli_out_of_memory(what, sizeof **module);
    }
    (*module)->model = model;
    return WLSTM_OK;
}

wlstm_status wli_module_create(const wli_model_spec *spec, wli_module **module) {
    wli_model *model;
    *module = NULL;
    wlstm_status status = wli_model_create(spec, &model);
    if (status == WLSTM_OK) status = wli_model_reset(&model, 0);
    return status == WLSTM_OK ? wli_module_wrap(model, module) : status;
}

wlstm_status wli_module_load(const char *path, const wlstm_load_options *options, bool as_cell, wli_module **module) {
    wli_model *model;
    wlstm_load_options own = WLSTM_LOAD_OPTIONS_INIT;
    *module = NULL;
    wlstm_status status = options ? wli_struct_read(&wli_load_options_kind, options, &own) : WLSTM_OK;
    if (status == WLSTM_OK) status = wli_model_load(path, &own, as_cell, wli_compact_fill, &model);
    if (status == WLSTM_OK) status = wli_module_wrap(model, module);
    if (status == WLSTM_OK) (*module)->precision = own.precision;
    return status;
}

void wli_module_free(wli_module *module) {
    if (!module) return;
    wli_plan_pool_clear(&module->pool);
    wli_model_release(module->model);
    wli_free(module);
}

wlstm_status wli_module_save(const wli_module *module, const char *what, const char *path, const char *prefix) {
    return module ? wli_model_save(module->model, path, prefix) : wli_null_argument(what);
}

/* The pool's plans share the model: they go first, so that it is changed in place where no plan of the caller shares it. */
wlstm_status wli_module_reset(wli_module *module, const char *what, uint64_t seed) {
    if (!module) return wli_null_argument(what);
    const wlstm_status status = wli_model_check_values(module->model);
    if (status != WLSTM_OK) return status;
    wli_plan_pool_clear(&module->pool);
    return wli_model_reset(&module->model, seed);
}

wlstm_status wli_module_set_precision(wli_module *module, const char *what, wlstm_precision precision) {
    if (!module) return wli_null_argument(what);
    const wlstm_status status = wli_model_check_precision(module->model, precision);
    if (status != WLSTM_OK) return status;
    wli_plan_pool_clear(&module->pool);
    module->precision = precision;
    return WLSTM_OK;
}

wlstm_status wli_module_compact(wli_module *module, const char *what) {
    if (!module) return wli_null_argument(what);
    if (module->model->compact) return WLSTM_OK;
    wli_plan_pool_clear(&module->pool);
    return wli_model_compact(&module->model, wli_compact_fill, module->precision);
}

int64_t wli_module_num_parameters(const wli_module *module) {
    return module ? module->model->num_parameters : 0;
}

wlstm_status wli_module_info(const wli_module *module, const char *what, int64_t index, const char **name, int *ndim,
                             int64_t shape[2]) {
    return module ? wli_model_info(module->model, index, name, ndim, shape) : wli_null_argument(what);
}

wlstm_status wli_module_set(wli_module *module, const char *what, const char *name, const void *values, int64_t count) {
    if (!module) return wli_null_argument(what);
    int64_t index;
    wlstm_status status = wli_model_find(module->model, name, values, count, &index);
    if (status != WLSTM_OK) return status;
    wli_plan_pool_clear(&module->pool);
    return wli_model_set(&module->model, index, values);
}

wlstm_status wli_module_get(const wli_module *module, const char *what, const char *name, void *values, int64_t count) {
    if (!module) return wli_null_argument(what);
    int64_t index;
    wlstm_status status = wli_model_find(module->model, name, values, count, &index);
    if (status == WLSTM_OK) wli_model_get(module->model, index, values);
    return status;
}

wlstm_status wli_module_run(wli_module *module, const wli_call *call) {
    return wli_plan_pool_run(&module->pool, module->model, module->precision, call);
}

#include "base/struct_size.h"

#include "base/status.h"
#include <string.h>

const wli_struct_kind wli_lstm_config_kind = { "config", "WLSTM_LSTM_CONFIG_INIT",
                                               WLI_SIZE_TO(wlstm_lstm_config, dtype), sizeof(wlstm_lstm_config) },
                      wli_cell_config_kind = { "config", "WLSTM_CELL_CONFIG_INIT",
                                               WLI_SIZE_TO(wlstm_cell_config, dtype), sizeof(wlstm_cell_config) },
                      wli_load_options_kind = { "options", "WLSTM_LOAD_OPTIONS_INIT",
                                                WLI_SIZE_TO(wlstm_load_options, dtype), sizeof(wlstm_load_options) },
                      wli_plan_options_kind = { "options", "WLSTM_PLAN_OPTIONS_INIT",
                                                WLI_SIZE_TO(wlstm_plan_options, deterministic),
                                                sizeof(wlstm_plan_options) },
                      wli_streams_options_kind = { "options", "WLSTM_STREAMS_OPTIONS_INIT",
                                                   WLI_SIZE_TO(wlstm_streams_options, precision),
                                                   sizeof(wlstm_streams_options) },
                      wli_trainer_options_kind = { "options", "WLSTM_TRAINER_OPTIONS_INIT",
                                                   WLI_SIZE_TO(wlstm_trainer_options, recompute_steps),
                                                   sizeof(wlstm_trainer_options) },
                      wli_optimizer_struct_kind = { "optimizer", "WLSTM_OPTIMIZER_INIT",
                                                    WLI_SIZE_TO(wlstm_optimizer, weight_decay),
                                                    sizeof(wlstm_optimizer) };

/* Where today's fields lie on machines of 8-byte pointers: never moved, and none in what was padding. */
#define AT(field, offset) _Static_assert(sizeof(void *) != 8 || offsetof(wlstm_plan_options, field) == (offset), #field)
AT(deterministic, 48);
AT(reserved, 52);
AT(schedule, 56);
AT(precision, 60);
AT(chunk_steps, 64);
#undef AT
#define AT(field, offset) _Static_assert(sizeof(void *) != 8 || offsetof(wlstm_load_options, field) == (offset), #field)
AT(dtype, 24);
AT(reserved, 28);
AT(compact, 32);
AT(precision, 36);
AT(first_layer, 40);
AT(num_layers, 48);
#undef AT
#define AT(field, offset)                                                                                              \
    _Static_assert(sizeof(void *) != 8 || offsetof(wlstm_trainer_options, field) == (offset), #field)
AT(recompute_steps, 32);
AT(schedule, 40);
AT(effort, 44);
#undef AT

/* The caller's size; 0 and an error where no header had it. */
static size_t size_of(const wli_struct_kind *kind, const void *given) {
    size_t size;
    if (!given) {
        wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s: a pointer expected, got NULL", kind->argument);
        return 0;
    }
    memcpy(&size, given, sizeof size);
    if (size >= kind->first && size <= kind->size) return size;
    if (size > kind->size)
        wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                 "%s->struct_size: at most %zu expected, got %zu, of a header newer than this library (%s)",
                 kind->argument, kind->size, size, WLSTM_VERSION_STRING);
    else
        wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "%s->struct_size: %zu expected (begin with %s), got %zu", kind->argument,
                 kind->size, kind->initializer, size);
    return 0;
}

wlstm_status wli_struct_read(const wli_struct_kind *kind, const void *given, void *own) {
    const size_t size = size_of(kind, given);
    if (size == 0) return WLSTM_ERROR_INVALID_ARGUMENT;
    memcpy(own, given, size);
    return WLSTM_OK;
}

wlstm_status wli_struct_write(const wli_struct_kind *kind, const void *own, void *given) {
    const size_t size = size_of(kind, given);
    if (size == 0) return WLSTM_ERROR_INVALID_ARGUMENT;
    memcpy((char *)given + sizeof size, (const char *)own + sizeof size, size - sizeof size);
    return WLSTM_OK;
}

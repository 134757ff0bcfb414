/* Structs that programs fill and that may have grown since their header: each begins with struct_size, new fields stand at or behind
 * every size that was released (tail padding too, which holds what was there), and the fields that a header lacks take their
 * defaults. */
#ifndef WLI_STRUCT_SIZE_H
#define WLI_STRUCT_SIZE_H

#include "wavelstm.h"

/* The struct's size when `last` was its last field. */
#define WLI_SIZE_TO(type, last)                                                                                        \
    ((offsetof(type, last) + sizeof(((type *)0)->last) + _Alignof(type) - 1) / _Alignof(type) * _Alignof(type))

/* One such struct: the argument's name, the macro that begins one, its size in the first header that had it and in this one. */
typedef struct wli_struct_kind {
    const char *argument, *initializer;
    size_t first, size;
} wli_struct_kind;

extern const wli_struct_kind wli_lstm_config_kind, wli_cell_config_kind, wli_load_options_kind, wli_plan_options_kind,
    wli_streams_options_kind, wli_trainer_options_kind, wli_optimizer_struct_kind;

/* The caller's struct over the defaults, which *own has on entry. Errors: INVALID_ARGUMENT (NULL, no header's size, a newer header's). */
wlstm_status wli_struct_read(const wli_struct_kind *kind, const void *given, void *own);

/* *own into the caller's struct, no more of it than its struct_size. Errors: as wli_struct_read. */
wlstm_status wli_struct_write(const wli_struct_kind *kind, const void *own, void *given);

#endif

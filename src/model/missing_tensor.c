#include "model/missing_tensor.h"

#include "base/status.h"
#include "base/text.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { MOST_NAMES = 3, NAME_TEXT = 56, LIST_TEXT = MOST_NAMES * (NAME_TEXT + 4) + 32, HINT_TEXT = 320 };

/* What tells one from the other; an nn.LSTM is loaded from both. */
static const char *const of_cell = "weight_ih", *const of_lstm = "weight_ih_l0";

/* "'a', 'b', 'c' and 4 more" */
typedef struct name_list {
    int64_t count;
    char text[LIST_TEXT];
} name_list;

static void add_name(name_list *list, const char *name, size_t length, char quote) {
    char shown[NAME_TEXT];
    const size_t used = strlen(list->text);
    if (list->count++ < MOST_NAMES)
        snprintf(list->text + used, sizeof list->text - used, "%s%c%s%c", used ? ", " : "", quote,
                 wli_printable(name, length, shown, sizeof shown), quote);
}

static const char *list_text(name_list *list) {
    const size_t used = strlen(list->text);
    if (list->count > MOST_NAMES)
        snprintf(list->text + used, sizeof list->text - used, " and %" PRId64 " more", list->count - MOST_NAMES);
    return list->text;
}

/* The text behind its start, NULL if it begins otherwise or is NULL. */
static const char *behind(const char *text, const char *start) {
    const size_t length = strlen(start);
    return text && strncmp(text, start, length) == 0 ? text + length : NULL;
}

static bool ends_in(const char *text, const char *end) {
    const size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

/* " (the file has '...', of weight norm: ...)" if the parameter is saved as what it is computed from. */
static bool hint_parametrized(const wli_safetensors *file, const char *prefix, const char *name, char hint[HINT_TEXT]) {
    for (int64_t i = 0; i < wli_safetensors_count(file); i++) {
        const char *found = wli_safetensors_at(file, i)->name, *local = behind(found, prefix);
        const char *old = behind(local, name), *new = behind(behind(local, "parametrizations."), name);
        const bool is_old = old && (strcmp(old, "_g") == 0 || strcmp(old, "_v") == 0);
        char shown[NAME_TEXT];
        if (!is_old && !behind(new, ".original")) continue;
        snprintf(hint, HINT_TEXT, " (the file has '%s', of weight norm: before saving, torch.nn.utils.%s)",
                 wli_printable(found, strlen(found), shown, sizeof shown),
                 is_old ? "remove_weight_norm" : "parametrize.remove_parametrizations");
        return true;
    }
    return false;
}

/* " (the file has 'lstm.weight_ih_l0' of an nn.LSTM: load it as one)" for who asked for a cell. */
static bool hint_lstm(const wli_safetensors *file, const char *prefix, char hint[HINT_TEXT]) {
    for (int64_t i = 0; i < wli_safetensors_count(file); i++) {
        const char *found = wli_safetensors_at(file, i)->name, *local = behind(found, prefix);
        char shown[NAME_TEXT];
        if (!local || strcmp(local, of_lstm) != 0) continue;
        snprintf(hint, HINT_TEXT, " (the file has '%s' of an nn.LSTM: load it as one)",
                 wli_printable(found, strlen(found), shown, sizeof shown));
        return true;
    }
    return false;
}

/* Behind which prefixes there is something with this ending, only the one that lacked its dot if that is there. The first such name, or
 * NULL. */
static const char *list_prefixes(const wli_safetensors *file, const char *prefix, const char *ending,
                                 name_list *prefixes) {
    const char *first = NULL;
    bool lacks_dot = false;
    *prefixes = (name_list){ 0 };
    for (int64_t i = 0; i < wli_safetensors_count(file) && !lacks_dot; i++) {
        const char *name = wli_safetensors_at(file, i)->name, *rest = behind(behind(name, prefix), ".");
        if (!ends_in(name, ending)) continue;
        lacks_dot = rest && strcmp(rest, ending) == 0;
        if (lacks_dot) *prefixes = (name_list){ 0 };
        if (prefixes->count == 0) first = name;
        add_name(prefixes, name, strlen(name) - strlen(ending), '"');
    }
    return first;
}

/* " (the file has 'lstm.weight_ih_l0': prefix "lstm."?)" if there are modules with other prefixes. */
static bool hint_prefix(const wli_safetensors *file, const char *prefix, const char *ending, const char *whose,
                        char hint[HINT_TEXT]) {
    name_list prefixes;
    char shown[NAME_TEXT];
    const char *first = list_prefixes(file, prefix, ending, &prefixes);
    if (!first) return false;
    if (prefixes.count == 1)
        snprintf(hint, HINT_TEXT, " (the file has '%s'%s: prefix %s?)",
                 wli_printable(first, strlen(first), shown, sizeof shown), whose, list_text(&prefixes));
    else
        snprintf(hint, HINT_TEXT, " (the file has '%s'%s with prefix %s)", ending, whose, list_text(&prefixes));
    return true;
}

/* " (the file has 'a', 'b')", those first that end as `name` does, or it as they do. */
static void hint_names(const wli_safetensors *file, const char *name, char hint[HINT_TEXT]) {
    name_list near = { 0 }, all = { 0 };
    for (int64_t i = 0; i < wli_safetensors_count(file); i++) {
        const char *found = wli_safetensors_at(file, i)->name;
        if (ends_in(found, name) || ends_in(name, found)) add_name(&near, found, strlen(found), '\'');
        add_name(&all, found, strlen(found), '\'');
    }
    snprintf(hint, HINT_TEXT, " (the file has %s)",
             all.count == 0 ? "no tensors" : list_text(near.count ? &near : &all));
}

static wlstm_status missing(const char *path, const char *prefix, const char *name, const char *hint) {
    char prefix_shown[NAME_TEXT], shown[NAME_TEXT];
    return wli_fail(WLSTM_ERROR_MISSING, "%s: tensor '%s%s' expected, got none of that name%s", path,
                    wli_printable(prefix, strlen(prefix), prefix_shown, sizeof prefix_shown),
                    wli_printable(name, strlen(name), shown, sizeof shown), hint);
}

wlstm_status wli_missing_module(const char *path, const wli_safetensors *file, const char *prefix, bool as_cell) {
    const char *wanted = as_cell ? of_cell : of_lstm, *other = as_cell ? of_lstm : of_cell;
    char hint[HINT_TEXT];
    if (!hint_parametrized(file, prefix, wanted, hint) && !(as_cell && hint_lstm(file, prefix, hint)) &&
        !hint_prefix(file, prefix, wanted, "", hint) &&
        !hint_prefix(file, prefix, other, as_cell ? " of an nn.LSTM" : " of an nn.LSTMCell", hint))
        hint_names(file, wanted, hint);
    return missing(path, prefix, wanted, hint);
}

wlstm_status wli_missing_parameter(const char *path, const wli_safetensors *file, const char *prefix,
                                   const char *name) {
    char hint[HINT_TEXT] = "";
    hint_parametrized(file, prefix, name, hint);
    return missing(path, prefix, name, hint);
}

wlstm_status wli_missing_tensor(const char *path, const wli_safetensors *file, const char *name) {
    char hint[HINT_TEXT];
    hint_names(file, name, hint);
    return missing(path, "", name, hint);
}

#include "plan/problem.h"

#include "base/allocator.h"
#include "base/number.h"
#include "base/precision.h"
#include "base/status.h"
#include "model/call.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A letter and a positive integer at *text, which moves past them. No size that runs is larger than 2^40. */
static wlstm_status parse_size(const char *name, const char **text, char letter, const char *meaning, int64_t *value) {
    const char *digit = *text + 1;
    if (**text != letter)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "problem \"%s\": '%c' and the %s expected at \"%s\"", name,
                        letter, meaning, *text);
    if (*digit < '1' || *digit > '9')
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "problem \"%s\": %s: a positive integer without leading zeros expected at \"%s\"", name,
                        meaning, digit);
    if (!wli_take_integer(&digit, 1, WLI_LARGEST_SIZE, value))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "problem \"%s\": %s: at most 2^40 expected at \"%s\"", name,
                        meaning, digit);
    *text = digit;
    return WLSTM_OK;
}

/* Whether the suffix is next; *text moves past it. */
static bool take_suffix(const char **text, const char *suffix) {
    size_t length = strlen(suffix);
    char after = strncmp(*text, suffix, length) == 0 ? (*text)[length] : '?';
    if (after != '\0' && after != '-') return false;
    *text += length;
    return true;
}

/* What a model and a call of such sizes are refused for. */
static wlstm_status check_sizes(const char *name, const wli_problem *p) {
    const int64_t R = p->proj_size ? p->proj_size : p->hidden_size,
                  below = p->num_layers > 1 && p->bidirectional ? 2 * R : R;
    size_t bytes;
    if (p->proj_size >= p->hidden_size)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "problem \"%s\": proj_size: less than the hidden_size %" PRId64 " expected, got %" PRId64, name,
                        p->hidden_size, p->proj_size);
    if (p->seq_len > WLI_LARGEST_ROWS / p->batch)
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT,
                        "problem \"%s\": seq_len * batch: at most 2^40 expected, got %" PRId64 " * %" PRId64, name,
                        p->seq_len, p->batch);
    if (!wli_size_product(4 * p->hidden_size, p->input_size > below ? p->input_size : below,
                          (int64_t)wli_dtype_size(p->dtype), &bytes))
        return wli_fail(WLSTM_ERROR_INVALID_ARGUMENT, "problem \"%s\": weights below 2^64 bytes expected", name);
    return WLSTM_OK;
}

wlstm_status wli_problem_parse(const char *name, wli_problem *problem) {
    const char *text = name;
    wlstm_status status;
    *problem = (wli_problem){ .dtype = WLSTM_F32, .precision = WLSTM_PRECISION_FULL };
    if ((status = parse_size(name, &text, 't', "seq_len", &problem->seq_len)) != WLSTM_OK ||
        (status = parse_size(name, &text, 'b', "batch", &problem->batch)) != WLSTM_OK ||
        (status = parse_size(name, &text, 'i', "input_size", &problem->input_size)) != WLSTM_OK ||
        (status = parse_size(name, &text, 'h', "hidden_size", &problem->hidden_size)) != WLSTM_OK ||
        (status = parse_size(name, &text, 'l', "num_layers", &problem->num_layers)) != WLSTM_OK ||
        (*text == 'p' && (status = parse_size(name, &text, 'p', "proj_size", &problem->proj_size)) != WLSTM_OK))
        return status;
    problem->bidirectional = take_suffix(&text, "-bi");
    problem->bias = !take_suffix(&text, "-nobias");
    for (wlstm_dtype dtype = WLSTM_F64; dtype <= WLSTM_BF16 && problem->dtype == WLSTM_F32; dtype++)
        if (take_suffix(&text, wli_numbers[dtype].problem)) problem->dtype = dtype;
    if (problem->dtype == WLSTM_F32 && take_suffix(&text, "-bf16"))
        problem->precision = WLSTM_PRECISION_BF16;
    else if (problem->dtype != WLSTM_F64 && take_suffix(&text, "-int8"))
        problem->precision = WLSTM_PRECISION_INT8;
    if (*text != '\0')
        return wli_fail(
            WLSTM_ERROR_INVALID_ARGUMENT,
            "problem \"%s\": the end or [p<proj_size>][-bi][-nobias][-f64|-bf16|[-bf16arrays][-int8]] in this order "
            "expected at \"%s\"",
            name, text);
    return check_sizes(name, problem);
}

static const char train[] = "train/";

wlstm_status wli_problem_parse_entry(const char *name, wli_problem *problem) {
    const bool training = strncmp(name, train, strlen(train)) == 0;
    const wlstm_status status = wli_problem_parse(training ? name + strlen(train) : name, problem);
    problem->training = training;
    return status;
}

void wli_problem_format(const wli_problem *problem, char name[WLI_PROBLEM_NAME_BYTES]) {
    const bool rounds = problem->precision > WLSTM_PRECISION_FULL;
    char proj[24] = "";
    if (problem->proj_size) snprintf(proj, sizeof proj, "p%" PRId64, problem->proj_size);
    snprintf(name, WLI_PROBLEM_NAME_BYTES, "%st%" PRId64 "b%" PRId64 "i%" PRId64 "h%" PRId64 "l%" PRId64 "%s%s%s%s%s%s",
             problem->training ? train : "", problem->seq_len, problem->batch, problem->input_size,
             problem->hidden_size, problem->num_layers, proj, problem->bidirectional ? "-bi" : "",
             problem->bias ? "" : "-nobias", wli_numbers[problem->dtype].problem, rounds ? "-" : "",
             rounds ? wli_precision_names[problem->precision] : "");
}

wlstm_lstm_config wli_problem_config(const wli_problem *problem) {
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    config.input_size = problem->input_size, config.hidden_size = problem->hidden_size;
    config.num_layers = problem->num_layers, config.proj_size = problem->proj_size;
    config.bidirectional = problem->bidirectional, config.bias = problem->bias;
    config.dtype = problem->dtype;
    return config;
}

bool wli_problem_of(const wli_model *model, wlstm_precision precision, int64_t seq_len, int64_t batch,
                    wli_problem *problem) {
    const wli_cell_weights *first = &model->cells[0];
    *problem = (wli_problem){ seq_len,
                              batch,
                              first->input_size,
                              first->hidden_size,
                              model->num_layers,
                              first->proj_size,
                              model->num_directions == 2,
                              model->bias,
                              model->dtype,
                              precision ? precision : WLSTM_PRECISION_FULL,
                              false };
    for (int64_t i = 1; i < model->num_layers * model->num_directions; i++)
        if (model->cells[i].hidden_size != first->hidden_size) return false;
    return true;
}

double wli_problem_flops(const wli_problem *problem) {
    double H = (double)problem->hidden_size, P = (double)problem->proj_size, R = P > 0 ? P : H;
    double D = problem->bidirectional ? 2 : 1, I = (double)problem->input_size;
    double layers = 8 * H * (I + R) + 2 * H * P + ((double)problem->num_layers - 1) * (8 * H * (D * R + R) + 2 * H * P);
    return (double)problem->seq_len * (double)problem->batch * D * layers;
}

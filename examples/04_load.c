/* Loads an nn.LSTM that PyTorch saved (safetensors.torch.save_file(model.state_dict(), path)), runs it, and computes the same
 * with the equations as they stand in PyTorch's documentation, from the parameters by PyTorch's names.
 *
 *     04_load examples/demo/model.safetensors */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <wavelstm.h>

enum { SEQ_LEN = 12, INPUT_SIZE = 4, LARGEST = 64 };

static float x[SEQ_LEN][INPUT_SIZE]; /* batch 1 */

static void check(wlstm_status status) {
    if (status == WLSTM_OK) return;
    fprintf(stderr, "%s\n", wlstm_last_error());
    exit(1);
}

/* A parameter of layer `layer`, as in "weight_ih_l0"; the caller frees it. */
static float *parameter(const wlstm_lstm *lstm, const char *name, int layer, int64_t count) {
    float *values = malloc((size_t)count * sizeof *values);
    char full_name[32];
    snprintf(full_name, sizeof full_name, "%s_l%d", name, layer);
    if (!values) exit(1);
    check(wlstm_lstm_get_parameter(lstm, full_name, values, count));
    return values;
}

static double sigmoid(double z) {
    return 1 / (1 + exp(-z));
}

/* One layer over all times: `rows` holds its input, width wide, and then its h, H wide. */
static void layer_by_hand(const wlstm_lstm *lstm, int layer, int width, int H, double rows[SEQ_LEN][LARGEST]) {
    float *w_ih = parameter(lstm, "weight_ih", layer, 4 * H * width), *b_ih = parameter(lstm, "bias_ih", layer, 4 * H);
    float *w_hh = parameter(lstm, "weight_hh", layer, 4 * H * H), *b_hh = parameter(lstm, "bias_hh", layer, 4 * H);
    double h[LARGEST] = { 0 }, c[LARGEST] = { 0 }, gates[4 * LARGEST]; /* i, f, g, o */
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int j = 0; j < 4 * H; ++j) {
            gates[j] = (double)b_ih[j] + (double)b_hh[j];
            for (int k = 0; k < width; ++k) gates[j] += (double)w_ih[j * width + k] * rows[t][k];
            for (int k = 0; k < H; ++k) gates[j] += (double)w_hh[j * H + k] * h[k];
        }
        for (int u = 0; u < H; ++u) {
            c[u] = sigmoid(gates[H + u]) * c[u] + sigmoid(gates[u]) * tanh(gates[2 * H + u]);
            h[u] = rows[t][u] = sigmoid(gates[3 * H + u]) * tanh(c[u]);
        }
    }
    free(w_ih), free(w_hh), free(b_ih), free(b_hh);
}

int main(int argc, char **argv) {
    if (argc != 2) return fprintf(stderr, "usage: 04_load MODEL.safetensors\n"), 2;
    wlstm_load_options options = WLSTM_LOAD_OPTIONS_INIT;
    options.prefix = "lstm."; /* the model's other tensors, here a linear head's, are left alone */
    wlstm_lstm *lstm;
    check(wlstm_lstm_load(argv[1], &options, &lstm));

    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    check(wlstm_lstm_get_config(lstm, &config)); /* read from the tensors' names and shapes */
    const int H = (int)config.hidden_size, layers = (int)config.num_layers;
    printf("nn.LSTM(%d, %d, num_layers=%d)\n", (int)config.input_size, H, layers);
    if (config.input_size != INPUT_SIZE || H > LARGEST || config.dtype != WLSTM_F32 || config.bidirectional ||
        config.proj_size || !config.bias)
        return fprintf(stderr, "the demo's model expected\n"), 1;

    double rows[SEQ_LEN][LARGEST];
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int i = 0; i < INPUT_SIZE; ++i) rows[t][i] = (double)(x[t][i] = sinf((float)(t * 31 + i)));
    }
    float *out = malloc((size_t)(SEQ_LEN * H) * sizeof *out);
    if (!out) return 1;
    check(wlstm_forward(lstm, SEQ_LEN, 1, NULL, x, NULL, NULL, out, NULL, NULL));

    for (int l = 0; l < layers; ++l) layer_by_hand(lstm, l, l == 0 ? INPUT_SIZE : H, H, rows);
    double largest = 0;
    for (int t = 0; t < SEQ_LEN; ++t) {
        for (int u = 0; u < H; ++u) largest = fmax(largest, fabs(rows[t][u] - (double)out[t * H + u]));
    }
    printf("out[%d][0][0] = %.6f, largest difference from the equations %.1e\n", SEQ_LEN - 1,
           (double)out[(SEQ_LEN - 1) * H], largest);
    free(out);
    wlstm_lstm_free(lstm);
    return largest < 1e-5 ? 0 : 1;
}

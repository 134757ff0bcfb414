/* A program outside the tree: h after three steps of an LSTM made on the spot. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <wavelstm.h>

enum { T = 3, B = 2, I = 5, H = 4 };

int main(void) {
    float x[T * B * I], out[T * B * H], h_n[B * H];
    wlstm_lstm_config config = WLSTM_LSTM_CONFIG_INIT;
    wlstm_lstm *lstm;
    for (int i = 0; i < T * B * I; i++) x[i] = i % 7 < 3 ? 0.5f : -0.25f;
    config.input_size = I, config.hidden_size = H;
    if (wlstm_lstm_create(&config, &lstm) != WLSTM_OK ||
        wlstm_forward(lstm, T, B, NULL, x, NULL, NULL, out, h_n, NULL) != WLSTM_OK) {
        fprintf(stderr, "%s\n", wlstm_last_error());
        return 1;
    }
    wlstm_lstm_free(lstm);
    if (memcmp(h_n, out + (T - 1) * B * H, sizeof h_n) != 0 || !isfinite(h_n[0]) || h_n[0] == 0.0f ||
        strcmp(wlstm_version(), WLSTM_VERSION_STRING) != 0)
        return fprintf(stderr, "wrong result\n"), 1;
    printf("h_n[0] = %.6f by wavelstm %s\n", h_n[0], wlstm_version());
    return 0;
}

// 01_lstm in C++17: a plan executes nn.LSTM(100, 20, num_layers=4) on x [10, 3, 100], as one sequence and step by step.
// wavelstm.hpp frees what it made, checks the sizes of arrays and throws what C reports by a status.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <wavelstm.hpp>

constexpr int seq_len = 10, batch = 3, input_size = 100, hidden_size = 20, num_layers = 4;

// The largest difference between what a step-by-step run gives and `out`.
static float step_by_step_difference(wavelstm::plan &plan, const std::vector<float> &x, const std::vector<float> &out) {
    std::vector<float> h(num_layers * batch * hidden_size), c(h.size()), step_out(batch * hidden_size); // zeros
    float largest = 0;
    for (std::size_t t = 0; t < seq_len; ++t) {
        const wavelstm::span<const float> x_t(x.data() + t * batch * input_size, batch * input_size);
        plan.execute(1, batch, x_t, step_out, { h, c, h, c }); // the new states take the old ones' place
        for (std::size_t i = 0; i < step_out.size(); ++i)
            largest = std::max(largest, std::abs(step_out[i] - out[t * step_out.size() + i]));
    }
    return largest;
}

// An array that is too short is an exception, not a crash.
static bool short_array_throws(const wavelstm::lstm &lstm, const std::vector<float> &x) {
    std::vector<float> out(batch * hidden_size);
    try {
        lstm.forward(seq_len, batch, x, out);
    } catch (const wavelstm::error &failure) {
        std::printf("thrown: %s (%s)\n", failure.what(), wavelstm::status_string(failure.code()));
        return failure.code() == WLSTM_ERROR_INVALID_ARGUMENT;
    }
    return false;
}

int main() try {
    wavelstm::lstm_config config; // PyTorch's defaults
    config.input_size = input_size;
    config.hidden_size = hidden_size;
    config.num_layers = num_layers;
    const wavelstm::lstm lstm(config); // random parameters; wavelstm::lstm::load takes trained ones from a file

    std::vector<float> x(seq_len * batch * input_size), out(seq_len * batch * hidden_size);
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));

    wavelstm::plan_options options;
    options.max_seq_len = seq_len;
    options.max_batch = batch;
    wavelstm::plan plan(lstm, options); // it would stay usable if the lstm went first
    plan.execute(seq_len, batch, x, out);
    std::printf("%s\nout[9][0][0] = %.6f\n", plan.describe(), double(out[9 * batch * hidden_size]));

    const bool same = step_by_step_difference(plan, x, out) < 1e-5f;
    std::printf("step by step: %s\n", same ? "the same" : "different");
    return same && short_array_throws(lstm, x) ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception &failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return EXIT_FAILURE;
}

// wavelstm.hpp: each function reaches its C function with the right arguments, wrong arrays throw, and all is freed.
//     test_cpp SCRATCH-FOLDER
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <wavelstm.hpp>
#if __cplusplus >= 202002L
#include <span>
static_assert(std::is_convertible_v<std::span<const float>, wavelstm::span<const float>>);
#endif

using wavelstm::cell, wavelstm::lstm, wavelstm::plan, wavelstm::span, wavelstm::streams;

static_assert(std::is_convertible_v<std::vector<float> &, span<const float>>);
static_assert(std::is_convertible_v<const std::array<float, 3> &, span<const float>>);
static_assert(std::is_convertible_v<float (&)[3], span<float>>);
static_assert(!std::is_convertible_v<const std::vector<float> &, span<float>>);
static_assert(!std::is_convertible_v<std::vector<double> &, span<float>>);
static_assert(std::is_move_constructible_v<lstm> && !std::is_copy_constructible_v<lstm>);
static_assert(std::is_move_assignable_v<plan> && !std::is_copy_assignable_v<plan>);

#define REQUIRE(condition) require(condition, #condition, __LINE__)
static void require(bool holds, const char *condition, int line) {
    if (holds) return;
    std::fprintf(stderr, "test_cpp.cc:%d: %s\n", line, condition);
    std::exit(1);
}

// The failure that `act` throws must have this status and this text.
static void require_throws(wlstm_status code, const std::string &text, const std::function<void()> &act) {
    try {
        act();
    } catch (const wavelstm::error &failure) {
        if (failure.code() == code && std::string(failure.what()).find(text) != std::string::npos) return;
        std::fprintf(stderr, "%s expected, got %s\n", text.c_str(), failure.what());
        std::exit(1);
    }
    std::fprintf(stderr, "%s expected, nothing was thrown\n", text.c_str());
    std::exit(1);
}

template <class Real> static std::vector<Real> waves(std::size_t size) {
    std::vector<Real> values(size);
    for (std::size_t i = 0; i < size; i++) values[i] = std::sin(Real(i));
    return values;
}

template <class Real> static bool near(const std::vector<Real> &a, const std::vector<Real> &b) {
    for (std::size_t i = 0; i < a.size(); i++)
        if (!(std::abs(a[i] - b[i]) <= Real(1e-6))) return false;
    return a.size() == b.size() && !a.empty();
}

enum { T = 4, B = 3, I = 5, H = 7 };

static wavelstm::lstm_config sizes(wlstm_dtype dtype) {
    wavelstm::lstm_config config;
    config.input_size = I;
    config.hidden_size = H;
    config.num_layers = 2;
    config.bidirectional = 1;
    config.proj_size = 3;
    config.dtype = dtype;
    return config;
}

// Two halves of the sequence, by a plan, are the whole, by the lstm; the parameters travel by name and by file.
template <class Real> static void test_lstm(wlstm_dtype dtype, const std::string &folder) {
    wavelstm::lstm_config config = sizes(dtype);
    config.bidirectional = 0;
    lstm first(config);
    first.reset_parameters(42);
    REQUIRE(first.config().proj_size == 3 && first.config().num_layers == 2 && first.config().dtype == dtype);
    const auto parameters = first.parameters();
    REQUIRE(parameters.size() == 10 && parameters[0].name == "weight_ih_l0" && parameters[2].name == "bias_ih_l0");
    REQUIRE((parameters[0].shape == std::vector<std::int64_t>{ 4 * H, I } && parameters[2].shape.size() == 1));

    lstm second(config);
    for (const auto &p : parameters) {
        std::vector<Real> values(std::size_t(p.shape[0] * (p.shape.size() == 2 ? p.shape[1] : 1)));
        first.get_parameter(p.name, values);
        second.set_parameter(p.name, values);
    }
    const std::string path = folder + "/lstm.safetensors";
    second.save(path, "encoder.");
    wavelstm::load_options load;
    load.prefix = "encoder.";
    lstm third = lstm::load(path, load);
    std::remove(path.c_str());

    const auto x = waves<Real>(T * B * I);
    std::vector<Real> out(T * B * 3), halves(out.size()), h_n(2 * B * 3), c_n(2 * B * H), h(h_n.size()), c(c_n.size());
    first.forward(T, B, x, out, { {}, {}, h_n, c_n });

    wavelstm::plan_options options;
    options.max_seq_len = T;
    options.max_batch = B;
    plan way(third, options);
    third = lstm(config); // the plan keeps what it needs
    const std::size_t half_x = x.size() / 2, half_out = out.size() / 2;
    way.execute(T / 2, B, { x.data(), half_x }, span<Real>{ halves.data(), half_out }, { h, c, h, c });
    way.execute(T / 2, B, { x.data() + half_x, half_x }, span<Real>{ halves.data() + half_out, half_out },
                { h, c, h, c });
    REQUIRE(near(out, halves) && near(h_n, h) && near(c_n, c));
    REQUIRE(std::string(way.describe()).rfind("t4b3i5h7l2p3", 0) == 0);
    REQUIRE(way.memory().weights > 0 && way.memory().scratch > 0);

    // A short row is as if it were alone; a batch of none is none.
    const std::vector<std::int64_t> lengths{ T, 2, 1 };
    first.forward(T, B, x, halves, {}, lengths);
    REQUIRE(std::abs(halves[0] - out[0]) <= Real(1e-6) && std::abs(halves[(1 * B + 2) * 3]) <= 0);
    first.forward(T, 0, span<const Real>(), span<Real>());
    // The same rows without their padding.
    const std::vector<std::int64_t> batch_sizes{ 3, 2, 1, 1 };
    std::vector<Real> packed_x, packed(7 * 3), by_plan(packed.size()), expected;
    for (std::int64_t t = 0; t < T; t++)
        for (std::int64_t b = 0; b < batch_sizes[std::size_t(t)]; b++) {
            packed_x.insert(packed_x.end(), &x[std::size_t((t * B + b) * I)], &x[std::size_t((t * B + b) * I)] + I);
            expected.insert(expected.end(), &halves[std::size_t((t * B + b) * 3)],
                            &halves[std::size_t((t * B + b) * 3)] + 3);
        }
    first.forward_packed(batch_sizes, packed_x, packed);
    way.execute_packed(batch_sizes, packed_x, by_plan);
    REQUIRE(near(packed, expected) && near(by_plan, expected));
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "x: 7 * 5 elements expected, got 60",
                   [&] { first.forward_packed(batch_sizes, x, packed); });
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT,
                   "batch_sizes[1]: at least 1 row expected, got 0; seq_len is the length of the longest", [&] {
                       const std::vector<std::int64_t> none{ 3, 0 };
                       first.forward_packed(none, x, packed);
                   });
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "lengths: 3 * 1 elements expected, got 2", [&] {
        first.forward(T, B, x, out, {}, { lengths.data(), 2 });
    });
}

// Forward as the lstm's, back and onto tapes, parameters by name, in one array and by file.
template <class Real> static void test_trainer(wlstm_dtype dtype, const std::string &folder) {
    wavelstm::lstm_config config = sizes(dtype);
    config.dropout = 0.5;
    lstm first(config);
    wavelstm::trainer_options options;
    options.max_seq_len = T;
    options.max_batch = B;
    options.effort = WLSTM_EFFORT_MEASURE;
    wavelstm::trainer trainer(first, options);
    const auto x = waves<Real>(T * B * I);
    std::vector<Real> out(T * B * 6), expected(out.size()), d_x(x.size()), d_h(2 * 2 * B * 3), d_c(2 * 2 * B * H);
    first.forward(T, B, x, expected);
    wavelstm::dropout_pass without;
    without.training = false;
    trainer.forward(T, B, x, out, {}, {}, without);
    REQUIRE(near(out, expected));
    trainer.backward(wavelstm::gradients<Real>{ out, d_h, d_c, d_x, d_h, d_c });
    REQUIRE(std::abs(d_x[0]) > 0 && std::abs(d_h[0]) > 0 && std::abs(d_c[0]) > 0);
    const auto gradients = trainer.gradients_of_parameters<Real>();
    std::vector<Real> once(gradients.begin(), gradients.end()), twice(once);
    REQUIRE(gradients.size() == trainer.parameters<Real>().size() && std::abs(once[0]) > 0);

    std::int64_t told = 0;
    trainer.watch_gradients(
        [](void *sum, wlstm_dtype, void *, std::int64_t count) { *static_cast<std::int64_t *>(sum) += count; }, &told);
    trainer.forward(T, B, x, out, {}, {}, without);
    trainer.backward(wavelstm::gradients<Real>{ out });
    trainer.watch_gradients(nullptr);
    REQUIRE(told == std::int64_t(gradients.size()));
    wavelstm::tape kept(trainer, T, B);
    trainer.forward(T, B, x, out, {}, {}, without, &kept);
    trainer.backward(wavelstm::gradients<Real>{ out }, true, &kept);
    REQUIRE(gradients[0] != once[0]);
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "used up",
                   [&] { trainer.backward(wavelstm::gradients<Real>{ out }, true, &kept); });
    wavelstm::tape short_one(trainer, T - 1, B);
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "tape: one made for as many steps and rows expected",
                   [&] { trainer.forward(T, B, x, out, {}, {}, without, &short_one); });
    // Packed rows, whose gradients are packed too.
    const std::vector<std::int64_t> batch_sizes{ 3, 2, 1, 1 };
    const std::vector<Real> packed_x(x.begin(), x.begin() + 7 * I);
    std::vector<Real> packed(7 * 6), of_lstm(packed.size()), d_packed(packed_x.size());
    first.forward_packed(batch_sizes, packed_x, of_lstm);
    trainer.forward_packed(batch_sizes, packed_x, packed, {}, without, &kept);
    REQUIRE(near(packed, of_lstm));
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "d_out: 7 * 6 elements expected, got 72",
                   [&] { trainer.backward(wavelstm::gradients<Real>{ out }, false, &kept); });
    trainer.backward(wavelstm::gradients<Real>{ packed, {}, {}, d_packed }, false, &kept);
    REQUIRE(std::abs(d_packed.back()) > 0);
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "tape: one made for as many steps and rows expected",
                   [&] { trainer.forward_packed(batch_sizes, packed_x, packed, {}, without, &short_one); });
    trainer.forward(T, B, x, out);
    const auto mask = trainer.dropout_mask<Real>(0);
    REQUIRE(mask.size() == T * B * 6 && (mask[0] == 0 || mask[0] == 2));

    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "d_out: 12 * 6 elements expected, got 1", [&] {
        trainer.backward(wavelstm::gradients<Real>{ { out.data(), 1 } });
    });
    REQUIRE(trainer.clip_gradients(1e-3) > 1e-3 && trainer.clip_gradients(1) <= 1.001e-3);
    wavelstm::optimizer adamw;
    adamw.kind = WLSTM_OPTIMIZER_ADAMW;
    trainer.update(adamw);
    trainer.zero_gradients();
    REQUIRE(gradients[0] == 0);
    const std::string path = folder + "/trainer.safetensors";
    trainer.save(path);
    wavelstm::trainer resumed(first, options);
    resumed.load(path);
    std::remove(path.c_str());
    std::vector<Real> values(4 * H), same(4 * H);
    trainer.get_parameter("bias_ih_l1", values);
    resumed.get_parameter("bias_ih_l1", same);
    REQUIRE(values == same);
    values[0] = 3;
    resumed.set_parameter("bias_ih_l1", values);
    resumed.copy_to(first);
    first.get_parameter("bias_ih_l1", span<Real>(same));
    REQUIRE(values == same && resumed.memory().trainer > 0 && resumed.memory().tape > 0);
}

// An lstm's and a cell's precision, and a plan's that goes before.
static void test_precision() {
    wavelstm::lstm_config config;
    config.input_size = I;
    config.hidden_size = H;
    lstm owner(config);
    wavelstm::plan_options options;
    options.max_seq_len = T;
    options.max_batch = B;
    owner.set_precision(WLSTM_PRECISION_INT8);
    REQUIRE(std::string(plan(owner, options).describe()).find("-int8: ") != std::string::npos);
    options.precision = WLSTM_PRECISION_FULL;
    options.schedule = WLSTM_SCHEDULE_SERIAL;
    REQUIRE(std::string(plan(owner, options).describe()).find("-int8: ") == std::string::npos);
    wavelstm::cell_config of_cell;
    of_cell.input_size = I;
    of_cell.hidden_size = H;
    of_cell.dtype = WLSTM_F64;
    require_throws(WLSTM_ERROR_UNSUPPORTED, "precision: default or full expected with parameters of f64, got bf16",
                   [&] { cell(of_cell).set_precision(WLSTM_PRECISION_BF16); });
}

// Arrays of bfloat16 beside those of float: near, and not mixed up with them.
static void test_bfloat16() {
    using wavelstm::bfloat16;
    REQUIRE(bfloat16(1 + 0x1p-8F).bits == 0x3f80 && bfloat16(1 + 0x1.8p-7F).bits == 0x3f82);
    REQUIRE(float(bfloat16(-0.5F)) == -0.5F && float(bfloat16(NAN)) != float(bfloat16(NAN)));
    wavelstm::lstm_config config;
    config.input_size = I;
    config.hidden_size = H;
    const lstm whole(config);
    config.dtype = WLSTM_BF16;
    lstm narrow(config);
    for (const wavelstm::parameter &p : whole.parameters()) {
        std::vector<float> values(std::size_t(p.shape[0] * (p.shape.size() > 1 ? p.shape[1] : 1)));
        whole.get_parameter(p.name, values);
        std::vector<bfloat16> halves, again(values.size());
        for (const float value : values) halves.emplace_back(value);
        narrow.set_parameter(p.name, halves);
        narrow.get_parameter(p.name, again);
        REQUIRE(again == halves);
    }
    const auto x = waves<float>(T * B * I);
    std::vector<float> out(T * B * H), h_n(B * H), c_n(B * H);
    std::vector<bfloat16> x16, out16(out.size()), planned(out.size()), h16(B * H), c16(B * H);
    for (const float value : x) x16.emplace_back(value);
    whole.forward(T, B, x, out, { {}, {}, h_n, c_n });
    narrow.forward(T, B, x16, out16, { {}, {}, h16, c16 });
    for (std::size_t k = 0; k < out.size(); k++) REQUIRE(std::abs(float(out16[k]) - out[k]) < 0.02F);
    for (std::size_t k = 0; k < h_n.size(); k++) REQUIRE(h16[k] == out16[out.size() - h_n.size() + k]);
    wavelstm::plan_options options;
    options.max_seq_len = T;
    options.max_batch = B;
    plan(narrow, options).execute(T, B, x16, planned);
    REQUIRE(planned == out16);
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "dtype: bfloat16 expected, got float",
                   [&] { narrow.forward(T, B, x, out); });
    wavelstm::cell_config of_cell;
    of_cell.input_size = I;
    of_cell.hidden_size = H;
    of_cell.dtype = WLSTM_BF16;
    const cell step(of_cell);
    step.forward(B, { x16.data(), B * I }, h16, c16, h16, c16);
    wavelstm::streams_options one;
    one.max_streams = 1;
    streams all(narrow, one);
    const std::vector<std::int64_t> ids{ all.open() };
    const std::vector<bfloat16> x_first(x16.begin(), x16.begin() + I);
    std::vector<bfloat16> out_first(H), expected(H), h_first(H), c_first(H);
    all.step(ids, x_first, out_first);
    narrow.forward(1, 1, x_first, expected);
    all.get_state(ids[0], h_first, c_first);
    REQUIRE(out_first == expected && h_first == expected);
    all.set_state(ids[0], h_first, c_first);
    all.run(ids, 1, x_first, out_first);
    require_throws(WLSTM_ERROR_UNSUPPORTED, "lstm: f32 or f64 parameters expected", [&] {
        wavelstm::trainer_options training;
        training.max_seq_len = training.max_batch = 1;
        wavelstm::trainer(narrow, training);
    });
}

// An lstm without its parameters, by a load and in place.
static void test_compact(const std::string &folder) {
    const std::string path = folder + "/compact.safetensors";
    lstm owner(sizes(WLSTM_F32));
    const auto x = waves<float>(T * B * I);
    std::vector<float> out(T * B * 6), expected(out.size());
    owner.save(path);
    owner.set_precision(WLSTM_PRECISION_INT8);
    owner.forward(T, B, x, expected);
    wavelstm::load_options options;
    options.batch_first = owner.config().batch_first;
    options.compact = 1;
    options.precision = WLSTM_PRECISION_INT8;
    const lstm loaded = lstm::load(path, options);
    std::remove(path.c_str());
    loaded.forward(T, B, x, out);
    REQUIRE(out == expected);
    owner.compact();
    owner.forward(T, B, x, out);
    REQUIRE(out == expected);
    require_throws(WLSTM_ERROR_UNSUPPORTED, "got a compact one", [&] { owner.save(path); });
    wavelstm::cell_config config;
    config.input_size = config.hidden_size = H;
    cell step(config);
    step.compact();
    require_throws(WLSTM_ERROR_UNSUPPORTED, "got a compact one", [&] { step.reset_parameters(1); });
}

// The upper layers of a file.
static void test_layers(const std::string &folder) {
    const std::string path = folder + "/layers.safetensors";
    const lstm whole(sizes(WLSTM_F32));
    whole.save(path);
    wavelstm::load_options options;
    options.first_layer = 1;
    const lstm upper = lstm::load(path, options);
    REQUIRE(upper.config().num_layers == whole.config().num_layers - 1);
    options.num_layers = 99;
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "num_layers: 0 (all) to ", [&] { lstm::load(path, options); });
    std::remove(path.c_str());
}

// Any tensor by its name, in either type.
template <class Real> static void test_read_tensor(const std::string &folder) {
    const std::string path = folder + "/tensors.safetensors";
    const lstm owner(sizes(WLSTM_F32));
    owner.save(path, "encoder.");
    std::vector<float> values(4 * H * I);
    owner.get_parameter("weight_ih_l0", values);
    const wavelstm::tensor<Real> read = wavelstm::read_tensor<Real>(path, "encoder.weight_ih_l0");
    REQUIRE((read.shape == std::vector<std::int64_t>{ 4 * H, I }));
    REQUIRE(read.values == std::vector<Real>(values.begin(), values.end()));
    require_throws(WLSTM_ERROR_MISSING, "weight_ih_l0", [&] { wavelstm::read_tensor<Real>(path, "weight_ih_l0"); });
    std::remove(path.c_str());
    require_throws(WLSTM_ERROR_FILE, path, [&] { wavelstm::read_tensor<Real>(path, "encoder.weight_ih_l0"); });
}

// Streams in another order than they were opened in are each as if alone; a state travels; a closed id is none.
template <class Real> static void test_streams(wlstm_dtype dtype) {
    wavelstm::lstm_config config = sizes(dtype);
    config.bidirectional = 0;
    lstm owner(config);
    const auto x = waves<Real>(T * B * I);
    std::vector<Real> expected(T * B * 3), out(T * B * 3), h(2 * 3), c(2 * H), again(out.size());
    owner.forward(T, B, x, expected);
    wavelstm::streams_options options;
    options.max_streams = B;
    options.num_threads = 1;
    streams all(owner, options);
    std::vector<std::int64_t> ids{ all.open(), all.open(), all.open() };
    const std::size_t step_x = B * I, step_out = B * 3;
    all.step(ids, { x.data(), step_x }, span<Real>{ out.data(), step_out });
    all.get_state(ids[0], h, c);
    all.run(ids, T - 1, { x.data() + step_x, (T - 1) * step_x },
            span<Real>{ out.data() + step_out, (T - 1) * step_out });
    REQUIRE(near(out, expected));
    all.set_state(ids[2], h, c);
    all.step({ &ids[2], 1 }, { x.data() + step_x, I }, span<Real>{ again.data(), 3 });
    REQUIRE(std::abs(again[2] - expected[step_out + 2]) <= Real(1e-6));
    const std::vector<std::int64_t> lengths{ 1, 2, 1 };
    all.run(ids, 2, { x.data(), 2 * step_x }, span<Real>{ out.data(), 2 * step_out }, lengths);
    REQUIRE(std::abs(out[step_out]) <= 0 && std::abs(out[step_out + 3]) > 0);
    all.reset(ids[0]);
    all.get_state(ids[0], h, {});
    REQUIRE(h == std::vector<Real>(h.size()));
    all.close(ids[0]);
    const auto wrong = [&](const char *text, const std::function<void()> &act) {
        require_throws(WLSTM_ERROR_INVALID_ARGUMENT, text, act);
    };
    wrong("ids[0]: an open stream's expected", [&] {
        all.step(ids, { x.data(), step_x }, span<Real>{ out.data(), step_out });
    });
    wrong("x: 3 * 5 elements expected, got 60", [&] { all.step(ids, x, span<Real>{ out.data(), step_out }); });
    wrong("h: 1 * 6 elements expected, got 14", [&] { all.set_state(ids[1], c, c); });
    ids[0] = all.open();
    require_throws(WLSTM_ERROR_OUT_OF_MEMORY, "all 3 of max_streams are open", [&] { all.open(); });
    config.bidirectional = 1;
    wrong("one direction expected", [&] { streams(lstm(config), options); });
}

static void test_errors() {
    const lstm owner(sizes(WLSTM_F32));
    const auto x = waves<float>(T * B * I);
    std::vector<float> out(T * B * 6), h(4 * B * 3), c(4 * B * H);
    owner.forward(T, B, x, out, { {}, {}, h, c });
    const auto wrong = [&](const char *text, const std::function<void()> &act) {
        require_throws(WLSTM_ERROR_INVALID_ARGUMENT, text, act);
    };
    wrong("x: 12 * 5 elements expected, got 59", [&] { owner.forward(T, B, { x.data(), 59 }, out); });
    wrong("out: 12 * 6 elements expected, got 36", [&] { owner.forward(T, B, x, { out.data(), 36 }); });
    wrong("h_n: 3 * 12 elements expected, got 84", [&] { owner.forward(T, B, x, out, { {}, {}, c, {} }); });
    wrong("c_0: 3 * 28 elements expected, got 36", [&] { owner.forward(T, B, x, out, { {}, h, {}, {} }); });
    wrong("seq_len: at least 1 expected, got 0", [&] { owner.forward(0, B, x, out); });
    wrong("batch: at least 0 expected, got -1", [&] { owner.forward(T, -1, x, out); });
    std::vector<double> x64(x.begin(), x.end()), out64(out.size());
    wrong("dtype: float expected, got double", [&] { owner.forward(T, B, x64, out64); });
    wrong("dtype: float expected, got double", [&] { owner.get_parameter("bias_ih_l0", out64); });
    wrong("input_size: at least 1 expected, got 0", [] { lstm{ wavelstm::lstm_config() }; });
    require_throws(WLSTM_ERROR_MISSING, "bias_l0", [&] { owner.get_parameter("bias_l0", out); });
    require_throws(WLSTM_ERROR_FILE, "/nowhere", [] { lstm::load("/nowhere/model.safetensors"); });
    REQUIRE(std::string(wavelstm::last_error()).find("/nowhere") != std::string::npos);
    REQUIRE(std::string(wavelstm::status_string(WLSTM_ERROR_FILE)) == wlstm_status_string(WLSTM_ERROR_FILE));
}

// Unlike cells in a loop, one of them from its file, and as one lstm.
static void test_cells(const std::string &folder) {
    wavelstm::cell_config config;
    config.input_size = I;
    config.hidden_size = H;
    const cell lower(config);
    config.input_size = H;
    config.hidden_size = 2;
    cell made(config);
    made.reset_parameters(7);
    const std::string path = folder + "/cell.safetensors";
    made.save(path);
    const cell upper = cell::load(path);
    std::remove(path.c_str());
    REQUIRE(upper.config().hidden_size == 2 && upper.parameters()[1].name == "weight_hh");

    const auto x = waves<float>(T * B * I);
    std::vector<float> h(B * (H + 2)), c(h.size()), h_n(h.size()), c_n(h.size()), out(T * B * 2), loop_out;
    const span<float> h1(h.data(), B * H), c1(c.data(), B * H), h2(h.data() + B * H, B * 2),
        c2(c.data() + B * H, B * 2);
    for (std::size_t t = 0; t < T; t++) {
        lower.forward(B, { x.data() + t * B * I, B * I }, h1, c1, h1, c1);
        upper.forward(B, h1, h2, c2, h2, c2);
        loop_out.insert(loop_out.end(), h2.begin(), h2.end());
    }
    const std::array<const cell *, 2> cells{ &lower, &upper };
    const lstm stack = lstm::from_cells(cells);
    stack.forward(T, B, x, out, { {}, {}, h_n, c_n });
    REQUIRE(near(out, loop_out) && near(h, h_n) && near(c, c_n));
    require_throws(WLSTM_ERROR_INVALID_ARGUMENT, "h_out: 3 * 7 elements expected, got 6", [&] {
        lower.forward(B, { x.data(), B * I }, {}, {}, h2, c1);
    });
}

int main(int argc, char **argv) {
    REQUIRE(argc == 2);
    test_lstm<float>(WLSTM_F32, argv[1]);
    test_lstm<double>(WLSTM_F64, argv[1]);
    test_read_tensor<float>(argv[1]);
    test_read_tensor<double>(argv[1]);
    test_trainer<float>(WLSTM_F32, argv[1]);
    test_trainer<double>(WLSTM_F64, argv[1]);
    test_precision();
    test_compact(argv[1]);
    test_streams<float>(WLSTM_F32);
    test_streams<double>(WLSTM_F64);
    test_layers(argv[1]);
    test_bfloat16();
    test_errors();
    test_cells(argv[1]);
    const std::string tuned = wavelstm::plan_cache_export_text();
    wavelstm::plan_cache_import_text(tuned);
    REQUIRE(wavelstm::plan_cache_export_text() == tuned);
    REQUIRE(std::string(wavelstm::version()) == WLSTM_VERSION_STRING);
    REQUIRE(std::string(wavelstm::build_info()).find(WLSTM_VERSION_STRING) != std::string::npos);
    // Refused while any of the library's memory is in use.
    wavelstm::set_allocator([](std::size_t bytes, void *) { return std::malloc(bytes); },
                            [](void *memory, void *) { std::free(memory); }, nullptr);
    std::puts("test_cpp: passed");
}

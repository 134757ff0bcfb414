// wavelstm.h for C++17: handles that free themselves, sized views of arrays, exceptions.
//
//     #include <wavelstm.hpp>
//
//     wavelstm::lstm lstm = wavelstm::lstm::load("model.safetensors");
//     std::vector<float> x(10 * 3 * 100), out(10 * 3 * 20);   // [seq_len, batch, input_size], [seq_len, batch, hidden_size]
//     lstm.forward(10, 3, x, out);
//
// Each function does what the C function named in its comment does: wavelstm.h gives shapes, costs and thread-safety. What C
// reports by a status is thrown as wavelstm::error. The views carry their sizes, which are checked: an array of another size or of
// another type than the parameters' throws. An empty view stands for C's NULL. The enums are C's.
#ifndef WAVELSTM_HPP
#define WAVELSTM_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "wavelstm.h"

namespace wavelstm {

// A failure: code() is C's status; what() is wlstm_last_error(), in one sentence.
class error : public std::runtime_error {
  public:
    error(wlstm_status code, const std::string &message) : std::runtime_error(message), code_(code) {}
    wlstm_status code() const noexcept {
        return code_;
    }

  private:
    wlstm_status code_;
};

// `size` elements from `data` on, not owned: of a std::vector, a std::array, a C array, C++20's std::span, {pointer, size}.
template <class T> class span {
  public:
    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    template <class Container, class = std::enable_if_t<std::is_convertible_v<
                                   std::remove_pointer_t<decltype(std::declval<Container &>().data())> (*)[], T (*)[]>>>
    constexpr span(Container &&container) noexcept : data_(container.data()), size_(container.size()) {}
    constexpr T *data() const noexcept {
        return data_;
    }
    constexpr std::size_t size() const noexcept {
        return size_;
    }
    constexpr T *begin() const noexcept {
        return data_;
    }
    constexpr T *end() const noexcept {
        return data_ + size_;
    }
    constexpr T &operator[](std::size_t i) const noexcept {
        return data_[i];
    }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

// An element of WLSTM_BF16: the upper half of a float, to which it widens exactly. From a float the nearest, of two as near the
// even one.
struct bfloat16 {
    std::uint16_t bits = 0;

    bfloat16() = default;
    explicit bfloat16(float value) noexcept {
        std::uint32_t whole;
        std::memcpy(&whole, &value, sizeof whole);
        const bool nan = (whole & 0x7fffffff) > 0x7f800000;
        bits = std::uint16_t((nan ? whole | 0x400000 : whole + 0x7fff + (whole >> 16 & 1)) >> 16);
    }
    explicit operator float() const noexcept {
        const std::uint32_t whole = std::uint32_t(bits) << 16;
        float value;
        std::memcpy(&value, &whole, sizeof value);
        return value;
    }
    friend bool operator==(bfloat16 a, bfloat16 b) noexcept {
        return float(a) == float(b);
    }
};

// The config structs with PyTorch's defaults (the *_INIT macros).
struct lstm_config : wlstm_lstm_config {
    lstm_config() : wlstm_lstm_config WLSTM_LSTM_CONFIG_INIT {}
};
struct cell_config : wlstm_cell_config {
    cell_config() : wlstm_cell_config WLSTM_CELL_CONFIG_INIT {}
};
struct load_options : wlstm_load_options {
    load_options() : wlstm_load_options WLSTM_LOAD_OPTIONS_INIT {}
};
struct plan_options : wlstm_plan_options {
    plan_options() : wlstm_plan_options WLSTM_PLAN_OPTIONS_INIT {}
};
struct streams_options : wlstm_streams_options {
    streams_options() : wlstm_streams_options WLSTM_STREAMS_OPTIONS_INIT {}
};

struct trainer_options : wlstm_trainer_options {
    trainer_options() : wlstm_trainer_options WLSTM_TRAINER_OPTIONS_INIT {}
};
struct optimizer : wlstm_optimizer {
    optimizer() : wlstm_optimizer WLSTM_OPTIMIZER_INIT {}
};

// h_0 and c_0, empty for zeros; h_n and c_n, empty where they are not wanted, which may be h_0 and c_0.
template <class Real> struct states {
    span<const Real> h_0{}, c_0{};
    span<Real> h_n{}, c_n{};
};

// By out, h_n and c_n, empty for zeros; by x, h_0 and c_0, empty where they are not wanted.
template <class Real> struct gradients {
    span<const Real> d_out{}, d_h_n{}, d_c_n{};
    span<Real> d_x{}, d_h_0{}, d_c_0{};
};

// Of a training pass: whether dropout acts, and what its mask follows from.
struct dropout_pass {
    bool training = true;
    std::uint64_t seed = 0;
    std::int64_t first_row = 0;
};

struct parameter {
    std::string name;
    std::vector<std::int64_t> shape;
};

// What read_tensor gives: the elements in C order.
template <class Real> struct tensor {
    std::vector<std::int64_t> shape;
    std::vector<Real> values;
};

// wlstm_status_string, wlstm_last_error, wlstm_version, wlstm_build_info
inline const char *status_string(wlstm_status status) noexcept {
    return wlstm_status_string(status);
}
inline const char *last_error() noexcept {
    return wlstm_last_error();
}
inline const char *version() noexcept {
    return wlstm_version();
}
inline const char *build_info() noexcept {
    return wlstm_build_info();
}

namespace detail {

inline void check(wlstm_status status) {
    if (status != WLSTM_OK) throw error(status, wlstm_last_error());
}

inline void expect(bool holds, const char *what, const std::string &expected, const std::string &got) {
    if (!holds)
        throw error(WLSTM_ERROR_INVALID_ARGUMENT, std::string(what) + ": " + expected + " expected, got " + got);
}

// An empty span may have no address; C takes NULL for an array that is not there.
template <class T> T *address(span<T> array) {
    return array.size() ? array.data() : nullptr;
}

template <class Real> constexpr wlstm_dtype dtype_of() {
    constexpr bool is_float = std::is_same_v<Real, float>, is_double = std::is_same_v<Real, double>;
    static_assert(is_float || is_double || (std::is_same_v<Real, bfloat16> && sizeof(Real) == 2));
    return is_float ? WLSTM_F32 : is_double ? WLSTM_F64 : WLSTM_BF16;
}

inline void check_dtype(wlstm_dtype dtype, wlstm_dtype got) {
    static const char *const names[] = { "float", "double", "bfloat16" };
    expect(got == dtype, "dtype", names[dtype], names[got]);
}

// What C does for an lstm and for a cell under two names.
struct lstm_functions {
    using handle = wlstm_lstm;
    static constexpr auto free = wlstm_lstm_free;
    static constexpr auto load = wlstm_lstm_load;
    static constexpr auto save = wlstm_lstm_save;
    static constexpr auto reset_parameters = wlstm_lstm_reset_parameters;
    static constexpr auto set_precision = wlstm_lstm_set_precision;
    static constexpr auto compact = wlstm_lstm_compact;
    static constexpr auto num_parameters = wlstm_lstm_num_parameters;
    static constexpr auto parameter_info = wlstm_lstm_parameter_info;
    static constexpr auto set_parameter = wlstm_lstm_set_parameter;
    static constexpr auto get_parameter = wlstm_lstm_get_parameter;
};
struct cell_functions {
    using handle = wlstm_cell;
    static constexpr auto free = wlstm_cell_free;
    static constexpr auto load = wlstm_cell_load;
    static constexpr auto save = wlstm_cell_save;
    static constexpr auto reset_parameters = wlstm_cell_reset_parameters;
    static constexpr auto set_precision = wlstm_cell_set_precision;
    static constexpr auto compact = wlstm_cell_compact;
    static constexpr auto num_parameters = wlstm_cell_num_parameters;
    static constexpr auto parameter_info = wlstm_cell_parameter_info;
    static constexpr auto set_parameter = wlstm_cell_set_parameter;
    static constexpr auto get_parameter = wlstm_cell_get_parameter;
};

// What lstm and cell have in common: the handle, the file, the parameters. Moved, not copied.
template <class Functions> class base {
  public:
    using handle_type = typename Functions::handle;

    // For the C functions; still owned.
    handle_type *handle() const noexcept {
        return handle_.get();
    }

    // wlstm_*_save, wlstm_*_reset_parameters, wlstm_*_set_precision, wlstm_*_compact
    void save(const std::string &path, const std::string &prefix = {}) const {
        check(Functions::save(handle(), path.c_str(), prefix.c_str()));
    }
    void reset_parameters(std::uint64_t seed) {
        check(Functions::reset_parameters(handle(), seed));
    }
    void set_precision(wlstm_precision precision) {
        check(Functions::set_precision(handle(), precision));
    }
    void compact() {
        check(Functions::compact(handle()));
    }

    // wlstm_*_num_parameters, wlstm_*_parameter_info: names and shapes in PyTorch's order
    std::vector<parameter> parameters() const {
        std::vector<parameter> all;
        for (std::int64_t i = 0; i < Functions::num_parameters(handle()); i++) {
            const char *name = nullptr;
            int ndim = 0;
            std::int64_t shape[2] = {};
            check(Functions::parameter_info(handle(), i, &name, &ndim, shape));
            all.push_back({ name, std::vector<std::int64_t>(shape, shape + ndim) });
        }
        return all;
    }

    // wlstm_*_set_parameter, wlstm_*_get_parameter
    void set_parameter(const std::string &name, span<const float> values) {
        set(name, values);
    }
    void set_parameter(const std::string &name, span<const double> values) {
        set(name, values);
    }
    void set_parameter(const std::string &name, span<const bfloat16> values) {
        set(name, values);
    }
    void get_parameter(const std::string &name, span<float> values) const {
        get(name, values);
    }
    void get_parameter(const std::string &name, span<double> values) const {
        get(name, values);
    }
    void get_parameter(const std::string &name, span<bfloat16> values) const {
        get(name, values);
    }

  protected:
    // Takes the handle over.
    explicit base(handle_type *handle) : handle_(handle, Functions::free) {}
    static handle_type *load_handle(const std::string &path, const wlstm_load_options &options) {
        handle_type *handle = nullptr;
        check(Functions::load(path.c_str(), &options, &handle));
        return handle;
    }
    wlstm_dtype dtype_ = WLSTM_F32; // set by the constructors of lstm and cell

  private:
    template <class Real> void set(const std::string &name, span<const Real> values) {
        check_dtype(dtype_, dtype_of<Real>());
        check(Functions::set_parameter(handle(), name.c_str(), values.data(), std::int64_t(values.size())));
    }
    template <class Real> void get(const std::string &name, span<Real> values) const {
        check_dtype(dtype_, dtype_of<Real>());
        check(Functions::get_parameter(handle(), name.c_str(), values.data(), std::int64_t(values.size())));
    }
    std::unique_ptr<handle_type, void (*)(handle_type *)> handle_;
};

// An array of `width` elements a row; `optional` allows an empty one.
template <class T>
void check_size(const char *name, span<T> array, std::int64_t rows, std::int64_t width, bool optional) {
    if (rows < 0 || (optional && array.size() == 0)) return; // C refuses negative sizes
    // Compared by division: rows * width may overflow.
    const auto size = std::uint64_t(array.size()), r = std::uint64_t(rows), w = std::uint64_t(width);
    expect(r == 0 ? size == 0 : size % r == 0 && size / r == w, name,
           std::to_string(rows) + " * " + std::to_string(width) + " elements", std::to_string(size));
}

// The elements that an lstm's arrays have: x and out a step and row, h and c a row.
struct widths {
    std::int64_t x = 0, out = 0, h = 0, c = 0;
    wlstm_dtype dtype = WLSTM_F32;

    widths() = default;
    template <class Functions> widths(const base<Functions> &owner, const wlstm_lstm_config &config) {
        dtype = config.dtype;
        x = config.input_size;
        out = (config.bidirectional ? 2 : 1) * (config.proj_size ? config.proj_size : config.hidden_size);
        // The layers of a stack of unlike cells differ, so their own weight_hh [4H, R] are asked.
        for (const parameter &p : owner.parameters()) {
            if (p.name.rfind("weight_hh", 0) != 0) continue;
            h += p.shape[1];
            c += p.shape[0] / 4;
        }
    }

    template <class Real>
    void check(std::int64_t seq_len, std::int64_t batch, span<const Real> in, span<Real> result, const states<Real> &s,
               span<const std::int64_t> lengths) const {
        const bool sane = seq_len > 0 && batch > 0 && seq_len <= INT64_MAX / batch;
        check_rows(sane ? seq_len * batch : batch == 0 ? 0 : -1, batch, in, result, s);
        check_size("lengths", lengths, batch, 1, true);
    }

    // How many rows x and out have, of packed rows.
    template <class Real>
    std::int64_t check_packed(span<const std::int64_t> batch_sizes, span<const Real> in, span<Real> result,
                              const states<Real> &s) const {
        std::int64_t rows = 0;
        for (std::size_t t = 0; t < batch_sizes.size() && rows >= 0; t++) { // C refuses bad sizes
            const std::int64_t size = batch_sizes.data()[t];
            rows = size > 0 && size <= INT64_MAX - rows ? rows + size : -1;
        }
        check_rows(rows, batch_sizes.size() ? batch_sizes.data()[0] : 0, in, result, s);
        return rows;
    }

    template <class Real>
    void check_rows(std::int64_t rows, std::int64_t batch, span<const Real> in, span<Real> result,
                    const states<Real> &s) const {
        check_dtype(dtype, dtype_of<Real>());
        check_size("x", in, rows, x, false);
        check_size("out", result, rows, out, false);
        check_size("h_0", s.h_0, batch, h, true);
        check_size("c_0", s.c_0, batch, c, true);
        check_size("h_n", s.h_n, batch, h, true);
        check_size("c_n", s.c_n, batch, c, true);
    }
};

} // namespace detail

// nn.LSTMCell
class cell : public detail::base<detail::cell_functions> {
  public:
    // wlstm_cell_create
    explicit cell(const wlstm_cell_config &config) : cell(create_handle(config)) {}
    // wlstm_cell_load
    static cell load(const std::string &path, const wlstm_load_options &options = load_options()) {
        return cell(load_handle(path, options));
    }
    // wlstm_cell_get_config
    cell_config config() const {
        cell_config config;
        detail::check(wlstm_cell_get_config(handle(), &config));
        return config;
    }

    // wlstm_cell_forward: h_out, c_out = cell(x, (h, c)); h and c may be empty for zeros
    void forward(std::int64_t batch, span<const float> x, span<const float> h, span<const float> c, span<float> h_out,
                 span<float> c_out) const {
        step(batch, x, h, c, h_out, c_out);
    }
    void forward(std::int64_t batch, span<const double> x, span<const double> h, span<const double> c,
                 span<double> h_out, span<double> c_out) const {
        step(batch, x, h, c, h_out, c_out);
    }
    void forward(std::int64_t batch, span<const bfloat16> x, span<const bfloat16> h, span<const bfloat16> c,
                 span<bfloat16> h_out, span<bfloat16> c_out) const {
        step(batch, x, h, c, h_out, c_out);
    }

  private:
    explicit cell(wlstm_cell *handle) : base(handle) {
        const cell_config known = config();
        dtype_ = known.dtype;
        input_size_ = known.input_size;
        hidden_size_ = known.hidden_size;
    }
    static wlstm_cell *create_handle(const wlstm_cell_config &config) {
        wlstm_cell *handle = nullptr;
        detail::check(wlstm_cell_create(&config, &handle));
        return handle;
    }
    template <class Real>
    void step(std::int64_t batch, span<const Real> x, span<const Real> h, span<const Real> c, span<Real> h_out,
              span<Real> c_out) const {
        detail::check_dtype(dtype_, detail::dtype_of<Real>());
        detail::check_size("x", x, batch, input_size_, false);
        detail::check_size("h", h, batch, hidden_size_, true);
        detail::check_size("c", c, batch, hidden_size_, true);
        detail::check_size("h_out", h_out, batch, hidden_size_, false);
        detail::check_size("c_out", c_out, batch, hidden_size_, false);
        detail::check(wlstm_cell_forward(handle(), batch, x.data(), detail::address(h), detail::address(c),
                                         h_out.data(), c_out.data()));
    }
    std::int64_t input_size_ = 0, hidden_size_ = 0;
};

// nn.LSTM in eval mode
class lstm : public detail::base<detail::lstm_functions> {
  public:
    // wlstm_lstm_create
    explicit lstm(const wlstm_lstm_config &config) : lstm(create_handle(config)) {}
    // wlstm_lstm_load
    static lstm load(const std::string &path, const wlstm_load_options &options = load_options()) {
        return lstm(load_handle(path, options));
    }
    // wlstm_lstm_create_from_cells: bottom-up
    static lstm from_cells(span<const cell *const> cells) {
        std::vector<const wlstm_cell *> handles;
        for (const cell *one : cells) handles.push_back(one ? one->handle() : nullptr);
        wlstm_lstm *handle = nullptr;
        detail::check(wlstm_lstm_create_from_cells(handles.data(), std::int64_t(handles.size()), &handle));
        return lstm(handle);
    }
    // wlstm_lstm_get_config
    lstm_config config() const {
        lstm_config config;
        detail::check(wlstm_lstm_get_config(handle(), &config));
        return config;
    }

    // wlstm_forward: out, (h_n, c_n) = lstm(x, (h_0, c_0)); no states are zeros, no lengths are full ones
    void forward(std::int64_t seq_len, std::int64_t batch, span<const float> x, span<float> out,
                 const states<float> &s = {}, span<const std::int64_t> lengths = {}) const {
        run(seq_len, batch, x, out, s, lengths);
    }
    void forward(std::int64_t seq_len, std::int64_t batch, span<const double> x, span<double> out,
                 const states<double> &s = {}, span<const std::int64_t> lengths = {}) const {
        run(seq_len, batch, x, out, s, lengths);
    }
    void forward(std::int64_t seq_len, std::int64_t batch, span<const bfloat16> x, span<bfloat16> out,
                 const states<bfloat16> &s = {}, span<const std::int64_t> lengths = {}) const {
        run(seq_len, batch, x, out, s, lengths);
    }
    // wlstm_forward_packed: rows without padding, longest first; seq_len is batch_sizes.size()
    void forward_packed(span<const std::int64_t> batch_sizes, span<const float> x, span<float> out,
                        const states<float> &s = {}) const {
        run_packed(batch_sizes, x, out, s);
    }
    void forward_packed(span<const std::int64_t> batch_sizes, span<const double> x, span<double> out,
                        const states<double> &s = {}) const {
        run_packed(batch_sizes, x, out, s);
    }
    void forward_packed(span<const std::int64_t> batch_sizes, span<const bfloat16> x, span<bfloat16> out,
                        const states<bfloat16> &s = {}) const {
        run_packed(batch_sizes, x, out, s);
    }

  private:
    friend class plan;
    friend class streams;
    friend class trainer;
    explicit lstm(wlstm_lstm *handle) : base(handle), widths_(*this, config()) {
        dtype_ = widths_.dtype;
    }
    static wlstm_lstm *create_handle(const wlstm_lstm_config &config) {
        wlstm_lstm *handle = nullptr;
        detail::check(wlstm_lstm_create(&config, &handle));
        return handle;
    }
    template <class Real>
    void run(std::int64_t seq_len, std::int64_t batch, span<const Real> x, span<Real> out, const states<Real> &s,
             span<const std::int64_t> lengths) const {
        widths_.check(seq_len, batch, x, out, s, lengths);
        detail::check(wlstm_forward(handle(), seq_len, batch, detail::address(lengths), x.data(),
                                    detail::address(s.h_0), detail::address(s.c_0), out.data(), detail::address(s.h_n),
                                    detail::address(s.c_n)));
    }
    template <class Real>
    void run_packed(span<const std::int64_t> batch_sizes, span<const Real> x, span<Real> out,
                    const states<Real> &s) const {
        widths_.check_packed(batch_sizes, x, out, s);
        detail::check(wlstm_forward_packed(handle(), std::int64_t(batch_sizes.size()), batch_sizes.data(), x.data(),
                                           detail::address(s.h_0), detail::address(s.c_0), out.data(),
                                           detail::address(s.h_n), detail::address(s.c_n)));
    }
    detail::widths widths_;
};

// The chosen way to run one lstm, which it may outlive. Used by one thread at a time.
class plan {
  public:
    // wlstm_plan_create: max_seq_len and max_batch must be set
    plan(const lstm &owner, const wlstm_plan_options &options)
        : handle_(create_handle(owner.handle(), options), wlstm_plan_free), widths_(owner.widths_) {}

    // wlstm_plan_execute: lstm::forward by this plan
    void execute(std::int64_t seq_len, std::int64_t batch, span<const float> x, span<float> out,
                 const states<float> &s = {}, span<const std::int64_t> lengths = {}) {
        run(seq_len, batch, x, out, s, lengths);
    }
    void execute(std::int64_t seq_len, std::int64_t batch, span<const double> x, span<double> out,
                 const states<double> &s = {}, span<const std::int64_t> lengths = {}) {
        run(seq_len, batch, x, out, s, lengths);
    }
    void execute(std::int64_t seq_len, std::int64_t batch, span<const bfloat16> x, span<bfloat16> out,
                 const states<bfloat16> &s = {}, span<const std::int64_t> lengths = {}) {
        run(seq_len, batch, x, out, s, lengths);
    }
    // wlstm_plan_execute_packed: lstm::forward_packed by this plan
    void execute_packed(span<const std::int64_t> batch_sizes, span<const float> x, span<float> out,
                        const states<float> &s = {}) {
        run_packed(batch_sizes, x, out, s);
    }
    void execute_packed(span<const std::int64_t> batch_sizes, span<const double> x, span<double> out,
                        const states<double> &s = {}) {
        run_packed(batch_sizes, x, out, s);
    }
    void execute_packed(span<const std::int64_t> batch_sizes, span<const bfloat16> x, span<bfloat16> out,
                        const states<bfloat16> &s = {}) {
        run_packed(batch_sizes, x, out, s);
    }

    // wlstm_plan_describe: one line for people, as long as the plan lives
    const char *describe() const noexcept {
        return wlstm_plan_describe(handle());
    }
    // wlstm_plan_memory
    struct memory_bytes {
        std::size_t weights, scratch;
    };
    memory_bytes memory() const {
        memory_bytes bytes{};
        detail::check(wlstm_plan_memory(handle(), &bytes.weights, &bytes.scratch));
        return bytes;
    }
    // For the C functions; still owned.
    wlstm_plan *handle() const noexcept {
        return handle_.get();
    }

  private:
    static wlstm_plan *create_handle(wlstm_lstm *lstm, const wlstm_plan_options &options) {
        wlstm_plan *handle = nullptr;
        detail::check(wlstm_plan_create(lstm, &options, &handle));
        return handle;
    }
    template <class Real>
    void run(std::int64_t seq_len, std::int64_t batch, span<const Real> x, span<Real> out, const states<Real> &s,
             span<const std::int64_t> lengths) {
        widths_.check(seq_len, batch, x, out, s, lengths);
        detail::check(wlstm_plan_execute(handle(), seq_len, batch, detail::address(lengths), x.data(),
                                         detail::address(s.h_0), detail::address(s.c_0), out.data(),
                                         detail::address(s.h_n), detail::address(s.c_n)));
    }
    template <class Real>
    void run_packed(span<const std::int64_t> batch_sizes, span<const Real> x, span<Real> out, const states<Real> &s) {
        widths_.check_packed(batch_sizes, x, out, s);
        detail::check(wlstm_plan_execute_packed(handle(), std::int64_t(batch_sizes.size()), batch_sizes.data(),
                                                x.data(), detail::address(s.h_0), detail::address(s.c_0), out.data(),
                                                detail::address(s.h_n), detail::address(s.c_n)));
    }
    std::unique_ptr<wlstm_plan, void (*)(wlstm_plan *)> handle_;
    detail::widths widths_;
};

// Many sequences that share one lstm, which they may outlive, a step at a time. Used by one thread at a time.
class streams {
  public:
    // wlstm_streams_create: max_streams must be set
    streams(const lstm &owner, const wlstm_streams_options &options)
        : handle_(create_handle(owner.handle(), options), wlstm_streams_free), widths_(owner.widths_) {}

    // wlstm_streams_open, wlstm_streams_close, wlstm_streams_reset
    std::int64_t open() {
        std::int64_t id = 0;
        detail::check(wlstm_streams_open(handle(), &id));
        return id;
    }
    void close(std::int64_t id) {
        detail::check(wlstm_streams_close(handle(), id));
    }
    void reset(std::int64_t id) {
        detail::check(wlstm_streams_reset(handle(), id));
    }

    // wlstm_streams_get_state, wlstm_streams_set_state: h [L, R], c [L, H]; an empty one is not wanted, or zeros
    void get_state(std::int64_t id, span<float> h, span<float> c) const {
        get(id, h, c);
    }
    void get_state(std::int64_t id, span<double> h, span<double> c) const {
        get(id, h, c);
    }
    void get_state(std::int64_t id, span<bfloat16> h, span<bfloat16> c) const {
        get(id, h, c);
    }
    void set_state(std::int64_t id, span<const float> h, span<const float> c) {
        set(id, h, c);
    }
    void set_state(std::int64_t id, span<const double> h, span<const double> c) {
        set(id, h, c);
    }
    void set_state(std::int64_t id, span<const bfloat16> h, span<const bfloat16> c) {
        set(id, h, c);
    }

    // wlstm_streams_step: one step of each of the streams, x [count, I] -> out [count, R]
    void step(span<const std::int64_t> ids, span<const float> x, span<float> out) {
        run_step(ids, x, out);
    }
    void step(span<const std::int64_t> ids, span<const double> x, span<double> out) {
        run_step(ids, x, out);
    }
    void step(span<const std::int64_t> ids, span<const bfloat16> x, span<bfloat16> out) {
        run_step(ids, x, out);
    }

    // wlstm_streams_run: several steps of each; no lengths are full ones
    void run(span<const std::int64_t> ids, std::int64_t seq_len, span<const float> x, span<float> out,
             span<const std::int64_t> lengths = {}) {
        run_steps(ids, seq_len, x, out, lengths);
    }
    void run(span<const std::int64_t> ids, std::int64_t seq_len, span<const double> x, span<double> out,
             span<const std::int64_t> lengths = {}) {
        run_steps(ids, seq_len, x, out, lengths);
    }
    void run(span<const std::int64_t> ids, std::int64_t seq_len, span<const bfloat16> x, span<bfloat16> out,
             span<const std::int64_t> lengths = {}) {
        run_steps(ids, seq_len, x, out, lengths);
    }

    // For the C functions; still owned.
    wlstm_streams *handle() const noexcept {
        return handle_.get();
    }

  private:
    static wlstm_streams *create_handle(wlstm_lstm *lstm, const wlstm_streams_options &options) {
        wlstm_streams *handle = nullptr;
        detail::check(wlstm_streams_create(lstm, &options, &handle));
        return handle;
    }
    template <class Real> void check_state(span<Real> h, span<Real> c) const {
        detail::check_dtype(widths_.dtype, detail::dtype_of<std::remove_const_t<Real>>());
        detail::check_size("h", h, 1, widths_.h, true);
        detail::check_size("c", c, 1, widths_.c, true);
    }
    template <class Real> void get(std::int64_t id, span<Real> h, span<Real> c) const {
        check_state(h, c);
        detail::check(wlstm_streams_get_state(handle(), id, detail::address(h), detail::address(c)));
    }
    template <class Real> void set(std::int64_t id, span<const Real> h, span<const Real> c) {
        check_state(h, c);
        detail::check(wlstm_streams_set_state(handle(), id, detail::address(h), detail::address(c)));
    }
    template <class Real> void run_step(span<const std::int64_t> ids, span<const Real> x, span<Real> out) {
        const std::int64_t count = std::int64_t(ids.size());
        widths_.check(1, count, x, out, states<Real>(), {});
        detail::check(wlstm_streams_step(handle(), count, ids.data(), x.data(), out.data()));
    }
    template <class Real>
    void run_steps(span<const std::int64_t> ids, std::int64_t seq_len, span<const Real> x, span<Real> out,
                   span<const std::int64_t> lengths) {
        const std::int64_t count = std::int64_t(ids.size());
        widths_.check(seq_len, count, x, out, states<Real>(), lengths);
        detail::check(
            wlstm_streams_run(handle(), count, ids.data(), seq_len, detail::address(lengths), x.data(), out.data()));
    }
    std::unique_ptr<wlstm_streams, void (*)(wlstm_streams *)> handle_;
    detail::widths widths_;
};

// What one forward pass keeps for its backward pass: of a trainer, for passes of its sizes at most.
class tape {
  public:
    // wlstm_trainer_tape_bytes
    tape(const class trainer &owner, std::int64_t seq_len, std::int64_t batch);

  private:
    friend class trainer;
    tape() = default; // the trainer's own
    void *address() {
        return memory_.empty() ? nullptr : memory_.data();
    }
    std::vector<unsigned char> memory_;
    std::int64_t most_steps_ = 0, most_rows_ = 0, seq_len_ = 0, batch_ = 0;
    std::int64_t rows_ = 0; // of x and out
};

// An nn.LSTM in training; the lstm that it was made from may go. Used by one thread at a time.
class trainer {
  public:
    // wlstm_trainer_create: max_seq_len and max_batch must be set
    trainer(const lstm &owner, const wlstm_trainer_options &options)
        : handle_(create_handle(owner.handle(), options), wlstm_trainer_free), widths_(owner.widths_),
          layers_(owner.config().num_layers) {}

    // wlstm_trainer_parameters, wlstm_trainer_gradients: all of them, as long as the trainer lives
    template <class Real> span<Real> parameters() {
        return flat<Real>(wlstm_trainer_parameters);
    }
    template <class Real> span<Real> gradients_of_parameters() {
        return flat<Real>(wlstm_trainer_gradients);
    }

    // wlstm_trainer_set_parameter, wlstm_trainer_get_parameter
    template <class Real> void set_parameter(const std::string &name, const std::vector<Real> &values) {
        detail::check_dtype(widths_.dtype, detail::dtype_of<Real>());
        detail::check(wlstm_trainer_set_parameter(handle(), name.c_str(), values.data(), std::int64_t(values.size())));
    }
    template <class Real> void get_parameter(const std::string &name, std::vector<Real> &values) const {
        detail::check_dtype(widths_.dtype, detail::dtype_of<Real>());
        detail::check(wlstm_trainer_get_parameter(handle(), name.c_str(), values.data(), std::int64_t(values.size())));
    }
    // wlstm_trainer_copy_to: into an lstm of the same shape
    void copy_to(lstm &to) const {
        detail::check(wlstm_trainer_copy_to(handle(), to.handle()));
    }

    // wlstm_trainer_forward: as lstm::forward, on a tape or on the trainer's own
    void forward(std::int64_t seq_len, std::int64_t batch, span<const float> x, span<float> out,
                 const states<float> &s = {}, span<const std::int64_t> lengths = {}, const dropout_pass &pass = {},
                 tape *on = nullptr) {
        run(seq_len, batch, x, out, s, lengths, pass, on);
    }
    void forward(std::int64_t seq_len, std::int64_t batch, span<const double> x, span<double> out,
                 const states<double> &s = {}, span<const std::int64_t> lengths = {}, const dropout_pass &pass = {},
                 tape *on = nullptr) {
        run(seq_len, batch, x, out, s, lengths, pass, on);
    }
    // wlstm_trainer_forward_packed: as lstm::forward_packed; backward takes and gives packed rows then
    void forward_packed(span<const std::int64_t> batch_sizes, span<const float> x, span<float> out,
                        const states<float> &s = {}, const dropout_pass &pass = {}, tape *on = nullptr) {
        run_packed(batch_sizes, x, out, s, pass, on);
    }
    void forward_packed(span<const std::int64_t> batch_sizes, span<const double> x, span<double> out,
                        const states<double> &s = {}, const dropout_pass &pass = {}, tape *on = nullptr) {
        run_packed(batch_sizes, x, out, s, pass, on);
    }

    // wlstm_trainer_backward
    template <class Real> void backward(const gradients<Real> &g, bool accumulate = false, tape *on = nullptr) {
        tape &kept = on ? *on : own_;
        const std::int64_t rows = kept.rows_;
        detail::check_dtype(widths_.dtype, detail::dtype_of<Real>());
        detail::check_size("d_out", g.d_out, rows, widths_.out, true);
        detail::check_size("d_h_n", g.d_h_n, kept.batch_, widths_.h, true);
        detail::check_size("d_c_n", g.d_c_n, kept.batch_, widths_.c, true);
        detail::check_size("d_x", g.d_x, rows, widths_.x, true);
        detail::check_size("d_h_0", g.d_h_0, kept.batch_, widths_.h, true);
        detail::check_size("d_c_0", g.d_c_0, kept.batch_, widths_.c, true);
        detail::check(wlstm_trainer_backward(handle(), kept.address(), detail::address(g.d_out),
                                             detail::address(g.d_h_n), detail::address(g.d_c_n), detail::address(g.d_x),
                                             detail::address(g.d_h_0), detail::address(g.d_c_0), accumulate ? 1 : 0));
    }

    // wlstm_trainer_watch_gradients: ready throws nothing; nullptr ends it
    void watch_gradients(wlstm_gradients_function ready, void *context = nullptr) {
        detail::check(wlstm_trainer_watch_gradients(handle(), ready, context));
    }

    // wlstm_trainer_zero_gradients, wlstm_trainer_clip_gradients (what the norm was), wlstm_trainer_update
    void zero_gradients() {
        detail::check(wlstm_trainer_zero_gradients(handle()));
    }
    double clip_gradients(double max_norm) {
        double norm = 0;
        detail::check(wlstm_trainer_clip_gradients(handle(), max_norm, &norm));
        return norm;
    }
    void update(const wlstm_optimizer &by) {
        detail::check(wlstm_trainer_update(handle(), &by));
    }

    // wlstm_trainer_dropout_mask: [T, B, D*R] of the pass on the tape
    template <class Real> std::vector<Real> dropout_mask(std::int64_t layer, tape *on = nullptr) {
        tape &kept = on ? *on : own_;
        detail::check_dtype(widths_.dtype, detail::dtype_of<Real>());
        const std::int64_t width = widths_.h / layers_; // of layers of one size, as those of nn.LSTM are
        std::vector<Real> mask(std::size_t(kept.seq_len_ * kept.batch_ * width));
        detail::check(wlstm_trainer_dropout_mask(handle(), kept.address(), layer, mask.data()));
        return mask;
    }

    // wlstm_trainer_memory
    struct memory_bytes {
        std::size_t trainer, tape;
    };
    memory_bytes memory() const {
        memory_bytes bytes{};
        detail::check(wlstm_trainer_memory(handle(), &bytes.trainer, &bytes.tape));
        return bytes;
    }

    // wlstm_trainer_save, wlstm_trainer_load: to resume
    void save(const std::string &path) const {
        detail::check(wlstm_trainer_save(handle(), path.c_str()));
    }
    void load(const std::string &path) {
        detail::check(wlstm_trainer_load(handle(), path.c_str()));
    }
    // For the C functions; still owned.
    wlstm_trainer *handle() const noexcept {
        return handle_.get();
    }

  private:
    static wlstm_trainer *create_handle(const wlstm_lstm *lstm, const wlstm_trainer_options &options) {
        wlstm_trainer *handle = nullptr;
        detail::check(wlstm_trainer_create(lstm, &options, &handle));
        return handle;
    }
    template <class Real> span<Real> flat(wlstm_status (*get)(wlstm_trainer *, void **, std::int64_t *)) {
        void *values = nullptr;
        std::int64_t count = 0;
        detail::check_dtype(widths_.dtype, detail::dtype_of<Real>());
        detail::check(get(handle(), &values, &count));
        return { static_cast<Real *>(values), std::size_t(count) };
    }
    template <class Real>
    void run(std::int64_t seq_len, std::int64_t batch, span<const Real> x, span<Real> out, const states<Real> &s,
             span<const std::int64_t> lengths, const dropout_pass &pass, tape *on) {
        widths_.check(seq_len, batch, x, out, s, lengths);
        tape &kept = fitting(on, seq_len, batch);
        detail::check(wlstm_trainer_forward(handle(), seq_len, batch, detail::address(lengths), x.data(),
                                            detail::address(s.h_0), detail::address(s.c_0), out.data(),
                                            detail::address(s.h_n), detail::address(s.c_n), pass.training ? 1 : 0,
                                            pass.seed, pass.first_row, kept.address()));
        kept.seq_len_ = seq_len, kept.batch_ = batch, kept.rows_ = seq_len * batch;
    }
    template <class Real>
    void run_packed(span<const std::int64_t> batch_sizes, span<const Real> x, span<Real> out, const states<Real> &s,
                    const dropout_pass &pass, tape *on) {
        const std::int64_t rows = widths_.check_packed(batch_sizes, x, out, s);
        const std::int64_t seq_len = std::int64_t(batch_sizes.size()), batch = seq_len ? batch_sizes.data()[0] : 0;
        tape &kept = fitting(on, seq_len, batch);
        detail::check(wlstm_trainer_forward_packed(handle(), seq_len, batch_sizes.data(), x.data(),
                                                   detail::address(s.h_0), detail::address(s.c_0), out.data(),
                                                   detail::address(s.h_n), detail::address(s.c_n),
                                                   pass.training ? 1 : 0, pass.seed, pass.first_row, kept.address()));
        kept.seq_len_ = seq_len, kept.batch_ = batch, kept.rows_ = rows;
    }
    // The tape, or the trainer's own.
    tape &fitting(tape *on, std::int64_t seq_len, std::int64_t batch) {
        detail::expect(!on || (seq_len <= on->most_steps_ && batch <= on->most_rows_), "tape",
                       "one made for as many steps and rows", "a smaller one");
        return on ? *on : own_;
    }
    std::unique_ptr<wlstm_trainer, void (*)(wlstm_trainer *)> handle_;
    detail::widths widths_;
    std::int64_t layers_;
    tape own_;
};

inline tape::tape(const trainer &owner, std::int64_t seq_len, std::int64_t batch)
    : most_steps_(seq_len), most_rows_(batch) {
    std::size_t bytes = 0;
    detail::check(wlstm_trainer_tape_bytes(owner.handle(), seq_len, batch, &bytes));
    memory_.resize(bytes);
}

// wlstm_tensor_read: any tensor of a model file, as the weight of an nn.Linear that follows the lstm; Real is float, double or
// bfloat16
template <class Real> tensor<Real> read_tensor(const std::string &path, const std::string &name) {
    constexpr wlstm_dtype dtype = detail::dtype_of<Real>();
    int ndim = 0;
    std::int64_t shape[8] = {}, count = 1;
    detail::check(wlstm_tensor_read(path.c_str(), name.c_str(), dtype, nullptr, 0, &ndim, shape));
    for (int d = 0; d < ndim; d++) count *= shape[d];
    tensor<Real> read{ std::vector<std::int64_t>(shape, shape + ndim), std::vector<Real>(std::size_t(count)) };
    detail::check(wlstm_tensor_read(path.c_str(), name.c_str(), dtype, read.values.data(), count, nullptr, nullptr));
    return read;
}

// wlstm_plan_cache_*: nullptr for the user's directory, or for every problem
inline void plan_cache_load(const char *directory = nullptr) {
    detail::check(wlstm_plan_cache_load(directory));
}
inline void plan_cache_save(const char *directory = nullptr) {
    detail::check(wlstm_plan_cache_save(directory));
}
inline void plan_cache_export(const char *path) {
    detail::check(wlstm_plan_cache_export(path));
}
inline void plan_cache_import(const char *path) {
    detail::check(wlstm_plan_cache_import(path));
}
inline std::string plan_cache_export_text() {
    std::size_t bytes = 0;
    detail::check(wlstm_plan_cache_export_text(nullptr, 0, &bytes));
    std::string text(bytes, '\0');
    detail::check(wlstm_plan_cache_export_text(&text[0], text.size(), &bytes));
    text.resize(bytes);
    return text;
}
inline void plan_cache_import_text(const std::string &text) {
    detail::check(wlstm_plan_cache_import_text(text.data(), text.size()));
}
inline void plan_cache_forget(const char *problem = nullptr) {
    detail::check(wlstm_plan_cache_forget(problem));
}

// wlstm_set_allocator: two nullptr restore malloc and free
inline void set_allocator(wlstm_allocate_function allocate, wlstm_deallocate_function deallocate, void *context) {
    detail::check(wlstm_set_allocator(allocate, deallocate, context));
}

} // namespace wavelstm

#endif

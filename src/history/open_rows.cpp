#include "history/open_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "history/column_codec.h"
#include "history/varint.h"

namespace muster {
namespace {

constexpr std::uint64_t new_shape_bit = 1;
constexpr std::uint64_t clamped_bit = 2;
constexpr std::uint64_t whole_double = 1;
constexpr std::int64_t hour_ms = 3'600'000;
/// Room for a usual row; the string grows by a quarter, as a million of them would waste what doubling leaves empty.
constexpr std::size_t row_bytes_spare = 48;

/// Wraps around: the numbers may be anything.
std::int64_t add(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

tl::unexpected<Error> malformed_rows() {
    return fail(ErrorCode::malformed, "history rows do not follow their format");
}

/// Reads row after row. `rows` outlives it.
class RowReader final {
 public:
    RowReader(std::string_view rows, RowState& state) : rows_(rows), reader_(rows), state_(state) {}

    [[nodiscard]] bool at_end() const { return reader_.at_end(); }
    /// Calls begin(), then value(number of the metric in the row, double) for each. False: malformed.
    template <class OnShape, class OnRow, class OnValue>
    [[nodiscard]] bool next(OnShape on_shape, OnRow on_row, OnValue on_value) {
        const std::uint64_t head = reader_.varint();
        state_.step_ms = add(state_.step_ms, unzigzag(head >> 2U));
        state_.time_ms = add(state_.time_ms, state_.step_ms);
        if ((head & new_shape_bit) != 0 && !read_shape(on_shape)) {
            return false;
        }
        if (!reader_.ok() || state_.shape >= state_.shapes.size() || state_.time_ms < 0 || state_.time_ms >= hour_ms) {
            return false;
        }
        const RowState::Shape& shape = state_.shapes[state_.shape];
        on_row(shape, (head & clamped_bit) != 0);
        for (std::uint32_t i = 0; i < shape.metrics; ++i) {
            double value = 0;
            if (!read_value(state_.values[shape.first_value + i], value)) {
                return false;
            }
            on_value(shape.first_value + i, value);
        }
        return true;
    }

 private:
    template <class OnShape>
    bool read_shape(OnShape on_shape) {
        const std::uint64_t number = reader_.varint();
        if (number > state_.shapes.size() || number >= row_shapes_max) {
            return false;
        }
        state_.shape = static_cast<std::uint32_t>(number);
        if (number < state_.shapes.size()) {
            return true;
        }
        const std::uint64_t metrics = reader_.varint();
        if (metrics == 0 || state_.values.size() + metrics > row_metrics_max) {
            return false;
        }
        const auto first = static_cast<std::uint32_t>(state_.values.size());
        state_.shapes.push_back({static_cast<std::uint32_t>(rows_.size() - reader_.rest().size()), first,
                                 static_cast<std::uint32_t>(metrics)});
        state_.values.resize(state_.values.size() + metrics);
        for (std::uint64_t i = 0; i < metrics; ++i) {
            on_shape(reader_.text());
        }
        return reader_.ok();
    }
    bool read_value(RowState::Value& state, double& value) {
        const std::uint64_t head = reader_.varint();
        if (head == whole_double) {
            const std::string_view raw = reader_.raw(sizeof(double));
            if (raw.size() == sizeof(double)) {
                std::memcpy(&value, raw.data(), sizeof(double));
            }
            return reader_.ok() && std::isfinite(value);
        }
        if ((head & 1U) == 0) {
            state.number = add(state.number, unzigzag(head >> 1U));
        } else {
            const std::uint64_t decimals = (head >> 1U) - 1;
            state.decimals = static_cast<std::uint8_t>(std::min<std::uint64_t>(decimals, 0xff));
            state.number = reader_.signed_varint();
        }
        if (!reader_.ok() || state.decimals > decimals_max) {
            return false;
        }
        value = unscaled(state.number, state.decimals);
        return true;
    }

    std::string_view rows_;
    VarintReader reader_;
    RowState& state_;
};

}  // namespace

bool OpenRows::is_shape(const RowState::Shape& shape, MetricValues metrics) const {
    if (shape.metrics != metrics.size()) {
        return false;
    }
    const char* at = bytes_.data() + shape.names_at;
    for (const auto& [name, value] : metrics) {
        if (static_cast<std::uint8_t>(*at) != name.size() || std::memcmp(at + 1, name.data(), name.size()) != 0) {
            return false;
        }
        at += 1 + name.size();
    }
    return true;
}

std::uint32_t OpenRows::find_shape(MetricValues metrics) const {
    if (state_.shape < state_.shapes.size() && is_shape(state_.shapes[state_.shape], metrics)) {
        return state_.shape;
    }
    const auto found =
        std::ranges::find_if(state_.shapes, [&](const RowState::Shape& shape) { return is_shape(shape, metrics); });
    return static_cast<std::uint32_t>(found - state_.shapes.begin());
}

void OpenRows::add_shape(MetricValues metrics) {
    write_varint(bytes_, metrics.size());
    state_.shapes.push_back({static_cast<std::uint32_t>(bytes_.size()),
                             static_cast<std::uint32_t>(state_.values.size()),
                             static_cast<std::uint32_t>(metrics.size())});
    for (const auto& [name, value] : metrics) {
        write_text(bytes_, name);
    }
    state_.values.resize(state_.values.size() + metrics.size());
    state_.values.shrink_to_fit();
}

bool OpenRows::append(std::int64_t time_ms, MetricValues metrics, bool time_clamped) {
    const std::uint32_t shape = find_shape(metrics);
    const bool is_new = shape == state_.shapes.size();
    if (is_new && (shape == row_shapes_max || state_.values.size() + metrics.size() > row_metrics_max)) {
        return false;
    }
    if (bytes_.capacity() - bytes_.size() < row_bytes_spare) {
        bytes_.reserve(bytes_.size() + bytes_.size() / 4 + row_bytes_spare);
    }
    const std::int64_t step = time_ms - state_.time_ms;
    const bool changes = shape != state_.shape;
    write_varint(bytes_, (zigzag(step - state_.step_ms) << 2U) | (changes ? new_shape_bit : 0U) |
                             (time_clamped ? clamped_bit : 0U));
    state_.time_ms = time_ms;
    state_.step_ms = step;
    if (changes) {
        write_varint(bytes_, shape);
        if (is_new) {
            add_shape(metrics);
        }
        state_.shape = shape;
    }
    RowState::Value* state = state_.values.data() + state_.shapes[shape].first_value;
    for (const auto& [name, value] : metrics) {
        write_value(*state++, value);
    }
    ++samples_;
    return true;
}

void OpenRows::write_value(RowState::Value& state, double value) {
    const bool begun = state.decimals <= decimals_max;
    const auto decimals = decimals_of(value, begun ? state.decimals : 0U);
    if (!decimals) {
        write_varint(bytes_, whole_double);
        char raw[sizeof(double)];
        std::memcpy(raw, &value, sizeof(value));
        bytes_.append(raw, sizeof(raw));
        return;
    }
    const std::int64_t number = scaled(value, *decimals);
    // Below 2^53 differences fit beside the lowest bit; restored rows may hold anything.
    if (*decimals == state.decimals && std::abs(static_cast<double>(state.number)) < 0x1p53) {
        write_varint(bytes_, zigzag(number - state.number) << 1U);
    } else {
        write_varint(bytes_, 2 * *decimals + 3);
        write_varint(bytes_, zigzag(number));
        state.decimals = static_cast<std::uint8_t>(*decimals);
    }
    state.number = number;
}

Result<void> OpenRows::resume() {
    state_ = {};
    samples_ = 0;
    RowReader reader(bytes_, state_);
    while (!reader.at_end()) {
        if (!reader.next([](std::string_view) {}, [](const RowState::Shape&, bool) {}, [](std::size_t, double) {})) {
            *this = {};
            return malformed_rows();
        }
        ++samples_;
    }
    return {};
}

std::size_t OpenRows::memory_bytes() const {
    return bytes_.capacity() + state_.values.capacity() * sizeof(RowState::Value) +
           state_.shapes.capacity() * sizeof(RowState::Shape);
}

Result<std::uint32_t> read_rows(std::string_view rows, std::int64_t hour_begin_ms, SampleTable& table) {
    RowState state;
    RowReader reader(rows, state);
    std::vector<std::size_t> places;
    constexpr std::size_t unwanted = SIZE_MAX;
    std::uint32_t count = 0;
    bool clamped = false;
    while (!reader.at_end()) {
        const bool read = reader.next(
            [&](std::string_view name) { places.push_back(table.wants(name) ? table.index_of(name) : unwanted); },
            [&](const RowState::Shape&, bool is_clamped) { clamped = is_clamped; },
            [&](std::size_t place, double value) {
                if (places[place] != unwanted) {
                    table.at(places[place]).add(hour_begin_ms + state.time_ms, value, clamped);
                }
            });
        if (!read) {
            return malformed_rows();
        }
        ++count;
    }
    return count;
}

}  // namespace muster

#include "history/open_rows.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "history/known_shapes.h"
#include "history/scaled_decimal.h"
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

/// Bytes of a row in the making, so that the string behind it is appended to once for many numbers.
class RowPart final {
 public:
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7U) {
            *end_++ = static_cast<char>(value | 0x80U);
        }
        *end_++ = static_cast<char>(value);
    }
    void value(RowState::Value& state, double value) {
        const auto whole = scaled_decimal(value, state.decimals <= decimals_max ? state.decimals : 0U);
        if (!whole) {
            varint(whole_double);
            std::memcpy(end_, &value, sizeof(value));
            end_ += sizeof(value);
            return;
        }
        // Below 2^53 differences fit beside the lowest bit; restored rows may hold anything.
        if (whole->decimals == state.decimals && std::abs(static_cast<double>(state.number)) < 0x1p53) {
            varint(zigzag(whole->number - state.number) << 1U);
        } else {
            varint(2 * whole->decimals + 3);
            varint(zigzag(whole->number));
            state.decimals = static_cast<std::uint8_t>(whole->decimals);
        }
        state.number = whole->number;
    }
    /// There is no room for another value.
    [[nodiscard]] bool is_full() const { return bytes_.data() + bytes_.size() - end_ < value_bytes_max; }
    void move_to(std::string& out) {
        out.append(bytes_.data(), end_);
        end_ = bytes_.data();
    }

 private:
    static constexpr std::ptrdiff_t value_bytes_max = 1 + 10;  ///< decimals, then a varint

    std::array<char, 128> bytes_;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
    char* end_ = bytes_.data();
};

}  // namespace

bool OpenRows::is_shape(const RowState::Shape& shape, MetricValues metrics) const {
    return shape.metrics == metrics.size() && are_names_of(bytes_.data() + shape.names_at, metrics);
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
    state_.values.reserve(state_.values.size() + metrics.size());  // no more than that
    state_.values.resize(state_.values.size() + metrics.size());
}

void OpenRows::change_shape(std::uint32_t shape, MetricValues metrics) {
    write_varint(bytes_, shape);
    if (shape == state_.shapes.size()) {
        add_shape(metrics);
    }
    state_.shape = shape;
    first_value_ = state_.shapes[shape].first_value;
}

bool OpenRows::append(std::int64_t time_ms, MetricValues metrics, bool time_clamped, std::uint64_t names) {
    const bool goes_on = names != 0 && names == names_;
    const std::uint32_t shape = goes_on ? state_.shape : find_shape(metrics);
    if (shape == state_.shapes.size() &&
        (shape == row_shapes_max || state_.values.size() + metrics.size() > row_metrics_max)) {
        return false;
    }
    if (bytes_.capacity() - bytes_.size() < row_bytes_spare) {
        bytes_.reserve(bytes_.size() + bytes_.size() / 4 + row_bytes_spare);
    }
    const std::int64_t step = time_ms - state_.time_ms;
    const bool changes = shape != state_.shape;
    RowPart part;
    part.varint((zigzag(step - state_.step_ms) << 2U) | (changes ? new_shape_bit : 0U) |
                (time_clamped ? clamped_bit : 0U));
    state_.time_ms = time_ms;
    state_.step_ms = step;
    names_ = names;
    if (changes) {
        part.move_to(bytes_);
        change_shape(shape, metrics);
    }
    RowState::Value* state = state_.values.data() + first_value_;
    for (const auto& [name, value] : metrics) {
        if (part.is_full()) {
            part.move_to(bytes_);
        }
        part.value(*state++, value);
    }
    part.move_to(bytes_);
    ++samples_;
    return true;
}

Result<void> OpenRows::resume() {
    state_ = {};
    samples_ = 0;
    names_ = 0;
    RowReader reader(bytes_, state_);
    while (!reader.at_end()) {
        if (!reader.next([](std::string_view) {}, [](const RowState::Shape&, bool) {}, [](std::size_t, double) {})) {
            *this = {};
            return malformed_rows();
        }
        ++samples_;
    }
    first_value_ = samples_ == 0 ? 0 : state_.shapes[state_.shape].first_value;
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

#include "history/column_codec.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "history/bit_stream.h"
#include "history/varint.h"

namespace muster {
namespace {

enum class Form : std::uint8_t { constant, level, slope, curve, steps };

constexpr unsigned quotient_max = 24;
constexpr unsigned rice_max = 40;
constexpr std::uint8_t xor_mark = 255;
/// Bits a value from which XOR is worth a try although decimals fit.
constexpr std::uint64_t dear_bits = 20;

std::uint64_t wrap(std::int64_t value) {
    return static_cast<std::uint64_t>(value);
}

std::int64_t minus(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(wrap(a) - wrap(b));
}

std::int64_t plus(std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(wrap(a) + wrap(b));
}

tl::unexpected<Error> malformed_column() {
    return fail(ErrorCode::malformed, "history column does not follow its format");
}

// Rice codes ----------------------------------------------------------------------------------------------------------

std::uint64_t rice_bits(std::span<const std::uint64_t> values, unsigned k) {
    std::uint64_t bits = 0;
    for (const std::uint64_t value : values) {
        const std::uint64_t quotient = value >> k;
        bits += quotient < quotient_max ? quotient + 1 + k : quotient_max + 64;
    }
    return bits;
}

/// A parameter and what it costs.
struct Rice {
    unsigned k = 0;
    std::uint64_t bits = 0;
};

/// The best parameter lies beside the logarithm of the mean.
Rice best_rice(std::span<const std::uint64_t> values) {
    if (values.empty()) {
        return {};
    }
    double sum = 0;
    for (const std::uint64_t value : values) {
        sum += static_cast<double>(value);
    }
    const double mean = sum / static_cast<double>(values.size());
    const unsigned guess = mean < 1 ? 0U : std::min(static_cast<unsigned>(std::ilogb(mean)), rice_max);
    Rice best{guess, rice_bits(values, guess)};
    for (const unsigned k : {guess - 1, guess - 2, guess + 1}) {
        if (k <= rice_max) {
            const std::uint64_t bits = rice_bits(values, k);
            best = bits < best.bits ? Rice{k, bits} : best;
        }
    }
    return best;
}

void write_rice(BitWriter& writer, std::uint64_t value, unsigned k) {
    const std::uint64_t quotient = value >> k;
    if (quotient >= quotient_max) {
        writer.bits(0, quotient_max);
        writer.bits(value, 64);
        return;
    }
    writer.bits(std::uint64_t{1} << quotient, static_cast<unsigned>(quotient) + 1);
    writer.bits(value & ((std::uint64_t{1} << k) - 1), k);
}

std::uint64_t read_rice(BitReader& reader, unsigned k) {
    const unsigned quotient = reader.zeros(quotient_max);
    if (quotient == quotient_max) {
        return reader.bits(64);
    }
    return (static_cast<std::uint64_t>(quotient) << k) | reader.bits(k);
}

// Whole numbers -------------------------------------------------------------------------------------------------------

/// One way to write a column, tried out: what stands before the residuals, and they.
struct Attempt {
    Form form = Form::constant;
    std::int64_t first = 0;
    std::int64_t second = 0;
    std::vector<std::uint64_t> residuals{};
    Rice rice{};
};

/// Reused from column to column, a set a thread.
struct Scratch {
    Attempt level{Form::level};
    Attempt slope{Form::slope};
    Attempt curve{Form::curve};
    std::vector<std::uint64_t> runs;
    std::vector<std::uint64_t> changes;
    std::vector<std::int64_t> numbers;
};

Scratch& scratch() {
    thread_local Scratch one;
    return one;
}

void try_level(std::span<const std::int64_t> numbers, Attempt& attempt) {
    double sum = 0;
    for (const std::int64_t number : numbers) {
        sum += static_cast<double>(minus(number, numbers.front()));
    }
    const double mean = sum / static_cast<double>(numbers.size());
    attempt.first = plus(numbers.front(), std::abs(mean) < whole_max ? to_whole(mean) : 0);
    attempt.residuals.clear();
    for (const std::int64_t number : numbers) {
        attempt.residuals.push_back(zigzag(minus(number, attempt.first)));
    }
    attempt.rice = best_rice(attempt.residuals);
}

void try_slope(std::span<const std::int64_t> numbers, Attempt& attempt) {
    attempt.first = numbers.front();
    const double rise = static_cast<double>(minus(numbers.back(), numbers.front()));
    const double drift = rise / static_cast<double>(numbers.size() - 1);
    attempt.second = std::abs(drift) < whole_max ? to_whole(drift) : 0;
    attempt.residuals.clear();
    for (std::size_t i = 1; i < numbers.size(); ++i) {
        attempt.residuals.push_back(zigzag(minus(minus(numbers[i], numbers[i - 1]), attempt.second)));
    }
    attempt.rice = best_rice(attempt.residuals);
}

void try_curve(std::span<const std::int64_t> numbers, Attempt& attempt) {
    attempt.first = numbers[0];
    attempt.second = minus(numbers[1], numbers[0]);
    attempt.residuals.clear();
    for (std::size_t i = 2; i < numbers.size(); ++i) {
        const std::int64_t pointed_at = plus(numbers[i - 1], minus(numbers[i - 1], numbers[i - 2]));
        attempt.residuals.push_back(zigzag(minus(numbers[i], pointed_at)));
    }
    attempt.rice = best_rice(attempt.residuals);
}

void try_steps(std::span<const std::int64_t> numbers, Scratch& parts) {
    parts.runs.clear();
    parts.changes.clear();
    std::uint64_t run = 0;
    for (std::size_t i = 1; i < numbers.size(); ++i) {
        if (numbers[i] == numbers[i - 1]) {
            ++run;
            continue;
        }
        parts.runs.push_back(run);
        parts.changes.push_back(zigzag(minus(numbers[i], numbers[i - 1])) - 1);
        run = 0;
    }
    parts.runs.push_back(run);
}

void write_steps(std::int64_t first, const Scratch& parts, Rice runs, Rice changes, std::string& out) {
    out.push_back(static_cast<char>(Form::steps));
    write_varint(out, zigzag(first));
    out.push_back(static_cast<char>(runs.k));
    out.push_back(static_cast<char>(changes.k));
    BitWriter writer(out);
    for (std::size_t i = 0; i < parts.changes.size(); ++i) {
        write_rice(writer, parts.runs[i], runs.k);
        write_rice(writer, parts.changes[i], changes.k);
    }
    write_rice(writer, parts.runs.back(), runs.k);
    writer.finish();
}

void write_attempt(const Attempt& attempt, std::string& out) {
    out.push_back(static_cast<char>(attempt.form));
    write_varint(out, zigzag(attempt.first));
    if (attempt.form != Form::level) {
        write_varint(out, zigzag(attempt.second));
    }
    out.push_back(static_cast<char>(attempt.rice.k));
    BitWriter writer(out);
    for (const std::uint64_t residual : attempt.residuals) {
        write_rice(writer, residual, attempt.rice.k);
    }
    writer.finish();
}

/// The bits that encode_numbers took for what it wrote, roughly.
std::uint64_t write_cheapest(std::span<const std::int64_t> numbers, std::string& out) {
    if (std::ranges::all_of(numbers, [&](std::int64_t number) { return number == numbers.front(); })) {
        out.push_back(static_cast<char>(Form::constant));
        write_varint(out, numbers.empty() ? 0 : zigzag(numbers.front()));
        return 0;
    }
    Scratch& parts = scratch();
    try_level(numbers, parts.level);
    try_slope(numbers, parts.slope);
    try_curve(numbers, parts.curve);
    const Attempt* best = &parts.level;
    for (const Attempt* attempt : {&parts.slope, &parts.curve}) {
        best = attempt->rice.bits + 8 < best->rice.bits ? attempt : best;
    }
    const auto repeated =
        static_cast<std::size_t>(std::ranges::count(parts.slope.residuals, zigzag(minus(0, parts.slope.second))));
    if (repeated * 2 > numbers.size()) {
        try_steps(numbers, parts);
        const Rice runs = best_rice(parts.runs);
        const Rice changes = best_rice(parts.changes);
        if (runs.bits + changes.bits < best->rice.bits) {
            write_steps(numbers.front(), parts, runs, changes, out);
            return runs.bits + changes.bits;
        }
    }
    write_attempt(*best, out);
    return best->rice.bits;
}

/// All values with the same decimals, as few as do for all. nullopt: none do.
std::optional<unsigned> scale_all(std::span<const double> values, std::vector<std::int64_t>& numbers) {
    numbers.clear();
    unsigned decimals = 0;
    std::size_t raised = 0;  // those before it have fewer decimals
    for (const double value : values) {
        const auto whole = scaled_decimal(value, decimals);
        if (!whole) {
            return std::nullopt;
        }
        raised = whole->decimals == decimals ? raised : numbers.size();
        decimals = whole->decimals;
        numbers.push_back(whole->number);
    }
    for (std::size_t i = 0; i < raised; ++i) {
        if (!(std::abs(values[i] * powers_of_ten[decimals]) < whole_max)) {
            return std::nullopt;
        }
        numbers[i] = scaled(values[i], decimals);
    }
    return decimals;
}

bool read_steps(VarintReader& head, std::span<std::int64_t> numbers) {
    std::int64_t value = head.signed_varint();
    const unsigned k_runs = head.byte();
    const unsigned k_changes = head.byte();
    if (!head.ok() || k_runs > rice_max || k_changes > rice_max) {
        return false;
    }
    BitReader reader(head.rest());
    for (std::size_t i = 0; i < numbers.size();) {
        // The first value stands before its run.
        const std::uint64_t run = read_rice(reader, k_runs) + 1;
        if (!reader.ok() || run == 0 || run > numbers.size() - i) {
            return false;
        }
        std::ranges::fill(numbers.subspan(i, run), value);
        i += run;
        if (i < numbers.size()) {
            value = plus(value, unzigzag(read_rice(reader, k_changes) + 1));
        }
    }
    return reader.ok();
}

template <class Predict>
bool read_residuals(VarintReader& head, std::span<std::int64_t> numbers, std::size_t from, Predict predict) {
    const unsigned k = head.byte();
    if (!head.ok() || k > rice_max) {
        return false;
    }
    BitReader reader(head.rest());
    for (std::size_t i = from; i < numbers.size(); ++i) {
        numbers[i] = plus(predict(i), unzigzag(read_rice(reader, k)));
    }
    return reader.ok();
}

bool read_numbers(VarintReader& head, std::span<std::int64_t> numbers) {
    const auto form = static_cast<Form>(head.byte());
    switch (form) {
        case Form::constant:
            std::ranges::fill(numbers, head.signed_varint());
            return head.ok() && head.at_end();
        case Form::level: {
            const std::int64_t base = head.signed_varint();
            return read_residuals(head, numbers, 0, [base](std::size_t) { return base; });
        }
        case Form::slope: {
            numbers[0] = head.signed_varint();
            const std::int64_t drift = head.signed_varint();
            return read_residuals(head, numbers, 1, [&](std::size_t i) { return plus(numbers[i - 1], drift); });
        }
        case Form::curve: {
            if (numbers.size() < 2) {
                return false;
            }
            numbers[0] = head.signed_varint();
            numbers[1] = plus(numbers[0], head.signed_varint());
            return read_residuals(head, numbers, 2, [&](std::size_t i) {
                return plus(numbers[i - 1], minus(numbers[i - 1], numbers[i - 2]));
            });
        }
        case Form::steps:
            return read_steps(head, numbers);
    }
    return false;
}

// XOR -----------------------------------------------------------------------------------------------------------------

void write_xor(std::span<const double> values, std::string& out) {
    BitWriter writer(out);
    std::uint64_t before = std::bit_cast<std::uint64_t>(values.front());
    writer.bits(before, 64);
    unsigned leading = 0;
    unsigned width = 0;  // of the window, 0 = none yet
    for (const double value : values.subspan(1)) {
        const auto bits = std::bit_cast<std::uint64_t>(value);
        const std::uint64_t change = bits ^ before;
        before = bits;
        if (change == 0) {
            writer.bits(0, 1);
            continue;
        }
        const auto zeros_before = static_cast<unsigned>(std::countl_zero(change));
        const auto zeros_after = static_cast<unsigned>(std::countr_zero(change));
        const bool fits = width != 0 && zeros_before >= leading && zeros_after >= 64 - leading - width;
        if (!fits) {
            leading = zeros_before;
            width = 64 - zeros_before - zeros_after;
        }
        writer.bits(fits ? 1U : 3U, 2);
        if (!fits) {
            writer.bits(leading, 6);
            writer.bits(width - 1, 6);
        }
        writer.bits(change >> (64 - leading - width), width);
    }
    writer.finish();
}

bool read_xor(std::string_view bytes, std::span<double> values) {
    BitReader reader(bytes);
    std::uint64_t before = reader.bits(64);
    values.front() = std::bit_cast<double>(before);
    unsigned leading = 0;
    unsigned width = 0;
    for (double& value : values.subspan(1)) {
        if (reader.bits(1) != 0) {
            if (reader.bits(1) != 0) {
                leading = static_cast<unsigned>(reader.bits(6));
                width = static_cast<unsigned>(reader.bits(6)) + 1;
            }
            if (width == 0 || leading + width > 64) {
                return false;
            }
            before ^= reader.bits(width) << (64 - leading - width);
        }
        value = std::bit_cast<double>(before);
    }
    return reader.ok();
}

}  // namespace

void encode_numbers(std::span<const std::int64_t> numbers, std::string& out) {
    (void)write_cheapest(numbers, out);
}

Result<void> decode_numbers(std::string_view bytes, std::span<std::int64_t> numbers) {
    VarintReader head(bytes);
    if (numbers.empty() || !read_numbers(head, numbers)) {
        return malformed_column();
    }
    return {};
}

void encode_doubles(std::span<const double> values, std::string& out) {
    auto& numbers = scratch().numbers;
    const auto decimals = scale_all(values, numbers);
    const std::size_t begin = out.size();
    if (decimals) {
        out.push_back(static_cast<char>(*decimals));
        if (write_cheapest(numbers, out) < dear_bits * values.size()) {
            return;
        }
    }
    std::string other(1, static_cast<char>(xor_mark));
    write_xor(values, other);
    if (out.size() == begin || other.size() < out.size() - begin) {
        out.replace(begin, std::string::npos, other);
    }
}

Result<void> decode_doubles(std::string_view bytes, std::span<double> values) {
    if (bytes.empty() || values.empty()) {
        return malformed_column();
    }
    const auto mark = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (mark == xor_mark) {
        return read_xor(bytes, values) ? Result<void>() : malformed_column();
    }
    if (mark > decimals_max) {
        return malformed_column();
    }
    auto& numbers = scratch().numbers;
    numbers.resize(values.size());
    if (auto read = decode_numbers(bytes, numbers); !read) {
        return read;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = unscaled(numbers[i], mark);
    }
    return {};
}

}  // namespace muster

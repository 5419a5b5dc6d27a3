#pragma once

#include <concepts>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "base/time.h"
#include "contract/json.h"

namespace muster {

/// Appends JSON to a string it does not own, with the commas in their places. The caller keeps begin and end in pairs.
class JsonWriter {
 public:
    explicit JsonWriter(std::string& out) : out_(out) {}

    JsonWriter& begin_object() { return open('{'); }
    JsonWriter& end_object() { return close('}'); }
    JsonWriter& begin_array() { return open('['); }
    JsonWriter& end_array() { return close(']'); }

    JsonWriter& key(std::string_view name) {
        separate();
        json::append_string(out_, name);
        out_.push_back(':');
        comma_ = false;
        return *this;
    }

    JsonWriter& value(std::string_view text) {
        separate();
        json::append_string(out_, text);
        return *this;
    }
    JsonWriter& value(const char* text) { return value(std::string_view(text)); }
    JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
    JsonWriter& value(std::same_as<bool> auto flag) { return raw(flag ? "true" : "false"); }
    JsonWriter& value(std::integral auto number)
        requires(!std::same_as<decltype(number), bool>)
    {
        separate();
        fmt::format_to(std::back_inserter(out_), "{}", number);
        return *this;
    }
    /// NaN and infinities become null.
    JsonWriter& value(double number) {
        separate();
        json::append_number(out_, number);
        return *this;
    }
    JsonWriter& value(Timestamp time) { return value(to_epoch_ms(time)); }
    template <class T>
    JsonWriter& value(const std::optional<T>& maybe) {
        return maybe ? value(*maybe) : raw("null");
    }
    /// Text that is JSON already.
    JsonWriter& raw(std::string_view text) {
        separate();
        out_.append(text);
        return *this;
    }

    template <class T>
    JsonWriter& member(std::string_view name, const T& item) {
        return key(name).value(item);
    }

 private:
    void separate() {
        if (comma_) {
            out_.push_back(',');
        }
        comma_ = true;
    }
    JsonWriter& open(char bracket) {
        separate();
        out_.push_back(bracket);
        comma_ = false;
        return *this;
    }
    JsonWriter& close(char bracket) {
        out_.push_back(bracket);
        comma_ = true;
        return *this;
    }

    std::string& out_;
    bool comma_ = false;
};

}  // namespace muster

#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/function_ref.h"
#include "base/result.h"

namespace muster {

/// A blocking client of a running Muster's API, for commands beside it: one request, one connection. One thread; holds
/// one piece of an answer.
class ApiClient final {
 public:
    /// Names and values; the values are escaped here.
    using Query = std::vector<std::pair<std::string_view, std::string>>;
    /// Takes a piece of the answer; an error ends it.
    using OnBytes = FunctionRef<Result<void>(std::string_view bytes)>;

    /// `address`: "127.0.0.1:8080", "[::1]:8080".
    ApiClient(std::string address, std::string token) : address_(std::move(address)), token_(std::move(token)) {}

    /// GET of a path. unavailable: nobody listens there; closed: the answer was cut short; other errors are the API's
    /// own, in its words.
    [[nodiscard]] Result<void> get(std::string_view path, const Query& query, OnBytes on_bytes) const;
    /// POST with a JSON body, or DELETE with none. The same errors.
    [[nodiscard]] Result<void> post(std::string_view path, std::string json) const;
    [[nodiscard]] Result<void> remove(std::string_view path) const;

 private:
    std::string address_;
    std::string token_;
};

}  // namespace muster

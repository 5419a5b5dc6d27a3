#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace muster {

/// What a caller of the API may do; each includes those before it. Wire names: "viewer", "operator", "admin".
enum class Role : std::uint8_t { anyone, viewer, fleet_operator, admin };

[[nodiscard]] std::string_view name_of(Role role);
[[nodiscard]] std::optional<Role> role_from(std::string_view name);

/// Who a request comes from.
struct Identity {
    std::string name;  ///< the token's name, as it is written in the audit log
    Role role = Role::anyone;
};

/// The API's bearer tokens, read once from `{data directory}/tokens.json`, a file that only its owner may read.
/// Immutable after load, so any thread may ask. Tokens are kept as they are: whoever can read the file has the stores
/// beside it too.
class Tokens final {
 public:
    static constexpr std::size_t tokens_max = 1000;
    static constexpr std::size_t token_bytes_min = 16;
    static constexpr std::size_t token_bytes_max = 256;

    /// Reads `path`; where it does not exist, makes it (mode 0600) with one token a role from `make_token`.
    /// io, malformed, invalid_argument: with the path and what to do about it.
    [[nodiscard]] static Result<Tokens> load_or_create(const std::string& path,
                                                       const std::function<std::string()>& make_token);
    /// The same of a file that is there.
    [[nodiscard]] static Result<Tokens> load(const std::string& path);
    [[nodiscard]] static Result<Tokens> parse(std::string_view json);

    /// Whose token this is. Compares with every token in time that does not depend on where they differ.
    [[nodiscard]] std::optional<Identity> find(std::string_view token) const;
    /// Whether it is one of role operator or admin.
    [[nodiscard]] bool has_operator(std::string_view token) const;
    /// The first token of this role; empty when there is none.
    [[nodiscard]] std::string first_of(Role role) const;

 private:
    struct Entry {
        Identity identity;
        std::string token;
    };
    std::vector<Entry> entries_;
};

}  // namespace muster

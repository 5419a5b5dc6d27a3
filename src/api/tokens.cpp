#include "api/tokens.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include <boost/json.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/json_writer.h"
#include "contract/json.h"

namespace muster {
namespace {

constexpr std::size_t file_bytes_max = 1U << 20U;

/// Equal or not in time that depends on the lengths alone.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i])) ^ static_cast<unsigned char>(b[i]);
    }
    return difference == 0;
}

tl::unexpected<Error> system_failure(std::string_view text, const std::string& path) {
    return fail(ErrorCode::io, text, fmt::format("{}: {}", path, std::strerror(errno)));
}

std::string fresh_file(const std::function<std::string()>& make_token) {
    std::string out;
    JsonWriter writer(out);
    writer.begin_object();
    for (const Role role : {Role::viewer, Role::fleet_operator, Role::admin}) {
        writer.member(name_of(role), make_token());
    }
    writer.end_object();
    out.push_back('\n');
    return out;
}

/// The whole file or nothing is at `path`, even when the machine stops half-way.
Result<void> write_private_file(const std::string& path, std::string_view bytes) {
    const std::string temporary = path + ".new";
    const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) {
        return system_failure("cannot write the API's tokens", temporary);
    }
    const bool written = ::write(file, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
    const bool durable = written && ::fsync(file) == 0;
    ::close(file);
    if (!durable || ::rename(temporary.c_str(), path.c_str()) != 0) {
        return system_failure("cannot write the API's tokens", path);
    }
    return {};
}

}  // namespace

std::string_view name_of(Role role) {
    switch (role) {
        case Role::anyone:
            return "anyone";
        case Role::viewer:
            return "viewer";
        case Role::fleet_operator:
            return "operator";
        case Role::admin:
            return "admin";
    }
    return "anyone";
}

std::optional<Role> role_from(std::string_view name) {
    for (const Role role : {Role::viewer, Role::fleet_operator, Role::admin}) {
        if (name_of(role) == name) {
            return role;
        }
    }
    return std::nullopt;
}

Result<Tokens> Tokens::load_or_create(const std::string& path, const std::function<std::string()>& make_token) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0 || errno != ENOENT) {
        return load(path);
    }
    const std::string fresh = fresh_file(make_token);
    if (auto written = write_private_file(path, fresh); !written) {
        return tl::unexpected(written.error());
    }
    return parse(fresh);
}

Result<Tokens> Tokens::load(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0) {
        return system_failure("cannot read the API's tokens", path);
    }
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return fail(ErrorCode::invalid_argument, "the API's token file can be read by others; run chmod 600 on it",
                    path);
    }
    if (status.st_size > static_cast<off_t>(file_bytes_max)) {
        return fail(ErrorCode::too_large, "the API's token file is larger than 1 MiB", path);
    }
    std::ifstream file(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!file) {
        return system_failure("cannot read the API's tokens", path);
    }
    auto tokens = parse(text);
    if (!tokens) {
        return fail(tokens.error().code, "the API's token file is not as it should be",
                    path + ": " + tokens.error().message());
    }
    return tokens;
}

Result<Tokens> Tokens::parse(std::string_view text) {
    const auto object = json::parse_object(text);
    if (!object) {
        return tl::unexpected(object.error());
    }
    if (object->size() > tokens_max) {
        return fail(ErrorCode::malformed, "at most 1000 tokens");
    }
    Tokens tokens;
    for (const auto& item : *object) {
        Entry entry;
        entry.identity.name = std::string(item.key());
        std::string role_name = entry.identity.name;
        if (item.value().is_string()) {
            entry.token = std::string(std::string_view(item.value().get_string()));
        } else if (!item.value().is_object() || !json::read(item.value().get_object(), "role", role_name) ||
                   !json::read(item.value().get_object(), "token", entry.token)) {
            return fail(ErrorCode::malformed, "a token is text, or an object with role and token", entry.identity.name);
        }
        const auto role = role_from(role_name);
        if (!role) {
            return fail(ErrorCode::malformed, "a token's role is viewer, operator or admin", entry.identity.name);
        }
        if (entry.token.size() < token_bytes_min || entry.token.size() > token_bytes_max) {
            return fail(ErrorCode::malformed, "a token has 16 to 256 characters", entry.identity.name);
        }
        entry.identity.role = *role;
        tokens.entries_.push_back(std::move(entry));
    }
    return tokens;
}

std::optional<Identity> Tokens::find(std::string_view token) const {
    const Entry* found = nullptr;
    for (const Entry& entry : entries_) {
        if (equal_in_constant_time(entry.token, token)) {
            found = &entry;
        }
    }
    return found == nullptr ? std::nullopt : std::optional(found->identity);
}

bool Tokens::has_operator(std::string_view token) const {
    const auto identity = find(token);
    return identity && identity->role >= Role::fleet_operator;
}

std::string Tokens::first_of(Role role) const {
    for (const Entry& entry : entries_) {
        if (entry.identity.role == role) {
            return entry.token;
        }
    }
    return {};
}

}  // namespace muster

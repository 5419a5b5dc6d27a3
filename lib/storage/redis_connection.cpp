#include "storage/redis_connection.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>

#include "base/assert.h"

namespace muster {
namespace {

constexpr std::string_view scheme = "redis://";
constexpr std::string_view cannot_reach = "cannot reach Redis";
constexpr std::string_view refused = "Redis refused a command";

timeval timeval_of(Millis time) {
    timeval result{};
    result.tv_sec = static_cast<time_t>(time.count() / 1000);
    result.tv_usec = static_cast<suseconds_t>(time.count() % 1000 * 1000);
    return result;
}

template <class Number>
std::optional<Number> number_from(std::string_view digits) {
    Number number{};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return error == std::errc() && end == digits.data() + digits.size() ? std::optional(number) : std::nullopt;
}

std::optional<std::string> percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded += text[i];
            continue;
        }
        std::uint8_t byte = 0;
        const std::string_view digits = text.substr(i + 1, 2);
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
        if (digits.size() != 2 || error != std::errc() || end != digits.data() + 2) {
            return std::nullopt;
        }
        decoded += static_cast<char>(byte);
        i += 2;
    }
    return decoded;
}

}  // namespace

std::string RedisOptions::url() const {
    return fmt::format("{}{}:{}{}", scheme, host, port, database == 0 ? "" : fmt::format("/{}", database));
}

Result<RedisOptions> parse_redis_url(std::string_view url) {
    const auto wrong = [&] {
        return fail(ErrorCode::invalid_argument,
                    "a Redis server is written redis://[user:password@]host[:port][/database]");
    };
    if (!url.starts_with(scheme)) {
        return wrong();
    }
    std::string_view rest = url.substr(scheme.size());
    RedisOptions options;
    if (const auto slash = rest.rfind('/'); slash != std::string_view::npos) {
        const auto database = number_from<std::uint32_t>(rest.substr(slash + 1));
        if (!database && slash + 1 != rest.size()) {
            return wrong();
        }
        options.database = database.value_or(0);
        rest = rest.substr(0, slash);
    }
    if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
        const std::string_view credentials = rest.substr(0, at);
        const auto colon = credentials.find(':');
        const auto user = percent_decoded(credentials.substr(0, colon));
        const auto password =
            percent_decoded(colon == std::string_view::npos ? std::string_view{} : credentials.substr(colon + 1));
        if (!user || !password) {
            return wrong();
        }
        options.user = *user;
        options.password = *password;
        rest = rest.substr(at + 1);
    }
    if (const auto colon = rest.rfind(':'); colon != std::string_view::npos && rest.back() != ']') {
        const auto port = number_from<std::uint16_t>(rest.substr(colon + 1));
        if (!port || *port == 0) {
            return wrong();
        }
        options.port = *port;
        rest = rest.substr(0, colon);
    }
    if (rest.starts_with('[') && rest.ends_with(']')) {
        rest = rest.substr(1, rest.size() - 2);
    }
    if (rest.empty()) {
        return wrong();
    }
    options.host = rest;
    return options;
}

// ---- replies

bool RedisValue::is_nil() const {
    return reply_ == nullptr || reply_->type == REDIS_REPLY_NIL;
}

std::string_view RedisValue::text() const {
    const bool is_text =
        reply_ != nullptr && (reply_->type == REDIS_REPLY_STRING || reply_->type == REDIS_REPLY_STATUS);
    return is_text ? std::string_view(reply_->str, static_cast<std::size_t>(reply_->len)) : std::string_view{};
}

std::int64_t RedisValue::integer() const {
    if (reply_ != nullptr && reply_->type == REDIS_REPLY_INTEGER) {
        return reply_->integer;
    }
    return number_from<std::int64_t>(text()).value_or(0);
}

std::size_t RedisValue::size() const {
    return reply_ != nullptr && reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0;
}

RedisValue RedisValue::operator[](std::size_t index) const {
    return RedisValue(index < size() ? reply_->element[index] : nullptr);
}

RedisReply::RedisReply(redisReply* reply) : RedisValue(reply), owned_(reply) {}

void RedisReply::Free::operator()(redisReply* reply) const {
    freeReplyObject(reply);
}

// ---- the connection

void RedisConnection::Free::operator()(redisContext* context) const {
    redisFree(context);
}

Result<std::unique_ptr<RedisConnection>> RedisConnection::open(const RedisOptions& options) {
    redisContext* const context =
        redisConnectWithTimeout(options.host.c_str(), options.port, timeval_of(options.connect_timeout));
    MUSTER_ASSERT(context != nullptr);  // only when memory is out
    std::unique_ptr<RedisConnection> connection(new RedisConnection(context, options.url()));
    if (context->err != 0 || redisSetTimeout(context, timeval_of(options.command_timeout)) != REDIS_OK) {
        return connection->lost();
    }
    (void)redisEnableKeepAlive(context);
    if (!options.password.empty()) {
        const auto done = options.user.empty() ? connection->command({"AUTH", options.password})
                                               : connection->command({"AUTH", options.user, options.password});
        if (!done) {
            return tl::unexpected(done.error());
        }
    }
    if (options.database != 0) {
        if (const auto done = connection->command({"SELECT", std::to_string(options.database)}); !done) {
            return tl::unexpected(done.error());
        }
    }
    return connection;
}

RedisConnection::~RedisConnection() = default;

bool RedisConnection::is_broken() const {
    return context_->err != 0;
}

tl::unexpected<Error> RedisConnection::lost() const {
    const bool timed_out = context_->err == REDIS_ERR_IO && errno == EAGAIN;
    return fail(ErrorCode::unavailable, cannot_reach,
                fmt::format("{}: {}", url_, timed_out ? "no answer in time" : context_->errstr));
}

void RedisConnection::append(std::span<const std::string_view> words) {
    std::vector<const char*> texts;
    std::vector<std::size_t> sizes;
    texts.reserve(words.size());
    sizes.reserve(words.size());
    for (const std::string_view word : words) {
        texts.push_back(word.data());
        sizes.push_back(word.size());
    }
    (void)redisAppendCommandArgv(context_.get(), static_cast<int>(words.size()), texts.data(), sizes.data());
}

Result<RedisReply> RedisConnection::read() {
    if (ahead_) {
        RedisReply reply = std::move(*ahead_);
        ahead_.reset();
        return reply;
    }
    void* raw = nullptr;
    if (redisGetReply(context_.get(), &raw) != REDIS_OK) {
        return lost();
    }
    auto* const reply = static_cast<redisReply*>(raw);
    RedisReply owned(reply);
    if (reply->type != REDIS_REPLY_ERROR) {
        return owned;
    }
    const std::string_view words(reply->str, static_cast<std::size_t>(reply->len));
    return fail(words.starts_with("NOSCRIPT") ? ErrorCode::not_found : ErrorCode::unavailable, refused,
                fmt::format("{}: {}", url_, words));
}

Result<RedisReply> RedisConnection::command(std::initializer_list<std::string_view> words) {
    append(words);
    return read();
}

Result<bool> RedisConnection::wait_readable(Millis wait) {
    if (ahead_) {
        return true;
    }
    void* raw = nullptr;
    if (redisGetReplyFromReader(context_.get(), &raw) != REDIS_OK) {
        return lost();
    }
    if (raw != nullptr) {
        ahead_ = std::make_unique<RedisReply>(static_cast<redisReply*>(raw));
        return true;
    }
    pollfd waited{.fd = context_->fd, .events = POLLIN, .revents = 0};
    return ::poll(&waited, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace muster

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

struct redisContext;  // NOLINT(readability-identifier-naming): of hiredis
struct redisReply;    // NOLINT(readability-identifier-naming): of hiredis

namespace muster {

// What the stores on Redis share: how a server is reached, and how its words become an Error. Only redis_* files
// include this header.

/// Where a Redis server is, and how long it may take.
struct RedisOptions {
    std::string host = "127.0.0.1";
    std::uint16_t port = 6379;
    std::string user{};      ///< empty: the default user
    std::string password{};  ///< empty: none is sent
    std::uint32_t database = 0;
    Millis connect_timeout{1000};
    Millis command_timeout{2000};  ///< for one reply, also where the server is busy with somebody else's script

    /// "redis://127.0.0.1:6379", for messages: without the password.
    [[nodiscard]] std::string url() const;
};

/// Reads redis://[user][:password]@host[:port][/database]; the user's and the password's bytes may be %-encoded.
/// invalid_argument: it is none.
[[nodiscard]] Result<RedisOptions> parse_redis_url(std::string_view url);

/// A part of a reply; lives as long as the reply.
class RedisValue {
 public:
    explicit RedisValue(const redisReply* reply) : reply_(reply) {}

    [[nodiscard]] bool is_nil() const;
    /// Of a string or a status; else empty.
    [[nodiscard]] std::string_view text() const;
    /// Of an integer, or of a string of digits; else 0.
    [[nodiscard]] std::int64_t integer() const;
    [[nodiscard]] std::uint64_t unsigned_integer() const { return static_cast<std::uint64_t>(integer()); }
    /// Of an array; else 0.
    [[nodiscard]] std::size_t size() const;
    [[nodiscard]] RedisValue operator[](std::size_t index) const;

 private:
    const redisReply* reply_;
};

/// A reply and its memory.
class RedisReply final : public RedisValue {
 public:
    explicit RedisReply(redisReply* reply);

 private:
    struct Free {
        void operator()(redisReply* reply) const;
    };
    std::unique_ptr<redisReply, Free> owned_;
};

/// One connection to one server, by blocking calls: commands are appended, then their replies are read in the same
/// order. One thread. After an error of the connection it is broken for good.
class RedisConnection final {
 public:
    /// Connects, authenticates, selects the database. unavailable: the message names the server.
    [[nodiscard]] static Result<std::unique_ptr<RedisConnection>> open(const RedisOptions& options);
    ~RedisConnection();
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;

    void append(std::span<const std::string_view> words);
    void append(std::initializer_list<std::string_view> words) { append(std::span(words.begin(), words.size())); }
    /// The next reply. not_found: the server does not have the script (NOSCRIPT). unavailable: it refused, or it cannot
    /// be reached: then is_broken().
    [[nodiscard]] Result<RedisReply> read();
    [[nodiscard]] Result<RedisReply> command(std::initializer_list<std::string_view> words);
    [[nodiscard]] bool is_broken() const;

    /// Whether there is something to read, waiting at most `wait` for it. For what comes unasked (a subscription).
    [[nodiscard]] Result<bool> wait_readable(Millis wait);

 private:
    RedisConnection(redisContext* context, std::string url) : context_(context), url_(std::move(url)) {}
    [[nodiscard]] tl::unexpected<Error> lost() const;

    struct Free {
        void operator()(redisContext* context) const;
    };
    std::unique_ptr<redisContext, Free> context_;
    const std::string url_;
    std::unique_ptr<RedisReply> ahead_;  ///< read by wait_readable()
};

}  // namespace muster

#include "gateway/transport.h"

#include "net/proxy_header.h"

namespace muster {
namespace {

TransportFailure failure_of(const Error& error) {
    return error.code == ErrorCode::unsupported ? TransportFailure::proxy_version_1 : TransportFailure::proxy_missing;
}

}  // namespace

std::string_view name_of(TransportFailure failure) {
    switch (failure) {
        case TransportFailure::none:
            return "none";
        case TransportFailure::proxy_missing:
            return "proxy_missing";
        case TransportFailure::proxy_version_1:
            return "proxy_version_1";
        case TransportFailure::proxy_malformed:
            return "proxy_malformed";
    }
    return "unknown";
}

Transport::Transport(bool expects_proxy_header) {
    if (expects_proxy_header) {
        proxy_header_ = std::make_unique<std::string>();
    }
}

Result<std::size_t> Transport::read(const net::TcpSocket& socket, std::span<char> into) {
    return proxy_header_ ? read_proxy_header(socket) : socket.read(into);
}

Result<std::size_t> Transport::write(const net::TcpSocket& socket, std::string_view bytes) {
    if (proxy_header_) {
        return bytes.size();  // there is nobody yet to whom it could be said
    }
    Result<std::size_t> written = socket.write(bytes);
    if (!written && written.error().code == ErrorCode::would_block) {
        return 0;
    }
    return written;
}

// Takes not a byte more than the header from the socket: what follows belongs to the next stage.
Result<std::size_t> Transport::read_proxy_header(const net::TcpSocket& socket) {
    std::string& header = *proxy_header_;
    const Result<std::size_t> wanted = net::proxy_header_bytes(header);
    const std::size_t have = header.size();
    header.resize(*wanted);
    const Result<std::size_t> got = socket.read(std::span(header).subspan(have));
    header.resize(have + (got ? *got : 0));
    if (!got) {
        return got;
    }
    const Result<std::size_t> bytes = net::proxy_header_bytes(header);
    if (!bytes) {
        return fail_with(failure_of(bytes.error()), bytes.error());
    }
    if (header.size() == *bytes && header.size() > net::proxy_fixed_bytes) {
        auto parsed = net::parse_proxy_header(header);
        if (!parsed) {
            return fail_with(TransportFailure::proxy_malformed, parsed.error());
        }
        client_ = parsed->client;
        proxy_header_.reset();
    }
    return 0;
}

tl::unexpected<Error> Transport::fail_with(TransportFailure failure, const Error& error) {
    failure_ = failure;
    return fail(ErrorCode::closed, error.text);
}

}  // namespace muster

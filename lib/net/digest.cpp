#include "net/digest.h"

#include <array>

#include <openssl/evp.h>

#include "base/assert.h"

namespace muster::net {

std::string sha1_base64(std::string_view bytes) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    std::array<unsigned char, 2UL * EVP_MAX_MD_SIZE> text{};
    unsigned size = 0;
    MUSTER_ASSERT(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1);
    const int written = EVP_EncodeBlock(text.data(), digest.data(), static_cast<int>(size));
    return {reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(written)};
}

}  // namespace muster::net

#include "base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace muster {

void assertion_failed(const char* condition, const char* file, int line) {
    std::fprintf(stderr, "muster: assertion failed: %s at %s:%d\n", condition, file, line);
    std::abort();
}

}  // namespace muster

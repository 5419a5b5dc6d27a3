#include "gateway/embedded_session_store.h"
#include "gateway/take_over_conformance.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

class SharedEmbeddedStore final : public SharedSessionStore {
 public:
    SessionStore& store() override { return *store_; }

 private:
    ScratchDirectory directory_;
    std::unique_ptr<SessionStore> store_ = std::move(*EmbeddedSessionStore::open(directory_.path()));
};

INSTANTIATE_TEST_SUITE_P(Embedded, TakeOver, ::testing::Values([] { return std::make_unique<SharedEmbeddedStore>(); }));

}  // namespace
}  // namespace muster

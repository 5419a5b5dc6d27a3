#include "gateway/embedded_session_store.h"

#include <filesystem>
#include <fstream>

#include "gateway/session_store_conformance.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

class EmbeddedPlace final : public SessionStorePlace {
 public:
    std::unique_ptr<SessionStore> open() override { return std::move(*EmbeddedSessionStore::open(directory_.path())); }

 private:
    ScratchDirectory directory_;
};

std::unique_ptr<SessionStorePlace> make_embedded_place() {
    return std::make_unique<EmbeddedPlace>();
}

INSTANTIATE_TEST_SUITE_P(Embedded, SessionStoreConformance, ::testing::Values(&make_embedded_place));

TEST(EmbeddedSessionStore, a_directory_in_use_is_a_clear_error) {
    const ScratchDirectory directory;
    const auto first = EmbeddedSessionStore::open(directory.path());
    ASSERT_TRUE(first);
    const auto second = EmbeddedSessionStore::open(directory.path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find(directory.path()), std::string::npos);
}

TEST(EmbeddedSessionStore, a_directory_that_cannot_be_made_is_a_clear_error) {
    const auto store = EmbeddedSessionStore::open("/proc/nowhere/sessions");
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message().find("/proc/nowhere/sessions"), std::string::npos);
}

TEST(EmbeddedSessionStore, damaged_files_are_a_clear_error) {
    const ScratchDirectory directory;
    (void)*EmbeddedSessionStore::open(directory.path());
    for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
        if (file.path().filename().string().starts_with("MANIFEST")) {
            std::ofstream(file.path(), std::ios::trunc) << "not a manifest";
        }
    }
    const auto store = EmbeddedSessionStore::open(directory.path());
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace muster

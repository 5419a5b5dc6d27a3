#include "shadow/embedded_document_store.h"

#include "shadow/document_store_conformance.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

class EmbeddedFixture {
 public:
    EmbeddedFixture() { reopen(); }
    DocumentStore& store() { return *store_; }
    void reopen() {
        store_.reset();  // flushes nothing: what is read back comes from the write-ahead log
        auto opened = EmbeddedDocumentStore::open(directory_.path());
        ASSERT_TRUE(opened) << opened.error().message();
        store_ = std::move(*opened);
    }

 private:
    ScratchDirectory directory_;
    std::unique_ptr<EmbeddedDocumentStore> store_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, DocumentStoreConformance, EmbeddedFixture);

TEST(EmbeddedDocumentStore, a_directory_that_is_in_use_is_refused) {
    ScratchDirectory directory;
    const auto first = EmbeddedDocumentStore::open(directory.path());
    ASSERT_TRUE(first);
    const auto second = EmbeddedDocumentStore::open(directory.path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message().find(directory.path()), std::string::npos);
}

}  // namespace
}  // namespace muster

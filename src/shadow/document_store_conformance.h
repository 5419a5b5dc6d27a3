#pragma once

#include <array>
#include <memory>

#include <gtest/gtest.h>

#include "shadow/document_store.h"

namespace muster {

// What every DocumentStore must do. An implementation's test makes a fixture type with
//   DocumentStore& store();   // empty at first
//   void reopen();            // as a process would after it was killed: no goodbye to the store
// and instantiates: INSTANTIATE_TYPED_TEST_SUITE_P(Embedded, DocumentStoreConformance, EmbeddedFixture);

template <class Fixture>
class DocumentStoreConformance : public ::testing::Test {
 protected:
    using Pairs = std::vector<std::pair<std::string, std::string>>;

    DocumentStore& store() { return fixture_.store(); }
    void put(std::string_view collection, std::string_view key, std::string_view document) {
        const std::array writes{DocumentWrite{collection, std::string(key), std::string(document)}};
        ASSERT_TRUE(store().commit(writes));
    }
    std::string get(std::string_view collection, std::string_view key) {
        const auto found = store().get(collection, key);
        return found && *found ? **found : "(none)";
    }
    Pairs list(std::string_view prefix, std::string_view after = {}, std::size_t limit = 100) {
        const auto found = store().list("things", prefix, after, limit);
        EXPECT_TRUE(found);
        return found ? *found : Pairs{};
    }

    Fixture fixture_;
};

TYPED_TEST_SUITE_P(DocumentStoreConformance);

TYPED_TEST_P(DocumentStoreConformance, a_committed_document_is_read_back) {
    this->put("things", "a", R"({"x":1})");
    EXPECT_EQ(this->get("things", "a"), R"({"x":1})");
    EXPECT_EQ(this->get("things", "b"), "(none)");
}

TYPED_TEST_P(DocumentStoreConformance, a_later_commit_replaces_and_removes) {
    this->put("things", "a", R"({"x":1})");
    this->put("things", "a", R"({"x":2})");
    EXPECT_EQ(this->get("things", "a"), R"({"x":2})");
    const std::array remove{DocumentWrite{"things", "a", std::nullopt}};
    ASSERT_TRUE(this->store().commit(remove));
    EXPECT_EQ(this->get("things", "a"), "(none)");
    ASSERT_TRUE(this->store().commit(remove)) << "removing what is not there is no error";
}

TYPED_TEST_P(DocumentStoreConformance, collections_are_apart) {
    this->put("things", "a", R"({"x":1})");
    this->put("thing", "a", R"({"x":2})");
    EXPECT_EQ(this->get("things", "a"), R"({"x":1})");
    EXPECT_EQ(this->get("thing", "a"), R"({"x":2})");
    EXPECT_EQ(this->list("").size(), 1U);
}

TYPED_TEST_P(DocumentStoreConformance, one_commit_writes_several_documents) {
    const std::array writes{DocumentWrite{"things", "a", "{}"}, DocumentWrite{"others", "b", "[]"}};
    ASSERT_TRUE(this->store().commit(writes));
    EXPECT_EQ(this->get("things", "a"), "{}");
    EXPECT_EQ(this->get("others", "b"), "[]");
}

TYPED_TEST_P(DocumentStoreConformance, an_empty_commit_is_nothing) {
    EXPECT_TRUE(this->store().commit({}));
}

TYPED_TEST_P(DocumentStoreConformance, lists_a_prefix_in_the_order_of_bytes) {
    for (const std::string_view key : {"d2/", "d1/b", "d1/", "d1/a", "d10/a", "d1"}) {
        this->put("things", key, "{}");
    }
    EXPECT_EQ(this->list("d1/"), (typename TestFixture::Pairs{{"d1/", "{}"}, {"d1/a", "{}"}, {"d1/b", "{}"}}));
    EXPECT_EQ(this->list("").size(), 6U);
    EXPECT_TRUE(this->list("e").empty());
}

TYPED_TEST_P(DocumentStoreConformance, a_list_is_read_page_by_page) {
    for (const std::string_view key : {"d/1", "d/2", "d/3", "e/1"}) {
        this->put("things", key, "{}");
    }
    EXPECT_EQ(this->list("d/", "", 2), (typename TestFixture::Pairs{{"d/1", "{}"}, {"d/2", "{}"}}));
    EXPECT_EQ(this->list("d/", "d/2", 2), (typename TestFixture::Pairs{{"d/3", "{}"}}));
    EXPECT_TRUE(this->list("d/", "d/3", 2).empty());
    EXPECT_TRUE(this->list("d/", "", 0).empty());
}

TYPED_TEST_P(DocumentStoreConformance, what_was_committed_survives_a_restart) {
    this->put("things", "a", R"({"x":1})");
    const std::array remove{DocumentWrite{"things", "b", std::nullopt}};
    this->put("things", "b", "{}");
    ASSERT_TRUE(this->store().commit(remove));
    this->fixture_.reopen();
    EXPECT_EQ(this->get("things", "a"), R"({"x":1})");
    EXPECT_EQ(this->get("things", "b"), "(none)");
}

REGISTER_TYPED_TEST_SUITE_P(DocumentStoreConformance, a_committed_document_is_read_back,
                            a_later_commit_replaces_and_removes, collections_are_apart,
                            one_commit_writes_several_documents, an_empty_commit_is_nothing,
                            lists_a_prefix_in_the_order_of_bytes, a_list_is_read_page_by_page,
                            what_was_committed_survives_a_restart);

}  // namespace muster

#include <array>
#include <chrono>

#include <gtest/gtest.h>

#include "bus/embedded_bus.h"
#include "shadow/document_publisher.h"
#include "shadow/document_store_conformance.h"
#include "shadow/embedded_document_store.h"
#include "storage/scratch_directory.h"

namespace muster {
namespace {

constexpr int waits_max = 1000;

/// A bus, and as many document stores with publishers and followers as a test wants.
class PublisherFixture {
 public:
    PublisherFixture() {
        EmbeddedBusOptions options;
        options.directory = directory_.path() + "/bus";
        options.partitions = 4;
        options.commit_interval = Millis(1);
        auto opened = EmbeddedBus::open(options, metrics_);
        bus_ = std::move(opened.value());
        reopen();
    }

    DocumentStore& store() { return *publisher_; }
    DocumentStore& local() { return *local_; }
    Bus& bus() { return *bus_; }
    MetricRegistry& metrics() { return metrics_; }
    void reopen() { open("documents"); }
    void open(const std::string& name) {
        publisher_.reset();
        local_.reset();
        local_ = open_store(name);
        auto started = DocumentPublisher::start(*local_, *bus_, metrics_);
        ASSERT_TRUE(started) << started.error().message();
        publisher_ = std::move(*started);
    }
    std::unique_ptr<DocumentStore> open_store(const std::string& name) {
        return std::move(EmbeddedDocumentStore::open(directory_.path() + "/" + name).value());
    }

 private:
    ScratchDirectory directory_;
    MetricRegistry metrics_;
    std::unique_ptr<Bus> bus_;
    std::unique_ptr<DocumentStore> local_;
    std::unique_ptr<DocumentPublisher> publisher_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Published, DocumentStoreConformance, PublisherFixture);

void put(DocumentStore& store, std::string_view key, std::optional<std::string> document) {
    const std::array writes{DocumentWrite{"shadow", std::string(key), std::move(document)}};
    ASSERT_TRUE(store.commit(writes));
}

std::string get(const DocumentStore& store, std::string_view key) {
    const auto found = store.get("shadow", key);
    return found && *found ? **found : "(none)";
}

/// Bounded by the turns, not by a clock.
void wait_until_caught_up(const DocumentFollower& follower) {
    for (int i = 0; i < waits_max && !follower.caught_up(); ++i) {
        std::this_thread::sleep_for(Millis(10));
    }
    ASSERT_TRUE(follower.caught_up());
}

TEST(DocumentFollower, has_what_was_committed_before_its_start_and_after) {
    PublisherFixture fixture;
    put(fixture.store(), "a", "1");
    put(fixture.store(), "b", "2");
    put(fixture.store(), "a", std::nullopt);
    const auto copy = fixture.open_store("copy");
    const auto follower = DocumentFollower::start(*copy, fixture.bus(), fixture.metrics());
    ASSERT_TRUE(follower);
    wait_until_caught_up(**follower);
    EXPECT_EQ(get(*copy, "a"), "(none)");
    EXPECT_EQ(get(*copy, "b"), "2");
    put(fixture.store(), "c", "3");
    for (int i = 0; i < waits_max && get(*copy, "c") == "(none)"; ++i) {
        std::this_thread::sleep_for(Millis(10));
    }
    EXPECT_EQ(get(*copy, "c"), "3");
}

TEST(DocumentPublisher, a_new_disk_is_filled_from_the_bus) {
    PublisherFixture fixture;
    put(fixture.store(), "a", "1");
    put(fixture.store(), "b", "2");
    fixture.open("another disk");
    EXPECT_EQ(get(fixture.store(), "a"), "1");
    EXPECT_EQ(get(fixture.store(), "b"), "2");
}

TEST(DocumentPublisher, what_a_kill_kept_from_the_bus_is_published_at_the_next_start) {
    PublisherFixture fixture;
    put(fixture.store(), "a", "1");
    // Committed with its note, and killed before the bus had it.
    const std::array cut_short{DocumentWrite{"shadow", "a", "2"}, DocumentWrite{"unpublished", "shadow/a", ""}};
    ASSERT_TRUE(fixture.local().commit(cut_short));
    fixture.reopen();
    const auto copy = fixture.open_store("copy");
    const auto follower = DocumentFollower::start(*copy, fixture.bus(), fixture.metrics());
    ASSERT_TRUE(follower);
    wait_until_caught_up(**follower);
    EXPECT_EQ(get(*copy, "a"), "2");
    // The note goes with the next commit.
    put(fixture.store(), "b", "1");
    const auto notes = fixture.local().list("unpublished", {}, {}, 10);
    ASSERT_TRUE(notes);
    ASSERT_EQ(notes->size(), 1U);
    EXPECT_EQ(notes->front().first, "shadow/b");
}

}  // namespace
}  // namespace muster

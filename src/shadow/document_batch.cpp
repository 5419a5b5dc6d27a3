#include "shadow/document_batch.h"

namespace muster {
namespace {

std::string place_of(std::string_view collection, std::string_view key) {
    std::string place(collection);
    place.push_back('\0');
    return place.append(key);
}

}  // namespace

Result<std::optional<std::string>> DocumentBatch::get(std::string_view collection, std::string_view key) const {
    const auto found = places_.find(place_of(collection, key));
    return found == places_.end() ? store_.get(collection, key) : writes_[found->second].document;
}

void DocumentBatch::put(std::string_view collection, std::string key, std::string document) {
    write({collection, std::move(key), std::move(document)});
}

void DocumentBatch::remove(std::string_view collection, std::string key) {
    write({collection, std::move(key), std::nullopt});
}

void DocumentBatch::write(DocumentWrite write) {
    const auto [place, is_new] = places_.try_emplace(place_of(write.collection, write.key), writes_.size());
    if (is_new) {
        writes_.push_back(std::move(write));
    } else {
        writes_[place->second] = std::move(write);
    }
}

void DocumentBatch::clear() {
    writes_.clear();
    places_.clear();
}

}  // namespace muster

#include "status/text_pool.h"

#include "base/assert.h"

namespace muster {

TextPool::TextPool() {
    entries_.emplace_back();
}

TextPool::Number TextPool::find(std::string_view text) const {
    if (text.empty()) {
        return 0;
    }
    const auto found = numbers_.find(text);
    return found == numbers_.end() ? absent : found->second;
}

TextPool::Number TextPool::acquire(std::string_view text) {
    const Number known = find(text);
    if (known != absent) {
        ++entries_[known].users;
        return known;
    }
    Number number = 0;
    if (free_.empty()) {
        number = static_cast<Number>(entries_.size());
        entries_.emplace_back();
    } else {
        number = free_.back();
        free_.pop_back();
    }
    entries_[number] = {std::string(text), 1};
    numbers_.emplace(entries_[number].text, number);
    return number;
}

void TextPool::release(Number number) {
    if (number == 0) {
        return;
    }
    Entry& entry = entries_[number];
    MUSTER_ASSERT(entry.users > 0);
    if (--entry.users == 0) {
        numbers_.erase(entry.text);
        entry.text = {};
        free_.push_back(number);
    }
}

void TextPool::replace(Number& number, std::string_view text) {
    if (this->text(number) == text) {
        return;
    }
    const Number next = acquire(text);
    release(number);
    number = next;
}

}  // namespace muster

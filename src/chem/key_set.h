// The keys of the products a parent has given so far.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace molsieve {

// Open addressing, cleared per parent, at most `TransformerSettings::products_per_parent_max` entries.
class KeySet {
 public:
  void clear() {
    size_ = 0;
    if (++generation_ == 0) {
      entries_.clear();
      generation_ = 1;
    }
  }

  // True if the key was not in the set.
  bool insert(std::uint64_t low, std::uint64_t high) {
    if (2 * (size_ + 1) > entries_.size()) {
      grow();
    }
    const auto mask = entries_.size() - 1;
    for (auto i = low & mask;; i = (i + 1) & mask) {
      auto &entry = entries_[i];
      if (entry.generation != generation_) {
        entry = {low, high, generation_};
        ++size_;
        return true;
      }
      if (entry.low == low && entry.high == high) {
        return false;
      }
    }
  }

  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t low, high;
    std::uint32_t generation;  // an entry of another generation is empty
  };

  void grow() {
    std::vector<Entry> old(std::max<std::size_t>(256, 2 * entries_.size()));
    old.swap(entries_);
    size_ = 0;
    for (const auto &entry : old) {
      if (entry.generation == generation_) {
        insert(entry.low, entry.high);
      }
    }
  }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
  std::uint32_t generation_ = 1;
};

}  // namespace molsieve

#include "molsieve/src/chem/key_set.h"

#include <algorithm>

namespace molsieve {

void KeySet::clear() {
  size_ = 0;
  if (++generation_ == 0) {
    entries_.clear();
    generation_ = 1;
  }
}

bool KeySet::insert(std::uint64_t low, std::uint64_t high) {
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

void KeySet::grow() {
  std::vector<Entry> old(std::max<std::size_t>(256, 2 * entries_.size()));
  old.swap(entries_);
  size_ = 0;
  for (const auto &entry : old) {
    if (entry.generation == generation_) {
      insert(entry.low, entry.high);
    }
  }
}

}  // namespace molsieve

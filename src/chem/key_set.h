// The keys of the products a parent has given so far.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace molsieve {

// Open addressing, cleared per parent, at most `TransformerSettings::products_per_parent_max` entries.
class KeySet {
 public:
  void clear();
  // True if the key was not in the set.
  bool insert(std::uint64_t low, std::uint64_t high);
  std::size_t size() const { return size_; }

 private:
  struct Entry {
    std::uint64_t low, high;
    std::uint32_t generation;  // an entry of another generation is empty
  };
  void grow();

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
  std::uint32_t generation_ = 1;
};

}  // namespace molsieve

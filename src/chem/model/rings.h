// The rings of a molecule, as RDKit lists them.
#pragma once

#include <GraphMol/RingInfo.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace molsieve {

class Rings {
 public:
  // The atoms of a ring, or its bonds.
  using Members = std::span<const std::uint16_t>;

  void clear() { truncate(0); }
  void read(const RDKit::RingInfo &from);
  void add(Members atoms, Members bonds);
  // Adds the rings of another molecule whose first atom and bond get these numbers.
  void append(const Rings &other, std::uint16_t first_atom, std::uint16_t first_bond);
  // Leaves the first `rings` of them.
  void truncate(std::size_t rings);

  std::size_t size() const { return ends_.size(); }
  Members atoms(std::size_t ring) const { return of(atoms_, ring); }
  Members bonds(std::size_t ring) const { return of(bonds_, ring); }
  // How many rings an atom is in.
  unsigned int with_atom(std::uint16_t atom) const;
  std::size_t bytes() const;

 private:
  Members of(const std::vector<std::uint16_t> &members, std::size_t ring) const {
    const std::size_t begin = ring == 0 ? 0 : ends_[ring - 1];
    return Members(members).subspan(begin, ends_[ring] - begin);
  }

  // A ring has as many bonds as atoms.
  std::vector<std::uint16_t> atoms_, bonds_;
  std::vector<std::uint32_t> ends_;
};

}  // namespace molsieve

#include "molsieve/src/chem/edit/stereo.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace molsieve {

namespace {

constexpr unsigned int PHOSPHORUS = 15;
constexpr unsigned int CARBON = 6;

// How often a neighbour counts: twice the bond order. A double bond to phosphorus counts as nothing
// but itself.
unsigned int weight(const Graph &graph, const GraphBond &bond, std::uint16_t neighbour) {
  switch (bond.type) {
    case SINGLE: return 2;
    case TRIPLE: return 6;
    case AROMATIC: return 3;
    case DOUBLE: break;
  }
  const auto &atom = graph.atoms[neighbour];
  return atom.number == PHOSPHORUS && (atom.degree == 3 || atom.degree == 4) ? 1 : 4;
}

}  // namespace

bool StereoFinder::Entry::operator<(const Entry &other) const {
  return std::lexicographical_compare(values.begin(), values.begin() + length, other.values.begin(),
                                      other.values.begin() + other.length);
}

bool StereoFinder::Entry::operator==(const Entry &other) const {
  return length == other.length &&
         std::equal(values.begin(), values.begin() + length, other.values.begin());
}

// The ranks of an atom's neighbours, highest first, each as often as its bond says; then a zero per
// hydrogen.
void StereoFinder::collect(const Graph &graph, std::uint16_t index) {
  const auto &atom = graph.atoms[index];
  std::array<std::pair<std::uint16_t, std::uint8_t>, GRAPH_DEGREE_MAX> around;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    around[i] = {ranks_[atom.neighbours[i]] + 1,
                 weight(graph, graph.bonds[atom.bonds[i]], atom.neighbours[i])};
  }
  sort_few(around.data(), atom.degree,
           [](const auto &a, const auto &b) { return a.first > b.first; });
  auto &entry = entries_[index];
  entry.length = 0;
  for (unsigned int i = 0; i < atom.degree; ++i) {
    for (unsigned int j = 0; j < around[i].second; ++j) {
      entry.values[entry.length++] = around[i].first;
    }
  }
  for (unsigned int i = 0; i < atom.hydrogens && entry.length < entry.values.size(); ++i) {
    entry.values[entry.length++] = 0;
  }
}

// By element first; then classes are split by their neighbours' ranks until nothing changes.
void StereoFinder::rank(const Graph &graph) {
  const unsigned int size = graph.atoms.size();
  const auto order = order_.begin();
  std::iota(order, order + size, std::uint16_t{0});
  std::sort(order, order + size,
            [&](auto a, auto b) { return graph.atoms[a].number < graph.atoms[b].number; });
  unsigned int classes = 0;
  for (unsigned int i = 0; i < size; ++i) {
    classes += i > 0 && graph.atoms[order[i]].number != graph.atoms[order[i - 1]].number;
    ranks_[order[i]] = classes;
  }
  const unsigned int rounds_max = size / 2 + 1;
  std::array<std::uint16_t, GRAPH_ATOMS_MAX> renewed;
  for (unsigned int round = 0; round < rounds_max && classes + 1 < size; ++round) {
    for (unsigned int begin = 0, end; begin < size; begin = end) {
      end = begin + 1;
      while (end < size && ranks_[order[end]] == ranks_[order[begin]]) {
        ++end;
      }
      if (end - begin > 1) {
        std::for_each(order + begin, order + end, [&](auto atom) { collect(graph, atom); });
        std::sort(order + begin, order + end,
                  [&](auto a, auto b) { return entries_[a] < entries_[b]; });
      }
    }
    unsigned int now = 0;
    renewed[order[0]] = 0;
    for (unsigned int i = 1; i < size; ++i) {
      const auto a = order[i - 1], b = order[i];
      now += ranks_[a] != ranks_[b] || !(entries_[a] == entries_[b]);
      renewed[b] = now;
    }
    std::copy(renewed.begin(), renewed.begin() + size, ranks_.begin());
    if (now == classes) {
      break;
    }
    classes = now;
  }
}

bool StereoFinder::settle(Graph &graph) {
  if (!graph.has_tags && !graph.has_stereo) {
    return true;
  }
  const bool isotopes = std::any_of(graph.atoms.begin(), graph.atoms.end(),
                                    [](const auto &atom) { return atom.isotope != 0; });
  if (isotopes || might_spread(graph) || crosses(graph)) {
    return false;
  }
  rank(graph);
  for (const auto &atom : graph.atoms) {
    if (atom.tag != NO_TAG && !settle_atom(graph, atom)) {
      return false;
    }
  }
  for (auto &bond : graph.bonds) {
    if (bond.stereo != NO_STEREO && !settle_bond(graph, bond)) {
      return false;
    }
  }
  return true;
}

// A saturated carbon with four different substituents.
bool StereoFinder::settle_atom(const Graph &graph, const GraphAtom &atom) const {
  if (atom.number != CARBON || atom.charge != 0 || atom.degree < 3 ||
      atom.degree + atom.hydrogens != 4) {
    return false;
  }
  for (unsigned int i = 0; i < atom.degree; ++i) {
    if (graph.bonds[atom.bonds[i]].type != SINGLE) {
      return false;
    }
    for (unsigned int j = i + 1; j < atom.degree; ++j) {
      if (ranks_[atom.neighbours[i]] == ranks_[atom.neighbours[j]]) {
        return false;
      }
    }
  }
  return true;
}

// Refers the stereo to the highest substituent at each end.
bool StereoFinder::settle_bond(const Graph &graph, GraphBond &bond) const {
  const std::array<std::uint16_t, 2> ends{bond.begin, bond.end};
  for (unsigned int side = 0; side < 2; ++side) {
    const auto &atom = graph.atoms[ends[side]];
    auto highest = NO_INDEX;
    for (unsigned int i = 0; i < atom.degree; ++i) {
      const auto neighbour = atom.neighbours[i];
      if (neighbour == ends[1 - side]) {
        continue;
      }
      if (highest != NO_INDEX && ranks_[neighbour] == ranks_[highest]) {
        return false;
      }
      if (highest == NO_INDEX || ranks_[neighbour] > ranks_[highest]) {
        highest = neighbour;
      }
    }
    if (highest == NO_INDEX || atom.degree > 3) {
      return false;
    }
    if (highest != bond.stereo_atoms[side]) {
      bond.stereo = bond.stereo == Z ? E : Z;
      bond.stereo_atoms[side] = highest;
    }
  }
  return true;
}

// A double bond without stereo between two that have it would look to RDKit as if it had some, since
// the single bonds on both its sides bear directions.
bool StereoFinder::might_spread(const Graph &graph) const {
  if (!graph.has_stereo) {
    return false;
  }
  std::array<bool, GRAPH_ATOMS_MAX> has_stereo{};
  for (const auto &bond : graph.bonds) {
    if (bond.stereo != NO_STEREO) {
      has_stereo[bond.begin] = has_stereo[bond.end] = true;
    }
  }
  const auto directed = [&](std::uint16_t index, std::uint16_t other) {
    const auto &atom = graph.atoms[index];
    for (unsigned int i = 0; i < atom.degree; ++i) {
      if (atom.neighbours[i] != other && has_stereo[atom.neighbours[i]]) {
        return true;
      }
    }
    return has_stereo[index];
  };
  return std::any_of(graph.bonds.begin(), graph.bonds.end(), [&](const auto &bond) {
    return bond.type == DOUBLE && bond.stereo == NO_STEREO && directed(bond.begin, bond.end) &&
           directed(bond.end, bond.begin);
  });
}

// RDKit's reaction runner gives single bonds their directions anew (setDoubleBondNeighborDirections). It
// goes on from one of the two single bonds at an end only; where double bonds follow on both, the second
// is reached from elsewhere later, and what it then says may be wrong.
bool StereoFinder::crosses(const Graph &graph) const {
  if (!graph.has_stereo) {
    return false;
  }
  std::array<std::uint8_t, GRAPH_ATOMS_MAX> double_bonds{};
  for (const auto &bond : graph.bonds) {
    if (bond.type == DOUBLE && graph.atoms[bond.begin].degree > 1 &&
        graph.atoms[bond.end].degree > 1) {
      ++double_bonds[bond.begin];
      ++double_bonds[bond.end];
    }
  }
  for (std::size_t index = 0; index < graph.atoms.size(); ++index) {
    const auto &atom = graph.atoms[index];
    unsigned int followed = 0;
    for (unsigned int i = 0; i < atom.degree; ++i) {
      followed += graph.bonds[atom.bonds[i]].type != DOUBLE && double_bonds[atom.neighbours[i]] > 0;
    }
    if (double_bonds[index] > 0 && followed > 1) {
      return true;
    }
  }
  return false;
}

}  // namespace molsieve

// For tests of the fast parser: compares every field of its molecules with RDKit's.
#include <GraphMol/RingInfo.h>

#include <algorithm>
#include <span>
#include <sstream>

#include "molsieve/src/chem/edit/edit.h"
#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

namespace {

using RDKit::ROMol;
using RDKit::RWMol;

std::string text_of(const RDKit::RDValue &value) {
  std::string text;
  if (value.getTag() == RDKit::RDTypeTag::VecStringTag) {
    for (const auto &item : RDKit::rdvalue_cast<std::vector<std::string>>(value)) {
      text += item + '+';
    }
  } else {
    RDKit::rdvalue_tostring(value, text);
  }
  return text;
}

// The entries of a dictionary of properties; earlier releases of RDKit have no iterators for them.
template <typename Properties>
const auto &entries(const Properties &properties) {
  if constexpr (requires { properties.begin(); }) {
    return properties;
  } else {
    return properties.getData();
  }
}

// In their order, which RDKit's copies keep. RDKit may leave an empty list of computed properties.
void print_properties(std::ostream &out, const RDKit::Dict &properties) {
  for (const auto &property : entries(properties)) {
    const auto text = text_of(property.val);
    if (!text.empty() || property.key != RDKit::detail::computedPropName) {
      out << ' ' << property.key << '/' << property.val.getTag() << '=' << text;
    }
  }
  out << '\n';
}

void print_atom(std::ostream &out, const ROMol &mol, const RDKit::Atom &atom) {
  out << "atom " << atom.getIdx() << " number " << atom.getAtomicNum() << " charge "
      << atom.getFormalCharge() << " isotope " << atom.getIsotope() << " hydrogens "
      << atom.getNumExplicitHs() << " no implicit " << atom.getNoImplicit() << " valence "
      << atom.getValence(RDKit::Atom::ValenceType::EXPLICIT) << '+'
      << atom.getValence(RDKit::Atom::ValenceType::IMPLICIT) << " stale "
      << atom.needsUpdatePropertyCache() << " radicals " << atom.getNumRadicalElectrons()
      << " aromatic " << atom.getIsAromatic() << " hybridization " << atom.getHybridization()
      << " chirality " << atom.getChiralTag() << " query " << atom.hasQuery() << " monomer "
      << (atom.getMonomerInfo() != nullptr) << " bonds";
  for (const auto *bond : mol.atomBonds(&atom)) {
    out << ' ' << bond->getIdx();
  }
  print_properties(out, atom.getDict());
}

void print_bond(std::ostream &out, const RDKit::Bond &bond) {
  out << "bond " << bond.getIdx() << " from " << bond.getBeginAtomIdx() << " to "
      << bond.getEndAtomIdx() << " order " << bond.getBondType() << " aromatic "
      << bond.getIsAromatic() << " conjugated " << bond.getIsConjugated() << " direction "
      << bond.getBondDir() << " stereo " << bond.getStereo() << " query " << bond.hasQuery()
      << " stereo atoms";
  for (const auto atom : bond.getStereoAtoms()) {
    out << ' ' << atom;
  }
  print_properties(out, bond.getDict());
}

// In an order of our own.
void print_rings(std::ostream &out, const RDKit::RingInfo &rings) {
  out << "rings of type " << rings.getRingType() << '\n';
  for (auto lists : {rings.atomRings(), rings.bondRings()}) {
    std::ranges::sort(lists);
    for (const auto &ring : lists) {
      out << "ring";
      for (const auto member : ring) {
        out << ' ' << member;
      }
      out << '\n';
    }
  }
}

// Every field of a molecule, line by line.
std::string describe(RWMol &mol) {
  std::ostringstream out;
  out << "molecule of " << mol.getNumAtoms() << ' ' << mol.getNumBonds() << ' '
      << mol.getNumConformers() << ' ' << mol.getStereoGroups().size() << ' '
      << mol.getAtomBookmarks()->size() << ' ' << mol.getBondBookmarks()->size();
  print_properties(out, mol.getDict());
  for (const auto *atom : mol.atoms()) {
    print_atom(out, mol, *atom);
  }
  for (const auto *bond : mol.bonds()) {
    print_bond(out, *bond);
  }
  print_rings(out, *mol.getRingInfo());
  return out.str();
}

template <typename Members>
void print_numbers(std::ostream &out, const char *name, const Members &members) {
  out << name;
  for (const auto member : members) {
    out << ' ' << static_cast<int>(member);
  }
  out << '\n';
}

// Every field of a flat molecule, line by line.
std::string describe(const edit::Parent &flat) {
  std::ostringstream out;
  const auto &mol = flat.mol;
  out << "flat " << mol.has_chirality << ' ' << mol.has_stereo << ' ' << flat.is_covered() << '\n';
  for (const auto &atom : mol.atoms) {
    const int fields[] = {atom.number, atom.charge, atom.isotope, atom.explicit_hydrogens, atom.implicit_hydrogens,
                          atom.explicit_valence, atom.degree, atom.no_implicit, atom.aromatic, atom.in_ring,
                          atom.chirality, atom.cip_rank, atom.hybridization, atom.cip_code, atom.may_be_centre};
    print_numbers(out, "atom", fields);
    print_numbers(out, "bonds", std::span(atom.bonds).first(atom.degree));
    print_numbers(out, "neighbours", std::span(atom.neighbours).first(atom.degree));
  }
  for (const auto &bond : mol.bonds) {
    const int fields[] = {bond.begin, bond.end, bond.type, bond.in_ring, bond.stereo, bond.aromatic, bond.conjugated,
                          static_cast<int>(bond.direction), bond.stereo_atoms[0], bond.stereo_atoms[1]};
    print_numbers(out, "bond", fields);
  }
  for (std::size_t i = 0; i < flat.rings.size(); ++i) {
    print_numbers(out, "ring", flat.rings.atoms(i));
    print_numbers(out, "of bonds", flat.rings.bonds(i));
  }
  return out.str();
}

// The molecule as text, or the error in its place.
template <typename Parse>
std::string outcome(Parse parse) {
  take_logged_errors();
  try {
    const std::unique_ptr<RWMol> mol = parse();
    return mol ? describe(*mol) : "nothing\n" + take_logged_errors();
  } catch (const std::exception &e) {
    return std::string("thrown: ") + e.what() + '\n' + take_logged_errors();
  }
}

// The first line that differs, in both versions.
std::string difference(const std::string &ours, const std::string &theirs) {
  if (ours == theirs) {
    return {};
  }
  std::istringstream a(ours), b(theirs);
  std::string line_a, line_b;
  do {
    line_a.clear();
    line_b.clear();
    std::getline(a, line_a);
    std::getline(b, line_b);
  } while (line_a == line_b && a && b);
  return "fast:  " + line_a + "\nRDKit: " + line_b;
}

}  // namespace

std::unique_ptr<std::string> parse_differs(const std::string &smiles, bool &fast) {
  parse::Drafted drafted;
  fast = drafted.read(smiles);
  const auto ours = outcome([&] { return parse::fast(smiles); });
  const auto theirs = outcome([&] { return parse::with_rdkit(smiles); });
  auto differs = difference(ours, theirs);
  edit::Parent flat, read;
  if (drafted.read_flat(smiles, flat.mol, flat.rings) && differs.empty()) {
    read.read(*drafted.make());
    differs = difference(describe(flat), describe(read));
  } else if (differs.empty() && drafted.read(smiles) && drafted.has_stereo() && read.read(*drafted.make())) {
    differs = "the flat molecule can be read, but is not laid down";
  }
  return std::make_unique<std::string>(std::move(differs));
}

}  // namespace molsieve

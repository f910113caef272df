// What tests ask of the fast parser: every field of the molecule it makes, beside RDKit's.
#include <GraphMol/RingInfo.h>

#include <sstream>

#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

namespace {

using RDKit::ROMol;
using RDKit::RWMol;

void tell_value(std::ostream &out, const RDKit::RDValue &value) {
  if (value.getTag() == RDKit::RDTypeTag::VecStringTag) {
    for (const auto &text : RDKit::rdvalue_cast<std::vector<std::string>>(value)) {
      out << text << '+';
    }
    return;
  }
  std::string text;
  RDKit::rdvalue_tostring(value, text);
  out << text;
}

// In their order, which RDKit's copies keep.
void tell_properties(std::ostream &out, const RDKit::Dict &properties) {
  for (const auto &property : properties.getData()) {
    out << ' ' << property.key << '/' << property.val.getTag() << '=';
    tell_value(out, property.val);
  }
  out << '\n';
}

void tell_atom(std::ostream &out, const ROMol &mol, const RDKit::Atom &atom) {
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
  tell_properties(out, atom.getDict());
}

void tell_bond(std::ostream &out, const RDKit::Bond &bond) {
  out << "bond " << bond.getIdx() << " from " << bond.getBeginAtomIdx() << " to "
      << bond.getEndAtomIdx() << " order " << bond.getBondType() << " aromatic "
      << bond.getIsAromatic() << " conjugated " << bond.getIsConjugated() << " direction "
      << bond.getBondDir() << " stereo " << bond.getStereo() << " query " << bond.hasQuery()
      << " stereo atoms";
  for (const auto atom : bond.getStereoAtoms()) {
    out << ' ' << atom;
  }
  tell_properties(out, bond.getDict());
}

void tell_rings(std::ostream &out, const RDKit::RingInfo &rings) {
  out << "rings of type " << rings.getRingType() << '\n';
  for (const auto *lists : {&rings.atomRings(), &rings.bondRings()}) {
    for (const auto &ring : *lists) {
      out << "ring";
      for (const auto member : ring) {
        out << ' ' << member;
      }
      out << '\n';
    }
  }
}

// Everything there is to a molecule, line by line.
std::string tell(RWMol &mol) {
  std::ostringstream out;
  out << "molecule of " << mol.getNumAtoms() << ' ' << mol.getNumBonds() << ' '
      << mol.getNumConformers() << ' ' << mol.getStereoGroups().size() << ' '
      << mol.getAtomBookmarks()->size() << ' ' << mol.getBondBookmarks()->size();
  tell_properties(out, mol.getDict());
  for (const auto *atom : mol.atoms()) {
    tell_atom(out, mol, *atom);
  }
  for (const auto *bond : mol.bonds()) {
    tell_bond(out, *bond);
  }
  tell_rings(out, *mol.getRingInfo());
  return out.str();
}

// The molecule in words, or what is said instead of one.
template <typename Parse>
std::string outcome(Parse parse) {
  take_logged_errors();
  try {
    const std::unique_ptr<RWMol> mol = parse();
    return mol ? tell(*mol) : "nothing\n" + take_logged_errors();
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
  fast = is_parsed_fast(smiles);
  const auto ours = outcome([&] { return parse_fast(smiles); });
  const auto theirs = outcome([&] { return parse_reference(smiles); });
  return std::make_unique<std::string>(difference(ours, theirs));
}

}  // namespace molsieve

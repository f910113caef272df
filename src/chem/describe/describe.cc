#include "molsieve/src/chem/describe/describe.h"

#include <GraphMol/Descriptors/MolDescriptors.h>
#include <GraphMol/PeriodicTable.h>
#include <RDGeneral/types.h>

#include <cmath>

#include "molsieve/src/chem/bridge.rs.h"

namespace molsieve::describe {

namespace {

// More than any difference in the order of a sum makes.
constexpr double REALS_DIFFER_MAX = 1e-9;
constexpr int NUMBER_MAX = 118;

// What RDKit's periodic table says, without a call.
struct Masses {
  double average[NUMBER_MAX + 1];
  double commonest[NUMBER_MAX + 1];  // of the commonest isotope
};

const Masses &masses() {
  static const Masses masses = [] {
    Masses read{};
    const auto *table = RDKit::PeriodicTable::getTable();
    for (int number = 1; number <= NUMBER_MAX; ++number) {
      read.average[number] = table->getAtomicWeight(number);
      read.commonest[number] = table->getMostCommonIsotopeMass(number);
    }
    return read;
  }();
  return masses;
}

double isotope_mass(const Atom &atom) {
  const double mass = RDKit::PeriodicTable::getTable()->getMassForIsotope(atom.number, atom.isotope);
  return mass == 0 ? atom.isotope : mass;
}

double molecular_weight(const Molecule &mol) {
  const auto &known = masses();
  double sum = 0;
  for (const auto &atom : mol.atoms) {
    sum += atom.isotope ? isotope_mass(atom) : known.average[atom.number];
    sum += atom.hydrogens() * known.average[1];
  }
  return sum;
}

double exact_mass(const Molecule &mol) {
  const auto &known = masses();
  double sum = 0;
  int hydrogens = 0;
  for (const auto &atom : mol.atoms) {
    sum += atom.isotope ? isotope_mass(atom) : known.commonest[atom.number];
    sum -= RDKit::constants::electronMass * atom.charge;
    hydrogens += atom.hydrogens();
  }
  return sum + hydrogens * known.commonest[1];
}

double fraction_csp3(const Molecule &mol) {
  unsigned int carbons = 0, saturated = 0;
  for (const auto &atom : mol.atoms) {
    carbons += atom.number == CARBON;
    saturated += atom.number == CARBON && atom.total_degree() == 4;
  }
  return carbons == 0 ? 0 : static_cast<double>(saturated) / carbons;
}

int total_charge(const Molecule &mol) {
  int charge = 0;
  for (const auto &atom : mol.atoms) {
    charge += atom.charge;
  }
  return charge;
}

}  // namespace

bool Describer::needs_rings() const {
  return properties_.has(Property::Rings) || properties_.has(Property::AromaticRings);
}

bool Describer::needs_centres() const { return properties_.has(Property::StereoCentres); }

bool Describer::describe(Molecule &mol, const RingCounts &rings, const Origin &origin, Values &values) {
  unsigned int centres = 0;
  return (!needs_centres() || count_centres(mol, origin, centres)) &&
         describe_perceived(mol, rings, centres, values);
}

bool Describer::describe_perceived(const Molecule &mol, const RingCounts &rings,
                                   unsigned int centres, Values &values) {
  const auto set = [&](Property property, auto value) {
    if (properties_.has(property)) {
      values[property] = value(mol);
    }
  };
  if (properties_.has(Property::Clogp) && !crippen_.log_p(mol, values[Property::Clogp])) {
    return false;
  }
  set(Property::Mw, molecular_weight);
  set(Property::Tpsa, polar_surface);
  set(Property::Hbd, count_donors);
  set(Property::Hba, count_acceptors);
  set(Property::RotatableBonds, count_rotatable_bonds);
  set(Property::ExactMass, exact_mass);
  set(Property::FractionCsp3, fraction_csp3);
  set(Property::Charge, total_charge);
  // None of the atoms is a hydrogen or a dummy.
  values[Property::HeavyAtoms] = mol.atoms.size();
  values[Property::Rings] = rings.all;
  values[Property::AromaticRings] = rings.aromatic;
  values[Property::StereoCentres] = centres;
  return true;
}

unsigned int centres_with_rdkit(const RDKit::ROMol &mol) {
  return RDKit::Descriptors::numAtomStereoCenters(mol);
}

void describe_with_rdkit(const RDKit::ROMol &mol, PropertySet properties, Values &values) {
  namespace d = RDKit::Descriptors;
  const auto set = [&](Property property, auto value) {
    if (properties.has(property)) {
      values[property] = value();
    }
  };
  set(Property::Mw, [&] { return d::calcAMW(mol); });
  set(Property::Clogp, [&] {
    double log_p, refractivity;
    d::calcCrippenDescriptors(mol, log_p, refractivity);
    return log_p;
  });
  set(Property::Tpsa, [&] { return d::calcTPSA(mol); });
  set(Property::Hbd, [&] { return d::calcNumHBD(mol); });
  set(Property::Hba, [&] { return d::calcNumHBA(mol); });
  set(Property::RotatableBonds, [&] { return d::calcNumRotatableBonds(mol); });
  set(Property::ExactMass, [&] { return d::calcExactMW(mol); });
  set(Property::HeavyAtoms, [&] { return mol.getNumHeavyAtoms(); });
  set(Property::Rings, [&] { return d::calcNumRings(mol); });
  set(Property::AromaticRings, [&] { return d::calcNumAromaticRings(mol); });
  set(Property::FractionCsp3, [&] { return d::calcFractionCSP3(mol); });
  set(Property::Charge, [&] { return RDKit::MolOps::getFormalCharge(mol); });
  set(Property::StereoCentres, [&] { return centres_with_rdkit(mol); });
}

bool same_values(const Values &one, const Values &other, PropertySet properties) {
  for (std::size_t number = 0; number < PROPERTIES_MAX; ++number) {
    // Counts that differ at all differ by one at least.
    if (properties.has(static_cast<Property>(number)) &&
        !(std::abs(one[number] - other[number]) <= REALS_DIFFER_MAX)) {
      return false;
    }
  }
  return true;
}

}  // namespace molsieve::describe

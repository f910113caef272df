#include "molsieve/src/chem/filter/alerts.h"

#include <GraphMol/SmilesParse/SmilesParse.h>

#include <cstring>
#include <stdexcept>

#include "molsieve/src/chem/bridge.rs.h"

// What RDKit's library exports and its headers don't show: the table that a catalogue is made from. It is used only where
// it agrees with the catalogue.
namespace RDKit {
struct FilterData_t {
  const char *name;
  const char *smarts;
  unsigned int max;  // matches that are no alert yet
  const char *comment;
};
unsigned int GetNumEntries(FilterCatalogParams::FilterCatalogs catalogue);
const FilterData_t *GetFilterData(FilterCatalogParams::FilterCatalogs catalogue);
}  // namespace RDKit

namespace molsieve::filter {

namespace {

using RDKit::FilterCatalogParams;

// A catalogue as those that RDKit keeps apart, in its order.
std::vector<FilterCatalogParams::FilterCatalogs> parts_of(Catalogue catalogue) {
  using P = FilterCatalogParams;
  switch (catalogue) {
    case Catalogue::Pains:
      return {P::PAINS_A, P::PAINS_B, P::PAINS_C};
    case Catalogue::PainsA:
      return {P::PAINS_A};
    case Catalogue::PainsB:
      return {P::PAINS_B};
    case Catalogue::PainsC:
      return {P::PAINS_C};
    case Catalogue::Brenk:
      return {P::BRENK};
    case Catalogue::Nih:
      return {P::NIH};
    case Catalogue::Zinc:
      return {P::ZINC};
    case Catalogue::Chembl:
      return {P::CHEMBL_Glaxo, P::CHEMBL_Dundee, P::CHEMBL_BMS, P::CHEMBL_SureChEMBL,
              P::CHEMBL_MLSMR, P::CHEMBL_Inpharmatica, P::CHEMBL_LINT};
    case Catalogue::ChemblBms:
      return {P::CHEMBL_BMS};
    case Catalogue::ChemblDundee:
      return {P::CHEMBL_Dundee};
    case Catalogue::ChemblGlaxo:
      return {P::CHEMBL_Glaxo};
    case Catalogue::ChemblInpharmatica:
      return {P::CHEMBL_Inpharmatica};
    case Catalogue::ChemblLint:
      return {P::CHEMBL_LINT};
    case Catalogue::ChemblMlsmr:
      return {P::CHEMBL_MLSMR};
    case Catalogue::ChemblSurechembl:
      return {P::CHEMBL_SureChEMBL};
  }
  throw std::logic_error("a catalogue without a number");
}

// A pattern as RDKit's catalogue reads it: hydrogens belong to the atoms that they are on.
RDKit::ROMOL_SPTR read(const char *smarts, bool merge_hydrogens) {
  return RDKit::ROMOL_SPTR(RDKit::SmartsToMol(smarts, 0, merge_hydrogens));
}

}  // namespace

std::vector<std::string> catalogue_smarts() {
  std::vector<std::string> found;
  for (const auto catalogue : {Catalogue::Pains, Catalogue::Brenk, Catalogue::Nih, Catalogue::Zinc, Catalogue::Chembl}) {
    for (const auto part : parts_of(catalogue)) {
      const auto *table = RDKit::GetFilterData(part);
      for (unsigned int number = 0; table && number < RDKit::GetNumEntries(part); ++number) {
        found.emplace_back(table[number].smarts);
      }
    }
  }
  return found;
}

Alerts::Alerts(Catalogue catalogue, Patterns &patterns) {
  for (const auto part : parts_of(catalogue)) {
    add(part, patterns);
  }
}

void Alerts::add(FilterCatalogParams::FilterCatalogs catalogue, Patterns &patterns) {
  const RDKit::FilterCatalog entries(catalogue);
  const auto *table = RDKit::GetFilterData(catalogue);
  const bool same_length = table && RDKit::GetNumEntries(catalogue) == entries.getNumEntries();
  for (unsigned int number = 0; number < entries.getNumEntries(); ++number) {
    Alert alert{entries.getEntry(number), {}, false};
    if (same_length && alert.entry->getDescription() == table[number].name) {
      const auto &row = table[number];
      auto pattern = read(row.smarts, true);
      const auto written = read(row.smarts, false);
      if (pattern && written) {
        // Merging hydrogens may take atoms away; then the text is no longer that of the atoms.
        const bool as_written = pattern->getNumAtoms() == written->getNumAtoms();
        alert.pattern = patterns.add(as_written ? row.smarts : "", std::move(pattern));
        alert.decides = row.max == 0;
      }
    }
    alerts_.push_back(std::move(alert));
  }
}

std::optional<std::size_t> Alerts::first_match(const RDKit::ROMol &mol, Patterns &patterns) const {
  for (std::size_t number = 0; number < alerts_.size(); ++number) {
    const auto &alert = alerts_[number];
    if (alert.pattern && !patterns.matches(*alert.pattern)) {
      continue;
    }
    if (alert.decides || alert.entry->hasFilterMatch(mol)) {
      return number;
    }
  }
  return {};
}

std::optional<std::size_t> Alerts::first_match_by_rdkit(const RDKit::ROMol &mol) const {
  for (std::size_t number = 0; number < alerts_.size(); ++number) {
    if (alerts_[number].entry->hasFilterMatch(mol)) {
      return number;
    }
  }
  return {};
}

}  // namespace molsieve::filter

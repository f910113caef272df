// Catalogues of structural alerts: those of RDKit's FilterCatalog, with its answers.
#pragma once

#include <GraphMol/FilterCatalog/FilterCatalog.h>
#include <GraphMol/RDKitBase.h>

#include <optional>
#include <string>
#include <vector>

#include "molsieve/src/chem/filter/patterns.h"

namespace molsieve {
// The numbers of crate::filter::Catalogue.
enum class Catalogue : std::uint8_t;
}  // namespace molsieve

namespace molsieve::filter {

// The SMARTS of all catalogues, as far as RDKit shows them.
std::vector<std::string> catalogue_smarts();

class Alerts {
 public:
  // Adds the patterns of the catalogue to `patterns`. Throws what RDKit throws.
  Alerts(Catalogue catalogue, Patterns &patterns);

  // The number of the first alert that matches the molecule of `patterns`, which is `mol`.
  std::optional<std::size_t> first_match(const RDKit::ROMol &mol, Patterns &patterns) const;
  // The same by RDKit's own catalogue.
  std::optional<std::size_t> first_match_by_rdkit(const RDKit::ROMol &mol) const;
  std::string name(std::size_t alert) const { return alerts_[alert].entry->getDescription(); }

 private:
  struct Alert {
    boost::shared_ptr<const RDKit::FilterCatalogEntry> entry;
    std::optional<std::size_t> pattern;  // it matches wherever the alert does
    bool decides = false;  // … and nowhere else
  };

  void add(RDKit::FilterCatalogParams::FilterCatalogs catalogue, Patterns &patterns);

  std::vector<Alert> alerts_;
};

}  // namespace molsieve::filter

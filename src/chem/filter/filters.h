// Filters of molecules: conditions on properties, SMARTS, and catalogues of alerts. What they say of a molecule is what
// RDKit says of the molecule that it reads from the SMILES.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "molsieve/src/chem/describe/describe.h"
#include "molsieve/src/chem/filter/alerts.h"
#include "molsieve/src/chem/filter/patterns.h"

namespace molsieve {
// The numbers of crate::filter::Comparison.
enum class Comparison : std::uint8_t;
}  // namespace molsieve

namespace molsieve::filter {

// A molecule to be decided.
class Subject {
 public:
  // `values`: those of the properties that the filters need. The molecule is read from the SMILES when it is needed.
  Subject(const describe::Values &values, const std::string &smiles) : values_(values), smiles_(&smiles) {}
  // `mol` gives the molecule when it is needed.
  Subject(const describe::Values &values, std::function<const RDKit::ROMol &()> mol)
      : values_(values), give_(std::move(mol)) {}

  const describe::Values &values() const { return values_; }
  const RDKit::ROMol &mol();

 private:
  const describe::Values &values_;
  const std::string *smiles_ = nullptr;
  std::function<const RDKit::ROMol &()> give_;
  std::unique_ptr<RDKit::ROMol> read_;
  const RDKit::ROMol *mol_ = nullptr;
};

// A filter that a molecule fails, and why.
struct Failed {
  std::size_t filter = 0;
  double value = 0;  // of the property
  std::string alert;
  std::size_t pattern = 0;  // of the filter: the one that matches
};

class Filters {
 public:
  void add_condition(Property property, Comparison comparison, double number);
  // Begins a filter of patterns: one of them must match, or none may.
  void add_smarts(bool required);
  // Adds a pattern to the filter begun last. Throws std::runtime_error with RDKit's text.
  void add_pattern(const std::string &smarts);
  void add_alerts(Catalogue catalogue);

  bool empty() const { return filters_.empty(); }
  // The properties that conditions need.
  std::uint32_t properties() const { return properties_; }

  // The first filter that the molecule fails; nothing if it passes all. `checked`: also by RDKit's own search; throws if
  // the answers differ.
  std::optional<Failed> first_failed(Subject &subject, bool checked);

 private:
  struct Condition {
    Property property;
    Comparison comparison;
    double number;
  };
  struct Smarts {
    bool required;
    std::vector<std::size_t> patterns;
  };
  using Filter = std::variant<Condition, Smarts, Alerts>;

  bool fails(const Condition &condition, Subject &subject, Failed &failed) const;
  bool fails(const Smarts &smarts, Subject &subject, Failed &failed);
  bool fails(const Alerts &alerts, Subject &subject, Failed &failed);
  void begin(Subject &subject);
  void check(const Filter &filter, Subject &subject, bool fails);

  std::vector<Filter> filters_;
  std::uint32_t properties_ = 0;
  Patterns patterns_;
  bool begun_ = false;  // `patterns_` has the molecule
};

}  // namespace molsieve::filter

#include "molsieve/src/chem/startup.h"

#include <GraphMol/RDKitBase.h>
#include <GraphMol/SmilesParse/SmilesParse.h>
#include <RDGeneral/versions.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/rdkit/log.h"
#include "molsieve/src/chem/rdkit/relevant_cycles.h"
#include "molsieve/src/chem/transformer.h"

namespace molsieve {

using RDKit::ROMol;

namespace {

// RDKit reads some of its behaviour from the environment, every time. A job's output depends on none of it.
void set_defaults() {
  constexpr std::array<std::array<const char *, 2>, 3> DEFAULTS{{
      {"RDK_USE_LEGACY_STEREO_PERCEPTION", "1"},
      {"RDK_USE_LEGACY_RING_FINDING", "0"},
      {"RDK_ENABLE_NONTETRAHEDRAL_STEREO", "1"},
  }};
  for (const auto &[name, value] : DEFAULTS) {
    // Only what is set is changed, since no other thread may look at the environment meanwhile.
    if (const auto *found = std::getenv(name); found && std::strcmp(found, value) != 0) {
      setenv(name, value, 1);
    }
  }
}

// With headers of another version than the library, members of atoms and bonds are read from wrong places.
void check_layout() {
  const std::unique_ptr<RDKit::RWMol> mol(RDKit::SmilesToMol("C/C=C/C"));
  const ROMol *owner = mol.get();
  for (const auto *atom : mol->atoms()) {
    if (&atom->getOwningMol() != owner || atom->getMonomerInfo() != nullptr) {
      throw std::runtime_error("its headers do not belong to its library (class Atom)");
    }
  }
  for (const auto *bond : mol->bonds()) {
    const auto stereo_atoms = bond->getStereoAtoms().size();
    if (&bond->getOwningMol() != owner || stereo_atoms != (bond->getIdx() == 1 ? 2u : 0u)) {
      throw std::runtime_error("its headers do not belong to its library (class Bond)");
    }
  }
}

}  // namespace

void initialise() {
  set_defaults();
  limit_rings();
  capture_rdkit_log();
  check_layout();
  // Touches what RDKit builds on first use: periodic table, SMILES and SMARTS parsers, ring finder,
  // reaction runner, writer, descriptors.
  const TransformerSettings settings{false, true, 1000, 1000, 1000, 1000, 1};
  Transformer warm(settings, no_combinations());
  const std::array<std::uint8_t, 1> parent{0};
  warm.add_rule("[c:1][OX2H:2]>>[c:1][O:2]C", {}, "[$([#6]~[#7,#8])]", false, {parent.data(), parent.size()});
  const std::string smiles = "C[C@H](O)c1cc(O)ccc1/C=C/[N+](=O)[O-]";
  std::array<std::uint8_t, 1024> text;
  std::array<std::uint32_t, 8> ends, parents;
  std::array<std::uint16_t, 8> rules, sites;
  std::array<double, 24> reals;
  std::array<std::uint16_t, 24> counts;
  std::array<std::uint64_t, static_cast<std::size_t>(RuleCount::Columns)> by_rule{};
  ProductSpace space{{text.data(), text.size()},   {ends.data(), ends.size()},
                     {parents.data(), parents.size()}, {rules.data(), rules.size()},
                     {sites.data(), sites.size()}, {}, {reals.data(), reals.size()},
                     {counts.data(), counts.size()},   0, 0,
                     {by_rule.data(), by_rule.size()}, {}, {}, {}};
  if (warm.begin(0, as_bytes(smiles)) != Failure::None) {
    throw std::runtime_error("RDKit fails its start-up check");
  }
  // On a busy machine a call pauses before the parent is finished, because it took too long.
  auto state = Fill::Paused;
  std::uint64_t written = 0;
  while (state == Fill::Paused) {
    ParentReport report{};
    state = warm.fill(space, 0, 100, report);
    written += report.written;
  }
  if (state != Fill::Finished || written != 1) {
    throw std::runtime_error("RDKit fails its start-up check");
  }
}

rust::String rdkit_version() { return RDKit::rdkitVersion; }
rust::String boost_version() { return RDKit::boostVersion; }

}  // namespace molsieve

#include "molsieve/src/chem/canonical.h"

#include <GraphMol/FileParsers/FileParsers.h>
#include <GraphMol/SmilesParse/CanonicalizeStereoGroups.h>
#include <GraphMol/SmilesParse/SmilesWrite.h>
#include <GraphMol/StereoGroup.h>

#include <algorithm>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/parse/parse.h"
#include "molsieve/src/chem/rdkit/log.h"

namespace molsieve {

using RDKit::ROMol;
using RDKit::RWMol;

bool has_relative_groups(const ROMol &mol) {
  const auto &groups = mol.getStereoGroups();
  return std::ranges::any_of(groups, [](const RDKit::StereoGroup &group) {
    return group.getGroupType() != RDKit::StereoGroupType::STEREO_ABSOLUTE;
  });
}

std::unique_ptr<RWMol> read_smiles(const std::string &smiles,
                                   std::unique_ptr<RWMol> (*parse)(const std::string &)) {
  take_logged_errors();
  std::unique_ptr<RWMol> mol;
  try {
    mol = parse(smiles);
  } catch (const std::exception &e) {
    throw Unusable(kind_of(e), one_line(e.what()));
  }
  if (!mol) {
    throw Unusable(Failure::Syntax, parse_failure("RDKit cannot read this SMILES"));
  }
  return mol;
}

std::unique_ptr<RWMol> read_mol_block(rust::Slice<const std::uint8_t> block) {
  take_logged_errors();
  std::unique_ptr<RWMol> mol;
  try {
    mol.reset(RDKit::MolBlockToMol(as_string(block)));
  } catch (const std::exception &e) {
    const auto kind = kind_of(e);
    throw Unusable(kind == Failure::Other ? Failure::MolBlock : kind, one_line(e.what()));
  }
  if (!mol) {
    throw Unusable(Failure::MolBlock, parse_failure("RDKit cannot read this mol block"));
  }
  return mol;
}

namespace {

// Groups of relative centres that are brought into one form; the work doubles with each.
constexpr unsigned int STEREO_GROUPS_MAX = 8;

// The canonical SMILES, with the groups of the molecule's centres if there are any. `identity`: in one form.
std::string write(const ROMol &mol, bool with_groups, bool identity) {
  if (!with_groups || !has_relative_groups(mol)) {
    return RDKit::MolToSmiles(mol);
  }
  std::unique_ptr<ROMol> form(new ROMol(mol));
  if (identity) {
    try {
      RDKit::canonicalizeStereoGroups(form, RDKit::StereoGroupAbsOptions::NeverInclude,
                                      STEREO_GROUPS_MAX);
    } catch (const RDKit::RigorousEnhancedStereoException &) {
      // Too many groups: two writings of one molecule may then count as two.
      form.reset(new ROMol(mol));
    }
  }
  const auto text = RDKit::MolToCXSmiles(*form, RDKit::SmilesWriteParams(),
                                         RDKit::SmilesWrite::CX_ENHANCEDSTEREO);
  return text.find('|') == std::string::npos ? RDKit::MolToSmiles(*form) : text;
}

// What `read` gives as canonical SMILES, or why the molecule can't be used.
template <typename Read>
Answer answer(Read read, bool with_groups, bool identity) {
  try {
    const auto mol = read();
    try {
      return {rust::String::lossy(write(*mol, with_groups, identity)), Failure::None};
    } catch (const std::exception &e) {
      throw Unusable(Failure::Write,
                     one_line(std::string("RDKit cannot write its SMILES: ") + e.what()));
    }
  } catch (const Unusable &e) {
    return {rust::String::lossy(e.what()), e.failure};
  } catch (const std::exception &e) {
    return {rust::String::lossy(e.what()), Failure::Other};
  }
}

}  // namespace

Answer smiles_to_smiles(rust::Slice<const std::uint8_t> smiles, bool identity) {
  const auto read = [&] { return read_smiles(as_string(smiles), parse::with_rdkit); };
  return answer(read, identity, identity);
}

Answer mol_block_to_smiles(rust::Slice<const std::uint8_t> block, bool identity) {
  return answer([&] { return read_mol_block(block); }, true, identity);
}

}  // namespace molsieve

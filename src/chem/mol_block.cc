#include "molsieve/src/chem/mol_block.h"

#include <GraphMol/Depictor/RDDepictor.h>
#include <GraphMol/FileParsers/FileParsers.h>
#include <GraphMol/FileParsers/FileWriters.h>
#include <GraphMol/MolOps.h>

#include "molsieve/src/chem/bridge.rs.h"
#include "molsieve/src/chem/canonical.h"
#include "molsieve/src/chem/failure.h"
#include "molsieve/src/chem/parse/parse.h"

namespace molsieve {

namespace {

bool has_stereo(const RDKit::ROMol &mol) {
  for (const auto *atom : mol.atoms()) {
    if (atom->getChiralTag() != RDKit::Atom::CHI_UNSPECIFIED) {
      return true;
    }
  }
  for (const auto *bond : mol.bonds()) {
    if (bond->getStereo() > RDKit::Bond::STEREOANY) {
      return true;
    }
  }
  return false;
}

std::string block_of(RDKit::RWMol &mol, bool depict) {
  RDKit::MolWriterParams params;
  params.includeStereo = depict || has_stereo(mol);
  if (params.includeStereo) {
    // Open double bonds are marked as such: otherwise their coordinates would state a side.
    RDKit::MolOps::findPotentialStereoBonds(mol);
    RDDepict::compute2DCoords(mol);
  }
  return RDKit::MolToMolBlock(mol, params);
}

}  // namespace

Answer smiles_to_mol_block(rust::Slice<const std::uint8_t> smiles, bool depict) {
  try {
    const auto mol = read_smiles(as_string(smiles), parse::fast);
    try {
      return {rust::String::lossy(block_of(*mol, depict)), Failure::None};
    } catch (const std::exception &e) {
      throw Unusable(Failure::Write,
                     one_line(std::string("RDKit cannot write its mol block: ") + e.what()));
    }
  } catch (const Unusable &e) {
    return {rust::String::lossy(e.what()), e.failure};
  } catch (const std::exception &e) {
    return {rust::String::lossy(e.what()), Failure::Other};
  }
}

}  // namespace molsieve

// SMILES to the molecule that RDKit's SmilesToMol gives, several times faster for ordinary molecules.
#pragma once

#include <GraphMol/RDKitBase.h>

#include <memory>
#include <string>

#include "molsieve/src/chem/model/molecule.h"
#include "molsieve/src/chem/model/rings.h"

namespace molsieve::parse {

// RDKit's own parser.
std::unique_ptr<RDKit::RWMol> with_rdkit(const std::string &smiles);

// The molecule that with_rdkit gives. What is not certainly an ordinary molecule goes to RDKit, so that a null
// pointer, exceptions and log lines are RDKit's own.
std::unique_ptr<RDKit::RWMol> fast(const std::string &smiles);

struct Draft;

// A SMILES that is parsed to flat arrays. The molecule that RDKit gives is made only when it is asked for.
class Drafted {
 public:
  Drafted();
  ~Drafted();

  // False: RDKit has to parse the text.
  bool read(const std::string &smiles);
  // Whether it has the stereo too, which RDKit has to find otherwise.
  bool has_stereo() const { return has_stereo_; }
  // The same as read(), and lays down the flat molecule and the rings that would be read from the molecule that with_rdkit gives. False also
  // where there are none, or RDKit has to find the stereo.
  bool read_flat(const std::string &smiles, Molecule &mol, Rings &rings);
  // Of the text that was read: the molecule that with_rdkit gives.
  std::unique_ptr<RDKit::RWMol> make();

 private:
  std::unique_ptr<Draft> draft_;
  bool has_stereo_ = false;
  std::string unranked_;     // the text, if only the stereo that it states was looked for
};

}  // namespace molsieve::parse

namespace molsieve {

// For tests: how the result of parse::fast, or the flat molecule, differs from RDKit's, empty if it does not. `fast` says whether RDKit's
// parser was not needed.
std::unique_ptr<std::string> parse_differs(const std::string &smiles, bool &fast);

}  // namespace molsieve

// What happens once per process, before any other thread uses RDKit.
#pragma once

#include "rust/cxx.h"

namespace molsieve {

// Builds the tables that RDKit builds on first use, which is not safe on two threads at once. Also hands RDKit's log to
// `log_line`, and checks that RDKit works.
void initialise();

rust::String rdkit_version();
rust::String boost_version();

}  // namespace molsieve

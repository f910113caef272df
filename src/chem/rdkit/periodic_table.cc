// RDKit asks for its periodic table several times per atom, each time through std::call_once, which takes a tenth of a
// job's time. This definition replaces RDKit's own for every caller in the process (ELF looks a symbol up in the
// executable first) and returns the same table from a plain static. Where a platform binds RDKit's calls to RDKit's
// definition, nothing changes.
#include <GraphMol/PeriodicTable.h>

#include <dlfcn.h>

#include <cstdlib>

namespace RDKit {

namespace {

PeriodicTable *find_table() {
  using GetTable = PeriodicTable *(*)();
  auto *original =
      reinterpret_cast<GetTable>(dlsym(RTLD_NEXT, "_ZN5RDKit13PeriodicTable8getTableEv"));
  if (!original) {
    std::abort();  // RDKit is linked, so its function exists
  }
  return original();
}

}  // namespace

PeriodicTable *PeriodicTable::getTable() {
  static PeriodicTable *const table = find_table();
  return table;
}

}  // namespace RDKit

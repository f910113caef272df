// RDKit's log as events of Rust's `tracing`.
#pragma once

#include <string>

namespace molsieve {

// Redirects RDKit's four log streams. Call it once, before any other thread uses RDKit.
void capture_rdkit_log();

// What RDKit has logged as errors on this thread since the last call, at most a few hundred bytes.
std::string take_logged_errors();

}  // namespace molsieve

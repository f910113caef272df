//! The two kinds of key a job can use.

use serde::{Deserialize, Serialize};

use super::DEFINITION;
use crate::named::named;

named! {
    /// What tells molecules apart (`--key`).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum KeyKind {
        /// The MurmurHash3_x64_128 of the canonical SMILES ([`crate::key`]).
        Canonical = "canonical",
        /// The structure key ([`crate::identity`]).
        Structure = "structure",
    }
}

impl KeyKind {
    /// Number of its definition, if the definition may change between versions.
    pub fn definition(self) -> Option<u8> {
        match self {
            Self::Canonical => None,
            Self::Structure => Some(DEFINITION),
        }
    }

    /// Name of its column in the output.
    pub fn column(self) -> &'static str {
        match self {
            Self::Canonical => "key",
            Self::Structure => "structure_key",
        }
    }
}

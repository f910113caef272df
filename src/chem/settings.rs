//! What a transformer has to know beside its rules.

use serde::{Deserialize, Serialize};

use crate::{cleaning::CleanSteps, limits::PRODUCTS_PER_PARENT_DEFAULT, property::PropertySet};

/// How products are finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// On flat molecules where the result is proved to be the same.
    #[default]
    Fast,
    /// With RDKit, which sanitizes every product: the reference for [`Method::Fast`].
    Reference,
}

/// How the SMILES of products are written (`--smiles`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmilesForm {
    /// RDKit's canonical SMILES.
    #[default]
    Canonical,
    /// A valid SMILES of the same molecule: a function of the parent's text, the rule and the site.
    Direct,
}

/// Settings of a transformer beside its rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransformSettings {
    /// How products are finished.
    pub method: Method,
    /// The properties to compute of each product.
    pub properties: PropertySet,
    /// Most distinct products of one parent.
    pub products_per_parent_max: u32,
    /// Most stereoisomers that a product with open centres is replaced by; 0: it is written as it is.
    pub stereoisomers_max: u32,
    /// How parents are cleaned before a transformer is given them.
    #[serde(default)]
    pub clean: CleanSteps,
    /// How products are written: directly only by a transformer that is given what makes their keys.
    #[serde(default)]
    pub smiles: SmilesForm,
}

impl Default for TransformSettings {
    fn default() -> Self {
        Self {
            method: Method::Fast,
            properties: PropertySet::NONE,
            products_per_parent_max: PRODUCTS_PER_PARENT_DEFAULT,
            stereoisomers_max: 0,
            clean: CleanSteps::NONE,
            smiles: SmilesForm::Canonical,
        }
    }
}

//! `--alerts`: catalogues of structural alerts.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::named::named;

named! {
    /// A catalogue of structural alerts, as RDKit's `FilterCatalog` has it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Catalogue {
        /// Pan-assay interference compounds.
        Pains = "pains",
        /// Those of family A alone.
        PainsA = "pains_a",
        /// Those of family B alone.
        PainsB = "pains_b",
        /// Those of family C alone.
        PainsC = "pains_c",
        /// Unwanted groups (Brenk et al.).
        Brenk = "brenk",
        /// Reactive and other unwanted groups (NIH).
        Nih = "nih",
        /// The filters of ZINC.
        Zinc = "zinc",
        /// All catalogues that ChEMBL has collected.
        Chembl = "chembl",
        /// Those of Bristol-Myers Squibb.
        ChemblBms = "chembl_bms",
        /// Those of Dundee.
        ChemblDundee = "chembl_dundee",
        /// Those of Glaxo.
        ChemblGlaxo = "chembl_glaxo",
        /// Those of Inpharmatica.
        ChemblInpharmatica = "chembl_inpharmatica",
        /// Those of Lilly (LINT).
        ChemblLint = "chembl_lint",
        /// Those of the MLSMR.
        ChemblMlsmr = "chembl_mlsmr",
        /// Those of SureChEMBL.
        ChemblSurechembl = "chembl_surechembl",
    }
}

/// Some catalogues, each once, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogues(Vec<Catalogue>);

/// A name that no catalogue has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no catalogue \"{name}\"; there are {}", Catalogue::ALL.map(Catalogue::name).join(", "))]
pub struct UnknownCatalogue {
    name: String,
}

impl Catalogues {
    /// The catalogues.
    pub fn iter(&self) -> impl Iterator<Item = Catalogue> {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, UnknownCatalogue> {
        let mut catalogues = Vec::new();
        for name in names.map(str::trim) {
            let catalogue = name.parse()?;
            if !catalogues.contains(&catalogue) {
                catalogues.push(catalogue);
            }
        }
        Ok(Self(catalogues))
    }
}

impl FromStr for Catalogue {
    type Err = UnknownCatalogue;

    fn from_str(name: &str) -> Result<Self, UnknownCatalogue> {
        let found = Self::ALL
            .into_iter()
            .find(|known| known.name() == name.to_ascii_lowercase());
        found.ok_or_else(|| UnknownCatalogue { name: name.into() })
    }
}

impl FromStr for Catalogues {
    type Err = UnknownCatalogue;

    fn from_str(text: &str) -> Result<Self, UnknownCatalogue> {
        Self::of(text.split(','))
    }
}

impl fmt::Display for Catalogues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Catalogue::name).collect();
        f.write_str(&names.join(","))
    }
}

impl Serialize for Catalogue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Catalogue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(D::Error::custom)
    }
}

/// A list of names.
impl Serialize for Catalogues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Catalogues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::of(names.iter().map(String::as_str)).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_make_a_list_without_repeats() {
        let catalogues: Catalogues = "brenk,PAINS, nih,brenk".parse().unwrap();
        assert_eq!(catalogues.to_string(), "brenk,pains,nih");
        let json = serde_json::to_string(&catalogues).unwrap();
        assert_eq!(json, r#"["brenk","pains","nih"]"#);
        assert_eq!(
            serde_json::from_str::<Catalogues>(&json).unwrap(),
            catalogues
        );
        let refused = "pains,toxic".parse::<Catalogues>().unwrap_err().to_string();
        assert!(
            refused.starts_with("there is no catalogue \"toxic\"; there are pains,"),
            "{refused}"
        );
    }
}

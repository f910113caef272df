//! The filters of a step, ready to be compiled.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Catalogue, Catalogues, Condition, Pattern, SmartsSource};
use crate::{
    limits::{FILTER_FILE_BYTES_MAX, FILTER_PATTERNS_MAX, FILTERS_MAX},
    store::{StoreError, disk},
};

/// The filters that settings name, for parents or for products.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FiltersGiven<'a> {
    /// `--where`.
    pub conditions: Vec<Condition>,
    /// `--require-smarts`.
    pub require: Vec<&'a SmartsSource>,
    /// `--reject-smarts`.
    pub reject: Vec<&'a SmartsSource>,
    /// `--alerts`.
    pub alerts: Vec<&'a Catalogues>,
}

impl<'a> FiltersGiven<'a> {
    /// Adds filters behind those that there are.
    pub fn add(
        &mut self,
        conditions: &[Condition],
        alerts: &'a Option<Catalogues>,
        require: &'a [SmartsSource],
        reject: &'a [SmartsSource],
    ) {
        self.conditions.extend(conditions);
        self.alerts.extend(alerts);
        self.require.extend(require);
        self.reject.extend(reject);
    }
}

/// A filter. What fails it is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Filter {
    /// The condition must hold.
    Where(Condition),
    /// One of the patterns must match.
    Require(Patterns),
    /// None of the patterns may match.
    Reject(Patterns),
    /// No alert of the catalogue may match.
    Alerts(Catalogue),
}

/// The patterns of one SMARTS or of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patterns {
    /// What was given.
    pub source: SmartsSource,
    /// At least one.
    pub patterns: Vec<Pattern>,
}

/// What acts on the parents and on the products of a step.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilterSet {
    /// In the order in which they are decided.
    pub on_products: Vec<Filter>,
    /// The same for parents.
    pub on_parents: Vec<Filter>,
}

/// Why filters can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// A file of SMARTS can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of SMARTS is not there.
    #[error("{}: there is no such file of SMARTS; a SMARTS itself must not begin with @ or end like a file name", .0.display())]
    Missing(PathBuf),
    /// A file of SMARTS is not text.
    #[error("{}: this is not UTF-8 text; a file of SMARTS has one on each line", .0.display())]
    NotText(PathBuf),
    /// There is no SMARTS where one should be.
    #[error("{0} has no SMARTS in it")]
    Empty(String),
    /// The sample of what is left out would be too large.
    #[error(
        "--explain-drops {each} of {reasons} reasons is too much: at most {most} of each can be kept"
    )]
    TooManyDrops {
        /// Of each reason.
        each: usize,
        /// Reasons.
        reasons: usize,
        /// How many of each there may be.
        most: usize,
    },
    /// There are too many.
    #[error("there are {found} {what}, at most {most} are allowed")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there may be.
        most: usize,
    },
}

impl FilterSet {
    /// Reads what settings name.
    pub fn read(
        products: &FiltersGiven<'_>,
        parents: &FiltersGiven<'_>,
    ) -> Result<Self, FilterError> {
        Ok(Self {
            on_products: products.read()?,
            on_parents: parents.read()?,
        })
    }

    /// All filters in the order in which they are counted: those of products, then those of parents.
    pub fn iter(&self) -> impl Iterator<Item = &Filter> {
        self.on_products.iter().chain(&self.on_parents)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.on_products.len() + self.on_parents.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reasons for which something is dropped: each filter, and products that RDKit can't sanitize.
    pub fn reasons(&self) -> usize {
        self.len() + 1
    }

    /// What each filter is called in counts, in the order in which they are counted.
    pub fn labels(&self) -> Vec<String> {
        let products = self.on_products.iter().map(Filter::to_string);
        let parents = self
            .on_parents
            .iter()
            .map(|filter| format!("parent {filter}"));
        products.chain(parents).collect()
    }

    /// Patterns in all filters together, those of catalogues left out.
    pub fn patterns(&self) -> usize {
        self.iter().map(Filter::patterns).sum()
    }

    /// Catalogues of alerts.
    pub fn catalogues(&self) -> usize {
        let alerts = self
            .iter()
            .filter(|filter| matches!(filter, Filter::Alerts(_)));
        alerts.count()
    }
}

impl FiltersGiven<'_> {
    fn read(&self) -> Result<Vec<Filter>, FilterError> {
        let mut filters: Vec<_> = self.conditions.iter().copied().map(Filter::Where).collect();
        for source in &self.require {
            filters.push(Filter::Require(Patterns::read(source)?));
        }
        for source in &self.reject {
            filters.push(Filter::Reject(Patterns::read(source)?));
        }
        for catalogue in self.alerts.iter().flat_map(|catalogues| catalogues.iter()) {
            let alerts = Filter::Alerts(catalogue);
            if !filters.contains(&alerts) {
                filters.push(alerts);
            }
        }
        at_most("filters", filters.len(), FILTERS_MAX)?;
        let patterns = filters.iter().map(Filter::patterns).sum();
        at_most("SMARTS in filters", patterns, FILTER_PATTERNS_MAX)?;
        Ok(filters)
    }
}

fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), FilterError> {
    match found > most {
        true => Err(FilterError::TooMany { what, found, most }),
        false => Ok(()),
    }
}

impl Patterns {
    fn read(source: &SmartsSource) -> Result<Self, FilterError> {
        let patterns = match source {
            SmartsSource::Text(text) if text.is_empty() => {
                return Err(FilterError::Empty("an empty text".into()));
            }
            SmartsSource::Text(text) => vec![Pattern::alone(text)],
            SmartsSource::File(path) => {
                let content = disk::read(path, FILTER_FILE_BYTES_MAX)?;
                let content = content.ok_or_else(|| FilterError::Missing(path.clone()))?;
                let content = String::from_utf8(content);
                let content = content.map_err(|_| FilterError::NotText(path.clone()))?;
                let patterns = Pattern::all_of(&content);
                if patterns.is_empty() {
                    return Err(FilterError::Empty(path.display().to_string()));
                }
                patterns
            }
        };
        Ok(Self {
            source: source.clone(),
            patterns,
        })
    }

    /// The file, if they are from one.
    pub fn file(&self) -> Option<&Path> {
        match &self.source {
            SmartsSource::File(path) => Some(path),
            SmartsSource::Text(_) => None,
        }
    }
}

impl Filter {
    fn patterns(&self) -> usize {
        match self {
            Self::Require(patterns) | Self::Reject(patterns) => patterns.patterns.len(),
            Self::Where(_) | Self::Alerts(_) => 0,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Where(condition) => write!(f, "where {condition}"),
            Self::Require(patterns) => write!(f, "require {}", patterns.source),
            Self::Reject(patterns) => write!(f, "reject {}", patterns.source),
            Self::Alerts(catalogue) => write!(f, "alerts {catalogue}"),
        }
    }
}

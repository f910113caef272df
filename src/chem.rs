//! The chemistry: makes products of parents with RDKit.
//!
//! `bridge` is the raw bridge to C++, [`Transformer`] the safe interface, and [`check`] runs the examples of rules. The C++
//! below `src/chem` does the work; ARCHITECTURE.md lists its files.
//!
//! A transformer belongs to one thread: RDKit locks a mutex for every recursive SMARTS, and its molecules can't be shared
//! while they change.

mod bridge;
pub mod check;
mod clean;
mod comparisons;
pub mod draw;
pub mod drops;
mod fault;
mod filtering;
mod product_keys;
mod settings;
mod shared_numbers;
mod times;

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use bridge::ffi;
use cxx::UniquePtr;

pub use clean::{Answer as CleanAnswer, Cleaned, Cleaner};
#[doc(hidden)]
pub use comparisons::SearchCheck;
pub use product_keys::{ProductKeys, StructureKey};
pub use settings::{Method, SmilesForm, TransformSettings};
pub use times::ChemistryTimes;

use crate::{
    account::{Counts, RuleAccount},
    limits::{
        PARENT_ATOMS_MAX, PARENT_SMILES_BYTES_MAX, PRODUCT_SMILES_BYTES_MAX,
        PRODUCTS_CHECKED_ONE_IN, PRODUCTS_PER_CALL, SITES_PER_RULE_MAX,
    },
    reagents::Combinations,
    reject::{RejectCode, Rejection},
    rules::{Rule, RuleSet},
    slot::{ParentFlags, Slot},
};

/// Proof that RDKit's shared tables are built and its log is redirected.
#[derive(Clone, Copy, Debug)]
pub struct RdKit(());

impl RdKit {
    /// Builds RDKit's shared tables on this thread, since its first parse is not safe on two threads at once. Call it
    /// before any other thread uses RDKit; later calls cost nothing.
    ///
    /// # Errors
    ///
    /// [`ChemistryError::StartUp`] if the library is of another release than its headers, or does not work as they
    /// promise.
    pub fn initialise() -> Result<Self, ChemistryError> {
        static ONCE: std::sync::OnceLock<Result<(), String>> = std::sync::OnceLock::new();
        let start = || {
            check_release(&ffi::rdkit_version())?;
            ffi::initialise().map_err(|error| error.what().to_owned())
        };
        ONCE.get_or_init(start)
            .clone()
            .map(|()| Self(()))
            .map_err(ChemistryError::StartUp)
    }

    /// RDKit's version: year, month and a number, such as `2026.09.1`.
    pub fn version(self) -> String {
        ffi::rdkit_version()
    }

    /// The version of the Boost that RDKit was built with.
    pub fn boost_version(self) -> String {
        ffi::boost_version()
    }

    /// The canonical SMILES of a mol block (V2000 or V3000), with a CXSMILES extension for its enhanced stereo as drawn.
    pub fn mol_block_to_smiles(self, block: &[u8]) -> Result<String, Rejection> {
        answer(ffi::mol_block_to_smiles(block, false))
    }

    /// The same as [`RdKit::identity_smiles`] for a mol block.
    pub fn mol_block_to_identity(self, block: &[u8]) -> Result<String, Rejection> {
        answer(ffi::mol_block_to_smiles(block, true))
    }

    /// The canonical SMILES of a SMILES.
    pub fn canonical_smiles(self, smiles: &str) -> Result<String, Rejection> {
        answer(ffi::smiles_to_smiles(smiles.as_bytes(), false))
    }

    /// The mol block of a SMILES, without a title. Its coordinates are 0, except with `depict` or where the molecule's
    /// stereo needs them: then they are RDKit's 2D coordinates.
    pub fn mol_block(self, smiles: &[u8], depict: bool) -> Result<String, Rejection> {
        answer(ffi::smiles_to_mol_block(smiles, depict))
    }

    /// The canonical SMILES, with a CXSMILES extension if the molecule has enhanced stereo: equal exactly for equal
    /// molecules.
    pub fn identity_smiles(self, smiles: &str) -> Result<String, Rejection> {
        answer(ffi::smiles_to_smiles(smiles.as_bytes(), true))
    }
}

/// Returns an error if a library of release `found` can't be used: its year and month must be those of the headers.
fn check_release(found: &str) -> Result<(), String> {
    const BUILT_WITH: &str = env!("MOLSIEVE_RDKIT");
    let series = |release: &str| release.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    if series(found) == series(BUILT_WITH) {
        return Ok(());
    }
    Err(format!(
        "this molsieve was built with release {BUILT_WITH}, and the library that was found is {found}; install molsieve \
         again with its own libraries, or in its repository run scripts/rdkit-prefix.sh .rdkit and build it again"
    ))
}

fn answer(answer: ffi::Answer) -> Result<String, Rejection> {
    match code(answer.failure) {
        None => Ok(answer.text),
        Some(code) => Err(code.because(answer.text)),
    }
}

/// The code of a failure; `None` if there is no failure.
fn code(failure: ffi::Failure) -> Option<RejectCode> {
    Some(match failure {
        ffi::Failure::None => return None,
        ffi::Failure::Empty => RejectCode::Empty,
        ffi::Failure::TooLarge => RejectCode::TooLarge,
        ffi::Failure::MolBlock => RejectCode::Sdf,
        ffi::Failure::Syntax => RejectCode::Syntax,
        ffi::Failure::Valence => RejectCode::Valence,
        ffi::Failure::Kekulize => RejectCode::Kekulize,
        ffi::Failure::Sanitize => RejectCode::Sanitize,
        ffi::Failure::Write => RejectCode::Write,
        ffi::Failure::Clean => RejectCode::Clean,
        _ => RejectCode::Rdkit,
    })
}

/// Why the chemistry fails, apart from molecules that can't be used (see [`Rejection`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChemistryError {
    /// RDKit fails its start-up check: a wrong or damaged installation.
    #[error("RDKit cannot be used: {0}")]
    StartUp(String),
    /// RDKit rejects the SMIRKS or a SMARTS of a rule.
    #[error("{origin}: rule \"{rule}\": {reason}")]
    Rule {
        /// File, line and column.
        origin: String,
        /// The rule's name.
        rule: String,
        /// RDKit's text.
        reason: String,
    },
    /// RDKit rejects a SMARTS of a filter. The message has further lines if RDKit says where: the SMARTS, and a caret under
    /// the place.
    #[error("{place}RDKit cannot read this SMARTS: {reason}")]
    Filter {
        /// File and line, if it is in a file.
        place: String,
        /// RDKit's text, with the SMARTS.
        reason: String,
    },
    /// RDKit failed for a reason other than the molecule (out of memory, a broken invariant).
    #[error("RDKit failed: {0}")]
    Failed(String),
}

/// Why [`Transformer::fill`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All its products are written.
    Finished,
    /// The slot is full; continue with another.
    SlotFull,
    /// A number of products are made; check for a stop and call again.
    Paused,
}

/// The compiled rules of one thread and the parent it works on.
pub struct Transformer {
    inner: UniquePtr<ffi::Transformer>,
    times: ChemistryTimes,
    /// Number of rules.
    rules: usize,
    /// Number of filters of products.
    filters: usize,
    /// Whether products are written directly, with their structure keys.
    gives_keys: bool,
    /// Rules that match nothing because they ask for hydrogens as atoms.
    without_hydrogens: Vec<usize>,
    /// Whether the current parent is to fail.
    #[cfg(feature = "failpoints")]
    fails: bool,
}

impl Transformer {
    /// Compiles the rules. Those of several reactants make nothing.
    pub fn new(
        rdkit: RdKit,
        rules: &RuleSet,
        settings: TransformSettings,
    ) -> Result<Self, ChemistryError> {
        Self::with_reagents(rdkit, rules, settings, Combinations::none())
    }

    /// Compiles the rules, of which those of several reactants combine parents with reagents.
    pub fn with_reagents(
        _: RdKit,
        rules: &RuleSet,
        settings: TransformSettings,
        combinations: Combinations,
    ) -> Result<Self, ChemistryError> {
        let mut transformer = Self::without_rules(settings, combinations)?;
        for rule in rules.rules() {
            transformer.add(rule)?;
        }
        Ok(transformer)
    }

    fn without_rules(
        settings: TransformSettings,
        combinations: Combinations,
    ) -> Result<Self, ChemistryError> {
        let settings = ffi::TransformerSettings {
            reference: settings.method == Method::Reference,
            real_properties: settings.properties.reals().bits(),
            count_properties: settings.properties.counts().bits(),
            parent_atoms_max: PARENT_ATOMS_MAX,
            product_bytes_max: PRODUCT_SMILES_BYTES_MAX,
            products_per_parent_max: settings.products_per_parent_max,
            sites_max: SITES_PER_RULE_MAX,
            check_one_in: PRODUCTS_CHECKED_ONE_IN,
            reagents_per_row: combinations.per_row(),
            reagent_bytes_max: combinations.kept_bytes_max(),
            stereoisomers_max: settings.stereoisomers_max,
        };
        let inner = ffi::new_transformer(&settings, Box::new(combinations))
            .map_err(|error| ChemistryError::Failed(error.what().to_owned()))?;
        Ok(Self {
            inner,
            times: ChemistryTimes::default(),
            rules: 0,
            filters: 0,
            gives_keys: false,
            without_hydrogens: Vec::new(),
            #[cfg(feature = "failpoints")]
            fails: false,
        })
    }

    /// Has products written directly. The rows of a slot then have their structure keys.
    pub fn write_directly(&mut self, keys: ProductKeys) {
        self.inner.pin_mut().write_directly(Box::new(keys));
        self.gives_keys = true;
    }

    /// By index, the rules that match nothing because they ask for hydrogens as atoms.
    pub fn rules_without_hydrogens(&self) -> &[usize] {
        &self.without_hydrogens
    }

    /// Whether RDKit has to search for a pattern of a rule, by index, whatever the molecule.
    pub fn rdkit_searches(&self, rule: usize) -> Result<bool, ChemistryError> {
        self.inner
            .rdkit_searches(rule as u32)
            .map_err(|error| ChemistryError::Failed(error.what().to_owned()))
    }

    fn add(&mut self, rule: &Rule) -> Result<(), ChemistryError> {
        let require = rule.require.as_deref().unwrap_or_default();
        let matches_nothing = self
            .inner
            .pin_mut()
            .add_rule(
                &rule.smirks,
                &rule.exclude,
                require,
                rule.add_hydrogens,
                &rule.parent,
            )
            .map_err(|error| ChemistryError::Rule {
                origin: fault::place(rule, error.what()),
                rule: rule.name.clone(),
                reason: error.what().to_owned(),
            })?;
        if matches_nothing {
            self.without_hydrogens.push(self.rules);
        }
        self.rules += 1;
        Ok(())
    }

    /// Parses a parent, whose place in the order of reading is `ordinal`.
    pub fn begin(&mut self, ordinal: u64, smiles: &[u8]) -> Result<(), Rejection> {
        self.begin_with(smiles, |inner| inner.begin(ordinal, smiles))
    }

    /// The same for a mol block; `smiles` is what [`RdKit::mol_block_to_smiles`] gives for it. If RDKit reads another
    /// molecule from its own SMILES, the parent is the molecule of the block.
    pub fn begin_mol_block(
        &mut self,
        ordinal: u64,
        block: &[u8],
        smiles: &[u8],
    ) -> Result<(), Rejection> {
        self.begin_with(smiles, |inner| {
            inner.begin_mol_block(ordinal, block, smiles)
        })
    }

    /// Parses a molecule as a reagent.
    pub fn read_reagent(&mut self, smiles: &[u8]) -> Result<(), Rejection> {
        self.begin_with(smiles, |inner| inner.read_reagent(smiles))
    }

    /// Whether the reagent read last matches a reactant, by number, of a rule.
    pub fn reagent_matches(&mut self, rule: usize, reactant: usize) -> Result<bool, Rejection> {
        let matches = self
            .inner
            .pin_mut()
            .reagent_matches(rule as u32, reactant as u8);
        matches.map_err(|error| RejectCode::Rdkit.because(error.what()))
    }

    fn begin_with(
        &mut self,
        smiles: &[u8],
        begin: impl FnOnce(Pin<&mut ffi::Transformer>) -> Result<ffi::Failure, cxx::Exception>,
    ) -> Result<(), Rejection> {
        check_text(smiles)?;
        #[cfg(feature = "failpoints")]
        {
            self.fails = crate::faults::parent(smiles);
        }
        let began = Instant::now();
        let begun = begin(self.inner.pin_mut());
        self.times.parse += began.elapsed();
        match begun.map(code) {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(code.because(self.inner.reason())),
            Err(error) => Err(RejectCode::Rdkit.because(error.what())),
        }
    }

    /// Writes products of the current parent into `slot`, in which the parent has the number `parent`, and flags the caps
    /// that took effect.
    pub fn fill(&mut self, slot: &mut Slot, parent: u32) -> Result<Progress, ChemistryError> {
        #[cfg(feature = "failpoints")]
        if self.fails {
            return Err(ChemistryError::Failed("on purpose".into()));
        }
        let mut report = ffi::ParentReport::default();
        let (rows, text_bytes) = (slot.rows(), slot.text_bytes());
        let mut by_rule = std::mem::take(&mut slot.account.by_rule);
        by_rule.resize(self.rules, RuleAccount::default());
        let mut by_filter = std::mem::take(&mut slot.account.by_filter);
        by_filter.resize(by_filter.len().max(self.filters), 0);
        let mut keys_by_rdkit = slot.account.keys.by_rdkit;
        let columns = slot.columns_mut();
        let mut space = ffi::ProductSpace {
            text: columns.text,
            text_ends: columns.text_end,
            parent: columns.parent,
            rule: columns.rule,
            site: columns.site,
            reagents: columns.reagents,
            real_properties: columns.real_properties,
            count_properties: columns.count_properties,
            rows: rows as u32,
            text_bytes: text_bytes as u32,
            by_rule: bytemuck::cast_slice_mut(&mut by_rule),
            by_filter: &mut by_filter,
            keys: bytemuck::cast_slice_mut(columns.key),
            keys_by_rdkit: &mut keys_by_rdkit,
        };
        let fill = self
            .inner
            .pin_mut()
            .fill(&mut space, parent, PRODUCTS_PER_CALL, &mut report)
            .map_err(|error| ChemistryError::Failed(error.what().to_owned()))?;
        let (rows, text_bytes) = (space.rows as usize, space.text_bytes as usize);
        slot.set_filled(rows, text_bytes);
        slot.account.by_rule = by_rule;
        slot.account.by_filter = by_filter;
        slot.account.keys.by_rdkit = keys_by_rdkit;
        slot.keys_given |= self.gives_keys;
        add(&mut slot.account.counts, &report);
        self.times.find_sites += Duration::from_nanos(report.match_ns);
        self.times.react += Duration::from_nanos(report.react_ns);
        self.times.finish += Duration::from_nanos(report.finish_ns);
        self.times.write += Duration::from_nanos(report.write_ns);
        self.times.describe += Duration::from_nanos(report.describe_ns);
        self.times.keys += Duration::from_nanos(report.key_ns);
        self.times.on_graphs += report.on_graphs;
        self.times.checked += report.checked;
        self.times.described_by_rdkit += report.described_by_rdkit;
        self.times.searches_on_graphs += report.searches_on_graphs;
        self.times.searches_by_rdkit += report.searches_by_rdkit;
        slot.flag_parent(parent, flags(report.caps));
        match fill {
            ffi::Fill::Finished => Ok(Progress::Finished),
            ffi::Fill::SlotFull => Ok(Progress::SlotFull),
            _ => Ok(Progress::Paused),
        }
    }

    /// The canonical SMILES of the current parent.
    pub fn parent_smiles(&mut self) -> Result<&[u8], Rejection> {
        let began = Instant::now();
        let written = self.inner.pin_mut().parent_smiles();
        self.times.write += began.elapsed();
        let written = written.map_err(|error| RejectCode::Write.because(error.what()))?;
        Ok(written.as_bytes())
    }

    /// The time taken since the last call.
    pub fn take_times(&mut self) -> ChemistryTimes {
        std::mem::take(&mut self.times)
    }

    /// Drops the current parent.
    pub fn end(&mut self) {
        self.inner.pin_mut().end();
    }
}

/// Checks what a SMILES must be before RDKit or a structure key reads it: not too long, without control characters.
pub fn check_text(smiles: &[u8]) -> Result<(), Rejection> {
    check_length(smiles)?;
    if smiles.iter().any(u8::is_ascii_control) {
        // RDKit would silently stop reading there.
        return Err(RejectCode::Encoding
            .because("the SMILES contains a line break or another control character"));
    }
    Ok(())
}

/// Refuses a SMILES that is longer than a parent's may be.
pub fn check_length(smiles: &[u8]) -> Result<(), Rejection> {
    if smiles.len() > PARENT_SMILES_BYTES_MAX {
        return Err(RejectCode::TooLarge.because(format!(
            "the SMILES is {} bytes long, at most {PARENT_SMILES_BYTES_MAX} are allowed",
            smiles.len()
        )));
    }
    Ok(())
}

fn add(counts: &mut Counts, report: &ffi::ParentReport) {
    counts.products_symmetric += report.symmetric;
    counts.products_unchanged += report.unchanged;
    counts.products_invalid += report.invalid;
    counts.products_capped += report.capped;
    counts.enhanced_stereo_dropped += report.enhanced_stereo;
    counts.products_filtered += report.filtered;
    counts.products_expanded += report.expanded;
    counts.products_expanded_in_part += report.expanded_in_part;
}

fn flags(caps: u32) -> ParentFlags {
    let all = [
        (ffi::Cap::Products, ParentFlags::CAPPED_PRODUCTS),
        (ffi::Cap::Sites, ParentFlags::CAPPED_SITES),
        (ffi::Cap::Length, ParentFlags::CAPPED_LENGTH),
    ];
    all.into_iter()
        .filter(|(cap, _)| caps & cap.repr != 0)
        .fold(ParentFlags::default(), |flags, (_, flag)| flags.and(flag))
}

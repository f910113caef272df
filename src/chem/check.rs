//! Checks rules: whether RDKit compiles them, and whether their examples give the stated products.

use std::collections::BTreeSet;

use super::{ChemistryError, Method, Progress, RdKit, TransformSettings, Transformer};
use crate::{
    property::PropertySet,
    reagents::{Combinations, Reagents, RuleReagents, StepReagents},
    reject::Rejection,
    rules::{Example, Rule},
    slot::{Slot, SlotLayout, SlotParent},
};

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// RDKit rejects the SMIRKS or one of the SMARTS.
    #[error(transparent)]
    Compile(ChemistryError),
    /// An example's SMILES can't be read.
    #[error("{origin}: rule \"{rule}\": the example's `{smiles}` is not a molecule: {reason}")]
    ExampleSmiles {
        /// File and line.
        origin: String,
        /// The rule's name.
        rule: String,
        /// The SMILES.
        smiles: String,
        /// RDKit's text.
        reason: String,
    },
    /// An example gives other products than it states.
    #[error(
        "{origin}: rule \"{rule}\": `{from}` gives {}; the example says {}",
        list(made),
        list(expected)
    )]
    ExampleProducts {
        /// File and line.
        origin: String,
        /// The rule's name.
        rule: String,
        /// The example's parent.
        from: String,
        /// The products of the rule.
        made: Vec<String>,
        /// The products that the example states, as canonical SMILES.
        expected: Vec<String>,
    },
}

fn list(smiles: &[String]) -> String {
    if smiles.is_empty() {
        "nothing".into()
    } else {
        smiles.join(", ")
    }
}

/// The result of checking a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleCheck {
    /// Why it can't be used, or gives other products than its examples state.
    pub faults: Vec<RuleFault>,
    /// It asks for hydrogens as atoms and therefore matches nothing.
    pub without_hydrogens: bool,
    /// RDKit has to search for one of its patterns.
    pub searched_by_rdkit: bool,
}

/// Advice for rules that match nothing because they ask for hydrogens as atoms.
pub const ON_HYDROGENS: &str = "RDKit keeps hydrogens implicit, so a rule that asks for [H] as an atom \
    matches nothing; set add_hydrogens = true, or count hydrogens, as in [OH]";

/// What it means that RDKit has to search for a pattern of a rule.
pub const ON_SEARCHES: &str = "RDKit searches for a pattern of this rule, which molsieve's faster search does not cover; \
    the sites are the same";

/// Compiles a rule and runs its examples.
pub fn check_rule(rdkit: RdKit, rule: &Rule) -> Result<RuleCheck, ChemistryError> {
    let settings = TransformSettings {
        method: Method::Reference,
        ..TransformSettings::default()
    };
    let mut transformer = Transformer::without_rules(settings, Combinations::none())?;
    if let Err(error) = transformer.add(rule) {
        return Ok(RuleCheck {
            faults: vec![RuleFault::Compile(error)],
            ..RuleCheck::default()
        });
    }
    let mut faults = Vec::new();
    for example in &rule.examples {
        if rule.reactants > 1 {
            transformer = Transformer::without_rules(settings, combined(rule, example))?;
            transformer.add(rule)?;
        }
        if let Some(fault) = run_example(rdkit, &mut transformer, rule, example)? {
            faults.push(fault);
        }
    }
    Ok(RuleCheck {
        faults,
        without_hydrogens: !transformer.rules_without_hydrogens().is_empty(),
        searched_by_rdkit: searched_by_rdkit(rule, settings)?,
    })
}

/// Whether a job leaves the search for one of a rule's patterns to RDKit.
fn searched_by_rdkit(rule: &Rule, settings: TransformSettings) -> Result<bool, ChemistryError> {
    let method = Method::Fast;
    let settings = TransformSettings { method, ..settings };
    let mut transformer = Transformer::without_rules(settings, Combinations::none())?;
    transformer.add(rule)?;
    transformer.rdkit_searches(0)
}

/// What an example combines: the molecules that it names.
fn combined(rule: &Rule, example: &Example) -> Combinations {
    let texts = example.from.iter();
    let reagents = Reagents::in_memory(texts.map(|smiles| (&b""[..], smiles.as_bytes())));
    let numbers = 0..example.from.len() as u32;
    let step = StepReagents {
        rules: vec![Some(RuleReagents {
            parent: rule.parent.clone(),
            lists: numbers.clone().map(Some).collect(),
        })],
        lists: numbers.map(|number| [number].into()).collect(),
    };
    Combinations::new(reagents.into(), step.into(), None, 0)
}

fn run_example(
    rdkit: RdKit,
    transformer: &mut Transformer,
    rule: &Rule,
    example: &Example,
) -> Result<Option<RuleFault>, ChemistryError> {
    let origin = format!("{}:{}", rule.origin.file.display(), example.line);
    let unreadable = |smiles: &str, rejection: Rejection| RuleFault::ExampleSmiles {
        origin: origin.clone(),
        rule: rule.name.clone(),
        smiles: smiles.into(),
        reason: rejection.reason,
    };
    let mut expected = BTreeSet::new();
    for smiles in &example.to {
        match rdkit.canonical_smiles(smiles) {
            Ok(canonical) => expected.insert(canonical),
            Err(reason) => return Ok(Some(unreadable(smiles, reason))),
        };
    }
    let readable = example.from.iter().try_for_each(|smiles| {
        let read = transformer.begin(0, smiles.as_bytes());
        read.map_err(|reason| unreadable(smiles, reason))
    });
    if let Err(fault) = readable {
        return Ok(Some(fault));
    }
    // The parent is the last to be read.
    let parent = &example.from[usize::from(rule.parent[0])];
    if let Err(reason) = transformer.begin(0, parent.as_bytes()) {
        return Ok(Some(unreadable(parent, reason)));
    }
    let made = products(transformer)?;
    if made == expected {
        return Ok(None);
    }
    Ok(Some(RuleFault::ExampleProducts {
        origin,
        rule: rule.name.clone(),
        from: example.from.join(" + "),
        made: made.into_iter().collect(),
        expected: expected.into_iter().collect(),
    }))
}

/// All products of the current parent.
fn products(transformer: &mut Transformer) -> Result<BTreeSet<String>, ChemistryError> {
    let mut slot = Slot::new(SlotLayout::smallest(PropertySet::NONE));
    let mut made = BTreeSet::new();
    loop {
        slot.clear();
        let parent = slot
            .push_parent(SlotParent::default())
            .expect("an empty slot holds a parent");
        let progress = transformer.fill(&mut slot, parent)?;
        made.extend(
            (0..slot.rows()).map(|row| String::from_utf8_lossy(slot.smiles(row)).into_owned()),
        );
        if progress == Progress::Finished {
            return Ok(made);
        }
    }
}

//! Rule files: the first byte picks the format, the rest is the text.

use std::{collections::HashSet, path::Path};

use molsieve::rules::{
    LABEL_BYTES_MAX, NAME_BYTES_MAX, Position, REACTANTS_MAX, RULES_MAX, Rule, RuleSet,
    SMIRKS_BYTES_MAX, to_toml,
};

use super::assert_one_line;

const FILES: [&str; 6] = [
    "rules.toml",
    "rules.yaml",
    "rules.csv",
    "rules.tsv",
    "rules.json",
    "rules.smirks",
];

/// Reads an input as a rule file.
pub fn rules(input: &[u8]) {
    let [format, text @ ..] = input else {
        return;
    };
    let file = Path::new(FILES[usize::from(*format) % FILES.len()]);
    let text = String::from_utf8_lossy(text);
    match RuleSet::parse(file, &text) {
        Ok(rules) => check_set(&rules, &text),
        Err(error) => {
            assert_one_line(&error.to_string());
            if let Some(position) = error.position {
                check_position(position, &text);
            }
        }
    }
}

fn check_set(set: &RuleSet, text: &str) {
    assert!((1..=RULES_MAX).contains(&set.len()));
    let mut names = HashSet::new();
    for rule in set.rules() {
        assert!(names.insert(&rule.name), "{} is there twice", rule.name);
        check_rule(rule);
        check_places(rule, text);
    }
    let written = RuleSet::parse(Path::new("written.toml"), &to_toml(set.rules()));
    let written = written.expect("what molsieve writes can be read");
    for (written, rule) in written.rules().iter().zip(set.rules()) {
        assert_eq!(written.name, rule.name);
        assert_eq!(written.smirks, rule.smirks);
    }
    assert_eq!(written.len(), set.len());
}

/// Checks what the docs of the fields state.
fn check_rule(rule: &Rule) {
    let is_control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!((1..=NAME_BYTES_MAX).contains(&rule.name.len()));
    assert_eq!(rule.name, rule.name.trim());
    for text in rule.tags.iter().chain(&rule.label).chain([&rule.name]) {
        assert!(text.len() <= LABEL_BYTES_MAX && !text.contains(is_control));
    }
    let examples = rule.examples.iter();
    let smiles = examples.flat_map(|example| example.to.iter().chain(&example.from));
    let patterns = rule.exclude.iter().chain(&rule.require);
    for text in patterns.chain(smiles).chain([&rule.smirks]) {
        assert!((1..=SMIRKS_BYTES_MAX).contains(&text.len()));
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
    }
    check_smirks(&rule.smirks);
    let is_reactant = |number: &u8| usize::from(*number) < rule.reactants;
    assert!((1..=REACTANTS_MAX).contains(&rule.reactants));
    assert!(!rule.parent.is_empty() && rule.parent.iter().all(is_reactant));
    // A reactant that is not always the parent has reagents.
    let always = matches!(rule.parent[..], [_]);
    assert_eq!(rule.reagents.len(), rule.reactants - usize::from(always));
    assert!(rule.reagents.keys().all(is_reactant));
    let counts = rule.examples.iter().map(|example| example.from.len());
    assert!(counts.into_iter().all(|count| count == rule.reactants));
}

/// One `>>`, where the `>` of a dative bond `->` does not count, and something on both sides of it.
fn check_smirks(smirks: &str) {
    let plain = smirks.replace("->", "--");
    assert_eq!(plain.matches('>').count(), 2, "{smirks}");
    let (reactant, products) = plain.split_once(">>").expect("the two stand together");
    assert!(!reactant.is_empty() && !products.is_empty(), "{smirks}");
}

/// Fails unless every part of a rule has a position for an error of RDKit.
fn check_places(rule: &Rule, text: &str) {
    let origin = &rule.origin;
    assert_eq!(origin.exclude.len(), rule.exclude.len());
    assert_eq!(origin.require.is_some(), rule.require.is_some());
    let patterns = origin.exclude.iter().chain(&origin.require);
    for place in patterns.chain([&origin.smirks]) {
        for byte in [0, rule.smirks.len() - 1] {
            check_position(place.at(byte), text);
        }
    }
    let lines = text.split('\n').count();
    assert!(
        rule.examples
            .iter()
            .all(|example| (1..=lines + 1).contains(&example.line))
    );
    assert_one_line(&rule.origin.to_string());
}

/// Fails unless a position lies in the text or directly after it.
fn check_position(position: Position, text: &str) {
    let lines = text.split('\n').count();
    assert!(
        (1..=lines + 1).contains(&position.line) && position.column >= 1,
        "{position:?} in {lines} lines"
    );
}

//! Files of other RDKit-based tools, and rules written as TOML. The examples are made for these tests.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

/// The form of halogenator's transformations.
const TRANSFORMS: &str = r#"version: 2
transforms:
  - name: OH_TO_OME
    code: OH_TO_OME
    legacy_rule_id: null
    label: "OH->OMe"
    family: phenol_mod
    scope_classes: ["polyphenol", "terpenoid"]
    query_smarts: "[c:1][OX2H:2]"
    smirks: "[c:1][OX2H:2]>>[c:1][O:2]C"
    highlight_mapnums: [1]
    product_highlight_symbol: "O"
  - name: NH2_TO_NHAC
    code: NH2_TO_NHAC
    family: amine_mod
    enabled: true
    query_smarts: "c[NH2]"
    smirks: "[c:1][NH2:2]>>[c:1][N:2]C(C)=O"
"#;

/// The form of datamol's reactions.
const REACTIONS: &str = r#"{
    "boc-removal": {
        "description": "Frees an amine.\nBoc goes.",
        "long_name": "Boc removal",
        "retro_smarts": "[N:1]>>[N:1]C(=O)OC(C)(C)C",
        "rhs_classes": [],
        "syn_smarts": "[N:1]C(=O)OC([CH3])([CH3])[CH3]>>[N:1]",
        "tags": ["Boc", "transformation"],
        "tier": 1
    },
    "reduction": {"syn_smarts": "[C:1]\u003d[O:2]>>[C:1][O:2]"}
}"#;

fn load(file: &str, text: &str) -> Loader {
    let mut loader = Loader::new(ERRORS_MAX);
    loader.text(Path::new(file), text);
    loader
}

/// The rules of a file without faults.
#[track_caller]
fn rules(file: &str, text: &str) -> (Vec<Rule>, Vec<String>) {
    let loader = load(file, text);
    assert_eq!(loader.errors, [], "{text}");
    let notes = loader.notes.into_list();
    (
        loader.rules,
        notes.iter().map(ToString::to_string).collect(),
    )
}

/// Name, SMIRKS, label and tags of each rule.
fn short(rules: &[Rule]) -> Vec<(&str, &str, &str, String)> {
    let short = |rule: &'_ Rule| rule.tags.join(",");
    let each = rules.iter();
    each.map(|rule| {
        let label = rule.label.as_deref().unwrap_or_default();
        (rule.name.as_str(), rule.smirks.as_str(), label, short(rule))
    })
    .collect()
}

#[track_caller]
fn only_error(file: &str, text: &str) -> String {
    let errors = load(file, text).errors;
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors[0].to_string()
}

#[test]
fn transforms_of_halogenator_are_read_as_they_are() {
    let (rules, notes) = rules("transforms.yaml", TRANSFORMS);
    assert_eq!(
        short(&rules),
        [
            (
                "OH_TO_OME",
                "[c:1][OX2H:2]>>[c:1][O:2]C",
                "OH->OMe",
                "phenol_mod,polyphenol,terpenoid".into()
            ),
            (
                "NH2_TO_NHAC",
                "[c:1][NH2:2]>>[c:1][N:2]C(C)=O",
                "",
                "amine_mod".into()
            ),
        ]
    );
    assert_eq!(rules[0].require.as_deref(), Some("[c:1][OX2H:2]"));
    let left_out = |place: &str, key: &str, end: &str| {
        format!(
            "transforms.yaml:{place}: warning: \"{key}\" is left out; this key of another tool does not change what \
             a rule makes{end}"
        )
    };
    assert_eq!(
        notes,
        [
            left_out("1:1", "version", ""),
            left_out("4:5", "code", " (2 rules)"),
            left_out("11:5", "highlight_mapnums", ""),
            left_out("12:5", "product_highlight_symbol", ""),
            left_out("16:5", "enabled", ""),
        ]
    );
}

#[test]
fn a_mapping_of_names_to_rules_is_a_list_of_rules() {
    let by_name =
        "ome: {smirks: '[OH:1]>>[O:1]C', description: a text}\nfluoro: '[cH:1]>>[c:1]F'\n";
    let nested: String = by_name.lines().map(|line| format!("  {line}\n")).collect();
    for text in [by_name.to_owned(), format!("rules:\n{nested}")] {
        let (rules, notes) = rules("r.yaml", &text);
        let expected = [
            ("ome", "[OH:1]>>[O:1]C", "a text", String::new()),
            ("fluoro", "[cH:1]>>[c:1]F", "", String::new()),
        ];
        assert_eq!((short(&rules).as_slice(), notes.len()), (&expected[..], 0));
    }
}

#[test]
fn json_of_several_tools() {
    let (found, notes) = rules("reactions.json", REACTIONS);
    assert_eq!(
        short(&found),
        [
            (
                "boc-removal",
                "[N:1]C(=O)OC([CH3])([CH3])[CH3]>>[N:1]",
                "Boc removal",
                "Boc,transformation".into()
            ),
            ("reduction", "[C:1]=[O:2]>>[C:1][O:2]", "", String::new()),
        ]
    );
    let keys = ["description", "retro_smarts", "rhs_classes", "tier"];
    assert_eq!(notes.len(), keys.len(), "{notes:?}");
    for (note, key) in notes.iter().zip(keys) {
        assert!(note.contains(&format!("\"{key}\" is left out")), "{note}");
    }
    // Behind an escape too.
    assert_eq!(
        found[1].origin.smirks.at(6),
        Position {
            line: 11,
            column: 45
        }
    );

    let keys = r#"{"1_red": {"reaction_name": "1_red", "reaction_string": "[C:1]=O>>[C:1]O", "RXN_NUM": 1}}"#;
    let list = r#"[{"id": 17, "smarts": "[C:1]=O>>[C:1]O"}, {"name": "b", "smirks": "C>>N"}]"#;
    let texts = r#"["[C:1]=O>>[C:1]O", "C>>N"]"#;
    let mapping = r#"{"a": "[C:1]=O>>[C:1]O", "b": "C>>N"}"#;
    for (text, names) in [
        (keys, &["1_red"][..]),
        (list, &["17", "b"]),
        (texts, &["r_1", "r_1_2"]),
        (mapping, &["a", "b"]),
    ] {
        let (rules, _) = rules("r.json", text);
        let found: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(found, names, "{text}");
        assert_eq!(rules[0].smirks, "[C:1]=O>>[C:1]O");
    }
}

#[test]
fn faults_in_json_have_their_place() {
    for (text, expected) in [
        (
            "{\"a\": \"C>>N\",\n \"é\": x}",
            "r.json:2:7: expected value",
        ),
        ("[\"C>>N\"", "r.json:1:7: EOF while parsing a list"),
        (
            "{\"a\": \"C>>N\", \"a\": \"C>>O\"}",
            "r.json:1:15: the key \"a\" is there twice",
        ),
        (
            "[{\"name\": \"x\",\n  \"smirks\": \"C>N\"}]",
            "r.json:2:15: rule \"x\": the SMIRKS needs exactly one \">>\"",
        ),
        (
            "[{\"name\": \"x\"}]",
            "r.json:1:2: rule \"x\": \"smirks\" is missing",
        ),
        ("[]", "r.json: holds no rules"),
        (
            "3",
            "r.json:1:1: \"the file\" must be a list of rules, not a number",
        ),
    ] {
        let error = only_error("r.json", text);
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn lists_of_reaction_smarts() {
    let text = "# made for tests\n\n\
        [OH:1]>>[O:1]C\n\
        [OH:1]>>[O:1]CC ethyl ether # from bromide\n\
        // of a table\n\
        Nitro group\t[N:1]=O>>[N:1]O\n\
        [NH2:1]>>[N:1]C(C)=O\t0.25\tacetylation\t#75/277\n\
        [SH:1]>>[S:1]C\t17\r\n\
        Nitro group\t[n:1]=O>>[n:1]O\n\
        [c:1][OH:2]>>[#6:1][O:2]F\n";
    for file in ["my list.rxn.txt", "my list.smirks", "my list.SMARTS"] {
        let (rules, notes) = rules(file, text);
        let none = String::new;
        assert_eq!(
            short(&rules),
            [
                ("my list_3", "[OH:1]>>[O:1]C", "", none()),
                ("ethyl ether", "[OH:1]>>[O:1]CC", "from bromide", none()),
                ("Nitro group", "[N:1]=O>>[N:1]O", "", none()),
                ("acetylation", "[NH2:1]>>[N:1]C(C)=O", "75/277", none()),
                ("17", "[SH:1]>>[S:1]C", "", none()),
                ("Nitro group_9", "[n:1]=O>>[n:1]O", "", none()),
                ("my list_10", "[c:1][OH:2]>>[#6:1][O:2]F", "", none()),
            ]
        );
        assert_eq!(rules[2].origin.smirks.start().column, 13);
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains(":7:22: warning: \"score\" is left out"));
        assert!(notes[1].contains("has the name \"Nitro group\" too"));
    }
    let error = only_error("r.smirks", "C.N.O.S.P>>CN two\nC>>N\n");
    assert!(error.starts_with("r.smirks:1:8: rule \"two\": "), "{error}");
    let error = only_error("r.txt", "name,smirks\nx,C>>N\n");
    assert!(error.contains("a reaction SMARTS on each line"), "{error}");
}

#[test]
fn tables_with_columns_of_other_tools() {
    let semicolons = "Reaction ID;Reaction SMARTS;Comment;Yield\n12;[OH:1]>>[O:1]C;methyl;0.5\n";
    let tabs = "# Rule_ID\tRule_SMARTS\tScore\nR1\t[OH:1]>>[O:1]C\t0.9\n";
    let names = "Reaction,Name\n[OH:1]>>[O:1]C,ome\n";
    let other = "Reaction,smarts\nome,[OH:1]>>[O:1]C\n";
    let nameless = "rxn\n[OH:1]>>[O:1]C\n";
    let ours = "id,smirks\nome,[OH:1]>>[O:1]C\n";
    for (file, text, name, left_out) in [
        ("a.csv", semicolons, "12", "yield"),
        ("a.tsv", tabs, "R1", "score"),
        ("a.csv", names, "ome", ""),
        ("a.csv", other, "ome", ""),
        ("a.csv", nameless, "a_2", ""),
        ("a.csv", ours, "ome", ""),
    ] {
        let (rules, notes) = rules(file, text);
        assert_eq!(rules.len(), 1, "{text}");
        assert_eq!(rules[0].name, name);
        assert_eq!(rules[0].smirks, "[OH:1]>>[O:1]C");
        assert_eq!(notes.len(), usize::from(!left_out.is_empty()), "{notes:?}");
        let left_out = format!("\"{left_out}\" is left out");
        assert!(notes.iter().all(|note| note.contains(&left_out)));
    }
    for (text, fault) in [
        (
            "smarts,rxn_smarts\nC,C>>N\n",
            "\"smarts\" repeats \"rxn_smarts\"",
        ),
        ("smarts,exlcude\nC>>N,C\n", "did you mean \"exclude\"?"),
        ("smarts,name\n,x\n", "\"smirks\" is empty"),
        (
            "smarts,halogens\nC>>N,Cl\n",
            "molsieve has no key \"halogens\"",
        ),
    ] {
        let error = only_error("a.csv", text);
        assert!(error.contains(fault), "{error}");
    }
}

#[test]
fn what_would_change_a_rule_is_a_fault() {
    let rule = "- name: x\n  smirks: C>>N\n";
    for (key, words) in [
        ("enabled: false", "take the rule out of the file"),
        ("max_sites_per_parent: 3", "of every site"),
        ("halogens: [F, Cl]", "one rule for each halogen"),
        ("sugar_mask: true", "under \"exclude\""),
        ("incompatible_groups: [azide]", "under \"require\""),
    ] {
        let error = only_error("r.yaml", &format!("{rule}  {key}\n"));
        assert!(error.starts_with("r.yaml:3:3: rule \"x\": "), "{error}");
        assert!(error.contains(words), "{error}");
    }
    let off = "  enabled: true\n  sugar_mask: false\n  halogens: []\n  max_sites:\n";
    let (_, notes) = rules("r.yaml", &format!("{rule}{off}"));
    assert_eq!(notes.len(), 3, "{notes:?}");
    for (text, place) in [
        ("rules: [R1, R2]\nhalogens: [F]\n", "1:1"),
        ("defaults:\n  halogens: [F]\nclasses:\n  lipid: {}\n", "3:1"),
    ] {
        let error = only_error("r.yaml", text);
        assert!(error.starts_with(&format!("r.yaml:{place}: ")), "{error}");
        assert!(error.contains("built into another program"), "{error}");
    }
}

#[test]
fn files_of_our_own_stay_strict() {
    for (file, text, word) in [
        (
            "r.toml",
            "[[rule]]\nname='x'\nsmirks='C>>N'\ncode='x'",
            "code",
        ),
        ("r.toml", "[[rule]]\nid='x'\nsmarts='C>>N'", "id"),
        ("r.yaml", "- name: x\n  smirks: C>>N\n  smarts: C", "smarts"),
        ("r.yaml", "- name: x\n  smirks: C>>N\n  exlude: C", "exlude"),
        ("r.csv", "name,smirks,reaction\nx,C>>N,C>>N", "reaction"),
        (
            "r.json",
            "[{\"name\":\"x\",\"smirks\":\"C>>N\",\"tag\":3}]",
            "tag",
        ),
    ] {
        let errors = load(file, text).errors;
        let found = errors
            .iter()
            .any(|error| matches!(&error.fault, RuleFault::UnknownKey { key, .. } if key == word));
        assert!(found, "{text}: {errors:?}");
    }
    let error = only_error("r.yaml", "- smirks: C>>N\n");
    assert!(error.ends_with("\"name\" is missing"), "{error}");
}

#[test]
fn names_are_made_unique_over_files() {
    let mut loader = Loader::new(ERRORS_MAX);
    loader.text(Path::new("a/list.smirks"), "C>>N\nC>>O list_3\nC>>F\n");
    loader.text(Path::new("b/list.smirks"), "C>>N\n");
    let names: Vec<&str> = loader.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["list_1", "list_3", "list_3_2", "list_1_2"]);
    let long = format!("{}.smirks", "é".repeat(100));
    let (rules, _) = rules(&long, "C>>N\n");
    assert!(rules[0].name.len() <= NAME_BYTES_MAX && rules[0].name.ends_with("é_1"));
    // A name of an earlier file is a mistake, as in every format.
    loader.text(Path::new("c.smirks"), "C>>N list_1\n");
    assert!(matches!(
        loader.errors[0].fault,
        RuleFault::DuplicateName { .. }
    ));
}

#[test]
fn notes_are_bounded() {
    let key = |i: usize| format!("\"k{i}zzzzzzz\":1");
    let keys: Vec<String> = (0..ERRORS_MAX + 5).map(key).collect();
    let text = format!("[{{\"smarts\":\"C>>N\",{}}}]", keys.join(","));
    let (_, notes) = rules("r.json", &text);
    assert_eq!(notes.len(), ERRORS_MAX + 1);
    assert!(notes[ERRORS_MAX].ends_with("there are more notes than the 1000 listed"));
}

/// Fails unless the rules, written as TOML and read again, are the same.
fn assert_written(rules: &[Rule]) {
    let text = to_toml(rules);
    let read = RuleSet::parse(Path::new("r.toml"), &text);
    let mut read = read.unwrap_or_else(|error| panic!("{error}\n{text}")).rules;
    for (read, rule) in read.iter_mut().zip(rules) {
        read.origin = rule.origin.clone();
        for (read, example) in read.examples.iter_mut().zip(&rule.examples) {
            read.line = example.line;
        }
    }
    assert_eq!(read, rules, "{text}");
}

#[test]
fn shipped_rules_are_the_same_when_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/rules");
    let files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(files.len() >= 2);
    for file in files {
        assert_written(RuleSet::load(&[file]).unwrap().rules());
    }
    for (file, text) in [("r.yaml", TRANSFORMS), ("r.json", REACTIONS)] {
        assert_written(&rules(file, text).0);
    }
}

#[test]
fn toml_is_as_a_person_writes_it() {
    let text = "[[rule]]\nname = \"a \\\"b\\\\\"\nsmirks = 'F/C=C\\F>>C'\nlabel = \"it's \\\\\"\n\
        tags = [\"a\", \"b\"]\nexclude = [\"N\"]\nrequire = \"C\"\nadd_hydrogens = true\nexamples = [\n  \
        { from = \"C\", to = [] },\n  { from = \"N\", to = [\"O\", \"F\"] },\n]\n\n\
        [[rule]]\nname = \"c\"\nsmirks = \"C>>N\"\n";
    let set = RuleSet::parse(Path::new("r.toml"), text).unwrap();
    let written = to_toml(set.rules());
    assert_eq!(written, text.replace("\"a \\\"b\\\\\"", "'a \"b\\'"));
}

/// Rules with any text that a rule may have.
fn any_rules() -> impl Strategy<Value = Vec<Rule>> {
    let shown = "[^\\p{Cc}\u{2028}\u{2029}]{0,12}[^\\p{Cc}\\p{Z}\\s]";
    let smarts = "[!-=?-~&&[^()\\[\\]{}]]{1,9}";
    let one = (
        smarts,
        smarts,
        prop::option::of(shown),
        prop::collection::vec(shown, 0..3),
        prop::collection::vec(smarts, 0..3),
        prop::option::of(smarts),
        any::<bool>(),
        prop::collection::vec((smarts, prop::collection::vec(smarts, 0..3)), 0..3),
        "[^\\p{Cc}\\p{Z}\\s]{0,8}",
    );
    prop::collection::vec(one, 1..4).prop_map(|rules| {
        let (template, _) = super::foreign_tests::rules("r.smirks", "C>>N");
        let rules = rules.into_iter().enumerate();
        let made = rules.map(|(number, rule)| {
            let (left, right, label, tags, exclude, require, add_hydrogens, examples, name) = rule;
            Rule {
                name: format!("{name}{number}"),
                smirks: format!("{}>>{}", left.replace('.', "-C"), right.replace('.', "C")),
                label,
                tags,
                exclude,
                require,
                add_hydrogens,
                examples: examples
                    .into_iter()
                    .map(|(from, to)| Example {
                        from: vec![from],
                        to,
                        line: 1,
                    })
                    .collect(),
                ..template[0].clone()
            }
        });
        // A bond before `>>` would be a dative one.
        let ends = |rule: &Rule| rule.smirks.contains("->>");
        made.filter(|rule| !ends(rule)).collect()
    })
}

/// A file of another tool with some of its characters replaced, left out or repeated.
fn mutated() -> impl Strategy<Value = (&'static str, String)> {
    let file = prop_oneof![
        Just(("r.yaml", TRANSFORMS)),
        Just(("r.json", REACTIONS)),
        Just(("r.txt", "# x\n[OH:1]>>[O:1]CC ethyl # c\na\tC>>N\t1\n")),
        Just(("r.csv", "Reaction ID;smarts;x\n1;C>>N;y\n")),
    ];
    let noise = prop_oneof![
        "[\\[\\](){}.>'\"\\\\:,;&*|\\-# \t\r\n]{0,3}",
        "\\PC{0,2}",
        Just("null".to_owned()),
        Just("\\u0000".to_owned()),
    ];
    super::tests::with_noise(file, noise)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_rules_are_the_same_when_written(rules in any_rules()) {
        if !rules.is_empty() {
            assert_written(&rules);
        }
    }

    #[test]
    fn noise_never_panics((file, text) in mutated()) {
        let loader = load(file, &text);
        prop_assert!(!loader.rules.is_empty() || !loader.errors.is_empty());
        let lines = text.split('\n').count() + 1;
        for error in &loader.errors {
            prop_assert!(!error.to_string().contains('\n'));
            prop_assert!(error.position.is_none_or(|p| (1..=lines).contains(&p.line) && p.column > 0));
        }
        for rule in &loader.rules {
            prop_assert!(rule.smirks.is_ascii() && rule.smirks.contains(">>"));
            prop_assert!(rule.name.len() <= NAME_BYTES_MAX);
        }
        if !loader.rules.is_empty() {
            assert_written(&loader.rules);
        }
        for note in loader.notes.into_list() {
            prop_assert!(!note.to_string().contains('\n'));
        }
    }
}

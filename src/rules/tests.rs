//! Every fault by its value and place, every format, and files made of noise.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

const TOML: &str = r##"# made for tests
[[rule]]
name = "phenol_o_methylation"
smirks = "[c:1][OX2H:2]>>[c:1][O:2]C"
label = "ArOH -> ArOMe"
tags = ["phenol", "alkylation"]
exclude = ["[OX2H]c1ccccc1C(=O)O"]
require = "[OX2H]c"
examples = [{ from = "Oc1ccccc1", to = ["COc1ccccc1"] }]

[[rule]]
name = "ester (cleavage) / α"
smirks = '''
[C:1](=[O:2])[O:3][C:4]>>([C:1](=[O:2])O.[O:3][C:4])'''
"##;

const YAML: &str = r"# as the earlier pipeline used
- name: phenol_o_methylation
  smirks: '[c:1][OX2H:2]>>[c:1][O:2]C'
  label: ArOH -> ArOMe
  scope_classes: [phenol, alkylation]
  exclude: '[OX2H]c1ccccc1C(=O)O'
  query_smarts: '[OX2H]c'
  examples:
    - from: Oc1ccccc1
      to: COc1ccccc1
- name: ester (cleavage) / α
  label:
  smirks: >-
    [C:1](=[O:2])[O:3][C:4]>>([C:1](=[O:2])O.[O:3][C:4])
";

const CSV: &str = r#"Name,SMIRKS,label,tags,exclude,query_smarts
phenol_o_methylation,[c:1][OX2H:2]>>[c:1][O:2]C,ArOH -> ArOMe,phenol; alkylation,[OX2H]c1ccccc1C(=O)O,[OX2H]c

ester (cleavage) / α,"[C:1](=[O:2])[O:3][C:4]>>([C:1](=[O:2])O.[O:3][C:4])",,,,
"#;

fn parse(file: &str, text: &str) -> RuleSet {
    RuleSet::parse(Path::new(file), text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn error(file: &str, text: &str) -> RuleError {
    RuleSet::parse(Path::new(file), text).expect_err(text)
}

/// Fault, line and column.
fn fault(file: &str, text: &str) -> (RuleFault, usize, usize) {
    let error = error(file, text);
    let position = error.position.expect(text);
    (error.fault, position.line, position.column)
}

fn rule_toml(smirks: &str) -> String {
    format!("[[rule]]\nname = 'x'\nsmirks = '{smirks}'\n")
}

/// The fault of a SMIRKS and the byte at which it is.
fn smirks_fault(smirks: &str) -> (RuleFault, usize) {
    let (fault, line, column) = fault("r.toml", &rule_toml(smirks));
    assert_eq!(line, 3);
    (fault, column - "smirks = '".len() - 1)
}

fn write(dir: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn at(line: usize, column: usize) -> Position {
    Position { line, column }
}

#[test]
fn every_format_gives_the_same_rules() {
    let files = [
        ("r.toml", TOML, true),
        ("r.YAML", YAML, true),
        ("r.csv", CSV, false),
        ("r.tsv", &CSV.replace(',', "\t"), false),
    ];
    for (file, text, has_examples) in files {
        let set = parse(file, text);
        assert_eq!(set.len(), 2, "{file}");
        let [phenol, ester] = set.rules() else {
            panic!("{file}")
        };
        assert_eq!(phenol.name, "phenol_o_methylation");
        assert_eq!(phenol.smirks, "[c:1][OX2H:2]>>[c:1][O:2]C");
        assert_eq!(phenol.label.as_deref(), Some("ArOH -> ArOMe"));
        assert_eq!(phenol.tags, ["phenol", "alkylation"], "{file}");
        assert_eq!(phenol.exclude, ["[OX2H]c1ccccc1C(=O)O"]);
        assert_eq!(phenol.require.as_deref(), Some("[OX2H]c"));
        assert_eq!(phenol.examples.len(), usize::from(has_examples));
        for example in &phenol.examples {
            assert_eq!(example.from, ["Oc1ccccc1"]);
            assert_eq!(example.to, ["COc1ccccc1"]);
        }
        assert_eq!(ester.name, "ester (cleavage) / α");
        let smirks = "[C:1](=[O:2])[O:3][C:4]>>([C:1](=[O:2])O.[O:3][C:4])";
        assert_eq!(ester.smirks, smirks, "{file}");
        assert_eq!((&ester.label, &ester.require), (&None, &None));
        assert!(ester.tags.is_empty() && ester.exclude.is_empty() && ester.examples.is_empty());
    }
}

/// Each byte of each text must be found in the file where the same byte stands.
#[test]
fn places_point_at_the_same_text() {
    for (file, text) in [("r.toml", TOML), ("r.yml", YAML), ("r.csv", CSV)] {
        for text in [text.to_owned(), text.replace('\n', "\r\n")] {
            let set = parse(file, &text);
            let lines: Vec<Vec<char>> = text.lines().map(|l| l.chars().collect()).collect();
            let check = |part: &str, place: &TextPlace| {
                for (byte, character) in part.char_indices() {
                    let Position { line, column } = place.at(byte);
                    assert_eq!(
                        lines[line - 1].get(column - 1),
                        Some(&character),
                        "{file} {part}"
                    );
                }
            };
            for rule in set.rules() {
                check(&rule.smirks, &rule.origin.smirks);
                for (exclude, place) in rule.exclude.iter().zip(&rule.origin.exclude) {
                    check(exclude, place);
                }
                if let (Some(require), Some(place)) = (&rule.require, &rule.origin.require) {
                    check(require, place);
                }
            }
        }
    }
}

#[test]
fn places_of_a_toml_file() {
    let set = parse("r.toml", TOML);
    let [phenol, ester] = set.rules() else {
        panic!()
    };
    assert_eq!(phenol.origin.file.as_ref(), Path::new("r.toml"));
    assert_eq!(phenol.origin.to_string(), "r.toml:4:11");
    assert_eq!(phenol.origin.smirks.start(), at(4, 11));
    assert_eq!(phenol.origin.exclude[0].start(), at(7, 13));
    assert_eq!(phenol.origin.require.as_ref().unwrap().start(), at(8, 12));
    assert_eq!(phenol.examples[0].line, 9);
    assert_eq!(
        ester.origin.smirks.start(),
        at(14, 1),
        "behind the line break"
    );
}

#[test]
fn places_behind_escapes_are_exact() {
    // The text is F/C=C\F>>C; in each file its last C is looked for.
    let toml = "[[rule]]\nname='x'\nsmirks = \"F/C=C\\\\F\\u003E>C\"";
    let yaml = "- name: x\n  smirks: \"F/C=C\\\\F\\x3E>C\"";
    let folded = "- name: x\n  smirks: \"F/C=\\\n      C\\\\F>>C\"";
    for (file, text, place) in [
        ("r.toml", toml, at(3, 26)),
        ("r.yaml", yaml, at(2, 25)),
        ("r.yaml", folded, at(3, 13)),
    ] {
        let set = parse(file, text);
        let rule = &set.rules()[0];
        assert_eq!(rule.smirks, "F/C=C\\F>>C", "{text}");
        assert_eq!(rule.origin.smirks.at(9), place, "{text}");
    }
    for (file, text, place) in [
        ("r.csv", "name,smirks\nx,\"C\"\"N>>O\"", at(2, 7)),
        ("r.toml", "[[rule]]\nname='x'\nsmirks='C\"N>>O'", at(3, 11)),
        ("r.yaml", "- name: x\n  smirks: 'C''N>>O'", at(2, 15)),
    ] {
        let set = parse(file, text);
        assert_eq!(set.rules()[0].origin.smirks.at(2), place, "{text}");
    }
    let csv = "name,exclude,smirks\n\"a\"\"b\", [N]  [O] ,C>>N";
    let set = parse("r.csv", csv);
    let rule = &set.rules()[0];
    assert_eq!(rule.name, "a\"b");
    assert_eq!(rule.exclude, ["[N]", "[O]"]);
    assert_eq!(rule.origin.exclude[1].start(), at(2, 14));
}

#[test]
fn blanks_around_a_smirks_are_no_part_of_it() {
    let set = parse("r.yaml", "- name: x\n  smirks: |\n    C>>N\n");
    assert_eq!(set.rules()[0].smirks, "C>>N");
    let set = parse("r.toml", &rule_toml("  C>>N "));
    assert_eq!(set.rules()[0].smirks, "C>>N");
    assert_eq!(set.rules()[0].origin.smirks.start(), at(3, 13));
}

#[test]
fn windows_line_ends_and_byte_order_mark() {
    for (file, text) in [("r.toml", TOML), ("r.yml", YAML), ("r.csv", CSV)] {
        let plain = parse(file, text);
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(parse(file, &windows), plain, "{file}");
    }
    let (_, line, column) = fault("r.csv", "\u{feff}name,smirks\r\na,C>>N\r\n\r\nb,C\r\n");
    assert_eq!((line, column), (4, 3));
}

#[test]
fn yaml_rules_may_be_under_a_key() {
    for key in ["rule", "rules", "reactions"] {
        let text =
            format!("{key}:\n  - {{name: x, smirks: 'C>>N', scope_classes: phenol, tags: [a]}}\n");
        assert_eq!(parse("r.yaml", &text).rules()[0].tags, ["phenol", "a"]);
    }
}

#[test]
fn an_example_may_say_that_nothing_is_made() {
    let text = format!(
        "{}examples = [{{ from = 'C', to = [] }}]",
        rule_toml("C>>N")
    );
    assert!(parse("r.toml", &text).rules()[0].examples[0].to.is_empty());
}

#[test]
fn smirks_structure() {
    for good in [
        "C>>N",
        "(C.N)>>C",
        "[C:1]>>[C:1].[N]",
        "[$([OH]c):1]>>[O:1]C",
        "[N:1][Fe]>>[N:1]->[Fe]",
        "[N:1]->[Fe]>>[N:1]",
        "[C;D{2-3}:1]>>[C:1]F",
        "F/C=C\\F>>C#C",
    ] {
        assert_eq!(parse("r.toml", &rule_toml(good)).len(), 1, "{good}");
    }
    let key = "smirks";
    let unclosed = |bracket| RuleFault::Unclosed(key, bracket);
    let unopened = |bracket| RuleFault::Unopened(key, bracket);
    let character = |character| RuleFault::BadCharacter(key, character);
    for (bad, fault, byte) in [
        ("CN", RuleFault::NoArrow, 0),
        ("C>N", RuleFault::NoArrow, 1),
        ("C>>N>>O", RuleFault::ManyArrows, 4),
        ("C>>>N", RuleFault::ManyArrows, 3),
        ("C>O>N", RuleFault::Agents, 2),
        (">>N", RuleFault::NoReactant, 0),
        ("C>>", RuleFault::NoProduct, 3),
        ("C>>.N", RuleFault::NoProduct, 3),
        ("C>>N..O", RuleFault::NoProduct, 5),
        ("C>>N.", RuleFault::NoProduct, 5),
        ("C..N>>C", RuleFault::NoReactant, 2),
        (".N>>C", RuleFault::NoReactant, 0),
        ("C.(N.O).C.C.C>>C", RuleFault::TooManyReactants, 11),
        ("[C:1>>N", unclosed('['), 0),
        ("C>>N(C", unclosed('('), 4),
        ("(C>>N)", unclosed('('), 0),
        ("C)>>N", unopened(')'), 1),
        ("[C:1)>>N", unopened(')'), 4),
        ("C>>N]", unopened(']'), 4),
        ("C >>N", character(' '), 1),
        ("C>>N\u{2192}", character('\u{2192}'), 4),
    ] {
        assert_eq!(smirks_fault(bad), (fault, byte), "{bad}");
    }
}

#[test]
fn patterns_and_examples_are_checked_too() {
    let with = |line: &str| fault("r.toml", &format!("{}{line}", rule_toml("C>>N")));
    let unclosed = RuleFault::Unclosed("exclude", '[');
    let unopened = RuleFault::Unopened("require", ')');
    let blank = RuleFault::BadCharacter("from", ' ');
    for (line, expected, column) in [
        ("exclude = ['N', '[OH']", unclosed, 18),
        ("require = 'CO)'", unopened, 14),
        ("examples = [{from='C C', to='C'}]", blank, 21),
        ("examples = [{to='C'}]", RuleFault::MissingKey("from"), 13),
    ] {
        assert_eq!(with(line), (expected, 4, column), "{line}");
    }
    assert!(matches!(
        with("examples = [{from='C', to='C', form='N'}]").0,
        RuleFault::UnknownKey { key, nearest: Some("from"), .. } if key == "form"
    ));
}

/// Fails unless each file has its fault, at its line and column.
#[track_caller]
fn assert_faults<const N: usize>(faults: [(&str, &str, RuleFault, usize, usize); N]) {
    for (file, text, expected, line, column) in faults {
        assert_eq!(fault(file, text), (expected, line, column), "{file} {text}");
    }
}

#[test]
fn names() {
    let file = |name: &str| format!("[[rule]]\nname = {name}\nsmirks = 'C>>N'");
    let named = |name: &str| fault("r.toml", &file(name));
    assert_eq!(named("' a'"), (RuleFault::NameEdgeBlank, 2, 8));
    assert_eq!(named("''"), (RuleFault::EmptyValue("name"), 2, 8));
    let control = RuleFault::ControlCharacter("name", '\n');
    assert_eq!(named("\"a\\nb\""), (control, 2, 9));
    let longest = "n".repeat(NAME_BYTES_MAX);
    let long = RuleFault::TooLong {
        key: "name",
        bytes: NAME_BYTES_MAX + 1,
        bytes_max: NAME_BYTES_MAX,
    };
    assert_eq!(named(&format!("'{longest}n'")).0, long);
    let set = parse("r.toml", &file(&format!("'{longest}'")));
    assert_eq!(set.rules()[0].name, longest);
}

#[test]
fn smirks_length() {
    let longest = format!("C>>{}", "N".repeat(SMIRKS_BYTES_MAX - 3));
    assert_eq!(parse("r.toml", &rule_toml(&longest)).len(), 1);
    let fault = RuleFault::TooLong {
        key: "smirks",
        bytes: SMIRKS_BYTES_MAX + 1,
        bytes_max: SMIRKS_BYTES_MAX,
    };
    let longer = rule_toml(&format!("{longest}N"));
    assert_eq!(error("r.toml", &longer).fault, fault);
}

#[test]
fn missing_and_empty() {
    let (missing, empty) = (RuleFault::MissingKey, RuleFault::EmptyValue);
    let tags = format!("{}tags = ['a', '']", rule_toml("C>>N"));
    assert_faults([
        ("r.toml", "\n[[rule]]\nname='x'", missing("smirks"), 2, 1),
        ("r.yaml", "- smirks: C>>N", missing("name"), 1, 3),
        ("r.csv", "smirks,tags\nC>>N,a", missing("name"), 1, 1),
        ("r.csv", "name,smirks\nx,", empty("smirks"), 2, 3),
        ("r.yaml", "- name: x\n  smirks: ' '", empty("smirks"), 2, 11),
        ("r.toml", &tags, empty("tags"), 4, 14),
    ]);
    assert_eq!(fault("r.yaml", "- name:\n  smirks: C>>N").0, empty("name"));
    for (file, text) in [
        ("r.toml", "# nothing\n"),
        ("r.toml", "rule = []"),
        ("r.yaml", ""),
        ("r.yaml", "rules: []"),
        ("r.csv", "name,smirks\n"),
    ] {
        assert_eq!(error(file, text).fault, RuleFault::NoRules, "{file} {text}");
    }
}

#[test]
fn unknown_and_repeated_keys() {
    let text = format!("{}smrks = 'C>>N'", rule_toml("C>>N"));
    let error = error("r.toml", &text);
    assert_eq!(
        error.to_string(),
        "r.toml:4:1: rule \"x\": unknown key \"smrks\"; did you mean \"smirks\"?"
    );
    let rul = RuleFault::UnknownKey {
        key: "rul".to_owned(),
        nearest: Some("rule"),
        known: &["rule", "rules", "reactions"],
    };
    assert!(matches!(
        fault("r.yaml", "- name: x\n  smirks: C>>N\n  yield: 3"),
        (RuleFault::UnknownKey { nearest: None, .. }, 3, 3)
    ));
    assert!(matches!(
        fault("r.csv", "name,smirks,Yield,examples\nx,C>>N,3,C"),
        (RuleFault::UnknownKey { key, nearest: None, .. }, 1, 13) if key == "Yield"
    ));
    let text = "name,smirks,examples\nx,C>>N,C";
    let RuleFault::UnknownKey { known, nearest, .. } = fault("r.csv", text).0 else {
        panic!("a row has no room for examples")
    };
    assert!(nearest.is_none() && known.ends_with(&["add_hydrogens", "parent", "reagents"]));
    let repeated = |key: &str, first: &str| RuleFault::RepeatedKey {
        key: key.to_owned(),
        first: first.to_owned(),
    };
    let text = format!("{}require = 'C'\nquery_smarts = 'C'", rule_toml("C>>N"));
    let names = "name,smirks,NAME\nx,C>>N,y";
    assert_faults([
        ("r.toml", "[[rul]]\nname='x'", rul, 1, 3),
        ("r.toml", &text, repeated("query_smarts", "require"), 5, 1),
        ("r.csv", names, repeated("name", "name"), 1, 13),
    ]);
}

#[test]
fn wrong_types() {
    let wrong = |key: &str, expected, found| RuleFault::WrongType {
        key: key.to_owned(),
        expected,
        found,
    };
    let (texts, rules) = ("text in quotes", "a list of rules");
    let tags = format!("{}tags = 3", rule_toml("C>>N"));
    let tags_fault = wrong("tags", "text or a list of texts", "a number");
    let rule_fault = wrong("rule", "a table of keys and values", "text");
    let number = "- name: 12\n  smirks: C>>N";
    let list = "- name: x\n  smirks: [c]";
    let table = "[rule]\nname='x'\nsmirks='C>>N'";
    assert_faults([
        ("r.yaml", number, wrong("name", texts, "a number"), 1, 9),
        ("r.yaml", list, wrong("smirks", texts, "a list"), 2, 11),
        ("r.yaml", "- C>>N", rule_fault, 1, 3),
        ("r.yaml", "hello", wrong("the file", rules, "text"), 1, 1),
        ("r.toml", table, wrong("rule", rules, "a table"), 1, 2),
        ("r.toml", &tags, tags_fault, 4, 8),
    ]);
    assert_eq!(
        parse("r.yaml", "- {name: no, smirks: C>>N}").rules()[0].name,
        "no",
        "a word, not a truth value"
    );
}

#[test]
fn syntax_errors_name_their_place_in_one_line() {
    for (file, text, expected) in [
        (
            "r.toml",
            "[[rule]]\nname = x\nsmirks = [c:1]>>C\n",
            "r.toml:2:8: string values must be quoted, expected literal string",
        ),
        (
            "r.toml",
            "[[rule]]\nname='a'\nname='b'\n",
            "r.toml:3:1: duplicate key",
        ),
        (
            "r.yaml",
            "- name: x\n  smirks: [c:1][OH]>>C\n",
            "r.yaml:2:16: while parsing a block mapping, did not find expected key; put SMIRKS in 'single quotes'",
        ),
        (
            "r.yaml",
            "- name: x\n  name: y\n",
            "r.yaml:2:3: duplicate mapping key: name",
        ),
        (
            "r.yaml",
            "- name: x\n---\n- name: y\n",
            "r.yaml:3:1: a second document (---) starts here; a rule file is one document",
        ),
        (
            "r.csv",
            "name,smirks\nx,C>>N,y\n",
            "r.csv:2:1: this row has 3 fields, the header has 2",
        ),
        (
            "r.csv",
            "name,smirks\nx,\"C>>N\ny,C>>O\n",
            "r.csv:2:3: this field's closing quote is missing or isn't the field's end",
        ),
    ] {
        let error = error(file, text);
        assert!(matches!(error.fault, RuleFault::Syntax(_)), "{error}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn duplicate_names_name_the_first_place_across_files() {
    let dir = tempfile::tempdir().unwrap();
    let first = write(&dir, "a.toml", rule_toml("C>>N"));
    let second = write(&dir, "b.csv", "name,smirks\ny,C>>N\nx,C>>O\n");
    let error = RuleSet::load(&[first.clone(), second.clone()]).unwrap_err();
    assert_eq!(
        error,
        RuleError {
            file: second.as_path().into(),
            position: Some(at(3, 1)),
            rule: Some("x".into()),
            fault: RuleFault::DuplicateName {
                first_file: first.as_path().into(),
                first_line: 2,
            },
        }
    );
    assert_eq!(
        error.to_string(),
        format!(
            "{}:3:1: rule \"x\": another rule has this name: {}:2",
            second.display(),
            first.display()
        )
    );
    let (rules, errors, _) = RuleSet::load_all(&[first, second]);
    assert_eq!(errors, [error]);
    let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["x", "y"]);
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let load = |path: PathBuf| RuleSet::load(&[path]).unwrap_err();
    let missing = load(dir.path().join("none.toml"));
    let expected = "none.toml: can't be read: no such file or directory";
    assert!(missing.to_string().ends_with(expected), "{missing}");
    let folder = dir.path().join("folder.toml");
    std::fs::create_dir(&folder).unwrap();
    assert!(matches!(load(folder).fault, RuleFault::Unreadable(_)));
    let latin = load(write(&dir, "latin.toml", b"\n# caf\xe9\n"));
    assert_eq!(latin.fault, RuleFault::NotUtf8);
    assert_eq!(latin.position, Some(at(2, 6)));
    for name in ["r.txt", "r.toml.gz", "toml"] {
        let error = load(write(&dir, name, TOML));
        assert_eq!(error.fault, RuleFault::UnknownFormat);
        assert!(
            error
                .to_string()
                .contains(".toml, .yaml, .yml, .csv or .tsv")
        );
    }
}

#[test]
fn the_largest_file_is_read_and_one_byte_more_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "name,smirks\nx,C>>N".to_owned();
    text.extend(std::iter::repeat_n('\n', RULE_FILE_BYTES_MAX - text.len()));
    assert_eq!(
        RuleSet::load(&[write(&dir, "a.csv", &text)]).unwrap().len(),
        1
    );
    text.push('\n');
    let error = RuleSet::load(&[write(&dir, "b.csv", &text)]).unwrap_err();
    assert_eq!(error.fault, RuleFault::FileTooLarge);
}

#[test]
fn rules_are_counted_over_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let row = |i: usize| format!("r{i},C>>N\n");
    let rows: String = (0..RULES_MAX).map(row).collect();
    let full = write(&dir, "full.csv", format!("name,smirks\n{rows}"));
    assert_eq!(
        RuleSet::load(std::slice::from_ref(&full)).unwrap().len(),
        RULES_MAX
    );
    let more = write(&dir, "more.toml", rule_toml("C>>N"));
    let error = RuleSet::load(&[full, more.clone()]).unwrap_err();
    assert_eq!(error.fault, RuleFault::TooManyRules);
    assert_eq!(
        (error.file.as_ref(), error.position),
        (more.as_path(), Some(at(1, 1)))
    );
    let over = format!(
        "name,smirks\n{rows}{}{}",
        row(RULES_MAX),
        row(RULES_MAX + 1)
    );
    let (rules, errors, _) = RuleSet::load_all(&[write(&dir, "over.csv", over), more]);
    assert_eq!((rules.len(), errors.len()), (RULES_MAX, 1), "said once");
    assert_eq!(errors[0].position, Some(at(RULES_MAX + 2, 1)));
}

#[test]
fn load_all_reports_everything_and_says_when_it_stops() {
    let dir = tempfile::tempdir().unwrap();
    let text = "[[rule]]\nname='a'\nsmirks='CN'\nlable='x'\n[[rule]]\nsmirks='C>>N'\n\
                [[rule]]\nname='b'\nsmirks='C>>N'\n";
    let file = write(&dir, "r.toml", text);
    let (rules, errors, _) = RuleSet::load_all(&[dir.path().join("none.csv"), file]);
    assert_eq!(rules.len(), 1);
    let places: Vec<_> = errors.iter().map(|error| error.position).collect();
    assert_eq!(
        places,
        [None, Some(at(3, 9)), Some(at(4, 1)), Some(at(5, 1))]
    );
    assert!(matches!(
        errors[2].fault,
        RuleFault::UnknownKey {
            nearest: Some("label"),
            ..
        }
    ));

    let rows: String = (0..ERRORS_MAX + 7).map(|i| format!("r{i},CN\n")).collect();
    let file = write(&dir, "bad.csv", format!("name,smirks\n{rows}"));
    let (rules, errors, _) = RuleSet::load_all(&[file]);
    assert_eq!((rules.len(), errors.len()), (0, ERRORS_MAX + 1));
    assert_eq!(errors[ERRORS_MAX].fault, RuleFault::TooManyErrors);
}

#[test]
fn no_files_no_rules() {
    assert!(RuleSet::load(&[]).unwrap().is_empty());
}

#[test]
fn messages_are_one_line_whatever_the_file_holds() {
    let key = "k\\n".repeat(300);
    let text = format!("[[rule]]\n\"{key}\" = 1");
    let message = error("a\nb.toml", &text).to_string();
    assert!(!message.contains('\n') && message.len() < 1000, "{message}");
    assert!(message.starts_with("a b.toml:"), "{message}");
}

#[test]
fn aliases_cannot_blow_a_file_up() {
    let text = "t".repeat(1 << 20);
    let text = format!("- name: &a {text}\n  tags: [{}]", "*a,".repeat(2000));
    let RuleFault::Syntax(message) = error("r.yaml", &text).fault else {
        panic!("read in full")
    };
    assert!(message.contains("ScalarBytes"), "{message}");
}

/// Time must not depend on how the bytes are spread over lines.
#[test]
fn one_long_line_is_no_trouble() {
    let rules: Vec<String> = (0..RULES_MAX)
        .map(|i| {
            format!(
                "{{name: r{i}, smirks: 'C>>N', label: '{}'}}",
                "l".repeat(900)
            )
        })
        .collect();
    let text = format!("[{}]", rules.join(","));
    let started = std::time::Instant::now();
    assert_eq!(parse("r.yaml", &text).len(), RULES_MAX);
    assert!(started.elapsed().as_secs() < 60);
}

/// A file with some of its bytes replaced, left out or repeated.
fn mutated() -> impl Strategy<Value = (&'static str, String)> {
    let file = prop_oneof![
        Just(("r.toml", TOML)),
        Just(("r.yaml", YAML)),
        Just(("r.csv", CSV)),
        Just(("r.tsv", CSV)),
    ];
    let noise = prop_oneof![
        "[\\[\\](){}.>'\"\\\\:,;&*|\\-# \t\r\n]{0,3}",
        "\\PC{0,2}",
        Just("\u{feff}".to_owned()),
        Just("\"\"\"\n".to_owned()),
        Just("\\\n ".to_owned()),
    ];
    with_noise(file, noise)
}

/// A file with some of its characters replaced by noise, left out or repeated.
pub(super) fn with_noise(
    file: impl Strategy<Value = (&'static str, &'static str)>,
    noise: impl Strategy<Value = String>,
) -> impl Strategy<Value = (&'static str, String)> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..8usize, noise), 1..6);
    (file, edits).prop_map(|((file, text), edits)| {
        let mut characters: Vec<char> = text.chars().collect();
        for (index, cut, noise) in edits {
            let start = index.index(characters.len() + 1);
            let end = (start + cut).min(characters.len());
            characters.splice(start..end, noise.chars());
        }
        (file, characters.into_iter().collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn noise_never_panics((file, text) in mutated()) {
        let mut loader = Loader::new(ERRORS_MAX);
        loader.text(Path::new(file), &text);
        prop_assert!(!loader.rules.is_empty() || !loader.errors.is_empty());
        let lines = text.lines().count() + 1;
        for error in &loader.errors {
            prop_assert!(!error.to_string().contains('\n'));
            prop_assert!(error.position.is_none_or(|p| (1..=lines).contains(&p.line) && p.column > 0));
        }
        for rule in &loader.rules {
            prop_assert!(rule.smirks.is_ascii() && rule.smirks.contains(">>"));
            // A text that is found in one piece in its line is placed there.
            let start = rule.origin.smirks.start();
            let line: Vec<char> = text.trim_start_matches('\u{feff}').split('\n').nth(start.line - 1).unwrap_or("").chars().collect();
            prop_assert_eq!(line.get(start.column - 1).copied(), rule.smirks.chars().next());
        }
    }
}

//! The house rules that a program can check: how long functions and files are, and words that are not used.
//!
//! Each rule has a list of places that break it still. The lists are only ever shortened: an entry that no
//! longer occurs fails the test.

use std::{collections::BTreeSet, fs, path::Path};

use syn::{
    ImplItemFn, ItemFn, ItemMod, TraitItemFn,
    spanned::Spanned,
    visit::{self, Visit},
};

use super::layers::crate_files::is_test;
use crate::kit::library::rdkit_release;

/// Lines of a function, from its signature to its closing brace.
const FUNCTION_LINES_MAX: usize = 80;
/// Lines of a file, without its tests.
const FILE_LINES_MAX: usize = 500;

/// Functions that are longer: `FILE: NAME`.
const FUNCTIONS_KNOWN: &[&str] = &[];

/// Files that are longer.
const FILES_KNOWN: &[&str] = &[];

/// Files that are longer and may be, with the reason.
const LONG_FILES: &[(&str, &str)] = &[(
    "kernels/structure_key.cu",
    "NVRTC compiles it as one text; its sections bear the names of the files of src/identity",
)];

/// Words and phrases that say something in a way of their own, each with what says it plainly.
const PHRASES: &[(&str, &str)] = &[
    ("put down", "record, write"),
    ("happening", "event"),
    ("happenings", "events"),
    ("told", "report, pass, given"),
    ("without luck", "deterministic"),
    ("gone on with", "resumed, continued"),
    ("go on with", "resume, continue"),
    ("has its turn", "runs, is processed"),
    ("have their turn", "run, are processed"),
    ("takes its turn", "runs"),
    ("falls away", "is dropped"),
    ("fall away", "are dropped"),
    ("fall off", "are dropped"),
    ("gives room", "frees memory"),
    ("give room", "free memory"),
    ("give up room", "free memory"),
    ("make room for", "free memory for"),
    ("makes room for", "frees memory for"),
    ("try every engine out", "check every engine"),
    ("tries every engine out", "checks every engine"),
    (
        "in a process of its own",
        "in its own process, one process per job",
    ),
    ("in processes of their own", "in their own processes"),
    ("each in a process of its own", "one process per job"),
    ("each a process of its own", "one process per job"),
    ("nobody's", "no atom's, none"),
    ("is nobody", "is none"),
    ("tell apart", "distinguish"),
    ("tells apart", "distinguishes"),
    ("hears of it", "is notified"),
    ("hears within", "notices within"),
    ("for one seen before", "false positive"),
    ("look at this machine", "check this machine"),
    ("the driver after the other", "each driver call in turn"),
    ("put to it", "tested with it"),
];

/// Names that were replaced, each with the name in use.
const NAMES: &[(&str, &str)] = &[
    ("Heart", "CoreLoop"),
    ("Happening", "JobEvent"),
    ("Told", "KeyOutcome"),
    ("Berth", "SlotTicket"),
    ("Craft", "Work"),
    ("Stretch", "BatchWriter"),
    ("NOBODY", "NO_ATOM"),
];

/// `PHRASE: FILE`.
const PHRASES_KNOWN: &[&str] = &[];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files below a folder or the file itself, relative to the root, with one of the endings.
fn files(below: &str, endings: &[&str]) -> Vec<String> {
    let path = root().join(below);
    if path.is_file() {
        return vec![below.into()];
    }
    let mut files = Vec::new();
    let mut folders = vec![path];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|e| endings.iter().any(|known| e == *known))
            {
                files.push(relative(&path));
            }
        }
    }
    files.sort();
    files
}

fn relative(path: &Path) -> String {
    let relative = path.strip_prefix(root()).unwrap_or(path);
    relative.to_string_lossy().into_owned()
}

/// Whether a file holds tests only.
fn is_of_tests(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("tests.rs")
}

/// What must hold of the places found: they are the known ones.
fn compare(found: &BTreeSet<String>, known: &[&str], rule: &str) {
    let known: BTreeSet<_> = known.iter().map(ToString::to_string).collect();
    let new: Vec<_> = found.difference(&known).collect();
    let outlived: Vec<_> = known.difference(found).collect();
    assert!(
        new.is_empty() && outlived.is_empty(),
        "{rule}:\n{new:#?}\nno longer so, take out of the list of known ones:\n{outlived:#?}"
    );
}

/// The functions of a file that are too long, and the lines that its tests take.
#[derive(Default)]
struct Lengths {
    long: Vec<String>,
    lines_of_tests: usize,
}

impl Lengths {
    fn function(&mut self, name: &syn::Ident, signature: &impl Spanned, body: &impl Spanned) {
        let (first, last) = (signature.span().start().line, body.span().end().line);
        if last - first + 1 > FUNCTION_LINES_MAX {
            self.long.push(name.to_string());
        }
    }
}

impl<'ast> Visit<'ast> for Lengths {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if is_test(&item.attrs) {
            self.lines_of_tests += item.span().end().line - item.span().start().line + 1;
        } else {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        if !is_test(&item.attrs) {
            self.function(&item.sig.ident, &item.sig, &item.block);
            visit::visit_item_fn(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        self.function(&item.sig.ident, &item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        if let Some(body) = &item.default {
            self.function(&item.sig.ident, &item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

fn lengths(file: &str) -> (usize, Lengths) {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let mut lengths = Lengths::default();
    lengths.visit_file(&parsed);
    (text.lines().count() - lengths.lines_of_tests, lengths)
}

/// The release of RDKit is stated in scripts/rdkit-wheels.txt. Prose may name it, but no other: CHANGELOG.md and
/// benches/results, which tell of the past, are not read here.
#[test]
fn prose_and_sources_name_the_pinned_release_of_rdkit_only() {
    let release = rdkit_release();
    let endings = [
        "rs", "cc", "h", "cu", "md", "sh", "py", "toml", "txt", "json", "jsonl", "smi",
    ];
    let mut found = BTreeSet::new();
    let places = [
        "src",
        "tests",
        "docs",
        "scripts",
        "packaging",
        "examples",
        "README.md",
    ];
    let pages = [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "build.rs",
        "Dockerfile",
        ".cargo",
    ];
    for file in places
        .iter()
        .chain(&pages)
        .flat_map(|place| files(place, &endings))
    {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        for (at, _) in text.match_indices("20") {
            let word: String = text[at..]
                .chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect();
            let word = word.trim_end_matches('.');
            let parts: Vec<&str> = word.split('.').collect();
            let is_release = parts[0].len() == 4
                && matches!(parts.get(1), Some(&("03" | "09" | "3" | "9")))
                && parts.len() <= 3;
            let is_pinned = release.starts_with(word) || word == release.replace(".0", ".");
            // Releases that tests make up are of 2024.
            if is_release && !is_pinned && parts[0] != "2024" {
                found.insert(format!("{file}: {word}"));
            }
        }
    }
    compare(&found, &[], "these name another release of RDKit");
}

#[test]
fn a_function_fits_a_screen() {
    let mut found = BTreeSet::new();
    for file in files("src", &["rs"])
        .iter()
        .filter(|file| !is_of_tests(file))
    {
        let long = lengths(file).1.long.into_iter();
        found.extend(long.map(|name| format!("{file}: {name}")));
    }
    let rule = format!("functions of more than {FUNCTION_LINES_MAX} lines");
    compare(&found, FUNCTIONS_KNOWN, &rule);
}

#[test]
fn a_file_can_be_read_in_one_sitting() {
    let mut found = BTreeSet::new();
    let files = ["src", "kernels", "shaders"]
        .iter()
        .flat_map(|folder| files(folder, &["rs", "cc", "h", "cu", "wgsl"]));
    for file in files.filter(|file| !is_of_tests(file)) {
        let lines = match file.ends_with(".rs") {
            true => lengths(&file).0,
            false => fs::read_to_string(root().join(&file))
                .unwrap()
                .lines()
                .count(),
        };
        let may_be_long = LONG_FILES.iter().any(|(long, _)| *long == file);
        if lines > FILE_LINES_MAX && !may_be_long {
            found.insert(file);
        }
    }
    let rule = format!("files of more than {FILE_LINES_MAX} lines without their tests");
    compare(&found, FILES_KNOWN, &rule);
}

/// The text of a file in one line, without the marks of comments, so that phrases are found across lines.
fn flat(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let line = line
            .trim()
            .trim_start_matches("//")
            .trim_start_matches(['/', '!', '#', '*', '>']);
        line.trim().trim_end_matches('\\').to_owned() + " "
    });
    lines.collect()
}

/// Whether `text` has `phrase` as words of their own.
fn has(text: &str, phrase: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(phrase).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + phrase.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    })
}

/// What the text has of phrases and names that are not used.
fn dialect(text: &str) -> Vec<String> {
    let text = flat(text);
    let lower = text.to_lowercase();
    let phrases = PHRASES.iter().filter(|(phrase, _)| has(&lower, phrase));
    let names = NAMES.iter().filter(|(name, _)| has(&text, name));
    phrases
        .chain(names)
        .map(|(phrase, plain)| format!("{phrase} ({plain})"))
        .collect()
}

#[test]
fn what_is_written_is_plain() {
    let places = [
        "src",
        "docs",
        "kernels",
        "shaders",
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
    ];
    let endings = ["rs", "cc", "h", "cu", "wgsl", "md"];
    let mut found = BTreeSet::new();
    for file in places.iter().flat_map(|place| files(place, &endings)) {
        let text = fs::read_to_string(root().join(&file)).unwrap_or_default();
        let dialect = dialect(&text).into_iter();
        found.extend(dialect.map(|phrase| format!("{file}: {phrase}")));
    }
    compare(&found, PHRASES_KNOWN, "say it in the field's words");
}

#[test]
fn a_phrase_is_found_across_lines_and_only_as_words() {
    assert_eq!(dialect("/// A parent is put\n    /// down here.").len(), 1);
    assert_eq!(dialect("input downstream, heartbeat, retold").len(), 0);
    assert_eq!(dialect("struct Heart;").len(), 1);
}

#[test]
fn a_long_function_and_the_lines_of_tests_are_seen() {
    let body = "    f();\n".repeat(79);
    let text = format!("fn g() {{\n{body}}}\n#[cfg(test)]\nmod tests {{\n    fn h() {{}}\n}}\n");
    let mut lengths = Lengths::default();
    lengths.visit_file(&syn::parse_file(&text).unwrap());
    assert_eq!(lengths.long, ["g"]);
    assert_eq!(lengths.lines_of_tests, 4);
}

/// Files of scripts/ and packaging/ that the Dockerfile runs, and those that they source or import.
fn run_in_the_image(root: &Path) -> BTreeSet<String> {
    let dockerfile = fs::read_to_string(root.join("Dockerfile")).unwrap();
    let (builder, _) = dockerfile.split_once("\nFROM debian").unwrap();
    let commands = builder.lines().filter(|line| !line.starts_with('#'));
    let mut wanted: Vec<String> = commands
        .flat_map(str::split_whitespace)
        .map(str::to_owned)
        .collect();
    let mut found = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        let file = root.join(&name);
        let is_ours = name.starts_with("packaging/") || name.starts_with("scripts/");
        if !is_ours || !file.is_file() || !found.insert(name) {
            continue;
        }
        let text = fs::read_to_string(file).unwrap();
        wanted.extend(text.lines().filter_map(|line| {
            let mut words = line.split_whitespace();
            match (words.next()?, words.next()?) {
                ("from" | "import", module) => Some(format!("packaging/{module}.py")),
                (".", sourced) => Some(sourced.to_owned()),
                _ => None,
            }
        }));
    }
    found
}

#[test]
fn the_image_is_built_with_the_files_that_its_build_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let ignore = fs::read_to_string(root.join(".dockerignore")).unwrap();
    let kept: Vec<_> = ignore.lines().filter_map(|l| l.strip_prefix('!')).collect();
    let needed = run_in_the_image(root);
    assert!(needed.contains("packaging/stage.sh"), "{needed:?}");
    let missing: Vec<_> = needed
        .iter()
        .filter(|file| !kept.iter().any(|kept| file.starts_with(kept)))
        .collect();
    assert!(missing.is_empty(), "not in .dockerignore: {missing:?}");
}

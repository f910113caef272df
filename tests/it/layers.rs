//! The modules of `src/` keep to the layers that `src/lib.rs` lists, and no files import each other in a
//! circle.
//!
//! An import is a path that leads to another file of the crate: in a `use`, in code or inside of a macro. A
//! re-export is followed to the file that defines the name. A module that is split over files is one thing: the
//! file of a module may use the modules inside of it, and they may use what it defines. Files that are not
//! inside of each other may not be in a circle, not even through a third one. Code under `#[cfg(test)]` is
//! exempt.

pub mod crate_files;
mod imports;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use imports::{Import, imports};

/// Imports of a lower layer from a higher one that are still there: `FILE -> MODULE`. Only ever shortened.
const CLIMBING_KNOWN: &[&str] = &[];

/// Imports without which no circle would be left: `FILE -> FILE`. Only ever shortened.
const CIRCLES_KNOWN: &[&str] = &[];

/// What is wrong with a tree of sources.
#[derive(Debug, Default)]
struct Findings {
    /// Imports that climb, each `FILE -> MODULE`, with the lines.
    climbing: BTreeMap<String, String>,
    /// Imports that close a circle, each `FILE -> FILE`, with the circle.
    circles: BTreeMap<String, String>,
    /// Modules that no layer names, and layers that name no module.
    unlisted: Vec<String>,
    /// Entries of the lists of known faults that no longer occur.
    outlived: Vec<String>,
}

/// Checks the sources under `src`, passing over the faults that are known.
fn check(src: &Path, climbing_known: &[&str], circles_known: &[&str]) -> Findings {
    let imports = imports(src);
    let layers = layers(&src.join("lib.rs"));
    let mut findings = Findings::default();
    let listed: BTreeSet<_> = layers.keys().cloned().collect();
    for module in crate_files::top_modules(src).symmetric_difference(&listed) {
        findings.unlisted.push(module.clone());
    }
    assert!(!imports.is_empty(), "no imports were read");
    climbing(&imports, &layers, climbing_known, &mut findings);
    circles(&imports, circles_known, &mut findings);
    findings
}

/// The layer of each module, by the numbered list in the documentation of `lib.rs`.
fn layers(lib: &Path) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(lib).unwrap();
    let lines = text.lines().filter_map(|line| {
        let (number, modules) = line.strip_prefix("//! ")?.split_once(". `")?;
        Some((number.parse::<usize>().ok()?, modules))
    });
    let layers = lines.flat_map(|(number, modules)| {
        let names = modules.split('`').filter(|name| !name.contains([',', ' ']));
        let names = names.filter(|name| !name.is_empty());
        names.map(move |name| (name.to_owned(), number))
    });
    layers.collect()
}

fn climbing(
    imports: &[Import],
    layers: &BTreeMap<String, usize>,
    known: &[&str],
    findings: &mut Findings,
) {
    let mut occurs = BTreeSet::new();
    for import in imports {
        let (from, to) = (layers.get(&import.module), layers.get(&import.to_module));
        if from.is_none() || to <= from {
            continue;
        }
        let name = format!("{} -> {}", import.file, import.to_module);
        if !known.contains(&name.as_str()) {
            let lines = findings.climbing.entry(name.clone()).or_default();
            *lines += &format!("{}:{} uses {}; ", import.file, import.line, import.written);
        }
        occurs.insert(name);
    }
    let outlived = known.iter().filter(|name| !occurs.contains(**name));
    findings
        .outlived
        .extend(outlived.map(|name| name.to_string()));
}

/// The files that each file imports, with the line of the first import.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, usize>>;

fn circles(imports: &[Import], known: &[&str], findings: &mut Findings) {
    let mut graph = Graph::new();
    let mut passed_over = Vec::new();
    let parted = |import: &&Import| !is_inside(&import.to_file, &import.file);
    for import in imports.iter().filter(parted) {
        let edge = format!("{} -> {}", import.file, import.to_file);
        if let Some(known) = known.iter().find(|known| **known == edge) {
            passed_over.push((*known, import));
            continue;
        }
        let of_file = graph.entry(&import.file).or_default();
        of_file.entry(&import.to_file).or_insert(import.line);
    }
    // What is known is still needed only if it would close a circle.
    for known in known {
        let mut edges = passed_over.iter().filter(|(name, _)| name == known);
        let needed = edges.any(|(_, import)| way(&graph, &import.to_file, &import.file).is_some());
        if !needed {
            findings.outlived.push(known.to_string());
        }
    }
    // One import of each circle is taken out until none is left, so that each is named once.
    while let Some(circle) = first_circle(&graph) {
        let pairs = circle.iter().zip(circle.iter().cycle().skip(1));
        let lines = pairs.map(|(from, to)| format!("{from}:{} uses {to}", graph[from][to]));
        let lines: Vec<_> = lines.collect();
        let (from, to) = (circle[circle.len() - 1], circle[0]);
        findings
            .circles
            .insert(format!("{from} -> {to}"), lines.join(", "));
        graph.get_mut(from).unwrap().remove(to);
    }
}

/// Whether a file is that of `module`, or of a module inside of it.
fn is_inside(file: &str, module: &str) -> bool {
    let folder = module.strip_suffix("mod.rs").or(module.strip_suffix(".rs"));
    let rest = folder.and_then(|folder| file.strip_prefix(folder.trim_end_matches('/')));
    rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// The shortest circle there is, as the files along it.
fn first_circle<'a>(graph: &Graph<'a>) -> Option<Vec<&'a str>> {
    let edges = graph
        .iter()
        .flat_map(|(from, to)| to.keys().map(move |to| (*from, *to)));
    let circles = edges.filter_map(|(from, to)| way(graph, to, from));
    circles.min_by_key(|circle| circle.len())
}

/// The shortest way from one file to another, both included.
fn way<'a>(graph: &Graph<'a>, from: &str, to: &str) -> Option<Vec<&'a str>> {
    let (from, _) = graph.get_key_value(from)?;
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = vec![*from];
    while !next.is_empty() {
        let mut after = Vec::new();
        for file in next {
            for reached in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
                if reached != from && !came_from.contains_key(reached) {
                    came_from.insert(reached, file);
                    after.push(*reached);
                }
            }
        }
        if let Some((to, _)) = came_from.get_key_value(to) {
            let mut way = vec![*to];
            while let Some(before) = came_from.get(way[way.len() - 1]) {
                way.push(before);
            }
            way.reverse();
            return Some(way);
        }
        next = after;
    }
    None
}

/// Modules that may know of command lines; the others are a library's.
const KNOW_CLAP: [&str; 2] = ["cli", "config"];

/// Files elsewhere that use `clap` all the same. Only ever shortened.
const CLAP_KNOWN: &[&str] = &["daemon/settings.rs", "daemon/settings/define.rs"];

#[test]
fn only_the_command_line_knows_clap() {
    let modules = crate_files::modules(src());
    let elsewhere = modules.iter().filter(|(path, module)| {
        let text = fs::read_to_string(src().join(&module.file)).unwrap();
        let mut code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let is_edge = path
            .first()
            .is_some_and(|top| KNOW_CLAP.contains(&top.as_str()));
        !is_edge && code.any(|line| line.contains("clap::"))
    });
    let files: BTreeSet<_> = elsewhere.map(|(_, module)| module.file.as_str()).collect();
    assert_eq!(files, CLAP_KNOWN.iter().copied().collect());
}

fn src() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))
}

#[test]
fn no_import_climbs_and_no_files_import_each_other() {
    let found = check(src(), CLIMBING_KNOWN, CIRCLES_KNOWN);
    let mut text = String::new();
    for (name, lines) in &found.climbing {
        text += &format!("climbs: {name}: {lines}\n");
    }
    for (name, circle) in &found.circles {
        text += &format!("circle: {name}: {circle}\n");
    }
    for module in &found.unlisted {
        text += &format!("{module}: stands in src/lib.rs or in its list of layers, not in both\n");
    }
    for name in &found.outlived {
        text += &format!("{name}: does not occur any more, take the entry out of the known ones\n");
    }
    assert!(text.is_empty(), "\n{text}");
}

#[test]
fn an_upward_import_and_circles_are_named_where_they_are_planted() {
    let copy = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = copy.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let layers = "//! 1. `low`, `other`\n//! 2. `high`\n";
    let lib = format!("{layers}pub mod high;\npub mod low;\nmod other;\n");
    let high = "use crate::low::{\n    Low,\n    part,\n};\nmod inner;\npub use inner::Inner;\n";
    write("lib.rs", &lib);
    write("low.rs", "pub mod part;\npub struct Low;\n");
    write("low/part.rs", "pub fn part() {}\n");
    write("other.rs", "use crate::low::Low;\n");
    write("high.rs", high);
    write(
        "high/inner.rs",
        "use crate::low::Low;\nuse crate::other;\npub struct Inner;\n",
    );
    let sound = check(copy.path(), &[], &[]);
    assert!(
        sound.climbing.is_empty() && sound.circles.is_empty(),
        "{sound:?}"
    );
    assert!(sound.unlisted.is_empty(), "{sound:?}");

    // In a macro, in a test, in a group and through a re-export.
    write(
        "low.rs",
        "pub mod part;\npub struct Low;\nfn f() {\n    part::part();\n    println!(\"{}\", crate::high::X);\n}\n\
         #[cfg(test)]\nmod tests {\n    use crate::high::Inner;\n}\n",
    );
    write(
        "low/part.rs",
        "use super::{\n    Low,\n};\npub fn part() {}\n",
    );
    write("other.rs", "\npub fn f() -> crate::high::Inner {}\n");
    write("high/inner.rs", "use crate::other::f;\npub struct Inner;\n");
    let found = check(copy.path(), &["high.rs -> cli"], &["low.rs -> other.rs"]);
    let climbing: Vec<_> = found.climbing.into_iter().collect();
    assert_eq!(
        climbing,
        [
            (
                "low.rs -> high".into(),
                "low.rs:5 uses crate::high::X; ".into()
            ),
            (
                "other.rs -> high".into(),
                "other.rs:2 uses crate::high::Inner; ".into()
            ),
        ]
    );
    let circles: Vec<_> = found.circles.into_iter().collect();
    assert_eq!(
        circles,
        [
            (
                "high.rs -> low.rs".into(),
                "low.rs:5 uses high.rs, high.rs:2 uses low.rs".into(),
            ),
            (
                "high/inner.rs -> other.rs".into(),
                "other.rs:2 uses high/inner.rs, high/inner.rs:1 uses other.rs".into(),
            ),
        ]
    );
    assert_eq!(found.outlived, ["high.rs -> cli", "low.rs -> other.rs"]);
}

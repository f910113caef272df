//! What README.md, CONTRIBUTING.md and the pages under docs/ show is true.
//!
//! - A block marked `console` holds commands (`$ command`) and their output. The test runs the commands of a page in
//!   order, in one shell and one temporary folder, and compares the output with the output shown. `…` stands for text
//!   that varies: within a line for some characters, alone on a line for any number of lines. The temporary folder is
//!   shown as `/data`; it holds a link to examples/.
//! - A block marked `python` runs behind the commands before it; only its failure is an error.
//! - A block marked `py` needs the Python package, which this test does not have: packaging/wheel-check.sh runs the one
//!   of README.md.
//! - A block whose first line names a file (`toml file=rules.toml`) is written to that file first.
//! - A block marked `sh` can't run in a test. `NOT_RUN` lists each with the reason. The test checks its syntax, and that
//!   each flag given to molsieve exists.
//! - Each flag and each file of the repository that the text names exists, and each relative link leads to a file.
//!
//! `MOLSIEVE_WRITE=1` writes the outputs into the pages instead; lines that still match keep their `…`.

mod markdown;
mod matching;
mod shell;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use markdown::{Block, Page};
use shell::Shell;

/// Blocks marked `sh`: the page, the start of the block's first line, and why no test runs it.
const NOT_RUN: [(&str, &str, &str); 21] = [
    ("CONTRIBUTING.md", "./scripts/test.sh", "runs this test"),
    (
        "CONTRIBUTING.md",
        ". scripts/setup.sh",
        "builds and runs this test",
    ),
    (
        "CONTRIBUTING.md",
        "packaging/wheel.sh",
        "needs root; python/test.sh does this",
    ),
    (
        "CONTRIBUTING.md",
        "packaging/build-deb.sh",
        "needs root and hours; packaging/lint.sh and short forms of the proofs are in CI",
    ),
    (
        "README.md",
        "./scripts/demo.sh",
        "installs packages and builds; scripts/test.sh does that set-up",
    ),
    (
        "README.md",
        "pip install",
        "needs a wheel; packaging/wheel-check.sh does this in bare systems",
    ),
    (
        "docs/operating.md",
        "molsieve set 17",
        "needs a reduced budget; tests/it/budget.rs does this",
    ),
    (
        "docs/operating.md",
        "molsieve admin backup",
        "needs the packaged service; packaging/prove.sh systemd does this",
    ),
    (
        "docs/operating.md",
        "systemctl stop",
        "needs systemd; packaging/prove.sh systemd does this",
    ),
    (
        "docs/resuming.md",
        "molsieve run --resume",
        "needs a stopped run; tests/it/less_memory.rs does this",
    ),
    (
        "docs/daemon.md",
        "molsieve ui",
        "runs until Ctrl-C; tests/it/ui.rs runs it",
    ),
    ("docs/daemon.md", "ssh -t -L 8642", "needs another machine"),
    (
        "docs/daemon.md",
        "export MOLSIEVE_SOCKET=ssh://node",
        "needs another machine; tests/it/afar.rs does this with a local server",
    ),
    (
        "docs/metrics.md",
        "molsieve serve --metrics-listen",
        "runs until it is stopped; tests/it/said.rs runs it",
    ),
    (
        "docs/metrics.md",
        "systemctl enable molsieve-metrics.socket",
        "needs systemd",
    ),
    (
        "docs/operating.md",
        "journalctl -u molsieve MOLSIEVE_JOB=17",
        "needs systemd",
    ),
    (
        "docs/first-job.md",
        "./scripts/demo.sh",
        "installs packages and builds; scripts/test.sh does that set-up",
    ),
    (
        "docs/first-job.md",
        "RDKIT_PREFIX=$CONDA_PREFIX",
        "needs an installed RDKit",
    ),
    (
        "docs/operating.md",
        "apt-get install",
        "needs root and systemd; packaging/prove.sh does this in a fresh system",
    ),
    (
        "docs/operating.md",
        "docker run",
        "needs a container engine; packaging/prove.sh does the Dockerfile's steps",
    ),
    (
        "docs/speed.md",
        "scripts/bench-history.py run",
        "takes minutes",
    ),
];

/// Flags in the text that belong to other programs.
const OTHER_FLAGS: [(&str, &str); 0] = [];

/// Where paths in the text may start, beside the root of the repository.
const ROOTS: [&str; 4] = ["", "src", "src/chem", "docs"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Pages whose commands run: README.md, CONTRIBUTING.md and docs/.
fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let mut paths: Vec<PathBuf> = docs.map(|entry| entry.unwrap().path()).collect();
    paths.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    paths.iter().map(|path| Page::read(&root(), path)).collect()
}

/// Those, and the pages that only name files and link.
fn all_pages() -> Vec<Page> {
    let others = ["ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md"].map(|name| root().join(name));
    let others = others.iter().map(|path| Page::read(&root(), path));
    pages().into_iter().chain(others).collect()
}

#[test]
fn commands_give_the_output_shown() {
    let write = std::env::var_os("MOLSIEVE_WRITE").is_some();
    let run = |page: Page| thread::spawn(move || run_page(&page, write));
    let runs: Vec<_> = pages().into_iter().map(run).collect();
    let failures: Vec<String> = runs
        .into_iter()
        .flat_map(|run| run.join().unwrap())
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Runs the commands of a page and gives the differences; or runs them twice and writes the outputs into the page.
fn run_page(page: &Page, write: bool) -> Vec<String> {
    if !page.blocks.iter().any(|block| block.language == "console") {
        return Vec::new();
    }
    let (outputs, failures) = outputs(page);
    if !write || failures.is_empty() {
        return failures;
    }
    let (again, _) = self::outputs(page);
    let mut runs = outputs.iter().zip(&again);
    let mut replacements = Vec::new();
    for block in page
        .blocks
        .iter()
        .filter(|block| block.language == "console")
    {
        let mut lines = Vec::new();
        for (shown, (seen, again)) in block.commands().iter().zip(runs.by_ref()) {
            lines.extend(format!("$ {}", shown.command).lines().map(str::to_owned));
            lines.extend(matching::keep_wildcards(&shown.output, seen, again));
        }
        replacements.push((block, lines));
    }
    page.write_with(&root(), &replacements);
    Vec::new()
}

/// The output of each command of a page, and what differs from the output shown.
fn outputs(page: &Page) -> (Vec<Vec<String>>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(root().join("examples"), folder.path().join("examples")).unwrap();
    let mut shell = Shell::start(folder.path(), Path::new(env!("CARGO_BIN_EXE_molsieve")));
    let (mut outputs, mut failures) = (Vec::new(), Vec::new());
    for block in &page.blocks {
        if let Some(name) = &block.file {
            fs::write(folder.path().join(name), block.text()).unwrap();
        }
        if block.language == "python" {
            failures.extend(python_error(page, block, folder.path()));
        }
        if block.language != "console" {
            continue;
        }
        for shown in block.commands() {
            let seen = shell.run(&shown.command);
            let place = format!("{}:{}: $ {}", page.name, shown.line, shown.command);
            assert_ne!(shown.output, ["…"], "{place}: shows nothing of the output");
            if !matching::lines(&shown.output, &seen) {
                let [shown, seen] = [&shown.output, &seen].map(|lines| lines.join("\n"));
                failures.push(format!("{place}\nshown:\n{shown}\nseen:\n{seen}\n"));
            }
            outputs.push(seen);
        }
    }
    (outputs, failures)
}

/// Runs a Python example, if there is a Python that has the packages of the oracle. Gives what went wrong.
fn python_error(page: &Page, block: &Block, folder: &Path) -> Option<String> {
    let python = crate::kit::Python::find("the Python examples of the docs")?;
    let ended = python
        .command()
        .args(["-c", &block.text()])
        .current_dir(folder)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&ended.stderr);
    (!ended.status.success()).then(|| format!("{}:{}: {error}", page.name, block.first_line))
}

#[test]
fn what_can_not_run_is_listed_and_has_valid_syntax() {
    let mut listed = NOT_RUN.to_vec();
    let mut faults = Vec::new();
    for page in pages() {
        for block in &page.blocks {
            let first = block.lines.first().map_or("", String::as_str);
            let place = format!("{}:{}", page.name, block.first_line);
            match block.language.as_str() {
                "sh" => {
                    let known = |entry: &(&str, &str, &str)| {
                        entry.0 == page.name && first.starts_with(entry.1)
                    };
                    match listed.iter().position(known) {
                        Some(found) => drop(listed.remove(found)),
                        None => faults.push(format!("{place}: not in NOT_RUN: {first}")),
                    }
                    faults.extend(
                        shell::syntax_error(&block.text()).map(|error| format!("{place}: {error}")),
                    );
                }
                "console" => {}
                _ if block.lines.iter().any(|line| line.starts_with("$ ")) => {
                    faults.push(format!("{place}: a command outside of a `console` block"));
                }
                "" => faults.push(format!("{place}: a block without a language")),
                _ => {}
            }
        }
    }
    faults.extend(
        listed
            .iter()
            .map(|entry| format!("NOT_RUN: no such block: {entry:?}")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn flags_named_in_the_text_exist() {
    let mut help = Help::default();
    let mut faults = Vec::new();
    for page in pages() {
        let mut check = |place: String, text: &str| {
            let unknown = help.unknown(text);
            faults.extend(
                unknown
                    .into_iter()
                    .map(|word| format!("{place}: {word}: {text}")),
            );
        };
        for block in page.blocks.iter().filter(|block| block.language == "sh") {
            for command in markdown::joined_lines(&block.lines) {
                check(format!("{}:{}", page.name, block.first_line), &command);
            }
        }
        for (line, code) in page.inline_code() {
            check(format!("{}:{line}", page.name), &code);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `molsieve VERB --help` of each verb asked for; of "", the list of verbs.
#[derive(Default)]
struct Help(BTreeMap<String, String>);

impl Help {
    fn of(&mut self, verb: &str) -> &str {
        self.0.entry(verb.to_owned()).or_insert_with(|| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_molsieve"));
            let output = command
                .args(verb.split_whitespace())
                .arg("--help")
                .output()
                .unwrap();
            match output.status.success() {
                true => String::from_utf8(output.stdout).unwrap(),
                false => String::new(),
            }
        })
    }

    /// The flags of a shell command or of a piece of inline code that no verb of molsieve has.
    fn unknown(&mut self, text: &str) -> Vec<String> {
        if let Some(flag) = text.strip_prefix("--") {
            return self.unknown_alone(flag);
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let program = words.iter().find(|word| !word.contains('='));
        if !program.is_some_and(|word| word.ends_with("molsieve") || *word == "docker") {
            return Vec::new();
        }
        let Some(at) = words.iter().rposition(|word| word.ends_with("molsieve")) else {
            return Vec::new();
        };
        let end = |word: &&str| {
            ["|", "&", "&&", ";", "||"].contains(word) || word.starts_with(['#', '>'])
        };
        let words: Vec<&str> = words[at + 1..]
            .iter()
            .copied()
            .take_while(|word| !end(word))
            .collect();
        let Some(verb) = words
            .first()
            .filter(|word| word.chars().all(|c| c.is_ascii_lowercase()))
        else {
            return Vec::new();
        };
        let verb = match *verb {
            "rules" if words.get(1) == Some(&"convert") => "rules convert",
            "rules" => "rules check",
            verb => verb,
        };
        let help = self.of(verb).to_owned();
        if help.is_empty() {
            return vec![format!("no verb {verb}")];
        }
        let flags = words.iter().filter(|word| word.starts_with("--"));
        let names = flags.map(|word| word.split('=').next().unwrap_or(word));
        names
            .filter(|name| !has_flag(&help, name))
            .map(str::to_owned)
            .collect()
    }

    /// A flag that stands alone must be a flag of some verb, or be known as another program's.
    fn unknown_alone(&mut self, flag: &str) -> Vec<String> {
        let name: String = flag
            .chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '-')
            .collect();
        let name = format!("--{name}");
        if OTHER_FLAGS.iter().any(|(other, _)| *other == name) {
            return Vec::new();
        }
        let listing = self.of("").to_owned();
        let verbs = listing
            .lines()
            .skip_while(|line| !line.starts_with("Usage:"))
            .skip(2);
        let verbs = verbs.take_while(|line| !line.is_empty());
        let verbs = verbs
            .filter_map(|line| line.split_whitespace().next())
            .filter(|verb| *verb != "help");
        let verbs = verbs.map(|verb| if verb == "rules" { "rules check" } else { verb });
        let found = verbs.into_iter().any(|verb| has_flag(self.of(verb), &name));
        if found { Vec::new() } else { vec![name] }
    }
}

fn has_flag(help: &str, name: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c == '-';
    help.match_indices(name).any(|(at, _)| {
        !help[at + name.len()..].starts_with(inside) && !help[..at].ends_with(inside)
    })
}

#[test]
fn files_named_in_the_text_exist() {
    let mut faults = Vec::new();
    for page in all_pages() {
        for (line, code) in page.inline_code() {
            let known = |root: &&str| markdown::exists(&self::root().join(root), &code);
            if markdown::is_file(&code) && !ROOTS.iter().any(known) {
                faults.push(format!("{}:{line}: no such file: {code}", page.name));
            }
        }
        for (line, link) in page.links() {
            let target = link.split('#').next().unwrap_or_default();
            let folder = root().join(&page.name).parent().unwrap().to_owned();
            if !link.contains("://") && !target.is_empty() && !folder.join(target).exists() {
                faults.push(format!("{}:{line}: a link to no file: {link}", page.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Each module of the library is in the map of ARCHITECTURE.md.
#[test]
fn the_map_has_every_module() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let library = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let missing: Vec<&str> = modules
        .filter(|name| !page.contains(&format!("`{name}`")))
        .collect();
    assert!(missing.is_empty(), "not in ARCHITECTURE.md: {missing:?}");
}

/// Each code of a reject is in docs/columns.md.
#[test]
fn the_codes_of_rejects_are_documented() {
    let page = fs::read_to_string(root().join("docs/columns.md")).unwrap();
    let source = fs::read_to_string(root().join("src/reject.rs")).unwrap();
    let codes = source
        .lines()
        .filter_map(|line| line.split_once("=> \"")?.1.strip_suffix("\","));
    let codes: Vec<&str> = codes.collect();
    let missing: Vec<&&str> = codes
        .iter()
        .filter(|code| !page.contains(&format!("| `{code}` |")))
        .collect();
    assert!(codes.len() > 10, "{codes:?}");
    assert!(missing.is_empty(), "not in docs/columns.md: {missing:?}");
}

/// Each metric and each path of the daemon is in docs/metrics.md.
#[test]
fn the_daemons_metrics_and_paths_are_documented() {
    const SERVE: &str = "molsieve serve --socket $MOLSIEVE_SOCKET --state $PWD/state --memory 1GiB --threads 1 --gpus 0 2>daemon.log &";
    let folder = tempfile::tempdir().unwrap();
    let mut shell = Shell::start(folder.path(), Path::new(env!("CARGO_BIN_EXE_molsieve")));
    for command in [
        "export MOLSIEVE_SOCKET=$PWD/daemon.sock",
        SERVE,
        "until [ -S daemon.sock ]; do sleep 0.1; done",
    ] {
        assert_eq!(shell.run(command), Vec::<String>::new());
    }
    let mut get = |path: &str| {
        let curl = format!("curl -sS --unix-socket $MOLSIEVE_SOCKET http://molsieve{path}");
        shell.run(&curl).join("\n")
    };
    let metrics = get("/metrics");
    let names = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next());
    let openapi: serde_json::Value = serde_json::from_str(&get("/v1/openapi.json")).unwrap();
    let paths = openapi["paths"].as_object().unwrap();
    let requests = paths.iter().flat_map(|(path, item)| {
        let methods = item
            .as_object()
            .unwrap()
            .keys()
            .filter(|key| ["get", "post", "put", "delete"].contains(&key.as_str()));
        methods.map(move |method| format!("`{} {path}`", method.to_uppercase()))
    });
    let page = fs::read_to_string(root().join("docs/metrics.md")).unwrap();
    let all: Vec<String> = names
        .map(|name| format!("`{name}"))
        .chain(requests)
        .collect();
    let missing: Vec<&String> = all
        .iter()
        .filter(|name| !page.contains(name.as_str()))
        .collect();
    assert!(all.len() > 20, "{all:?}");
    assert!(missing.is_empty(), "not in docs/metrics.md: {missing:?}");
}

#[test]
fn the_shipped_rules_are_as_many_as_the_text_says() {
    let rules = fs::read_to_string(root().join("examples/rules/natural_products.toml")).unwrap();
    let stated = format!("{} rules", rules.matches("[[rule]]").count());
    for page in ["README.md", "docs/first-job.md", "docs/rules.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        assert!(text.contains(&stated), "{page} does not say: {stated}");
    }
}

#[test]
fn the_readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md"))
        .unwrap()
        .lines()
        .count();
    assert!(lines <= 190, "README.md has {lines} lines, more than 190");
}

#[test]
fn a_changed_output_a_planted_flag_and_a_missing_file_are_seen() {
    let page = Page::parse(
        "page.md",
        "```console\n$ echo one; echo 2.5 s\none\n… s\n```\n".into(),
    );
    assert_eq!(run_page(&page, false), Vec::<String>::new());
    let page = Page::parse(
        "page.md",
        "```console\n$ echo one; echo 2.5 s\ntwo\n… s\n```\n".into(),
    );
    assert_eq!(run_page(&page, false).len(), 1);
    let mut help = Help::default();
    assert_eq!(
        help.unknown("molsieve run --input a --inptu b | x --c"),
        ["--inptu"]
    );
    assert_eq!(
        help.unknown("target/release/molsieve nor --input a"),
        ["no verb nor"]
    );
    assert_eq!(help.unknown("--no-such-flag"), ["--no-such-flag"]);
    assert!(markdown::is_file("src/no_such_file.rs"));
    assert!(!markdown::exists(&root(), "src/no_such_file.rs"));
}

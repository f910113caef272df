//! `molsieve submit --array`.

use serde_json::json;

use super::Site;
use crate::kit::{Molsieve, daemon::Daemon, library::smiles_lines, output::assert_complete};

fn submit(site: &Site, daemon: &Daemon, flags: &str) -> Molsieve {
    let pattern = site.folder.path("lib/*.smi");
    let flags = format!("submit --memory 192MiB --threads 1 --engine cpu {flags} --array");
    daemon.molsieve(&flags).arg(pattern).rules(&site.rules)
}

fn site() -> Site {
    let site = Site::new();
    for (name, molecules) in [("b.smi", 3), ("a.smi", 4), ("c.txt", 5)] {
        site.folder
            .write(&format!("lib/{name}"), smiles_lines(molecules));
    }
    site
}

#[test]
fn an_array_is_a_job_for_each_file_with_a_label_and_can_be_repeated() {
    let site = site();
    let daemon = site.daemon();
    let array = |output: &str, flags: &str| {
        submit(&site, &daemon, flags)
            .output(site.folder.path(output))
            .run()
    };
    let run = array("out/{number}-{stem}", "--once monday --wait").ends_with(0);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert!(
        lines[0].starts_with("job 1 queued: ") && lines[0].ends_with("lib/a.smi"),
        "{lines:?}"
    );
    assert!(
        lines[1].starts_with("job 2 queued: ") && lines[1].ends_with("lib/b.smi"),
        "{lines:?}"
    );
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert_complete(&site.folder.path("out/1-a"));
    assert_complete(&site.folder.path("out/2-b"));
    let (one, two) = (daemon.job(1), daemon.job(2));
    assert_eq!(one["labels"], two["labels"]);
    let label = one["labels"][0].as_str().unwrap();
    assert!(label.starts_with("array="), "{label}");
    assert_eq!(
        (&one["name"], &two["name"]),
        (&json!("a.smi"), &json!("b.smi"))
    );
    // Again: the same jobs; and a file that came later.
    site.folder.write("lib/d.smi", smiles_lines(2));
    let again = array("out/{number}-{stem}", "--once monday").ends_with(0);
    let expected = format!("3 jobs; molsieve wait --label {label} waits for the end");
    let lines: Vec<&str> = again.stdout.lines().collect();
    assert!(
        lines[0].starts_with("job 1 done: ") && lines[2].starts_with("job 3 queued: "),
        "{lines:?}"
    );
    assert_eq!(lines[3], expected);
    daemon
        .molsieve(&format!("wait --label {label}"))
        .run()
        .ends_with(0);
    let listed = daemon.molsieve(&format!("ls --json --label {label}")).run();
    assert_eq!(listed.json_lines().len(), 3);
}

#[test]
fn an_array_with_a_fault_is_refused_as_a_whole() {
    let site = site();
    let daemon = site.daemon();
    let refused = |output: &str, flags: &str, words: &[&str]| {
        let run = submit(&site, &daemon, flags)
            .output(site.folder.path(output))
            .run();
        run.refuses(2, words);
        let jobs = daemon.request("GET", "/v1/jobs", "").json();
        assert_eq!(jobs["jobs"], json!([]));
    };
    refused(
        "same/{nmae}",
        "",
        &["{nmae} is none of {name}, {stem} and {number}"],
    );
    site.folder.write("out/b/x", "");
    refused("out", "", &["out/b is not empty"]);
    site.folder.write("lib/b.smi.gz", "");
    let pattern = site.folder.path("lib/b*");
    let flags = "submit --memory 192MiB --threads 1 --engine cpu --array";
    let run = daemon.molsieve(flags).arg(pattern).rules(&site.rules);
    let run = run.output(site.folder.path("two")).run();
    run.refuses(2, &["b.smi and", "b.smi.gz have the same output"]);
    let run = submit(&site, &daemon, "").run();
    run.refuses(2, &["--output is missing"]);
    let none = daemon
        .molsieve("submit -o x --array")
        .arg(site.folder.path("none/*.smi"))
        .run();
    none.refuses(3, &["none/*.smi"]);
    // What the daemon refuses, it refuses for the first.
    let run = submit(&site, &daemon, "--after 99")
        .output(site.folder.path("new"))
        .run();
    run.refuses(1, &["there is no job 99"]);
    let jobs = daemon.request("GET", "/v1/jobs", "").json();
    assert_eq!(jobs["jobs"], json!([]));
}

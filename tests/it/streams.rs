//! `--output -`: rows to standard output, once, whatever happens to the job and to its reader.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    formats::{Material, text, text_once},
    kit::{Molsieve, output::names},
};

/// A folder for the temporary files of a stream.
fn streamed(material: &Material, flags: &str) -> (Molsieve, PathBuf) {
    let temporary = material.folder.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let job = material
        .job(flags, Path::new("-"))
        .env("TMPDIR", &temporary);
    (job, temporary)
}

#[test]
fn a_stream_has_the_lines_of_a_job_and_leaves_nothing() {
    let material = Material::new(60);
    for format in ["smi", "csv"] {
        let direct = material.out(format, &format!("--format {format}"));
        let (job, temporary) = streamed(&material, &format!("--format {format}"));
        let run = job.run().ends_with(0);
        assert!(run.stdout == text_once(&direct, format), "{format}");
        assert!(run.stderr.contains("standard output"), "{}", run.stderr);
        assert!(names(&temporary).is_empty());
    }
    // Standard input and a deduplication.
    let lines = material.folder.write("b.smi", "CCO a\nOCC b\nCCN c\n");
    let run = Molsieve::new("dedup --memory 256MiB -i - -o -")
        .standard_input(&lines)
        .env("TMPDIR", material.folder.path("tmp"))
        .run()
        .ends_with(0);
    assert_eq!(run.stdout, "CCO\ta\nCCN\tc\n");
    assert!(names(&material.folder.path("tmp")).is_empty());
}

#[test]
fn a_stream_refuses_what_it_can_not_have() {
    let material = Material::new(3);
    let refused = |flags: &str, words: &[&str]| {
        let (job, temporary) = streamed(&material, flags);
        job.run().refuses(2, words);
        assert!(names(&temporary).is_empty());
    };
    refused("--resume", &["--output -", "--resume"]);
    refused("--overwrite", &["--output -", "--overwrite"]);
    refused("--format parquet", &["--output -", "--format smi"]);
    refused("--format smi.gz", &["--output -", "gzip"]);
    refused("--steps 2", &["--output -", "molsieve export"]);
    let (job, _) = streamed(&material, "--json");
    let run = job.run();
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("--json"), "{}", run.stderr);
    Molsieve::new("submit -i a.smi -o -")
        .run()
        .refuses(2, &["--output -", "molsieve run"]);
}

#[test]
fn a_reader_that_leaves_ends_a_stream() {
    let material = Material::new(2_000);
    let temporary = material.folder.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let command = format!(
        "set -o pipefail; {} run -i {} -r {} -o - --memory 256MiB 2> {} | head -1",
        env!("CARGO_BIN_EXE_molsieve"),
        material.input.display(),
        material.rules.display(),
        material.folder.path("err").display(),
    );
    let begun = Instant::now();
    let ended = Command::new("bash")
        .args(["-c", &command])
        .env("TMPDIR", &temporary)
        .output()
        .unwrap();
    let line = String::from_utf8(ended.stdout).unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.contains('\t'), "{line}");
    assert!(begun.elapsed() < Duration::from_secs(60));
    let said = fs::read_to_string(material.folder.path("err")).unwrap();
    assert!(!said.contains("molsieve: "), "{said}");
    assert!(names(&temporary).is_empty());
}

#[test]
fn a_stream_whose_job_is_killed_prints_each_row_once() {
    let material = Material::new(900);
    let direct = material.out("direct", "--format smi");
    let expected = text(&direct);
    let (job, temporary) = streamed(&material, "--threads 1 --chemistry reference");
    let mut running = job.env("MOLSIEVE_CHECKPOINT_SECONDS", "0.05").start();
    let mut kills = 0;
    while running.is_running() && kills < 2 {
        let work = names(&temporary);
        let has_begun = work.first().is_some_and(|folder| {
            let out = temporary.join(folder).join("out");
            out.join(".molsieve/checkpoint").exists()
        });
        if has_begun {
            thread::sleep(Duration::from_millis(400));
            kills += usize::from(running.signal_worker(Signal::KILL));
            thread::sleep(Duration::from_millis(300));
        }
        thread::sleep(Duration::from_millis(2));
    }
    let run = running.wait(Duration::from_secs(100)).ends_with(0);
    assert!(kills > 0);
    assert!(
        run.stdout == expected,
        "{} of {} bytes",
        run.stdout.len(),
        expected.len()
    );
    assert!(names(&temporary).is_empty());
}

#[test]
fn a_stop_request_ends_a_stream_although_its_reader_sleeps() {
    let material = Material::new(2_000);
    let temporary = material.folder.path("tmp");
    fs::create_dir_all(&temporary).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_molsieve"))
        .args(["run", "--memory", "256MiB", "-o", "-", "-i"])
        .arg(&material.input)
        .arg("-r")
        .arg(&material.rules)
        .env("TMPDIR", &temporary)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut first = [0; 1];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    // The pipe is full by now, or will be.
    thread::sleep(Duration::from_millis(700));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    let begun = Instant::now();
    let status = child.wait().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(status.code(), Some(75));
    assert!(names(&temporary).is_empty());
}

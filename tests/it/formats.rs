//! `--format`, `--columns`, `--output -` and `molsieve export`: what they write, read back by other programs, and that it
//! depends on input, rules and settings only.

use std::{
    ffi::OsString,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::kit::{
    Folder, Molsieve, Python,
    draw::Draw,
    library::{SmallJob, THREE_RULES, rule_file, smiles_lines},
    output::{self, manifest, names, part_bytes, sha256},
    skipped, wait_until,
};

const TEXTS: [&str; 9] = [
    "smi", "smi.gz", "smi.zst", "csv", "csv.gz", "csv.zst", "sdf", "sdf.gz", "sdf.zst",
];

/// A job whose ids need care in every format.
struct Material {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Material {
    fn new(molecules: usize) -> Self {
        let folder = Folder::new();
        let mut table = "smiles,id\n\
            Oc1ccccc1,\"comma, and \"\"quotes\"\"\"\n\
            Cc1ccc(O)cc1,two  words\n\
            C[C@H](O)c1ccccc1/C=C/c1ccccc1,>stereo\n"
            .to_owned();
        for line in smiles_lines(molecules).lines() {
            let (smiles, id) = line.split_once(' ').unwrap();
            table += &format!("{smiles},{id}\n");
        }
        Self {
            input: folder.write("a.csv", table),
            rules: rule_file(&folder, &THREE_RULES),
            folder,
        }
    }

    fn job(&self, flags: &str, out: &Path) -> Molsieve {
        Molsieve::new("run --memory 256MiB --engine cpu --part-size 64KiB")
            .args(flags)
            .input(&self.input)
            .rules(&self.rules)
            .output(out)
    }

    fn out(&self, name: &str, flags: &str) -> PathBuf {
        // A name such as a.smi.gz would be that of a file.
        let out = self.folder.path(&name.replace('.', "-"));
        self.job(flags, &out).run().ends_with(0);
        out
    }
}

/// Fails unless the manifest lists the parts of the output with rows, bytes and checksum.
#[track_caller]
fn assert_listed(out: &Path, format: &str) -> usize {
    let manifest = manifest(out);
    let files = manifest["files"].as_array().unwrap();
    let mut rows = 0;
    for (number, file) in files.iter().enumerate() {
        let name = format!("products/part-{number:05}.{format}");
        assert_eq!(file["name"], name);
        let path = out.join(name);
        assert_eq!(file["bytes"], path.metadata().unwrap().len());
        assert_eq!(file["sha256"], sha256(&path));
        rows += file["rows"].as_u64().unwrap();
    }
    assert_eq!(output::parts(out).len(), files.len());
    assert_eq!(manifest["counts"]["products_unique"], rows);
    assert_eq!(manifest["without_mol_block"], 0);
    assert!(!out.join(".molsieve").exists());
    files.len()
}

/// The content of all parts of an uncompressed text, one after the other.
fn text(out: &Path) -> String {
    let parts = output::parts(out);
    parts
        .iter()
        .map(|part| fs::read_to_string(part).unwrap())
        .collect()
}

/// Fails unless other programs read the rows of `parquet` from `texts`.
#[track_caller]
fn assert_read_back(parquet: &Path, texts: &[PathBuf]) {
    let Some(python) = Python::find("formats.py") else {
        return;
    };
    let mut args: Vec<OsString> = Vec::new();
    let obabel = ["/usr/bin/obabel", "/usr/local/bin/obabel"].map(Path::new);
    match obabel.into_iter().find(|obabel| obabel.exists()) {
        Some(obabel) => args.extend(["--obabel".into(), obabel.into()]),
        None => skipped("Open Babel is not installed (obabel)"),
    }
    args.push(parquet.into());
    args.extend(texts.iter().map(OsString::from));
    python.oracle("formats.py", &args).ends_with(0);
}

#[test]
fn other_programs_read_the_rows_of_every_format() {
    let material = Material::new(40);
    let parquet = material.out("parquet", "--properties");
    let texts = TEXTS.map(|format| {
        let out = material.out(format, &format!("--properties --format {format}"));
        let parts = assert_listed(&out, format);
        assert!(parts > 1 || format.len() > 3, "{format}: {parts} parts");
        out
    });
    let drawn = material.out("drawn", "--properties --format sdf --coordinates 2d");
    let of = |out: &Path| text(out).lines().filter(|line| line.contains("2D")).count();
    let rows = text(&drawn).matches("$$$$").count();
    assert_eq!(of(&drawn), rows);
    assert!(of(&texts[6]) < rows && of(&texts[6]) > 0);
    assert_read_back(&parquet, &[texts.as_slice(), &[drawn]].concat());
}

#[test]
fn other_programs_read_a_deduplicated_and_a_cleaned_library() {
    let material = Material::new(60);
    for verb in ["dedup", "run"] {
        let out = |format: &str| {
            let out = material
                .folder
                .path(&format!("{verb}-{}", format.replace('.', "-")));
            Molsieve::new(verb)
                .args("--memory 256MiB --engine cpu --format")
                .arg(format)
                .input(&material.input)
                .output(&out)
                .run()
                .ends_with(0);
            out
        };
        let [parquet, texts @ ..] = ["parquet", "smi.gz", "csv", "sdf.zst"].map(out);
        assert_read_back(&parquet, &texts);
    }
}

#[test]
fn text_is_the_same_whatever_the_number_of_threads() {
    let material = Material::new(150);
    for format in ["smi.gz", "smi.zst", "sdf", "csv.gz"] {
        let made = |threads: usize| {
            let name = format!("{format}-{threads}");
            let flags = format!("--format {format} --threads {threads}");
            part_bytes(&material.out(&name, &flags))
        };
        let one = made(1);
        assert!(!one.is_empty());
        assert!(made(2) == one, "{format}: 2 threads");
        assert!(made(7) == one, "{format}: 7 threads");
    }
}

#[test]
fn a_text_job_that_is_killed_and_resumed_ends_with_the_same_files() {
    let mut draw = Draw(41);
    for format in ["smi.gz", "sdf", "csv.zst"] {
        let small = SmallJob::new();
        let start = |out: &Path| {
            let run = small.run(out).args("--format").arg(format);
            run.env("MOLSIEVE_CHECKPOINT_SECONDS", "0.02").start()
        };
        let whole = small.folder.path("whole");
        let begun = Instant::now();
        start(&whole).wait(Duration::from_secs(60)).ends_with(4);
        let time = begun.elapsed();
        let expected = part_bytes(&whole);
        let out = small.folder.out();
        for _ in 0..4 {
            let mut running = start(&out);
            let delay = draw.below(time.as_micros() as usize);
            thread::sleep(Duration::from_micros(delay as u64));
            running.kill();
        }
        start(&out).wait(Duration::from_secs(60)).ends_with(4);
        assert_listed(&out, format);
        assert!(part_bytes(&out) == expected, "{format}");
    }
}

#[test]
fn columns_are_those_that_are_named_in_their_order() {
    let material = Material::new(10);
    let csv = material.out(
        "csv",
        "--format csv --columns mw,smiles,rule --properties mw",
    );
    let text = text(&csv);
    assert!(text.starts_with("mw,smiles,rule\n"), "{text}");
    let parquet = material.out("parquet", "--columns parent_id,smiles");
    let (schema, batches) = output::read_parquet(&output::parts(&parquet)[0]);
    let fields: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(fields, ["parent_id", "smiles"]);
    assert!(batches[0].num_rows() > 0);
    let sdf = material.out("sdf", "--format sdf --columns parent_id");
    let text = self::text(&sdf);
    let items = text.lines().filter(|line| line.starts_with(">  <"));
    assert!(items.into_iter().all(|line| line == ">  <parent_id>"));
}

#[test]
fn what_a_format_has_not_is_refused() {
    let material = Material::new(3);
    let refused = |flags: &str, words: &[&str]| {
        let out = material.folder.out();
        material.job(flags, &out).run().refuses(2, words);
        assert!(!out.exists());
    };
    let smi = "--format smi";
    refused(
        &format!("{smi} --steps 2"),
        &["--format", "molsieve export"],
    );
    refused(
        &format!("{smi} --compression zstd"),
        &["--compression", "smi.gz or smi.zst"],
    );
    refused(
        &format!("{smi} --columns smiles"),
        &["--columns", "--format csv"],
    );
    refused(
        "--format csv --coordinates 2d",
        &["--coordinates", "--format sdf"],
    );
    refused(
        "--columns smiles,nmae",
        &["\"nmae\"", "smiles, key, parent_row"],
    );
    refused("--columns smiles,smiles", &["named twice"]);
    refused(
        "--steps 2 --columns smiles",
        &["the column key", "molsieve export"],
    );
    refused("--format smi.xz", &["`smi.xz` is not a format", "smi.gz"]);
    let out = material.out("smi", smi);
    let resumed = material.job("--resume --format csv", &out).run();
    assert_eq!(resumed.code, Some(0), "it is complete: {}", resumed.stderr);
    let exclude = format!("--exclude {}", out.display());
    material
        .job(&exclude, &material.folder.out())
        .run()
        .refuses(3, &["its parts are smi", "--format parquet"]);
    Molsieve::new("route")
        .arg(&out)
        .arg("CCO")
        .run()
        .refuses(2, &["are smi", "--format parquet"]);
    Molsieve::new("export --format csv")
        .arg(&out)
        .run()
        .refuses(2, &["are smi", "--format parquet"]);
}

#[test]
fn a_job_is_not_resumed_with_another_format() {
    let small = SmallJob::new();
    let out = small.folder.out();
    let mut running = small.run(&out).args("--format smi").start();
    wait_until("a checkpoint", || out.join(".molsieve/checkpoint").exists());
    if running.kill() {
        small
            .run(&out)
            .args("--format csv")
            .run()
            .refuses(2, &["--format"]);
    }
}

#[test]
fn an_export_has_the_text_of_a_job() {
    let material = Material::new(40);
    let out = material.out("out", "--properties mw");
    for format in ["smi", "csv", "sdf"] {
        let direct = material.out(format, &format!("--properties mw --format {format}"));
        // Each part of a table has a header.
        let header = text(&direct).lines().next().unwrap().to_owned() + "\n";
        let mut expected = text(&direct);
        if format == "csv" {
            expected = header.clone() + &expected.replace(&header, "");
        }
        let export = |output: &str| {
            Molsieve::new("export --threads 3 --format")
                .arg(format)
                .arg(&out)
                .args(output)
                .run()
                .ends_with(0)
        };
        assert!(export("-o -").stdout == expected, "{format} to a pipe");
        let file = material.folder.path(&format!("all.{format}"));
        export(&format!("-o {}", file.display()));
        assert!(
            fs::read_to_string(&file).unwrap() == expected,
            "{format} to a file"
        );
        let again = Molsieve::new("export").arg(&out).arg("-o").arg(&file).run();
        again.refuses(2, &["exists"]);
        export("--part-size 64KiB");
        let folder = out.join(format!("export-{format}"));
        let parts = names(&folder);
        assert!(parts.len() > 1, "{parts:?}");
        let parts = parts
            .iter()
            .map(|part| fs::read_to_string(folder.join(part)).unwrap());
        let mut all: String = parts.collect();
        if format == "csv" {
            all = header.clone() + &all.replace(&header, "");
        }
        assert!(all == expected, "{format} to a folder");
    }
    let names: Vec<_> = names(&out);
    assert!(names.contains(&"export-csv".to_owned()), "{names:?}");
    material.job("--overwrite", &out).run().ends_with(0);
    assert!(!out.join("export-csv").exists());
    output::assert_complete(&out);
}

#[test]
fn an_export_can_be_of_one_step_and_of_other_columns() {
    let material = Material::new(4);
    let out = material.out("out", "--steps 2");
    let step = |flags: &str| {
        let run = Molsieve::new("export --format smi -o -")
            .arg(&out)
            .args(flags)
            .run();
        run.ends_with(0).stdout
    };
    let (all, one, two) = (step(""), step("--step 1"), step("--step 2"));
    assert!(!one.is_empty() && !two.is_empty());
    assert!(all == one.clone() + &two);
    let named = |text: &str, step: &str| {
        let names = text
            .lines()
            .map(|line| line.rsplit('|').nth(3).unwrap().to_owned());
        assert!(names.into_iter().all(|name| name == step));
    };
    named(&one, "1");
    named(&two, "2");
    Molsieve::new("export --format smi --step 3")
        .arg(&out)
        .run()
        .refuses(2, &["--step 3", "2 steps"]);
    Molsieve::new("export --format parquet --columns key,step --step 2")
        .arg(&out)
        .run()
        .ends_with(0);
    let (schema, batches) = output::read_parquet(&out.join("export-parquet/part-00000.parquet"));
    let fields: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
    assert_eq!(fields, ["key", "step"]);
    let rows: usize = batches.iter().map(|batch| batch.num_rows()).sum();
    assert_eq!(rows, two.lines().count());
    Molsieve::new("export --format csv --columns x")
        .arg(&out)
        .run()
        .refuses(2, &["\"x\"", "root_id"]);
}

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
        let direct = material.out(format, &format!("--format {format} --part-size 1GiB"));
        let (job, temporary) = streamed(&material, &format!("--format {format}"));
        let run = job.run().ends_with(0);
        assert!(run.stdout == text(&direct), "{format}");
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
    let material = Material::new(400);
    let direct = material.out("direct", "--format smi --part-size 1GiB");
    let expected = text(&direct);
    let (job, temporary) = streamed(&material, "--threads 1");
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

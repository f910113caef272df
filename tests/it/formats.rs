//! `--format`, `--columns` and `molsieve export`: what they write, read back by other programs, and that it
//! depends on input, rules and settings only.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

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
pub(crate) struct Material {
    pub folder: Folder,
    pub input: PathBuf,
    pub rules: PathBuf,
}

impl Material {
    pub fn new(molecules: usize) -> Self {
        let folder = Folder::new();
        let mut table = "smiles,id\n\
            Oc1ccccc1,\"comma, and \"\"quotes\"\"\"\n\
            Cc1ccc(O)cc1,two  words\n\
            C[C@H](O)c1ccccc1/C=C/c1ccccc1,>stereo\n\
            Oc1cc2c(cc1)O/C(=C/c1ccccc1)C2=NO,open oxime beside a marked bond\n"
            .to_owned();
        // The shipped library has 600 molecules; with a further component each is another one.
        for round in 0..=molecules / 600 {
            let component = match round {
                0 => String::new(),
                carbons => format!(".{}", "C".repeat(carbons)),
            };
            let lines = smiles_lines(600.min(molecules - 600 * round));
            for line in lines.lines() {
                let (smiles, id) = line.split_once(' ').unwrap();
                table += &format!("{smiles}{component},{id}-{round}\n");
            }
        }
        Self {
            input: folder.write("a.csv", table),
            rules: rule_file(&folder, &THREE_RULES),
            folder,
        }
    }

    pub fn job(&self, flags: &str, out: &Path) -> Molsieve {
        Molsieve::new("run --memory 256MiB --engine cpu --part-size 64KiB")
            .args(flags)
            .input(&self.input)
            .rules(&self.rules)
            .output(out)
    }

    pub fn out(&self, name: &str, flags: &str) -> PathBuf {
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
pub(crate) fn text(out: &Path) -> String {
    let parts = output::parts(out);
    parts
        .iter()
        .map(|part| fs::read_to_string(part).unwrap())
        .collect()
}

/// The same with one header only.
pub(crate) fn text_once(out: &Path, format: &str) -> String {
    let all = text(out);
    let header = match format {
        "csv" => all.lines().next().unwrap().to_owned() + "\n",
        _ => return all,
    };
    header.clone() + &all.replace(&header, "")
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
        assert!(parts > 1 || format != "sdf", "{parts} parts");
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
    let mut items = text.lines().filter(|line| line.starts_with(">  <"));
    assert!(items.all(|line| line == ">  <parent_id>"));
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
    refused(
        "--steps 2 --columns smiles",
        &["the column key", "molsieve export"],
    );
    for (flags, fault) in [
        ("--format smi.xz", "`smi.xz` is not a format"),
        ("--columns smiles,smiles", "\"smiles\" is named twice"),
    ] {
        let run = material.job(flags, &material.folder.out()).run();
        let run = run.ends_with(2);
        assert!(run.stderr.contains(fault), "{}", run.stderr);
    }
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
    let material = Material::new(200);
    let out = material.out("out", "--properties mw");
    for format in ["smi", "csv", "sdf"] {
        let direct = material.out(format, &format!("--properties mw --format {format}"));
        let expected = text_once(&direct, format);
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
        assert!(parts.len() > 1 || format != "sdf", "{parts:?}");
        let parts = parts
            .iter()
            .map(|part| fs::read_to_string(folder.join(part)).unwrap());
        let all: String = parts.collect();
        assert!(all == expected || format == "csv", "{format} to a folder");
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
        let mut names = text
            .lines()
            .map(|line| line.rsplit('|').nth(3).unwrap().to_owned());
        assert!(names.all(|name| name == step));
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

//! Text inputs as written by databases, spreadsheets and other programs: the rows read, the rejects and the messages.

use std::{fs, io::Write, path::Path};

use crate::kit::{
    Folder, Molsieve, Run, assert_absent,
    library::{PHENOL_AND_CRESOL_SDF, gzip, parquet_file, shipped_molecules, smiles_lines},
    output::{self, counted, manifest, rejects, rows},
};
use arrow::array::AsArray;

/// Runs `molsieve FLAGS` over a file of this name and content.
fn run(folder: &Folder, flags: &str, name: &str, content: impl AsRef<[u8]>) -> Run {
    Molsieve::new(flags)
        .args("--overwrite --memory 256MiB")
        .input(folder.write(name, content))
        .output(folder.out())
        .run()
}

/// The molecules of a cleaning job and their ids.
fn molecules(output: &Path) -> Vec<(String, String)> {
    let row = |row: output::Row| (row.smiles, row.parent_id);
    rows(output).into_iter().map(row).collect()
}

/// Fails unless a cleaning job reads these (SMILES, id) from a file, without rejects.
#[track_caller]
fn assert_read(flags: &str, name: &str, content: impl AsRef<[u8]>, expected: &[(&str, &str)]) {
    let folder = Folder::new();
    run(&folder, &format!("run {flags}"), name, content).ends_with(0);
    let expected: Vec<_> = expected
        .iter()
        .map(|(smiles, id)| ((*smiles).to_owned(), (*id).to_owned()))
        .collect();
    assert_eq!(molecules(&folder.out()), expected, "{name}");
}

fn reasons(output: &Path) -> Vec<String> {
    let reason = |reject: output::Reject| reject.reason;
    rejects(output).into_iter().map(reason).collect()
}

/// The column `name` of the parts, where it is text.
fn texts(output: &Path, name: &str) -> Vec<String> {
    let batches = output::parts(output)
        .into_iter()
        .flat_map(|part| output::read_parquet(&part).1);
    batches
        .flat_map(|batch| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            (0..batch.num_rows())
                .map(|i| column.value(i).to_owned())
                .collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn a_line_that_begins_with_a_tab_has_no_smiles() {
    let folder = Folder::new();
    let text = "smiles\tname\nCCO\tethanol\n\tCO\nCCN\tamine\n \tN\n O\n";
    for task in ["run", "dedup"] {
        run(&folder, task, "a.smi", text).ends_with(4);
        assert_eq!(texts(&folder.out(), "smiles"), ["CCO", "CCN"], "{task}");
        assert_eq!(reasons(&folder.out()), ["SMILES is empty"; 3], "{task}");
        assert_eq!(rejects(&folder.out())[0].id, "CO", "{task}");
    }
}

#[test]
fn a_quote_in_a_tsv_is_an_ordinary_character() {
    let text = "smiles\tname\nCCO\t\"alpha\nCCN\tbeta\nCCC\tgamma\"\nCCCC\t\"delta 5\"\n";
    let expected = [
        ("CCO", "\"alpha"),
        ("CCN", "beta"),
        ("CCC", "gamma\""),
        ("CCCC", "delta 5"),
    ];
    assert_read("", "a.tsv", text, &expected);
    // In a SMILES file, what follows the SMILES is the id as it stands.
    let as_written = [&expected[..3], &[("CCCC", "\"delta 5\"")]].concat();
    assert_read("", "a.txt", text, &as_written);
}

#[test]
fn a_stray_quote_in_a_csv_swallows_no_row_silently() {
    let folder = Folder::new();
    // It closes two lines later, on a record of the right width.
    let near = "smiles,id\nCCO,\"1\nCCN,2\nCCC,3\"\nCCCC,4\n";
    run(&folder, "run", "a.csv", near).ends_with(4);
    assert_eq!(output::smiles(&folder.out()), ["CCN", "CCC", "CCCC"]);
    let reason = "line 2 opens a quote that isn't closed before line 3, which looks like a row";
    assert_eq!(reasons(&folder.out()), [reason]);
    // It closes far behind.
    let chain = |i: usize| format!("{},{i}\n", "C".repeat(i));
    let rows: String = (2..40).map(chain).collect();
    let far = format!("smiles,id\nCO,\"1\n{rows}CN,2\"\n");
    run(&folder, "run", "a.csv", far).ends_with(4);
    assert_eq!(output::smiles(&folder.out()).len(), 39);
    assert_eq!(reasons(&folder.out()).len(), 1);
    // It never closes.
    run(
        &folder,
        "run",
        "a.csv",
        format!("smiles,id\nCO,\"1\n{rows}"),
    )
    .ends_with(4);
    assert_eq!(output::smiles(&folder.out()).len(), 38);
    assert_eq!(
        reasons(&folder.out()),
        ["line 2 opens a quote that isn't closed"]
    );
}

#[test]
fn names_with_line_ends_stay_whole_in_a_csv() {
    let text = "smiles,name,mw\nCCO,\"ethyl\nalcohol, 96 %\",46\nCCN,amine,45\n";
    let expected = [("CCO", "ethyl\nalcohol, 96 %"), ("CCN", "amine")];
    assert_read("", "a.csv", text, &expected);
}

#[test]
fn of_two_smiles_columns_the_isomeric_one_is_used_and_reported() {
    let folder = Folder::new();
    for header in [
        "cid,canonical_smiles,isomeric_smiles",
        "cid,CanonicalSMILES,IsomericSMILES",
        "CID,ConnectivitySMILES,SMILES",
        "cid,smiles,Isomeric SMILES",
    ] {
        let text = format!("{header}\n7,CC(N)O,C[C@H](N)O\n");
        let ended = run(&folder, "run", "a.csv", text).ends_with(0);
        let expected = [("C[C@H](N)O".to_owned(), "7".to_owned())];
        assert_eq!(molecules(&folder.out()), expected, "{header}");
        let names: Vec<_> = header.split(',').collect();
        let note = format!(
            "the SMILES are taken from column `{}`, not from `{}`",
            names[2], names[1]
        );
        assert!(ended.stderr.contains(&note), "{}", ended.stderr);
        assert!(ended.stdout.contains(&note), "{}", ended.stdout);
        let input = &manifest(&folder.out())["inputs"][0];
        assert_eq!(input["smiles_column"], names[2]);
        assert_eq!(input["id_column"], names[0]);
        assert!(input["notes"][0].as_str().unwrap().contains(&note));
    }
    let ended = run(&folder, "run", "a.csv", "smiles,zinc_id\nC,Z1\n").ends_with(0);
    assert_eq!(ended.stderr, "", "nothing to say where there is no choice");
    let columns = "columns    SMILES `smiles`, id `zinc_id`";
    assert!(ended.stdout.contains(columns), "{}", ended.stdout);
}

#[test]
fn ids_are_found_by_the_column_names_of_databases() {
    for (header, delimiter) in [
        ("identifier,canonical_smiles,name", ','),
        ("\"ChEMBL ID\";\"Smiles\";\"Name\"", ';'),
        ("Catalog ID\tSMILES\tName", '\t'),
        ("idnumber,smiles,title", ','),
        ("Compound,Smiles,name", ','),
        ("zinc_id,smiles,title", ','),
        ("PubChem CID,SMILES,Compound Name", ','),
    ] {
        let text = format!("{header}\nX1{delimiter}CCO{delimiter}spirit\n");
        assert_read("", "a.csv", text, &[("CCO", "X1")]);
    }
}

#[test]
fn a_cxsmiles_extension_belongs_to_the_smiles() {
    let text = "smiles\tidnumber\nC[C@H](N)O |&1:1,r|\tZ1\nCC |^1:0|\tZ2\n";
    let expected = [("C[C@H](N)O", "Z1"), ("[CH2]C", "Z2")];
    for name in ["a.smi", "a.txt", "a.cxsmiles", "a.tsv"] {
        assert_read("", name, text, &expected);
        assert_read("--chemistry reference", name, text, &expected);
    }
    let csv = text.replace(",r|", "|").replace('\t', ",");
    assert_read("", "a.csv", csv, &expected);
    let folder = Folder::new();
    let ended = run(&folder, "run", "a.smi", text).ends_with(0);
    assert_eq!(counted(&folder.out(), "enhanced_stereo_dropped"), 1);
    let said = "stereo     1 molecule with enhanced stereo (CXSMILES)";
    assert!(ended.stdout.contains(said), "{}", ended.stdout);
    run(&folder, "run", "a.smi", "CC |^1:0 Z1\nCCO Z2\n").ends_with(4);
    assert_eq!(
        reasons(&folder.out()),
        ["failure parsing CXSMILES extensions"]
    );
}

#[test]
fn molecules_that_differ_in_enhanced_stereo_are_two_for_dedup() {
    let folder = Folder::new();
    let text = "C[C@H](N)O |&1:1| racemate\n\
                C[C@H](N)O one\n\
                C[C@@H](N)O |&1:1| racemate again\n\
                C[C@@H](N)O other\n\
                C[C@H](N)O |o1:1| one of them\n\
                C[C@H](N)O |a:1| one again\n\
                CC |^1:0| radical\n\
                [CH2]C radical again\n";
    run(&folder, "dedup --check 100", "a.smi", text).ends_with(0);
    let kept = [
        "C[C@H](N)O |&1:1|",
        "C[C@H](N)O",
        "C[C@@H](N)O",
        "C[C@H](N)O |o1:1|",
        "CC |^1:0|",
    ];
    assert_eq!(texts(&folder.out(), "smiles"), kept);
    run(&folder, "dedup --canonical", "a.smi", text).ends_with(0);
    let canonical = texts(&folder.out(), "smiles");
    assert_eq!(canonical[1..3], ["C[C@H](N)O", "C[C@@H](N)O"]);
    assert!(canonical[0].ends_with(" |&1:1|"), "{}", canonical[0]);
    assert_eq!(canonical[4], "[CH2]C");
}

#[test]
fn keys_see_enhanced_stereo() {
    let key = |smiles: &str| {
        let run = Molsieve::new("key").arg(smiles).run().ends_with(0);
        run.stdout.split('\t').next().unwrap().to_owned()
    };
    assert_eq!(key("CC |^1:0| Z2"), key("[CH2]C"));
    assert_eq!(key("C[C@H](N)O |&1:1|"), key("C[C@@H](N)O |&1:1|"));
    assert_ne!(key("C[C@H](N)O |&1:1|"), key("C[C@H](N)O"));
    assert_ne!(key("C[C@H](N)O |&1:1|"), key("C[C@H](N)O |o1:1|"));
}

#[test]
fn a_table_without_header_and_with_ids_first_is_detected_and_reported() {
    let folder = Folder::new();
    let expected = [("CCO", "702"), ("CC(=O)O", "176")];
    for (name, text) in [
        ("a.txt", "702\tCCO\n176\tCC(=O)O\n"),
        ("a.smi", "702 CCO\n176 CC(=O)O\n"),
        ("a.csv", "702,CCO,ethanol\n176,CC(=O)O,acid\n"),
        ("a.tsv", "702\tCCO\t46\n176\tCC(=O)O\t60\n"),
    ] {
        assert_read("", name, text, &expected);
        let ended = run(&folder, "run", name, text).ends_with(0);
        let note = "no header: the SMILES are in column 2, the ids in column 1";
        assert!(ended.stderr.contains(note), "{name}: {}", ended.stderr);
    }
    assert_read("", "a.csv", "CCO\nCCN\n", &[("CCO", "0"), ("CCN", "1")]);
}

#[test]
fn columns_can_be_named_by_their_numbers() {
    let rows = "x,702,CCO\ny,176,CC(=O)O\n";
    let second = [("CCO", "702"), ("CC(=O)O", "176")];
    let flags = "--smiles-column 3 --id-column 2";
    assert_read(flags, "a.csv", rows, &second);
    assert_read(&format!("--no-header {flags}"), "a.csv", rows, &second);
    assert_read(flags, "a.csv", format!("a,b,c\n{rows}"), &second);
    assert_read(
        "--smiles-column 2",
        "a.smi",
        "702 CCO\n176 CC(=O)O\n",
        &second,
    );
    assert_read("--no-header", "a.smi", "CCO 702\nCC(=O)O 176\n", &second);
    let folder = Folder::new();
    Molsieve::new("run --smiles-column 4")
        .input(folder.write("a.csv", rows))
        .output(folder.out())
        .run()
        .refuses(3, &["a.csv: has no column `4`"]);
}

#[test]
fn the_separator_line_of_excel_is_not_a_header() {
    for text in [
        "sep=;\nsmiles;id\nCCO;1\n",
        "\u{feff}\"sep=;\"\r\nsmiles;id\r\nCCO;1\r\n",
    ] {
        assert_read("", "a.csv", text, &[("CCO", "1")]);
    }
    assert_read("", "a.csv", "sep=\t\nsmiles\tid\nCCO\t1\n", &[("CCO", "1")]);
}

#[test]
fn text_compressed_with_bzip2_xz_and_zstd_is_read() {
    let text = b"CCO 1\nCCN 2\n";
    let bzip2 = |text: &[u8]| {
        let level = bzip2::Compression::default();
        let mut packed = bzip2::write::BzEncoder::new(Vec::new(), level);
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    };
    let zstd = |text: &[u8]| zstd::encode_all(text, 3).unwrap();
    let both = |pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (first, second) = text.split_at(9);
        [pack(first), pack(second)].concat()
    };
    let xz = XZ_OF_TWO_LINES.to_vec();
    for (name, packed) in [
        ("a.smi.bz2", bzip2(text)),
        ("b.smi.bz2", both(&bzip2)),
        ("a.smi.zst", zstd(text)),
        ("b.smi.zst", both(&zstd)),
        ("a.smi.xz", xz.clone()),
        ("b.smi", xz.clone()),
        ("a.smi.gz", gzip(text)),
    ] {
        assert_read("", name, &packed, &[("CCO", "1"), ("CCN", "2")]);
        let folder = Folder::new();
        let cut = &packed[..packed.len() - 3];
        run(&folder, "run", name, cut).refuses(3, &[name, "is damaged"]);
    }
}

/// `CCO 1\nCCN 2\n`, by xz with a CRC32.
const XZ_OF_TWO_LINES: &[u8] = b"\xfd\x37\x7a\x58\x5a\x00\x00\x01\x69\x22\xde\x36\x02\x00\x21\x01\x16\x00\x00\x00\x74\x2f\xe5\xa3\x01\x00\x0b\x43\x43\x4f\x20\x31\x0a\x43\x43\x4e\x20\x32\x0a\x00\x78\x80\x69\xab\x00\x01\x20\x0c\xa2\xdd\xb4\xbc\x90\x42\x99\x0d\x01\x00\x00\x00\x00\x01\x59\x5a";

#[test]
fn a_large_decompression_window_is_planned_for_or_refused() {
    let folder = Folder::new();
    let pack = |window_log: u32, text: &str| {
        let mut packed = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
        packed.window_log(window_log).unwrap();
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    // The first frame has a small window and the second a large one.
    let grows = [pack(20, "CCO 1\n"), pack(27, "CCN 2\n")].concat();
    run(&folder, "run", "a.smi.zst", grows).refuses(3, &["a.smi.zst", "to decompress"]);
    let large = folder.write("b.smi.zst", pack(27, "CCO 1\n"));
    let refused = Molsieve::new("plan --memory 128MiB").input(&large).run();
    let said = "source      137.0 MiB";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    Molsieve::new("run --memory 512MiB")
        .input(large)
        .output(folder.path("large"))
        .run()
        .ends_with(0);
}

#[test]
fn directories_are_read_recursively() {
    let folder = Folder::new();
    folder.write("lib/year=2025/month=12/b.smi", "CCO b\n");
    folder.write("lib/year=2026/a.csv", "smiles,id\nCCN,a\n");
    folder.write("lib/a.smi", "CCC c\n");
    folder.write("lib/_delta_log/x.smi", "CF x\n");
    folder.write("lib/.hidden/x.smi", "CCl x\n");
    std::os::unix::fs::symlink(folder.path("lib"), folder.path("lib/year=2026/up")).unwrap();
    Molsieve::new("run")
        .input(folder.path("lib"))
        .output(folder.out())
        .run()
        .ends_with(0);
    assert_eq!(output::smiles(&folder.out()), ["CCC", "CCO", "CCN"]);
}

/// Standard input is read like a file with the same content and leaves no file.
#[test]
fn standard_input_is_read_like_a_file() {
    let folder = Folder::new();
    let lines = smiles_lines(30);
    let table = "Compound,SMILES\nc1,CCO\nc2,CCN\n";
    let parquet = folder.path("p.parquet");
    parquet_file(&parquet, ["id", "smiles"], &shipped_molecules(30), 10);
    let cases: [(&str, Vec<u8>, &str); 6] = [
        ("a.smi", lines.clone().into(), ""),
        ("b.smi.gz", gzip(lines.as_bytes()), ""),
        ("c.csv", table.into(), ""),
        (
            "d.csv",
            "SUPPLIER;X\nc1;CCO\n".into(),
            "--input-format csv --smiles-column X",
        ),
        ("e.sdf", PHENOL_AND_CRESOL_SDF.into(), ""),
        ("p.parquet", fs::read(&parquet).unwrap(), ""),
    ];
    for (name, content, flags) in cases {
        let path = folder.write(name, content);
        let run = |input: &Path| {
            Molsieve::new("run --threads 1 --overwrite --memory 256MiB")
                .args(flags)
                .input(input)
                .output(folder.out())
                .standard_input(&path)
                .run()
                .ends_with(0)
        };
        run(&path);
        let expected = rows(&folder.out());
        assert!(!expected.is_empty(), "{name}");
        let said = run(Path::new("-")).stderr;
        assert!(
            said.contains("copied standard input (") && said.contains("out.stdin."),
            "{said}"
        );
        assert_eq!(rows(&folder.out()), expected, "{name}");
        let left = output::names(&folder.path("."));
        assert!(!left.iter().any(|name| name.contains("stdin")), "{left:?}");
    }
}

#[test]
fn unusable_standard_input_is_refused_before_it_is_read() {
    let folder = Folder::new();
    let input = folder.write("in.smi", "CCO\n");
    let run = |flags: &str| {
        Molsieve::new(flags)
            .output(folder.out())
            .standard_input(&input)
            .run()
    };
    run("run --input - --input -").refuses(2, &["--input -: it can be read once only"]);
    run("plan --input -").refuses(
        3,
        &["-: only run and dedup read a library from standard input"],
    );
    folder.write("out.stdin.smi", "CCN\n");
    run("run --input -").refuses(
        2,
        &["out.stdin.smi: an earlier job stored its standard input here"],
    );
    run("run --input - --overwrite").ends_with(0);
    assert_eq!(texts(&folder.out(), "smiles"), ["CCO"]);
    run("run --input -").refuses(2, &["out"]);
    assert_absent(&folder.path("out.stdin.smi"));
    assert_absent(&folder.path("out.stdin.smi.part"));
    run("run --input no-such.smi --input - --overwrite").ends_with(3);
    assert!(
        folder.path("out.stdin.smi").exists(),
        "what was piped in is not lost"
    );
}

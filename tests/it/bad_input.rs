//! Unusable inputs: the job ends with the right exit code and one clear line and leaves no files. Unusable rows don't stop
//! a job: they go to the rejects.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::kit::{
    Folder, Molsieve, Run, assert_absent,
    library::{gzip, parquet_file, shipped_library, shipped_molecules},
    output::{self, Reject, assert_complete, counted},
};
use arrow::{
    array::{BinaryArray, RecordBatch},
    datatypes::{DataType, Field, Schema},
};

/// Runs a cleaning job over `input`.
fn clean(folder: &Folder, input: impl AsRef<Path>) -> Run {
    Molsieve::new("run --memory 256MiB --threads 2")
        .input(input.as_ref())
        .output(folder.out())
        .run()
}

/// Fails unless `input` is refused with one line that contains `words`, and no file is left.
#[track_caller]
fn refused(folder: &Folder, input: impl AsRef<Path>, words: &[&str]) {
    clean(folder, input).refuses(3, words);
    assert_absent(&folder.out());
}

#[test]
fn missing_files_are_refused() {
    let folder = Folder::new();
    let missing = folder.path("missing.smi");
    refused(&folder, &missing, &["missing.smi: no such file"]);
    refused(&folder, folder.path("*.smi"), &["*.smi: no file matches"]);
    refused(&folder, "-", &["--input -: standard input is empty"]);
    refused(&folder, "/dev/null", &["/dev/null: is not a regular file"]);
    folder.write("empty_dir/readme.md", "no library");
    refused(
        &folder,
        folder.path("empty_dir"),
        &["empty_dir: directory has no library files", ".parquet"],
    );
    // Refused even after a valid file.
    let good = folder.write("good.smi", "CCO\n");
    Molsieve::new("run")
        .input(good)
        .input(missing)
        .output(folder.out())
        .run()
        .refuses(3, &["missing.smi"]);
    assert_absent(&folder.out());
}

#[test]
fn files_without_rows_are_refused() {
    let folder = Folder::new();
    for (name, content, words) in [
        ("a.smi", &b""[..], "a.smi: is empty"),
        ("b.smi.gz", &gzip(b""), "b.smi.gz: is empty"),
        ("c.smi", b"# only a comment\n\n", "c.smi: has no rows"),
        ("d.csv", b"id,smiles\n", "d.csv: has no rows"),
        ("e.parquet", b"", "e.parquet: is empty"),
        ("f.sdf", b"\n\n", "f.sdf: has no rows"),
    ] {
        refused(&folder, folder.write(name, content), &[words]);
    }
    let no_rows = folder.path("g.parquet");
    parquet_file(&no_rows, ["id", "smiles"], &[], 1);
    refused(&folder, no_rows, &["g.parquet: has no rows"]);
}

#[test]
fn files_of_unknown_or_unsupported_format_are_refused() {
    let folder = Folder::new();
    let junk: Vec<u8> = noise(7).take(3_000).map(|n| (n >> 8) as u8).collect();
    for (name, content, words) in [
        ("a.smi", &junk[..], "a.smi: is not text"),
        ("b.smi", b"\x89PNG\r\n\x1a\n\0\0", "b.smi: is not text"),
        (
            "c.xyz",
            b"3\nwater\nO 0 0 0\n",
            "c.xyz: can't tell its format",
        ),
        ("d.smi", b"PK\x03\x04rest", "d.smi: is a zip archive"),
        ("e.parquet", b"CCO ethanol\n", "e.parquet: is damaged"),
        (
            "f.csv",
            b"a\rb\rc\r",
            "f.csv: is text whose lines end with CR",
        ),
    ] {
        refused(&folder, folder.write(name, content), &[words]);
    }
}

#[test]
fn a_truncated_gzip_file_is_refused() {
    let folder = Folder::new();
    let table = fs::read(shipped_library()).unwrap();
    let packed = gzip(&table);
    for length in [3, 15, packed.len() / 2, packed.len() - 1] {
        let input = folder.write("a.csv.gz", &packed[..length]);
        refused(&folder, input, &["a.csv.gz: is damaged"]);
    }
    // The damage lies far beyond the head that is checked before work.
    let lines = String::from_utf8(table).unwrap();
    let (_, rows) = lines.split_once('\n').unwrap();
    let packed = gzip(format!("{lines}{}", rows.repeat(40)).as_bytes());
    let input = folder.write("long.csv.gz", &packed[..packed.len() - 100]);
    refused(&folder, input, &["long.csv.gz: is damaged"]);
}

#[test]
fn tables_without_a_smiles_column_list_the_columns_they_have() {
    let folder = Folder::new();
    let columns = ["--smiles-column", "columns are", "compound", "formula"];
    let csv = folder.write("a.csv", "compound,formula\n1,C2H6O\n");
    refused(&folder, csv, &columns);
    let parquet = folder.path("a.parquet");
    let molecules = shipped_molecules(5);
    parquet_file(&parquet, ["compound", "formula"], &molecules, 5);
    refused(&folder, &parquet, &columns);
    Molsieve::new("run --smiles-column structure")
        .input(&parquet)
        .output(folder.out())
        .run()
        .refuses(3, &["`structure`", "compound", "formula", "number"]);
    Molsieve::new("run --smiles-column number")
        .input(&parquet)
        .output(folder.out())
        .run()
        .refuses(3, &["column `number`", "must be text"]);
    assert_absent(&folder.out());
}

/// A valid Parquet file of 40 molecules in two row groups.
fn small_parquet(folder: &Folder) -> (PathBuf, Vec<u8>) {
    let path = folder.path("a.parquet");
    parquet_file(&path, ["id", "smiles"], &shipped_molecules(40), 25);
    clean(folder, &path).ends_with(0);
    fs::remove_dir_all(folder.out()).unwrap();
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

#[test]
fn a_parquet_file_truncated_anywhere_is_refused() {
    let folder = Folder::new();
    let (_, bytes) = small_parquet(&folder);
    let all = bytes.len();
    for length in [
        4,
        8,
        11,
        12,
        100,
        all / 2,
        all - 200,
        all - 8,
        all - 4,
        all - 1,
    ] {
        let input = folder.write("cut.parquet", &bytes[..length]);
        refused(&folder, input, &["cut.parquet: is damaged"]);
    }
}

#[test]
fn a_parquet_file_with_changed_bytes_never_crashes_the_job() {
    let folder = Folder::new();
    let (path, bytes) = small_parquet(&folder);
    clean(&folder, &path).ends_with(0);
    let whole = output::rows(&folder.out());
    fs::remove_dir_all(folder.out()).unwrap();
    let footer = 8 + u32::from_le_bytes(bytes[bytes.len() - 8..][..4].try_into().unwrap()) as usize;
    let mut refusals = 0;
    for (i, n) in noise(42).take(64).enumerate() {
        let mut damaged = bytes.clone();
        // Half of the changes hit the footer, where sizes and offsets stand.
        let reach = if i % 2 == 0 { footer } else { bytes.len() };
        let at = bytes.len() - 1 - n as usize % reach;
        damaged[at] ^= 1 << (n >> 40 & 7);
        let run = clean(&folder, folder.write("damaged.parquet", damaged));
        assert!(run.peak_memory_bytes <= 256 << 20, "byte {at}: {run:?}");
        match run.code {
            Some(0 | 4) => {
                assert_complete(&folder.out());
                // Much of the footer is not needed and is skipped; what is used must not be read
                // otherwise.
                if i % 2 == 0 {
                    assert_eq!(output::rows(&folder.out()), whole, "byte {at}");
                }
                fs::remove_dir_all(folder.out()).unwrap();
            }
            _ => {
                run.refuses(3, &["damaged.parquet: "]);
                assert_absent(&folder.out());
                refusals += 1;
            }
        }
    }
    assert!(refusals >= 10, "changes are noticed: {refusals} of 64");
}

/// Pseudo-random numbers, the same in every run (Knuth's MMIX generator).
fn noise(seed: u64) -> impl Iterator<Item = u64> {
    let step = |n: &u64| {
        Some(
            n.wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407),
        )
    };
    std::iter::successors(Some(seed), step)
        .skip(1)
        .map(|n| n >> 16)
}

/// Fails unless the kept rows and the rejects are these. A reject is given by its row, its id, the beginning of its text
/// and a part of its reason.
#[track_caller]
fn assert_sorted_out(output: &Path, kept: &[(u64, &str)], rejects: &[(u64, &str, &str, &str)]) {
    assert_complete(output);
    let rows = output::rows(output);
    let found: Vec<_> = rows
        .iter()
        .map(|row| (row.parent_row, row.smiles.as_str()))
        .collect();
    assert_eq!(found, kept);
    let found: Vec<Reject> = output::rejects(output);
    let numbers = |rows: &[(u64, &str, &str, &str)]| rows.iter().map(|row| row.0).collect();
    let expected: Vec<u64> = numbers(rejects);
    assert_eq!(found.iter().map(|r| r.row).collect::<Vec<_>>(), expected);
    for (found, (row, id, text, reason)) in found.iter().zip(rejects) {
        assert_eq!(found.id, *id, "row {row}");
        assert!(found.text.starts_with(text), "row {row}: {}", found.text);
        assert!(found.reason.contains(reason), "row {row}: {}", found.reason);
        assert!(!found.reason.contains('\n'), "row {row}: {}", found.reason);
    }
    assert_eq!(counted(output, "parents_rejected"), rejects.len() as u64);
}

#[test]
fn bad_rows_of_a_table_go_to_the_rejects() {
    let folder = Folder::new();
    let mut table = b"id,smiles\na,CCO\nb,\nc,C1CC\nd,CCC,extra\ne\n".to_vec();
    table.extend(format!("f,{}\n", "C".repeat(100_000)).bytes());
    table.extend(b"g,CC\xFF\nh,CCN\ni,C(C)(C)(C)(C)C\nj,\"CC\nk,CCCl\n");
    table.extend(format!("l,{}\n", "C".repeat(1_500)).bytes());
    table.extend(format!("m,{}\n,not a molecule\n", "N".repeat(1_200_000)).bytes());
    let run = clean(&folder, folder.write("a.csv", table)).ends_with(4);
    assert!(
        run.stdout.contains("rejected   11 rows ("),
        "{}",
        run.stdout
    );
    assert_eq!(run.stderr, "", "rejected rows are reported at the end");
    assert_sorted_out(
        &folder.out(),
        &[(0, "CCO"), (7, "CCN"), (10, "CCCl")],
        &[
            (1, "b", "", "empty"),
            (2, "c", "C1CC", "unclosed ring"),
            (
                3,
                "3",
                "d,CCC,extra",
                "line 5 has 3 fields, the header has 2",
            ),
            (4, "4", "e", "line 6 has 1 field,"),
            (5, "f", "CCCCCCCCCCCC", "100000 bytes long, at most 4096"),
            (6, "g", "CC\\xff", "not UTF-8"),
            (8, "i", "C(C)(C)(C)(C)C", "valence"),
            (9, "9", "j,\"CC", "line 11 opens a quote"),
            (11, "l", "CCCCCCCCCCCC", "1500 atoms, at most 1024"),
            (12, "12", "m,NNNNNNNNN", "line 14 is 1200002 bytes long"),
            (13, "13", "not a molecule", "syntax error"),
        ],
    );
    let long = &output::rejects(&folder.out())[4];
    assert_eq!(long.text.len(), 100_000, "the text is kept whole");
}

#[test]
fn bad_lines_of_a_smiles_file_go_to_the_rejects() {
    let folder = Folder::new();
    let mut lines = b"CCO a\n\nC1CC b\nCC\xFFC c\n".to_vec();
    lines.extend(format!("{} d\n", "C".repeat(100_000)).bytes());
    lines.extend(b"CCN \xE9\n");
    clean(&folder, folder.write("a.smi", lines)).ends_with(4);
    assert_sorted_out(
        &folder.out(),
        &[(0, "CCO"), (4, "CCN")],
        &[
            (1, "b", "C1CC", "unclosed ring"),
            (2, "c", "CC\\xffC", "not UTF-8"),
            (3, "d", "CCCC", "100000 bytes long"),
        ],
    );
}

#[test]
fn bad_cells_of_parquet_go_to_the_rejects() {
    let folder = Folder::new();
    let path = folder.path("a.parquet");
    let long = "C".repeat(100_000);
    let cells: Vec<Option<&[u8]>> = vec![
        Some(b"CCO"),
        None,
        Some(b""),
        Some(b"CC\xFF"),
        Some(long.as_bytes()),
        Some(b"C1CC"),
        Some(b"CCN"),
        Some(b"CC\nO"),
    ];
    let field = Field::new("smiles", DataType::Binary, true);
    let schema = Arc::new(Schema::new(vec![field]));
    let column = Arc::new(BinaryArray::from(cells));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).unwrap();
    let file = fs::File::create(&path).unwrap();
    let mut writer = parquet::arrow::ArrowWriter::try_new(file, schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    clean(&folder, path).ends_with(4);
    assert_sorted_out(
        &folder.out(),
        &[(0, "CCO"), (6, "CCN")],
        &[
            (1, "1", "", "null"),
            (2, "2", "", "empty"),
            (3, "3", "CC\\xff", "not UTF-8"),
            (4, "4", "CCCC", "100000 bytes long"),
            (5, "5", "C1CC", "unclosed ring"),
            (7, "7", "CC\nO", "line break"),
        ],
    );
}

#[test]
fn a_library_of_bad_rows_only_leaves_an_empty_table() {
    let folder = Folder::new();
    clean(&folder, folder.write("a.smi", "xx\nyy\n")).ends_with(4);
    assert_complete(&folder.out());
    assert_eq!(
        output::names(&folder.out()),
        ["job.toml", "manifest.json", "products", "rejects.parquet"]
    );
    assert!(output::rows(&folder.out()).is_empty());
}

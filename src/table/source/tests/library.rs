//! Inputs as a whole: what is found, what is refused, batches, samples, estimates.

use super::*;
use crate::limits::{LINE_BYTES_MAX, PARENT_BATCH_BYTES_MAX, SAMPLE_BYTES_MAX};

fn refusal(path: &Path) -> String {
    let shown = open_one(path).unwrap_err().to_string();
    assert!(!shown.contains('\n'), "{shown}");
    let name = path.display().to_string();
    let reason = shown
        .strip_prefix(&name)
        .unwrap_or_else(|| panic!("{shown} names no file"));
    reason.trim_start_matches(": ").to_owned()
}

#[test]
fn files_that_cannot_be_a_library_are_refused_by_name() {
    let shelf = Shelf::new();
    let cases: [(&str, Vec<u8>, &str); 18] = [
        ("a.smi", vec![], "is empty"),
        ("b.smi.gz", gzip(""), "is empty"),
        ("c.smi", b"# only this\n\n".to_vec(), "has no rows"),
        ("d.csv", b"smiles,id\n".to_vec(), "has no rows"),
        ("e.csv.gz", gzip("smiles,id\n\n"), "has no rows"),
        (
            "f.smi",
            b"CC\0\x01\x02".to_vec(),
            "is not text (first unreadable byte at offset 2)",
        ),
        (
            "g.smi",
            b"\xFF\xFEC\0C\0".to_vec(),
            "is UTF-16 text (it starts with ff fe), which isn't supported; save it as UTF-8",
        ),
        (
            "h.smi.zst",
            b"\x28\xB5\x2F\xFD\x04\x90".to_vec(),
            "its zstd stream needs more than 128 MiB of memory to decompress; compress it again without --long, --ultra or -9",
        ),
        (
            "i.smi.lz4",
            b"\x04\x22\x4D\x18....".to_vec(),
            "is lz4 (it starts with 04 22 4d 18), which isn't supported; decompress it, or compress it with gzip",
        ),
        (
            "j.csv",
            b"a,b\nCCO,1\n".to_vec(),
            "no column looks like SMILES; name it with --smiles-column; its columns are a, b",
        ),
        (
            "k.parquet",
            b"CCO 1\n".to_vec(),
            "is damaged: it doesn't start with PAR1, so it is no Parquet file",
        ),
        (
            "l.parquet",
            b"PAR1 and then the power went".to_vec(),
            "is damaged: it has no Parquet footer; its writer died before closing it, or the copy was truncated",
        ),
        (
            "m.parquet",
            b"PAR1".to_vec(),
            "is damaged: it has no Parquet footer; its writer died before closing it, or the copy was truncated",
        ),
        (
            "n.dat",
            b"CCO 1\n".to_vec(),
            "can't tell its format; rename it to one of .parquet .pq .smi .smiles .ism .can .cxsmiles .txt .csv .tsv .sdf .sd",
        ),
        (
            "o.smi.gz",
            gzip(gzip("CCO\n")),
            "is a compressed file inside a compressed file, which isn't supported; decompress it first",
        ),
        (
            "p.smi.gz",
            gzip("CCO 1\n")[..15].to_vec(),
            "is damaged: the gzip stream ends early, at or after line 1",
        ),
        (
            "q.smi",
            b"CCO 1\rCCN 2\r".to_vec(),
            "is text whose lines end with CR alone, which isn't supported; convert its line ends to LF",
        ),
        (
            "r.csv",
            b"smiles,\"id\nCCO,1\n".to_vec(),
            "line 1: the header opens a quote that isn't closed on its line",
        ),
    ];
    for (name, content, expected) in cases {
        assert_eq!(refusal(&shelf.put(name, content)), expected, "{name}");
    }
    assert_eq!(
        refusal(&shelf.path("gone.smi")),
        "no such file or directory"
    );
    assert_eq!(
        refusal(Path::new("-")),
        "only run and dedup read a library from standard input; save it to a file first"
    );
    let header = format!("smiles,{}\nC,1\n", "x".repeat(LINE_BYTES_MAX));
    assert_eq!(
        refusal(&shelf.put("s.csv", header)),
        "line 1: the header is 1048583 bytes long, at most 1048576 are read"
    );
}

#[test]
fn pipes_are_refused_without_waiting_for_a_writer() {
    let shelf = Shelf::new();
    let pipe = shelf.path("pipe.smi");
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(refusal(&pipe), "is not a regular file");
    assert_eq!(refusal(Path::new("/dev/null")), "is not a regular file");
}

#[test]
fn chosen_columns_must_be_there() {
    let shelf = Shelf::new();
    let path = shelf.put("a.csv", "Structure,Smiles,vendor\nC,CC,7\n");
    let rows = |smiles, id| {
        Library::open(std::slice::from_ref(&path), &choice(smiles, id))
            .map(|l| brief(&read_all(&l, 9).unwrap()))
    };
    assert_eq!(rows(None, None), Ok(vec!["CC".to_owned()]));
    assert_eq!(
        rows(Some("structure"), Some("VENDOR")),
        Ok(vec!["C [7]".to_owned()])
    );
    assert_eq!(
        rows(Some("smi"), None),
        Err(SourceError::MissingColumn {
            path: path.clone(),
            role: ColumnRole::Smiles,
            wanted: Some("smi".to_owned()),
            columns: ["Structure", "Smiles", "vendor"]
                .map(str::to_owned)
                .to_vec(),
        })
    );
}

#[test]
fn directories_and_patterns_stand_for_their_files_by_name() {
    let shelf = Shelf::new();
    shelf.put("b.smi", "B\n");
    shelf.put("a.csv.gz", gzip("smiles\nN\n"));
    shelf.put("c.SMI", "O\n");
    shelf.put(".hidden.smi", "X\n");
    shelf.put("notes.md", "X\n");
    std::fs::create_dir(shelf.path("deep.smi")).unwrap();
    let read = |input: PathBuf| {
        Library::open(&[input], &ColumnChoice::default()).map(|l| brief(&read_all(&l, 9).unwrap()))
    };
    let all = ["N", "B", "O"].map(str::to_owned).to_vec();
    assert_eq!(read(shelf.path("")), Ok(all));
    assert_eq!(read(shelf.path("*.smi")), Ok(vec!["B".to_owned()]));
    let some = ["N", "B"].map(str::to_owned).to_vec();
    assert_eq!(read(shelf.path("[ab].*")), Ok(some));
    assert!(matches!(
        read(shelf.path("*.sdf")),
        Err(SourceError::NoMatch { .. })
    ));
    assert!(matches!(
        read(shelf.path("[a")),
        Err(SourceError::BadPattern { .. })
    ));
    let empty = read(shelf.path("deep.smi")).unwrap_err().to_string();
    assert!(
        empty.ends_with("directory has no library files (read are .parquet .pq .smi .smiles .ism .can .cxsmiles .txt .csv .tsv .sdf .sd, each also with .gz, .bz2, .xz or .zst)"),
        "{empty}"
    );
    assert_eq!(
        Library::open(&[], &ColumnChoice::default()).unwrap_err(),
        SourceError::NoInputs
    );
    // a name that looks like a pattern is a name first
    let odd = shelf.put("x[1].smi", "S\n");
    assert_eq!(read(odd), Ok(vec!["S".to_owned()]));
}

#[test]
fn rows_are_numbered_over_all_inputs_and_batches_span_files() {
    let shelf = Shelf::new();
    let smi = shelf.put("a.smi", "C 1\nN 2\n");
    let csv = shelf.put("b.csv.gz", gzip("smiles\nCC\nCN,\n"));
    let inputs = [smi.clone(), csv, smi];
    let library = Library::open(&inputs, &ColumnChoice::default()).unwrap();
    let mut reader = library.reader().unwrap();
    let mut batch = ParentBatch::new();
    let mut sizes = Vec::new();
    while reader.next_batch(&mut batch, 4).unwrap() {
        sizes.push(batch.len());
    }
    assert_eq!(sizes, [4, 2]);
    assert!(!reader.next_batch(&mut batch, 4).unwrap() && batch.is_empty());
    let rows = brief(&read_all(&library, 1).unwrap());
    assert_eq!(
        rows,
        [
            "C [1]",
            "N [2]",
            "CC",
            "! line 3 has 2 fields, the header has 1",
            "C [1]",
            "N [2]"
        ]
    );
    let formats: Vec<_> = library
        .files()
        .iter()
        .map(|f| f.format.to_string())
        .collect();
    assert_eq!(formats, ["SMILES", "CSV", "SMILES"]);
}

/// Lines of uneven length, the same at every call.
fn uneven_lines(rows: usize) -> String {
    (0..rows)
        .map(|i| format!("{} mol{i}\n", "C".repeat(1 + (i * 7919) % 400)))
        .collect()
}

#[test]
fn batches_end_by_rows_or_bytes_and_nothing_else() {
    let shelf = Shelf::new();
    let text = uneven_lines(5000);
    let batches = |library: &Library, rows_max: usize| {
        let mut reader = library.reader().unwrap();
        let mut batch = ParentBatch::new();
        let mut ends = Vec::new();
        while reader.next_batch(&mut batch, rows_max).unwrap() {
            ends.push((batch.len(), batch.text_bytes()));
        }
        ends
    };
    let plain = open_one(&shelf.put("a.smi", &text)).unwrap();
    let packed = open_one(&shelf.put("a.smi.gz", gzip(&text))).unwrap();
    let mut two = gzip(&text[..100_001]);
    two.extend(gzip(&text[100_001..]));
    let members = open_one(&shelf.put("b.smi.gz", two)).unwrap();
    // the same rows parted over files
    let cut = text[..300_000].rfind('\n').unwrap() + 1;
    let parts = [
        shelf.put("c1.smi", &text[..cut]),
        shelf.put("c2.smi", &text[cut..]),
    ];
    let parts = Library::open(&parts, &ColumnChoice::default()).unwrap();
    for rows_max in [1000, 3000, usize::MAX] {
        let expected = batches(&plain, rows_max);
        let (last, full) = expected.split_last().unwrap();
        assert!(last.0 > 0 && expected.len() > 2);
        for &(rows, bytes) in full {
            assert!(rows == rows_max || bytes >= PARENT_BATCH_BYTES_MAX);
            assert!(
                bytes < PARENT_BATCH_BYTES_MAX + 500,
                "one row over the bound"
            );
        }
        for other in [&packed, &members, &parts] {
            assert_eq!(batches(other, rows_max), expected);
        }
    }
}

#[test]
fn skipping_rows_equals_reading_them() {
    let shelf = Shelf::new();
    let inputs = [
        shelf.put("a.smi", uneven_lines(300)),
        super::parquet::smiles_file(&shelf, "b.parquet", 1000, 130),
        shelf.put("c.csv", "smiles\nCCO\nCCN\n"),
    ];
    let library = Library::open(&inputs, &ColumnChoice::default()).unwrap();
    let all = read_all(&library, 100).unwrap();
    let mut batch = ParentBatch::new();
    for skipped in [0, 1, 299, 300, 301, 430, 500, 560, 1299, 1300, 1301] {
        let mut reader = library.reader().unwrap();
        assert_eq!(reader.skip_rows(skipped), Ok(skipped));
        assert!(reader.next_batch(&mut batch, 7).unwrap());
        let rows: Vec<OwnRow> = batch.iter().map(OwnRow::from).collect();
        let from = skipped as usize;
        assert_eq!(rows, all[from..all.len().min(from + 7)], "after {skipped}");
        // and on from within a batch
        let step = 50.min(1302 - reader.rows_read());
        assert_eq!(reader.skip_rows(50), Ok(step));
        let at = reader.rows_read() as usize;
        let more = reader.next_batch(&mut batch, 1).unwrap();
        assert_eq!(more, at < all.len());
        if more {
            assert_eq!(OwnRow::from(batch.get(0)), all[at]);
        }
    }
    assert_eq!(library.reader().unwrap().skip_rows(u64::MAX), Ok(1302));
}

#[test]
fn estimates_are_exact_for_small_files_and_near_for_large_ones() {
    let shelf = Shelf::new();
    let small = open_one(&shelf.put("a.csv.gz", gzip("smiles\nC\nN\n"))).unwrap();
    let exactly = |rows| Ok(RowsEstimate { rows, exact: true });
    assert_eq!(small.rows_estimate(), exactly(2));
    let rows = 30_000;
    let text = uneven_lines(rows);
    for (name, content) in [
        ("b.smi", text.clone().into_bytes()),
        ("b.smi.gz", gzip(&text)),
    ] {
        let library = open_one(&shelf.put(name, content)).unwrap();
        let estimate = library.rows_estimate().unwrap();
        assert!(!estimate.exact);
        let off = estimate.rows as f64 / rows as f64;
        assert!((0.9..1.1).contains(&off), "{name}: {estimate:?}");
    }
    let parquet = super::parquet::smiles_file(&shelf, "c.parquet", 1000, 100);
    assert_eq!(open_one(&parquet).unwrap().rows_estimate(), exactly(1000));
}

/// The numbers that `uneven_lines` and `smiles_file` put into ids.
fn numbers(batch: &ParentBatch) -> Vec<u64> {
    let number = |row: ParentRow<'_>| match row.id {
        RowId::Named(id) => id.trim_start_matches("mol").parse().unwrap(),
        RowId::RowNumber => panic!("row {} has an id", row.row),
    };
    batch.iter().map(number).collect()
}

#[test]
fn samples_are_spread_repeatable_and_without_repeats() {
    let shelf = Shelf::new();
    let rows = 20_000;
    let parquet = super::parquet::smiles_file(&shelf, "b.parquet", rows, 7_000);
    for path in [shelf.put("a.smi", uneven_lines(rows)), parquet] {
        let library = open_one(&path).unwrap();
        let sample = library.sample(320).unwrap();
        let sampled = numbers(&sample);
        assert_eq!(sampled.len(), 320);
        assert!(sampled.is_sorted_by(|a, b| a < b), "{}", path.display());
        let in_last_tenth = sampled
            .iter()
            .filter(|&&n| n > rows as u64 * 9 / 10)
            .count();
        assert!((20..=50).contains(&in_last_tenth), "{in_last_tenth} of 320");
        assert_eq!(numbers(&library.sample(320).unwrap()), sampled);
        assert!(library.sample(0).unwrap().is_empty());
    }
}

#[test]
fn a_sample_larger_than_the_library_is_the_library() {
    let shelf = Shelf::new();
    let inputs = [
        shelf.put("a.smi", uneven_lines(40)),
        shelf.put("b.smi.gz", gzip(uneven_lines(40))),
        super::parquet::smiles_file(&shelf, "c.parquet", 40, 7),
    ];
    for input in inputs {
        let library = open_one(&input).unwrap();
        let sample = numbers(&library.sample(1000).unwrap());
        assert_eq!(sample, (0..40).collect::<Vec<_>>(), "{}", input.display());
    }
}

#[test]
fn a_sample_is_bounded_in_bytes() {
    let shelf = Shelf::new();
    let line = "C".repeat(500_000) + "\n";
    let library = open_one(&shelf.put("a.smi", line.repeat(30))).unwrap();
    let sample = library.sample(30).unwrap();
    assert!(sample.text_bytes() >= SAMPLE_BYTES_MAX);
    assert!(sample.text_bytes() < SAMPLE_BYTES_MAX + 500_001);
}

#[test]
fn samples_of_records_start_at_records() {
    let shelf = Shelf::new();
    let record = "mol\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n> <a>\n1\n\n$$$$\n";
    let library = open_one(&shelf.put("a.sdf", record.repeat(500))).unwrap();
    let sample = library.sample(64).unwrap();
    assert_eq!(sample.len(), 64);
    assert!(
        sample
            .iter()
            .all(|row| row.fault.is_none() && row.text.starts_with(b"mol\n"))
    );
}

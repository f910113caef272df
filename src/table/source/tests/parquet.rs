//! Parquet: column types, nulls, memory.

use std::fs::File;
use std::sync::Arc;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::file::properties::{WriterProperties, WriterVersion};
use arrow::array::*;
use arrow::datatypes::{Field, Int32Type, Schema};

use super::*;
use crate::limits::LINE_BYTES_MAX;

/// Writes columns as one file; all may hold nulls.
fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, properties: WriterProperties) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// `rows` rows with ids `mol0`, `mol1` …, in row groups of `group_rows`.
pub(super) fn smiles_file(shelf: &Shelf, name: &str, rows: usize, group_rows: usize) -> PathBuf {
    let smiles = (0..rows).map(|i| Some("C".repeat(1 + (i * 7919) % 50)));
    let ids = (0..rows).map(|i| Some(format!("mol{i}")));
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_data_page_row_count_limit(37)
        .set_write_batch_size(16)
        .set_compression(Compression::SNAPPY)
        .build();
    let path = shelf.path(name);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("smiles", Arc::new(smiles.collect::<StringArray>())),
        ("id", Arc::new(ids.collect::<StringArray>())),
    ];
    write(&path, columns, properties);
    path
}

#[test]
fn text_columns_of_every_kind_read_the_same() {
    let shelf = Shelf::new();
    let values = vec![Some("CCO"), None, Some(" c1ccccc1 "), Some(""), Some("CCO")];
    let bytes: Vec<_> = values.iter().map(|v| v.map(str::as_bytes)).collect();
    let kinds: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(values.clone())),
        Arc::new(LargeStringArray::from(values.clone())),
        Arc::new(StringViewArray::from(values.clone())),
        Arc::new(BinaryArray::from(bytes.clone())),
        Arc::new(LargeBinaryArray::from(bytes.clone())),
        Arc::new(BinaryViewArray::from(bytes)),
        Arc::new(
            values
                .iter()
                .copied()
                .collect::<DictionaryArray<Int32Type>>(),
        ),
    ];
    let expected = [
        "CCO [1]",
        "! SMILES is null",
        "c1ccccc1 [-3]",
        "! SMILES is empty",
        "CCO",
    ];
    for (i, smiles) in kinds.into_iter().enumerate() {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let path = shelf.path(&format!("{i}.parquet"));
            let ids = Int64Array::from(vec![Some(1), Some(2), Some(-3), Some(4), None]);
            let other = Float64Array::from(vec![0.5; 5]);
            let kind = smiles.data_type().clone();
            let columns: Vec<(&str, ArrayRef)> = vec![
                ("mw", Arc::new(other)),
                ("ID", Arc::new(ids)),
                ("Canonical_SMILES", Arc::clone(&smiles)),
            ];
            let properties = WriterProperties::builder()
                .set_writer_version(version)
                .build();
            write(&path, columns, properties);
            let rows = rows_of(&path, &ColumnChoice::default());
            assert_eq!(brief(&rows), expected, "{kind}, {version:?}");
        }
    }
}

#[test]
fn integer_ids_of_every_kind_are_written_as_numbers() {
    let shelf = Shelf::new();
    let kinds: Vec<(ArrayRef, &str)> = vec![
        (Arc::new(Int8Array::from(vec![-8])), "-8"),
        (Arc::new(UInt8Array::from(vec![200])), "200"),
        (Arc::new(Int32Array::from(vec![i32::MIN])), "-2147483648"),
        (Arc::new(UInt32Array::from(vec![u32::MAX])), "4294967295"),
        (
            Arc::new(Int64Array::from(vec![i64::MIN])),
            "-9223372036854775808",
        ),
        (
            Arc::new(UInt64Array::from(vec![u64::MAX])),
            "18446744073709551615",
        ),
        (Arc::new(StringArray::from(vec!["x"])), "x"),
    ];
    for (ids, expected) in kinds {
        let path = shelf.path("a.parquet");
        let smiles = Arc::new(StringArray::from(vec!["C"]));
        write(
            &path,
            vec![("smiles", smiles), ("id", ids)],
            WriterProperties::default(),
        );
        let rows = rows_of(&path, &ColumnChoice::default());
        assert_eq!(rows[0].id.as_deref(), Some(expected));
    }
}

#[test]
fn columns_of_the_wrong_type_are_refused_if_chosen_and_passed_over_if_not() {
    let shelf = Shelf::new();
    let path = shelf.path("a.parquet");
    let nested = StructArray::from(vec![(
        Arc::new(Field::new("smiles", arrow::datatypes::DataType::Utf8, true)),
        Arc::new(StringArray::from(vec!["X"])) as ArrayRef,
    )]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("structure", Arc::new(nested)),
        ("smiles", Arc::new(Float64Array::from(vec![1.0]))),
        ("smi", Arc::new(StringArray::from(vec!["CCO"]))),
        ("id", Arc::new(Float64Array::from(vec![7.0]))),
        ("cid", Arc::new(Int32Array::from(vec![7]))),
        ("day", Arc::new(Date32Array::from(vec![7]))),
    ];
    write(&path, columns, WriterProperties::default());
    let rows = rows_of(&path, &ColumnChoice::default());
    assert_eq!(brief(&rows), ["CCO [7]"]);
    let library = open_one(&path).unwrap();
    let file = &library.files()[0];
    assert_eq!(file.smiles_column.as_deref(), Some("smi"));
    assert_eq!(file.id_column.as_deref(), Some("id"));

    let refusal = |smiles, id| {
        let error = Library::open(std::slice::from_ref(&path), &choice(smiles, id)).unwrap_err();
        error.to_string().split_once(": ").unwrap().1.to_owned()
    };
    assert_eq!(
        refusal(Some("SMILES"), None),
        "column `smiles` is DOUBLE, but the SMILES column must be text"
    );
    assert_eq!(
        refusal(Some("structure"), None),
        "column `structure` is nested (name one of structure.smiles), but the SMILES column must be text"
    );
    assert_eq!(
        refusal(None, Some("day")),
        "column `day` is INT32 (Date), but the id column must be text, a number or a UUID"
    );
    assert_eq!(
        refusal(Some("mol"), None),
        "has no column `mol`; its columns are structure.smiles, smiles, smi, id, cid, day"
    );
}

#[test]
fn bad_cells_are_faulted_rows() {
    let shelf = Shelf::new();
    let path = shelf.path("a.parquet");
    let long = vec![b'C'; LINE_BYTES_MAX + 1];
    let cells: Vec<&[u8]> = vec![b"CC\xE9", &long, b"C\0C", b"CCO"];
    write(
        &path,
        vec![("smiles", Arc::new(BinaryArray::from(cells)))],
        WriterProperties::default(),
    );
    assert_eq!(
        brief(&rows_of(&path, &ColumnChoice::default())),
        [
            "! SMILES is not UTF-8 (byte 0xE9 at position 3)",
            "! SMILES is 1048577 bytes long, at most 1048576 are read",
            "! SMILES holds a NUL byte at position 2",
            "CCO",
        ]
    );
}

#[test]
fn every_compression_reads_the_same() {
    let shelf = Shelf::new();
    let smiles: Vec<String> = (0..3000)
        .map(|i| format!("{}O", "C".repeat(i % 97)))
        .collect();
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(Default::default()),
        Compression::BROTLI(Default::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        for dictionary in [true, false] {
            let path = shelf.path("a.parquet");
            let properties = WriterProperties::builder()
                .set_compression(compression)
                .set_dictionary_enabled(dictionary)
                .set_data_page_row_count_limit(700)
                .build();
            let column = Arc::new(StringArray::from_iter_values(&smiles));
            write(&path, vec![("smiles", column)], properties);
            assert_eq!(brief(&rows_of(&path, &ColumnChoice::default())), smiles);
        }
    }
}

#[test]
fn an_empty_part_beside_others_is_fine_and_alone_is_not() {
    let shelf = Shelf::new();
    let empty = smiles_file(&shelf, "a.parquet", 0, 10);
    let full = smiles_file(&shelf, "b.parquet", 3, 10);
    let library = Library::open(&[empty.clone(), full], &ColumnChoice::default()).unwrap();
    assert_eq!(read_all(&library, 10).unwrap().len(), 3);
    assert_eq!(
        open_one(&empty).unwrap_err(),
        SourceError::NoRows { path: empty }
    );
}

/// Resident memory of this process, in bytes.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// One row group of `rows` rows of about 60 bytes, in small pages.
fn one_large_row_group(path: &Path, rows: usize) -> u64 {
    let schema = Arc::new(Schema::new(vec![
        Field::new("smiles", arrow::datatypes::DataType::Utf8, true),
        Field::new("id", arrow::datatypes::DataType::Int64, false),
    ]));
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(usize::MAX))
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(64 * 1024)
        .build();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
    let mut text_bytes = 0;
    for start in (0..rows).step_by(10_000) {
        let ids = start..(start + 10_000).min(rows);
        let smiles = StringArray::from_iter_values(ids.clone().map(|i| format!("{i:0>60}")));
        text_bytes += smiles.value_data().len() as u64;
        let ids = Int64Array::from_iter_values(ids.map(|i| i as i64));
        let columns: Vec<ArrayRef> = vec![Arc::new(smiles), Arc::new(ids)];
        writer
            .write(&RecordBatch::try_new(Arc::clone(&schema), columns).unwrap())
            .unwrap();
    }
    assert_eq!(writer.close().unwrap().num_row_groups(), 1);
    text_bytes
}

/// Runs in a separate process, so that the memory of other tests is not counted.
#[test]
fn a_row_group_of_any_size_is_read_in_little_memory() {
    const CHILD: &str = "MOLSIEVE_TEST_LARGE_ROW_GROUP";
    const GROWTH_MAX: u64 = 8 << 20;
    const ROWS: usize = 2_000_000;
    if let Ok(path) = std::env::var(CHILD) {
        let library = open_one(Path::new(&path)).unwrap();
        let mut reader = library.reader().unwrap();
        let mut batch = ParentBatch::new();
        let before = resident_bytes();
        let mut peak = before;
        while reader.next_batch(&mut batch, 4096).unwrap() {
            peak = peak.max(resident_bytes());
        }
        assert_eq!(reader.rows_read(), ROWS as u64);
        let growth = peak - before;
        println!("resident memory grew by {} KiB", growth >> 10);
        assert!(growth < GROWTH_MAX, "grew by {growth} bytes");
        return;
    }
    let shelf = Shelf::new();
    let path = shelf.path("large.parquet");
    let text_bytes = one_large_row_group(&path, ROWS);
    assert!(text_bytes > 100 << 20, "{text_bytes}");
    let test = std::thread::current().name().unwrap().to_owned();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args([test.as_str(), "--exact", "--nocapture"])
        .env(CHILD, &path)
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{output}");
    assert!(
        output.contains("resident memory grew"),
        "the child ran: {output}"
    );
    println!("{output}");
}

/// 500 rows of one SMILES in pages of 100, without compression, dictionary and statistics.
pub(super) fn plain_file(path: &Path) {
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_data_page_row_count_limit(100)
        .set_write_batch_size(50)
        .set_write_page_header_statistics(false)
        .set_statistics_enabled(::parquet::file::properties::EnabledStatistics::None)
        .build();
    let smiles = StringArray::from_iter_values((0..500).map(|_| "CCCCCCCC"));
    write(path, vec![("smiles", Arc::new(smiles))], properties);
}

/// `rows` rows with integer ids, in the encodings that `smiles_file` doesn't use.
pub(super) fn integer_file(
    shelf: &Shelf,
    name: &str,
    rows: i32,
    version: WriterVersion,
) -> PathBuf {
    let properties = WriterProperties::builder()
        .set_writer_version(version)
        .set_dictionary_enabled(version == WriterVersion::PARQUET_1_0)
        .set_data_page_row_count_limit(20)
        .set_write_batch_size(10)
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let smiles = (0..rows).map(|i| (i % 7 > 0).then(|| "C".repeat((i % 5) as usize + 1)));
    let path = shelf.path(name);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("smiles", Arc::new(smiles.collect::<StringArray>())),
        (
            "id",
            Arc::new((0..rows).map(|i| Some(i % 9)).collect::<Int32Array>()),
        ),
    ];
    write(&path, columns, properties);
    path
}

//! Parquet files as written by databases and data frames: one page per row group, ids of many types, columns inside
//! structs, footers of many megabytes.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::kit::{
    Folder, Molsieve,
    output::{self, counted, manifest, rejects},
};
use arrow::{
    array::{
        ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, Int32Array, RecordBatch,
        StringArray, StructArray,
    },
    datatypes::{DataType, Field, UInt64Type},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, Encoding},
    data_type::{ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type},
    file::{
        metadata::KeyValue,
        properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion},
        reader::{FileReader, SerializedFileReader},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};

const MIB: u64 = 1 << 20;

fn write(path: &Path, columns: Vec<(&str, ArrayRef)>, properties: WriterPropertiesBuilder) {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, column)| (name, column, true)),
    )
    .unwrap();
    let file = File::create(path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// One page per column and row group, whatever its size.
fn one_page() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_data_page_size_limit(usize::MAX)
        .set_data_page_row_count_limit(usize::MAX)
        .set_write_batch_size(usize::MAX)
        .set_dictionary_page_size_limit(usize::MAX)
        .set_max_row_group_row_count(None)
}

fn dedup(memory: &str, input: &Path, output: PathBuf) -> crate::kit::Run {
    Molsieve::new("dedup --threads 1 --memory")
        .arg(memory)
        .input(input)
        .output(output)
        .run()
}

/// Row, id and SMILES of the kept rows.
fn kept(output: &Path) -> Vec<(u64, String, String)> {
    let batches = output::parts(output)
        .into_iter()
        .flat_map(|part| output::read_parquet(&part).1);
    let rows_of = |batch: RecordBatch| -> Vec<_> {
        let column = |name: &str| batch.column_by_name(name).unwrap().clone();
        let (numbers, ids, smiles) = (column("parent_row"), column("parent_id"), column("smiles"));
        (0..batch.num_rows())
            .map(|i| {
                let text = |column: &ArrayRef| column.as_string::<i32>().value(i).to_owned();
                let number = numbers.as_primitive::<UInt64Type>().value(i);
                (number, text(&ids), text(&smiles))
            })
            .collect()
    };
    batches.flat_map(rows_of).collect()
}

/// A different molecule for each number: its digits to base 3 as nitrogen, oxygen and sulfur.
fn molecule(number: usize) -> String {
    let digits = (0..12).map(|place| ["CN", "CO", "CS"][number / 3_usize.pow(place) % 3]);
    format!(
        "{}CCCCCCCCCCOCCCCCCCCCNCCCCCCCCCc1ccccc1",
        digits.collect::<String>()
    )
}

#[test]
fn one_page_per_row_group_is_read_within_the_memory_budget() {
    const ROWS: usize = 45_000;
    let folder = Folder::new();
    let smiles: Vec<_> = (0..ROWS)
        .map(|i| (i % 1000 != 7).then(|| molecule(i)))
        .collect();
    let ids: Vec<_> = (0..ROWS)
        .map(|i| (i % 900 != 5).then(|| format!("compound-{:08}", i * 7)))
        .collect();
    let columns = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("smiles", Arc::new(StringArray::from(smiles.clone()))),
            ("id", Arc::new(StringArray::from(ids.clone()))),
        ]
    };
    let read = |properties: WriterPropertiesBuilder, name: &str| {
        let path = folder.path(&format!("{name}.parquet"));
        let out = folder.path(name);
        write(&path, columns(), properties);
        if name != "small" {
            assert_has_large_pages(&path);
        }
        let run = dedup("96MiB", &path, out.clone()).ends_with(4);
        let peak = run.peak_memory_bytes;
        assert!(peak <= 96 * MIB, "{name}: {peak} bytes");
        assert_eq!(counted(&out, "parents_read"), ROWS as u64, "{name}");
        let faults: Vec<_> = rejects(&out).into_iter().map(|r| (r.row, r.id)).collect();
        (kept(&out), faults)
    };
    let small = WriterProperties::builder().set_data_page_row_count_limit(500);
    let (expected, expected_faults) = read(small, "small");
    assert_eq!(expected.len(), ROWS - ROWS / 1000);
    for (row, id, _) in &expected {
        let row = *row as usize;
        assert_eq!(id, ids[row].as_ref().unwrap_or(&row.to_string()));
    }
    let codecs = [
        ("none", Compression::UNCOMPRESSED),
        ("snappy", Compression::SNAPPY),
        ("gzip", Compression::GZIP(Default::default())),
        ("brotli", Compression::BROTLI(Default::default())),
        ("zstd", Compression::ZSTD(Default::default())),
        ("lz4", Compression::LZ4_RAW),
    ];
    let encodings = [
        Encoding::PLAIN,
        Encoding::DELTA_LENGTH_BYTE_ARRAY,
        Encoding::DELTA_BYTE_ARRAY,
    ];
    for (codec, compression) in codecs {
        for encoding in encodings {
            for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
                let name = format!("{codec}-{encoding}-{}", version.as_num());
                let properties = one_page()
                    .set_compression(compression)
                    .set_dictionary_enabled(false)
                    .set_encoding(encoding)
                    .set_writer_version(version);
                let (found, faults) = read(properties, &name);
                assert!(found == expected, "{name}");
                assert_eq!(faults, expected_faults, "{name}");
            }
        }
    }
}

/// Fails unless the SMILES have one page per row group, larger than the limit for a page in memory under a 96 MiB
/// budget (a 64th).
#[track_caller]
fn assert_has_large_pages(path: &Path) {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let group = reader.get_row_group(0).unwrap();
    let bytes = group.metadata().column(0).uncompressed_size();
    assert!(bytes > 96 << 20 >> 6, "{}: {bytes} bytes", path.display());
    let pages = group.get_column_page_reader(0).unwrap();
    let data = pages.filter(|page| page.as_ref().unwrap().is_data_page());
    assert_eq!(data.count(), 1, "{}", path.display());
}

/// A large page of indices into a dictionary.
#[test]
fn a_large_page_with_a_dictionary_is_read_within_the_memory_budget() {
    const ROWS: usize = 1_200_000;
    const DISTINCT: usize = 2_000;
    let folder = Folder::new();
    let path = folder.path("in.parquet");
    let molecules: Vec<_> = (0..DISTINCT).map(molecule).collect();
    let smiles = StringArray::from_iter_values((0..ROWS).map(|i| &molecules[i * 7 % DISTINCT]));
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = one_page()
            .set_compression(Compression::SNAPPY)
            .set_writer_version(version);
        write(
            &path,
            vec![("smiles", Arc::new(smiles.clone()))],
            properties,
        );
        assert_has_large_pages(&path);
        let run = dedup("96MiB", &path, folder.out()).ends_with(0);
        assert!(run.peak_memory_bytes <= 96 * MIB, "{run:?}");
        assert_eq!(counted(&folder.out(), "parents_read"), ROWS as u64);
        let found: Vec<_> = kept(&folder.out())
            .into_iter()
            .map(|(row, _, _)| row)
            .collect();
        assert_eq!(found, (0..DISTINCT as u64).collect::<Vec<_>>());
        std::fs::remove_dir_all(folder.out()).unwrap();
    }
}

/// The ids that `dedup` writes for the rows of a file, and its output.
fn ids_of(folder: &Folder, path: &Path) -> (Vec<String>, String) {
    let out = folder.path("ids");
    let run = dedup("96MiB", path, out.clone()).ends_with(0);
    let ids = kept(&out).into_iter().map(|(_, id, _)| id).collect();
    std::fs::remove_dir_all(out).unwrap();
    (ids, run.stderr)
}

fn smiles_column() -> (&'static str, ArrayRef) {
    let smiles = StringArray::from(vec!["CCO", "CCN", "CCC", "CCS"]);
    ("smiles", Arc::new(smiles))
}

#[test]
fn ids_of_every_numeric_type_are_written_as_numbers() {
    let folder = Folder::new();
    let decimal = |numbers: [i128; 4], precision, scale| -> ArrayRef {
        let numbers = Decimal128Array::from(numbers.to_vec());
        Arc::new(numbers.with_precision_and_scale(precision, scale).unwrap())
    };
    let cases: [(ArrayRef, [&str; 4]); 7] = [
        (
            Arc::new(Float64Array::from(vec![
                Some(2244.0),
                None,
                Some(f64::NAN),
                Some(-0.5),
            ])),
            ["2244", "1", "2", "-0.5"],
        ),
        (
            Arc::new(Float64Array::from(vec![
                1e15,
                9_007_199_254_740_992.0,
                0.1,
                3.0,
            ])),
            ["1000000000000000", "9007199254740992", "0.1", "3"],
        ),
        (
            Arc::new(Float32Array::from(vec![
                Some(702.0),
                Some(0.1),
                None,
                Some(16_777_216.0),
            ])),
            ["702", "0.1", "2", "16777216"],
        ),
        // What a DECIMAL is stored as depends on its precision.
        (
            decimal([10_100, -5, 0, 99], 9, 2),
            ["101", "-0.05", "0", "0.99"],
        ),
        (
            decimal([10_100, -5, 0, 99], 18, 0),
            ["10100", "-5", "0", "99"],
        ),
        (
            decimal([i128::from(i64::MAX) * 1000, -1, 0, 12], 38, 0),
            ["9223372036854775807000", "-1", "0", "12"],
        ),
        (
            Arc::new(Int32Array::from(vec![1, -2, 3, 4])),
            ["1", "-2", "3", "4"],
        ),
    ];
    for (column, expected) in cases {
        let path = folder.path("in.parquet");
        let kind = column.data_type().to_string();
        write(
            &path,
            vec![smiles_column(), ("cid", column)],
            WriterProperties::builder(),
        );
        assert_eq!(ids_of(&folder, &path).0, expected, "{kind}");
    }
}

#[test]
fn ids_of_fixed_length_are_uuids_text_or_hexadecimal_digits() {
    let folder = Folder::new();
    let uuid = *b"\x12\x3e\x45\x67\xe8\x9b\x12\xd3\xa4\x56\x42\x66\x14\x17\x40\x00";
    for (column, bytes, expected) in [
        (
            "fixed_len_byte_array(16) id (UUID)",
            &uuid[..],
            "123e4567-e89b-12d3-a456-426614174000",
        ),
        ("fixed_len_byte_array(8) id", b"ZINC0042", "ZINC0042"),
        ("fixed_len_byte_array(8) id", b"ZINC7\0\0\0", "ZINC7"),
        ("fixed_len_byte_array(3) id", b"\x01\x02\xff", "0102ff"),
    ] {
        let path = folder.path("in.parquet");
        let schema =
            format!("message schema {{ required binary smiles (UTF8); required {column}; }}");
        let schema = Arc::new(parse_message_type(&schema).unwrap());
        let file = File::create(&path).unwrap();
        let mut writer = SerializedFileWriter::new(file, schema, Default::default()).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut smiles = group.next_column().unwrap().unwrap();
        smiles
            .typed::<ByteArrayType>()
            .write_batch(&[ByteArray::from("CCO")], None, None)
            .unwrap();
        smiles.close().unwrap();
        let mut ids = group.next_column().unwrap().unwrap();
        ids.typed::<FixedLenByteArrayType>()
            .write_batch(&[FixedLenByteArray::from(bytes.to_vec())], None, None)
            .unwrap();
        ids.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        assert_eq!(ids_of(&folder, &path).0, [expected], "{column}");
    }
}

#[test]
fn an_unusable_column_with_the_name_of_an_id_is_reported() {
    let folder = Folder::new();
    let path = folder.path("in.parquet");
    let dates = arrow::array::Date32Array::from(vec![1, 2, 3, 4]);
    write(
        &path,
        vec![smiles_column(), ("id", Arc::new(dates))],
        WriterProperties::builder(),
    );
    let (ids, said) = ids_of(&folder, &path);
    assert_eq!(ids, ["0", "1", "2", "3"]);
    assert!(
        said.contains(
            "column `id` is INT32 (Date), which can't be an id; row numbers are used instead"
        ),
        "{said}"
    );
}

/// A struct `mol` of a SMILES and an id, the struct null in the third row.
fn nested(path: &Path) {
    let (_, smiles) = smiles_column();
    let ids: ArrayRef = Arc::new(StringArray::from(vec![
        Some("a"),
        None,
        Some("c"),
        Some("d"),
    ]));
    let fields = vec![
        Arc::new(Field::new("smiles", DataType::Utf8, true)),
        Arc::new(Field::new("name", DataType::Utf8, true)),
    ];
    let there = vec![true, true, false, true].into();
    let mol = StructArray::new(fields.into(), vec![smiles, ids], Some(there));
    write(
        path,
        vec![("mol", Arc::new(mol))],
        WriterProperties::builder(),
    );
}

#[test]
fn columns_inside_structs_are_named_by_their_path() {
    let folder = Folder::new();
    let path = folder.path("in.parquet");
    nested(&path);
    dedup("96MiB", &path, folder.out())
        .refuses(3, &["in.parquet", "its columns are mol.smiles, mol.name"]);
    let run = |smiles: &str, id: &str, out: PathBuf| {
        Molsieve::new("dedup --threads 1")
            .args("--smiles-column")
            .arg(smiles)
            .args("--id-column")
            .arg(id)
            .input(&path)
            .output(out)
            .run()
    };
    run("mol", "mol.name", folder.out()).refuses(
        3,
        &["column `mol` is nested (name one of mol.smiles, mol.name)"],
    );
    run("mol.smiles", "mol.name", folder.out()).ends_with(4);
    let row = |number, id: &str, smiles: &str| (number, id.to_owned(), smiles.to_owned());
    assert_eq!(
        kept(&folder.out()),
        [row(0, "a", "CCO"), row(1, "1", "CCN"), row(3, "d", "CCS")]
    );
    let rejects = rejects(&folder.out());
    assert_eq!(rejects.len(), 1);
    assert_eq!(
        (rejects[0].row, rejects[0].reason.as_str()),
        (2, "SMILES is null")
    );
    let inputs = manifest(&folder.out())["inputs"].to_string();
    assert!(
        inputs.contains("mol.smiles") && inputs.contains("mol.name"),
        "{inputs}"
    );
}

/// The footer is read as a stream, so it may be larger than the memory for pages.
#[test]
fn a_footer_of_any_size_is_read_within_the_memory_budget() {
    let folder = Folder::new();
    let long = folder.path("long.parquet");
    let note = KeyValue::new("note".to_owned(), "x".repeat(32 << 20));
    write(
        &long,
        vec![smiles_column()],
        WriterProperties::builder().set_key_value_metadata(Some(vec![note])),
    );
    let wide = folder.path("wide.parquet");
    wide_table(&wide, 40_000);
    for (path, least_bytes) in [(&long, 32 << 20), (&wide, 4 << 20)] {
        assert!(std::fs::metadata(path).unwrap().len() > least_bytes);
        let run = dedup("96MiB", path, folder.out()).ends_with(0);
        let peak = run.peak_memory_bytes;
        assert!(peak <= 96 * MIB, "{}: {peak} bytes", path.display());
        assert_eq!(kept(&folder.out()).len(), 4);
        std::fs::remove_dir_all(folder.out()).unwrap();
    }
    // So many columns that their names alone are too much.
    wide_table(&wide, 400_000);
    let run = dedup("96MiB", &wide, folder.out());
    assert!(run.peak_memory_bytes <= 96 * MIB, "{run:?}");
    run.refuses(
        3,
        &["wide.parquet", "its Parquet footer lists 400002 columns"],
    );
}

/// Four molecules beside `columns` columns of numbers that hold only nulls.
fn wide_table(path: &Path, columns: usize) {
    let numbers: String = (0..columns)
        .map(|i| format!("required int64 descriptor_{i};"))
        .collect();
    let schema = format!("message schema {{ required binary smiles (UTF8); {numbers} }}");
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let file = File::create(path).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None);
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties.build())).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let smiles = ["CCO", "CCN", "CCC", "CCS"].map(ByteArray::from);
    let mut column = group.next_column().unwrap().unwrap();
    column
        .typed::<ByteArrayType>()
        .write_batch(&smiles, None, None)
        .unwrap();
    column.close().unwrap();
    while let Some(mut column) = group.next_column().unwrap() {
        column
            .typed::<Int64Type>()
            .write_batch(&[1, 2, 3, 4], None, None)
            .unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
}

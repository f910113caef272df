//! Damaged files: an error or the rows, never a panic, a hang or a flood of memory.

use ::parquet::file::properties::WriterVersion;
use proptest::prelude::*;

use super::*;
use crate::limits::PARQUET_PAGE_BYTES_MAX;

/// Opens and reads all there is; panics only if a panic escapes or an error is badly put.
fn survive(path: &Path) -> Result<u64, SourceError> {
    silence_guarded_panics();
    let read = || -> Result<u64, SourceError> {
        let library = open_one(path)?;
        library.rows_estimate()?;
        library.sample(50)?;
        let mut reader = library.reader()?;
        let mut batch = ParentBatch::new();
        while reader.next_batch(&mut batch, 64)? {}
        Ok(reader.rows_read())
    };
    let result = read();
    if let Err(error) = &result {
        let shown = error.to_string();
        assert!(
            !shown.contains('\n') && shown.starts_with(path.to_str().unwrap()),
            "{shown}"
        );
    }
    result
}

#[test]
fn a_parquet_file_cut_anywhere_is_an_error() {
    let shelf = Shelf::new();
    let whole = std::fs::read(super::parquet::smiles_file(&shelf, "a.parquet", 300, 100)).unwrap();
    assert_eq!(survive(&shelf.path("a.parquet")), Ok(300));
    for length in (4..whole.len()).step_by(whole.len() / 200) {
        let path = shelf.put("cut.parquet", &whole[..length]);
        assert!(
            matches!(survive(&path), Err(SourceError::Corrupt { .. })),
            "{length}"
        );
    }
}

#[test]
fn a_parquet_file_with_any_byte_changed_is_survived() {
    let shelf = Shelf::new();
    let files = [
        super::parquet::smiles_file(&shelf, "a.parquet", 120, 60),
        super::parquet::integer_file(&shelf, "b.parquet", 90, WriterVersion::PARQUET_1_0),
        super::parquet::integer_file(&shelf, "c.parquet", 90, WriterVersion::PARQUET_2_0),
    ];
    let path = shelf.path("flipped.parquet");
    for file in files {
        let whole = std::fs::read(&file).unwrap();
        assert!(survive(&file).is_ok());
        let mut damaged = 0;
        let flips = [0x01, 0x80, 0xFF, 0x10].into_iter().cycle();
        for (i, flip) in (0..whole.len()).step_by(3).zip(flips) {
            let mut bytes = whole.clone();
            bytes[i] ^= flip;
            std::fs::write(&path, bytes).unwrap();
            damaged += usize::from(survive(&path).is_err());
        }
        assert!(
            damaged > whole.len() / 60,
            "{damaged} of {} flips are noticed",
            whole.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn parquet_files_with_many_changes_are_survived(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let shelf = Shelf::new();
        let path = super::parquet::smiles_file(&shelf, "a.parquet", 60, 25);
        let mut bytes = std::fs::read(&path).unwrap();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        std::fs::write(&path, bytes).unwrap();
        let _ = survive(&path);
    }

    #[test]
    fn any_bytes_under_any_name_are_survived(
        bytes in prop::collection::vec(
            prop::sample::select(b"C,\"\n\r\t $M<>#\xE9;x ".to_vec()), 0..400),
        name in prop::sample::select(vec!["a.smi", "a.csv", "a.tsv", "a.sdf", "a.txt"]),
        header in prop::sample::select(vec!["", "smiles,id\n", "smiles\tid\n", "a\n\n\nM  END\n"]),
    ) {
        let shelf = Shelf::new();
        let mut content = header.as_bytes().to_vec();
        content.extend(bytes);
        let plain = survive(&shelf.put(name, &content));
        let packed = survive(&shelf.put(&format!("{name}.gz"), gzip(&content)));
        prop_assert_eq!(plain.ok(), packed.ok());
    }
}

/// `CCO`, `CCN`, `CCCC` with a page checksum, which the Rust writer can't make; by pyarrow 26:
/// `write_table(…, write_page_checksum=True, use_dictionary=False, compression="NONE",
/// write_statistics=False, store_schema=False)`.
const CHECKSUMMED: &str = "\
    5041523115001538153815b0b5919d031c15061500150615061c0000000200000006010300000043434f0300\
    000043434e04000000434343431502192c35001806736368656d61150200150c25021806736d696c65732500\
    4c1c0000001606191c191c26001c150c19250600191806736d696c657315001606166a166a2608491c150015\
    001502003c1614190619260006000000166a16062608166a002820706172717565742d6370702d6172726f77\
    2076657273696f6e2032362e302e31191c1c0000008c00000050415231";

#[test]
fn a_page_with_a_changed_byte_fails_its_checksum() {
    let shelf = Shelf::new();
    let mut bytes: Vec<u8> = (0..CHECKSUMMED.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&CHECKSUMMED[i..i + 2], 16).unwrap())
        .collect();
    assert_eq!(survive(&shelf.put("crc.parquet", &bytes)), Ok(3));
    let at = bytes.windows(3).position(|w| w == b"CCN").unwrap();
    bytes[at] = b'N';
    let error = survive(&shelf.put("crc.parquet", bytes)).unwrap_err();
    assert!(error.to_string().contains("checksum mismatch"), "{error}");
}

#[test]
fn a_page_that_announces_a_huge_size_is_refused_unread() {
    let shelf = Shelf::new();
    let path = shelf.path("huge.parquet");
    super::parquet::plain_file(&path);
    let mut bytes = std::fs::read(&path).unwrap();
    // The first page's header: type, then the size before compression as a varint. Wide enough
    // for any size: moving what follows would break the offsets, so the varints after are eaten.
    let (field, size) = (bytes[6], PARQUET_PAGE_BYTES_MAX as u64 + 1);
    assert_eq!(
        field, 0x15,
        "the header is a Thrift i32 after the page type"
    );
    let mut at = 7;
    let mut zigzag = size << 1;
    while zigzag > 0 {
        let more = if zigzag > 0x7F { 0x80 } else { 0 };
        bytes[at] = (zigzag & 0x7F) as u8 | more;
        zigzag >>= 7;
        at += 1;
    }
    bytes[at] = 0x15;
    bytes[at + 1] = 0x02;
    std::fs::write(&path, bytes).unwrap();
    let error = survive(&path).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
}

#[test]
fn gzip_damage_shows_when_it_is_reached() {
    let shelf = Shelf::new();
    // hard to pack, so that the head says nothing about the end
    let mut state = 1u64;
    let text: String = (0..200_000)
        .map(|i| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            format!("C{state} {i}\n")
        })
        .collect();
    let whole = gzip(&text);
    assert!(whole.len() > 1 << 20);
    let path = shelf.put("cut.smi.gz", &whole[..whole.len() - 100_000]);
    let library = open_one(&path).unwrap();
    let mut reader = library.reader().unwrap();
    let mut batch = ParentBatch::new();
    let error = loop {
        match reader.next_batch(&mut batch, 1000) {
            Ok(more) => assert!(more, "the cut was not noticed"),
            Err(error) => break error,
        }
    };
    assert!(reader.rows_read() > 100_000);
    let shown = error.to_string();
    assert!(
        shown.contains("is damaged: the gzip stream ends early, at or after line 1"),
        "{shown}"
    );
    assert_eq!(
        reader.next_batch(&mut batch, 1000),
        Err(error),
        "it stays failed"
    );

    for at in [whole.len() / 2, whole.len() - 6] {
        let mut changed = whole.clone();
        changed[at] ^= 0x55;
        let error = survive(&shelf.put("changed.smi.gz", changed));
        assert!(
            matches!(error, Err(SourceError::Corrupt { .. })),
            "byte {at}: {error:?}"
        );
    }
}

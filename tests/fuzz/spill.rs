//! Spills: the input as a whole file, as blocks with valid heads and checksums, as packed rows and as rejects.

use std::{
    cell::RefCell,
    io::{BufReader, Cursor},
    path::Path,
};

use molsieve::{
    key::Key,
    limits::SPILL_BLOCK_BYTES_MAX,
    property::PropertySet,
    settle::rows::unpack,
    slot::Slot,
    store::spill::{Kind, SpillReader},
    table::sink::{Reject, read_rejects},
};

use super::assert_one_line;

const KINDS: [Kind; 5] = [
    Kind::Keys,
    Kind::NumberedKeys,
    Kind::Ordinals,
    Kind::Rows,
    Kind::Rejects,
];

/// A block: its payload, and the items that its head says are in it.
type Block<'a> = (&'a [u8], u32);

/// Reads an input as each kind of spill and as each kind of content.
pub fn spill(input: &[u8]) {
    for kind in KINDS {
        let read = read(input, kind);
        assert!(
            read.iter()
                .all(|(payload, _)| payload.len() <= SPILL_BLOCK_BYTES_MAX)
        );
        framed(&blocks(input), kind);
    }
    rejects(&blocks(input));
    if let [items, payload @ ..] = input {
        rejects(&[(payload, u32::from(*items))]);
    }
    if let [rows, switches, payload @ ..] = input {
        let properties = switches & 1;
        rows_of_block(payload, u32::from(*rows), properties, None);
        let longer = usize::from(switches >> 1);
        let packed = packed(payload, payload.len() + longer);
        rows_of_block(&packed, u32::from(*rows), properties, Some(payload));
    }
}

/// Reads a file up to its end or its first fault, and checks that skipping meets the same blocks.
fn read(file: &[u8], kind: Kind) -> Vec<(Vec<u8>, u32)> {
    let bytes = file.len() as u64;
    let path = Path::new("spill");
    // A checkpoint may say that the file is longer than it is.
    for bytes in [bytes, u64::MAX] {
        if let Ok(mut reader) = SpillReader::over(file, path, kind, bytes) {
            while reader.next_block().is_ok_and(|block| block.is_some()) {}
        }
    }
    let open = || SpillReader::over(BufReader::new(Cursor::new(file)), path, kind, bytes);
    let (mut reader, mut skipper) = match (open(), open()) {
        (Ok(reader), Ok(skipper)) => (reader, skipper),
        (reader, _) => {
            let error = reader.expect_err("both are opened or none");
            assert_one_line(&error.to_string());
            return Vec::new();
        }
    };
    let mut blocks = Vec::new();
    loop {
        // The skipping reader reads the announced block next, too. Nobody reads after a fault.
        let announced = reader.peek_items();
        assert_eq!(skipper.peek_items(), announced);
        let next = announced.and_then(|items| Ok((items, reader.next_block()?)));
        match next {
            Ok((Some(announced), Some((payload, items)))) => {
                assert_eq!(announced, items);
                blocks.push((payload.to_vec(), items));
                skipper.skip().expect("what can be read can be skipped");
            }
            Ok(ends) => {
                assert_eq!(ends, (None, None));
                return blocks;
            }
            Err(error) => {
                assert_one_line(&error.to_string());
                return blocks;
            }
        }
    }
}

/// The input as blocks: items and length of each in a byte, then its payload.
fn blocks(mut input: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    while let [items, bytes, rest @ ..] = input {
        let (payload, behind) = rest.split_at(usize::from(*bytes).min(rest.len()));
        blocks.push((payload, u32::from(*items)));
        input = behind;
    }
    blocks
}

/// A file of these blocks, by the layout that the module's doc gives.
fn file_of(blocks: &[Block<'_>], kind: Kind) -> Vec<u8> {
    let mut file = b"MOLSPILL".to_vec();
    file.extend([1, kind as u32].map(u32::to_le_bytes).concat());
    for (payload, items) in blocks {
        let checksum = Key::of(payload).words()[0] ^ u64::from(*items);
        file.extend((payload.len() as u32).to_le_bytes());
        file.extend(items.to_le_bytes());
        file.extend(checksum.to_le_bytes());
        file.extend(*payload);
    }
    file
}

/// Fails unless a whole file returns its blocks, and none when read as another kind.
fn framed(blocks: &[Block<'_>], kind: Kind) {
    let file = file_of(blocks, kind);
    let read_back = read(&file, kind);
    assert_eq!(read_back.len(), blocks.len());
    for ((payload, items), block) in read_back.iter().zip(blocks) {
        assert_eq!((payload.as_slice(), *items), *block);
    }
    let other = KINDS[kind as usize % KINDS.len()];
    assert!(other != kind && read(&file, other).is_empty());
}

/// Fails unless rejects that can be read are exactly the bytes of the file.
fn rejects(blocks: &[Block<'_>]) {
    let file = file_of(blocks, Kind::Rejects);
    let (path, bytes) = (Path::new("rejects"), file.len() as u64);
    let mut log = SpillReader::over(file.as_slice(), path, Kind::Rejects, bytes)
        .expect("the file has the right beginning");
    let mut again = Vec::new();
    let outcome = read_rejects(&mut log, |reject: Reject| {
        let texts = [&reject.id, &reject.text, &reject.reason];
        again.extend(reject.row.to_le_bytes());
        again.push(reject.code as u8);
        again.extend(texts.map(|text| (text.len() as u32).to_le_bytes()).concat());
        again.extend(texts.map(|text| text.as_bytes()).concat());
        Ok(())
    });
    match outcome {
        Ok(()) => {
            let payloads: Vec<&[u8]> = blocks.iter().map(|(payload, _)| *payload).collect();
            assert_eq!(again, payloads.concat());
        }
        Err(error) => assert_one_line(&error.to_string()),
    }
}

/// The payload of a block of rows in which `unpacked` is said to have `length` bytes.
fn packed(unpacked: &[u8], length: usize) -> Vec<u8> {
    let zstd = zstd::bulk::compress(unpacked, 1).expect("memory can be packed");
    [&(length as u32).to_le_bytes(), zstd.as_slice()].concat()
}

/// Unpacks rows; if they can be, the slot holds what is in the block, which is `unpacked` if it is
/// known.
fn rows_of_block(payload: &[u8], rows: u32, properties: u8, unpacked: Option<&[u8]>) {
    thread_local! {
        static SLOTS: RefCell<[Slot; 2]> =
            RefCell::new([PropertySet::NONE, PropertySet::ALL].map(Slot::smallest));
    }
    SLOTS.with_borrow_mut(|slots| {
        let slot = &mut slots[usize::from(properties)];
        match unpack(payload, rows, slot) {
            Ok(()) => {
                assert_eq!(slot.rows(), rows as usize);
                let again = unpacked_again(slot);
                assert!(unpacked.is_none_or(|unpacked| unpacked == again));
            }
            Err(reason) => assert_one_line(reason),
        }
    });
}

/// What is in a slot, by the layout that the doc of `settle::rows` gives.
fn unpacked_again(slot: &Slot) -> Vec<u8> {
    let mut bytes = (slot.parents() as u32).to_le_bytes().to_vec();
    for parent in (0..slot.parents()).map(|index| slot.parent(index)) {
        bytes.extend(parent.row.to_le_bytes());
        bytes.extend((parent.id.len() as u32).to_le_bytes());
        bytes.extend((parent.smiles.len() as u32).to_le_bytes());
        bytes.extend([parent.id, parent.smiles].concat());
    }
    let columns = slot.columns();
    for row in 0..slot.rows() {
        let smiles = slot.smiles(row);
        assert!((columns.parent[row] as usize) < slot.parents());
        bytes.extend(columns.parent[row].to_le_bytes());
        bytes.extend(columns.rule[row].to_le_bytes());
        bytes.extend(columns.site[row].to_le_bytes());
        bytes.extend((smiles.len() as u32).to_le_bytes());
        bytes.extend(smiles);
        let properties = slot.layout().properties;
        let of_row = |values: usize| values * row..values * (row + 1);
        let reals = &columns.real_properties[of_row(properties.reals().len())];
        bytes.extend(reals.iter().flat_map(|real| real.to_le_bytes()));
        let counts = &columns.count_properties[of_row(properties.counts().len())];
        bytes.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
    }
    bytes
}

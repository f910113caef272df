//! Sealed files: the input as a whole file, and as the JSON of a file with a valid head and checksum.

use std::collections::BTreeMap;

use molsieve::{
    pipeline::{CHECKPOINT, Checkpoint, Identity, JOB},
    reject::Rejection,
    store::sealed::{Kind, decode, encode, encode_json},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::assert_one_line;

/// A copy of a private kind of the pipeline.
const POISONED: Kind = Kind {
    name: "poisoned",
    version: 3,
};

/// A copy of what it holds.
#[derive(Serialize, Deserialize)]
struct Poisoned {
    step: usize,
    rows: BTreeMap<u64, Rejection>,
}

/// Reads an input as each kind of sealed file.
pub fn sealed(input: &[u8]) {
    as_file_and_as_json::<Checkpoint>(CHECKPOINT, input);
    as_file_and_as_json::<Identity>(JOB, input);
    as_file_and_as_json::<Poisoned>(POISONED, input);
}

fn as_file_and_as_json<T: Serialize + DeserializeOwned>(kind: Kind, input: &[u8]) {
    read::<T>(kind, input);
    read::<T>(kind, &encode_json(kind, input));
}

/// Fails unless a value that can be read is the same after writing and reading it. Compares the written form.
fn read<T: Serialize + DeserializeOwned>(kind: Kind, file: &[u8]) {
    match decode::<T>(kind, file) {
        Ok(value) => {
            let written = encode(kind, &value);
            let again: T = decode(kind, &written).expect("what is written can be read");
            assert_eq!(encode(kind, &again), written);
        }
        Err(reason) => assert_one_line(&reason),
    }
}

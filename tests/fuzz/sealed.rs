//! Sealed files: the input as a file, and as the JSON behind a head and a checksum that fit.

use std::collections::BTreeMap;

use molsieve::{
    pipeline::{CHECKPOINT, Checkpoint, Identity, JOB},
    reject::Rejection,
    store::sealed::{Kind, decode, encode, encode_json},
};
use serde::{Serialize, de::DeserializeOwned};

use super::assert_one_line;

/// As the pipeline has it, which keeps it to itself.
const POISONED: Kind = Kind {
    name: "poisoned",
    version: 2,
};

/// Reads an input as each kind of sealed file.
pub fn sealed(input: &[u8]) {
    as_file_and_as_json::<Checkpoint>(CHECKPOINT, input);
    as_file_and_as_json::<Identity>(JOB, input);
    as_file_and_as_json::<BTreeMap<u64, Rejection>>(POISONED, input);
}

fn as_file_and_as_json<T: Serialize + DeserializeOwned>(kind: Kind, input: &[u8]) {
    read::<T>(kind, input);
    read::<T>(kind, &encode_json(kind, input));
}

/// What can be read comes back the same when it is written and read again. Values are compared as
/// they are written.
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

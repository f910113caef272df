use std::{fs, os::unix::fs::MetadataExt};

use super::*;

#[test]
fn the_reserve_is_allocated_released_in_steps_and_made_again() {
    let (dir, mut store) = fresh();
    let file = dir.path().join("reserve");
    let (whole, is_whole) = store.reserve();
    assert!(is_whole && whole > 0 && whole <= RESERVE_BYTES);
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!(metadata.len(), whole);
    assert!(metadata.blocks() * 512 >= whole, "its blocks are allocated");
    for quarters in (0..4).rev() {
        assert!(store.reserve.release());
        assert_eq!(store.reserve(), (whole / 4 * quarters, false));
        assert_eq!(fs::metadata(&file).unwrap().len(), whole / 4 * quarters);
    }
    assert!(!store.reserve.release());
    drop(store);
    // A later daemon makes it again.
    let mut store = Store::open(dir.path()).unwrap();
    assert_eq!(store.reserve(), (whole, true));
    store.reserve.release();
    store.refill();
    assert_eq!(store.reserve(), (whole, true));
    assert_eq!(store.has_space(true), Ok(true));
}

#[test]
fn a_transaction_takes_the_reserve_only_if_the_disk_is_full() {
    let (dir, mut store) = fresh();
    let job = insert(&mut store, submission(1));
    let (whole, _) = store.reserve();
    assert_eq!(store.write_from_reserve(|tx| tx.remove(job.id)), Ok(true));
    let no_job = store.write_from_reserve(|tx| tx.update(&job, 1));
    assert_eq!(no_job, Err(JobStoreError::NoJob(job.id)));
    assert_eq!(store.reserve(), (whole, true));
    // A disk that stays full takes all of it.
    let pages = ask(&store, "PRAGMA page_count");
    ask(&store, &format!("PRAGMA max_page_count = {pages}"));
    let large = || Submission {
        settings: wide(100_000),
        ..submission(1)
    };
    let full = store.write_from_reserve(|tx| tx.insert(large(), 1));
    let path = dir.path().join("jobs.sqlite3");
    assert_eq!(full, Err(JobStoreError::DiskFull(path)));
    assert_eq!(store.reserve(), (0, false));
}

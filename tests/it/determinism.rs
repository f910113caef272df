//! The files of a job depend on input, rules and settings only: not on the number of threads, on the size of the ring
//! (unless it changes the slots) or on chance.

use std::path::PathBuf;

use crate::kit::{
    Folder, Molsieve,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    output::{self, assert_complete},
};

/// Rules and a library in which several parents give the same product, so that the rows show which one was kept.
struct Material {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Material {
    fn new(molecules: usize, rules: Option<PathBuf>) -> Self {
        let folder = Folder::new();
        // Every molecule twice, and unusable rows between, so that ties and rejects are many.
        let lines = smiles_lines(molecules);
        let input = folder.write("a.smi", format!("{lines}C1CC broken\n{lines}"));
        let rules = rules.unwrap_or_else(|| rule_file(&folder, &THREE_RULES));
        Self {
            folder,
            input,
            rules,
        }
    }

    /// The bytes of every file except the manifest and the job file, which contain times and threads.
    fn files(&self, flags: &str) -> Vec<(String, Vec<u8>)> {
        let out = self.folder.out();
        Molsieve::new("run --overwrite --memory 256MiB")
            .args(flags)
            .input(&self.input)
            .rules(&self.rules)
            .output(&out)
            .run()
            .ends_with(4);
        assert_complete(&out);
        let mut files = output::part_bytes(&out);
        let rejects = std::fs::read(out.join("rejects.parquet")).unwrap();
        files.push(("rejects.parquet".into(), rejects));
        files
    }
}

#[track_caller]
fn assert_same_files(one: &[(String, Vec<u8>)], other: &[(String, Vec<u8>)]) {
    let names = |files: &[(String, Vec<u8>)]| -> Vec<String> {
        files.iter().map(|file| file.0.clone()).collect()
    };
    assert_eq!(names(one), names(other));
    for (a, b) in one.iter().zip(other) {
        assert!(a.1 == b.1, "{} differs", a.0);
    }
}

#[test]
fn any_number_of_threads_writes_the_same_bytes() {
    let material = Material::new(150, Some(shipped_rules()));
    let expected = material.files("--threads 1 --part-size 64KiB");
    assert!(expected.len() > 3, "several parts: {}", expected.len());
    for threads in [2, 7] {
        let flags = format!("--threads {threads} --part-size 64KiB");
        assert_same_files(&material.files(&flags), &expected);
    }
    // Check that the comparison can fail: parts of another size differ.
    assert!(material.files("--threads 2 --part-size 128KiB") != expected);
}

#[test]
fn any_number_of_threads_writes_the_same_bytes_with_the_fewest_and_smallest_slots() {
    let material = Material::new(400, None);
    let flags = "--part-size 64KiB --slots 2 --slot-size 512KiB";
    let expected = material.files(&format!("--threads 1 {flags}"));
    assert!(expected.len() > 2, "several parts: {}", expected.len());
    for threads in [2, 7] {
        let files = material.files(&format!("--threads {threads} {flags}"));
        assert_same_files(&files, &expected);
    }
}

#[test]
fn the_number_of_slots_changes_nothing_and_a_run_is_repeatable() {
    let material = Material::new(200, None);
    let expected = material.files("--threads 3 --part-size 64KiB --slots 2");
    for slots in [2, 5, 16] {
        let flags = format!("--threads 3 --part-size 64KiB --slots {slots}");
        assert_same_files(&material.files(&flags), &expected);
    }
}

#[test]
fn slot_and_part_sizes_change_no_row() {
    let material = Material::new(200, None);
    let rows = |flags: &str| {
        material.files(flags);
        output::rows(&material.folder.out())
    };
    let expected = rows("");
    assert!(rows("--slot-size 512KiB --part-size 64KiB") == expected);
    assert!(rows("--slot-size 4MiB --slots 3 --part-size 100KiB") == expected);
}

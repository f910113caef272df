//! A stopped run continues with less memory and other threads, and ends with the files of a run that was never stopped. The
//! daemon's jobs do the same after `molsieve set`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::kit::{
    Folder, Molsieve, Running,
    library::{shipped_rules, smiles_lines},
    output::{self, Made, Row, assert_complete, manifest, rows},
    wait_until,
};
use molsieve::{
    sieve::{ADAPTER_VARIABLE, FilterShape, wgpu},
    store::sealed::{self, Kind},
    units::ByteSize,
};
use rustix::process::Signal;
use serde_json::Value;

/// The sealed file that identifies a run.
const JOB: Kind = Kind {
    name: "job",
    version: 2,
};

/// The memory with which runs begin, and half of it. Slots, row groups and batches would be smaller with half.
const MEMORY: &str = "512MiB";
const HALF: &str = "256MiB";

/// A library in which several parents give most products, and rules that make some thousands of them.
struct Work {
    folder: Folder,
    input: PathBuf,
    flags: String,
}

impl Work {
    fn new(flags: &str) -> Self {
        let folder = Folder::new();
        let lines = smiles_lines(150);
        let input = folder.write("a.smi", format!("{lines}C1CC broken\n{lines}"));
        let flags = format!("{flags} --part-size 64KiB");
        Self {
            folder,
            input,
            flags,
        }
    }

    /// The job with so much memory and so many threads.
    fn job(&self, memory: &str, threads: usize, out: &Path) -> Molsieve {
        Molsieve::new(&format!("run --memory {memory} --threads {threads}"))
            .args(&self.flags)
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.05")
            .input(&self.input)
            .rules(shipped_rules())
            .output(out)
    }

    /// The files of a run that is never stopped.
    fn whole(&self) -> Made {
        let whole = self.folder.path("whole");
        self.job(MEMORY, 3, &whole).run().ends_with(4);
        Made::at(&whole)
    }

    fn resume(&self, memory: &str, threads: usize) -> Molsieve {
        let flags = format!("run --resume --memory {memory} --threads {threads}");
        Molsieve::new(&flags)
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.05")
            .output(self.folder.out())
    }
}

/// Kills a run once it has so many parts; or stops it with a signal. False if it has ended before.
fn end_at(mut running: Running, out: &Path, parts: usize, kills: bool) -> bool {
    wait_until("a part", || {
        output::parts(out).len() >= parts || !running.is_running()
    });
    if kills {
        return running.kill();
    }
    running.signal(Signal::TERM);
    running.wait(Duration::from_secs(20)).code == Some(75)
}

/// Begins a run with all the memory, stops it at several points, resumes it with other memory and other threads each time.
#[track_caller]
fn ends_the_same(flags: &str) {
    let work = Work::new(flags);
    let expected = work.whole();
    assert!(expected.parts() > 4, "{} parts", expected.parts());
    let out = work.folder.out();
    for (first, kills) in [(1, true), (2, false), (expected.parts() - 1, true)] {
        fs::remove_dir_all(&out).ok();
        let begun = work.job(MEMORY, 3, &out).start();
        assert!(end_at(begun, &out, first, kills), "{first}: it had ended");
        // Once more in between, by which it may have ended.
        let again = work.resume(HALF, 1).start();
        end_at(again, &out, first + 1, !kills);
        work.resume(HALF, 2).run().code.unwrap();
        Made::at(&out).assert_is(&expected);
        assert_eq!(manifest(&out)["memory_budget_bytes"], 256 << 20);
    }
}

#[test]
fn half_the_memory_and_other_threads_change_no_byte_slow() {
    ends_the_same("--engine cpu");
}

#[test]
fn half_the_memory_changes_no_byte_where_much_is_settled_slow() {
    ends_the_same("--engine cpu --false-positive-rate 0.5 --expected-products 2000");
}

#[test]
fn half_the_memory_changes_no_byte_with_dedup_bloom_slow() {
    ends_the_same("--engine cpu --dedup bloom --false-positive-rate 0.05 --expected-products 2000");
}

#[test]
fn half_the_memory_changes_no_byte_on_a_gpu_slow() {
    if wgpu::adapters().is_empty() {
        return crate::kit::skip_engine("wgpu", "there is no adapter");
    }
    let work = Work::new("--false-positive-rate 0.1 --expected-products 2000");
    let whole = work.folder.path("whole");
    let on_cpu = work.job("1GiB", 3, &whole).args("--engine cpu").run();
    on_cpu.ends_with(4);
    let out = work.folder.out();
    let begun = work
        .job("1GiB", 2, &out)
        .args("--engine wgpu")
        .env(ADAPTER_VARIABLE, "0")
        .start();
    assert!(end_at(begun, &out, 2, true), "it had ended");
    let resumed = work
        .resume(MEMORY, 1)
        .args("--engine wgpu")
        .env(ADAPTER_VARIABLE, "0")
        .run();
    resumed.ends_with(4);
    Made::at(&out).assert_is(&Made::at(&whole));
}

fn sorted(out: &Path) -> Vec<Row> {
    let mut rows = rows(out);
    rows.sort();
    rows
}

/// The size that a message names behind `--memory`.
fn named_memory(text: &str) -> ByteSize {
    let (_, rest) = text.split_once("--memory ").unwrap();
    let (_, rest) = rest.split_once("--memory ").unwrap();
    let size: Vec<&str> = rest.split(' ').take(2).collect();
    size.join(" ").parse().unwrap()
}

#[test]
fn too_little_memory_is_refused_with_the_least_that_does() {
    let work = Work::new("--engine cpu --dedup bloom --expected-products 400000000");
    let expected = {
        let whole = work.folder.path("whole");
        work.job("2GiB", 2, &whole).run().ends_with(4);
        Made::at(&whole)
    };
    let out = work.folder.out();
    let begun = work.job("2GiB", 2, &out).start();
    assert!(end_at(begun, &out, 1, true), "it had ended");
    let refused = work.resume("128MiB", 2).run().ends_with(2);
    let says = "with the sizes that it was begun with, --memory";
    assert!(refused.stderr.contains(says), "{}", refused.stderr);
    let least = named_memory(&refused.stderr);
    let mib = least.0 >> 20;
    assert_eq!(mib << 20, least.0, "{least}");
    let resume = |mib: u64| work.resume(&format!("{mib}MiB"), 2).run();
    resume(mib - 1).ends_with(2);
    let resumed = resume(mib).ends_with(4);
    assert!(resumed.peak_memory_bytes <= least.0, "{resumed:?}");
    Made::at(&out).assert_is(&expected);
}

#[test]
fn a_filter_that_does_not_fit_becomes_smaller_and_changes_no_row_slow() {
    let work = Work::new("--engine cpu --false-positive-rate 0.5 --expected-products 700000000");
    let (whole, out) = (work.folder.path("whole"), work.folder.out());
    work.job("768MiB", 2, &whole).run().ends_with(4);
    let expected = sorted(&whole);
    let begun = work.job("768MiB", 2, &out).start();
    assert!(end_at(begun, &out, 2, true), "it had ended");
    end_at(work.resume("160MiB", 1).start(), &out, 3, true);
    // The smaller filter stays, whatever the memory.
    work.resume("768MiB", 2).run().ends_with(4);
    assert_complete(&out);
    let bits = |out: &Path| manifest(out)["filter"]["bits"].as_u64().unwrap();
    let (now, then) = (bits(&out), bits(&whole));
    assert!(now < then / 2, "{now} {then}");
    assert!(sorted(&out) == expected, "other rows");
}

/// The first row of a molecule that a filter took for seen waits to be settled. A later filter, which knows better, must let
/// no other row of that molecule through: the first wins. Here the filter is full at first, and nearly perfect then.
#[test]
fn a_row_that_waits_stays_the_first_of_its_molecule_whatever_the_filter() {
    const PRODUCTS: u64 = 2_000_000_000;
    let work = Work::new("--engine cpu --false-positive-rate 0.5 --expected-products 1");
    let (whole, out) = (work.folder.path("whole"), work.folder.out());
    work.job(MEMORY, 2, &whole).run().ends_with(4);
    let begun = work.job(MEMORY, 2, &out).start();
    // Half of the input repeats the other half.
    let half = output::parts(&whole).len() / 2;
    assert!(end_at(begun, &out, half.max(1), true), "it had ended");
    let path = out.join(".molsieve/job");
    let mut begun: Value = sealed::decode(JOB, &fs::read(&path).unwrap()).unwrap();
    let large = FilterShape::for_items(PRODUCTS, 0.5, 1_024, usize::MAX >> 8);
    begun["sizes"]["bits of the filter"] = large.bits.into();
    begun["sizes"]["hashes of the filter"] = large.hashes.into();
    fs::write(&path, sealed::encode(JOB, &begun)).unwrap();
    let other = format!("--expected-products {PRODUCTS}");
    work.resume(HALF, 2).args(&other).run().ends_with(4);
    assert_complete(&out);
    let settled = &manifest(&out)["filter"]["products_settled"];
    assert!(settled.as_u64() > Some(100), "{settled}");
    assert!(sorted(&out) == sorted(&whole), "other rows");
}

#[test]
fn what_sizes_the_filter_stays_and_a_slot_keeps_its_size() {
    let work = Work::new("--engine cpu");
    let out = work.folder.out();
    let begun = work.job(MEMORY, 2, &out).start();
    assert!(end_at(begun, &out, 1, false), "it had ended");
    let changed = "not the run that was begun";
    let resume = |flags: &str| work.resume(HALF, 2).args(flags).run();
    resume("--slot-size 512KiB").refuses(2, &[changed, "--slot-size was 2 MiB and is 512 KiB"]);
    let filter = [changed, "the filter is another", "--expected-products"];
    resume("--expected-products 17").refuses(2, &filter);
    resume("--false-positive-rate 0.25").refuses(2, &filter);
    resume("").ends_with(4);
}

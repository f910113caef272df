//! A job and its process: what a time limit counts, how a job recovers from a crash, and how it handles stop requests.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use crate::kit::{
    Folder, Molsieve, Running, alone,
    library::{SmallJob, rule_file, shipped_library, shipped_rules},
    output::{self, assert_complete, manifest},
    skipped, wait_until,
};
use rustix::process::Signal;

/// A parent with thousands of slow products makes products for longer than the time limit.
#[test]
fn a_parent_that_makes_progress_is_never_stopped() {
    let folder = Folder::new();
    let chain = "C".repeat(400);
    let input = folder.write("chain.smi", format!("{chain} m0\nCCO m1\n"));
    let rules = rule_file(&folder, &[("r0", "([CH2:1].[CH2:2])>>[C:1]O.[C:2]F")]);
    let run = Molsieve::new("run --parent-timeout 1 --threads 1")
        .input(input)
        .rules(rules)
        .output(folder.out())
        .run()
        .ends_with(4);
    assert!(
        run.stdout.contains("capped     1 molecule"),
        "{}",
        run.stdout
    );
    let manifest = manifest(&folder.out());
    assert_eq!(manifest["counts"]["parents_rejected"], 0);
    assert_eq!(manifest["interruptions"], 0);
    let rows = output::rows(&folder.out());
    assert!(rows.iter().any(|row| row.parent_smiles == chain));
}

/// Stopping all processes of a job must not reject the current parent.
#[test]
fn a_stall_rejects_nothing_slow() {
    stalls(|job, stall| {
        job.signal_all(Signal::STOP);
        stall();
        job.signal_all(Signal::CONT);
    });
}

/// The same with the cgroup freezer, which a process can't observe.
#[test]
fn a_freeze_rejects_nothing_slow() {
    let Some(group) = FreezerGroup::new() else {
        return skipped("no control group can be made here");
    };
    stalls(|job, stall| {
        for process in job.processes() {
            group.add(process);
        }
        group.freeze(true);
        stall();
        group.freeze(false);
    });
}

/// Stalls a job for twice the parent timeout.
fn stalls(stall: impl FnOnce(&Running, &dyn Fn())) {
    let _alone = alone();
    let folder = Folder::new();
    let job = Molsieve::new("run --memory 256MiB --threads 2 --parent-timeout 5")
        .input(shipped_library())
        .rules(shipped_rules())
        .output(folder.out())
        .start();
    wait_until("the work", || job.works());
    stall(&job, &|| thread::sleep(Duration::from_secs(10)));
    assert!(job.works(), "it was stalled at work");
    job.wait(Duration::from_secs(120)).ends_with(0);
    assert_complete(&folder.out());
    assert_eq!(manifest(&folder.out())["counts"]["parents_rejected"], 0);
    assert_eq!(manifest(&folder.out())["interruptions"], 0);
}

/// A control group (v1 or v2) that can be frozen.
struct FreezerGroup {
    folder: PathBuf,
    /// The file that freezes the group, and the words for thawed and frozen.
    state: PathBuf,
    words: [&'static str; 2],
}

impl FreezerGroup {
    fn new() -> Option<Self> {
        let name = format!("molsieve-test-{}", std::process::id());
        let kinds = [
            (
                "/sys/fs/cgroup/freezer",
                "freezer.state",
                ["THAWED", "FROZEN"],
            ),
            ("/sys/fs/cgroup/unified", "cgroup.freeze", ["0", "1"]),
            ("/sys/fs/cgroup", "cgroup.freeze", ["0", "1"]),
        ];
        kinds.into_iter().find_map(|(root, state, words)| {
            let folder = Path::new(root).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self {
                state: folder.join(state),
                folder,
                words,
            };
            group.state.exists().then_some(group)
        })
    }

    fn add(&self, process: u32) {
        fs::write(self.folder.join("cgroup.procs"), process.to_string()).unwrap();
    }

    fn freeze(&self, freeze: bool) {
        fs::write(&self.state, self.words[usize::from(freeze)]).unwrap();
    }
}

impl Drop for FreezerGroup {
    fn drop(&mut self) {
        let _ = fs::write(&self.state, self.words[0]);
        // Processes leave it as they end.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The job process is killed, as by the kernel's OOM killer: the job resumes by itself.
#[test]
fn a_job_resumes_by_itself_when_its_process_is_killed() {
    let small = SmallJob::new();
    let (whole, out) = (small.folder.path("whole"), small.folder.out());
    small.run(&whole).run().ends_with(4);
    let job = small.run(&out).start();
    wait_until("the plan", || out.join(".molsieve/in-work").exists());
    let killed = job.signal_worker(Signal::KILL);
    let run = job.wait(Duration::from_secs(60)).ends_with(4);
    assert_complete(&out);
    assert!(output::part_bytes(&out) == output::part_bytes(&whole));
    if killed && manifest(&out)["interruptions"] != 0 {
        assert!(run.stderr.contains("SIGKILL"), "{}", run.stderr);
    }
}

/// Killing the supervisor also ends the job process, and the job can be resumed.
#[test]
fn the_job_process_dies_with_its_supervisor() {
    let small = SmallJob::new();
    let out = small.folder.out();
    let mut job = small.run(&out).start();
    wait_until("the plan", || out.join(".molsieve/in-work").exists());
    let worker = job.worker().expect("the job has a process");
    job.kill();
    let gone = || !fs::exists(format!("/proc/{worker}/exe")).unwrap_or_default();
    wait_until("the end of the job's process", gone);
    small.run(&out).run().ends_with(4);
    assert_complete(&out);
}

/// Each resumption counts, even if the run stops before its next checkpoint.
#[test]
fn each_resumption_is_counted() {
    let _alone = alone();
    let folder = Folder::new();
    let table = fs::read_to_string(shipped_library()).unwrap();
    let (_, rows) = table.split_once('\n').unwrap();
    let input = folder.write("long.csv", format!("{table}{}", rows.repeat(10)));
    let job = || {
        Molsieve::new("run --resume --memory 256MiB --threads 2")
            .input(&input)
            .rules(shipped_rules())
            .output(folder.out())
    };
    for _ in 0..3 {
        let running = job().start();
        wait_until("the work", || running.works());
        running.signal(Signal::TERM);
        running.wait(Duration::from_secs(10)).ends_with(75);
    }
    let checkpoint = fs::read_to_string(folder.out().join(".molsieve/checkpoint")).unwrap();
    assert!(checkpoint.contains("\"interruptions\":2"), "{checkpoint}");
}

/// The second request ends the job at once.
#[test]
fn a_second_stop_request_ends_the_job_at_once() {
    let _alone = alone();
    let folder = Folder::new();
    let job = Molsieve::new("run --memory 256MiB --threads 2")
        .input(shipped_library())
        .rules(shipped_rules())
        .output(folder.out())
        .start();
    wait_until("the work", || job.works());
    job.signal_all(Signal::STOP);
    job.signal(Signal::CONT);
    job.signal(Signal::INT);
    thread::sleep(Duration::from_millis(400));
    job.signal(Signal::INT);
    let run = job.wait(Duration::from_secs(5)).ends_with(75);
    assert!(
        run.one_line().contains("--resume --output"),
        "{}",
        run.stderr
    );
}

/// The supervisor takes little of the job's memory.
#[test]
fn the_supervisor_is_small() {
    let small = SmallJob::new();
    let out = small.folder.out();
    let job = small.run(&out).start();
    wait_until("the plan", || out.join(".molsieve/in-work").exists());
    let bytes = job.supervisor_peak_bytes();
    job.wait(Duration::from_secs(60)).ends_with(4);
    assert!(bytes < 48 << 20, "{bytes}");
}

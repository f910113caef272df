//! The daemon on full disks: that of a job's output, that of its state, and both. The disks are real file systems of some
//! MiB, so these tests need root and are skipped otherwise.
//!
//! `MOLSIEVE_DISK_ORDERS` sets the number of random orders (scripts/daemon-disk.sh asks for 20), `MOLSIEVE_DISK_SEED`
//! seeds them.

use std::{env, path::PathBuf, thread, time::Duration};

use crate::kit::{
    Folder,
    daemon::{Daemon, PATIENCE, settings, within},
    disk::{Kind, SmallDisk},
    draw::Draw,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    output::{assert_complete, part_bytes},
    report,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A budget for two jobs, and almost no patience with jobs that make no progress.
const FLAGS: &str = "--memory 400MiB --threads 2 --gpus 0 --retry-delay 0 --retries 2";

/// Inputs of jobs on a small disk.
struct Work {
    folder: Folder,
    input: PathBuf,
    rules: PathBuf,
}

impl Work {
    fn new(molecules: usize) -> Self {
        let folder = Folder::new();
        let input = folder.write("a.smi", smiles_lines(molecules));
        let rules = rule_file(&folder, &THREE_RULES);
        Self {
            folder,
            input,
            rules,
        }
    }

    /// A job that writes to a disk, and that expects to write almost nothing: so it meets a full disk while it writes.
    fn settings(&self, disk: &SmallDisk, output: &str) -> Value {
        let mut settings = settings(&self.input, &self.rules, &disk.path().join(output));
        settings["expected_products"] = json!(1);
        settings["part_size"] = json!("64KiB");
        settings
    }

    /// The parts of the same job on a disk with space.
    fn expected(&self) -> Vec<(String, Vec<u8>)> {
        let output = self.folder.path("expected");
        let flags =
            "run --memory 192MiB --threads 1 --engine cpu --expected-products 1 --part-size 64KiB";
        let run = crate::kit::Molsieve::new(flags)
            .input(&self.input)
            .rules(&self.rules)
            .output(&output)
            .run();
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        part_bytes(&output)
    }

    fn assert_made(&self, disk: &SmallDisk, output: &str, expected: &[(String, Vec<u8>)]) {
        let output = disk.path().join(output);
        assert_complete(&output);
        assert!(part_bytes(&output) == expected, "{}", output.display());
    }
}

fn metric(daemon: &Daemon, name: &str) -> f64 {
    let text = daemon.request("GET", "/metrics", "").body;
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    let value = value.unwrap_or_else(|| panic!("{name}\n{text}"));
    value.trim().parse().unwrap()
}

/// Waits until a job waits for disk space, and returns it.
fn wait_for_full_disk(daemon: &Daemon, id: u64) -> Value {
    let mut job = Value::Null;
    let waits = || {
        job = daemon.job(id);
        !job["waits_for_space"].is_null()
    };
    assert!(within(PATIENCE, waits), "{job:#}\n{}", daemon.log());
    job
}

#[test]
fn a_job_on_a_full_disk_waits_for_space_and_is_then_done() {
    let work = Work::new(400);
    let Some(disk) = SmallDisk::mount(&work.folder, "disk", Kind::Tmpfs, 8) else {
        return;
    };
    let expected = work.expected();
    disk.fill(32 << 10);
    let daemon = Daemon::start(&work.folder, FLAGS);
    let id = daemon.submit(&work.settings(&disk, "out"));
    // The disk does not have what this one is expected to write, so it does not even begin.
    let mut planned = work.settings(&disk, "planned");
    planned.as_object_mut().unwrap().remove("expected_products");
    let planned = daemon.submit(&planned);
    let job = wait_for_full_disk(&daemon, id);
    let wait = &job["waits_for_space"];
    assert_eq!(job["state"], "interrupted");
    assert_eq!(wait["path"], disk.path().join("out").to_str().unwrap());
    assert_eq!(wait["quota"], false);
    assert!(
        wait["free_bytes"].as_u64() < wait["needed_bytes"].as_u64(),
        "{wait:#}"
    );
    wait_for_full_disk(&daemon, planned);
    assert_eq!(metric(&daemon, "molsieve_jobs_waiting_for_space"), 2.0);
    assert_eq!(metric(&daemon, "molsieve_memory_admitted_bytes"), 0.0);
    let ls = daemon.molsieve("ls").run().stdout;
    assert!(ls.contains("interrupted (disk full)"), "{ls}");
    let status = daemon.molsieve(&format!("status {id}")).run().stdout;
    assert!(status.contains("it waits for disk space since"), "{status}");
    let said = format!("job {id} waits for disk space");
    assert!(daemon.log().contains(&said), "{}", daemon.log());
    // Each check takes longer to come than the last; none is an attempt, a failure or an event.
    let before = daemon.job(id);
    thread::sleep(Duration::from_secs(5));
    let after = daemon.job(id);
    for same in ["attempts", "failures", "seq", "state"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(after["failures"], 0);
    disk.free();
    for (id, output) in [(id, "out"), (planned, "planned")] {
        daemon.wait_for(id, "done");
        assert_complete(&disk.path().join(output));
    }
    work.assert_made(&disk, "out", &expected);
    assert_eq!(metric(&daemon, "molsieve_jobs_waiting_for_space"), 0.0);
}

#[test]
fn a_job_that_waits_for_space_can_be_cancelled_and_survives_a_restart() {
    let work = Work::new(200);
    let Some(disk) = SmallDisk::mount(&work.folder, "disk", Kind::Tmpfs, 8) else {
        return;
    };
    disk.fill(0);
    let mut daemon = Daemon::start(&work.folder, FLAGS);
    let ids = ["a", "b"].map(|output| daemon.submit(&work.settings(&disk, output)));
    for id in ids {
        wait_for_full_disk(&daemon, id);
    }
    let since = daemon.job(ids[1])["waits_for_space"]["since"].clone();
    let cancelled = daemon.request("POST", &format!("/v1/jobs/{}/cancel", ids[0]), "");
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    assert_eq!(cancelled.json()["state"], "cancelled");
    assert_eq!(cancelled.json()["waits_for_space"], Value::Null);
    daemon.kill();
    let daemon = Daemon::start(&work.folder, FLAGS);
    let job = daemon.job(ids[1]);
    assert_eq!(job["waits_for_space"]["since"], since, "{job:#}");
    assert_eq!(metric(&daemon, "molsieve_jobs_waiting_for_space"), 1.0);
    disk.free();
    daemon.wait_for(ids[1], "done");
    work.assert_made(&disk, "b", &work.expected());
}

#[test]
fn every_stage_of_a_job_waits_for_space_slow() {
    let work = Work::new(300);
    let Some(disk) = SmallDisk::mount(&work.folder, "disk", Kind::Tmpfs, 8) else {
        return;
    };
    let expected = work.expected();
    let daemon = Daemon::start(&work.folder, FLAGS);
    // From no space for the first file to enough for all but the last ones.
    let mut waited = 0;
    for (number, left) in (0..16).map(|step| (step * 24) << 10).enumerate() {
        disk.fill(left);
        let output = format!("out-{number}");
        let id = daemon.submit(&work.settings(&disk, &output));
        let mut job = Value::Null;
        let settled = || {
            job = daemon.job(id);
            !job["waits_for_space"].is_null() || job["state"] == "done"
        };
        assert!(within(PATIENCE, settled), "{job:#}\n{}", daemon.log());
        waited += usize::from(job["state"] != "done");
        disk.free();
        let job = daemon.wait_for(id, "done");
        assert_eq!(job["failures"], 0, "{left} bytes left: {job:#}");
        work.assert_made(&disk, &output, &expected);
        std::fs::remove_dir_all(disk.path().join(&output)).unwrap();
    }
    report(&format!("{waited} of 16 jobs waited for space"));
    assert!(waited >= 4, "{waited}");
}

#[test]
fn on_a_full_state_disk_jobs_end_and_can_be_cancelled_and_deleted() {
    let mut work = Work::new(300);
    // So many products that its jobs run for some seconds.
    work.rules = shipped_rules();
    let (Some(state), Some(disk)) = (
        SmallDisk::mount(&work.folder, "state", Kind::Tmpfs, 24),
        SmallDisk::mount(&work.folder, "disk", Kind::Tmpfs, 64),
    ) else {
        return;
    };
    let mut daemon = Daemon::start(&work.folder, FLAGS);
    let short = Work::new(20);
    let ended = daemon.submit(&short.settings(&disk, "ended"));
    daemon.wait_for(ended, "done");
    let ids = ["a", "b", "c", "d"].map(|output| daemon.submit(&work.settings(&disk, output)));
    // They are held until the disk is full.
    let workers = [ids[0], ids[1]].map(|id| {
        daemon.wait_for(id, "running");
        let worker = Pid::from_raw(daemon.worker_of(id).unwrap() as i32).unwrap();
        kill_process(worker, Signal::STOP).unwrap();
        worker
    });
    assert_eq!(metric(&daemon, "molsieve_state_disk_full"), 0.0);
    let reserve = metric(&daemon, "molsieve_state_reserve_bytes");
    assert_eq!(reserve, f64::from(3 << 20), "an eighth of the disk");
    state.fill(0);

    let not_ready = || daemon.request("GET", "/readyz", "").status == 503;
    assert!(
        within(Duration::from_secs(20), not_ready),
        "{}",
        daemon.log()
    );
    let ready = daemon.request("GET", "/readyz", "");
    assert_eq!(ready.json()["error"]["code"], "state_full", "{ready:?}");
    let message = ready.json()["error"]["message"].to_string();
    assert!(
        message.contains(state.path().to_str().unwrap()),
        "{message}"
    );
    assert_eq!(daemon.request("GET", "/healthz", "").status, 200);
    assert_eq!(metric(&daemon, "molsieve_state_disk_full"), 1.0);
    let body = json!({ "settings": work.settings(&disk, "e") }).to_string();
    let refused = daemon.request("POST", "/v1/jobs", &body);
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (507, &json!("state_full"))
    );
    let run = daemon
        .molsieve("submit --memory 192MiB --threads 1")
        .input(&work.input)
        .output(disk.path().join("e"))
        .run();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert_eq!(run.stderr.lines().count(), 1, "{}", run.stderr);
    assert!(
        run.stderr.contains("the disk of its state directory"),
        "{}",
        run.stderr
    );

    // What ends jobs or deletes them is possible all the same.
    let cancel = |id: u64| daemon.request("POST", &format!("/v1/jobs/{id}/cancel"), "");
    assert_eq!(cancel(ids[3]).status, 200);
    assert_eq!(cancel(ids[1]).status, 202);
    for worker in workers {
        kill_process(worker, Signal::CONT).unwrap();
    }
    daemon.wait_for(ids[1], "cancelled");
    let forgotten = daemon.request("DELETE", &format!("/v1/jobs/{ended}"), "");
    assert_eq!(forgotten.status, 204, "{forgotten:?}");
    daemon.wait_for(ids[0], "done");
    let waits = daemon.job(ids[2]);
    assert_eq!(
        waits["state"], "queued",
        "no job starts meanwhile: {waits:#}"
    );

    // A daemon that starts on the full disk continues.
    daemon.kill();
    let daemon = Daemon::start_unready(&work.folder, FLAGS);
    let not_ready = || daemon.request("GET", "/readyz", "").status == 503;
    assert!(within(PATIENCE, not_ready), "{}", daemon.log());
    state.free();
    daemon.wait_until_ready();
    assert_eq!(metric(&daemon, "molsieve_state_disk_full"), 0.0);
    assert_eq!(metric(&daemon, "molsieve_state_reserve_bytes"), reserve);
    let later = daemon.submit(&work.settings(&disk, "later"));
    daemon.wait_for(ids[2], "done");
    daemon.wait_for(later, "done");
    let expected = work.expected();
    for output in ["a", "c", "later"] {
        work.assert_made(&disk, output, &expected);
    }
}

#[test]
fn jobs_that_are_deleted_leave_space_on_a_full_state_disk() {
    let work = Work::new(5);
    let Some(state) = SmallDisk::mount(&work.folder, "state", Kind::Tmpfs, 96) else {
        return;
    };
    let daemon = Daemon::start(&work.folder, "--memory 128MiB --threads 1 --gpus 0");
    // They need more than is free, so that they stay queued; their settings take the space.
    let mut wide = settings(&work.input, &work.rules, &work.folder.path("x"));
    wide["memory"] = json!("128MiB");
    wide["where"] = json!(vec!["mw <= 500"; 8_000]);
    let body = json!({ "settings": wide }).to_string();
    let mut ids = Vec::new();
    let refused = loop {
        let answer = daemon.request("POST", "/v1/jobs", &body);
        if answer.status != 201 {
            break answer;
        }
        ids.push(answer.json()["id"].as_u64().unwrap());
        assert!(ids.len() < 2_000, "the disk is never full");
    };
    assert_eq!(refused.json()["error"]["code"], "state_full", "{refused:?}");
    assert!(!state.path().join("filler").exists());
    for id in &ids {
        let cancelled = daemon.request("POST", &format!("/v1/jobs/{id}/cancel"), "");
        assert!(cancelled.status < 300, "{cancelled:?}");
    }
    for id in &ids {
        let delete = || {
            let answer = daemon.request("DELETE", &format!("/v1/jobs/{id}"), "");
            answer.status == 204
        };
        assert!(within(PATIENCE, delete), "{}", daemon.log());
    }
    daemon.wait_until_ready();
    let answer = daemon.request("POST", "/v1/jobs", &body);
    assert_eq!(answer.status, 201, "{answer:?} {}", daemon.log());
}

/// One random order of events on both disks.
struct Order<'a> {
    work: &'a Work,
    state: SmallDisk,
    disk: SmallDisk,
    daemon: Daemon,
    draw: Draw,
    ids: Vec<(u64, String)>,
    /// Jobs that were refused while the state disk was full.
    refused: Vec<String>,
    done: Vec<&'static str>,
}

impl Order<'_> {
    fn submit(&mut self, output: String) {
        let body = json!({ "settings": self.work.settings(&self.disk, &output) });
        let answer = self.daemon.request("POST", "/v1/jobs", &body.to_string());
        match answer.status {
            201 => self
                .ids
                .push((answer.json()["id"].as_u64().unwrap(), output)),
            507 => self.refused.push(output),
            _ => panic!("{answer:?}\n{}", self.daemon.log()),
        }
    }

    fn step(&mut self, number: usize) {
        let done = match self.draw.below(7) {
            0 | 1 => {
                self.disk.fill((self.draw.below(24) << 14) as u64);
                "output full"
            }
            2 => {
                self.disk.free();
                "output free"
            }
            3 => {
                self.state.fill((self.draw.below(8) << 12) as u64);
                "state full"
            }
            4 => {
                self.state.free();
                "state free"
            }
            5 => {
                self.submit(format!("more-{number}"));
                "a job"
            }
            _ => {
                self.daemon.kill();
                self.daemon = Daemon::start_unready(&self.work.folder, FLAGS);
                "a kill"
            }
        };
        self.done.push(done);
        thread::sleep(Duration::from_millis(self.draw.below(1_500) as u64));
    }

    fn end(mut self, expected: &[(String, Vec<u8>)]) {
        self.disk.free();
        self.state.free();
        self.daemon.wait_until_ready();
        for output in std::mem::take(&mut self.refused) {
            self.submit(output);
        }
        assert!(self.refused.is_empty(), "{}", self.daemon.log());
        for (id, output) in &self.ids {
            self.daemon.wait_for(*id, "done");
            self.work.assert_made(&self.disk, output, expected);
        }
        report(&format!(
            "{} jobs: {}",
            self.ids.len(),
            self.done.join(", ")
        ));
    }
}

#[test]
fn every_job_is_done_whatever_disks_are_full_slow() {
    let number = |name: &str, or| {
        let set = env::var(name).ok();
        set.and_then(|n| n.parse().ok()).unwrap_or(or)
    };
    let (orders, seed) = (
        number("MOLSIEVE_DISK_ORDERS", 3),
        number("MOLSIEVE_DISK_SEED", 2_811),
    );
    let mut expected = None;
    for order in 0..orders {
        let work = Work::new(400);
        // The state disk is given first, because the daemon makes its directory.
        let kind = [Kind::Tmpfs, Kind::Ext4][order as usize % 2];
        let (Some(state), Some(disk)) = (
            SmallDisk::mount(&work.folder, "state", kind, 24),
            SmallDisk::mount(&work.folder, "disk", kind, 24),
        ) else {
            return;
        };
        let expected = expected.get_or_insert_with(|| work.expected());
        let daemon = Daemon::start(&work.folder, FLAGS);
        let mut order = Order {
            work: &work,
            state,
            disk,
            daemon,
            draw: Draw(seed + order),
            ids: Vec::new(),
            refused: Vec::new(),
            done: Vec::new(),
        };
        for number in 0..3 {
            order.submit(format!("out-{number}"));
        }
        for number in 0..8 {
            order.step(number);
        }
        order.end(expected);
    }
}

//! A run that is killed at any instant and gone on with, again and again, ends with the same files; and
//! whatever can be seen of it meanwhile is whole.
//!
//! `MOLSIEVE_KILLS` sets the number of kills (scripts/kill.sh asks for 200), `MOLSIEVE_KILL_SEED` the
//! instants. With `MOLSIEVE_PYTHON` set, what is visible after a kill is read by pyarrow too.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::kit::{
    Molsieve, Running,
    library::{SmallJob, smiles_lines},
    output::{self, assert_complete, manifest, names, read_parquet},
};

/// A small job in the usual place.
struct Job {
    small: SmallJob,
    /// Whether its parts are so small that it has several; otherwise it never fills one.
    fills_parts: bool,
}

impl Job {
    fn new(fills_parts: bool) -> Self {
        let mut small = SmallJob::new();
        if !fills_parts {
            let lines = smiles_lines(600);
            let twice = format!("{lines}C1CC broken\n{lines}");
            small.input = small.folder.write("b.smi", twice);
        }
        Self { small, fills_parts }
    }

    fn start(&self) -> Running {
        if self.fills_parts {
            return self.small.run(&self.out()).start();
        }
        Molsieve::new("run --resume --threads 2 --slot-size 512KiB --memory 256MiB")
            .args("--false-positive-rate 0.5 --engine cpu")
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.02")
            .input(&self.small.input)
            .rules(&self.small.rules)
            .output(self.out())
            .start()
    }

    /// Runs it to its end and gives what it made.
    fn complete(&self) -> Made {
        let end = self.start().wait(Duration::from_secs(60));
        assert_eq!(end.code, Some(4), "{}", end.stderr);
        Made::at(&self.out())
    }

    fn out(&self) -> PathBuf {
        self.small.folder.out()
    }
}

/// What must be the same however a run came about.
#[derive(PartialEq)]
struct Made {
    files: Vec<(String, Vec<u8>)>,
    said: String,
}

impl Made {
    fn at(output: &Path) -> Self {
        assert_complete(output);
        let mut files = output::part_bytes(output);
        let rejects = fs::read(output.join("rejects.parquet")).unwrap();
        files.push(("rejects.parquet".into(), rejects));
        let manifest = manifest(output);
        let said = format!("{} {}", manifest["counts"], manifest["files"]);
        Self { files, said }
    }
}

/// What a kill is aimed at.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// Any time of a run.
    Time,
    /// The change from a part to the next.
    PartChange,
    /// Settling.
    Settling,
    /// The last files: rejects and manifest.
    Manifest,
}

/// Numbers without order, the same for the same seed (xorshift64; Marsaglia 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn duration(&mut self, end: Duration) -> Duration {
        Duration::from_micros(self.below(end.as_micros() as u64))
    }
}

/// Kills a run where it is aimed; false if it has ended before.
fn kill(running: &mut Running, out: &Path, aim: Aim, random: &mut Random, whole: Duration) -> bool {
    let parts = output::parts(out).len();
    let work = out.join(".molsieve");
    let began = Instant::now();
    let delay = random.duration(whole);
    let next_part = output::part(out, parts + random.below(3) as usize);
    while running.is_running() {
        let reached = match aim {
            Aim::Time => began.elapsed() >= delay,
            Aim::PartChange => next_part.exists(),
            Aim::Settling => work.join("settle").exists(),
            Aim::Manifest => {
                out.join("rejects.parquet").exists() || work.join("rejects.parquet.tmp").exists()
            }
        };
        if reached {
            if !matches!(aim, Aim::Time) {
                thread::sleep(random.duration(Duration::from_millis(2)));
            }
            break;
        }
        thread::sleep(Duration::from_micros(50));
    }
    running.kill()
}

/// Where a run was when it was killed, from what it left.
fn stage(out: &Path) -> &'static str {
    let Ok(checkpoint) = fs::read(out.join(".molsieve/checkpoint")) else {
        return match out.join("manifest.json").exists() {
            true => "clearing up",
            false => "starting",
        };
    };
    let json = checkpoint.splitn(3, |byte| *byte == b'\n').nth(2).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(json).unwrap();
    let told = checkpoint["parts"].as_array().unwrap().len();
    if out.join("manifest.json").exists() || out.join("rejects.parquet").exists() {
        "the last files"
    } else if output::parts(out).len() > told {
        "changing parts"
    } else if checkpoint["phase"].get("Settling").is_some() {
        "settling"
    } else {
        "reading"
    }
}

/// Fails unless whatever can be seen is whole.
fn assert_readable(out: &Path, pyarrow: Option<&mut Pyarrow>) {
    let mut files = output::parts(out);
    files.extend(Some(out.join("rejects.parquet")).filter(|path| path.exists()));
    for file in &files {
        read_parquet(file);
    }
    if let Some(pyarrow) = pyarrow {
        files.iter().for_each(|file| pyarrow.read(file));
    }
    if out.join("manifest.json").exists() {
        let manifest = manifest(out);
        let listed = manifest["files"].as_array().unwrap().iter();
        for file in listed.chain([&manifest["rejects"]]) {
            assert!(out.join(file["name"].as_str().unwrap()).exists());
        }
    }
}

/// A Python that reads Parquet files from end to end.
struct Pyarrow {
    child: Child,
    answers: BufReader<ChildStdout>,
}

const READ_WITH_PYARROW: &str = "
import sys, pyarrow.parquet as pq
for path in sys.stdin:
    print(pq.read_table(path.rstrip('\\n')).num_rows, flush=True)
";

impl Pyarrow {
    fn start() -> Option<Self> {
        let python = env::var_os("MOLSIEVE_PYTHON")?;
        let mut child = Command::new(python)
            .args(["-c", READ_WITH_PYARROW])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, answers })
    }

    fn read(&mut self, file: &Path) {
        let mut answer = String::new();
        writeln!(self.child.stdin.as_ref().unwrap(), "{}", file.display()).unwrap();
        self.answers.read_line(&mut answer).unwrap();
        let rows: u64 = answer
            .trim()
            .parse()
            .unwrap_or_else(|_| panic!("pyarrow can't read {}", file.display()));
        assert!(rows > 0, "{}", file.display());
    }
}

impl Drop for Pyarrow {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn number(variable: &str, otherwise: u64) -> u64 {
    let set = env::var(variable).ok();
    set.map_or(otherwise, |text| text.parse().unwrap())
}

/// Whether a run is done, and how far it is: the position of its checkpoint, and the rows that it keeps of the part
/// under way.
fn progress(out: &Path) -> (bool, bool, u64, u64) {
    let Ok(checkpoint) = fs::read(out.join(".molsieve/checkpoint")) else {
        return (out.join("manifest.json").exists(), false, 0, 0);
    };
    let json = checkpoint.splitn(3, |byte| *byte == b'\n').nth(2).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(json).unwrap();
    let next_row = |phase: &str| checkpoint["phase"][phase]["next_row"].as_u64();
    let settling = next_row("Settling");
    let position = settling.or(next_row("Reading")).unwrap();
    let rows = checkpoint["part_rows"]["items"].as_u64().unwrap();
    (false, settling.is_some(), position, rows)
}

#[test]
fn a_run_that_is_killed_at_any_instant_ends_with_the_same_files() {
    kill_again_and_again(&Job::new(true), number("MOLSIEVE_KILLS", 24));
}

#[test]
fn so_does_one_that_never_fills_a_part() {
    kill_again_and_again(&Job::new(false), number("MOLSIEVE_KILLS", 50));
}

fn kill_again_and_again(job: &Job, kills_wanted: u64) {
    let seed = number("MOLSIEVE_KILL_SEED", 0x9E37_79B9);
    let mut random = Random(seed);
    let mut pyarrow = Pyarrow::start();
    let began = Instant::now();
    let expected = job.complete();
    let whole = began.elapsed();
    // The rejects are one of the files.
    let files = expected.files.len();
    assert!(
        if job.fills_parts {
            files > 4
        } else {
            files <= 3
        },
        "{files}"
    );
    let (mut kills, mut rounds) = (0, 0);
    let mut stages: BTreeMap<&str, u64> = BTreeMap::new();
    while kills < kills_wanted {
        fs::remove_dir_all(job.out()).unwrap();
        rounds += 1;
        let mut before = progress(&job.out());
        for _ in 0..1 + random.below(8) {
            let aims = [Aim::Time, Aim::PartChange, Aim::Settling, Aim::Manifest];
            let aim = aims[[0, 0, 0, 1, 1, 2, 2, 3][random.below(8) as usize]];
            let mut running = job.start();
            if !kill(&mut running, &job.out(), aim, &mut random, whole) {
                break; // it was done
            }
            assert_readable(&job.out(), pyarrow.as_mut());
            *stages.entry(stage(&job.out())).or_default() += 1;
            let now = progress(&job.out());
            assert!(
                now >= before,
                "{now:?} after {before:?}: a checkpoint was lost"
            );
            before = now;
            kills += 1;
        }
        let made = job.complete();
        assert_eq!(made.said, expected.said, "seed {seed}, round {rounds}");
        assert!(made == expected, "seed {seed}, round {rounds}: other bytes");
        assert!(!names(&job.out()).contains(&".molsieve".into()));
    }
    let stages: Vec<String> = stages.iter().map(|(at, n)| format!("{n} {at}")).collect();
    // Past the test harness, which keeps what passing tests print to itself.
    let mut terminal = std::io::stderr();
    writeln!(
        terminal,
        "{kills} kills in {rounds} runs ({}), read {}; every run ended with the same files",
        stages.join(", "),
        if pyarrow.is_some() {
            "by pyarrow too"
        } else {
            "without pyarrow"
        },
    )
    .unwrap();
}

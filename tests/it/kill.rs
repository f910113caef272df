//! A run that is killed at random times and resumed, repeatedly, ends with the same files, and every visible file is
//! complete at all times.
//!
//! `MOLSIEVE_KILLS` sets the number of kills (scripts/kill.sh asks for 200), `MOLSIEVE_KILL_SEED` seeds
//! their times. With `MOLSIEVE_PYTHON` set, pyarrow also reads the visible files after each kill.

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
    draw::Draw,
    library::{SmallJob, THREE_RULES, rule_file, smiles_lines},
    output::{self, Made, manifest, names, read_parquet},
    report,
};

/// A rule that combines phenols with reagents.
const ETHERS: &str = "\n[[rule]]\nname = 'ether'\nreagents = { 2 = 'alcohols.smi' }\n\
    smirks = '[c:1][OX2H:2].[CX4:3][OX2H]>>[c:1][O:2][C:3]'\n";

/// A small job and its output directory.
struct Job {
    small: SmallJob,
    kind: Kind,
}

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Fills several parts, some rows with reagents.
    Parts,
    /// Fills no part.
    NoParts,
    /// Has several steps, and a part or more in each.
    Steps,
}

impl Job {
    fn new(kind: Kind) -> Self {
        let mut small = SmallJob::new();
        if kind == Kind::Steps {
            let lines = smiles_lines(60);
            small.input = small
                .folder
                .write("b.smi", format!("{lines}C1CC broken\n{lines}"));
        } else if kind == Kind::Parts {
            let more = [
                ("chlorination", "[cH:1]>>[c:1]Cl"),
                ("bromination", "[cH:1]>>[c:1]Br"),
            ];
            small.rules = rule_file(&small.folder, &[THREE_RULES.as_slice(), &more].concat());
            let alcohols = (1..9).map(|length| format!("{}O a{length}\n", "C".repeat(length)));
            small
                .folder
                .write("alcohols.smi", alcohols.collect::<String>());
            let ethers = fs::read_to_string(&small.rules).unwrap() + ETHERS;
            fs::write(&small.rules, ethers).unwrap();
        } else {
            let lines = smiles_lines(600);
            let twice = format!("{lines}C1CC broken\n{lines}");
            small.input = small.folder.write("b.smi", twice);
        }
        Self { small, kind }
    }

    fn start(&self) -> Running {
        match self.kind {
            Kind::Parts => return self.small.run(&self.out()).start(),
            Kind::Steps => {
                let run = self.small.run(&self.out()).args("--steps 3 --new-only");
                return run.env("MOLSIEVE_CHECKPOINT_SECONDS", "0.02").start();
            }
            Kind::NoParts => {}
        }
        Molsieve::new("run --resume --threads 2 --slot-size 512KiB --memory 256MiB")
            .args("--false-positive-rate 0.5 --engine cpu")
            .env("MOLSIEVE_CHECKPOINT_SECONDS", "0.02")
            .input(&self.small.input)
            .rules(&self.small.rules)
            .output(self.out())
            .start()
    }

    /// Runs the job to its end and returns its output.
    fn complete(&self) -> Made {
        let end = self.start().wait(Duration::from_secs(60));
        assert_eq!(end.code, Some(4), "{}", end.stderr);
        Made::at(&self.out())
    }

    fn out(&self) -> PathBuf {
        self.small.folder.out()
    }
}

/// When to kill a run.
#[derive(Clone, Copy, Debug)]
enum Aim {
    /// At any time.
    Time,
    /// At the start of a new part.
    PartChange,
    /// During settling.
    Settling,
    /// While the last files (rejects and manifest) are written.
    Manifest,
}

/// A time of at most `end`.
fn duration(draw: &mut Draw, end: Duration) -> Duration {
    Duration::from_micros(draw.below(end.as_micros() as usize) as u64)
}

/// Kills a run at the aimed time; false if it had already ended.
fn kill(running: &mut Running, out: &Path, aim: Aim, draw: &mut Draw, whole: Duration) -> bool {
    let parts = output::parts(out).len();
    let work = out.join(".molsieve");
    let began = Instant::now();
    let delay = duration(draw, whole);
    let next_part = output::part(out, parts + draw.below(3));
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
                thread::sleep(duration(draw, Duration::from_millis(2)));
            }
            break;
        }
        thread::sleep(Duration::from_micros(50));
    }
    running.kill()
}

/// The stage at which a run was killed, from its files.
fn stage(out: &Path) -> &'static str {
    let Ok(checkpoint) = fs::read(out.join(".molsieve/checkpoint")) else {
        return match out.join("manifest.json").exists() {
            true => "clearing up",
            false => "starting",
        };
    };
    let json = checkpoint.splitn(3, |byte| *byte == b'\n').nth(2).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(json).unwrap();
    let listed = checkpoint["parts"].as_array().unwrap().len();
    if out.join("manifest.json").exists() || out.join("rejects.parquet").exists() {
        "the last files"
    } else if output::parts(out).len() > listed {
        "changing parts"
    } else if checkpoint["phase"].get("Settling").is_some() {
        "settling"
    } else if checkpoint["step"].as_u64().unwrap() != 1 {
        "reading in another step"
    } else {
        "reading"
    }
}

/// Fails unless every visible file is complete.
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

/// A Python process that reads whole Parquet files.
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

/// The progress of a run: whether it is done, its step, whether it is settling, the row of its checkpoint, and the kept
/// rows of the current part.
fn progress(out: &Path) -> (bool, u64, bool, u64, u64) {
    let Ok(checkpoint) = fs::read(out.join(".molsieve/checkpoint")) else {
        return (out.join("manifest.json").exists(), 0, false, 0, 0);
    };
    let json = checkpoint.splitn(3, |byte| *byte == b'\n').nth(2).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_slice(json).unwrap();
    let next_row = |phase: &str| checkpoint["phase"][phase]["next_row"].as_u64();
    let settling = next_row("Settling");
    let position = settling.or(next_row("Reading")).unwrap();
    let rows = checkpoint["part_rows"]["items"].as_u64().unwrap();
    let step = checkpoint["step"].as_u64().unwrap();
    (false, step, settling.is_some(), position, rows)
}

#[test]
fn a_run_killed_at_any_instant_ends_with_the_same_files_slow() {
    kill_again_and_again(&Job::new(Kind::Parts), number("MOLSIEVE_KILLS", 24));
}

#[test]
fn a_killed_run_that_never_fills_a_part_ends_with_the_same_files_slow() {
    kill_again_and_again(&Job::new(Kind::NoParts), number("MOLSIEVE_KILLS", 50));
}

#[test]
fn a_killed_run_of_several_steps_ends_with_the_same_files_slow() {
    kill_again_and_again(&Job::new(Kind::Steps), number("MOLSIEVE_KILLS", 50));
}

fn kill_again_and_again(job: &Job, kills_wanted: u64) {
    let seed = number("MOLSIEVE_KILL_SEED", 0x9E37_79B9);
    let mut draw = Draw(seed);
    let mut pyarrow = Pyarrow::start();
    let began = Instant::now();
    let expected = job.complete();
    let whole = began.elapsed();
    let parts = expected.parts();
    assert!(
        match job.kind {
            Kind::Parts | Kind::Steps => parts > 3,
            Kind::NoParts => parts <= 2,
        },
        "{parts}"
    );
    let (mut kills, mut rounds) = (0, 0);
    let mut stages: BTreeMap<&str, u64> = BTreeMap::new();
    while kills < kills_wanted {
        fs::remove_dir_all(job.out()).unwrap();
        rounds += 1;
        let mut before = progress(&job.out());
        for _ in 0..1 + draw.below(8) {
            let aims = [Aim::Time, Aim::PartChange, Aim::Settling, Aim::Manifest];
            let aim = aims[[0, 0, 0, 1, 1, 2, 2, 3][draw.below(8)]];
            let mut running = job.start();
            if !kill(&mut running, &job.out(), aim, &mut draw, whole) {
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
        assert_eq!(made.counts, expected.counts, "seed {seed}, round {rounds}");
        assert!(made == expected, "seed {seed}, round {rounds}: other bytes");
        assert!(!names(&job.out()).contains(&".molsieve".into()));
    }
    let stages: Vec<String> = stages.iter().map(|(at, n)| format!("{n} {at}")).collect();
    report(&format!(
        "{kills} kills in {rounds} runs ({}), read {}; every run ended with the same files",
        stages.join(", "),
        if pyarrow.is_some() {
            "by pyarrow too"
        } else {
            "without pyarrow"
        },
    ));
}

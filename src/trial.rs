//! Trying parents out in a process of their own, so that one on which RDKit crashes or never returns
//! takes down that process and nothing else.
//!
//! `molsieve try-parents` (hidden from the help) reads JSON from standard input, line by line: first an
//! [`Assignment`], then one [`Candidate`] after the other. It transforms each as the job would, throws the
//! products away and answers with a line, after a first line that says that it is ready. Which parent killed it follows from the answer that is missing; the others are
//! tried in the next process.
//!
//! A parent's time is CPU time since its last product, as in the job. The process measures that itself: it
//! answers `late` and ends when a parent has exceeded the limit. So a machine that stalls rejects nothing.
//!
//! A parent must not be blamed for what is not its doing: a process that ends before it is ready is an
//! error, one that is ended by a signal from outside (as when a service is stopped) is too, and one that
//! dies is given the same parent once more before the parent is rejected.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    chem::{ChemistryError, Progress, RdKit, TransformSettings, Transformer},
    limits::STAGE_STACK_BYTES,
    machine::WorkClock,
    rules::RuleSet,
    slot::{Dropped, ParentFlags, Slot, SlotLayout, SlotParent},
    store::plain,
    table::source::{ParentRow, TextKind},
};

/// What parents are tried with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Assignment {
    /// Rule files, by absolute path.
    pub rules: Vec<PathBuf>,
    /// How parents are transformed.
    pub settings: TransformSettings,
    /// CPU time that one parent may use without giving a product.
    pub time_max: Duration,
}

/// A parent to be tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// 0-based row over all inputs.
    pub row: u64,
    text: String,
    mol_block: bool,
}

impl Candidate {
    /// A row of the input; `None` if RDKit would never see it.
    pub fn of(row: ParentRow<'_>) -> Option<Self> {
        let text = String::from_utf8(row.text.to_vec()).ok();
        text.filter(|_| row.fault.is_none()).map(|text| Self {
            row: row.row,
            text,
            mol_block: row.kind == TextKind::MolBlock,
        })
    }
}

/// What a parent gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Whether it can be used.
    pub usable: bool,
    /// Distinct products.
    pub products: u64,
    /// Bytes of their SMILES.
    pub text_bytes: u64,
    /// What was made and not kept.
    pub dropped: Dropped,
}

/// Transforms a parent in this process.
pub fn transform(
    rdkit: RdKit,
    transformer: &mut Transformer,
    slot: &mut Slot,
    candidate: &Candidate,
    clock: &WorkClock,
) -> Result<Tried, ChemistryError> {
    clock.restart();
    let tried = transform_within(rdkit, transformer, slot, candidate, clock);
    clock.stop();
    tried
}

fn transform_within(
    rdkit: RdKit,
    transformer: &mut Transformer,
    slot: &mut Slot,
    candidate: &Candidate,
    clock: &WorkClock,
) -> Result<Tried, ChemistryError> {
    let text = candidate.text.as_bytes();
    let begun = match candidate.mol_block {
        true => rdkit
            .mol_block_to_smiles(text)
            .and_then(|smiles| transformer.begin_mol_block(text, smiles.as_bytes())),
        false => transformer.begin(text),
    };
    let usable = begun.is_ok();
    let mut tried = Tried {
        usable,
        ..Tried::default()
    };
    if !usable {
        return Ok(tried);
    }
    loop {
        slot.clear();
        let parent = slot.push_parent(NOBODY).unwrap_or_default();
        let progress = transformer.fill(slot, parent)?;
        tried.products += slot.rows() as u64;
        tried.text_bytes += slot.text_bytes() as u64;
        tried.dropped += slot.dropped;
        if progress == Progress::Finished {
            return Ok(tried);
        }
        clock.restart();
    }
}

/// The parent of products that are thrown away.
pub(crate) const NOBODY: SlotParent<'static> = SlotParent {
    row: 0,
    id: b"",
    smiles: b"",
    reason: b"",
    flags: ParentFlags::NONE,
};

/// A slot for products that are thrown away.
pub fn slot(properties: bool) -> Slot {
    Slot::new(SlotLayout::smallest(properties))
}

/// The child's side: reads what to try parents with.
pub fn assignment() -> Result<Assignment, ChemistryError> {
    // A parent that hangs must not outlive the job. Where that can't be asked for, it may.
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| plain(&error))
        .and_then(|_| serde_json::from_str(&line).map_err(|error| error.to_string()))
        .map_err(|error| ChemistryError::Failed(format!("there is nothing to try: {error}")))
}

/// The child's side: answers standard input line by line, on a stack like a worker's. Ends the process when
/// a parent has exceeded its time: a thread inside RDKit can't be ended otherwise.
pub fn serve(
    rdkit: RdKit,
    rules: &RuleSet,
    settings: TransformSettings,
    time_max: Duration,
) -> Result<(), ChemistryError> {
    let failed = |what: String| Err(ChemistryError::Failed(what));
    let clock = WorkClock::default();
    thread::scope(|scope| {
        let served = thread::Builder::new()
            .stack_size(STAGE_STACK_BYTES)
            .spawn_scoped(scope, || answer_all(rdkit, rules, settings, &clock));
        while served.as_ref().is_ok_and(|served| !served.is_finished()) {
            if clock.used().is_some_and(|used| used > time_max) {
                let _ = writeln!(std::io::stdout(), "{LATE}");
                signal_hook::low_level::exit(1);
            }
            thread::sleep(LOOK_EVERY);
        }
        match served.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(served)) => served,
            Ok(Err(_)) => failed("the thread failed".into()),
            Err(error) => failed(plain(&error)),
        }
    })
}

fn answer_all(
    rdkit: RdKit,
    rules: &RuleSet,
    settings: TransformSettings,
    clock: &WorkClock,
) -> Result<(), ChemistryError> {
    let mut transformer = Transformer::new(rdkit, rules, settings)?;
    let mut slot = slot(settings.properties);
    let _ = writeln!(std::io::stdout(), "{READY}");
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let Ok(candidate) = serde_json::from_str::<Candidate>(&line) else {
            return Err(ChemistryError::Failed("a line is no parent".into()));
        };
        let tried = transform(rdkit, &mut transformer, &mut slot, &candidate, clock);
        let answer = serde_json::to_string(&tried.map_err(|error| error.to_string()));
        let answer = answer.expect("numbers and texts can be written as JSON");
        // A parent process that is gone needs no answer.
        if writeln!(std::io::stdout(), "{answer}").is_err() {
            break;
        }
    }
    Ok(())
}

/// Tries parents one after the other in processes of their own: `program`, the molsieve executable, with `try-parents`. Per parent: what it gives, or why it
/// must not be given to RDKit.
pub fn try_parents(
    program: &Path,
    assignment: &Assignment,
    candidates: &[Candidate],
) -> Result<Vec<Result<Tried, String>>, ChemistryError> {
    let mut answers = Vec::with_capacity(candidates.len());
    while answers.len() < candidates.len() {
        let before = answers.len();
        let mut end = try_some(program, assignment, &candidates[before..], &mut answers)?;
        let suspect = answers.len();
        if matches!(end, End::Died(_)) && suspect < candidates.len() {
            // Perhaps it was not the parent.
            let alone = &candidates[suspect..=suspect];
            end = try_some(program, assignment, alone, &mut answers)?;
        }
        if answers.len() == suspect && suspect < candidates.len() {
            answers.push(Err(match end {
                End::Died(how) => format!("RDKit crashed on it ({how})"),
                End::Late | End::Answered => too_long(assignment.time_max),
            }));
        }
    }
    Ok(answers)
}

/// Tries parents in this process, which RDKit may crash.
pub fn try_here(
    rdkit: RdKit,
    rules: &RuleSet,
    settings: TransformSettings,
    candidates: &[Candidate],
) -> Result<Vec<Result<Tried, String>>, ChemistryError> {
    let mut transformer = Transformer::new(rdkit, rules, settings)?;
    let mut slot = slot(settings.properties);
    let clock = WorkClock::default();
    let mut tried = |parent| transform(rdkit, &mut transformer, &mut slot, parent, &clock);
    candidates.iter().map(|parent| tried(parent).map(Ok)).collect()
}

/// How a process that tries parents came to its end.
enum End {
    /// All were answered for.
    Answered,
    /// One took too long.
    Late,
    /// It died.
    Died(ExitStatus),
}

/// The line with which a process says that what follows is the parents' doing.
const READY: &str = "ready";
/// The answer for a parent that has exceeded its time.
const LATE: &str = "late";
/// Time between two looks at the clock of the parent under way.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Time in which it must have said so: compiling thousands of rules takes seconds.
const READY_TIME_MAX: Duration = Duration::from_secs(600);

/// Tries parents until the process ends; says how it did.
fn try_some(
    program: &Path,
    assignment: &Assignment,
    candidates: &[Candidate],
    answers: &mut Vec<Result<Tried, String>>,
) -> Result<End, ChemistryError> {
    let failed = |error: std::io::Error| {
        ChemistryError::Failed(format!("cannot try parents out: {}", plain(&error)))
    };
    let mut child = Command::new(program)
        .arg("try-parents")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0) // Ctrl-C is for the job
        .spawn()
        .map_err(failed)?;
    let lines = answers_of(&mut child);
    let mut input = child.stdin.take();
    tell(&mut input, assignment);
    let ready = lines.recv_timeout(READY_TIME_MAX);
    let mut end = End::Answered;
    let candidates = if ready.is_ok() { candidates } else { &[] };
    for candidate in candidates {
        tell(&mut input, candidate);
        match lines.recv() {
            Ok(line) if line == LATE => {
                end = End::Late;
                break;
            }
            Ok(line) => answers.push(
                serde_json::from_str(&line)
                    .unwrap_or_else(|error| Err(format!("its answer can't be read: {error}"))),
            ),
            Err(mpsc::RecvError) => {
                end = died(child.wait().map_err(failed)?)?;
                break;
            }
        }
    }
    drop(input);
    // It may be dead already.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    match ready {
        Ok(_) => Ok(end),
        Err(_) => Err(ChemistryError::Failed(format!(
            "the process that tries parents out did not start ({status})"
        ))),
    }
}

/// What it means that a process died: nothing about the parent, if somebody has ended it.
fn died(status: ExitStatus) -> Result<End, ChemistryError> {
    const FROM_OUTSIDE: [i32; 3] = [1, 2, 15]; // SIGHUP, SIGINT, SIGTERM
    match status.signal() {
        Some(signal) if FROM_OUTSIDE.contains(&signal) => Err(ChemistryError::Failed(format!(
            "the process that tries parents out was ended from outside ({status})"
        ))),
        _ => Ok(End::Died(status)),
    }
}

/// Writes a line to a child. That it is dead is found out by its answer that does not come.
fn tell(input: &mut Option<ChildStdin>, what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("texts and numbers can be written as JSON");
    if let Some(input) = input {
        let _ = writeln!(input, "{line}");
    }
}

/// Why a parent that takes too long is rejected.
pub fn too_long(time_max: Duration) -> String {
    format!(
        "RDKit worked on it for longer than --parent-timeout {} without giving a product",
        time_max.as_secs()
    )
}

/// The lines that a child writes, as they come.
fn answers_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::sync_channel(1);
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_not_blamed_for_a_signal_from_outside() {
        for signal in [1, 2, 15] {
            assert!(died(ExitStatus::from_raw(signal)).is_err(), "{signal}");
        }
        for signal in [4, 6, 9, 11] {
            let end = died(ExitStatus::from_raw(signal)).unwrap();
            assert!(matches!(end, End::Died(_)), "{signal}");
        }
    }
}

//! Trying parents out in a process of their own, so that one on which RDKit crashes or never returns
//! takes down that process and nothing else.
//!
//! `molsieve try-parents` (hidden from the help) reads JSON from standard input, line by line: first an
//! [`Assignment`], then one [`Candidate`] after the other. It transforms each as the job would, throws the
//! products away and answers with a line. Which parent killed it follows from the answer that is missing; the others are
//! tried in the next process.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    chem::{ChemistryError, Progress, RdKit, TransformSettings, Transformer},
    limits::{REASON_BYTES_MAX, SLOT_BYTES_MIN, STAGE_STACK_BYTES},
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
    /// Time that one parent may take.
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
) -> Result<Tried, ChemistryError> {
    let text = candidate.text.as_bytes();
    let smiles = match candidate.mol_block {
        true => rdkit.mol_block_to_smiles(text).map(String::into_bytes),
        false => Ok(text.to_vec()),
    };
    let usable = smiles.is_ok_and(|smiles| transformer.begin(&smiles).is_ok());
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
    }
}

const NOBODY: SlotParent<'static> = SlotParent {
    row: 0,
    id: b"",
    smiles: b"",
    reason: b"",
    flags: ParentFlags::NONE,
};

/// A slot for products that are thrown away.
pub fn slot(properties: bool) -> Slot {
    let layout = SlotLayout::new(SLOT_BYTES_MIN, properties);
    Slot::new(layout.expect("the smallest slot has a layout"))
}

/// The child's side: reads what to try parents with.
pub fn assignment() -> Result<Assignment, ChemistryError> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.map_err(|error| plain(&error))
        .and_then(|_| serde_json::from_str(&line).map_err(|error| error.to_string()))
        .map_err(|error| ChemistryError::Failed(format!("there is nothing to try: {error}")))
}

/// The child's side: answers standard input line by line, on a stack like a worker's.
pub fn serve(
    rdkit: RdKit,
    rules: &RuleSet,
    settings: TransformSettings,
) -> Result<(), ChemistryError> {
    let failed = |what: String| Err(ChemistryError::Failed(what));
    thread::scope(|scope| {
        let served = thread::Builder::new()
            .stack_size(STAGE_STACK_BYTES)
            .spawn_scoped(scope, || answer_all(rdkit, rules, settings));
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
) -> Result<(), ChemistryError> {
    let mut transformer = Transformer::new(rdkit, rules, settings)?;
    let mut slot = slot(settings.properties);
    for line in std::io::stdin().lines().map_while(Result::ok) {
        let Ok(candidate) = serde_json::from_str::<Candidate>(&line) else {
            return Err(ChemistryError::Failed("a line is no parent".into()));
        };
        let tried = transform(rdkit, &mut transformer, &mut slot, &candidate);
        let answer = serde_json::to_string(&tried.map_err(|error| error.to_string()));
        let answer = answer.expect("numbers and texts can be written as JSON");
        // A parent process that is gone needs no answer.
        if writeln!(std::io::stdout(), "{answer}").is_err() {
            break;
        }
    }
    Ok(())
}

/// Tries parents one after the other in processes of their own. Per parent: what it gives, or why it
/// must not be given to RDKit.
pub fn try_parents(
    assignment: &Assignment,
    candidates: &[Candidate],
) -> Result<Vec<Result<Tried, String>>, ChemistryError> {
    let mut answers = Vec::with_capacity(candidates.len());
    while answers.len() < candidates.len() {
        let before = answers.len();
        let end = try_some(assignment, &candidates[before..], &mut answers)?;
        if answers.len() < candidates.len() {
            answers.push(Err(end));
        }
    }
    Ok(answers)
}

/// Tries parents until the process ends; says how it did.
fn try_some(
    assignment: &Assignment,
    candidates: &[Candidate],
    answers: &mut Vec<Result<Tried, String>>,
) -> Result<String, ChemistryError> {
    let failed = |error: std::io::Error| {
        ChemistryError::Failed(format!("cannot try parents out: {}", plain(&error)))
    };
    let mut child = Command::new("/proc/self/exe")
        .arg("try-parents")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    let lines = answers_of(&mut child);
    let mut input = child.stdin.take();
    let mut end = None;
    tell(&mut input, assignment);
    for candidate in candidates {
        tell(&mut input, candidate);
        match lines.recv_timeout(assignment.time_max) {
            Ok(line) => answers.push(
                serde_json::from_str(&line)
                    .unwrap_or_else(|error| Err(format!("its answer can't be read: {error}"))),
            ),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                end = Some(too_long(assignment.time_max));
                break;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    drop(input);
    // It may be dead already.
    let _ = child.kill();
    let status = child.wait().map_err(failed)?;
    Ok(end.unwrap_or_else(|| format!("RDKit crashed on it ({status})")))
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
        "RDKit took longer than --parent-timeout {} for it",
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

/// A reason, cut to the length that a reject may have.
pub fn cut(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

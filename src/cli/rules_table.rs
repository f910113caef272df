//! `molsieve rules check --table`: what each rule matches in a sample library.
//!
//! A thread of its own transforms the rows one after the other and reports before each. If RDKit does not return from
//! one, the program ends with an error that names it. Memory is bounded: at most [`ROWS_MAX`] rows, each with at most
//! [`SAMPLE_PRODUCTS_PER_PARENT_MAX`] products, and a key of 16 bytes for each distinct product (at most 142 MiB).

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::mpsc::{self, RecvTimeoutError, SyncSender},
    thread,
    time::{Duration, Instant},
};

use super::{CliError, report_error, say};
use crate::{
    account::RuleAccount,
    chem::{ChemistryError, Progress, RdKit, TransformSettings, Transformer},
    key::Key,
    limits::{SAMPLE_PRODUCTS_PER_PARENT_MAX, STAGE_STACK_BYTES},
    property::PropertySet,
    reject::Rejection,
    report::answer::{RuleMatches, RuleSample, RulesAnswer, line},
    rules::RuleSet,
    slot::{Slot, SlotParent},
    store::plain,
    table::source::{ColumnChoice, Library, ParentBatch, TextKind},
    units::{count, counted},
};

/// The arguments of the table.
#[derive(clap::Args, Debug)]
pub(super) struct TableArgs {
    /// Print what each rule matches in a sample library: parents, sites, products
    #[arg(long)]
    pub(super) table: bool,
    /// With --table: the sample library [default: 621 natural products that molsieve ships]
    #[arg(long, value_name = "FILE", requires = "table")]
    library: Option<PathBuf>,
    /// With --table: rows of the library, from its start
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=ROWS_MAX))]
    rows: u64,
}

impl TableArgs {
    /// Opens the library, if the table is asked for and one is given.
    pub(super) fn open(&self) -> Result<Option<Library>, CliError> {
        let library = self.library.as_ref().filter(|_| self.table);
        let opened =
            library.map(|path| Library::open(std::slice::from_ref(path), &ColumnChoice::default()));
        Ok(opened.transpose()?)
    }
}

/// Most rows of a sample.
const ROWS_MAX: u64 = 10_000;
/// Rows read at a time.
const BATCH_ROWS: usize = 64;
/// A row whose products take longer is given up, and counted.
const ROW_TIME_MAX: Duration = Duration::from_secs(10);
/// If RDKit has not returned for this long, the program ends.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// The natural products that molsieve ships.
const SHIPPED: &str = include_str!("../../examples/natural_products.csv");

/// Prints the table of the rules, which RDKit has compiled before.
pub(super) fn print(
    rdkit: RdKit,
    args: &TableArgs,
    library: Option<Library>,
    rules: RuleSet,
    json: bool,
) -> Result<(), CliError> {
    let names: Vec<String> = rules.rules().iter().map(|rule| rule.name.clone()).collect();
    let rows = args.rows;
    let work =
        move |news: &SyncSender<News>| transform(rdkit, library.as_ref(), rows, &rules, news);
    let (matches, mut sample) = in_thread(work, json)?;
    sample.library = args.library.as_ref().map(|path| path.display().to_string());
    let matches: Vec<RuleMatches> = names.into_iter().zip(matches).map(of_rule).collect();
    if json {
        let each = matches.into_iter().map(RulesAnswer::Matches);
        let answers = each.chain([RulesAnswer::Sample(sample)]);
        answers.for_each(|answer| say(&line(&answer)));
    } else {
        say(&text(&matches, &sample));
    }
    Ok(())
}

/// The counts of a rule, and the molecules that it made first.
type Counted = (RuleAccount, u64);

fn of_rule((rule, (account, distinct)): (String, Counted)) -> RuleMatches {
    RuleMatches {
        rule,
        parents: account.parents,
        sites: account.sites,
        made: account.made,
        distinct,
        unchanged: account.unchanged,
        invalid: account.invalid,
        capped: account.capped,
        nanoseconds: account.nanoseconds,
    }
}

/// What the thread gives.
type Ended = Result<(Vec<Counted>, RuleSample), CliError>;

/// What the thread reports.
enum News {
    /// It works on this row.
    Row(u64),
    /// It has ended.
    Ended(Ended),
}

/// Transforms the sample in a thread, and ends the program if RDKit does not return.
fn in_thread(
    transform: impl FnOnce(&SyncSender<News>) -> Ended + Send + 'static,
    json: bool,
) -> Ended {
    // One report at a time: the thread is never far ahead of it.
    let (sender, news) = mpsc::sync_channel(1);
    let work = move || {
        let ended = transform(&sender);
        // Nobody waits for it if the program ends.
        let _ = sender.send(News::Ended(ended));
    };
    let thread = thread::Builder::new().stack_size(STAGE_STACK_BYTES);
    thread.spawn(work).map_err(|error| CliError::Attempt {
        action: "start a thread",
        reason: plain(&error),
    })?;
    let mut at = 0;
    loop {
        match news.recv_timeout(SILENCE_MAX) {
            Ok(News::Row(row)) => at = row,
            Ok(News::Ended(ended)) => return ended,
            Err(RecvTimeoutError::Timeout) => {
                let error = CliError::SampleStuck {
                    row: at,
                    seconds: SILENCE_MAX.as_secs(),
                };
                let exit = report_error(&error, json);
                // Without the exit handlers of C++, which would free RDKit's tables while the thread uses them.
                signal_hook::low_level::exit(exit as i32)
            }
            Err(RecvTimeoutError::Disconnected) => {
                let reason = "the thread of the sample ended early".into();
                return Err(ChemistryError::Failed(reason).into());
            }
        }
    }
}

/// Transforms the rows of the sample.
fn transform(
    rdkit: RdKit,
    library: Option<&Library>,
    rows: u64,
    rules: &RuleSet,
    news: &SyncSender<News>,
) -> Ended {
    let settings = TransformSettings {
        products_per_parent_max: SAMPLE_PRODUCTS_PER_PARENT_MAX,
        ..TransformSettings::default()
    };
    let mut counter = Counter {
        rdkit,
        transformer: Transformer::new(rdkit, rules, settings)?,
        slot: Slot::smallest(PropertySet::NONE),
        seen: HashSet::new(),
        by_rule: vec![Counted::default(); rules.len()],
        sample: RuleSample {
            library: None,
            rows: 0,
            rejected: 0,
            late: 0,
        },
        news,
    };
    match library {
        Some(library) => of_library(library, rows, &mut counter),
        None => of_shipped(rows, &mut counter),
    }?;
    Ok((counter.by_rule, counter.sample))
}

/// Gives the counter the first rows of a library.
fn of_library(library: &Library, rows: u64, counter: &mut Counter<'_>) -> Result<(), CliError> {
    let mut reader = library.reader()?;
    let mut batch = ParentBatch::new();
    while counter.sample.rows < rows {
        let wanted = (rows - counter.sample.rows).min(BATCH_ROWS as u64);
        if !reader.next_batch(&mut batch, wanted as usize)? {
            break;
        }
        for row in batch.iter() {
            let usable = row.fault.is_none();
            counter.row(usable.then_some((row.text, row.kind)))?;
        }
    }
    Ok(())
}

/// Gives it the first rows of the library that molsieve ships.
fn of_shipped(rows: u64, counter: &mut Counter<'_>) -> Result<(), CliError> {
    let mut reader = csv::Reader::from_reader(SHIPPED.as_bytes());
    let records = reader.byte_records().map_while(Result::ok);
    for record in records.take(usize::try_from(rows).unwrap_or(usize::MAX)) {
        counter.row(record.get(1).map(|smiles| (smiles, TextKind::Smiles)))?;
    }
    Ok(())
}

/// Counts what rules make of the rows of a sample.
struct Counter<'a> {
    rdkit: RdKit,
    transformer: Transformer,
    slot: Slot,
    /// Keys of the molecules made so far.
    seen: HashSet<[u64; 2]>,
    by_rule: Vec<Counted>,
    sample: RuleSample,
    news: &'a SyncSender<News>,
}

impl Counter<'_> {
    /// Transforms a row; `None` is one that can't be used.
    fn row(&mut self, text: Option<(&[u8], TextKind)>) -> Result<(), CliError> {
        // Nobody waits for it if the program ends.
        let _ = self.news.send(News::Row(self.sample.rows));
        self.sample.rows += 1;
        let begun = text.map(|(text, kind)| self.begin(text, kind));
        match begun {
            Some(Ok(())) => self.products(),
            Some(Err(_)) | None => self.sample.rejected += 1,
        }
        Ok(())
    }

    fn begin(&mut self, text: &[u8], kind: TextKind) -> Result<(), Rejection> {
        match kind {
            TextKind::Smiles => self.transformer.begin(0, text),
            TextKind::MolBlock => {
                let smiles = self.rdkit.mol_block_to_smiles(text)?;
                self.transformer.begin_mol_block(0, text, smiles.as_bytes())
            }
        }
    }

    /// Makes and counts the products of the current parent.
    fn products(&mut self) {
        let began = Instant::now();
        loop {
            self.slot.clear();
            let parent = self.slot.push_parent(SlotParent::default());
            let parent = parent.expect("an empty slot holds a parent");
            let Ok(progress) = self.transformer.fill(&mut self.slot, parent) else {
                // As in a job, the row is rejected and its products so far count.
                self.sample.rejected += 1;
                break;
            };
            for (sum, more) in self.by_rule.iter_mut().zip(&self.slot.account.by_rule) {
                sum.0 += *more;
            }
            let columns = self.slot.columns();
            for row in 0..self.slot.rows() {
                let is_new = self.seen.insert(Key::of(columns.smiles(row)).words());
                let rule = usize::from(columns.rule[row]);
                self.by_rule[rule].1 += u64::from(is_new);
            }
            if progress == Progress::Finished {
                break;
            }
            if began.elapsed() > ROW_TIME_MAX {
                self.sample.late += 1;
                break;
            }
        }
        self.transformer.end();
    }
}

/// The table, and what is to be said of the sample.
fn text(matches: &[RuleMatches], sample: &RuleSample) -> String {
    const HEAD: [&str; 7] = [
        "rule", "parents", "sites", "products", "distinct", "invalid", "time",
    ];
    let mut rows = vec![HEAD.map(String::from)];
    rows.extend(matches.iter().map(|rule| {
        let time = Duration::from_nanos(rule.nanoseconds).as_secs_f64();
        let [parents, sites, made, distinct, invalid] = [
            rule.parents,
            rule.sites,
            rule.made,
            rule.distinct,
            rule.invalid,
        ]
        .map(count);
        let time = format!("{:.1} ms", time * 1e3);
        [
            rule.rule.clone(),
            parents,
            sites,
            made,
            distinct,
            invalid,
            time,
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 7] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut lines = vec![String::new()];
    for (number, row) in rows.iter().enumerate() {
        let mut text = format!("{:<width$}", row[0], width = widths[0]);
        for (cell, width) in row.iter().zip(widths).skip(1) {
            text += &format!("  {cell:>width$}");
        }
        // The first row is the head.
        let rule = number.checked_sub(1).and_then(|rule| matches.get(rule));
        text += match rule {
            Some(rule) if rule.parents == 0 => "  matches nothing",
            Some(rule) if rule.sites == 0 => "  needs reagents",
            _ => "",
        };
        lines.push(text);
    }
    lines.push(String::new());
    lines.extend(remarks(matches, sample));
    lines.join("\n")
}

fn remarks(matches: &[RuleMatches], sample: &RuleSample) -> Vec<String> {
    let library = match &sample.library {
        Some(library) => library.as_str(),
        None => "the natural products that molsieve ships",
    };
    let mut remarks = vec![format!(
        "{} of {library}, {} of them not usable",
        counted(sample.rows, "row"),
        count(sample.rejected)
    )];
    if sample.late > 0 {
        remarks.push(format!(
            "{} took longer than {} s and {} given up: the counts are too low",
            counted(sample.late, "row"),
            ROW_TIME_MAX.as_secs(),
            if sample.late == 1 { "is" } else { "are" }
        ));
    }
    let capped: u64 = matches.iter().map(|rule| rule.capped).sum();
    if capped > 0 {
        remarks.push(format!(
            "{} not made, because a row gives at most {} here",
            counted(capped, "product"),
            counted(SAMPLE_PRODUCTS_PER_PARENT_MAX.into(), "product")
        ));
    }
    let unmatched: Vec<&str> = matches
        .iter()
        .filter(|rule| rule.parents == 0)
        .map(|rule| rule.rule.as_str())
        .collect();
    if !unmatched.is_empty() {
        let does = if unmatched.len() == 1 {
            "matches"
        } else {
            "match"
        };
        remarks.push(format!(
            "{} of {} {does} nothing: {}",
            count(unmatched.len() as u64),
            counted(matches.len() as u64, "rule"),
            unmatched.join(", ")
        ));
    }
    remarks
}

//! `molsieve diff`.

use std::{
    cell::Cell,
    io::IsTerminal,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use signal_hook::consts::{SIGINT, SIGTERM};

use super::{CliError, Exit, live::Live, say, say_aside, say_json};
use crate::{
    diff::{Comparison, Difference, Share, SideCounts, Standing, Work},
    machine,
    store::plain,
    units::{ByteSize, count, counted},
};

/// The arguments of `diff`.
#[derive(clap::Args, Debug)]
pub(super) struct DiffArgs {
    /// Output directory of a complete job
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Output directory of another one
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Write the rows that only one has to DIR/only-in-a.parquet and DIR/only-in-b.parquet
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    #[command(flatten)]
    sorting: SortingArgs,
    /// Print JSON: one object
    #[arg(long)]
    pub(super) json: bool,
}

/// What a comparison may use.
#[derive(clap::Args, Debug)]
pub(super) struct SortingArgs {
    /// Most resident memory, for example 2GiB [default: half of what there is]
    #[arg(short, long, value_name = "SIZE")]
    memory: Option<ByteSize>,
    /// Threads that sort keys [default: the CPUs this process may use]
    #[arg(short, long, value_name = "N")]
    threads: Option<NonZeroUsize>,
}

impl SortingArgs {
    pub(super) fn memory(&self) -> ByteSize {
        let half = || ByteSize(machine::memory_limit().0 / 2);
        self.memory.unwrap_or_else(half)
    }

    pub(super) fn threads(&self) -> usize {
        self.threads
            .map_or_else(machine::processors, NonZeroUsize::get)
    }
}

/// Time between two lines of progress where there is no live display.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Prints what only one of two outputs has, and writes it if that is wanted.
pub(super) fn diff(args: &DiffArgs) -> Result<Exit, CliError> {
    let (memory, threads) = (args.sorting.memory(), args.sorting.threads());
    let outputs = [args.a.as_path(), args.b.as_path()];
    let comparison = Comparison::open(outputs, args.output.as_deref(), memory, threads)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        let registered = signal_hook::flag::register(signal, Arc::clone(&stop));
        registered.map_err(|error| CliError::Signals(plain(&error)))?;
    }
    let display = Display::new();
    let found = comparison.run(&|standing| {
        display.show(standing);
        !stop.load(Relaxed)
    });
    display.clear();
    let found = found?;
    match args.json {
        true => say_json(&found),
        false => say(&text(&found)),
    }
    Ok(Exit::Done)
}

/// A live display on a terminal, else a line from time to time.
struct Display {
    live: Option<Live>,
    said: Cell<Instant>,
}

impl Display {
    fn new() -> Self {
        let possible = std::io::stderr().is_terminal() && Live::is_possible();
        Self {
            live: possible.then(Live::new),
            said: Cell::new(Instant::now()),
        }
    }

    fn show(&self, standing: Standing) {
        let line = || {
            let what = match standing.work {
                Work::Reading => "keys read",
                Work::Merging => "keys merged",
                Work::Comparing => "keys compared",
                Work::Writing => "rows that only one has read again",
            };
            format!("{} of {} {what}", count(standing.done), count(standing.of))
        };
        if let Some(live) = &self.live {
            live.show(|| (line(), standing.done, standing.of));
        } else if self.said.get().elapsed() >= LINE_EVERY {
            self.said.set(Instant::now());
            say_aside(&line());
        }
    }

    fn clear(&self) {
        if let Some(live) = &self.live {
            live.clear();
        }
    }
}

/// What was found, for people.
fn text(found: &Difference) -> String {
    let mut lines = Vec::new();
    for (name, side) in [("A", &found.a), ("B", &found.b)] {
        let repeats = match side.rows - side.keys {
            0 => String::new(),
            _ => format!(", {}", counted(side.keys, "distinct key")),
        };
        let rows = counted(side.rows, "row");
        lines.push(format!(
            "{name}  {}: {rows}{repeats}",
            side.directory.display()
        ));
    }
    lines.push(format!("  in both    {}", count(found.both)));
    lines.extend(only("A", &found.a));
    lines.extend(only("B", &found.b));
    if let Some([a, b]) = &found.rdkit {
        lines.push(format!(
            "  note       RDKit {a} wrote A and {b} wrote B: they may write one molecule in two ways"
        ));
    }
    lines.join("\n")
}

fn only(name: &str, side: &SideCounts) -> Vec<String> {
    let file = side.file.as_ref().map_or_else(String::new, |file| {
        format!("  → {} ({})", file.path.display(), ByteSize(file.bytes))
    });
    let mut lines = vec![format!("  only in {name}  {}{file}", count(side.only))];
    let share = |share: &Share| format!("{} of {}", count(share.only), count(share.rows));
    let of_steps = side.by_step.iter();
    lines.extend(of_steps.map(|step| format!("    step {}   {}", step.name, share(step))));
    let mut rules: Vec<_> = side.by_rule.iter().filter(|rule| rule.only > 0).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.only));
    let named = rules.iter().take(RULES_NAMED);
    lines.extend(named.map(|rule| format!("    {:<22} {}", rule.name, share(rule))));
    if rules.len() > RULES_NAMED {
        let more = counted((rules.len() - RULES_NAMED) as u64, "more rule");
        lines.push(format!("    and {more}; --json lists all"));
    }
    lines
}

/// Rules that the text lists, those with most rows first.
const RULES_NAMED: usize = 10;

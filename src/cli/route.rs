//! `molsieve route`.

use std::{
    path::PathBuf,
    sync::Mutex,
    time::{Duration, Instant},
};

use super::{CliError, Exit, say, say_aside, say_json};
use crate::{
    route::{Route, Routes},
    units::{count, counted},
};

/// The arguments of `route`.
#[derive(clap::Args, Debug)]
pub(super) struct RouteArgs {
    /// Output directory of a complete run
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The product, in any SMILES
    #[arg(value_name = "SMILES")]
    smiles: String,
    /// Print every shortest way, not only the one that made the row
    ///
    /// Two ways differ if a molecule on them does. The products of each step are made again to find them, which takes as
    /// long as the run.
    #[arg(long)]
    all: bool,
    /// Print JSON, one object per way
    #[arg(long)]
    pub(super) json: bool,
}

/// Time between two lines of progress.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Prints the way from a molecule of the library to a product.
pub(super) fn route(args: &RouteArgs) -> Result<Exit, CliError> {
    let routes = Routes::open(&args.directory)?;
    let found = match args.all {
        true => routes.all(&args.smiles, &progress())?,
        false => vec![routes.first(&args.smiles)?],
    };
    if args.json {
        found.iter().for_each(say_json);
        return Ok(Exit::Done);
    }
    let texts: Vec<_> = found.iter().map(text).collect();
    say(&texts.join("\n\n"));
    if args.all {
        say_aside(&counted(found.len() as u64, "shortest way"));
    }
    Ok(Exit::Done)
}

/// Says from time to time how many rows of a step were looked at.
fn progress() -> impl Fn(u64, u64, u64) + Sync {
    let said = Mutex::new(Instant::now());
    move |step, read, rows| {
        let Ok(mut said) = said.try_lock() else {
            return;
        };
        if said.elapsed() >= LINE_EVERY {
            *said = Instant::now();
            say_aside(&format!(
                "step {step}: {} of {} rows looked at",
                count(read),
                count(rows)
            ));
        }
    }
}

/// A molecule a line, with what made it.
pub(super) fn text(route: &Route) -> String {
    let root = &route.root;
    let mut lines = vec![format!(
        "library  {}  {}, row {}",
        root.smiles, root.id, root.row
    )];
    lines.extend(route.steps.iter().map(|step| {
        let with = step.reagents.iter();
        let with = with.map(|reagent| format!(" + {} ({})", reagent.smiles, reagent.id));
        format!(
            "step {}   {}  {}, site {}{}",
            step.step,
            step.smiles,
            step.rule,
            step.site,
            with.collect::<String>()
        )
    }));
    lines.join("\n")
}

//! `molsieve show`.

mod cells;
mod terminal;

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use cells::Table;

use super::{CliError, Exit, error::DrawError, say, say_aside};
use crate::{
    chem::{
        RdKit,
        draw::{Legends, Pictures},
    },
    filter::Condition,
    key::Key,
    picture::{Painter, grid::Grid},
    pipeline::PrepareError,
    route::Routes,
    show::{FoundRow, Query, Rows},
    store::{NewFile, StoreError},
    table::{product::ProductRow, sink::ColumnNames},
    units::{count, counted},
};

/// The arguments of `show`.
#[derive(clap::Args, Debug)]
pub(super) struct ShowArgs {
    /// Output directory of a complete run, or a Parquet file
    #[arg(value_name = "DIR|FILE")]
    path: PathBuf,
    /// Only products of this rule; repeatable
    #[arg(long, value_name = "NAME")]
    rule: Vec<String>,
    /// Only products of the parent, or of the molecule of the library, with this id; repeatable
    #[arg(long, value_name = "ID")]
    parent: Vec<String>,
    /// Only rows for which a condition holds, as 'mw <= 500'; repeatable
    #[arg(long, value_name = "COND")]
    r#where: Vec<Condition>,
    /// Only products of this step, of a run of several
    #[arg(long, value_name = "K")]
    step: Option<u8>,
    /// The way to this product, in any SMILES, in place of rows
    #[arg(long, value_name = "SMILES", conflicts_with_all = ["rule", "parent", "where", "step", "skip", "columns"])]
    route: Option<String>,
    /// Columns, in this order, such as smiles,parent_id [default: all but keys and row numbers]
    #[arg(long, value_name = "NAME,…")]
    columns: Option<ColumnNames>,
    /// Most rows
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// Leave out the first N of these rows
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    skip: u64,
    /// Draw them: to a file (.svg or .png), or in a terminal that shows pictures
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    draw: Option<Option<PathBuf>>,
    /// Replace the file that --draw names
    #[arg(long, requires = "draw")]
    overwrite: bool,
    /// Print JSON, one object per row
    #[arg(long, conflicts_with = "draw")]
    pub(super) json: bool,
}

/// Most rows that are drawn.
const DRAWN_MAX: usize = 200;

/// Prints or draws rows.
pub(super) fn show(args: &ShowArgs) -> Result<Exit, CliError> {
    if let Some(file) = &args.draw {
        check_target(file.as_deref(), args.overwrite)?;
    }
    if let Some(smiles) = &args.route {
        return route(args, smiles);
    }
    let rdkit = RdKit::initialise().map_err(PrepareError::from)?;
    let rows = Rows::open(&args.path)?;
    let query = Query {
        rules: args.rule.clone(),
        parents: args.parent.clone(),
        step: args.step,
        conditions: args.r#where.clone(),
        skip: args.skip,
        limit: args.limit as usize,
    };
    if let Some(file) = &args.draw {
        return draw_rows(file.as_deref(), &rows, &query, rdkit);
    }
    let mut columns = rows.columns(args.columns.as_ref())?;
    if args.json {
        rows.find(&query, rdkit, |row| {
            say(&cells::json(&row, &columns));
            true
        })?;
        return Ok(Exit::Done);
    }
    if args.columns.is_none() {
        columns.retain(|name| !cells::NOT_SHOWN.contains(&name.as_str()));
    }
    let mut table = Table::new(columns);
    let found = rows.find(&query, rdkit, |row| {
        table.add(&row);
        true
    })?;
    if found > 0 {
        say(&table.text(terminal::width()));
    }
    say_aside(&match found == query.limit {
        true => format!(
            "{} of {}; --limit shows more, --skip later ones",
            count(found as u64),
            counted(rows.number()?, "row")
        ),
        false => counted(found as u64, "row"),
    });
    Ok(Exit::Done)
}

/// Refuses a file that there is, and one of another format.
fn check_target(file: Option<&Path>, overwrite: bool) -> Result<(), CliError> {
    let Some(file) = file else {
        let shows = std::io::stdout().is_terminal() && terminal::Protocol::of_terminal().is_some();
        return match shows {
            true => Ok(()),
            false => Err(DrawError::NoTerminal.into()),
        };
    };
    if format_of(file).is_none() {
        return Err(DrawError::Format(file.into()).into());
    }
    match !overwrite && file.symlink_metadata().is_ok() {
        true => Err(StoreError::Exists(file.into()).into()),
        false => Ok(()),
    }
}

/// A format of pictures.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PictureFormat {
    Svg,
    Png,
}

fn format_of(file: &Path) -> Option<PictureFormat> {
    let extension = file.extension()?.to_str()?;
    match extension.to_ascii_lowercase().as_str() {
        "svg" => Some(PictureFormat::Svg),
        "png" => Some(PictureFormat::Png),
        _ => None,
    }
}

/// Prints or draws the way to a product.
fn route(args: &ShowArgs, smiles: &str) -> Result<Exit, CliError> {
    let routes = Routes::open(&args.path)?;
    let route = routes.first(smiles)?;
    let Some(file) = &args.draw else {
        match args.json {
            true => super::say_json(&route),
            false => say(&super::route::text(&route)),
        }
        return Ok(Exit::Done);
    };
    let rdkit = RdKit::initialise().map_err(PrepareError::from)?;
    let mut painter = painter(rdkit, &Rows::open(&args.path)?);
    let (mut parent_smiles, mut parent_id) = (route.root.smiles.clone(), route.root.id.clone());
    let mut pictures = Vec::new();
    for step in route.steps {
        let legend = format!("{}, site {}", step.rule, step.site);
        let made = ProductRow {
            key: Key::of(step.smiles.as_bytes()),
            smiles: step.smiles.clone(),
            step: step.step,
            rule: step.rule,
            site: step.site,
            parent_row: route.root.row,
            parent_id: std::mem::replace(&mut parent_id, format!("step {}", step.step)),
            parent_smiles: std::mem::replace(&mut parent_smiles, step.smiles),
            root_id: None,
            reagents: step.reagents,
        };
        let legends = Legends {
            product: &legend,
            parent: &made.parent_id,
        };
        let drawn = painter.draw(&made.smiles, Some(&made), legends);
        pictures.push(drawn.map_err(DrawError::Undrawn)?);
    }
    put(file.as_deref(), pictures, 1)
}

fn painter(rdkit: RdKit, rows: &Rows) -> Painter {
    match rows.run() {
        Some((directory, manifest)) => Painter::of_run(rdkit, directory, manifest),
        None => Painter::without_rules(rdkit),
    }
}

fn draw_rows(
    file: Option<&Path>,
    rows: &Rows,
    query: &Query,
    rdkit: RdKit,
) -> Result<Exit, CliError> {
    if query.limit > DRAWN_MAX {
        return Err(DrawError::TooMany(DRAWN_MAX).into());
    }
    let mut painter = painter(rdkit, rows);
    if let Some(fault) = &painter.fault {
        say_aside(&format!(
            "changed atoms are not highlighted, because the rules can't be read: {fault}"
        ));
    }
    let (mut pictures, mut has_molecules) = (Vec::new(), true);
    rows.find(query, rdkit, |row| {
        has_molecules = cells::text_of(&row, "smiles").is_some();
        pictures.extend(draw_row(&mut painter, &row));
        has_molecules
    })?;
    if !has_molecules {
        return Err(DrawError::NoMolecules.into());
    }
    let columns = if pictures.len() > 3 { 2 } else { 1 };
    put(file, pictures, columns)
}

/// Pictures of a row with a molecule. Says why if RDKit can't draw it.
fn draw_row(painter: &mut Painter, row: &FoundRow) -> Option<Pictures> {
    let smiles = cells::text_of(row, "smiles")?;
    let id = cells::text_of(row, "parent_id").unwrap_or_default();
    let (product, parent) = match &row.product {
        Some(product) => (format!("{}, site {}", product.rule, product.site), id),
        None if id.is_empty() => (format!("row {}", count(row.number)), id),
        None => (id, String::new()),
    };
    let legends = Legends {
        product: &product,
        parent: &parent,
    };
    let drawn = painter.draw(&smiles, row.product.as_ref(), legends);
    drawn
        .inspect_err(|reason| say_aside(&format!("row {}: not drawn: {reason}", count(row.number))))
        .ok()
}

/// Writes pictures to a file or to the terminal.
fn put(file: Option<&Path>, pictures: Vec<Pictures>, columns: usize) -> Result<Exit, CliError> {
    let drawn = counted(pictures.len() as u64, "row");
    if pictures.is_empty() {
        say_aside("no row to draw");
        return Ok(Exit::Done);
    }
    let grid = Grid::new(pictures, columns);
    let png = || grid.png().ok_or(DrawError::TooMany(DRAWN_MAX / 2));
    let Some(file) = file else {
        terminal::print_png(&png()?);
        return Ok(Exit::Done);
    };
    let content = match format_of(file) {
        Some(PictureFormat::Png) => png()?,
        _ => grid.svg().into_bytes(),
    };
    let mut out = NewFile::replace(file)?;
    std::io::Write::write_all(&mut out, &content)
        .map_err(|error| StoreError::io(file, "write", &error))?;
    out.publish()?;
    say(&format!("{}: {drawn} drawn", file.display()));
    Ok(Exit::Done)
}

//! Pictures of some rows, each beside the parent that it was made of.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    HTML_BYTES_MAX, Watch, properties,
    sample::{Sample, SampleRow},
};
use crate::{
    chem::{RdKit, draw::Legends},
    picture::Painter,
    report::manifest::Manifest,
    table::product::Reagent,
};

/// Most rows that are shown of a run.
pub(super) const SHOWN_MAX: usize = 240;
/// Most bytes of the pictures of all runs. Embedded they are a tenth larger, and the page has other things too.
pub(super) const PICTURE_BYTES_MAX: usize = HTML_BYTES_MAX / 10 * 7;
/// Most bytes of one picture: of larger molecules there is none.
const ONE_PICTURE_BYTES_MAX: usize = 96 << 10;
/// A row with its pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Structure {
    /// Number of the row, 0-based over all parts; `None` for one of two runs.
    pub row: Option<u64>,
    /// The step that made it, from 1.
    pub step: u64,
    /// The rule that made it; none in a run without rules.
    pub rule: Option<String>,
    /// Index of the match among the rule's matches.
    pub site: Option<u16>,
    /// The product, or the molecule of a run without rules.
    pub smiles: String,
    /// 0-based row of the parent in the step before, or in the library.
    pub parent_row: Option<u64>,
    /// The parent's id, or that of the row of the library.
    pub parent_id: String,
    /// The parent.
    pub parent_smiles: Option<String>,
    /// In a run of several steps: the id of the molecule of the library.
    pub root_id: Option<String>,
    /// The reagents.
    pub reagents: Vec<Reagent>,
    /// Properties by name.
    pub properties: BTreeMap<&'static str, f64>,
    /// RDKit's picture.
    pub svg: String,
    /// That of the parent.
    pub parent_svg: Option<String>,
    /// Whether what the rule has changed is highlighted.
    pub highlighted: bool,
    /// Of two runs, the one that alone has this molecule: `a` or `b`.
    pub only: Option<&'static str>,
}

impl Structure {
    /// Draws a row; `None` if RDKit can't, or only at great length.
    fn draw(painter: &mut Painter, row: &SampleRow) -> Option<Self> {
        let product = row.product.as_ref();
        let pictures = painter
            .draw(&row.smiles, product, Legends::default())
            .ok()?;
        let largest = pictures.parent.as_ref().map_or(0, String::len);
        if largest.max(pictures.product.len()) > ONE_PICTURE_BYTES_MAX {
            return None;
        }
        let properties = row.properties.iter();
        Some(Self {
            row: Some(row.number),
            step: product.map_or(1, |product| product.step),
            rule: product.map(|product| product.rule.clone()),
            site: product.map(|product| product.site),
            smiles: row.smiles.clone(),
            parent_row: product.map(|product| product.parent_row),
            parent_id: row.id.clone(),
            parent_smiles: product.map(|product| product.parent_smiles.clone()),
            root_id: product.and_then(|product| product.root_id.clone()),
            reagents: product.map_or_else(Vec::new, |product| product.reagents.clone()),
            properties: properties.map(|(of, value)| (of.name(), *value)).collect(),
            svg: pictures.product,
            parent_svg: pictures.parent,
            highlighted: pictures.highlighted,
            only: None,
        })
    }
}

/// Draws some rows of a sample: of each rule in turn, in the order of steps and rules; without rules, at even distances. At
/// most `bytes_max` of pictures.
pub(super) fn draw(
    rdkit: RdKit,
    painter: &mut Painter,
    (sample, manifest): (&Sample, &Manifest),
    bytes_max: usize,
    watch: &Watch<'_>,
) -> Vec<Structure> {
    let mut rows = chosen(sample, manifest);
    properties::complete(rdkit, &mut rows);
    let mut bytes = 0;
    let mut shown = Vec::new();
    for (drawn, row) in (1..).zip(&rows) {
        let Some(structure) = Structure::draw(painter, row) else {
            continue;
        };
        watch(drawn, rows.len() as u64);
        bytes += structure.svg.len() + structure.parent_svg.as_ref().map_or(0, String::len);
        if bytes > bytes_max {
            break;
        }
        shown.push(structure);
    }
    shown
}

/// The rows to show.
fn chosen(sample: &Sample, manifest: &Manifest) -> Vec<SampleRow> {
    if sample.by_rule.is_empty() || manifest.rules == 0 {
        let wanted = sample.even.len().min(SHOWN_MAX);
        let places = (0..wanted).map(|i| i * sample.even.len() / wanted);
        return places.map(|place| sample.even[place].clone()).collect();
    }
    let place_of = |rule: &str| {
        manifest
            .by_rule
            .iter()
            .position(|counts| counts.name == rule)
    };
    let mut groups: Vec<_> = sample.by_rule.iter().collect();
    groups.sort_by_key(|((step, rule), _)| (*step, place_of(rule)));
    // Of more rules than can be shown, some at even distances.
    if groups.len() > SHOWN_MAX {
        let all = groups.len();
        groups = (0..SHOWN_MAX)
            .map(|i| groups[i * all / SHOWN_MAX])
            .collect();
    }
    let mut rows = Vec::new();
    for round in 0.. {
        let of_round = groups.iter().filter_map(|(_, rows)| rows.get(round));
        let before = rows.len();
        rows.extend(of_round.take(SHOWN_MAX - before).cloned());
        if rows.len() == before {
            break;
        }
    }
    rows
}

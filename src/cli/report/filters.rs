//! The lines of the summary on filters and stereoisomers.

use crate::{
    report::manifest::{FilterCounts, Manifest},
    units::{count, counted},
};

/// Filters that a line names.
const FILTERS_NAMED: usize = 5;

/// What filters left out, and what stereoisomers replaced.
pub(super) fn lines(manifest: &Manifest) -> Vec<String> {
    let mut lines = Vec::new();
    if !manifest.by_filter.is_empty() {
        lines.push(format!("  filtered   {}", by_filter(&manifest.by_filter)));
    }
    if let Some(drops) = &manifest.drops {
        let what = count(drops.rows);
        lines.push(format!(
            "  dropped    drops.parquet has {what} of what was left out, with the reasons"
        ));
    }
    let counts = &manifest.counts;
    if counts.products_expanded > 0 {
        let more = match counts.products_expanded_in_part {
            0 => String::new(),
            n => format!("; {} have more than --expand-stereo allows", count(n)),
        };
        lines.push(format!(
            "  stereo     {} with open centres replaced by their stereoisomers{more}",
            counted(counts.products_expanded, "product"),
        ));
    }
    lines
}

fn by_filter(filters: &[FilterCounts]) -> String {
    let left_out: u64 = filters.iter().map(|filter| filter.left_out).sum();
    let named = filters.iter().take(FILTERS_NAMED);
    let named = named.map(|filter| format!("{} {}", filter.filter, count(filter.left_out)));
    let more = match filters.len().saturating_sub(FILTERS_NAMED) {
        0 => String::new(),
        n => format!(
            ", and {}; see by_filter in manifest.json",
            counted(n as u64, "more filter")
        ),
    };
    let named: Vec<_> = named.collect();
    format!("{} left out: {}{more}", count(left_out), named.join(", "))
}

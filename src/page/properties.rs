//! Histograms of the properties of a sample.

use serde::Serialize;

use super::sample::SampleRow;
use crate::{
    chem::{RdKit, draw},
    property::{Property, PropertyKind, PropertySet},
};

/// Rows whose properties are computed, of a run that has no columns of them.
const COMPUTED_ROWS_MAX: usize = 2_048;
/// The properties that are computed then.
const COMPUTED: [Property; 8] = [
    Property::Mw,
    Property::Clogp,
    Property::Tpsa,
    Property::Hbd,
    Property::Hba,
    Property::RotatableBonds,
    Property::FractionCsp3,
    Property::StereoCentres,
];
/// Bins of a histogram.
const BINS: usize = 24;

/// How a property is distributed over a sample.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// The property, as its column is called.
    pub name: &'static str,
    /// What it is.
    pub meaning: &'static str,
    /// Whether the report has computed it; else it is from the run's column.
    pub computed: bool,
    /// Rows with a value.
    pub rows: u64,
    /// The least value.
    pub min: f64,
    /// The largest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// The median.
    pub median: f64,
    /// Ranges, each without its end, and how many rows each has.
    pub bins: Vec<Bin>,
}

/// A range of values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Its beginning.
    pub from: f64,
    /// Its end.
    pub to: f64,
    /// Rows.
    pub count: u64,
}

/// Adds properties that the run has no columns of to rows. Those that RDKit can't read get none.
pub(super) fn complete(rdkit: RdKit, rows: &mut [SampleRow]) {
    let set: PropertySet = COMPUTED.into_iter().collect();
    for row in rows.iter_mut().filter(|row| row.properties.is_empty()) {
        let values = draw::describe(rdkit, &row.smiles, set);
        let values = values.into_iter().flatten();
        row.properties = set.iter().zip(values).collect();
    }
}

/// The histograms of a sample.
pub(super) fn histograms(rdkit: RdKit, rows: &[SampleRow]) -> Vec<Histogram> {
    let computed = rows.iter().all(|row| row.properties.is_empty());
    if !computed {
        return of_rows(rows, false);
    }
    let step = rows.len().div_ceil(COMPUTED_ROWS_MAX).max(1);
    let mut some: Vec<_> = rows.iter().step_by(step).cloned().collect();
    complete(rdkit, &mut some);
    of_rows(&some, true)
}

fn of_rows(rows: &[SampleRow], computed: bool) -> Vec<Histogram> {
    let of_property = |property: Property| {
        let values = rows.iter().flat_map(|row| &row.properties);
        let values = values.filter(|(of, value)| *of == property && value.is_finite());
        let values: Vec<f64> = values.map(|(_, value)| *value).collect();
        histogram(property, values, computed)
    };
    Property::ALL.into_iter().filter_map(of_property).collect()
}

fn histogram(property: Property, mut values: Vec<f64>, computed: bool) -> Option<Histogram> {
    values.sort_by(f64::total_cmp);
    let (min, max) = (*values.first()?, *values.last()?);
    let is_whole = property.kind() != PropertyKind::Real;
    let middle = values.len() / 2;
    let median = match values.len().is_multiple_of(2) {
        true => f64::midpoint(values[middle - 1], values[middle]),
        false => values[middle],
    };
    Some(Histogram {
        name: property.name(),
        meaning: property.meaning(),
        computed,
        rows: values.len() as u64,
        min,
        max,
        mean: values.iter().sum::<f64>() / values.len() as f64,
        median,
        bins: bins(&values, (min, max), is_whole),
    })
}

/// Bins over sorted values: of equal width, with round ends.
fn bins(values: &[f64], (min, max): (f64, f64), is_whole: bool) -> Vec<Bin> {
    let width = round_width((max - min) / BINS as f64);
    let width = if is_whole {
        width.max(1.0).ceil()
    } else {
        width
    };
    // A value that is the beginning of a bin is in it, whatever the rounding of the quotient.
    let place = |value: f64| (value / width + 1e-9).floor();
    let first = place(min);
    let number = (place(max) - first) as usize + 1;
    let mut bins: Vec<Bin> = (0..number)
        .map(|i| Bin {
            from: (first + i as f64) * width,
            to: (first + i as f64 + 1.0) * width,
            count: 0,
        })
        .collect();
    for value in values {
        bins[(place(*value) - first) as usize].count += 1;
    }
    bins
}

/// The next number of the form 1, 2 or 5 times a power of ten.
fn round_width(least: f64) -> f64 {
    if least <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    steps
        .into_iter()
        .find(|width| *width >= least)
        .unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_have_round_ends_and_every_value_is_in_one() {
        let values = [150.2, 151.0, 180.5, 399.99, 400.0];
        let bins = bins(&values, (150.2, 400.0), false);
        assert_eq!((bins[0].from, bins[0].to), (140.0, 160.0));
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<u64>(), 5);
        assert_eq!(
            bins.last().map(|bin| (bin.from, bin.count)),
            Some((400.0, 1))
        );
        assert!(bins.windows(2).all(|pair| pair[0].to == pair[1].from));
    }

    #[test]
    fn whole_numbers_have_bins_of_their_own() {
        let found = histogram(Property::Charge, vec![-1.0, 0.0, 0.0, 2.0], false);
        let found = found.expect("there are values");
        let bins: Vec<_> = found.bins.iter().map(|bin| (bin.from, bin.count)).collect();
        assert_eq!(bins, [(-1.0, 1), (0.0, 2), (1.0, 0), (2.0, 1)]);
        assert_eq!((found.median, found.mean), (0.0, 0.25));
        let one = histogram(Property::Rings, vec![3.0; 5], false).expect("there are values");
        assert_eq!(one.bins.len(), 1);
        assert_eq!(histogram(Property::Mw, Vec::new(), true), None);
    }
}

//! A sample of the rows of parts. Its size, and what is read for it, do not grow with the run.
//!
//! Of up to [`ROW_GROUPS_MAX`] row groups, spread evenly over the parts, it has rows at even distances, and of each rule and
//! step the rows whose numbers have the least hashes, so that a rule with few products is seen too. The same output always
//! gives the same sample.

use std::{
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    path::PathBuf,
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Schema, UInt8Type, UInt16Type},
};
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use serde::Serialize;

use crate::{
    property::Property,
    table::{
        part::{Part, PartError, Reading},
        product::{ProductRow, property_value},
    },
};

/// Row groups that are read at most.
const ROW_GROUPS_MAX: usize = 128;
/// Rows at even distances.
const ROWS_MAX: u64 = 8_192;
/// Rows of a rule in a step that may be shown.
const ROWS_OF_RULE_MAX: usize = 240;
/// Most such rows in all, so that many rules have few each.
const CANDIDATES_MAX: usize = 8_192;

/// How large a sample is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SampleSize {
    /// Rows at even distances, from which histograms are made.
    pub rows: u64,
    /// Rows of the run.
    pub of: u64,
    /// Row groups that were read.
    pub row_groups: u64,
    /// Row groups of the run.
    pub of_row_groups: u64,
}

/// A row of a sample.
#[derive(Clone, Debug)]
pub(super) struct SampleRow {
    /// 0-based, over all parts.
    pub number: u64,
    pub smiles: String,
    /// Of the parent or the row of the library.
    pub id: String,
    /// In a job with rules: what it was made of.
    pub product: Option<ProductRow>,
    /// By property, if the run has a column for it.
    pub properties: Vec<(Property, f64)>,
}

/// A sample, in the order of the rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub size: SampleSize,
    /// Those at even distances.
    pub even: Vec<SampleRow>,
    /// By step and rule: rows to show, in the order of their hashes.
    pub by_rule: BTreeMap<(u64, String), Vec<SampleRow>>,
}

/// A row group that is read.
struct Group {
    part: usize,
    number: usize,
    /// Of all rows, the number of its first one; and how many it has.
    first: u64,
    rows: u64,
}

/// Reads a sample of parts. `key_column`: that of a job with rules.
pub(super) fn read(
    parts: &[PathBuf],
    key_column: Option<&'static str>,
) -> Result<Sample, PartError> {
    let (groups, mut size) = groups(parts)?;
    let rows: u64 = groups.iter().map(|group| group.rows).sum();
    let wanted = rows.min(ROWS_MAX);
    let even = (0..wanted).map(|i| (u128::from(i) * u128::from(rows) / u128::from(wanted)) as u64);
    let even: BTreeSet<u64> = numbers(&groups, even).collect();
    let candidates = candidates(parts, &groups)?;
    let mut all: BTreeSet<u64> = even.clone();
    all.extend(candidates.values().flatten());
    let mut read = BTreeMap::new();
    for group in &groups {
        let of_group = all.range(group.first..group.first + group.rows);
        let of_group: Vec<u64> = of_group.copied().collect();
        read_group(&parts[group.part], group, &of_group, key_column, &mut read)?;
    }
    size.rows = even.len() as u64;
    let rows_of = |numbers: &mut dyn Iterator<Item = u64>| -> Vec<SampleRow> {
        numbers
            .filter_map(|number| read.get(&number).cloned())
            .collect()
    };
    Ok(Sample {
        size,
        by_rule: candidates
            .into_iter()
            .map(|(made_by, numbers)| (made_by, rows_of(&mut numbers.into_iter())))
            .collect(),
        even: rows_of(&mut even.into_iter()),
    })
}

/// The row groups to read.
fn groups(parts: &[PathBuf]) -> Result<(Vec<Group>, SampleSize), PartError> {
    let mut groups = Vec::new();
    let mut first = 0;
    for (part, path) in parts.iter().enumerate() {
        for (number, group) in Part::open(path)?.row_groups().iter().enumerate() {
            let rows = group.num_rows().max(0) as u64;
            groups.push(Group {
                part,
                number,
                first,
                rows,
            });
            first += rows;
        }
    }
    let all = groups.len();
    if all > ROW_GROUPS_MAX {
        let kept: BTreeSet<usize> = (0..ROW_GROUPS_MAX)
            .map(|i| i * all / ROW_GROUPS_MAX)
            .collect();
        let mut number = 0;
        groups.retain(|_| {
            number += 1;
            kept.contains(&(number - 1))
        });
    }
    let size = SampleSize {
        rows: 0,
        of: first,
        row_groups: groups.len() as u64,
        of_row_groups: all as u64,
    };
    Ok((groups, size))
}

/// The numbers, over all parts, of rows that are numbered over the groups alone, in ascending order.
fn numbers(groups: &[Group], of_groups: impl Iterator<Item = u64>) -> impl Iterator<Item = u64> {
    let (mut group, mut before) = (0, 0);
    of_groups.map(move |number| {
        while number >= before + groups[group].rows {
            before += groups[group].rows;
            group += 1;
        }
        groups[group].first + number - before
    })
}

/// By step and rule, the numbers of the rows with the least hashes, in the order of these.
fn candidates(
    parts: &[PathBuf],
    groups: &[Group],
) -> Result<BTreeMap<(u64, String), Vec<u64>>, PartError> {
    let mut least: BTreeMap<(u64, String), BinaryHeap<(u64, u64)>> = BTreeMap::new();
    let mut rules_of_part = None;
    for group in groups {
        let part = Part::open(&parts[group.part])?;
        let has_rules = *rules_of_part.get_or_insert_with(|| has_rules(part.schema()));
        if !has_rules {
            continue;
        }
        let reading = Reading {
            row_group: Some(group.number),
            columns: Some(&["rule", "step"]),
            rows_at_a_time: 8_192,
            ..Reading::default()
        };
        let mut number = group.first;
        for batch in part.batches(reading)? {
            let batch = batch?;
            for (made_by, rows) in rows_by_rule(&batch) {
                let heap = least.entry(made_by).or_default();
                for row in rows {
                    let item = (hash(number + row), number + row);
                    if heap.len() < ROWS_OF_RULE_MAX {
                        heap.push(item);
                    } else if heap.peek().is_some_and(|most| item < *most) {
                        heap.pop();
                        heap.push(item);
                    }
                }
            }
            number += batch.num_rows() as u64;
        }
    }
    let each = (CANDIDATES_MAX / least.len().max(1)).max(1);
    let sorted = least.into_iter().map(|(made_by, heap)| {
        let items = heap.into_sorted_vec().into_iter().take(each);
        (made_by, items.map(|(_, number)| number).collect())
    });
    Ok(sorted.collect())
}

fn has_rules(schema: &Schema) -> bool {
    let rule = schema.field_with_name("rule");
    rule.is_ok_and(|field| matches!(field.data_type(), DataType::Dictionary(..)))
}

/// By step and rule, the rows of a batch.
fn rows_by_rule(batch: &RecordBatch) -> BTreeMap<(u64, String), Vec<u64>> {
    let mut by_rule: BTreeMap<(u64, u16), Vec<u64>> = BTreeMap::new();
    let rules = batch.column_by_name("rule");
    let Some(rules) = rules.and_then(|rules| rules.as_dictionary_opt::<UInt16Type>()) else {
        return BTreeMap::new();
    };
    let Some(names) = rules.values().as_string_opt::<i32>() else {
        return BTreeMap::new();
    };
    let steps = batch.column_by_name("step");
    let steps = steps.and_then(|steps| steps.as_primitive_opt::<UInt8Type>());
    for (row, rule) in (0..).zip(rules.keys()) {
        let step = steps.map_or(1, |steps| steps.value(row as usize).into());
        by_rule
            .entry((step, rule.unwrap_or_default()))
            .or_default()
            .push(row);
    }
    let named = by_rule.into_iter().map(|((step, rule), rows)| {
        let name = names
            .is_valid(rule.into())
            .then(|| names.value(rule.into()));
        ((step, name.unwrap_or_default().to_owned()), rows)
    });
    named.collect()
}

/// SplitMix64's finaliser: numbers that follow each other have hashes that are far apart.
fn hash(number: u64) -> u64 {
    let mut hash = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Reads rows of a group, whose numbers are given in ascending order.
fn read_group(
    path: &std::path::Path,
    group: &Group,
    numbers: &[u64],
    key_column: Option<&'static str>,
    into: &mut BTreeMap<u64, SampleRow>,
) -> Result<(), PartError> {
    if numbers.is_empty() {
        return Ok(());
    }
    let part = Part::open(path)?;
    let mut selectors = Vec::new();
    let mut at = group.first;
    for number in numbers {
        selectors.push(RowSelector::skip((number - at) as usize));
        selectors.push(RowSelector::select(1));
        at = number + 1;
    }
    selectors.push(RowSelector::skip((group.first + group.rows - at) as usize));
    let columns = columns(part.schema(), key_column);
    let reading = Reading {
        row_group: Some(group.number),
        columns: Some(&columns),
        selection: Some(RowSelection::from(selectors)),
        ..Reading::default()
    };
    let mut numbers = numbers.iter();
    for batch in part.batches(reading)? {
        let batch = batch?;
        for (row, number) in (0..batch.num_rows()).zip(numbers.by_ref()) {
            let sampled = sample_row(&batch, row, *number, key_column);
            let sampled = sampled.ok_or_else(|| part.damaged("it is no part of this run"))?;
            into.insert(*number, sampled);
        }
    }
    Ok(())
}

/// The columns that are read.
fn columns(schema: &Schema, key_column: Option<&'static str>) -> Vec<&'static str> {
    let of_products = [
        "smiles",
        "parent_row",
        "parent_id",
        "parent_smiles",
        "rule",
        "site",
        "step",
        "root_id",
        "reagent_ids",
        "reagent_smiles",
    ];
    let properties = Property::ALL.into_iter().map(Property::name);
    let all = of_products.into_iter().chain(key_column).chain(properties);
    all.filter(|name| schema.field_with_name(name).is_ok())
        .collect()
}

fn sample_row(
    batch: &RecordBatch,
    row: usize,
    number: u64,
    key_column: Option<&'static str>,
) -> Option<SampleRow> {
    let text = |name: &str| {
        let column = batch.column_by_name(name)?.as_string_opt::<i32>()?;
        column.is_valid(row).then(|| column.value(row).to_owned())
    };
    let product = match key_column {
        Some(key_column) => Some(ProductRow::of(batch, row, key_column)?),
        None => None,
    };
    let value = |property| Some((property, property_value(batch, property, row)?));
    Some(SampleRow {
        number,
        smiles: text("smiles")?,
        id: text("parent_id").unwrap_or_default(),
        product,
        properties: Property::ALL.into_iter().filter_map(value).collect(),
    })
}

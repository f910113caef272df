//! A row of a part: a product, and what it was made of.

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Float64Type, Int16Type, UInt8Type, UInt16Type, UInt64Type},
};

use crate::{key::Key, property::Property};

/// A row of a part of a job with rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProductRow {
    /// Its key.
    pub key: Key,
    /// The product.
    pub smiles: String,
    /// The step that made it, from 1.
    pub step: u64,
    /// The rule that made it.
    pub rule: String,
    /// Index of the match among the rule's matches.
    pub site: u16,
    /// 0-based row of the parent in the step before, or in the library.
    pub parent_row: u64,
    /// The parent's id, or its row number.
    pub parent_id: String,
    /// The parent, as read.
    pub parent_smiles: String,
    /// In a job of several steps: the id of the molecule of the library.
    pub root_id: Option<String>,
    /// The reagents, if the rule has several reactants.
    pub reagents: Vec<Reagent>,
}

/// A reagent of a row.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Reagent {
    /// Its id, or its row number in its set.
    pub id: String,
    /// Its SMILES as read.
    pub smiles: String,
}

impl ProductRow {
    /// Row number `row` of a batch with the columns of a job with rules; `None`: they are not those.
    pub fn of(batch: &RecordBatch, row: usize, key_column: &str) -> Option<Self> {
        let column = |name: &str| {
            batch
                .column_by_name(name)
                .filter(|column| column.is_valid(row))
        };
        let text = |name| Some(column(name)?.as_string_opt::<i32>()?.value(row).to_owned());
        let rules = column("rule")?.as_dictionary_opt::<UInt16Type>()?;
        let rule = rules
            .values()
            .as_string_opt::<i32>()?
            .value(rules.key(row)?);
        let key = column(key_column)?.as_fixed_size_binary_opt()?.value(row);
        let step = match batch.column_by_name("step") {
            Some(steps) => steps.as_primitive_opt::<UInt8Type>()?.value(row),
            None => 1,
        };
        Some(Self {
            key: Key::from(*key.first_chunk()?),
            smiles: text("smiles")?,
            step: step.into(),
            rule: rule.to_owned(),
            site: column("site")?.as_primitive_opt::<UInt16Type>()?.value(row),
            parent_row: column("parent_row")?
                .as_primitive_opt::<UInt64Type>()?
                .value(row),
            parent_id: text("parent_id")?,
            parent_smiles: text("parent_smiles")?,
            root_id: text("root_id"),
            reagents: reagents(batch, row)?,
        })
    }
}

/// The reagents of a row; none if the job has no such columns.
fn reagents(batch: &RecordBatch, row: usize) -> Option<Vec<Reagent>> {
    let texts = |name: &str| -> Option<Vec<String>> {
        let Some(column) = batch.column_by_name(name) else {
            return Some(Vec::new());
        };
        let items = column.as_list_opt::<i32>()?.value(row);
        let items = items.as_string_opt::<i32>()?;
        items.iter().map(|item| item.map(str::to_owned)).collect()
    };
    let (ids, smiles) = (texts("reagent_ids")?, texts("reagent_smiles")?);
    let pairs = ids.into_iter().zip(smiles);
    Some(pairs.map(|(id, smiles)| Reagent { id, smiles }).collect())
}

/// The value of a property of a row, if there is a column of its type.
pub fn property_value(batch: &RecordBatch, property: Property, row: usize) -> Option<f64> {
    let column = batch.column_by_name(property.name());
    let column = column.filter(|column| column.is_valid(row))?;
    match column.data_type() {
        DataType::Float64 => Some(column.as_primitive::<Float64Type>().value(row)),
        DataType::UInt16 => Some(column.as_primitive::<UInt16Type>().value(row).into()),
        DataType::Int16 => Some(column.as_primitive::<Int16Type>().value(row).into()),
        _ => None,
    }
}

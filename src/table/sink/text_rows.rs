//! Rows as text: lines of SMILES, records of CSV, records of SDF. `docs/formats.md` has the layouts.

use arrow::{array::RecordBatch, datatypes::Schema};

use super::{
    cells::{Cells, text_bytes},
    error::SinkError,
    format::{Coordinates, REAGENT_IDS, RowName, TextKind, column_place, places},
    part_settings::PartSettings,
};
use crate::{chem::RdKit, limits::MOL_BLOCK_BYTES_PER_SMILES_BYTE};

/// Hex digits of a key in a name. Products of one parent, rule and site are few.
const KEY_DIGITS: usize = 16;
/// The mol block of a molecule for which RDKit makes none.
const EMPTY_BLOCK: &str = "\n     molsieve\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n";

/// How rows of a schema become text.
pub(super) struct TextForm {
    kind: TextKind,
    /// The columns that are written, with their names.
    columns: Vec<(usize, String)>,
    smiles: usize,
    /// What the name of a row is made of: columns, reagents after the first, the key last.
    named_by: Vec<usize>,
    reagents: Option<usize>,
    key: Option<usize>,
    /// For mol blocks.
    rdkit: Option<RdKit>,
    depict: bool,
}

impl TextForm {
    /// The form of rows of a schema.
    pub(super) fn new(
        kind: TextKind,
        settings: &PartSettings,
        schema: &Schema,
    ) -> Result<Self, SinkError> {
        let wanted_by = format!("--format {}", settings.format);
        let place = |name: &str| column_place(schema, name, &wanted_by);
        let written = places(schema, settings.columns.as_ref())?;
        let mut form = Self {
            kind,
            columns: (written.into_iter())
                .map(|place| (place, schema.field(place).name().clone()))
                .collect(),
            smiles: 0,
            named_by: Vec::new(),
            reagents: None,
            key: None,
            rdkit: None,
            depict: settings.coordinates == Coordinates::All,
        };
        if kind == TextKind::Csv {
            return Ok(form);
        }
        form.smiles = place("smiles")?;
        let names = settings.row_name.columns().iter();
        let names = names.filter(|name| **name != REAGENT_IDS);
        form.named_by = names.map(|name| place(name)).collect::<Result<_, _>>()?;
        if settings.row_name != RowName::Parent {
            form.key = Some(place(settings.key_column)?);
            form.reagents = place(REAGENT_IDS).ok();
        }
        if kind == TextKind::Sdf {
            let rdkit = RdKit::initialise();
            form.rdkit = Some(rdkit.map_err(|error| SinkError::MolBlocks(error.to_string()))?);
        }
        Ok(form)
    }

    /// What a file begins with.
    pub(super) fn header(&self) -> String {
        let mut header = String::new();
        if self.kind == TextKind::Csv {
            for (place, (_, name)) in self.columns.iter().enumerate() {
                push_field(&mut header, place, Some(name));
            }
            header.push('\n');
        }
        header
    }

    /// About how many bytes of text rows take; what they take in most cases is less.
    pub(super) fn text_bytes(&self, rows: &RecordBatch) -> usize {
        let of = |place: &usize| text_bytes(rows.column(*place));
        let columns = || {
            let columns = self.columns.iter();
            columns.map(|(place, name)| (of(place), name.len()))
        };
        let names = || {
            let parts = self.named_by.iter().chain(&self.reagents).chain(&self.key);
            parts.map(of).sum::<usize>() + 6 * rows.num_rows()
        };
        match self.kind {
            TextKind::Csv => columns()
                .map(|(bytes, _)| bytes + 3 * rows.num_rows())
                .sum(),
            TextKind::Smi => of(&self.smiles) + names(),
            TextKind::Sdf => {
                let items = columns().map(|(bytes, name)| bytes + (name + 10) * rows.num_rows());
                let blocks =
                    MOL_BLOCK_BYTES_PER_SMILES_BYTE * of(&self.smiles) + 128 * rows.num_rows();
                blocks + names() + items.sum::<usize>()
            }
        }
    }

    /// Appends the text of rows. Returns how many have no mol block although they should have one.
    pub(super) fn write(&self, rows: &RecordBatch, text: &mut String) -> Result<u64, SinkError> {
        let columns = rows.columns();
        let cells = match self.kind {
            TextKind::Smi => Vec::new(),
            _ => self
                .columns
                .iter()
                .map(|(place, name)| Ok((Cells::of(&columns[*place])?, name.as_str())))
                .collect::<Result<_, SinkError>>()?,
        };
        if self.kind == TextKind::Csv {
            write_csv(&cells, rows.num_rows(), text)?;
            return Ok(0);
        }
        let all = |places: &[usize]| -> Result<Vec<_>, SinkError> {
            let cells = places.iter().map(|place| Cells::of(&columns[*place]));
            cells.collect()
        };
        let names = Names {
            named_by: all(&self.named_by)?,
            reagents: self
                .reagents
                .map(|place| Cells::of(&columns[place]))
                .transpose()?,
            key: self
                .key
                .map(|place| Cells::of(&columns[place]))
                .transpose()?,
        };
        let smiles = Cells::of(&columns[self.smiles])?;
        let (mut of_row, mut scratch, mut without) = (String::new(), String::new(), 0);
        for row in 0..rows.num_rows() {
            of_row.clear();
            smiles.write(row, &mut of_row)?;
            match self.rdkit {
                None => {
                    push_line(text, &of_row);
                    text.push('\t');
                    names.write(row, text, &mut scratch)?;
                    text.push('\n');
                }
                Some(rdkit) => {
                    names.write(row, text, &mut scratch)?;
                    without += self.write_block(rdkit, &of_row, text);
                    write_items(&cells, row, text, &mut scratch)?;
                    text.push_str("$$$$\n");
                }
            }
        }
        Ok(without)
    }

    /// Appends the mol block of a SMILES behind its title. Returns 1 if RDKit makes none: then it is empty, and the
    /// SMILES is beside it in any case.
    fn write_block(&self, rdkit: RdKit, smiles: &str, text: &mut String) -> u64 {
        match rdkit.mol_block(smiles.as_bytes(), self.depict) {
            Ok(block) => {
                // The first line is the title, which RDKit leaves empty.
                let behind_title = block.find('\n').unwrap_or(0);
                text.push_str(&block[behind_title..]);
                0
            }
            Err(rejection) => {
                tracing::warn!("{smiles}: {rejection}");
                text.push_str(EMPTY_BLOCK);
                if !self.columns.iter().any(|(place, _)| *place == self.smiles) {
                    push_item(text, "smiles", smiles);
                }
                1
            }
        }
    }
}

/// The names of rows.
struct Names<'a> {
    named_by: Vec<Cells<'a>>,
    reagents: Option<Cells<'a>>,
    key: Option<Cells<'a>>,
}

impl Names<'_> {
    fn write(&self, row: usize, text: &mut String, scratch: &mut String) -> Result<(), SinkError> {
        scratch.clear();
        for (place, cells) in self.named_by.iter().enumerate() {
            if place > 0 {
                scratch.push('|');
            }
            cells.write(row, scratch)?;
            if let Some(reagents) = self.reagents.as_ref().filter(|_| place == 0) {
                let end = scratch.len();
                scratch.push('+');
                if !reagents.write(row, scratch)? || scratch.len() == end + 1 {
                    scratch.truncate(end);
                }
            }
        }
        if let Some(key) = &self.key {
            scratch.push('|');
            let begin = scratch.len();
            key.write(row, scratch)?;
            scratch.truncate(scratch.len().min(begin + KEY_DIGITS));
        }
        push_line(text, scratch);
        Ok(())
    }
}

/// Appends a text that must not leave its field of a line: a space stands for a tab, a line end and the like.
fn push_line(text: &mut String, line: &str) {
    let safe = |c: char| if c.is_control() { ' ' } else { c };
    match line.chars().any(char::is_control) {
        true => text.extend(line.chars().map(safe)),
        false => text.push_str(line),
    }
}

fn write_csv(cells: &[(Cells<'_>, &str)], rows: usize, text: &mut String) -> Result<(), SinkError> {
    let mut value = String::new();
    for row in 0..rows {
        for (place, (cells, _)) in cells.iter().enumerate() {
            value.clear();
            let there = cells.write(row, &mut value)?;
            push_field(text, place, there.then_some(&value));
        }
        text.push('\n');
    }
    Ok(())
}

/// Appends a field of a record by RFC 4180. Nothing stands for null, and quotes alone for an empty text.
fn push_field(text: &mut String, place: usize, value: Option<&String>) {
    if place > 0 {
        text.push(',');
    }
    let Some(value) = value else { return };
    let needs_quotes = |byte| matches!(byte, b'"' | b',' | b'\n' | b'\r');
    if value.is_empty() || value.bytes().any(needs_quotes) {
        text.push('"');
        text.push_str(&value.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(value);
    }
}

/// Appends the data items of a row. An item without a value is left out.
fn write_items(
    cells: &[(Cells<'_>, &str)],
    row: usize,
    text: &mut String,
    value: &mut String,
) -> Result<(), SinkError> {
    for (cells, name) in cells {
        value.clear();
        if cells.write(row, value)? && !value.is_empty() {
            push_item(text, name, value);
        }
    }
    Ok(())
}

fn push_item(text: &mut String, name: &str, value: &str) {
    text.push_str(">  <");
    let safe = |c: char| {
        if c.is_control() || "<>".contains(c) {
            '_'
        } else {
            c
        }
    };
    text.extend(name.chars().map(safe));
    text.push_str(">\n");
    // A line of a value must not look like the end of the record, nor like another item.
    if value.starts_with("$$$$") || value.starts_with('>') {
        text.push(' ');
    }
    push_line(text, value);
    text.push_str("\n\n");
}

//! SD files: mol block, `M  END`, tags, `$$$$`.
//!
//! A row is a record. Its text is the mol block up to and including `M  END`, with `\n` after each line; its id is
//! the title line. The user may choose a tag for either instead. Other tags are skipped without being
//! stored, so only the size of the mol block is limited.

use std::collections::HashSet;
use std::path::Path;

use super::batch::{ParentBatch, TextKind};
use super::error::SourceError;
use super::lines::Lines;
use super::unpack::Packing;
use crate::{
    limits::{
        ID_BYTES_MAX, KEPT_ROW_BYTES_MAX, KEPT_TAGS_MAX, LINE_BYTES_MAX, SDF_RECORD_BYTES_MAX,
    },
    reject::RejectCode,
};

/// Tags used instead of the mol block and the title.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct SdfLayout {
    pub smiles_tag: Option<String>,
    pub id_tag: Option<String>,
}

/// Turns lines into rows.
pub(super) struct Sdf {
    layout: SdfLayout,
    /// The lines begin inside a record, whose rest is skipped.
    inside: bool,
    block: Vec<u8>,
    smiles: Vec<u8>,
    id: Vec<u8>,
    kept: Vec<KeptItem>,
}

/// A data item that is kept.
struct KeptItem {
    /// `None` for a kept column that the file lacks.
    tag: Option<String>,
    /// Its lines in the record, without the last line end; `None` without the item.
    value: Option<Vec<u8>>,
}

/// The parts of a record read so far.
#[derive(Default)]
struct Progress {
    first_line: u64,
    block_bytes: u64,
    block_lines: u64,
    block_ended: bool,
    value: Value,
    second_block: bool,
    has_smiles: bool,
    tag: Tag,
    /// The kept item whose lines follow, and the bytes that all kept items have.
    kept: Option<usize>,
    kept_bytes: usize,
}

/// The state of the scan after the mol block. The value of a tag may contain mol blocks and reactions as text; it
/// ends with a blank line outside of these.
#[derive(Default)]
struct Value {
    /// A tag has been read.
    tagged: bool,
    /// Inside a mol block or reaction within a value.
    quoting: bool,
    lines: u64,
    /// Number of the blank line that may end the value.
    blank_line: Option<u64>,
}

/// Lines of a mol block before the counts line.
const BLOCK_HEAD_LINES: u64 = 3;

impl Value {
    /// Takes the next line. Whether it ends a mol block that is no text.
    fn ends_other_block(&mut self, line: &[u8]) -> bool {
        self.lines += 1;
        if line.starts_with(b">") {
            self.tagged = true;
            self.quoting = false;
            self.blank_line = None;
        } else if ends_block(line) {
            let is_text = self.tagged && (self.quoting || self.blank_line.is_none());
            self.quoting = false;
            return !is_text;
        } else if self.begins_quote(line) {
            self.quoting = true;
            self.blank_line = None;
        } else if line.trim_ascii().is_empty() && !self.quoting {
            self.blank_line.get_or_insert(self.lines);
        }
        false
    }

    fn begins_quote(&self, line: &[u8]) -> bool {
        let is_open_at = |number| self.blank_line.is_none_or(|blank| blank >= number);
        let reaction = line.starts_with(b"$RXN") || line.starts_with(b"$MOL");
        let title = self.lines.saturating_sub(BLOCK_HEAD_LINES);
        self.tagged && (reaction && is_open_at(self.lines) || is_counts(line) && is_open_at(title))
    }
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Tag {
    #[default]
    Other,
    Smiles,
    Id,
}

impl Sdf {
    /// `from_start`: whether the first line begins a record.
    pub fn new(layout: SdfLayout, from_start: bool) -> Sdf {
        Sdf {
            layout,
            inside: !from_start,
            block: Vec::new(),
            smiles: Vec::new(),
            id: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Has rows keep the items of these tags.
    pub fn keep(&mut self, tags: &[Option<String>]) {
        let items = tags.iter().map(|tag| KeptItem {
            tag: tag.clone(),
            value: None,
        });
        self.kept = items.collect();
    }

    /// Appends the next row to `batch` as number `row`; false at the end.
    pub fn next_row(
        &mut self,
        lines: &mut Lines,
        row: u64,
        batch: &mut ParentBatch,
    ) -> Result<bool, SourceError> {
        while std::mem::take(&mut self.inside) {
            self.inside = lines.advance()? && !ends_record(lines.line());
        }
        self.block.clear();
        self.smiles.clear();
        self.id.clear();
        self.kept.iter_mut().for_each(|item| item.value = None);
        let mut progress = Progress {
            first_line: lines.number() + 1,
            ..Progress::default()
        };
        let mut blank = true;
        loop {
            if !lines.advance()? {
                if blank {
                    return Ok(false);
                }
                break;
            }
            if ends_record(lines.line()) {
                break;
            }
            blank &= lines.line().trim_ascii().is_empty();
            if progress.block_ended {
                self.take_tag_line(lines.line(), &mut progress);
            } else {
                self.take_block_line(lines, &mut progress);
            }
        }
        self.push_record(&progress, row, batch);
        if !self.kept.is_empty() {
            batch.push_kept_fields(self.kept.iter().map(|item| item.value.as_deref()));
        }
        Ok(true)
    }

    fn take_block_line(&mut self, lines: &Lines, progress: &mut Progress) {
        let line = lines.line();
        if progress.block_lines == 0 && self.layout.id_tag.is_none() {
            set(&mut self.id, line, ID_BYTES_MAX);
        }
        progress.block_lines += 1;
        progress.block_bytes += lines.line_bytes() + 1;
        progress.block_ended = ends_block(line);
        if progress.block_bytes <= SDF_RECORD_BYTES_MAX as u64 {
            self.block.extend_from_slice(line);
            self.block.push(b'\n');
        }
    }

    fn take_tag_line(&mut self, line: &[u8], progress: &mut Progress) {
        self.take_kept_line(line, progress);
        if progress.value.ends_other_block(line) {
            progress.second_block = true;
        } else if let Some(name) = tag_name(line) {
            let is = |tag: &Option<String>| tag.as_ref().is_some_and(|tag| tag.as_bytes() == name);
            // The user may choose one tag for both; the SMILES is then also the id.
            progress.tag = if is(&self.layout.smiles_tag) {
                Tag::Smiles
            } else if is(&self.layout.id_tag) {
                Tag::Id
            } else {
                Tag::Other
            };
        } else {
            // Only the first line of a value counts.
            let tag = std::mem::take(&mut progress.tag);
            if tag == Tag::Smiles {
                set(&mut self.smiles, line, LINE_BYTES_MAX);
                progress.has_smiles = true;
            }
            let both = tag == Tag::Smiles && self.layout.id_tag == self.layout.smiles_tag;
            if tag == Tag::Id || both {
                set(&mut self.id, line, ID_BYTES_MAX);
            }
        }
    }

    /// Takes a line of the items that are kept. A value ends with an empty line, as for RDKit.
    fn take_kept_line(&mut self, line: &[u8], progress: &mut Progress) {
        if let Some(name) = tag_name(line) {
            let is_of_name =
                |item: &KeptItem| item.tag.as_ref().is_some_and(|tag| tag.as_bytes() == name);
            progress.kept = self.kept.iter().position(is_of_name);
            if let Some(item) = progress.kept {
                self.kept[item].value = Some(Vec::new());
            }
        } else if line.is_empty() {
            progress.kept = None;
        } else if let Some(item) = progress.kept {
            let value = self.kept[item].value.get_or_insert_default();
            // Enough to see that it is too much.
            let room = (KEPT_ROW_BYTES_MAX + 1).saturating_sub(progress.kept_bytes);
            let before = value.len();
            if before > 0 {
                value.push(b'\n');
            }
            value.extend_from_slice(&line[..line.len().min(room)]);
            progress.kept_bytes += value.len() - before;
        }
    }

    fn push_record(&self, progress: &Progress, row: u64, batch: &mut ParentBatch) {
        let id = Some(self.id.as_slice());
        let line = progress.first_line;
        let mut fault = |code: RejectCode, reason: std::fmt::Arguments<'_>| {
            batch.push_fault(row, TextKind::MolBlock, &self.block, id, code, reason);
        };
        if progress.second_block {
            return fault(
                RejectCode::Sdf,
                format_args!(
                    "record at line {line} has two mol blocks; `$$$$` is missing between them"
                ),
            );
        }
        if let Some(tag) = &self.layout.smiles_tag {
            return if progress.has_smiles {
                batch.push_smiles(row, &self.smiles, id);
            } else {
                fault(
                    RejectCode::Sdf,
                    format_args!("record at line {line} has no tag `{tag}`"),
                );
            };
        }
        let bytes = progress.block_bytes;
        if bytes > SDF_RECORD_BYTES_MAX as u64 {
            fault(
                RejectCode::TooLarge,
                format_args!(
                    "mol block at line {line} is {bytes} bytes long, at most {SDF_RECORD_BYTES_MAX} are read"
                ),
            );
        } else if progress.block_ended {
            batch.push_mol_block(row, &self.block, id);
        } else {
            fault(
                RejectCode::Sdf,
                format_args!("record at line {line} has no `M  END` line"),
            );
        }
    }
}

/// The distinct tag names at the beginning of an SD file, in order.
pub(super) fn tag_names(head: &[u8]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in head.split(|&byte| byte == b'\n') {
        if let Some(name) = tag_name(line) {
            let name = String::from_utf8_lossy(name).into_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The distinct tag names of an SD file, in the order in which they occur.
pub(super) fn all_tag_names(path: &Path, packing: Packing) -> Result<Vec<String>, SourceError> {
    let mut lines = Lines::open(path, packing)?;
    let (mut names, mut seen) = (Vec::new(), HashSet::new());
    let mut in_block = true;
    while lines.advance()? {
        let line = lines.line();
        if ends_record(line) {
            in_block = true;
        } else if in_block {
            in_block = !ends_block(line);
        } else if let Some(name) = tag_name(line)
            && !seen.contains(name)
        {
            if names.len() == KEPT_TAGS_MAX {
                return Err(SourceError::Keep {
                    path: path.to_owned(),
                    reason: format!(
                        "has more than {KEPT_TAGS_MAX} tags, too many for --keep-columns"
                    ),
                });
            }
            seen.insert(name.to_vec());
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(names)
}

/// Whether `head` contains a line that occurs only in mol blocks.
pub(super) fn looks_like_sdf(head: &[u8]) -> bool {
    head.split(|&byte| byte == b'\n').any(|line| {
        let line = line.trim_ascii_end();
        line == b"M  END" || is_counts(line)
    })
}

/// Whether a line is the counts line of a mol block.
fn is_counts(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.len() >= 39 && (line.ends_with(b"V2000") || line.ends_with(b"V3000"))
}

fn ends_record(line: &[u8]) -> bool {
    line.starts_with(b"$$$$")
}

fn ends_block(line: &[u8]) -> bool {
    line.trim_ascii_end() == b"M  END"
}

/// `NAME` of a line such as `>  <NAME> (12)`.
fn tag_name(line: &[u8]) -> Option<&[u8]> {
    let rest = line.strip_prefix(b">")?;
    let start = memchr::memchr(b'<', rest)? + 1;
    let length = memchr::memchr(b'>', &rest[start..])?;
    Some(&rest[start..start + length])
}

/// Sets `kept` to the beginning of `line`: at most `bytes_max` bytes and one more, which shows that the line was
/// longer.
fn set(kept: &mut Vec<u8>, line: &[u8], bytes_max: usize) {
    let line = line.trim_ascii();
    kept.clear();
    kept.extend_from_slice(&line[..line.len().min(bytes_max + 1)]);
}

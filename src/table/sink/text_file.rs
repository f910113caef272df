//! A text file: written under a temporary name, published when it is complete.

use std::{
    collections::VecDeque,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow::{array::RecordBatch, datatypes::Schema};

use super::{
    density::Density,
    encoders::{Encoders, Spent, Task},
    error::{SinkError, encode_error},
    format::{OutputFormat, TextCompression},
    pack::{Packed, Piece},
    parquet_file::{Held, Part},
    part_settings::PartSettings,
    text_rows::TextForm,
};
use crate::{
    limits::TEXT_PIECE_BYTES,
    store::{OutputDir, StoreError},
    table::content::batch_bytes,
};

/// What the pool makes of a piece: its text, and how many of its rows have no mol block.
type Made = Result<(Piece, u64), SinkError>;

/// Text that is being made of rows. Rows are cut into pieces by their content alone; pieces become text on a pool,
/// several at a time, and are written in order. So the bytes do not depend on the number of threads.
pub struct TextStream<W: Write> {
    out: Packed<W>,
    /// What is written to, for messages.
    target: PathBuf,
    form: Arc<TextForm>,
    compression: TextCompression,
    encoders: Arc<Encoders>,
    /// The open piece, about how many bytes of text it makes, and the bytes of its content.
    open: Vec<RecordBatch>,
    open_text: usize,
    open_content: u64,
    /// Pieces that become text, each with the bytes of its content.
    working: VecDeque<(Task<Made>, u64)>,
    rows: u64,
    content_bytes: u64,
    without_block: u64,
    /// What became of the first piece, once it is written.
    first: Option<Density>,
    /// Time that pieces took, not yet reported.
    spent: Spent,
}

impl<W: Write> TextStream<W> {
    /// Begins with the header, if there is one. `target` names what `out` writes to.
    pub fn begin(
        (out, target): (W, &Path),
        settings: &PartSettings,
        schema: &Schema,
        encoders: &Arc<Encoders>,
    ) -> Result<Self, SinkError> {
        let OutputFormat::Text(kind, compression) = settings.format else {
            return Err(encode_error("Parquet is no text"));
        };
        let form = TextForm::new(kind, settings, schema)?;
        let header = if settings.header {
            form.header()
        } else {
            String::new()
        };
        let failed = |error| write_error(target, error);
        let mut packed = Packed::begin(out, compression).map_err(failed)?;
        if !header.is_empty() {
            let header = Piece::new(header.into(), compression);
            let appended = header.and_then(|header| packed.append(&header));
            appended.map_err(failed)?;
        }
        Ok(Self {
            out: packed,
            target: target.into(),
            form: Arc::new(form),
            compression,
            encoders: Arc::clone(encoders),
            open: Vec::new(),
            open_text: 0,
            open_content: 0,
            working: VecDeque::new(),
            rows: 0,
            content_bytes: 0,
            without_block: 0,
            first: None,
            spent: Spent::default(),
        })
    }

    /// Appends rows.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        self.rows += batch.num_rows() as u64;
        let bytes = batch_bytes(batch) as u64;
        self.content_bytes += bytes;
        self.push(batch.clone(), bytes)
    }

    /// Adds rows to the open piece; those that are too many for a piece, in halves.
    fn push(&mut self, rows: RecordBatch, content: u64) -> Result<(), SinkError> {
        let (text, count) = (self.form.text_bytes(&rows), rows.num_rows());
        if text > TEXT_PIECE_BYTES && count > 1 {
            let half = count / 2;
            self.push(rows.slice(0, half), content / 2)?;
            return self.push(rows.slice(half, count - half), content - content / 2);
        }
        self.open.push(rows);
        self.open_text += text;
        self.open_content += content;
        match self.open_text >= TEXT_PIECE_BYTES {
            true => self.close_piece(),
            false => Ok(()),
        }
    }

    /// Has the open piece made into text. Waits while as many are being made as may be.
    fn close_piece(&mut self) -> Result<(), SinkError> {
        while self.working.len() >= self.encoders.threads() {
            self.append_oldest()?;
        }
        let (rows, text_bytes) = (std::mem::take(&mut self.open), self.open_text);
        let content = std::mem::take(&mut self.open_content);
        self.open_text = 0;
        let (form, compression) = (Arc::clone(&self.form), self.compression);
        let make = move || {
            let mut text = String::with_capacity(text_bytes.min(2 * TEXT_PIECE_BYTES));
            let mut without = 0;
            for rows in &rows {
                without += form.write(rows, &mut text)?;
            }
            let piece = Piece::new(text.into_bytes(), compression).map_err(encode_error)?;
            Ok((piece, without))
        };
        self.working.push_back((self.encoders.start(make), content));
        Ok(())
    }

    /// Writes the oldest piece that is being made.
    fn append_oldest(&mut self) -> Result<(), SinkError> {
        let Some((oldest, content_bytes)) = self.working.pop_front() else {
            return Ok(());
        };
        let (made, spent) = oldest.join()?;
        self.spent += spent;
        let (piece, without) = made?;
        self.without_block += without;
        let appended = self.out.append(&piece);
        appended.map_err(|error| write_error(&self.target, error))?;
        // The header counts too: it is in each part.
        self.first.get_or_insert(Density {
            content_bytes: content_bytes.max(1),
            encoded_bytes: self.out.bytes().max(1),
        });
        Ok(())
    }

    /// Makes and writes all that is left, with the end of the stream. Returns how many rows have no mol block.
    pub fn end(&mut self) -> Result<u64, SinkError> {
        self.flush()?;
        let ended = self.out.end().and_then(|()| self.out.inner_mut().flush());
        ended.map_err(|error| write_error(&self.target, error))?;
        Ok(self.without_block)
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        if !self.open.is_empty() {
            self.close_piece()?;
        }
        while !self.working.is_empty() {
            self.append_oldest()?;
        }
        Ok(())
    }
}

/// The file system's own error; a fault of the compressor otherwise.
fn write_error(target: &Path, error: io::Error) -> SinkError {
    match error.raw_os_error().is_some() {
        true => StoreError::io(target, "write", &error).into(),
        false => encode_error(error),
    }
}

/// A part of text.
pub(super) struct TextFile {
    text: TextStream<Held>,
    synced_at: u64,
}

impl TextFile {
    pub(super) fn begin(
        output: &OutputDir,
        name: &str,
        settings: &PartSettings,
        schema: &Schema,
        encoders: &Arc<Encoders>,
    ) -> Result<Self, SinkError> {
        let pending = output.begin(name)?;
        let target = pending.target().to_owned();
        let held = Held(Some(pending));
        Ok(Self {
            text: TextStream::begin((held, &target), settings, schema, encoders)?,
            synced_at: 0,
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), SinkError> {
        self.text.write(batch)?;
        self.sync_soon()
    }

    /// Begins to sync what is written, each few MiB.
    fn sync_soon(&mut self) -> Result<(), SinkError> {
        const SYNCED_BYTES: u64 = 8 << 20;
        let bytes = self.text.out.bytes();
        if bytes >= self.synced_at + SYNCED_BYTES
            && let Some(file) = self.text.out.inner_mut().0.as_mut()
        {
            file.sync_soon()?;
            self.synced_at = bytes;
        }
        Ok(())
    }

    pub(super) fn content_bytes(&self) -> u64 {
        self.text.content_bytes
    }

    /// What became of the first piece; waits until that is known. `None` while it is open.
    pub(super) fn density_of_first_piece(&mut self) -> Result<Option<Density>, SinkError> {
        if self.text.first.is_none() {
            self.text.append_oldest()?;
        }
        Ok(self.text.first)
    }

    pub(super) fn take_spent(&mut self) -> Spent {
        std::mem::take(&mut self.text.spent)
    }

    pub(super) fn flush(&mut self) -> Result<(), SinkError> {
        self.text.flush()
    }

    pub(super) fn publish(mut self, output: &OutputDir) -> Result<Part, SinkError> {
        let without_mol_block = self.text.end()?;
        let rows = self.text.rows;
        let pending = self.text.out.inner_mut().0.take();
        let pending = pending.expect("it is taken here only, and the file is consumed");
        Ok(Part {
            file: output.publish(pending)?,
            rows,
            without_mol_block,
        })
    }
}

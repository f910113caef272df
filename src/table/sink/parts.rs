//! The parts of an output, one after the other, in any format.
//!
//! A part closes when the caller says so. What it will take on the disk is estimated from its content alone
//! ([`Density`]).

use std::sync::Arc;

use arrow::{array::RecordBatch, datatypes::SchemaRef};

use super::{
    density::Density,
    encoders::{Encoders, Spent},
    error::{SinkError, encode_error},
    format::{OutputFormat, places},
    parquet_file::{ParquetFile, Part},
    part_settings::PartSettings,
    text_file::TextFile,
};
use crate::store::{OutputDir, PRODUCTS_DIR, part_name};

/// Where parts are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartPlace {
    /// In the folder of parts of an output directory.
    Products,
    /// In the directory itself.
    Directory,
}

/// Parts that are being written.
pub struct Parts<'a> {
    output: &'a OutputDir,
    place: PartPlace,
    settings: PartSettings,
    schema: SchemaRef,
    /// The columns of a Parquet part, where they are not all.
    projection: Option<Vec<usize>>,
    encoders: Arc<Encoders>,
    open: Option<OpenPart>,
    published: Vec<Part>,
    density: Density,
    /// Time that closed parts took to encode, not yet reported.
    spent: Spent,
}

/// A part that is being written.
enum OpenPart {
    Parquet(Box<ParquetFile>),
    Text(Box<TextFile>),
}

impl<'a> Parts<'a> {
    /// Parts of rows of a schema, behind those that are published.
    pub fn new(
        (output, place): (&'a OutputDir, PartPlace),
        settings: PartSettings,
        schema: &SchemaRef,
        encoders: Arc<Encoders>,
        (published, density): (Vec<Part>, Density),
    ) -> Result<Self, SinkError> {
        let projection = settings.columns.as_ref();
        let projection = projection.filter(|_| settings.format == OutputFormat::Parquet);
        let projection = projection.map(|names| places(schema, Some(names)));
        Ok(Self {
            output,
            place,
            projection: projection.transpose()?,
            settings,
            schema: Arc::clone(schema),
            encoders,
            open: None,
            published,
            density,
            spent: Spent::default(),
        })
    }

    /// Appends rows to the open part.
    pub fn write(&mut self, batch: RecordBatch) -> Result<(), SinkError> {
        let batch = match &self.projection {
            Some(columns) => batch.project(columns).map_err(encode_error)?,
            None => batch,
        };
        let density_known = self.density != Density::default();
        let density = match self.open()? {
            OpenPart::Parquet(part) => {
                part.write(batch)?;
                match density_known {
                    true => None,
                    false => part.density_of_first_row_group()?,
                }
            }
            OpenPart::Text(part) => {
                part.write(&batch)?;
                match density_known {
                    true => None,
                    false => part.density_of_first_piece()?,
                }
            }
        };
        self.density = density.unwrap_or(self.density);
        Ok(())
    }

    /// Begins the first part although there is no row for it, so that a job without products leaves a file that
    /// readers can open.
    pub fn begin_first(&mut self) -> Result<(), SinkError> {
        if self.published.is_empty() {
            self.open()?;
        }
        Ok(())
    }

    fn open(&mut self) -> Result<&mut OpenPart, SinkError> {
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        Ok(self.open.as_mut().expect("it was begun just now"))
    }

    fn begin(&self) -> Result<OpenPart, SinkError> {
        let (number, settings) = (self.published.len(), &self.settings);
        let name = part_name(number, settings.format.name());
        let name = match self.place {
            PartPlace::Products => format!("{PRODUCTS_DIR}/{name}"),
            PartPlace::Directory => name,
        };
        let (output, encoders) = (self.output, &self.encoders);
        Ok(match settings.format {
            OutputFormat::Parquet => {
                let schema = match &self.projection {
                    Some(columns) => self.schema.project(columns).map_err(encode_error)?.into(),
                    None => Arc::clone(&self.schema),
                };
                let part = ParquetFile::begin(output, &name, &schema, settings.parquet, encoders);
                OpenPart::Parquet(part?.into())
            }
            OutputFormat::Text(..) => {
                // What goes to standard output has one header.
                let header = settings.header || number == 0;
                let settings = PartSettings {
                    header,
                    ..settings.clone()
                };
                let part = TextFile::begin(output, &name, &settings, &self.schema, encoders);
                OpenPart::Text(part?.into())
            }
        })
    }

    /// Publishes the open part, if there is one.
    pub fn close(&mut self) -> Result<(), SinkError> {
        let Some(part) = self.open.take() else {
            return Ok(());
        };
        let (content_bytes, part) = match part {
            OpenPart::Parquet(mut part) => {
                part.end()?;
                self.spent += part.take_spent();
                (part.content_bytes(), part.publish(self.output)?)
            }
            OpenPart::Text(mut part) => {
                part.flush()?;
                self.spent += part.take_spent();
                (part.content_bytes(), part.publish(self.output)?)
            }
        };
        if content_bytes > 0 {
            self.density = Density {
                content_bytes,
                encoded_bytes: part.file.bytes,
            };
        }
        self.published.push(part);
        Ok(())
    }

    /// Whether a part is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// The parts published so far.
    pub fn published(&self) -> &[Part] {
        &self.published
    }

    /// What encoding made of the content of the last part.
    pub fn density(&self) -> Density {
        self.density
    }

    /// Bytes that the open part will have, as the last one suggests: a function of the rows alone.
    pub fn open_bytes(&self) -> u64 {
        let content = self.open.as_ref().map_or(0, |part| match part {
            OpenPart::Parquet(part) => part.content_bytes(),
            OpenPart::Text(part) => part.content_bytes(),
        });
        self.density.encoded(content)
    }

    /// Bytes published and pending.
    pub fn bytes(&self) -> u64 {
        let published: u64 = self.published.iter().map(|part| part.file.bytes).sum();
        published + self.open_bytes()
    }

    /// Time that rows took to encode since the last call.
    pub fn take_spent(&mut self) -> Spent {
        let mut spent = std::mem::take(&mut self.spent);
        spent += match &mut self.open {
            Some(OpenPart::Parquet(part)) => part.take_spent(),
            Some(OpenPart::Text(part)) => part.take_spent(),
            None => Spent::default(),
        };
        spent
    }
}

//! The format of the parts of a run.

use std::path::Path;

use super::manifest::Manifest;
use crate::table::sink::OutputFormat;

impl Manifest {
    /// The format of the parts, if they are text: then nothing can be read from them by column.
    pub fn text_format(&self) -> Option<OutputFormat> {
        let formats = self.files.iter();
        let mut formats = formats.filter_map(|file| OutputFormat::of_file(Path::new(&file.name)));
        formats.find(|format| format.text().is_some())
    }
}

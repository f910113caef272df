//! Finds the kept columns in the files of a library: names, types, and where they are in each file.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::error::{ColumnRole, SourceError, one_line};
use super::file_rows::Layout;
use super::guard::quiet;
use super::input_file::InputFile;
use super::keep_columns::KeepColumns;
use super::kept_of_file::{KeptOfFile, Places};
use super::parquet_file::PageFile;
use super::parquet_kept_schema::{KeptSchema, kept_type};
use super::sdf;
use crate::{
    limits::{
        KEPT_COLUMNS_MAX, KEPT_PAGE_BYTES_MIN, KEPT_ROW_BYTES_MAX, KEPT_ROWS_PER_READ,
        PARQUET_PAGE_BYTES_MAX,
    },
    table::kept::KeptColumns,
};

/// The kept columns of a library.
#[derive(Debug, Clone)]
pub(super) struct KeptFiles {
    /// Names and types.
    pub columns: Arc<KeptColumns>,
    /// Where they are in each file.
    places: Vec<Arc<Places>>,
    /// Of Parquet files: bytes of the largest column chunks that one file has, largest first.
    chunk_bytes: Vec<u64>,
    page_bytes_max: usize,
}

impl KeptFiles {
    /// Finds the columns; `None` if there are none.
    pub fn find(files: &[InputFile], keep: &KeepColumns) -> Result<Option<Self>, SourceError> {
        if keep.is_none() {
            return Ok(None);
        }
        let mut found = Found::of(files);
        for file in files {
            let columns = FileColumns::of(file, keep)?;
            let places = match keep {
                KeepColumns::All => found.add_all(file, &columns)?,
                KeepColumns::Named(names) => found.add_named(file, &columns, names)?,
            };
            found.add_chunks(file, &columns, &places)?;
            let places = columns.in_layout(file, places);
            found.places.push(places);
        }
        found.finish()
    }

    /// Splits Parquet pages of more than `bytes_max` bytes, shared by all columns, into small pages.
    pub fn set_page_bytes_max(&mut self, bytes_max: usize) {
        let each = bytes_max / self.chunk_bytes.len().max(1);
        self.page_bytes_max = each.clamp(KEPT_PAGE_BYTES_MIN, PARQUET_PAGE_BYTES_MAX);
    }

    /// What the reader of file number `file` needs.
    pub fn of_file(&self, file: usize) -> KeptOfFile {
        KeptOfFile {
            columns: Arc::clone(&self.columns),
            places: Arc::clone(&self.places[file]),
            page_bytes_max: self.page_bytes_max,
            budget_divisor: 64 * self.chunk_bytes.len().max(1) as u64,
        }
    }

    /// Memory for reading the columns from Parquet: of each a page before and after decompression, what is decoded of it,
    /// and its kept rows; and values that a dictionary repeats.
    pub fn bytes(&self) -> u64 {
        let each = |chunk: &u64| {
            let page = (*chunk).min(self.page_bytes_max as u64);
            let repeated = KEPT_ROWS_PER_READ as u64 * (*chunk).min(KEPT_ROW_BYTES_MAX as u64);
            4 * page + repeated
        };
        self.chunk_bytes.iter().map(each).sum()
    }
}

/// What has been found in the files so far.
struct Found<'a> {
    files: &'a [InputFile],
    fields: Vec<Field>,
    /// For each field the number of the file that has its type.
    first: Vec<usize>,
    by_name: HashMap<String, usize>,
    /// Of each file, of the fields that were known then.
    places: Vec<Places>,
    chunk_bytes: Vec<u64>,
}

impl<'a> Found<'a> {
    fn of(files: &'a [InputFile]) -> Self {
        Found {
            files,
            fields: Vec::new(),
            first: Vec::new(),
            by_name: HashMap::new(),
            places: Vec::new(),
            chunk_bytes: Vec::new(),
        }
    }

    fn add_all(
        &mut self,
        file: &InputFile,
        columns: &FileColumns,
    ) -> Result<Vec<Option<usize>>, SourceError> {
        let mut places = vec![None; self.fields.len()];
        for (column, field) in columns.fields.iter().enumerate() {
            if columns.used.contains(&column) {
                continue;
            }
            let known = self.by_name.get(field.name()).copied();
            let kept = match known {
                Some(kept) => kept,
                None => self.add(field.clone(), places.len()),
            };
            places.resize(places.len().max(kept + 1), None);
            self.check_type(file, kept, field)?;
            places[kept] = Some(column);
        }
        Ok(places)
    }

    fn add(&mut self, field: Field, kept: usize) -> usize {
        self.by_name.insert(field.name().clone(), kept);
        self.first.push(self.places.len());
        self.fields.push(field.with_nullable(true));
        kept
    }

    fn add_named(
        &mut self,
        file: &InputFile,
        columns: &FileColumns,
        names: &[String],
    ) -> Result<Vec<Option<usize>>, SourceError> {
        let mut places = Vec::with_capacity(names.len());
        for (kept, name) in names.iter().enumerate() {
            let column = columns
                .find(name)
                .ok_or_else(|| missing(file, name, columns))?;
            let field = columns.fields[column].clone().with_name(name);
            if kept == self.fields.len() {
                self.add(field.clone(), kept);
            }
            self.check_type(file, kept, &field)?;
            places.push(Some(column));
        }
        Ok(places)
    }

    /// Refuses a column that has another type than in an earlier file.
    fn check_type(&self, file: &InputFile, kept: usize, field: &Field) -> Result<(), SourceError> {
        let (expected, found) = (self.fields[kept].data_type(), field.data_type());
        if expected == found {
            return Ok(());
        }
        let first = &self.files[self.first[kept]].path;
        Err(SourceError::Keep {
            path: file.path.clone(),
            reason: format!(
                "column `{}` is {found} here and {expected} in {}; give it one type to keep it",
                one_line(field.name()),
                one_line(&first.display().to_string()),
            ),
        })
    }

    /// Notes how large the chunks of Parquet columns are.
    fn add_chunks(
        &mut self,
        file: &InputFile,
        columns: &FileColumns,
        places: &[Option<usize>],
    ) -> Result<(), SourceError> {
        let (Layout::Parquet(layout), Some((schema, pages))) = (&file.layout, &columns.parquet)
        else {
            return Ok(());
        };
        let roots: Vec<usize> = places.iter().flatten().copied().collect();
        let leaves = schema.leaves(&roots);
        let mut largest = vec![0; leaves.len()];
        let mut groups = layout.row_groups_of(pages, leaves);
        while let Some(group) = groups.next(&file.path)? {
            for (largest, chunk) in largest.iter_mut().zip(&group.chunks) {
                let bytes = chunk.compressed_bytes.max(chunk.uncompressed_bytes);
                *largest = u64::try_from(bytes).unwrap_or(0).max(*largest);
            }
        }
        largest.sort_unstable_by(|one, other| other.cmp(one));
        let more = largest.len().max(self.chunk_bytes.len());
        self.chunk_bytes.resize(more, 0);
        for (all, own) in self.chunk_bytes.iter_mut().zip(&largest) {
            *all = (*all).max(*own);
        }
        Ok(())
    }

    fn finish(self) -> Result<Option<KeptFiles>, SourceError> {
        if self.fields.is_empty() {
            return Ok(None);
        }
        let refused = |file: usize, reason| SourceError::Keep {
            path: self.files[file].path.clone(),
            reason,
        };
        let columns = self.fields.len();
        if columns > KEPT_COLUMNS_MAX {
            return Err(refused(
                0,
                format!(
                    "{columns} columns are to be kept, at most {KEPT_COLUMNS_MAX} can be; name those that you need with --keep-columns"
                ),
            ));
        }
        for (field, first) in self.fields.iter().zip(&self.first) {
            if !can_be_kept(field) {
                return Err(refused(
                    *first,
                    format!(
                        "column `{}` is {}, which can't be kept; name other columns with --keep-columns",
                        one_line(field.name()),
                        one_line(&field.data_type().to_string()),
                    ),
                ));
            }
        }
        let columns = KeptColumns::new(self.fields.clone());
        let columns = columns.map_err(|error| refused(0, error.to_string()))?;
        let places = self.places.into_iter().map(|mut places| {
            places.lack_further(columns.len());
            Arc::new(places)
        });
        let places = places.collect();
        Ok(Some(KeptFiles {
            columns: columns.into(),
            places,
            chunk_bytes: self.chunk_bytes,
            page_bytes_max: PARQUET_PAGE_BYTES_MAX,
        }))
    }
}

/// The columns that a file has.
struct FileColumns {
    fields: Vec<Field>,
    /// Numbers of the columns that SMILES and ids are taken from.
    used: Vec<usize>,
    parquet: Option<(KeptSchema, PageFile)>,
}

impl FileColumns {
    fn of(file: &InputFile, keep: &KeepColumns) -> Result<FileColumns, SourceError> {
        let names = match &file.layout {
            Layout::Parquet(layout) => {
                let pages = PageFile::open(&file.path, PARQUET_PAGE_BYTES_MAX)?;
                let schema = KeptSchema::read(&file.path, &pages)?;
                let fields = unique(schema.fields.iter().map(|field| {
                    let kept = kept_type(field.data_type());
                    field.as_ref().clone().with_data_type(kept)
                }));
                let used = [Some(&layout.smiles), layout.id.as_ref()];
                let used = used.into_iter().flatten().filter(|leaf| leaf.depth == 1);
                let used = used.filter_map(|leaf| {
                    let mut names = schema.fields.iter().map(|field| field.name());
                    names.position(|name| *name == leaf.path)
                });
                return Ok(FileColumns {
                    used: used.collect(),
                    fields,
                    parquet: Some((schema, pages)),
                });
            }
            Layout::Sdf(_) => tags(file, keep)?,
            _ => file.columns.clone(),
        };
        let used = match &file.layout {
            Layout::Delimited(layout) => [Some(layout.smiles), layout.id]
                .into_iter()
                .flatten()
                .collect(),
            _ => [&file.smiles_column, &file.id_column]
                .into_iter()
                .flatten()
                .filter_map(|used| names.iter().position(|name| name == used))
                .collect(),
        };
        let fields = names
            .into_iter()
            .map(|name| Field::new(name, DataType::Utf8, true));
        Ok(FileColumns {
            fields: unique(fields),
            used,
            parquet: None,
        })
    }

    /// Places as a reader of the file needs them.
    fn in_layout(&self, file: &InputFile, places: Vec<Option<usize>>) -> Places {
        let tag = |column: usize| self.fields[column].name().clone();
        match &file.layout {
            Layout::Parquet(_) => Places::Roots(places),
            Layout::Delimited(_) => Places::Fields(places),
            Layout::Sdf(_) => {
                Places::Tags(places.into_iter().map(|place| place.map(tag)).collect())
            }
            Layout::Smiles { .. } => Places::Nowhere,
        }
    }

    /// The column of a name: exactly, or else ignoring case.
    fn find(&self, name: &str) -> Option<usize> {
        let position = |fits: &dyn Fn(&str) -> bool| {
            let mut names = self.fields.iter().map(|field| field.name());
            names.position(|column| fits(column))
        };
        position(&|column| column == name)
            .or_else(|| position(&|column| column.trim().eq_ignore_ascii_case(name.trim())))
    }
}

/// The tags of an SD file: those in its head, or, if these are not all that is needed, those in all of it.
fn tags(file: &InputFile, keep: &KeepColumns) -> Result<Vec<String>, SourceError> {
    if let KeepColumns::Named(names) = keep
        && names.iter().all(|name| file.columns.contains(name))
    {
        return Ok(file.columns.clone());
    }
    sdf::all_tag_names(&file.path, file.packing)
}

/// The fields with names that differ: columns without a name get their number, further ones of a name one behind it.
fn unique(fields: impl Iterator<Item = Field>) -> Vec<Field> {
    let fields: Vec<_> = fields.collect();
    let mut seen: HashSet<String> = fields.iter().map(|field| field.name().clone()).collect();
    let mut taken = HashSet::new();
    let renamed = fields.into_iter().enumerate().map(|(column, field)| {
        let own = field.name().trim().to_owned();
        if !own.is_empty() && taken.insert(field.name().clone()) {
            return field;
        }
        let (base, first) = match own.is_empty() {
            true => ("column".to_owned(), column + 1),
            false => (own, 2),
        };
        let mut names = (first..).map(|number| format!("{base}_{number}"));
        let name = names.find(|name| seen.insert(name.clone()));
        field.with_name(name.expect("numbers do not end"))
    });
    renamed.collect()
}

fn missing(file: &InputFile, name: &str, columns: &FileColumns) -> SourceError {
    if matches!(file.layout, Layout::Smiles { .. }) {
        return SourceError::Keep {
            path: file.path.clone(),
            reason: format!(
                "has no column `{}`: a SMILES file has SMILES and ids alone; give a table with a header to keep columns",
                one_line(name)
            ),
        };
    }
    SourceError::MissingColumn {
        path: file.path.clone(),
        role: ColumnRole::Kept,
        wanted: Some(name.to_owned()),
        columns: columns
            .fields
            .iter()
            .map(|field| field.name().clone())
            .collect(),
    }
}

/// Whether values of this type survive as kept rows and in Parquet.
fn can_be_kept(field: &Field) -> bool {
    quiet(|| keeps_null(field)).is_ok_and(|kept| kept == Some(true))
}

fn keeps_null(field: &Field) -> Option<bool> {
    let null = new_null_array(field.data_type(), 1);
    let columns = KeptColumns::new(vec![field.clone()]).ok()?;
    let rows = columns.rows(&[null]).ok()?;
    let back = columns.arrays(&[(1, rows.row(0).data())]).ok()?;
    let schema = Arc::new(Schema::new(vec![field.clone()]));
    let batch = RecordBatch::try_new(Arc::clone(&schema), back).ok()?;
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, None).ok()?;
    writer.write(&batch).ok()?;
    let file = Bytes::from(writer.into_inner().ok()?);
    let mut reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .ok()?
        .build()
        .ok()?;
    let back = reader.next()?.ok()?;
    let same = back.column(0).data_type() == field.data_type();
    Some(same && back.column(0).logical_null_count() == 1)
}

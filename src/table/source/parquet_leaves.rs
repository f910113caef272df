//! The columns of a Parquet schema, read from the footer as a stream.

use std::io::{self, BufReader};
use std::sync::Arc;

use parquet::basic::{Repetition, Type as PhysicalType};
use parquet::schema::types::{ColumnDescPtr, ColumnDescriptor, ColumnPath, Type};

use super::parquet_file::{ReadAt, beyond_limits};
use super::parquet_thrift::{Thrift, kind, wrong};
use crate::limits::{COLUMN_NAME_BYTES_MAX, PARQUET_SCHEMA_BYTES_MAX};

/// A column that holds values: a leaf of the schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The names from the root to it, joined by dots.
    pub path: String,
    /// Nesting: 1 for a column of the file, more inside a struct.
    pub depth: usize,
    /// The physical type's number in the format.
    pub physical: i64,
    pub length: i32,
    pub converted: Option<i64>,
    pub scale: i32,
    pub logical: Option<Logical>,
    pub max_def_level: i16,
    pub max_rep_level: i16,
}

/// The logical types that the reader distinguishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Logical {
    Text,
    Decimal {
        scale: i32,
    },
    Integer {
        bits: u8,
        signed: bool,
    },
    Uuid,
    /// The type's number in the format.
    Other(i64),
}

/// The footer as a Thrift stream.
pub(super) type FooterThrift = Thrift<BufReader<ReadAt>>;

/// An element of the stored schema, which lists the tree in preorder.
struct Element {
    name: String,
    children: u64,
    repetition: i64,
    leaf: Leaf,
}

fn read_element(thrift: &mut FooterThrift, is_root: bool) -> io::Result<Element> {
    let mut element = Element {
        name: String::new(),
        children: 0,
        repetition: if is_root { 0 } else { -1 },
        leaf: Leaf {
            physical: -1,
            length: -1,
            ..Leaf::default()
        },
    };
    let narrow = |value: i64| i32::try_from(value).map_err(io::Error::other);
    let mut last = 0;
    while let Some((field, kind)) = thrift.field(&mut last)? {
        match (field, kind) {
            (1, 5) => element.leaf.physical = thrift.integer()?,
            (2, 5) => element.leaf.length = narrow(thrift.integer()?)?,
            (3, 5) => element.repetition = thrift.integer()?,
            (4, kind::BINARY) => element.name = thrift.text(COLUMN_NAME_BYTES_MAX)?,
            (5, 5) => element.children = u64::try_from(thrift.integer()?).unwrap_or(0),
            (6, 5) => element.leaf.converted = Some(thrift.integer()?),
            (7, 5) => element.leaf.scale = narrow(thrift.integer()?)?,
            (10, kind::STRUCT) => element.leaf.logical = read_logical(thrift)?,
            _ => thrift.skip(kind)?,
        }
    }
    // The root needs neither.
    if !is_root && (element.name.is_empty() || !(0..=2).contains(&element.repetition)) {
        return Err(wrong("a column has no name or no repetition"));
    }
    Ok(element)
}

fn read_logical(thrift: &mut FooterThrift) -> io::Result<Option<Logical>> {
    let (mut last, mut logical) = (0, None);
    while let Some((number, kind)) = thrift.field(&mut last)? {
        logical = Some(match (number, kind) {
            (5, kind::STRUCT) => {
                let (mut last, mut scale) = (0, 0);
                while let Some((field, kind)) = thrift.field(&mut last)? {
                    match field {
                        1 => scale = i32::try_from(thrift.integer()?).unwrap_or(0),
                        _ => thrift.skip(kind)?,
                    }
                }
                Logical::Decimal { scale }
            }
            (10, kind::STRUCT) => {
                let (mut last, mut bits, mut signed) = (0, 0, true);
                while let Some((field, kind)) = thrift.field(&mut last)? {
                    match (field, kind) {
                        (1, kind::BYTE) => bits = thrift.byte()?,
                        (2, kind::TRUE | kind::FALSE) => signed = kind == kind::TRUE,
                        _ => thrift.skip(kind)?,
                    }
                }
                Logical::Integer { bits, signed }
            }
            (number, kind) => {
                thrift.skip(kind)?;
                match number {
                    1 | 4 | 12 => Logical::Text,
                    14 => Logical::Uuid,
                    other => Logical::Other(other),
                }
            }
        });
    }
    Ok(logical)
}

/// Reads the list of schema elements and returns the columns.
pub(super) fn read_leaves(thrift: &mut FooterThrift) -> io::Result<Vec<Leaf>> {
    struct Open {
        children_left: u64,
        path_bytes: usize,
        levels: (i16, i16),
    }
    let (_, elements) = thrift.list()?;
    let mut leaves = Vec::new();
    let mut path = String::new();
    let mut open: Vec<Open> = Vec::new();
    let mut bytes = 0;
    for number in 0..elements {
        let element = read_element(thrift, number == 0)?;
        let Some(parent) = open.last_mut() else {
            if number > 0 {
                return Err(wrong("its schema has two roots"));
            }
            open.push(Open {
                children_left: element.children,
                path_bytes: 0,
                levels: (0, 0),
            });
            continue;
        };
        parent.children_left = parent
            .children_left
            .checked_sub(1)
            .ok_or_else(|| wrong("its schema has a column too many"))?;
        path.truncate(parent.path_bytes);
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&element.name);
        let levels = (
            parent.levels.0 + i16::from(element.repetition != 0),
            parent.levels.1 + i16::from(element.repetition == 2),
        );
        if element.children > 0 {
            if open.len() > 64 || path.len() as u64 > COLUMN_NAME_BYTES_MAX {
                return Err(wrong("its columns are nested too deeply"));
            }
            open.push(Open {
                children_left: element.children,
                path_bytes: path.len(),
                levels,
            });
        } else {
            bytes += path.len() + size_of::<Leaf>();
            if bytes > PARQUET_SCHEMA_BYTES_MAX {
                let reason = format!(
                    "its Parquet footer lists {elements} columns, which take more than {} MiB; write the SMILES and id columns to a file of their own",
                    PARQUET_SCHEMA_BYTES_MAX >> 20
                );
                return Err(beyond_limits(reason));
            }
            leaves.push(Leaf {
                path: path.clone(),
                depth: open.len(),
                max_def_level: levels.0,
                max_rep_level: levels.1,
                ..element.leaf
            });
        }
        while open.len() > 1 && open.last().is_some_and(|open| open.children_left == 0) {
            open.pop();
        }
    }
    Ok(leaves)
}

impl Leaf {
    pub fn physical_type(&self) -> Option<PhysicalType> {
        Some(match self.physical {
            0 => PhysicalType::BOOLEAN,
            1 => PhysicalType::INT32,
            2 => PhysicalType::INT64,
            3 => PhysicalType::INT96,
            4 => PhysicalType::FLOAT,
            5 => PhysicalType::DOUBLE,
            6 => PhysicalType::BYTE_ARRAY,
            7 => PhysicalType::FIXED_LEN_BYTE_ARRAY,
            _ => return None,
        })
    }

    /// The descriptor for the `parquet` crate; `None` for an unknown type.
    pub fn descriptor(&self) -> Option<ColumnDescPtr> {
        let leaf = Type::primitive_type_builder(&self.path, self.physical_type()?)
            .with_length(self.length)
            .with_repetition(match self.max_def_level {
                0 => Repetition::REQUIRED,
                _ => Repetition::OPTIONAL,
            })
            .build()
            .ok()?;
        Some(Arc::new(ColumnDescriptor::new(
            Arc::new(leaf),
            self.max_def_level,
            self.max_rep_level,
            ColumnPath::from(self.path.clone()),
        )))
    }
}

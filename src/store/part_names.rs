//! The names of parts, of the folders that hold them, and of pages about a run.

use std::path::Path;

use super::disk;

/// Folder of the published parts in an output directory. It holds nothing else, so that readers can open the
/// folder as one data set.
pub const PRODUCTS_DIR: &str = "products";

/// What the names of folders of exports begin with, before the format.
pub const EXPORT_PREFIX: &str = "export-";

/// What follows for rows with canonical SMILES.
pub const CANONICAL_EXPORT: &str = "canonical";

/// The page about a run, in its output directory.
pub const REPORT: &str = "report.html";

/// What the names of pages that compare a run with another one begin with, before the other one's name.
pub const COMPARISON_PREFIX: &str = "compared-with-";

/// What the names of parts end in. The formats of the sink have these names.
const PART_EXTENSIONS: [&str; 10] = [
    "parquet", "smi", "smi.gz", "smi.zst", "csv", "csv.gz", "csv.zst", "sdf", "sdf.gz", "sdf.zst",
];

/// The name of a part in its folder.
pub fn part_name(number: usize, extension: &str) -> String {
    format!("part-{number:05}.{extension}")
}

/// The number in the name of a part.
pub fn part_number(path: &Path) -> Option<usize> {
    let name = path.file_name()?.to_str()?;
    let (digits, extension) = name.strip_prefix("part-")?.split_once('.')?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_part = all_digits && PART_EXTENSIONS.contains(&extension);
    digits.parse().ok().filter(|_| is_part)
}

/// Whether this is a page about the run.
pub(super) fn is_page(path: &Path, name: &str) -> bool {
    let compares = name.starts_with(COMPARISON_PREFIX) && name.ends_with(".html");
    (compares || name == REPORT) && !path.is_symlink() && path.is_file()
}

/// Whether this is the folder of an export of the run, with nothing but parts.
pub(super) fn is_export(path: &Path, name: &str) -> bool {
    let format = name.strip_prefix(EXPORT_PREFIX);
    format.is_some_and(|format| PART_EXTENSIONS.contains(&format) || format == CANONICAL_EXPORT)
        && !path.is_symlink()
        && path.is_dir()
        && disk::entries(path).is_ok_and(|parts| parts.iter().all(|p| part_number(p).is_some()))
}

//! Resolves the inputs that the user named into a list of files.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::SourceError;
use super::format::{EXTENSIONS, of_extension};
use crate::limits::LIBRARY_FILES_MAX;
use crate::store::PRODUCTS_DIR;

/// The files that `inputs` name, in their order. A directory gives the files in its tree that have a known
/// extension and are not hidden, sorted by path; the output directory of a job gives its products; a pattern
/// gives the matching files, sorted by name. A file named twice is read twice.
pub fn resolve(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, SourceError> {
    if inputs.is_empty() {
        return Err(SourceError::NoInputs);
    }
    let mut files = Vec::new();
    for input in inputs {
        if input.as_os_str() == "-" {
            return Err(SourceError::StandardInput);
        }
        match fs::metadata(input) {
            Ok(metadata) if metadata.is_dir() => {
                add_directory(&products_of_job(input), &mut files)?;
            }
            Ok(_) => add(&mut files, input.clone())?,
            Err(error) => match pattern(input) {
                Some(pattern) => add_matches(pattern, &mut files)?,
                None if is_no_text_but_pattern(input) => {
                    return Err(SourceError::BadPattern {
                        pattern: input.display().to_string(),
                        reason: "a pattern must be UTF-8; name the files or their directory".into(),
                    });
                }
                None => return Err(SourceError::unreadable(input, &error)),
            },
        }
    }
    Ok(files)
}

fn add(files: &mut Vec<PathBuf>, file: PathBuf) -> Result<(), SourceError> {
    if files.len() == LIBRARY_FILES_MAX {
        return Err(SourceError::TooManyFiles {
            files_max: LIBRARY_FILES_MAX,
        });
    }
    files.push(file);
    Ok(())
}

/// The folder of products, if `directory` is the output directory of a job.
fn products_of_job(directory: &Path) -> PathBuf {
    let products = directory.join(PRODUCTS_DIR);
    let is_output = directory.join("manifest.json").is_file() && products.is_dir();
    if is_output {
        products
    } else {
        directory.to_owned()
    }
}

fn add_directory(directory: &Path, files: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let mut found = Vec::new();
    collect(directory, &mut Vec::new(), &mut found)?;
    if found.is_empty() {
        return Err(SourceError::EmptyDirectory {
            path: directory.to_owned(),
            extensions: EXTENSIONS,
        });
    }
    found.sort();
    found.into_iter().try_for_each(|file| add(files, file))
}

/// Adds the files of the tree under `directory`. `above` holds the real paths of the directories above it; a
/// symbolic link to one of them is not followed.
fn collect(
    directory: &Path,
    above: &mut Vec<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), SourceError> {
    let unreadable = |error| SourceError::unreadable(directory, &error);
    let real = fs::canonicalize(directory).map_err(unreadable)?;
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    for entry in fs::read_dir(directory).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        // Rejects and duplicates of a job lie beside its products and are no library.
        let of_job = [b"rejects.parquet".as_slice(), b"duplicates.parquet"];
        if name.starts_with(b".") || of_job.contains(&name) {
            continue;
        }
        if path.is_dir() {
            // Spark and Delta Lake keep metadata in such directories.
            if !name.starts_with(b"_") {
                collect(&path, above, found)?;
            }
        } else if of_extension(&path).is_some() && path.is_file() {
            add(found, path)?;
        }
    }
    above.pop();
    Ok(())
}

/// Whether `input`, where no file has this name, is a pattern.
pub fn is_pattern(input: &Path) -> bool {
    pattern(input).is_some()
}

fn is_no_text_but_pattern(input: &Path) -> bool {
    let bytes = input.as_os_str().as_encoded_bytes();
    input.to_str().is_none() && bytes.iter().any(|byte| b"*?[".contains(byte))
}

/// `input` as a pattern, if it has a character that makes it one.
fn pattern(input: &Path) -> Option<&str> {
    input.to_str().filter(|text| text.contains(['*', '?', '[']))
}

fn add_matches(pattern: &str, files: &mut Vec<PathBuf>) -> Result<(), SourceError> {
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let paths = glob::glob_with(pattern, options).map_err(|error| SourceError::BadPattern {
        pattern: pattern.to_owned(),
        reason: super::error::one_line(&error.to_string()),
    })?;
    let mut found = Vec::new();
    for path in paths {
        let path = path.map_err(|error| SourceError::unreadable(error.path(), error.error()))?;
        if !path.is_dir() {
            add(&mut found, path)?;
        }
    }
    if found.is_empty() {
        return Err(SourceError::NoMatch {
            pattern: super::error::one_line(pattern),
        });
    }
    found.sort();
    found.into_iter().try_for_each(|file| add(files, file))
}

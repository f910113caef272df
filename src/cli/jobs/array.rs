//! `molsieve submit --array`: one job for each file of a library.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use crate::{
    cli::{CliError, places},
    config::JobSettings,
    daemon::client::IdempotencyKey,
    limits::JOB_NAME_CHARS_MAX,
    table::source::{names_a_format, resolve_inputs},
};

/// Most jobs of an array.
const ARRAY_JOBS_MAX: usize = 10_000;

/// A job of an array.
#[derive(Debug, PartialEq)]
pub(super) struct Element {
    /// Its settings: one input, and its own output.
    pub(super) settings: JobSettings,
    /// The file's name, if it may name a job.
    pub(super) name: Option<String>,
    /// Tells it from the others of the array: the same for the same file.
    mark: String,
}

/// The jobs of an array in the order of the names of their files. Everything that can be checked here is checked for
/// every job. `again`: an earlier submission may have made some of the outputs.
pub(super) fn elements(
    settings: &JobSettings,
    patterns: &[PathBuf],
    again: bool,
) -> Result<Vec<Element>, CliError> {
    let mut files = resolve_inputs(patterns)?;
    files.sort();
    files.dedup();
    let refuse = |reason: String| Err(CliError::Array(reason));
    if files.len() > ARRAY_JOBS_MAX {
        let count = files.len();
        return refuse(format!("{count} files are more than {ARRAY_JOBS_MAX}"));
    }
    let Some(output) = settings.output.as_deref() else {
        return refuse("--output is missing; it may contain {name}, {stem} and {number}".into());
    };
    let mut outputs: BTreeMap<PathBuf, &PathBuf> = BTreeMap::new();
    let mut elements = Vec::new();
    for (number, file) in (1..).zip(&files) {
        let output = output_of(output, file, number)?;
        if let Some(other) = outputs.insert(output.clone(), file) {
            let (other, file, output) = (other.display(), file.display(), output.display());
            return refuse(format!("{other} and {file} have the same output {output}"));
        }
        let settings = JobSettings {
            input: vec![file.clone()],
            output: Some(output.clone()),
            ..settings.clone()
        };
        let spec = settings.clone().check()?;
        places::check(&spec, settings.job_file.as_deref())?;
        let kept = settings.overwrite || settings.resume || again;
        if !kept && fs::read_dir(&output).is_ok_and(|mut entries| entries.next().is_some()) {
            let output = output.display();
            return refuse(format!(
                "{output} is not empty; use --overwrite or --resume"
            ));
        }
        elements.push(Element {
            name: name_of(file),
            mark: hex(file.as_os_str().as_encoded_bytes(), 8),
            settings,
        });
    }
    Ok(elements)
}

/// The label that jobs of an array have in common.
pub(super) fn label(word: &IdempotencyKey) -> String {
    format!("array={}", hex(word.as_str().as_bytes(), 4))
}

impl Element {
    /// Its idempotency key, where `word` is that of the array.
    pub(super) fn key(&self, word: &IdempotencyKey) -> Result<IdempotencyKey, CliError> {
        let key = format!("{word}-{}", self.mark);
        key.parse()
            .map_err(|_| CliError::Array("the word of --once is too long for an array".into()))
    }
}

/// The first bytes of a hash, in hex.
fn hex(text: &[u8], bytes: usize) -> String {
    let hash = Sha256::digest(text);
    hash.iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn name_of(file: &Path) -> Option<String> {
    let name = file.file_name()?.to_str()?;
    let fits = name.chars().count() <= JOB_NAME_CHARS_MAX && !name.contains(char::is_control);
    fits.then(|| name.to_owned())
}

/// The output of a file: `output` with its placeholders filled in, or a folder in it if it has none.
fn output_of(output: &Path, file: &Path, number: usize) -> Result<PathBuf, CliError> {
    let refuse = |reason: String| CliError::Array(reason);
    let name = file.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| refuse(format!("{} has no name in UTF-8", file.display())))?;
    let mut stem = Path::new(name).to_path_buf();
    while stem.extension().is_some() && names_a_format(&stem) {
        stem.set_extension("");
    }
    let stem = stem.to_string_lossy().into_owned();
    let Some(text) = output.to_str().filter(|text| text.contains('{')) else {
        return Ok(output.join(stem));
    };
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((word, after)) = after.split_once('}') else {
            return Err(refuse(format!("--output: {{{after} has no end")));
        };
        filled.push_str(before);
        match word {
            "name" => filled.push_str(name),
            "stem" => filled.push_str(&stem),
            "number" => filled.push_str(&number.to_string()),
            other => {
                return Err(refuse(format!(
                    "--output: {{{other}}} is none of {{name}}, {{stem}} and {{number}}"
                )));
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(output: &str, file: &str) -> Result<PathBuf, String> {
        output_of(Path::new(output), Path::new(file), 7).map_err(|error| error.to_string())
    }

    #[test]
    fn each_file_has_an_output_of_its_own() {
        for (pattern, file, expected) in [
            ("out", "lib/a.parquet", "out/a"),
            ("out", "lib/a.smi.gz", "out/a"),
            ("out", "lib/a.v2.smi", "out/a.v2"),
            ("out/{name}", "lib/a.smi.gz", "out/a.smi.gz"),
            ("out-{stem}/x", "lib/a.csv", "out-a/x"),
            ("{number}/{stem}-{number}", "a.csv", "7/a-7"),
        ] {
            assert_eq!(output(pattern, file), Ok(expected.into()));
        }
        for (pattern, words) in [
            ("out/{nmae}", "{nmae} is none of"),
            ("out/{}", "{} is none of"),
            ("out/{stem", "{stem has no end"),
        ] {
            let error = output(pattern, "a.smi").unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    fn array(folder: &Path, output: &str) -> Result<Vec<Element>, String> {
        let settings = JobSettings {
            output: Some(folder.join(output)),
            ..JobSettings::default()
        };
        let found = elements(&settings, &[folder.join("*.smi")], false);
        found.map_err(|error| error.to_string())
    }

    #[test]
    fn an_array_has_a_job_for_each_file_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.smi", "a.smi", "c.csv"] {
            fs::write(folder.path().join(name), "C a\n").unwrap();
        }
        let found = array(folder.path(), "out").unwrap();
        let names: Vec<_> = found.iter().filter_map(|e| e.name.as_deref()).collect();
        assert_eq!(names, ["a.smi", "b.smi"]);
        assert_eq!(found[1].settings.input, [folder.path().join("b.smi")]);
        assert_eq!(found[1].settings.output, Some(folder.path().join("out/b")));
        assert_ne!(found[0].mark, found[1].mark);
        // What is wrong with one job refuses all.
        fs::create_dir_all(folder.path().join("out/b/x")).unwrap();
        let error = array(folder.path(), "out").unwrap_err();
        assert!(error.contains("out/b is not empty"), "{error}");
        // Two files with one output.
        let same = folder.path().join("a.smi.gz");
        fs::write(&same, "C a\n").unwrap();
        let settings = JobSettings {
            output: Some(folder.path().join("else")),
            ..JobSettings::default()
        };
        let patterns = [folder.path().join("a.*")];
        let error = elements(&settings, &patterns, false)
            .unwrap_err()
            .to_string();
        assert!(error.contains("have the same output"), "{error}");
    }
}

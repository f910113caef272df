use std::{ffi::OsStr, num::NonZeroUsize, os::unix::ffi::OsStrExt, path::Path};

use clap::Parser;
use serde_json::{Value as Json, json};

use super::{schema::json_schema, value::SettingInfo, *};
use crate::{
    property::{Property, PropertySet},
    units::ByteSize,
};

#[derive(Parser)]
struct Flags<F: clap::Args> {
    #[command(flatten)]
    flags: F,
}

/// The settings that flags make.
fn flags<F: clap::Args + Into<JobSettings>>(text: &str) -> Result<JobSettings, clap::Error> {
    let words = ["molsieve"].into_iter().chain(text.split_whitespace());
    Flags::<F>::try_parse_from(words).map(|flags| flags.flags.into())
}

/// Reads a job file in a folder of its own; paths are given without that folder.
fn job_file(text: &str) -> Result<JobSettings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("job.toml");
    std::fs::write(&path, text).unwrap();
    let settings = JobSettings::from_file(&path)?;
    let settings =
        settings.with_paths(|path| path.strip_prefix(folder.path()).unwrap_or(path).into());
    Ok(JobSettings {
        job_file: None,
        ..settings
    })
}

/// Two values of a setting that JSON can give it, by its schema.
fn two_values(schema: &Json) -> [Json; 2] {
    let kind = match &schema["type"] {
        Json::Array(kinds) => kinds[0].clone(),
        kind => kind.clone(),
    };
    if let Some(texts) = schema["examples"].as_array() {
        return [texts[0].clone(), texts[1].clone()];
    }
    if let Some(words) = schema["enum"].as_array() {
        return [words[0].clone(), words[1].clone()];
    }
    if let Some(number) = schema["anyOf"].get(0) {
        let most = number["maximum"].as_u64().unwrap();
        return [most - 1, most].map(|bytes| json!(bytes));
    }
    match kind.as_str() {
        Some("integer") => {
            let least = schema["minimum"].as_u64().unwrap();
            [least, least + 1].map(|number| json!(number))
        }
        Some("number") => [json!(0.25), json!(0.5)],
        Some("boolean") => [json!(false), json!(true)],
        Some("string") => [json!("/a"), json!("/b")],
        Some("array") => [json!(["/a"]), json!(["/b", "/c"])],
        other => panic!("{other:?}: {schema}"),
    }
}

/// A job with one setting changed.
fn job_with(info: &SettingInfo, value: &Json) -> JobSettings {
    let mut job = json!({ "input": ["/in"], "output": "/out" });
    job["task"] = json!(info.task.unwrap_or_default());
    if info.task == Some(Task::Derive) && info.name != "step" {
        job["rules"] = json!(["/rules"]);
    }
    if info.name == "coordinates" {
        job["format"] = json!("sdf");
    }
    job[info.name] = value.clone();
    serde_json::from_value(job).unwrap()
}

/// Each setting with the jobs that its two values make.
fn jobs() -> impl Iterator<Item = (&'static SettingInfo, [JobSettings; 2])> {
    let schema = json_schema();
    JobSettings::ALL.iter().map(move |info| {
        let values = two_values(&schema["properties"][info.name]);
        (info, values.map(|value| job_with(info, &value)))
    })
}

/// The settings on which the files of a job depend, other than through their plan or the content of files.
const SAME_ON_RESUME: [&str; 33] = [
    "smiles_column",
    "id_column",
    "no_header",
    "clean",
    "keep_columns",
    "dedup",
    "format",
    "columns",
    "coordinates",
    "part_size",
    "compression",
    "sample",
    "steps",
    "new_only",
    "key",
    "smiles",
    "properties",
    "where",
    "alerts",
    "require_smarts",
    "reject_smarts",
    "parent_where",
    "parent_alerts",
    "parent_require_smarts",
    "parent_reject_smarts",
    "filter_last",
    "explain_drops",
    "expand_stereo",
    "max_products_per_parent",
    "max_products_per_step",
    "chemistry",
    "canonical",
    "duplicates",
];

#[test]
fn the_identity_changes_with_the_settings_that_change_the_files_and_no_others() {
    for (info, [one, other]) in jobs() {
        assert_ne!(one, other, "{}", info.name);
        let identities = [one, other].map(|job| job.check().unwrap().identity());
        let changed = identities[0] != identities[1];
        assert_eq!(
            changed,
            SAME_ON_RESUME.contains(&info.name),
            "{}",
            info.name
        );
    }
    let of = |text: &str| job_file(text).unwrap().check().unwrap().identity();
    let derive = of("input = ['a']\noutput = 'o'\n");
    assert_ne!(derive, of("input = ['a']\noutput = 'o'\ntask = 'dedup'\n"));
    assert_eq!(derive["--properties"], "false");
    assert_eq!(derive["--part-size"], "64MiB");
    assert_eq!(derive["--id-column"], "not given");
}

#[test]
fn every_setting_survives_being_written_as_a_job_file_and_being_checked() {
    for (info, jobs) in jobs() {
        for job in jobs {
            let text = toml::to_string(&job).unwrap();
            assert_eq!(toml::from_str::<JobSettings>(&text).unwrap(), job, "{text}");
            let spec = job.check().unwrap();
            let again = job_file(&spec.written().to_job_file()).unwrap();
            assert_eq!(again.check().unwrap(), spec, "{}", info.name);
            assert_eq!(spec.settings().check().unwrap(), spec, "{}", info.name);
        }
    }
}

#[test]
fn every_path_is_among_the_paths_of_the_settings() {
    for (info, [job, _]) in jobs() {
        let mapped = job.clone().with_paths(|path| path.join("x"));
        let [before, after] = [job, mapped].map(|job| json!(job)[info.name].clone());
        let is_path = ["^/", "=/", "@/"]
            .iter()
            .any(|path| (info.schema)().to_string().contains(path));
        assert_eq!(before != after, is_path, "{}", info.name);
    }
}

#[test]
fn a_flag_wins_over_the_job_file_whatever_the_setting() {
    for (info, [file, flag]) in jobs() {
        let both = flag.clone().over(file.clone());
        assert_eq!(both, flag, "{}", info.name);
        let only_file = JobSettings::default().over(flag.clone());
        assert_eq!(only_file, flag, "{}", info.name);
    }
    let file = job_file("input = ['a.smi']\nmemory = '2GiB'\nthreads = 4\n").unwrap();
    let both = flags::<DeriveFlags>("--threads 8").unwrap().over(file);
    assert_eq!(both.threads, NonZeroUsize::new(8));
    assert_eq!(both.memory, Some(ByteSize(2 << 30)));
    assert_eq!(both.input, [Path::new("a.smi")]);
}

#[test]
fn a_subcommand_has_the_flags_of_its_task_alone() {
    let derive = flags::<DeriveFlags>("-i a -r r.toml --key structure --properties").unwrap();
    assert_eq!(derive.rules, [Path::new("r.toml")]);
    assert!(flags::<DedupFlags>("-i a --canonical --check 5 --part-size 1MiB").is_ok());
    for flag in [
        "--rules r",
        "--properties",
        "--key structure",
        "--chemistry fast",
    ] {
        assert!(flags::<DedupFlags>(flag).is_err(), "{flag}");
    }
    for flag in ["--canonical", "--check 5"] {
        assert!(flags::<DeriveFlags>(flag).is_err(), "{flag}");
    }
}

#[test]
fn settings_of_another_task_are_refused() {
    let refusal = |text: &str| {
        let settings = job_file(&format!("input = ['a']\noutput = 'o'\n{text}\n")).unwrap();
        settings
            .check()
            .map(drop)
            .map_err(|error| error.to_string())
    };
    let derive = "a job that derives products has no such setting; molsieve dedup has";
    assert_eq!(
        refusal("canonical = true"),
        Err(format!("--canonical: {derive}"))
    );
    assert_eq!(refusal("check = 5"), Err(format!("--check: {derive}")));
    let dedup = "a deduplication has no such setting; molsieve run has";
    for (name, setting) in [
        ("rules", "rules = ['r']"),
        ("properties", "properties = true"),
        ("key", "key = 'canonical'"),
    ] {
        let refused = refusal(&format!("task = 'dedup'\n{setting}"));
        assert_eq!(refused, Err(format!("--{name}: {dedup}")));
    }
}

#[test]
fn a_job_file_that_an_earlier_version_wrote_for_a_deduplication_is_read() {
    let written = "input = ['a']\noutput = 'o'\nengine = 'cpu'\nthreads = 2\nmemory = '1GiB'\n\
        dedup = 'exact'\nkey = 'structure'\ntask = 'dedup'\ncheck = 7\nexpected_products = 1000\n\
        false_positive_rate = 1e-9\nmax_products_per_parent = 25000\nparent_timeout = 120\n\
        part_size = '64MiB'\nslot_size = '4MiB'\nslots = 6\nchemistry = 'fast'\n";
    let spec = job_file(written).unwrap().check().unwrap();
    let expected = DedupWork {
        canonical: false,
        duplicates: false,
        check: Some(7),
    };
    assert_eq!(spec.work, Work::Dedup(expected.into()));
    assert_eq!(spec.key(), KeyKind::Structure);
}

#[test]
fn a_job_file_is_faulted_where_it_is_wrong() {
    let error = job_file("input = ['a.smi']\nmemroy = '2GiB'\n").unwrap_err();
    let ConfigError::Syntax {
        line,
        column,
        reason,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!((*line, *column), (2, 1));
    assert!(
        reason.contains("memroy") && !reason.contains('\n'),
        "{reason}"
    );
    let error = job_file("memory = 'lots'\n").unwrap_err();
    assert!(
        error.to_string().contains("`lots` is not a size"),
        "{error}"
    );
}

#[test]
fn values_out_of_range_name_their_flag() {
    let settings = flags::<DeriveFlags>("-i a.smi -o out --false-positive-rate 1.5").unwrap();
    let error = settings.clone().check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "--false-positive-rate: 1.5 is not between 0.000000000000001 and 0.5"
    );
    let missing = JobSettings {
        input: Vec::new(),
        ..settings
    };
    let error = missing.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "no --input is given; see molsieve run --help"
    );
}

#[test]
fn a_compression_is_a_codec_with_a_level_in_range() {
    for (text, written) in [
        ("zstd", "zstd:1"),
        ("zstd:9", "zstd:9"),
        ("snappy", "snappy"),
        ("lz4", "lz4"),
        ("none", "none"),
    ] {
        let settings = flags::<DedupFlags>(&format!("--compression {text}")).unwrap();
        assert_eq!(
            serde_json::to_value(settings).unwrap()["compression"],
            written
        );
    }
    for text in ["zstd:0", "zstd:10", "zstd:", "gzip", "lz4:1"] {
        assert!(
            flags::<DedupFlags>(&format!("--compression {text}")).is_err(),
            "{text}"
        );
        let error = job_file(&format!("threads = 1\ncompression = '{text}'\n")).unwrap_err();
        assert!(error.to_string().contains("job.toml:2:15: "), "{error}");
    }
}

#[test]
fn a_path_that_is_not_utf8_survives_being_written() {
    let paths: [&[u8]; 5] = [
        b"/a/b.smi",
        b"/100%/\xFF\xFEx.smi",
        b"\xC3",
        "/é%41\u{1}".as_bytes(),
        b"%\xFF%",
    ];
    for bytes in paths {
        let path = Path::new(OsStr::from_bytes(bytes));
        let written = JobSettings {
            input: vec![written_path(path)],
            ..JobSettings::default()
        };
        let text = toml::to_string(&written).unwrap();
        let read: JobSettings = toml::from_str(&text).unwrap();
        assert_eq!(read_path(read.input[0].clone()), path, "{text}");
    }
    assert_eq!(
        written_path(Path::new(OsStr::from_bytes(b"/50%\xFF"))),
        Path::new("\0/50%25%FF")
    );
}

#[test]
fn properties_are_named_by_flag_and_job_file() {
    let of_flags = |text: &str| flags::<DeriveFlags>(text).map(|settings| settings.properties);
    let some: PropertySet = "mw,hba".parse().unwrap();
    assert_eq!(of_flags("-i a").unwrap(), None);
    assert_eq!(
        of_flags("-i a --properties -o b").unwrap(),
        Some(PropertySet::ALL)
    );
    for text in ["--properties hba,mw", "--properties=mw,hba,mw"] {
        assert_eq!(of_flags(text).unwrap(), Some(some), "{text}");
    }
    let refused = of_flags("--properties mw,weight").unwrap_err().to_string();
    assert!(
        refused.contains("\"weight\"; there are mw, clogp"),
        "{refused}"
    );
    let of_file = |text: &str| job_file(text).map(|settings| settings.properties);
    assert_eq!(
        of_file("properties = true").unwrap(),
        Some(PropertySet::ALL)
    );
    assert_eq!(of_file("properties = ['hba', 'mw']").unwrap(), Some(some));
    let refused = of_file("properties = ['weight']").unwrap_err().to_string();
    assert!(refused.contains("\"weight\""), "{refused}");
    let identity = |text: &str| {
        let job = job_file(&format!("input = ['a']\noutput = 'o'\n{text}"));
        job.unwrap().check().unwrap().identity()
    };
    assert_eq!(
        identity("properties = ['hba', 'mw']")["--properties"],
        "mw,hba"
    );
}

#[test]
fn the_help_names_every_property() {
    let info = JobSettings::ALL
        .iter()
        .find(|info| info.name == "properties")
        .unwrap();
    let text = info.documentation.replace('\n', " ");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let names = Property::ALL.map(Property::name).join(", ");
    assert!(text.contains(&format!("Names: {names}.")), "{text}");
}

#[test]
fn the_schema_says_everything_in_openapi_too() {
    use utoipa::PartialSchema;
    let schema = json_schema();
    let in_openapi = serde_json::to_value(JobSettings::schema()).unwrap();
    assert_eq!(in_openapi["additionalProperties"], false);
    let properties = schema["properties"].as_object().unwrap();
    for (name, property) in properties {
        assert_eq!(&in_openapi["properties"][name], property, "{name}");
        let description = property["description"].as_str().unwrap();
        assert!(description.len() > 10, "{name}: {description}");
    }
    assert_eq!(properties.len(), JobSettings::ALL.len() + 1);
    let timeout = &properties["parent_timeout"];
    assert_eq!(
        (&timeout["minimum"], &timeout["maximum"]),
        (&json!(1), &json!(604_800))
    );
    let slot_size = &properties["slot_size"]["anyOf"];
    assert_eq!(slot_size[1]["pattern"], "^[1-9][0-9]{0,2} ?[M](i?B)?$");
}

use std::fs;

use clap::Parser;

use super::*;
use crate::units::ByteSize;

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    flags: ServeFlags,
}

/// Loads these flags, and a file with this text.
fn load(flags: &str, file: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.toml");
    fs::write(&path, file).unwrap();
    let words = ["serve", "--socket=/s", "--state=/d", "--gpus=0"];
    let words = words.into_iter().chain(flags.split_whitespace());
    let source = ServeSource {
        flags: Flags::try_parse_from(words).unwrap().flags,
        config: Some(path),
    };
    let here = format!("{}/", folder.path().display());
    source
        .load()
        .map_err(|error| error.to_string().replace(&here, ""))
}

#[test]
fn flags_become_checked_values() {
    let flags = "--memory 64GiB --threads 32 --admin-group root --retry-delay 3 --log-format json";
    let settings = load(flags, "").unwrap().settings;
    assert_eq!(settings.socket, PathBuf::from("/s"));
    let budget = Resources {
        memory_bytes: 64 << 30,
        threads: 32,
        gpus: 0,
    };
    assert_eq!(settings.budget, budget);
    assert_eq!(settings.admin_group, Some(0));
    assert_eq!(settings.group, None);
    let retry = RetryPolicy {
        failures_max: 8,
        first_delay_ms: 3_000,
        delay_ms_max: 300_000,
    };
    assert_eq!(settings.retry, retry);
    assert_eq!(settings.keep, Duration::from_secs(30 * 86_400));
    assert_eq!(settings.silence, Duration::from_secs(900));
    assert_eq!(settings.half_life_ms, 24 * 3_600_000);
    assert_eq!(settings.log_format, LogFormat::Json);
}

#[test]
fn the_file_has_the_keys_of_the_flags_and_the_flags_win() {
    let file = "memory = \"2GiB\"\nthreads = 3\nkeep_days = 1\nlog_format = \"json\"\n\
                log_level = \"warn\"\ngroup = \"root\"\n";
    let loaded = load("--threads 5", file).unwrap();
    let settings = &loaded.settings;
    assert_eq!(settings.budget.memory_bytes, 2 << 30);
    assert_eq!(settings.budget.threads, 5);
    assert_eq!(settings.keep, Duration::from_secs(86_400));
    assert_eq!(settings.group, Some(0));
    let place = |line, column| Origin::File(Place { line, column });
    assert_eq!(loaded.origins.memory, place(1, 10));
    assert_eq!(loaded.origins.threads, Origin::Flag);
    assert_eq!(loaded.origins.silence, Origin::Default);
    let shown = loaded.to_string();
    for line in [
        "memory = \"2GiB\"  # file, line 1\n",
        "threads = 5  # flag\n",
        "silence = 900  # default\n",
        "# admin_group is not set\n",
        "log_level = \"warn\"  # file, line 5\n",
        "\n[quota]\nwaiting = \"25%\"  # default\n",
    ] {
        assert!(shown.contains(line), "{line}{shown}");
    }
    // What is printed is a file with the same meaning.
    let again = load("", &shown).unwrap();
    assert_eq!(again.values, loaded.values);
}

#[test]
fn defaults_are_those_that_the_help_names() {
    let values = load("", "").unwrap().values;
    let help = <Flags as clap::CommandFactory>::command()
        .render_long_help()
        .to_string();
    for default in [
        u64::from(values.retries),
        values.keep_days,
        values.retry_delay,
        values.silence,
        values.half_life_hours,
    ] {
        assert!(help.contains(&format!("[default: {default}]")), "{default}");
    }
    let memory = values.memory;
    assert!(memory > ByteSize(0) && memory < crate::machine::memory_limit());
    assert!(values.threads >= 1);
}

#[test]
fn a_wrong_value_is_an_error_with_its_place() {
    for (flags, file, expected) in [
        ("--threads 0", "", "--threads: 0 is not between 1 and 65536"),
        (
            "--memory 1MiB",
            "",
            "--memory: 1 MiB is not between 128 MiB and 1024 TiB",
        ),
        (
            "--silence 5",
            "",
            "--silence: 5 is not between 15 and 604800",
        ),
        (
            "--group no-such-group",
            "",
            "--group: there is no group `no-such-group`",
        ),
        (
            "",
            "\nthreads = 0",
            "m.toml:2:11: threads: 0 is not between 1 and 65536",
        ),
        // Also where a flag wins.
        (
            "--threads 1",
            "threads = 0",
            "m.toml:1:11: threads: 0 is not between 1 and 65536",
        ),
        (
            "",
            "threads = -1",
            "m.toml:1:11: threads: invalid value: integer `-1`, expected u32",
        ),
        (
            "",
            "threads = \"x\"",
            "m.toml:1:11: threads must be a whole number, not \"x\"",
        ),
        (
            "",
            "memory = true",
            "m.toml:1:10: memory must be a size such as \"2GiB\", not true",
        ),
        (
            "",
            "memory = \"x\"",
            "m.toml:1:10: memory: `x` is not a size; write for example 512MiB or 2GiB",
        ),
        (
            "",
            "# ä\ntreads = 1",
            "m.toml:2:1: unknown key \"treads\"; did you mean \"threads\"?",
        ),
        (
            "",
            "log_level = \"a=b=c\"",
            "m.toml:1:13: log_level: `a=b=c` is not error, warn, info, debug, trace \
            or a list of targets with these",
        ),
        (
            "",
            "group = \"no-such-group\"",
            "m.toml:1:9: group: there is no group `no-such-group`",
        ),
        ("", "quota = 1", "m.toml:1:9: quota must be a table, not 1"),
        (
            "",
            "[quota]\nwaitin = 1",
            "m.toml:2:1: unknown key \"waitin\"; did you mean \"waiting\"?",
        ),
        (
            "",
            "[quota.user.no-such-user]\n",
            "m.toml:1:13: there is no user \"no-such-user\"",
        ),
        (
            "",
            "[quota.group.no-such-group]\n",
            "m.toml:1:14: there is no group \"no-such-group\"",
        ),
        (
            "",
            "[quota.user.root]\ngpu = 1",
            "m.toml:2:1: unknown key \"gpu\"; did you mean \"gpus\"?",
        ),
        (
            "",
            "[quota]\nrunning = \"10%\"",
            "m.toml:2:11: running must be a whole number or \"unlimited\"",
        ),
        (
            "",
            "[quota]\nthreads = \"101%\"",
            "m.toml:2:11: threads: `101%` is not a percentage from 0% to 100%",
        ),
        (
            "",
            "[quota]\nthreads = 1.5",
            "m.toml:2:11: threads must be a whole number, a percentage such as \
            \"25%\" or \"unlimited\", not 1.5",
        ),
    ] {
        assert_eq!(load(flags, file).unwrap_err(), expected, "{file}");
    }
    let error = load("", "a = [").unwrap_err();
    assert!(error.starts_with("m.toml:1:"), "{error}");
    let source = ServeSource {
        config: Some("/nowhere/m.toml".into()),
        ..ServeSource::default()
    };
    let error = source.load().unwrap_err().to_string();
    assert_eq!(error, "/nowhere/m.toml: no such file or directory");
}

#[test]
fn quotas_are_read_for_each_for_users_and_for_groups() {
    let file = "[quota]\nwaiting = 10\nmemory = \"50%\"\n[quota.user.nobody]\nmemory = \"1GiB\"\n\
                [quota.group.root]\nrunning = \"unlimited\"\nthreads = 2\n";
    let settings = load("--memory 8GiB --threads 4", file).unwrap().settings;
    let of = |uid, gid| settings.quotas.of(uid, gid, &settings.budget);
    assert_eq!((of(7, 7).waiting, of(7, 7).memory_bytes), (10, 4 << 30));
    assert_eq!(
        (of(65_534, 7).waiting, of(65_534, 7).memory_bytes),
        (10, 1 << 30)
    );
    assert_eq!((of(7, 0).threads, of(7, 7).threads), (2, u64::MAX));
}

#[test]
fn a_reload_applies_what_it_can_and_names_the_rest() {
    let old = load("", "threads = 3\nlog_format = \"text\"").unwrap();
    let new = load(
        "",
        "threads = 4\nlog_format = \"json\"\n[quota]\nwaiting = 1",
    )
    .unwrap();
    let (now, changes) = old.reload(new).unwrap();
    assert_eq!(now.settings.budget.threads, 4);
    assert_eq!(now.settings.log_format, LogFormat::Text);
    assert_eq!(
        now.settings.quotas.of(1, 1, &now.settings.budget).waiting,
        1
    );
    let changes: Vec<_> = changes
        .iter()
        .map(|change| (change.key, change.applied))
        .collect();
    assert_eq!(
        changes,
        [("threads", true), ("log_format", false), ("quota", true)]
    );
    let (_, none) = now.reload(now.clone()).unwrap();
    assert!(none.is_empty());
}

//! Tests that can't run on this machine: each reports the skip, or fails if the environment demands the test.

use std::{env, ffi::OsString, io::Write, process::Command};

use super::{Run, library::repository, run_command};

/// Prints a line that the test harness doesn't capture, as it does the output of passing tests.
pub fn report(line: &str) {
    // A closed stderr fails no test.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Reports in the test output that the test was skipped, and why.
pub fn skipped(why: &str) {
    report(&format!("SKIPPED: {why}"));
}

/// Reports that an engine is not tested; fails if `MOLSIEVE_REQUIRE_ENGINES` demands it.
pub fn skip_engine(engine: &str, why: &str) {
    let demanded = env::var("MOLSIEVE_REQUIRE_ENGINES").unwrap_or_default();
    assert!(
        !demanded.split(',').any(|name| name.trim() == engine),
        "the engine {engine} is demanded: {why}"
    );
    skipped(&format!("engine {engine}: {why}"));
}

/// Converts texts and paths into arguments.
macro_rules! args {
    ($($arg:expr),* $(,)?) => { &[$(std::ffi::OsString::from($arg)),*] };
}
pub(crate) use args;

/// A Python with the packages of `tests/oracle/requirements.txt`, named by `MOLSIEVE_PYTHON`.
pub struct Python(OsString);

impl Python {
    /// Without one, reports that `what` is skipped, or fails if `MOLSIEVE_REQUIRE_PYTHON` is set.
    pub fn find(what: &str) -> Option<Self> {
        let python = env::var_os("MOLSIEVE_PYTHON");
        if python.is_none() {
            let required = env::var_os("MOLSIEVE_REQUIRE_PYTHON").is_some();
            assert!(!required, "MOLSIEVE_PYTHON is not set");
            skipped(&format!("{what}: MOLSIEVE_PYTHON is not set"));
        }
        python.map(Self)
    }

    /// A command that starts it.
    pub fn command(&self) -> Command {
        Command::new(&self.0)
    }

    /// Runs one of `tests/oracle/`.
    pub fn oracle(&self, script: &str, args: &[OsString]) -> Run {
        let mut command = self.command();
        command
            .arg(repository().join("tests/oracle").join(script))
            .args(args)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        run_command(command)
    }
}

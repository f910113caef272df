//! Runs `scripts/gpu-check.sh` and `scripts/gpu-pack.sh` with the real binary under the fake driver. Whatever hangs or
//! crashes, the check runs all of its steps and collects the results.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use crate::kit::{Folder, Run, alone, shim};
use molsieve::sieve::cuda;

/// The check ends itself after 8 minutes.
const CHECK_TIME_MAX: Duration = Duration::from_secs(500);
/// Time limit on a machine without GPU.
const WITHOUT_GPU_TIME_MAX: Duration = Duration::from_secs(10);
const FILES_MAX: usize = 8;

fn script(name: &str) -> PathBuf {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    scripts.join(name)
}

/// A short bash script.
fn program(folder: &Folder, name: &str, lines: &str) -> PathBuf {
    let path = folder.write(name, format!("#!/usr/bin/env bash\n{lines}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// A run of the check under the fake driver, with fake NVIDIA tools.
struct Check {
    folder: Folder,
    run: Run,
    summary: String,
}

impl Check {
    /// `plants` are branches of a `case` over molsieve's command line that make a call fail.
    fn run(flags: &str, plants: &str, limits: &[(&str, &str)]) -> Self {
        let (folder, driver) = (Folder::new(), shim::fake_driver());
        for tool in ["ncu", "compute-sanitizer"] {
            let lines = "until [ \"$1\" = \"$MOLSIEVE\" ]; do shift || exit; done; exec \"$@\"";
            program(&folder, &format!("tools/{tool}"), lines);
        }
        let real = env!("CARGO_BIN_EXE_molsieve");
        let lines = format!(
            "case \"$*\" in\n{plants}\n*--quick*) ;;\ndoctor*) set -- \"$@\" --quick ;;\nesac\nexec {real} \"$@\""
        );
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new(script("gpu-check.sh"));
        command
            .args(flags.split_whitespace())
            .arg(folder.path("results"))
            .env("MOLSIEVE", program(&folder, "molsieve", &lines))
            .env("PATH", format!("{}:{path}", folder.path("tools").display()))
            .env("LD_LIBRARY_PATH", driver.path())
            .env("GPU_CHECK_SECONDS", "0.01")
            .env("GPU_CHECK_MAX_FILTER", "256KiB")
            .envs(limits.iter().copied());
        let run = crate::kit::run_command_within(command, CHECK_TIME_MAX);
        let summary = fs::read_to_string(folder.path("results/summary.txt")).unwrap();
        let check = Self {
            folder,
            run,
            summary,
        };
        check.has_few_small_files();
        check
    }

    #[track_caller]
    fn has_few_small_files(&self) {
        let files: Vec<_> = fs::read_dir(self.folder.path("results"))
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .collect();
        assert!(files.len() <= FILES_MAX, "{}", files.len());
        assert!(files.iter().sum::<u64>() < 16 << 20);
    }

    /// The summary line of a step.
    #[track_caller]
    fn line(&self, step: &str) -> &str {
        let is_its = |line: &&str| line.split_whitespace().nth(1) == Some(step);
        let mut lines = self.summary.lines().filter(is_its);
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("no {step} in: {}", self.summary));
        assert_eq!(lines.next(), None, "two lines for one step");
        assert!(self.run.stdout.contains(line), "{}", self.run.stdout);
        line
    }

    #[track_caller]
    fn says(&self, step: &str, status: &str, words: &str) {
        let line = self.line(step);
        assert!(
            line.starts_with(status) && line.contains(words),
            "{status} … {words}: {}",
            self.summary
        );
    }

    /// The names of the logs in an archive.
    fn logs(&self, archive: &str) -> String {
        let mut command = Command::new("tar");
        command
            .arg("-tzf")
            .arg(self.folder.path("results").join(archive));
        crate::kit::run_command(command).ends_with(0).stdout
    }
}

#[test]
fn a_hang_and_a_crash_fail_only_their_own_steps_slow() {
    let plants = "
        'bench --engine cuda --seconds 0.01 --max-filter 256KiB --json') trap '' TERM; sleep 600 ;;
        'run --engine cuda --memory 2048MiB --output'*) kill -ABRT $$ ;;
        *'--only ceilings'*) head -c 40000000 /dev/urandom; exit 1 ;;
        'dedup --engine cuda'*) export FAKE_CUDA_CALLS=40 ;;";
    let check = Check::run("", plants, &[("GPU_CHECK_LIMIT_4", "2")]);
    assert_eq!(check.run.code, Some(1), "{}", check.summary);
    // Its log exceeds the limit for results.
    check.says("3-ceilings", "FAILED", "exit code 1");
    check.says("4-bench", "HUNG", "no end within 2 s");
    check.says("5-run-cuda", "CRASHED", "signal ABRT");
    check.says("5-run-same", "skipped", "one of the two jobs is not done");
    // The job completes with the right files, but on another engine.
    check.says(
        "5-dedup-cuda",
        "FAILED",
        "it did not end on the engine cuda",
    );
    check.says("5-dedup-same", "ok", "wrote the same bytes");
    for step in [
        "1-cuda",
        "1-facts",
        "2-doctor",
        "5-run-cpu",
        "5-dedup-cpu",
        "6-bench-16GiB",
        "7-ncu-look_up",
        "7-ncu-insert_new",
        "8-memcheck",
        "9-racecheck",
        "10-bench-cpu",
        "11-scaling",
    ] {
        check.says(step, "ok", "");
    }
    check.line("7-ncu-structure_key");
    check.line("10-bench-wgpu");
    assert!(
        check
            .summary
            .ends_with("SOMETHING FAILED; the logs are in logs.tar.gz\n")
    );
    let logs = check.logs("logs.tar.gz");
    for log in [
        "4-bench.threads",
        "4-bench.nvidia-smi",
        "4-bench.dmesg",
        "5-run-cpu.memory",
    ] {
        assert!(logs.contains(log), "{log} is not in: {logs}");
    }
}

#[test]
fn after_two_consecutive_hangs_only_cpu_steps_run() {
    let plants = "doctor* | 'bench --engine cuda'*) sleep 600 ;;";
    let limits = [("GPU_CHECK_LIMIT_2", "2"), ("GPU_CHECK_LIMIT_3", "2")];
    let check = Check::run("--first", plants, &limits);
    assert_eq!(check.run.code, Some(1), "{}", check.summary);
    for (step, status) in [
        ("2-doctor", "HUNG"),
        ("3-ceilings", "HUNG"),
        ("4-bench", "skipped"),
        ("5-run-cuda", "skipped"),
        ("5-run-cpu", "ok"),
        ("5-dedup-cuda", "skipped"),
        ("5-dedup-cpu", "ok"),
    ] {
        check.says(step, status, "");
    }
    assert!(!check.summary.contains("6-bench"), "{}", check.summary);
    assert!(
        check
            .logs("logs-first.tar.gz")
            .contains("3-ceilings.nvidia-smi")
    );
}

#[test]
fn a_successful_check_reports_success_and_figures_slow() {
    let check = Check::run("", "", &[]);
    assert_eq!(check.run.code, Some(0), "{}", check.summary);
    assert!(
        check.summary.ends_with("all is well\n"),
        "{}",
        check.summary
    );
    assert!(check.folder.path("results/ceilings.json").exists());
    check.says("1-cuda", "ok", "cuda, stand-in");
    for verb in ["run", "dedup"] {
        check.says(
            &format!("5-{verb}-same"),
            "ok",
            "cuda and cpu wrote the same bytes",
        );
        let memory = format!("5-{verb}-memory");
        check.says(&memory, "ok", "MiB more, for which the plan has 320 MiB");
    }
    assert!(
        check.summary.contains("RDKit makes about"),
        "{}",
        check.summary
    );
    for name in ["doctor.json", "bench.json", "scaling.json"] {
        let text = fs::read_to_string(check.folder.path("results").join(name)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
    let page = fs::read_to_string(check.folder.path("results/bench.html")).unwrap();
    assert!(page.contains("<svg"), "{page}");
}

/// The scripts as packed for another machine.
#[test]
fn a_pack_is_small_and_ends_at_once_where_there_is_no_gpu() {
    let _alone = alone();
    let folder = Folder::new();
    let pack = folder.path("pack");
    let mut command = Command::new(script("gpu-pack.sh"));
    command
        .arg(&pack)
        .env("MOLSIEVE", env!("CARGO_BIN_EXE_molsieve"));
    let prefix = std::env::var("CONDA_PREFIX");
    if prefix.is_err() || prefix.is_ok_and(|prefix| prefix.starts_with("/usr")) {
        return crate::kit::skipped("the RDKit of the system cannot be packed");
    }
    let packed = crate::kit::run_command(command).ends_with(0);
    let sizes = [
        "the pack takes ",
        "the files that git tracks ",
        "of 56.0 MiB",
    ];
    for words in sizes {
        assert!(packed.stdout.contains(words), "{}", packed.stdout);
    }
    if cuda::gpus().is_ok() {
        return crate::kit::skipped("there is a GPU");
    }
    let began = Instant::now();
    let mut command = Command::new(pack.join("gpu-check.sh"));
    command
        .arg(folder.path("results"))
        .env_remove("MOLSIEVE")
        .env_remove("LD_LIBRARY_PATH");
    let run = crate::kit::run_command(command);
    assert!(
        began.elapsed() < WITHOUT_GPU_TIME_MAX,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(run.code, Some(1), "{}", run.stdout);
    let why =
        "there is no NVIDIA GPU to test: engine cuda: there is no NVIDIA driver (libcuda.so.1)";
    assert!(run.stdout.contains(why), "{}", run.stdout);
    let summary = fs::read_to_string(folder.path("results/summary.txt")).unwrap();
    assert!(summary.contains(why), "{summary}");
}

#[test]
fn a_driver_without_gpu_ends_the_check_at_once() {
    let _alone = alone();
    let began = Instant::now();
    let check = Check::run("", "", &[("FAKE_CUDA_DEVICES", "0")]);
    // This time includes compiling the fake driver.
    assert!(
        began.elapsed() < 3 * WITHOUT_GPU_TIME_MAX,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(check.run.code, Some(1), "{}", check.summary);
    check.says("gpu-check", "FAILED", "shows no GPU");
}

#[test]
fn wrong_arguments_are_refused() {
    let folder = Folder::new();
    for flags in [
        vec!["--third"],
        vec!["--first", "--second"],
        vec!["a", "b"],
        vec![""],
    ] {
        let mut command = Command::new(script("gpu-check.sh"));
        command.args(&flags).current_dir(folder.path("."));
        let run = crate::kit::run_command(command).ends_with(2);
        assert!(run.stderr.contains("usage: gpu-check.sh"), "{}", run.stderr);
    }
    assert_eq!(fs::read_dir(folder.path(".")).unwrap().count(), 0);
}

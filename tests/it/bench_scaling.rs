//! `molsieve bench --scaling`, with jobs too short for meaningful values: the figures must be present, consistent, and
//! reported in all three forms.

use std::time::Duration;

use crate::kit::{
    Folder, Molsieve, Run,
    library::{shipped_library, shipped_rules},
    output, shim, wait_until,
};
use rustix::process::Signal;
use serde_json::Value;

fn scaling(flags: &str) -> Molsieve {
    Molsieve::new("bench --scaling").args(flags)
}

fn report(run: &Run) -> Value {
    let mut lines = run.json_lines();
    assert_eq!(lines.len(), 1, "one object");
    lines.remove(0)
}

/// The number of a point under this name.
#[track_caller]
fn of_point(point: &Value, name: &str) -> f64 {
    let number = point[name].as_f64().unwrap_or(f64::NAN);
    assert!(number > 0.0 && number.is_finite(), "{name}: {point}");
    number
}

/// Fails unless the figures of a job are present and consistent.
#[track_caller]
fn assert_scaling(job: &Value, threads: &[u64], rounds: usize) {
    let points = job["points"].as_array().unwrap();
    let measured = points.iter().map(|point| &point["threads"]);
    assert!(measured.eq(threads), "{job}");
    let rows = job["rows"].as_f64().unwrap();
    assert!(job["rows_written"].as_f64() <= Some(rows) && rows > 100.0);
    assert!(job["bytes_written"].as_f64() > Some(1_000.0), "{job}");
    let first = of_point(&points[0], "rows_per_second");
    for point in points {
        let number = |name| of_point(point, name);
        let near = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-9, "{a} {b}: {point}");
        let times = number("threads") / threads[0] as f64;
        near(number("rows_per_second") * number("seconds"), rows);
        near(number("speed_up"), number("rows_per_second") / first);
        near(number("share_of_linear"), number("speed_up") / times);
        let cpu_seconds = number("cpu_us_per_row") * rows / 1e6;
        near(number("processors_busy"), cpu_seconds / number("seconds"));
        let of_rounds = point["seconds_of_rounds"].as_array().unwrap();
        assert_eq!(of_rounds.len(), rounds, "{point}");
        let serial = point["serial"].as_array().unwrap();
        let parts: Vec<_> = serial.iter().map(|part| part["part"].as_str()).collect();
        let expected = ["source", "sieve", "sink", "log", "settle"];
        assert_eq!(parts, expected.map(Some));
        // Settling has nothing to do where the filter saw no repeat.
        for part in &serial[..3] {
            let share = of_point(part, "us_per_row") * rows / 1e6 / number("seconds");
            near(of_point(part, "share_of_time"), share);
        }
        assert!(point["limit"].is_string() && number("limit_share") > 0.0);
    }
    assert_eq!(points[0]["speed_up"], 1.0);
    assert!(job["words"].as_str().unwrap().contains("µs of CPU per row"));
}

#[test]
fn jobs_are_measured_with_several_numbers_of_threads() {
    let (folder, temporary) = (Folder::new(), Folder::new());
    let page = folder.path("bench.html");
    let run = scaling("--seconds 0.01 --threads 2,1 --repeat 2 --json --html")
        .arg(&page)
        .env("TMPDIR", temporary.path("."))
        .run()
        .ends_with(0);
    let report = report(&run);
    assert_eq!(report["trial"], true);
    let scaling = &report["scaling"];
    assert_eq!(scaling["rounds"], 2);
    let jobs = scaling["jobs"].as_array().unwrap();
    let kinds: Vec<_> = jobs.iter().map(|job| job["job"].as_str()).collect();
    let all = ["derive", "no_chemistry", "dedup_smiles", "dedup_parquet"];
    assert_eq!(kinds, all.map(Some));
    for job in jobs {
        assert_eq!(job["engine"], "cpu");
        assert_scaling(job, &[1, 2], 2);
    }
    assert_eq!(jobs[2]["rows_written"], jobs[3]["rows_written"]);
    // A quarter of the rows are repeats.
    let [rows, written] = ["rows", "rows_written"].map(|name| jobs[2][name].as_f64().unwrap());
    assert!((0.74..=0.75).contains(&(written / rows)), "{}", jobs[2]);
    let page = std::fs::read_to_string(page).unwrap();
    let plots = ["RDKit's plain loop", "canonical SMILES", "direct SMILES"];
    let tables = ["<svg", "speed-up over", "dedup from Parquet", "of linear"];
    for part in plots.iter().chain(&tables) {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(
        output::names(&temporary.path(".")),
        [""; 0],
        "files are left"
    );
}

/// What a user's own library makes without chemistry is what the job makes.
#[test]
fn a_library_and_rules_of_ones_own_are_measured() {
    let flags = "--seconds 0.01 --threads 1 --repeat 1";
    let with_own = |json: &str| {
        scaling(&format!("{flags} {json} --input"))
            .arg(shipped_library())
            .arg("--rules")
            .arg(shipped_rules())
            .run()
            .ends_with(0)
    };
    let report = report(&with_own("--json"));
    let jobs = report["scaling"]["jobs"].as_array().unwrap();
    let library = std::fs::read_to_string(shipped_library()).unwrap();
    let rows = library.lines().count() - 1;
    for job in jobs {
        assert_scaling(job, &[1], 1);
        assert_eq!(job["rows_read"], rows, "{job}");
    }
    assert!(jobs[0]["rows"].as_u64() > Some(10_000));
    for same in ["rows", "rows_written", "bytes_written"] {
        assert_eq!(jobs[0][same], jobs[1][same]);
    }
    let text = with_own("").stdout;
    for part in ["  derive, engine cpu: ", "speed-up", "With 1 thread, "] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

/// Its slots lie in memory of the driver.
#[test]
fn jobs_are_measured_on_each_engine_named() {
    let driver = shim::fake_driver();
    let run = scaling("--engine cpu --engine cuda --seconds 0.01 --threads 1 --repeat 1 --json")
        .env("LD_LIBRARY_PATH", driver.path())
        .run()
        .ends_with(0);
    let report = report(&run);
    let jobs = report["scaling"]["jobs"].as_array().unwrap();
    let (on_cpu, on_cuda) = jobs.split_at(4);
    for (on_cpu, on_cuda) in on_cpu.iter().zip(on_cuda) {
        assert_eq!([&on_cpu["engine"], &on_cuda["engine"]], ["cpu", "cuda"]);
        assert_scaling(on_cuda, &[1], 1);
        for same in ["job", "rows_read", "rows", "rows_written", "bytes_written"] {
            assert_eq!(on_cpu[same], on_cuda[same], "{same}");
        }
    }
}

#[test]
fn a_scaling_run_that_is_stopped_or_refused_leaves_no_files() {
    let temporary = Folder::new();
    let bench = |flags: &str| scaling(flags).env("TMPDIR", temporary.path("."));
    let running = bench("--seconds 3 --threads 1").start();
    wait_until("a job", || {
        let names = output::names(&temporary.path("."));
        let out = names.first().map(|name| temporary.path(name).join("out"));
        out.is_some_and(|out| out.join("job.toml").exists())
    });
    running.signal(Signal::INT);
    let stopped = running.wait(Duration::from_secs(20)).ends_with(1);
    assert!(
        stopped.stderr.contains("stopped before the end"),
        "{}",
        stopped.stderr
    );
    let empty = temporary.write("empty.csv", "smiles\n");
    bench("--seconds 0.01 --input")
        .arg(&empty)
        .run()
        .ends_with(3);
    std::fs::remove_file(empty).unwrap();
    bench("--threads 0").run().ends_with(2);
    bench("--only hash").run().ends_with(2);
    Molsieve::new("bench --threads 2").run().ends_with(2);
    assert_eq!(
        output::names(&temporary.path(".")),
        [""; 0],
        "files are left"
    );
}

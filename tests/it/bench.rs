//! `molsieve bench`, with too little time per figure for meaningful values: the figures must be present, consistent, and
//! reported in all three forms.

use crate::kit::{Folder, Molsieve, Run, library::rdkit_release, shim};
use molsieve::sieve::{cuda, wgpu};
use serde_json::Value;

const STEPS: [&str; 4] = ["absent", "present", "insert", "end_to_end"];

fn bench(flags: &str) -> Molsieve {
    Molsieve::new("bench --seconds 0.01").args(flags)
}

fn report(run: &Run) -> Value {
    let mut lines = run.json_lines();
    assert_eq!(lines.len(), 1, "one object");
    lines.remove(0)
}

/// Fails unless a figure is present and consistent.
#[track_caller]
fn assert_figure(figure: &Value) {
    let number = |name: &str| figure[name].as_f64().unwrap();
    for name in ["keys_per_second", "bytes_per_second", "share_of_ceiling"] {
        let value = number(name);
        assert!(value > 0.0 && value.is_finite(), "{name}: {figure}");
    }
    assert!(number("keys_per_second") > 1_000.0, "{figure}");
    assert!(number("bytes_per_second") >= 8.0 * number("keys_per_second") * 0.999);
    assert!(
        number("repeats") >= 5.0 && number("keys") >= 1.0,
        "{figure}"
    );
}

#[track_caller]
fn assert_measured(engine: &Value, name: &str, filters: &[u64]) {
    assert_eq!(engine["engine"], name);
    assert_eq!(engine["failed"], Value::Null, "{engine}");
    assert_figure(&engine["hash"]);
    assert_copies(engine);
    // One or the other.
    let (keys, skipped) = (&engine["structure_keys"], &engine["structure_keys_skipped"]);
    match skipped.as_str() {
        None => assert_figure(keys),
        Some(reason) if name == "wgpu" => {
            assert_eq!(reason, "with this engine the CPU computes them")
        }
        Some(reason) => assert!(reason.contains("structure keys needs"), "{reason}"),
    }
    let measured = engine["filters"].as_array().unwrap();
    let sizes: Vec<_> = measured
        .iter()
        .map(|filter| filter["bytes"].as_u64().unwrap())
        .collect();
    assert_eq!(sizes, filters);
    for filter in measured {
        assert_ceilings(filter);
        for step in STEPS {
            assert_figure(&filter[step]);
        }
        // A look-up of an absent key in a half-full filter reads two words or a few more, one of a present key thirty.
        // Times say nothing here: so short a step lasts as long as it takes to wake a thread.
        for (step, ceiling, accesses) in [
            ("absent", "reads_per_second", 2.0..2.7),
            ("present", "reads_per_second", 30.0..30.1),
            ("insert", "atomics_per_second", 30.0..30.1),
        ] {
            let number = |name: &str| filter[step][name].as_f64().unwrap();
            let made = number("accesses_per_second");
            let of_key = made / number("keys_per_second") + 1e-6;
            assert!(accesses.contains(&of_key), "{step} {of_key}: {filter}");
            let share = made / filter[ceiling].as_f64().unwrap();
            assert!((number("share_of_ceiling") / share - 1.0).abs() < 1e-6);
        }
        assert_eq!(filter["end_to_end"]["accesses_per_second"], Value::Null);
    }
}

#[track_caller]
fn assert_copies(engine: &Value) {
    for way in ["copy_bytes_per_second", "copy_back_bytes_per_second"] {
        assert!(engine[way].as_f64() > Some(1e5), "{way}: {engine}");
    }
}

#[track_caller]
fn assert_ceilings(filter: &Value) {
    for ceiling in ["reads_per_second", "atomics_per_second"] {
        assert!(filter[ceiling].as_f64() > Some(1e4), "{ceiling}: {filter}");
    }
}

/// Fails unless only ceilings were measured.
#[track_caller]
fn assert_ceilings_only(report: &Value, filters: &[u64]) {
    for nothing in ["chemistry", "keys", "verdict"] {
        assert_eq!(report[nothing], Value::Null, "{nothing}");
    }
    let engine = &report["engines"][0];
    assert_eq!(engine["failed"], Value::Null, "{engine}");
    assert_copies(engine);
    for nothing in ["hash", "structure_keys", "structure_keys_skipped"] {
        assert_eq!(engine[nothing], Value::Null, "{nothing}");
    }
    let measured = engine["filters"].as_array().unwrap();
    let sizes = measured.iter().map(|filter| &filter["bytes"]);
    assert!(sizes.eq(filters), "{engine}");
    for filter in measured {
        assert_ceilings(filter);
        for step in STEPS {
            assert_eq!(filter[step], Value::Null, "{step}");
        }
    }
}

/// The share that the verdict's formula gives.
fn share(report: &Value, engine: usize) -> f64 {
    let made = report["verdict"]["products_per_second"].as_f64().unwrap();
    let sieved = report["verdict"]["engines"][engine]["sieved_per_second"]
        .as_f64()
        .unwrap();
    (1.0 / sieved) / (1.0 / sieved + 1.0 / made)
}

#[test]
fn the_cpu_engine_is_measured_and_reported_as_json_table_and_page() {
    let folder = Folder::new();
    let page = folder.path("bench.html");
    let run = bench("--engine cpu --max-filter 16MiB --json --html")
        .arg(&page)
        .run()
        .ends_with(0);
    let report = report(&run);
    assert_measured(&report["engines"][0], "cpu", &[256 << 10, 16 << 20]);
    assert_eq!(report["molsieve"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        report["trial"], true,
        "figures of so little time are marked"
    );
    let date = report["date"].as_str().unwrap();
    assert!(date.starts_with("20") && date.ends_with('Z'), "{date}");
    let of_core = report["chemistry"]["products_per_second_per_core"]
        .as_f64()
        .unwrap();
    assert!(report["chemistry"]["times_as_fast_as_reference"].as_f64() > Some(1.5));
    for way in ["fast", "reference"] {
        for stage in ["parse", "find_sites", "react", "write", "whole"] {
            let microseconds = report["chemistry"][way][stage].as_f64();
            assert!(microseconds > Some(0.0), "{way} {stage}: {report}");
        }
    }
    let cores = report["machine"]["processors"].as_f64().unwrap();
    let made = report["verdict"]["products_per_second"].as_f64().unwrap();
    assert!((of_core * cores - made).abs() < 1e-6 * made);
    let share_reported = report["verdict"]["engines"][0]["share"].as_f64().unwrap();
    assert!((share_reported - share(&report, 0)).abs() < 1e-9);
    assert_eq!(report["verdict"]["filter_bytes"], 16 << 20);

    let page = std::fs::read_to_string(page).unwrap();
    for part in [
        "<svg",
        "16 MiB",
        date,
        "A GPU can save no more than that",
        "RDKit's plain loop",
        "molsieve, canonical SMILES",
        "molsieve, direct SMILES",
        "prefers-color-scheme:dark",
        &rdkit_release(),
        "cpu",
    ] {
        assert!(page.contains(part), "{part}");
    }
    for outside in [
        "http://", "https://", "src=", "@import", "url(", "<script", "<link",
    ] {
        assert!(!page.contains(outside), "the page needs {outside}");
    }
    assert!(!folder.path("bench.html.part").exists());
}

#[test]
fn the_terminal_shows_a_table() {
    let run = bench("--engine cpu --max-filter 256KiB").run().ends_with(0);
    for part in [
        "too short for reliable figures",
        "times as fast as the reference",
        "  fast      parse ",
        "  reference parse ",
        "engine cpu: ",
        "accesses/s",
        " GB/s, back ",
        "structure key -  ",
        "end to end    256 KiB",
        "random reads a second: ",
        "random atomics a second: ",
        " M in 256 KiB",
        "RDKit makes about",
        "share = (1/s)",
    ] {
        assert!(run.stdout.contains(part), "{part}: {}", run.stdout);
    }
    assert_eq!(run.stderr, "", "progress is for terminals");
}

/// If bench is killed, the log is all that remains.
#[test]
fn figures_are_logged_as_they_are_measured() {
    let run = bench("--engine cpu --only filters --max-filter 256KiB --json")
        .env("MOLSIEVE_LOG", "info")
        .run()
        .ends_with(0);
    let logged = |part: &str| assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    logged("measuring cpu");
    logged("a filter of 256 KiB: random reads ");
    logged(", end to end ");
    report(&run);
}

#[test]
fn single_parts_can_be_measured() {
    let (folder, driver) = (Folder::new(), shim::fake_driver());
    let page = folder.path("bench.html");
    let run = |flags: &str| {
        let run = bench(flags).env("LD_LIBRARY_PATH", driver.path());
        run.arg("--html").arg(&page).run().ends_with(0)
    };
    for engine in ["cpu", "cuda"] {
        let flags = format!("--engine {engine} --only ceilings --max-filter 16MiB --json");
        assert_ceilings_only(&report(&run(&flags)), &[256 << 10, 16 << 20]);
    }
    let text = run("--engine cuda --only ceilings --max-filter 256KiB").stdout;
    assert!(text.contains(" GB/s, back "), "{text}");
    assert!(text.contains("random atomics a second: "), "{text}");
    for nothing in ["keys/s", "chemistry", "structure key ", "end to end  "] {
        assert!(!text.contains(nothing), "{nothing}: {text}");
    }
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(page.contains("random reads a second: ") && !page.contains("<svg"));

    let partial = report(&run("--engine cpu --only chemistry --json"));
    assert_eq!(partial["engines"][0]["copy_bytes_per_second"], Value::Null);
    assert_eq!(
        partial["engines"][0]["filters"].as_array().unwrap().len(),
        0
    );
    assert!(partial["chemistry"]["products"].as_f64() > Some(1.0));

    let partial = report(&run("--engine cpu --only hash --only keys --json"));
    assert_eq!(partial["only"], serde_json::json!(["hash", "keys"]));
    assert_figure(&partial["engines"][0]["hash"]);
    assert_figure(&partial["engines"][0]["structure_keys"]);
    assert!(partial["keys"]["structure"].as_f64() > Some(0.0));
    assert_eq!(partial["chemistry"], Value::Null);

    let partial = report(&run(
        "--engine cpu --only filters --max-filter 256KiB --json",
    ));
    assert_ceilings(&partial["engines"][0]["filters"][0]);
    assert_figure(&partial["engines"][0]["filters"][0]["absent"]);
    assert_eq!(partial["engines"][0]["hash"], Value::Null);
    let refused = bench("--only nonsense").run().ends_with(2);
    assert!(refused.stderr.contains("nonsense"), "{}", refused.stderr);
}

#[test]
fn a_software_adapter_is_measured_on_request_and_marked() {
    let adapters = wgpu::adapters();
    let Some(place) = adapters.iter().position(|adapter| adapter.software) else {
        return crate::kit::skip_engine("wgpu", "there is no software adapter to measure");
    };
    let run = |flags: &str| {
        bench(flags)
            .env("MOLSIEVE_ADAPTER", place.to_string())
            .run()
            .ends_with(0)
    };
    let report = report(&run(
        "--engine cpu --engine wgpu --max-filter 256KiB --json",
    ));
    let engines = report["engines"].as_array().unwrap();
    assert_measured(&engines[0], "cpu", &[256 << 10]);
    assert_measured(&engines[1], "wgpu", &[256 << 10]);
    assert_eq!(engines[0]["software"], false);
    assert_eq!(engines[1]["software"], true);
    assert!(
        engines[1]["driver"]
            .as_str()
            .is_some_and(|driver| !driver.is_empty())
    );
    // A software adapter shares the processors with the chemistry, so its share is that of the CPU.
    let [on_cpu, on_wgpu] = [0, 1].map(|engine| share(&report, engine));
    let saves = report["verdict"]["engines"][1]["saves"].as_f64().unwrap();
    let in_turns = 1.0 - (1.0 - on_cpu) / (1.0 - on_wgpu);
    assert!((saves - in_turns).abs() < 1e-9, "{saves} {in_turns}");
    let text = run("--engine wgpu --max-filter 256KiB").stdout;
    assert!(text.contains("SOFTWARE"), "{text}");
    if adapters.len() == 1 {
        let unasked = run("--max-filter 256KiB --json");
        assert!(
            unasked.stdout.contains("no GPU, only a software renderer"),
            "{}",
            unasked.stdout
        );
    }
}

#[test]
fn cuda_is_measured_through_driver_calls() {
    let driver = shim::fake_driver();
    let run = bench("--engine cuda --max-filter 256KiB --json")
        .env("LD_LIBRARY_PATH", driver.path())
        .run()
        .ends_with(0);
    let engine = report(&run)["engines"][0].clone();
    assert_measured(&engine, "cuda", &[256 << 10]);
    assert_figure(&engine["structure_keys"]);
}

#[test]
fn a_lost_gpu_is_skipped_and_reported() {
    let driver = shim::fake_driver();
    let run = bench("--engine cuda --max-filter 256KiB --json")
        .env("LD_LIBRARY_PATH", driver.path())
        .env("FAKE_CUDA_CALLS", "60")
        .run()
        .ends_with(1);
    let failed = report(&run)["engines"][0]["failed"].clone();
    assert!(
        failed.as_str().unwrap().contains("the device is lost"),
        "{failed}"
    );
}

#[test]
fn a_filter_that_does_not_fit_is_skipped() {
    let driver = shim::fake_driver();
    let run = bench("--engine cuda --max-filter 16MiB --json")
        .env("LD_LIBRARY_PATH", driver.path())
        .env("FAKE_CUDA_MEMORY", "8000000")
        .run()
        .ends_with(0);
    let engine = report(&run)["engines"][0].clone();
    assert_measured(&engine, "cuda", &[256 << 10]);
    assert_eq!(engine["skipped"][0]["bytes"], 16 << 20, "{engine}");
    assert_eq!(engine["structure_keys"], Value::Null, "{engine}");
}

#[test]
fn a_missing_engine_is_reported_in_one_line() {
    if cuda::gpus().is_err() {
        bench("--engine cuda")
            .run()
            .refuses(2, &["engine cuda: there is", "NVIDIA"]);
    }
    let run = bench("--engine wgpu")
        .env("MOLSIEVE_ADAPTER", "no such adapter")
        .run();
    run.refuses(2, &["engine wgpu: "]);
}

#[test]
fn meaningless_settings_are_refused() {
    for seconds in ["0", "-1", "nan", "inf", "x", "1e9"] {
        let run = Molsieve::new(&format!("bench --seconds={seconds}"))
            .run()
            .ends_with(2);
        assert!(run.stderr.contains("number of seconds"), "{}", run.stderr);
    }
}

#[test]
fn a_page_that_cannot_be_written_is_reported_in_one_line() {
    let folder = Folder::new();
    let run = bench("--engine cpu --max-filter 256KiB --html").arg(folder.path("no/such.html"));
    run.run().refuses(1, &["no/such.html", "cannot write"]);
}

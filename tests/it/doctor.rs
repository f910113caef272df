//! `molsieve doctor`: its report agrees with what jobs find.

use std::{path::Path, process::Command};

use crate::kit::{Folder, Molsieve, library::rdkit_release, shim};
use serde_json::Value;

fn doctor(folder: &Folder, flags: &str) -> Molsieve {
    Molsieve::new("doctor").args(flags).arg(folder.path("."))
}

/// The findings about an engine.
fn findings_of<'a>(findings: &'a Value, engine: &str) -> Vec<&'a Value> {
    let engines = findings["engines"].as_array().unwrap();
    engines
        .iter()
        .filter(|finding| finding["engine"] == engine)
        .collect()
}

#[test]
fn the_report_on_the_cpu_engine_fits_a_screen() {
    let folder = Folder::new();
    let run = doctor(&folder, "").run().ends_with(0);
    assert!(run.stdout.lines().count() <= 24, "{}", run.stdout);
    assert_eq!(run.stderr, "", "no word of a driver's");
    for words in [
        "RDKit 20",
        "processors",
        "memory",
        "disk",
        "engine cpu   agrees with fastbloom on ",
        "--engine auto takes ",
    ] {
        assert!(
            run.stdout.contains(words),
            "`{words}` is not in: {}",
            run.stdout
        );
    }
}

#[test]
fn a_library_of_another_release_of_rdkit_is_named() {
    let folder = Folder::new();
    let source = folder.write(
        "other.cc",
        "namespace RDKit { extern const char *rdkitVersion; const char *rdkitVersion = \"2024.03.1\"; }\n",
    );
    let library = folder.path("other.so");
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let status = Command::new(compiler)
        .args(["-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status();
    assert!(status.unwrap().success());
    let release = rdkit_release();
    let run = Molsieve::new("key CCO").env("LD_PRELOAD", library).run();
    run.refuses(
        1,
        &[
            "built with release",
            &release,
            "2024.03.1",
            "scripts/rdkit-prefix.sh",
        ],
    );
}

#[test]
fn doctor_reports_a_missing_resource_in_the_words_of_a_job() {
    let folder = Folder::new();
    let findings = doctor(&folder, "--json")
        .run()
        .ends_with(0)
        .json_lines()
        .remove(0);
    assert!(findings_of(&findings, "cpu")[0]["state"]["conforms"]["rows"].as_u64() > Some(100_000));
    assert!(findings["limits"]["memory_bytes"].as_u64() > Some(0));
    let Some(missing) = findings_of(&findings, "cuda")[0]["state"]["absent"].as_str() else {
        return; // there is a GPU; tests/it/engines.rs runs on it
    };
    let input = folder.write("a.smi", "CCO\n");
    let refused = Molsieve::new("run --engine cuda")
        .input(input)
        .output(folder.out())
        .run();
    refused.refuses(2, &["engine cuda: ", missing]);
}

#[test]
fn a_gpu_is_tested_and_a_failing_one_is_reported() {
    let (folder, driver) = (Folder::new(), shim::fake_driver());
    let with_gpu = |calls: &str| {
        doctor(&folder, "--json")
            .env("LD_LIBRARY_PATH", driver.path())
            .env("FAKE_CUDA_CALLS", calls)
            .run()
    };
    let well = with_gpu("1000000000").ends_with(0).json_lines().remove(0);
    let gpu = findings_of(&well, "cuda")[0];
    assert_eq!(gpu["device"], "stand-in");
    assert_eq!(gpu["kernels"]["sieve"], "sm_90");
    assert_eq!(gpu["kernels"]["structure_key"], "sm_90");
    assert_eq!(well["libcuda"], library_in(driver.path()));
    assert!(
        gpu["state"]["conforms"]["rows"].as_u64() > Some(100_000),
        "{gpu}"
    );
    assert!(
        gpu["keys"]["conforms"]["rows"].as_u64() > Some(3_000),
        "{gpu}"
    );
    let ill = with_gpu("500").ends_with(1).json_lines().remove(0);
    let why = findings_of(&ill, "cuda")[0]["state"]["fails"]
        .as_str()
        .unwrap();
    assert!(why.contains("the device is lost"), "{why}");
}

/// The path of the fake driver, with symbolic links resolved.
fn library_in(folder: &Path) -> String {
    let file = folder.join("libcuda.so.1").canonicalize().unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_report_names_the_driver_library_and_the_kernels() {
    let (folder, driver) = (Folder::new(), shim::fake_driver());
    let screen = |capability: &str| {
        let run = doctor(&folder, "")
            .env("LD_LIBRARY_PATH", driver.path())
            .env("FAKE_CUDA_CAPABILITY", capability)
            .run();
        run.ends_with(0).stdout
    };
    let library = format!("  libcuda      {}\n", library_in(driver.path()));
    for (capability, kernels) in [
        ("89", "  kernels      machine code for sm_80\n"),
        ("120", "  kernels      PTX, compiled by the driver\n"),
    ] {
        let screen = screen(capability);
        assert!(screen.contains(&library), "{screen}");
        assert!(screen.contains(kernels), "{screen}");
    }
}

/// A kernel with wrong structure keys must not be used, even if its sieve is right.
#[test]
fn wrong_structure_keys_are_reported() {
    let folder = Folder::new();
    let source = shim::source_of("structure_key.cu");
    let wrong = source.replace("#define STEREO_RING_MIN 8", "#define STEREO_RING_MIN 7");
    assert!(wrong != source);
    let driver = shim::fake_driver_with("structure_key.cu", &wrong);
    let run = |flags: &str| {
        let doctor = doctor(&folder, flags).env("LD_LIBRARY_PATH", driver.path());
        doctor.run().ends_with(1)
    };
    let findings = run("--json").json_lines().remove(0);
    let gpu = findings_of(&findings, "cuda")[0];
    assert!(gpu["state"]["conforms"]["rows"].as_u64() > Some(100_000));
    let why = gpu["keys"]["fails"].as_str().unwrap();
    assert!(
        why.contains(" the device returns ") && why.contains(", and the CPU "),
        "{why}"
    );
    let screen = run("").stdout;
    assert!(
        screen.contains("keys cuda    stand-in: MUST NOT BE USED: for "),
        "{screen}"
    );
}

#[test]
fn only_named_engines_are_tested() {
    let (folder, driver) = (Folder::new(), shim::fake_driver());
    let quick = |flags: &str| {
        let doctor = doctor(&folder, flags).env("LD_LIBRARY_PATH", driver.path());
        doctor.run().ends_with(0).json_lines().remove(0)
    };
    let findings = quick("--json --quick --engine cuda");
    let engines = findings["engines"].as_array().unwrap();
    assert_eq!(engines.len(), 1, "{findings}");
    let gpu = &engines[0];
    assert_eq!(gpu["device"], "stand-in");
    assert_eq!(gpu["keys"], Value::Null, "no structure keys");
    let rows = gpu["state"]["conforms"]["rows"].as_u64();
    assert!(rows > Some(20_000) && rows < Some(100_000), "{gpu}");

    let both = quick("--json --quick --engine cuda --engine cpu");
    assert_eq!(findings_of(&both, "cpu").len(), 1);
    assert_eq!(findings_of(&both, "cuda").len(), 1);
    assert_eq!(findings_of(&both, "wgpu").len(), 0);
}

#[test]
fn a_named_missing_engine_is_reported_in_one_line() {
    let folder = Folder::new();
    let driver = shim::fake_driver();
    let refused = doctor(&folder, "--engine cuda")
        .env("FAKE_CUDA_DEVICES", "0")
        .env("LD_LIBRARY_PATH", driver.path())
        .run();
    refused.refuses(2, &["engine cuda: ", "shows no GPU"]);
}

//! Jobs on each engine: the same bytes, and a one-line message for a missing engine.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::kit::{
    Folder, Molsieve, alone, assert_absent,
    library::{THREE_RULES, rule_file, shipped_rules, smiles_lines},
    only_test,
    output::{self, assert_complete},
    report, shim, skip_engine,
};
use molsieve::{
    property::PropertySet,
    sieve::{
        EngineError, FilterShape,
        cuda::{self, CudaKeys, CudaSieve},
        gpu::{Device, Room},
        structure_key::KeyRoom,
        wgpu,
    },
    slot::SlotLayout,
};

/// A library in which several parents give the same product.
struct Material {
    folder: Folder,
    input: PathBuf,
}

impl Material {
    fn new() -> Self {
        let folder = Folder::new();
        let lines = smiles_lines(60);
        let input = folder.write("a.smi", format!("{lines}{lines}"));
        Self { folder, input }
    }

    fn run(&self, flags: &str) -> Molsieve {
        Molsieve::new("run --overwrite --threads 2 --part-size 64KiB")
            .args(flags)
            .env("MOLSIEVE_ADAPTER", "0")
            .input(&self.input)
            .rules(shipped_rules())
            .output(self.folder.out())
    }

    /// `libraries`: the folder of the driver, if not the system's.
    fn files(&self, engine: &str, libraries: Option<&Path>, flags: &str) -> Vec<(String, Vec<u8>)> {
        let out = self.folder.out();
        let mut run = self.run(&format!("--engine {engine} --memory 768MiB {flags}"));
        if let Some(libraries) = libraries {
            run = run.env("LD_LIBRARY_PATH", libraries);
        }
        run.run().ends_with(0);
        assert_complete(&out);
        assert_eq!(output::manifest(&out)["engine"], engine);
        let job_file = std::fs::read_to_string(out.join("job.toml")).unwrap();
        assert!(
            job_file.contains(&format!("engine = \"{engine}\"")),
            "{job_file}"
        );
        output::part_bytes(&out)
    }
}

#[track_caller]
fn assert_same_files_as_on_cpu(engine: &str, libraries: Option<&Path>) {
    let material = Material::new();
    for flags in [
        "--slot-size 512KiB --slots 2",
        // A filter so small that most look-ups are false positives.
        "--slot-size 512KiB --expected-products 100",
        "--dedup bloom --expected-products 1000",
    ] {
        let on_cpu = material.files("cpu", libraries, flags);
        let here = material.files(engine, libraries, flags);
        assert!(on_cpu.len() > 1, "several parts: {}", on_cpu.len());
        assert!(on_cpu == here, "{engine} {flags:?} writes other bytes");
    }
}

#[test]
fn wgpu_writes_the_bytes_of_the_cpu() {
    if wgpu::adapters().is_empty() {
        return skip_engine("wgpu", "no device here");
    }
    assert_same_files_as_on_cpu("wgpu", None);
}

#[test]
fn cuda_writes_the_bytes_of_the_cpu() {
    if cuda::gpus().is_err() {
        return skip_engine("cuda", "no device here");
    }
    let _alone = alone();
    assert_same_files_as_on_cpu("cuda", None);
}

#[test]
fn cuda_under_a_fake_driver_writes_the_bytes_of_the_cpu() {
    let driver = shim::fake_driver();
    assert_same_files_as_on_cpu("cuda", Some(driver.path()));
}

#[test]
fn auto_chooses_cuda_if_driver_and_memory_allow() {
    let (material, driver) = (Material::new(), shim::fake_driver());
    let chosen = |memory: &str, device_bytes: &str| {
        let plan = Molsieve::new("plan --json --threads 1 --memory")
            .arg(memory)
            .env("LD_LIBRARY_PATH", driver.path())
            .env("FAKE_CUDA_MEMORY", device_bytes)
            .input(&material.input)
            .run()
            .ends_with(0);
        let plan = plan.json_lines().remove(0);
        plan["engine_chosen"].as_str().unwrap().to_owned()
    };
    let gibibyte = "1073741824";
    assert_eq!(chosen("768MiB", gibibyte), "cuda, stand-in");
    let too_small = chosen("768MiB", "1000000");
    assert!(
        too_small.starts_with("cpu (engine cuda: the filter with room for three slots needs"),
        "{too_small}"
    );
    let no_budget = chosen("256MiB", gibibyte);
    let why = "engine cuda: --memory has no room for its driver";
    assert!(
        no_budget.starts_with("cpu") && no_budget.contains(why),
        "{no_budget}"
    );
}

#[test]
fn an_unusable_driver_is_reported_in_one_line() {
    let (material, driver) = (Material::new(), shim::fake_driver());
    for (name, value, words) in [
        (
            "FAKE_CUDA_VERSION",
            "11040",
            "too old: it supports CUDA 11.4",
        ),
        ("FAKE_CUDA_DEVICES", "0", "shows no GPU"),
        (
            "FAKE_CUDA_MEMORY",
            "1000000",
            "the filter with room for three slots needs",
        ),
    ] {
        let refused = material
            .run("--engine cuda --memory 768MiB")
            .env("LD_LIBRARY_PATH", driver.path())
            .env(name, value)
            .run();
        refused.refuses(2, &["engine cuda: ", words]);
        assert_absent(&material.folder.out());
    }
}

#[test]
fn a_stub_library_is_refused() {
    let (material, driver) = (Material::new(), shim::fake_driver());
    let library = driver.path().join("libcuda.so.1");
    // Copies the library into a folder, under a name.
    let placed = |folder: &str, name: &str| {
        let folder = material.folder.path(folder);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::copy(&library, folder.join(name)).unwrap();
        folder.canonicalize().unwrap()
    };
    let refused = |path: &[&Path], answers_like_a_stub: &str, words: &[&str]| {
        material
            .run("--engine cuda --memory 768MiB")
            .env("LD_LIBRARY_PATH", std::env::join_paths(path).unwrap())
            .env("FAKE_CUDA_STUB", answers_like_a_stub)
            .run()
            .refuses(2, words);
        assert_absent(&material.folder.out());
    };
    let is_stub = "is a CUDA toolkit's stub for linking, not the NVIDIA driver";
    let driver_file = library.canonicalize().unwrap();
    let driver_file = driver_file.to_str().unwrap();
    refused(&[driver.path()], "1", &[driver_file, is_stub]);
    let links_itself = placed("a/stubs", "libcuda.so.1");
    let file = links_itself.join("libcuda.so.1");
    refused(&[&links_itself], "0", &[file.to_str().unwrap(), is_stub]);
    // cudarc tries this name first.
    let stubs = placed("b/stubs", "libcuda.so");
    let file = stubs.join("libcuda.so");
    let words = [file.to_str().unwrap(), is_stub, driver_file];
    refused(&[&stubs, driver.path()], "0", &words);
    let other = placed("other", "libcuda.so");
    let file = other.join("libcuda.so");
    let words = [file.to_str().unwrap(), "finds two", driver_file];
    refused(&[&other, driver.path()], "0", &words);
    if cuda::gpus().is_err() {
        let words = ["there is no NVIDIA driver (libcuda.so.1)"];
        refused(&[&stubs], "0", &words);
    }
}

/// In an installed driver `libcuda.so` is a link to `libcuda.so.1`.
#[test]
fn the_driver_may_have_both_names() {
    let (material, driver) = (Material::new(), shim::fake_driver());
    std::os::unix::fs::symlink("libcuda.so.1", driver.path().join("libcuda.so")).unwrap();
    let plan = Molsieve::new("plan --json --threads 1 --memory 768MiB")
        .env("LD_LIBRARY_PATH", driver.path())
        .input(&material.input)
        .run()
        .ends_with(0);
    assert_eq!(plan.json_lines()[0]["engine_chosen"], "cuda, stand-in");
}

#[test]
fn a_gpu_loads_machine_code_if_available_and_ptx_otherwise() {
    const NO_BINARY_FOR_GPU: &str = "209";
    const INVALID_IMAGE: &str = "200";
    let (material, driver) = (Material::new(), shim::fake_driver());
    let input = material.folder.write("few.smi", smiles_lines(3));
    let log = |capability: &str, refusal: &str| {
        Molsieve::new("dedup --overwrite --threads 1 --memory 768MiB --engine cuda")
            .env("LD_LIBRARY_PATH", driver.path())
            .env("FAKE_CUDA_CAPABILITY", capability)
            .env("FAKE_CUDA_REFUSE_CUBINS", refusal)
            .env("MOLSIEVE_LOG", "molsieve=debug")
            .input(&input)
            .output(material.folder.out())
            .run()
            .ends_with(0)
            .stderr
    };
    let ptx = "PTX, compiled by the driver";
    for (capability, refusal, loaded) in [
        ("70", "0", ptx),
        ("75", "0", ptx),
        ("80", "0", "machine code for sm_80"),
        ("86", "0", "machine code for sm_80"),
        ("90", "0", "machine code for sm_90"),
        ("100", "0", ptx),
        ("90", NO_BINARY_FOR_GPU, ptx),
        ("86", INVALID_IMAGE, ptx),
    ] {
        let log = log(capability, refusal);
        for kernels in ["sieve", "structure_key"] {
            let words = format!("kernels {kernels}: {loaded};");
            assert!(log.contains(&words), "{capability}, {words}: {log}");
            let words = format!("kernels {kernels}: the driver refuses the machine code for sm_");
            assert_eq!(log.contains(&words), refusal != "0", "{capability}: {log}");
        }
    }
}

/// Runs a test of this file in a separate process under the fake driver.
#[track_caller]
fn assert_passes_with_stand_in(test: &str, device_bytes: &str) {
    let driver = shim::fake_driver();
    let run = Command::new(std::env::current_exe().unwrap())
        .args(only_test(module_path!(), test))
        .env("LD_LIBRARY_PATH", driver.path())
        .env("FAKE_CUDA_MEMORY", device_bytes)
        .env("MOLSIEVE_REQUIRE_ENGINES", "cuda")
        .output()
        .unwrap();
    let (stdout, stderr) = (run.stdout, run.stderr);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(run.status.success(), "{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{stdout}");
}

#[test]
fn dropped_devices_release_their_memory_under_a_fake_driver() {
    assert_passes_with_stand_in("dropped_devices_release_their_memory", "268435456");
}

/// The process keeps the CUDA context, so dropping a device must free its memory by itself.
#[test]
fn dropped_devices_release_their_memory() {
    let Ok(gpu) = cuda::first_gpu() else {
        return skip_engine("cuda", "no device here");
    };
    let _alone = alone();
    let most_bytes = usize::try_from(gpu.memory_bytes).unwrap() / 10 * 6;
    let layout = SlotLayout::smallest(PropertySet::NONE);
    let filter = FilterShape {
        bits: 8 * (most_bytes / 8 * 8),
        hashes: 7,
    };
    let open = || CudaSieve::open(gpu.index, Room::new(filter, &layout));
    let first = open().unwrap();
    let keeps_context = first.slot_memory(64).unwrap();
    let too_many = open().err().unwrap();
    assert!(
        matches!(too_many, EngineError::TooLarge { .. }),
        "{too_many}"
    );
    drop(first);
    drop(open().unwrap());
    let room = KeyRoom {
        rows_max: 1_024,
        text_bytes_max: most_bytes / 4,
    };
    let keys = || CudaKeys::open_several(gpu.index, room, 3);
    drop(keys().unwrap());
    drop(keys().unwrap());
    drop(open().unwrap());
    drop(keeps_context);
}

/// Simulates device loss: from a given driver call on, all calls fail. The job continues on the cpu engine, reports it
/// and writes the same files. tests/it/faults.rs does the same with wgpu. Tests the first 16 calls, every 7th
/// call during the first slots, then every 31st; with `MOLSIEVE_EVERY_CALL` set all calls, which takes ten
/// minutes.
#[test]
fn a_gpu_may_be_lost_at_any_call_slow() {
    let (mut material, driver) = (Material::new(), shim::fake_driver());
    let lines = smiles_lines(30);
    material.input = material.folder.write("few.smi", format!("{lines}{lines}"));
    let rules = rule_file(&material.folder, &THREE_RULES);
    let out = material.folder.out();
    let job = |engine: &str, calls: u32| {
        let flags = "--memory 768MiB --slot-size 512KiB --part-size 64KiB --overwrite --engine";
        let job = Molsieve::new("run").args(flags).arg(engine);
        job.env("LD_LIBRARY_PATH", driver.path())
            .env("FAKE_CUDA_CALLS", calls.to_string())
            .input(&material.input)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0)
    };
    job("cpu", 0);
    let expected = output::part_bytes(&out);
    let all = std::env::var_os("MOLSIEVE_EVERY_CALL").is_some();
    let lost = (0..)
        .filter(|calls| {
            let first_slots = *calls < 112 && calls % 7 == 0;
            all || *calls < 16 || first_slots || calls % 31 == 0
        })
        .take_while(|calls| {
            let run = job("cuda", *calls);
            assert_complete(&out);
            assert!(output::part_bytes(&out) == expected, "lost at call {calls}");
            let manifest = output::manifest(&out);
            let on_cuda = manifest["engine"] == "cuda";
            if !on_cuda {
                let why = manifest["engine_lost"].as_str().unwrap();
                assert!(why.starts_with("engine cuda: "), "{why}");
                assert!(
                    run.stderr.contains("continues on the engine cpu"),
                    "{}",
                    run.stderr
                );
                assert!(run.stdout.contains("  engine     cpu, "), "{}", run.stdout);
            }
            !on_cuda
        })
        .count();
    assert!(lost > 20, "{lost} calls");
    report(&format!(
        "cuda was lost at {lost} calls; each job ended on the cpu"
    ));
}

#[test]
fn a_missing_engine_is_reported_in_one_line() {
    let material = Material::new();
    if cuda::gpus().is_err() {
        let refused = material.run("--engine cuda").run();
        refused.refuses(2, &["engine cuda: there is", "NVIDIA"]);
        assert_absent(&material.folder.out());
    }
    let refused = material
        .run("--engine wgpu")
        .env("MOLSIEVE_ADAPTER", "no such adapter")
        .run();
    refused.refuses(2, &["engine wgpu: "]);
    assert_absent(&material.folder.out());
}

#[test]
fn a_filter_that_the_adapter_cannot_bind_is_refused_by_the_plan() {
    if wgpu::adapters().iter().all(|adapter| !adapter.software) {
        return skip_engine("wgpu", "no device here");
    }
    let material = Material::new();
    let too_many = "--engine wgpu --memory 64GiB --expected-products 1000000000";
    let refused = material
        .run(too_many)
        .env("MOLSIEVE_ADAPTER", "llvmpipe")
        .run();
    refused.refuses(2, &["engine wgpu: the filter needs", "at most 512 MiB"]);
    assert_absent(&material.folder.out());
}

#[test]
fn the_plan_names_the_engine_and_why() {
    let material = Material::new();
    let plan = |flags: &str| {
        let plan = Molsieve::new("plan --json --memory 256MiB --threads 1")
            .args(flags)
            .input(&material.input)
            .run()
            .ends_with(0);
        plan.json_lines().remove(0)
    };
    assert_eq!(plan("--engine cpu")["engine_chosen"], "cpu");
    let chosen = plan("--engine auto");
    if chosen["engine"] == "cpu" {
        let why = chosen["engine_chosen"].as_str().unwrap();
        assert!(why.starts_with("cpu (engine cuda: "), "{why}");
        assert!(why.contains("; engine wgpu: "), "{why}");
    }
}

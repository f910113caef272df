//! Jobs on each engine: the same bytes, and one line where an engine is not there.

#![allow(clippy::unwrap_used, reason = "this is test code outside #[test]")]

mod common;

use std::path::PathBuf;

use common::{
    Folder, Molsieve, assert_absent,
    library::{shipped_rules, smiles_lines},
    output::{self, assert_complete},
};
use molsieve::sieve::{cuda, wgpu};

/// Says what is not tested, and fails if `MOLSIEVE_REQUIRE_ENGINES` demands it.
fn skip(engine: &str) {
    let demanded = std::env::var("MOLSIEVE_REQUIRE_ENGINES").unwrap_or_default();
    assert!(!demanded.split(',').any(|name| name.trim() == engine));
    common::skipped(&format!("the engine {engine} has no device here"));
}

/// A library of molecules that give each other's products.
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
            // Without it a library that Mesa loads writes a line of its own.
            .env("XDG_RUNTIME_DIR", self.folder.path("."))
            .input(&self.input)
            .rules(shipped_rules())
            .output(self.folder.out())
    }

    fn files(&self, engine: &str, flags: &str) -> Vec<(String, Vec<u8>)> {
        let out = self.folder.out();
        self.run(&format!("--engine {engine} --memory 768MiB {flags}"))
            .run()
            .ends_with(0);
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
fn assert_same_files_as_on_cpu(engine: &str) {
    let material = Material::new();
    for flags in [
        "--slot-size 512KiB --slots 2",
        // A filter so small that it takes most products for seen.
        "--slot-size 512KiB --expected-products 100",
        "--dedup bloom --expected-products 1000",
    ] {
        let (on_cpu, here) = (material.files("cpu", flags), material.files(engine, flags));
        assert!(on_cpu.len() > 1, "several parts: {}", on_cpu.len());
        assert!(on_cpu == here, "{engine} {flags:?} writes other bytes");
    }
}

#[test]
fn wgpu_writes_the_bytes_of_the_cpu() {
    if wgpu::adapters().is_empty() {
        return skip("wgpu");
    }
    assert_same_files_as_on_cpu("wgpu");
}

#[test]
fn cuda_writes_the_bytes_of_the_cpu() {
    if cuda::gpus().is_err() {
        return skip("cuda");
    }
    assert_same_files_as_on_cpu("cuda");
}

#[test]
fn an_engine_that_is_not_there_is_told_in_one_line() {
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
        return skip("wgpu");
    }
    let material = Material::new();
    let too_many = "--engine wgpu --memory 64GiB --expected-products 1000000000";
    let refused = material
        .run(too_many)
        .env("MOLSIEVE_ADAPTER", "llvmpipe")
        .run();
    refused.refuses(2, &["engine wgpu: the filter takes", "at most 512 MiB"]);
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

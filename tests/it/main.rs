//! The integration tests: they run the real binary on real files in temporary folders and assert what a user sees.
//!
//! One binary, so that a change compiles and links once. `cargo test --test it -- FILE::` runs the tests of one file.
//! Tests that take longer than about ten seconds have names that end in `_slow`; `cargo test --test it -- --skip slow`
//! runs the others. `faults` needs the feature `failpoints`; scripts/test.sh builds the binary with it first and runs
//! all tests.
//!
//! All tests share one process and run on several threads, so no test may change the environment, the working directory
//! or another state of the process: give a child process what it needs. A test that measures time, loads every core
//! or takes most of a GPU's memory holds `kit::alone()`. Tests that need a process with another environment start this
//! binary again with `kit::only_test`.

#![allow(clippy::unwrap_used, reason = "this is test code outside #[test]")]

mod kit;

mod admin;
mod afar;
mod bad_input;
mod bad_settings;
mod bench;
mod bench_scaling;
mod bounds;
mod budget;
mod cases_chemistry;
mod cases_parquet;
mod cases_process;
mod cases_said;
mod cases_sdf;
mod cases_text;
mod checkpoints;
mod clean;
mod configuration;
mod conformance;
mod corpora;
mod daemon;
mod daemon_load;
mod daemon_soak;
mod dedup;
mod determinism;
mod diff;
mod direct;
mod doctor;
mod duplicates;
mod engines;
mod equality;
mod examples;
#[cfg(feature = "failpoints")]
mod faults;
mod filters;
mod formats;
mod full_disk;
mod generated;
mod gpu_check;
mod house;
mod identity;
mod inputs;
mod jobs;
mod keep_columns;
mod kill;
mod layers;
mod less_memory;
mod oracle;
mod output_layout;
mod parse;
mod properties;
mod ptx;
mod quotas;
mod reactants;
mod reject_codes;
mod report;
mod resume;
mod rules;
mod run;
mod said;
mod search;
mod settled_texts;
mod shown;
mod signals;
mod steps;
mod streams;
mod structure_key;
mod systemd;
mod top;
mod ui;
mod upgrade;
mod worker;

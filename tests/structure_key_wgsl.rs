//! `shaders/structure_key.wgsl` on every adapter there is, lavapipe included: every text has the key of the CPU, or
//! the same reason why it has none. What is too large for a GPU is what is too large for
//! `kernels/structure_key.cu`, compiled for the host; for lavapipe a few rows more are.
//!
//! - Rows of any number are told, and nothing is left over from the batch before.
//! - Errors planted in the shader are seen.
//! - A GPU that is not there is skipped, and the output says so; see `tests/conformance.rs`.
//!
//! `MOLSIEVE_KEY_FILE` names a file with a SMILES at the beginning of each line, for large runs.

#![allow(clippy::unwrap_used, reason = "this is test code outside #[test]")]

#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "common/adapters.rs"]
mod adapters;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "common/structure_key.rs"]
mod common;
#[path = "common/draw.rs"]
mod draw;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "common/shim.rs"]
mod shim;

use std::{collections::BTreeMap, time::Instant};

use adapters::adapters;
use common::{
    FUZZ_PER_SAMPLE, SOURCE, TOO_LARGE, Told, assert_none, differences, first_words, fuzz,
    kernel_of, read, samples, told_by_cpu,
};
use molsieve::{
    identity::Reason,
    sieve::{
        EngineError,
        structure_key::{KeyDevice, KeyRoom},
        wgpu::{Adapter, KEY_SHADER, WgpuKeys},
    },
};

/// Room for batches of the tests.
const ROOM: KeyRoom = KeyRoom {
    rows_max: 16_384,
    text_bytes_max: 2 << 20,
};

fn open(adapter: &Adapter, shader: &str) -> WgpuKeys {
    let begun = Instant::now();
    let device = WgpuKeys::open_with(adapter, ROOM, shader).unwrap();
    println!("opened in {:.1?}", begun.elapsed());
    device
}

/// What the device writes for rows that lie one behind the other, as in a slot.
fn tell_batch(device: &mut WgpuKeys, texts: &[Vec<u8>]) -> Vec<Told> {
    let text = texts.concat();
    let ends = texts.iter().scan(0, |end, text| {
        *end += text.len() as u32;
        Some(*end)
    });
    let ends: Vec<u32> = ends.collect();
    // What stands there before must not matter.
    let mut keys = vec![[u64::MAX; 2]; texts.len()];
    let mut statuses = vec![0xa5; texts.len()];
    device.tell(&text, &ends, &mut keys, &mut statuses).unwrap();
    statuses.into_iter().zip(keys).collect()
}

fn tell(device: &mut WgpuKeys, texts: &[Vec<u8>]) -> Vec<Told> {
    let begun = Instant::now();
    let batches = texts.chunks(ROOM.rows_max);
    let told: Vec<_> = batches
        .flat_map(|batch| tell_batch(device, batch))
        .collect();
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "{} rows, {:.0} a second",
        texts.len(),
        texts.len() as f64 / seconds
    );
    told
}

/// Compares all, and gives how many rows have which status. Keys and reasons are the CPU's. The same rows are too
/// large as for CUDA; but a program that stands in for a GPU may end loops that take long, and then the shader
/// leaves rows to the CPU which CUDA has keys of, and those beside them.
fn compare(adapter: &Adapter, texts: &[Vec<u8>]) -> Counts {
    let cpu = told_by_cpu(texts);
    let device = tell(&mut open(adapter, KEY_SHADER), texts);
    assert_none(&differences(texts, &cpu, &device, |_, _| true));
    let cuda = kernel_of(&read(SOURCE), &["-O2"]).tell(texts);
    let only_here = differences(texts, &cuda, &device, |_, cuda| cuda == TOO_LARGE);
    if !adapter.software {
        assert_none(&only_here);
    }
    let mut counts = Counts {
        by_status: BTreeMap::new(),
        only_here: only_here.len(),
    };
    for (status, _) in &device {
        *counts.by_status.entry(*status).or_default() += 1;
    }
    println!("{}: {counts:?}", adapter.name);
    counts
}

#[derive(Debug)]
struct Counts {
    by_status: BTreeMap<u8, usize>,
    /// Rows that CUDA has room for, and the adapter not.
    only_here: usize,
}

#[test]
fn samples_have_the_keys_and_reasons_of_the_cpu() {
    for adapter in adapters() {
        let counts = compare(&adapter, &samples());
        assert!(counts.by_status[&0] > 1_800, "{counts:?}");
        assert!(counts.only_here < 30, "{counts:?}");
    }
}

#[test]
fn texts_with_faults_have_the_keys_and_reasons_of_the_cpu() {
    for adapter in adapters() {
        let texts = fuzz(&samples(), FUZZ_PER_SAMPLE);
        assert!(texts.len() > 200_000, "{}", texts.len());
        let counts = compare(&adapter, &texts);
        // Keys, and every reason but the two that are beyond the device.
        for status in (0..=13).filter(|&status| status != 1 + Reason::Size as u8) {
            assert!(
                counts.by_status.contains_key(&status),
                "{status}: {counts:?}"
            );
        }
        assert!(counts.only_here < 300, "{counts:?}");
    }
}

/// A ring of so many atoms, all alike: each has to be set apart.
fn ring_of(atoms: usize) -> Vec<u8> {
    format!("C1{}C1", "C".repeat(atoms - 2)).into_bytes()
}

/// Samples, with a ring beside every seven of them: as much work as lavapipe just does, or just does not.
fn samples_beside_rings() -> Vec<Vec<u8>> {
    let samples = samples();
    let groups = samples.chunks(7).enumerate();
    let beside = groups.flat_map(|(i, group)| [group, &[ring_of(18 + i % 16)]].concat());
    beside.collect()
}

/// Where a driver ends the loops of a row, there is no key of what has been done until then.
#[test]
fn rows_that_take_long_have_the_right_key_or_none() {
    let rings: Vec<_> = (3..=64).map(ring_of).collect();
    for adapter in adapters() {
        let counts = compare(&adapter, &rings);
        assert!(counts.by_status[&0] >= 16, "{counts:?}");
        let counts = compare(&adapter, &samples_beside_rings());
        assert!(counts.by_status[&0] > 500, "{counts:?}");
    }
}

#[test]
fn a_file_of_choice_has_the_keys_and_reasons_of_the_cpu() {
    if let Ok(path) = std::env::var("MOLSIEVE_KEY_FILE") {
        for adapter in adapters() {
            compare(&adapter, &first_words(&path));
        }
    }
}

#[test]
fn batches_of_any_size_are_told_and_leave_nothing_over() {
    let samples = samples();
    for adapter in adapters() {
        let mut device = open(&adapter, KEY_SHADER);
        for round in 0..2 {
            for rows in [257, 0, 1, 2, 63, 64, 65, 127, 128, 129, 256, 257] {
                // In the second round other texts, so that the same place has another status.
                let texts = &samples[round * 300..][..rows];
                let cpu = told_by_cpu(texts);
                let told = tell_batch(&mut device, texts);
                assert_none(&differences(texts, &cpu, &told, |_, _| true));
            }
        }
    }
}

/// Rounds of a loop after which lavapipe ends it.
const ROUNDS: u32 = 65_536;

/// The shader with a loop that takes long in front of the last that a key depends on.
fn slow_shader() -> String {
    let loops = format!(
        "fn rounds_left_out() -> u32 {{
            let wanted = {ROUNDS}u * min(shape.rows, 1u);
            var rounds = 0u;
            while rounds < wanted {{
                rounds++;
            }}
            return wanted - rounds;
        }}\n"
    );
    let begin = "fn key_of() -> vec4<u32> {\n    var first = vec2(0u);";
    assert_eq!(KEY_SHADER.matches(begin).count(), 1);
    let slow_begin = begin.replace("vec2(0u)", "vec2(rounds_left_out(), 0u)");
    KEY_SHADER.replace(begin, &(loops + &slow_begin))
}

#[test]
fn where_loops_are_ended_there_is_no_key() {
    let texts = samples();
    let cpu = told_by_cpu(&texts);
    let wrong_rows = |adapter: &Adapter, shader: &str| {
        let told = tell(&mut open(adapter, shader), &texts);
        differences(&texts, &cpu, &told, |_, _| true)
    };
    let guard = "told, loops_were_whole()";
    let shader = slow_shader();
    assert_eq!(shader.matches(guard).count(), 1);
    for adapter in adapters() {
        assert_none(&wrong_rows(&adapter, &shader));
        // A GPU ends no loops.
        let unguarded = shader.replace(guard, "told, true");
        let seen = !wrong_rows(&adapter, &unguarded).is_empty();
        assert_eq!(seen, adapter.software, "{}", adapter.name);
    }
}

#[test]
fn errors_planted_in_the_shader_are_seen() {
    let mut texts = samples();
    texts.extend(fuzz(&texts, 1));
    let cpu = told_by_cpu(&texts);
    let planted = [
        ("if ways < 2u", "if ways < 3u"),
        ("two_double_bonds ||", ""),
        ("tens != DIGIT_0;", "true;"),
        ("4u + (high >> 3u)", "high >> 3u"),
        ("oxides < 2u ||", "oxides < 1u ||"),
        (
            "(lone && closures(index) == 1u",
            "(lone && closures(index) == 2u",
        ),
        ("if in_system > 1u", "if in_system > 0u"),
        ("is_less(key, least)", "is_less(least, key)"),
        ("all(kinds[one] == kinds[other])", "false"),
        ("add(second, mix_word(seen))", "add(second, seen)"),
        ("DEFINITION << 8u | atom_count", "DEFINITION << 8u"),
        ("status << (8u * (row & 3u))", "status"),
    ];
    for adapter in adapters() {
        for (right, wrong) in planted {
            assert_eq!(KEY_SHADER.matches(right).count(), 1, "{right}");
            let shader = KEY_SHADER.replace(right, wrong);
            let told = tell(&mut open(&adapter, &shader), &texts);
            let wrong_rows = differences(&texts, &cpu, &told, |_, _| true);
            println!("{wrong}: {} rows", wrong_rows.len());
            assert!(!wrong_rows.is_empty(), "nobody saw: {wrong}");
        }
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error_and_no_panic() {
    for adapter in adapters() {
        let outcome = WgpuKeys::open_with(&adapter, ROOM, "fn structure_key() { nonsense }");
        assert!(matches!(
            outcome.map(|_| ()),
            Err(EngineError::Failed { engine: "wgpu", .. })
        ));
    }
}

#[test]
fn rows_of_more_workgroups_than_may_be_are_refused() {
    for adapter in adapters() {
        let room = KeyRoom {
            rows_max: 65_535 * 64 + 1,
            text_bytes_max: 1,
        };
        let outcome = WgpuKeys::open(&adapter, room);
        assert!(matches!(
            outcome.map(|_| ()),
            Err(EngineError::TooLarge {
                engine: "wgpu",
                part: "keys of a slot",
                ..
            })
        ));
    }
}

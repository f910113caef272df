//! What the figures mean for a job: the sieve's share of the work, and how much of it a GPU saves.

use super::report::{
    Assessment, Chemistry, DirectShares, EngineKeys, EngineReport, EngineShare, Report,
};
use crate::units::{ByteSize, count};

/// How the shares are calculated.
const FORMULA: &str = "share = (1/s) / (1/s + 1/(p × c)), with s the products per second that an \
engine sieves end to end, p the products per second that RDKit makes on one core, and c the cores; a GPU \
works while the chemistry runs, so it saves at most 1 - max(1/s_gpu, 1/(p × c)) / (1/s_cpu + 1/(p × c)) of \
a job's time; a software renderer shares the cores with the chemistry, as the cpu engine does";

impl EngineKeys {
    fn of(engines: &[EngineReport]) -> Vec<Self> {
        let rate = |engine: &EngineReport| Some(engine.structure_keys?.keys_per_second);
        let on_cpu = engines.iter().find(|engine| engine.engine == "cpu");
        let on_cpu = on_cpu.and_then(rate);
        let made = engines.iter().filter_map(|engine| {
            let made_per_second = rate(engine)?;
            Some(Self {
                engine: engine.engine,
                device: engine.device.clone(),
                made_per_second,
                times_cpu: on_cpu
                    .filter(|_| engine.engine != "cpu")
                    .map(|on_cpu| made_per_second / on_cpu),
            })
        });
        made.collect()
    }

    fn words(&self) -> String {
        let Self { engine, device, .. } = self;
        let made = rounded(self.made_per_second);
        let times = match self.times_cpu {
            Some(times) => format!(", {times:.2} times as many as the engine cpu"),
            None => String::new(),
        };
        format!("The engine {engine} ({device}) makes {made} structure keys/s{times}.")
    }
}

impl DirectShares {
    /// `sieved`: products that the engine `cpu` sieves per second, on all cores.
    fn of(chemistry: &Chemistry, cores: usize, sieved: f64) -> Self {
        let made = chemistry.direct_products_per_second_per_core * cores as f64;
        let keys_seconds = 1e-6 * chemistry.direct.keys / cores as f64;
        Self {
            products_per_second: made,
            keys: keys_seconds / in_turns(sieved, made),
            sieve: share(sieved, made),
        }
    }

    fn words(&self) -> String {
        format!(
            "With --smiles direct it makes about {} products/s; structure keys are {} of that job's work and the sieve is {}, so \
             a GPU that does both can save no more than {}.",
            rounded(self.products_per_second),
            percent(self.keys),
            percent(self.sieve),
            percent(self.keys + self.sieve)
        )
    }
}

/// Assesses a report. `None` if no engine was measured completely, or if RDKit was not measured.
pub(super) fn assess(report: &Report) -> Option<Assessment> {
    let measured: Vec<_> = report
        .engines
        .iter()
        .filter(|engine| measured_to_the_end(engine).next().is_some())
        .collect();
    let filter_bytes = common_filter(&measured)?;
    let cores = report.machine.processors;
    let chemistry = report.chemistry.as_ref()?;
    let made = chemistry.products_per_second_per_core * cores as f64;
    let rates = measured.iter().filter_map(|engine| {
        let filter = engine.filters.iter().find(|f| f.bytes == filter_bytes)?;
        Some((*engine, filter.end_to_end?.keys_per_second))
    });
    let rates: Vec<_> = rates.collect();
    let on_cpu = rates.iter().find(|(engine, _)| engine.engine == "cpu");
    let on_cpu = on_cpu.map(|(_, rate)| *rate);
    let share_of = |(engine, rate): &(&EngineReport, f64)| EngineShare {
        engine: engine.engine,
        device: engine.device.clone(),
        sieved_per_second: *rate,
        share: share(*rate, made),
        saves: on_cpu
            .filter(|_| engine.engine != "cpu")
            .map(|on_cpu| match engine.software {
                true => 1.0 - in_turns(*rate, made) / in_turns(on_cpu, made),
                false => saves(*rate, on_cpu, made),
            }),
    };
    let engines: Vec<_> = rates.iter().map(share_of).collect();
    let keys = EngineKeys::of(&report.engines);
    let direct = on_cpu.map(|sieved| DirectShares::of(chemistry, cores, sieved));
    let mut words = words(cores, made, filter_bytes, &engines);
    words.extend(direct.as_ref().map(DirectShares::words));
    words.extend(keys.iter().map(EngineKeys::words));
    Some(Assessment {
        cores,
        products_per_second: made,
        filter_bytes,
        formula: FORMULA,
        words,
        keys,
        engines,
        direct,
    })
}

fn common_filter(measured: &[&EngineReport]) -> Option<u64> {
    let largest = |engine: &&EngineReport| measured_to_the_end(engine).max();
    measured.iter().filter_map(largest).min()
}

/// The sizes of filter at which the whole sieve was measured.
fn measured_to_the_end(engine: &EngineReport) -> impl Iterator<Item = u64> {
    let filters = engine.filters.iter();
    filters.filter_map(|filter| filter.end_to_end.map(|_| filter.bytes))
}

/// The sieve's share of the work, if it shares the cores with the chemistry.
fn share(sieved: f64, made: f64) -> f64 {
    (1.0 / sieved) / in_turns(sieved, made)
}

/// Seconds per product if the sieve and the chemistry share the cores.
fn in_turns(sieved: f64, made: f64) -> f64 {
    1.0 / sieved + 1.0 / made
}

/// The share of a job's time that a GPU saves, which works while the chemistry runs.
fn saves(on_gpu: f64, on_cpu: f64, made: f64) -> f64 {
    1.0 - (1.0 / on_gpu).max(1.0 / made) / in_turns(on_cpu, made)
}

fn words(cores: usize, made: f64, filter_bytes: u64, engines: &[EngineShare]) -> Vec<String> {
    let cores = match cores {
        1 => "1 core".into(),
        cores => format!("{cores} cores"),
    };
    let mut words = vec![format!(
        "With {cores} RDKit makes about {} products/s.",
        rounded(made)
    )];
    for engine in engines {
        let share = percent(engine.share);
        words.push(format!(
            "The engine {} ({}) sieves {}/s at a filter of {}: {share} of a job's work.",
            engine.engine,
            engine.device,
            rounded(engine.sieved_per_second),
            ByteSize(filter_bytes),
        ));
        words.push(match engine.saves {
            None if engine.engine == "cpu" => format!("A GPU can save no more than that: {share}."),
            None => continue,
            Some(saves) => {
                let verb = if saves >= 0.0 { "saves" } else { "costs" };
                let share = percent(saves.abs());
                format!("In place of the engine cpu it {verb} {share} of a job's time.")
            }
        });
    }
    words
}

/// A share as percent, with more digits if it is small.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let digits = if percent >= 0.1 { 1 } else { 3 };
    format!("{percent:.digits$} %")
}

/// A rate rounded to two digits: `9,100,000`.
fn rounded(rate: f64) -> String {
    let place = 10f64.powf((rate.max(1.0).log10().floor() - 1.0).max(0.0));
    count(((rate / place).round() * place) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_the_formula() {
        assert_eq!(share(100.0, 100.0), 0.5);
        assert!((share(9_000_000.0, 40_000.0) - 0.004_425).abs() < 1e-6);
        // An infinitely fast GPU saves the cpu engine's whole share.
        let on_cpu = share(9_000_000.0, 40_000.0);
        assert!((saves(1e9, 9_000_000.0, 40_000.0) - on_cpu).abs() < 1e-12);
        // One that is slower than the chemistry costs time.
        assert_eq!(saves(50.0, 100.0, 100.0), 0.0);
        assert!(saves(25.0, 100.0, 100.0) < -0.99);
        assert_eq!(in_turns(50.0, 100.0), 0.03);
    }

    #[test]
    fn numbers_are_said_as_exactly_as_they_are_known() {
        assert_eq!(rounded(9_123_456.0), "9,100,000");
        assert_eq!(rounded(7.4), "7");
        assert_eq!(percent(0.0044), "0.4 %");
        assert_eq!(percent(0.00002), "0.002 %");
    }

    #[test]
    fn keys_are_said_beside_those_of_the_cpu() {
        let keys = |engine, times_cpu| EngineKeys {
            engine,
            device: "x".into(),
            made_per_second: 52_345_678.0,
            times_cpu,
        };
        assert_eq!(
            keys("cuda", Some(3.456)).words(),
            "The engine cuda (x) makes 52,000,000 structure keys/s, 3.46 times as many as the engine cpu."
        );
        assert!(keys("cpu", None).words().ends_with("structure keys/s."));
    }

    #[test]
    fn keys_and_sieve_are_shares_of_the_work_of_a_direct_job() {
        let shares = DirectShares {
            products_per_second: 250_000.0,
            keys: 0.104,
            sieve: 0.026,
        };
        assert_eq!(
            shares.words(),
            "With --smiles direct it makes about 250,000 products/s; structure keys are 10.4 % of that job's work and the sieve \
             is 2.6 %, so a GPU that does both can save no more than 13.0 %."
        );
    }

    #[test]
    fn the_verdict_says_what_a_gpu_can_save() {
        let engine = |engine, rate, saves| EngineShare {
            engine,
            device: "x".into(),
            sieved_per_second: rate,
            share: share(rate, 40_000.0),
            saves,
        };
        let engines = [
            engine("cpu", 9_000_000.0, None),
            engine("cuda", 1e9, Some(0.0044)),
            engine("wgpu", 1e4, Some(-3.0)),
        ];
        let words = words(2, 40_000.0, 1 << 30, &engines).join(" ");
        for said in [
            "With 2 cores RDKit makes about 40,000 products/s.",
            "cpu (x) sieves 9,000,000/s at a filter of 1 GiB: 0.4 % of a job's work.",
            "A GPU can save no more than that: 0.4 %.",
            "it saves 0.4 % of a job's time.",
            "it costs 300.0 % of a job's time.",
        ] {
            assert!(words.contains(said), "{said}: {words}");
        }
    }
}

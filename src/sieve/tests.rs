//! The conformance checks on the reference engine, and on engines with a fault.
//! `tests/conformance.rs` checks the other engines.

use fastbloom::{AtomicBloomFilter, BloomFilter};

use super::{
    conformance::{Disagreement, conform, conform_on_inserts},
    cpu::Workers,
    *,
};
use crate::{
    cores::Cores,
    slot::{Slot, SlotLayout},
};

fn cpu(shape: FilterShape, layout: &SlotLayout) -> Result<Box<dyn Engine>, EngineError> {
    Ok(Box::new(CpuEngine::new(
        shape,
        layout.rows_max,
        &Cores::new(2),
    )?))
}

#[test]
fn the_cpu_engine_conforms() {
    let account = conform(&mut cpu, 2_000).unwrap();
    assert!(account.slots > 20_000, "{account:?}");
    let million = FilterShape {
        bits: 64 * 300_007,
        hashes: 13,
    };
    conform_on_inserts(&mut cpu, million, 1_000_000).unwrap();
}

#[test]
fn a_thread_alone_sets_the_bits_that_fastbloom_sets() {
    let mut sources = vec![0, 1, u64::MAX, u64::MAX >> 1, 1 << 63];
    sources.extend((1..5_000u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
    for (bits, hashes) in [(64, 1), (128, 2), (64 * 300_007, 11), (64 * 4_096, 30)] {
        let [alone, together, own] = [(); 3].map(|()| {
            AtomicBloomFilter::with_num_bits(bits)
                .seed(&0)
                .hashes(hashes)
        });
        cpu::insert_all(&alone, sources.iter().copied(), Workers::One);
        cpu::insert_all(&together, sources.iter().copied(), Workers::Several);
        sources.iter().for_each(|source| {
            own.insert_hash(*source);
        });
        let words = |filter: &AtomicBloomFilter| filter.iter().collect::<Vec<_>>();
        assert!(words(&own).iter().any(|word| *word != 0));
        assert_eq!(words(&alone), words(&own), "{bits} bits, {hashes} hashes");
        assert_eq!(
            words(&together),
            words(&own),
            "{bits} bits, {hashes} hashes"
        );
    }
}

/// What an engine does wrong, once.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Verdict,
    Key,
    Tally,
    ForgottenInsert,
    Bit,
    Lost,
}

/// The reference engine with one fault, in slot number `at`.
struct Faulty {
    engine: Box<dyn Engine>,
    fault: Fault,
    at: usize,
}

impl Engine for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn wants_marked_slots(&self) -> bool {
        self.engine.wants_marked_slots()
    }

    fn begin(&mut self, slot: Slot) -> Result<(), EngineError> {
        self.engine.begin(slot)
    }

    fn finish(&mut self) -> Result<Option<(Slot, Tally)>, EngineError> {
        let Some((mut slot, mut tally)) = self.engine.finish()? else {
            return Ok(None);
        };
        let (rows, columns) = (slot.rows(), slot.columns_mut());
        let due = self.at == 0 && rows > 0;
        self.at = if due {
            usize::MAX
        } else {
            self.at.saturating_sub(1)
        };
        if !due {
            return Ok(Some((slot, tally)));
        }
        match self.fault {
            Fault::Verdict => columns.verdict[rows - 1] ^= 1,
            Fault::Key => columns.key[rows / 2][1] ^= 1 << 63,
            Fault::Tally => tally.maybe += 1,
            Fault::Lost => return Err(lost()),
            Fault::ForgottenInsert | Fault::Bit => {}
        }
        Ok(Some((slot, tally)))
    }

    fn insert(&mut self, keys: &[[u64; 2]]) -> Result<(), EngineError> {
        match (self.fault, keys) {
            (Fault::ForgottenInsert, [rest @ .., _]) => self.engine.insert(rest),
            _ => self.engine.insert(keys),
        }
    }

    fn filter_words(&mut self) -> Result<Vec<u64>, EngineError> {
        let mut words = self.engine.filter_words()?;
        if self.fault == Fault::Bit {
            *words.last_mut().unwrap() ^= 1;
        }
        Ok(words)
    }
}

fn lost() -> EngineError {
    EngineError::Lost {
        engine: "faulty",
        reason: "unplugged".into(),
    }
}

#[test]
fn one_wrong_answer_is_seen() {
    let outcome = |fault| {
        conform(
            &mut |shape, layout| {
                let engine = cpu(shape, layout)?;
                let at = 40;
                Ok(Box::new(Faulty { engine, fault, at }))
            },
            100,
        )
    };
    use Disagreement as D;
    assert!(matches!(outcome(Fault::Verdict), Err(D::Verdict { .. })));
    assert!(matches!(outcome(Fault::Key), Err(D::Key { .. })));
    assert!(matches!(outcome(Fault::Tally), Err(D::Tally { .. })));
    assert!(matches!(outcome(Fault::Bit), Err(D::Filter { .. })));
    assert!(matches!(
        outcome(Fault::ForgottenInsert),
        Err(D::Filter { .. })
    ));
    assert_eq!(outcome(Fault::Lost), Err(D::Engine(lost())));
}

#[test]
fn a_filter_is_as_large_as_it_must_be_and_no_larger_than_it_may() {
    let shape = FilterShape::for_items(1_000_000, 1e-6, 1_024, usize::MAX >> 8);
    assert!(shape.false_positive_rate(1_000_000) < 1.05e-6, "{shape:?}");
    assert!(shape.false_positive_rate(1_100_000) > 1e-6);
    let capped = FilterShape::for_items(1_000_000, 1e-6, 1_024, 1 << 20);
    assert_eq!(capped.bits, 1 << 20);
    assert_eq!(FilterShape::for_items(1, 0.5, 1_024, 1 << 20).bits, 1_024);
    // Compare with fastbloom's own arithmetic.
    let oracle = BloomFilter::with_num_bits(shape.bits)
        .seed(&0)
        .hashes(shape.hashes);
    let ratio = oracle.expected_false_pos(1_000_000) / shape.false_positive_rate(1_000_000);
    assert!((0.999..1.001).contains(&ratio), "{ratio}");
}

#[test]
fn a_filter_has_as_few_hashes_as_its_rate_allows() {
    let unbounded = usize::MAX >> 8;
    for (rate, hashes) in [(1e-3, 6), (1e-6, 11), (1e-9, 17), (0.5, 1)] {
        let shape = FilterShape::for_items(1_000_000, rate, 1_024, unbounded);
        assert_eq!(shape.hashes, hashes, "{rate}");
        let reached = shape.false_positive_rate(1_000_000);
        assert!(reached < 1.0001 * rate, "{rate}: {reached}");
        // The smallest filter for the rate, which has more hashes.
        let smallest = 1e6 * -f64::ln(rate) / std::f64::consts::LN_2.powi(2);
        assert!((shape.bits as f64) < 1.151 * smallest, "{rate}: {shape:?}");
        // Where the smallest filter has more bits than the rate needs, one hash may do.
        let roomy = FilterShape::for_items(10, rate, 1 << 20, unbounded);
        assert_eq!(roomy.bits, 1 << 20);
        assert!(roomy.hashes <= 2 && roomy.false_positive_rate(10) <= rate);
        // Too few bits: the best that they allow.
        let capped = FilterShape::for_items(1_000_000, rate, 1_024, 4_000_000);
        if rate < 0.1 {
            assert_eq!((capped.bits, capped.hashes), (4_000_000, 3));
        }
    }
}

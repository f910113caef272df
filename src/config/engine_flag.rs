//! `--engine` on the command line: the sieve itself does not depend on clap.

use clap::{ValueEnum, builder::PossibleValue};

use crate::sieve::EngineChoice;

impl ValueEnum for EngineChoice {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

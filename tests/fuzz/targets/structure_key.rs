//! See the body of the same name.
#![no_main]
libfuzzer_sys::fuzz_target!(|input: &[u8]| molsieve_fuzz::structure_key(input));

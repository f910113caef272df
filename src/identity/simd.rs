//! Whether the processor has the instructions that `avx512` uses.

/// Proof that the processor has AVX-512 F, BW, DQ and VL: only [`Simd::detect`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Simd(());

impl Simd {
    /// `None` if the processor lacks some of them.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("popcnt");
        has.then_some(Self(()))
    }
}

//! Which instructions the processor has: those that `avx512` uses, and those of [`Modern`].

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

/// Proof that the processor has BMI, BMI2, LZCNT, POPCNT and AVX2, as those since 2013 and 2015 have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Modern(());

impl Modern {
    /// `None` if the processor lacks some of them.
    pub fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("avx2");
        has.then_some(Self(()))
    }

    /// Does `work`, compiled for these instructions as far as it is inlined.
    #[inline(always)]
    pub fn run<T>(self, work: impl FnOnce() -> T) -> T {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn compiled<T>(work: impl FnOnce() -> T) -> T {
            work()
        }
        // SAFETY: a `Modern` proves that the processor has the features.
        unsafe { compiled(work) }
    }
}

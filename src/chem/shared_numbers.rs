//! Numbers that both languages state are the same. The compiler checks it.

use super::bridge::ffi;

// `RuleAccount` is passed to C++ as plain numbers.
const _: () = {
    use std::mem::{offset_of, size_of};

    use crate::account::RuleAccount;

    const NUMBER: usize = size_of::<u64>();
    let columns = size_of::<RuleAccount>() / NUMBER;
    assert!(columns == ffi::RuleCount::Columns.repr as usize);
    let made = offset_of!(RuleAccount, made) / NUMBER;
    assert!(made == ffi::RuleCount::Made.repr as usize);
    let unchanged = offset_of!(RuleAccount, unchanged) / NUMBER;
    assert!(unchanged == ffi::RuleCount::Unchanged.repr as usize);
    let invalid = offset_of!(RuleAccount, invalid) / NUMBER;
    assert!(invalid == ffi::RuleCount::Invalid.repr as usize);
    let capped = offset_of!(RuleAccount, capped) / NUMBER;
    assert!(capped == ffi::RuleCount::Capped.repr as usize);
    let filtered = offset_of!(RuleAccount, filtered) / NUMBER;
    assert!(filtered == ffi::RuleCount::Filtered.repr as usize);
    let parents = offset_of!(RuleAccount, parents) / NUMBER;
    assert!(parents == ffi::RuleCount::Parents.repr as usize);
    let sites = offset_of!(RuleAccount, sites) / NUMBER;
    assert!(sites == ffi::RuleCount::Sites.repr as usize);
    let nanoseconds = offset_of!(RuleAccount, nanoseconds) / NUMBER;
    assert!(nanoseconds == ffi::RuleCount::Nanoseconds.repr as usize);
};

const _: () = {
    assert!(crate::limits::REACTANTS_MAX == ffi::Shared::ReactantsMax.repr as usize);
    assert!(crate::reagents::NO_REAGENT == ffi::Shared::NoReagent.repr);
};

// `CleanStep` is passed to C++ as bits by number.
const _: () = {
    use crate::cleaning::CleanStep;

    assert!(1 << CleanStep::Cleanup as u32 == ffi::CleanStep::Cleanup.repr);
    assert!(1 << CleanStep::Fragment as u32 == ffi::CleanStep::Fragment.repr);
    assert!(1 << CleanStep::Uncharge as u32 == ffi::CleanStep::Uncharge.repr);
    assert!(1 << CleanStep::Tautomer as u32 == ffi::CleanStep::Tautomer.repr);
    assert!(1 << CleanStep::Stereo as u32 == ffi::CleanStep::Stereo.repr);
};

// `Property` is passed to C++ as bits by number.
macro_rules! same_numbers {
    ($ours:path, $theirs:ident: $($value:ident)*) => { $(
        const _: () = {
            use $ours as Ours;
            assert!(Ours::$value as u8 == ffi::$theirs::$value.repr);
        };
    )* };
}

same_numbers!(crate::filter::Comparison, Comparison: AtMost AtLeast Equal NotEqual Below Above);
same_numbers!(crate::filter::Catalogue, Catalogue: Pains PainsA PainsB PainsC Brenk Nih Zinc Chembl ChemblBms ChemblDundee ChemblGlaxo ChemblInpharmatica ChemblLint ChemblMlsmr ChemblSurechembl);
same_numbers!(crate::property::Property, Property: Mw Clogp Tpsa Hbd Hba RotatableBonds ExactMass HeavyAtoms Rings AromaticRings FractionCsp3 Charge StereoCentres);
const _: () =
    assert!(crate::property::Property::ALL.len() == ffi::Property::StereoCentres.repr as usize + 1);

//! The structure key: all SMILES of a molecule have one key, and different molecules (as RDKit distinguishes them) have
//! different keys.

use std::collections::{HashMap, HashSet};

use crate::kit::{
    Folder, Molsieve, Python, args,
    draw::Draw,
    library::{repository, smiles_lines},
};
use molsieve::{
    chem::RdKit,
    identity::{DEFINITION, KeyMaker, StructureKeys, Way},
    key::Key,
};

const SHIPPED: usize = 621;

/// Hand-written SMILES, one family per line: all pairs are compared, within and between lines.
const HARD: &str = include_str!("../identity/hard.smi");

/// Fails unless keys are equal exactly if RDKit's canonical SMILES are. Returns the number of keys that needed RDKit.
fn compare<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    let rdkit = RdKit::initialise().unwrap();
    let mut maker = KeyMaker::new(rdkit);
    let (mut keys, mut forms) = (HashMap::<Key, String>::new(), HashMap::<String, Key>::new());
    let mut by_rdkit = 0;
    for text in texts {
        let made = maker.key(text.as_bytes());
        let Ok(canonical) = rdkit.canonical_smiles(text) else {
            assert!(
                made.is_err(),
                "{text}: RDKit can't read it, and it has a key"
            );
            continue;
        };
        let (key, way) = made.unwrap_or_else(|reason| panic!("{text}: {reason}"));
        by_rdkit += usize::from(way != Way::Direct);
        let other = keys.entry(key).or_insert_with(|| canonical.clone());
        assert_eq!(*other, canonical, "{text}: two molecules have one key");
        let other = forms.entry(canonical).or_insert(key);
        assert_eq!(*other, key, "{text}: one molecule has two keys");
    }
    by_rdkit
}

#[test]
fn hard_cases_are_distinguished_as_by_rdkit() {
    let texts = HARD.lines().filter(|line| !line.starts_with('#'));
    compare(texts.flat_map(str::split_whitespace));
}

/// Users store these keys: if one changes, `DEFINITION` must change.
#[test]
fn the_definition_still_gives_the_same_keys() {
    assert_eq!(DEFINITION, 3);
    let mut maker = KeyMaker::new(RdKit::initialise().unwrap());
    for (smiles, key) in [
        ("OCC", "921195bd61a76f98663657ccda1d5431"),
        ("c1ccccc1", "65ceddaca58b51471f5348bed78c0fb5"),
        ("[13CH4]", "a063eb3cea9209cb56d6fefd2593297e"),
        ("[Na+].[Cl-]", "ebdd0678899d584c62d08319bb30231b"),
        ("C[C@H](N)C(=O)O", "ff57af9bdd0a0073f0f9699cc813b5f9"),
        ("C/C=C/C", "0b0c763a4e9cd79e0c53f2aae18b6378"),
        // Centres by their ring; atoms that must be set apart; RDKit's canonical SMILES; its bytes.
        ("C[C@H]1CC[C@@H](C)CC1", "ad2ee28f0c90288fbb147c8d243d9823"),
        ("C12C3C4C1C5C2C3C45", "df915b8889147a1f0c94f1d92dc42e83"),
        ("C1=CC=CC=CC=C1", "77cc463f02954600656dba504a436584"),
        ("*C", "a8f95d50b8375b808fc3a1a2941fc235"),
    ] {
        assert_eq!(
            maker.key(smiles.as_bytes()).unwrap().0.to_string(),
            key,
            "{smiles}"
        );
    }
}

/// The key consists of two independent sums.
#[test]
fn each_half_of_a_key_distinguishes_molecules() {
    let mut keys = StructureKeys::new();
    let lines = smiles_lines(SHIPPED);
    let words = lines.split_whitespace().chain(HARD.split_whitespace());
    let made = words.filter_map(|word| keys.key(word.as_bytes()).ok());
    let keys: HashSet<[u64; 2]> = made.map(Key::words).collect();
    assert!(keys.len() > SHIPPED, "{}", keys.len());
    let mut halves: Vec<u64> = keys.iter().flatten().copied().collect();
    halves.sort_unstable();
    halves.dedup();
    assert_eq!(halves.len(), 2 * keys.len());
    // Each bit is set in half of the keys, within six standard deviations.
    let expected = halves.len() as f64 / 2.0;
    for bit in 0..64 {
        let set = halves.iter().filter(|half| *half >> bit & 1 == 1).count() as f64;
        let off = (set - expected).abs() / (expected / 2.0).sqrt();
        assert!(off < 6.0, "bit {bit}: {set} of {}", halves.len());
    }
}

#[test]
fn equal_molecules_share_a_key_and_different_ones_do_not() {
    let mut keys = StructureKeys::new();
    let mut key = |smiles: &str| keys.key(smiles.as_bytes()).unwrap();
    for (one, other) in [
        ("CC(=O)C", "CC(O)=C"),
        ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"),
        ("C/C=C/C", "C/C=C\\C"),
        ("C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](C)CC1"),
        ("C1CCC2CCCCC2C1", "C1CCCC1C1CCCC1"),
        ("[13CH4]", "C"),
        ("NCC(=O)O", "[NH3+]CC(=O)[O-]"),
        ("CC", "C.C"),
    ] {
        assert_ne!(key(one), key(other), "{one} {other}");
    }
    for (one, other) in [
        ("c1ccccc1C(=O)O", "OC(=O)C1=CC=CC=C1"),
        ("CN(=O)=O", "C[N+](=O)[O-]"),
        ("[H]OC([H])([H])C", "CCO"),
        ("C[C@](F)(Cl)[H]", "C[C@H](F)Cl"),
        ("F/C=C/F", "F\\C=C\\F"),
        ("[Na+].[Cl-]", "[Cl-].[Na+]"),
        ("C[C@H](C)O", "CC(C)O"),
        ("C1=CC=CN1", "c1cc[nH]c1"),
    ] {
        assert_eq!(key(one), key(other), "{one} {other}");
    }
}

#[test]
fn the_shipped_library_hardly_needs_rdkit() {
    let lines = smiles_lines(SHIPPED);
    let by_rdkit = compare(
        lines
            .lines()
            .filter_map(|line| line.split_whitespace().next()),
    );
    assert!(by_rdkit <= SHIPPED / 100, "{by_rdkit}");
}

/// A text with a few bytes changed, removed, inserted or duplicated.
fn changed(text: &str, random: &mut Draw) -> String {
    const BYTES: &[u8] = b"CNOSPFIBclrnosp[]()=#-:/\\.%@+H0123456789*";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len().max(1));
        let byte = BYTES[random.below(BYTES.len())];
        match random.below(4) {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if bytes.len() > 1 => drop(bytes.remove(at)),
            2 => bytes.truncate(at.max(1)),
            _ => bytes.insert(at, byte),
        }
    }
    String::from_utf8(bytes).unwrap()
}

/// RDKit accepts every text that is accepted without RDKit, and as the same molecule.
#[test]
fn randomly_changed_texts_are_accepted_only_as_rdkit_reads_them() {
    let rdkit = RdKit::initialise().unwrap();
    let mut keys = StructureKeys::new();
    let mut random = Draw(7);
    let kinds = std::fs::read_to_string(repository().join("tests/oracle/kinds.smi")).unwrap();
    let texts: Vec<_> = kinds
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut accepted = 0;
    let mut faults = Vec::new();
    for round in 0..200_000 {
        let text = changed(texts[round % texts.len()], &mut random);
        let Ok(key) = keys.key(text.as_bytes()) else {
            continue;
        };
        accepted += 1;
        match rdkit.canonical_smiles(&text) {
            Err(reason) => faults.push(format!("{text}: {reason}")),
            Ok(canonical) => match keys.key(canonical.as_bytes()) {
                Ok(own) if own != key => faults.push(format!("{text}: not the key of {canonical}")),
                _ => {}
            },
        }
    }
    assert!(
        faults.is_empty(),
        "{}:\n{}",
        faults.len(),
        faults.join("\n")
    );
    assert!(accepted > 1_000, "{accepted}");
}

/// Keys by vector instructions and by the quick reader equal those without. (Without such instructions both use the
/// scalar code.)
#[test]
fn keys_do_not_depend_on_the_processor() {
    let (mut keys, mut atom_by_atom) = (StructureKeys::new(), StructureKeys::plain());
    let kinds = std::fs::read_to_string(repository().join("tests/oracle/kinds.smi")).unwrap();
    let (library, mut random) = (smiles_lines(SHIPPED), Draw(23));
    let hard = HARD.lines().filter(|line| !line.starts_with('#'));
    let texts = library.lines().chain(kinds.lines()).chain(hard);
    let texts: Vec<_> = texts.flat_map(str::split_whitespace).collect();
    let mut compare = |text: &str| {
        let key = keys.key(text.as_bytes());
        assert_eq!(key, atom_by_atom.key(text.as_bytes()), "{text}");
        usize::from(key.is_ok())
    };
    let mut keyed: usize = texts.iter().map(|text| compare(text)).sum();
    for round in 0..100_000 {
        keyed += compare(&changed(texts[round % texts.len()], &mut random));
    }
    // Numbers of atoms that fill a register, and one more or less.
    for atoms in 1..200 {
        for end in ["", "(C)C", "[C@@H](F)Cl"] {
            keyed += compare(&("C".repeat(atoms) + end));
            keyed += compare(&format!("C1{}{end}1", "C=".repeat(atoms / 2)));
        }
    }
    assert!(keyed > 5_000, "{keyed}");
}

#[test]
fn any_bytes_give_an_error_or_a_key() {
    let mut keys = StructureKeys::new();
    let mut random = Draw(11);
    for _ in 0..50_000 {
        let length = random.below(40);
        let bytes: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        let _ = keys.key(&bytes);
    }
    let deep = "C(".repeat(300) + &"C".repeat(300);
    let _ = keys.key(deep.as_bytes());
    let _ = keys.key("C1CC1".repeat(300).as_bytes());
    let _ = keys.key("[H]".repeat(300).as_bytes());
}

/// Runs the comparison for large libraries on small ones: random, Kekulé and explicit-hydrogen SMILES.
#[test]
fn the_large_scale_comparison_passes_on_small_libraries() {
    let Some(python) = Python::find("comparison on all kinds") else {
        return;
    };
    let folder = Folder::new();
    let stereo = folder.path("stereo.smi");
    let make = args![&stereo, "--rows", "400", "--seed", "3"];
    python.oracle("kinds_stereo.py", make).ends_with(0);
    let prove = args![
        repository().join("tests/oracle/kinds.smi"),
        &stereo,
        repository().join("examples/natural_products.csv"),
        "--processes",
        "2",
        "--binary",
        env!("CARGO_BIN_EXE_molsieve"),
    ];
    python.oracle("structure_key.py", prove).ends_with(0);
}

#[test]
fn key_prints_a_line_per_molecule_and_reports_errors() {
    let run = Molsieve::new("key CCO OCC C1CC --explain")
        .run()
        .ends_with(4);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0].split('\t').next(), lines[1].split('\t').next());
    assert!(lines[0].ends_with("\tCCO\t"), "{lines:?}");
    assert!(
        lines[2].starts_with("error: ") && lines[2].contains("\tC1CC"),
        "{lines:?}"
    );
    Molsieve::new("key c1ccccc1").run().ends_with(0);
    // A text on which RDKit would recurse too deeply is not passed to RDKit.
    let long = "C(".repeat(3_000) + &"*)".repeat(3_000);
    let run = Molsieve::new("key").arg(&long).run().ends_with(4);
    assert!(
        run.stdout.starts_with("error: the SMILES is "),
        "{}",
        &run.stdout[..80]
    );
}

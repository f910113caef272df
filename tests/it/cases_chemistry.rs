//! Rules and molecules from user reports for which the fast chemistry, or both chemistries, once gave other products
//! than RDKit's plain loop. RDKit in Python made the expected SMILES.

use crate::kit::{
    Folder, Molsieve,
    output::{manifest, rows},
};

/// Fails unless both chemistries make these products (SMILES, parent id, rule name).
#[track_caller]
fn assert_makes(molecules: &[&str], smirks: &[&str], expected: &[(&str, &str, &str)]) {
    let folder = Folder::new();
    let library: String = molecules
        .iter()
        .enumerate()
        .map(|(row, smiles)| format!("{smiles}\tm{row}\n"))
        .collect();
    let rules: String = smirks
        .iter()
        .enumerate()
        .map(|(rule, smirks)| format!("[[rule]]\nname = 'r{rule}'\nsmirks = '''{smirks}'''\n"))
        .collect();
    let (library, rules) = (
        folder.write("in.smi", library),
        folder.write("rules.toml", rules),
    );
    for method in ["fast", "reference"] {
        let out = folder.path(method);
        Molsieve::new("run --threads 1 --chemistry")
            .arg(method)
            .input(&library)
            .rules(&rules)
            .output(&out)
            .run()
            .ends_with(0);
        let made = rows(&out);
        let made: Vec<_> = made
            .iter()
            .map(|row| (&*row.smiles, &*row.parent_id, &*row.rule))
            .collect();
        assert_eq!(made, expected, "{method}");
    }
}

/// The reactant's text was cut at the `>` of `->`, so that rules on dative bonds shared one pattern.
#[test]
fn rules_on_dative_bonds_keep_their_own_reactants() {
    assert_makes(
        &["[NH3]->[Zn]", "[NH3]->[Cu]", "C[NH2]->[Fe+2]"],
        &[
            "[N:1]->[Zn:2]>>[N:1].[Zn:2]",
            "[N:1]->[Cu:2]>>[N:1].[Cu:2]",
            "[N:1]->[Fe:2]>>[N+0:1].[Fe:2]Cl",
        ],
        &[
            ("N", "m0", "r0"),
            ("[Zn]", "m0", "r0"),
            ("[Cu]", "m1", "r1"),
            ("CN", "m2", "r2"),
            ("[Cl][Fe+2]", "m2", "r2"),
        ],
    );
    assert_makes(
        &["[Zn]<-[NH3]", "[Cu]<-[NH3]"],
        &["[Zn:2]<-[N:1]>>[N:1].[Zn:2]", "[Cu:2]<-[N:1]>>[N:1].[Cu:2]"],
        &[
            ("N", "m0", "r0"),
            ("[Zn]", "m0", "r0"),
            ("[Cu]", "m1", "r1"),
        ],
    );
    // The same inside a recursive SMARTS.
    assert_makes(
        &["[Zn]<-[NH3]", "[Cu]<-[NH3]"],
        &["[N;$([N]->[Zn]):1]>>[N:1]Cl", "[N;$([N]->[Cu]):1]>>[N:1]Br"],
        &[("Cl[NH2]->[Zn]", "m0", "r0"), ("[Cu]<-[NH2]Br", "m1", "r1")],
    );
}

/// RDKit removes bond directions in rings of fewer than eight atoms.
#[test]
fn bond_directions_of_a_template_are_dropped_in_small_rings() {
    assert_makes(
        &["C1=CCCCC1", "C/C=C/C"],
        &["[C:1][C:2]=[C:3][C:4]>>[C:1]/[C:2]=[C:3]/[C:4]O"],
        &[("OC1C=CCCC1", "m0", "r0"), ("C/C=C/CO", "m1", "r0")],
    );
    assert_makes(
        &["CCO"],
        &["[OH:1]>>[O:1]C1C/C=C/CCC1", "[OH:1]>>[O:1]C1C/C=C/CCCCCC1"],
        &[
            ("CCOC1CC=CCCC1", "m0", "r0"),
            ("CCOC1C/C=C/CCCCCC1", "m0", "r1"),
        ],
    );
    assert_makes(
        &["C1CCCCC1"],
        &["[C:1][C:2][C:3][C:4]>>[C:1]/[C:2]=[C:3]/[C:4]"],
        &[("C1=CCCCC1", "m0", "r0")],
    );
}

/// A bond direction without a counterpart in the template combines with those of the parent.
#[test]
fn a_single_bond_direction_of_a_template_is_read_as_rdkit_reads_it() {
    assert_makes(
        &["C/C=C/C=O", "O=C/C=C\\c1ccccc1"],
        &["[CX3;H1:1]=[O:2]>>[C:1]=N/O"],
        &[
            ("C/C=C/C=N/O", "m0", "r0"),
            ("O/N=C\\C=C/c1ccccc1", "m1", "r0"),
        ],
    );
}

/// A bond without a symbol between two new aromatic rings is single.
#[test]
fn an_added_biaryl_bond_without_symbol_is_single() {
    assert_makes(
        &["CCO"],
        &[
            "[OH:1]>>[O:1]c1ccccc1c1ccccc1",
            "[OH:1]>>[O:1]n1cccc1c1ccccc1",
        ],
        &[
            ("CCOc1ccccc1-c1ccccc1", "m0", "r0"),
            ("CCOn1cccc1-c1ccccc1", "m0", "r1"),
        ],
    );
}

/// RDKit decides whether an aromatic bond that a template makes between parent atoms is kept.
#[test]
fn an_aromatic_bond_on_a_saturated_ring_is_not_kept() {
    assert_makes(
        &["C1CCCCC1"],
        &["[*:1]-[*:2]>>[*:1]:[*:2]"],
        &[("C1=CCCCC1", "m0", "r0")],
    );
}

/// Of two six-membered rings that share most of their bonds RDKit finds one. Which one depends on the atom order, and
/// aromaticity depends on it.
#[test]
fn aromaticity_of_bridged_rings_is_perceived_anew() {
    assert_makes(
        &["C1=CC2C3=C(C=C1)C2=CC=C3"],
        &["[CX4;!H0:1]>>[C:1]O"],
        &[("OC12C=CC=Cc3c1cccc32", "m0", "r0")],
    );
}

/// Faults found by `scripts/equal.sh --generated 3600 --seed 100`: a larger ring hidden by a smaller one; small rings
/// closed on an aromatic ring; and a phosphorus group that RDKit rewrites when its neighbour changes.
#[test]
fn faults_found_by_generated_rules_stay_fixed() {
    assert_makes(
        &["c1c2c3c4c(c1=CC2=CC=3)C=C4"],
        &["[C;!H0;R:1]>>[C:1]-C1OCCO1"],
        &[
            ("C1=Cc2c1c1cc3c2=CC=C3C=1C1OCCO1", "m0", "r0"),
            ("C1=Cc2c1c1cc3c2=CC(C2OCCO2)=C3C=1", "m0", "r0"),
            ("C1=Cc2c1c1cc3c2=C(C2OCCO2)C=C3C=1", "m0", "r0"),
            ("C1=C2C=c3cc2c(c2c3C(C3OCCO3)=C2)=C1", "m0", "r0"),
            ("C1=C2C=c3cc2c(c2c3C=C2C2OCCO2)=C1", "m0", "r0"),
        ],
    );
    assert_makes(
        &["C1=C[14C]2=C3CC(=CC2=C1)C1=C3[13CH2]1"],
        &["[C;H1;X3:1]>>[C:1]-C1CC1"],
        &[
            ("C1=C2CC(=[14C]3C=C(C4CC4)C=C13)C1=C2[13CH2]1", "m0", "r0"),
            ("C1=C2CC(=[14C]3C1=CC=C3C1CC1)C1=C2[13CH2]1", "m0", "r0"),
            ("C1=C[14C]2=C3CC(=C(C4CC4)C2=C1)C1=C3[13CH2]1", "m0", "r0"),
            ("C1=C[14C]2=C3CC(=CC2=C1C1CC1)C1=C3[13CH2]1", "m0", "r0"),
        ],
    );
    assert_makes(
        &["c12c3cc(cc1C=N2)N1C=CC31c1c[nH]c2ccccc12"],
        &["[c;!H0;+0:1]>>[*:1]C1C2CCC1CC2"],
        &[
            (
                "C1=CC2(c3c[nH]c4ccccc34)c3c4c(cc(c3C3C5CCC3CC5)N12)C=N4",
                "m0",
                "r0",
            ),
            (
                "C1=CC2(c3c[nH]c4ccccc34)c3cc(c(C4C5CCC4CC5)c4c3N=C4)N12",
                "m0",
                "r0",
            ),
            (
                "C1=CC2(c3c(C4C5CCC4CC5)[nH]c4ccccc34)c3cc(cc4c3N=C4)N12",
                "m0",
                "r0",
            ),
            (
                "C1=CC2(c3c[nH]c4c(C5C6CCC5CC6)cccc34)c3cc(cc4c3N=C4)N12",
                "m0",
                "r0",
            ),
            (
                "C1=CC2(c3c[nH]c4cc(C5C6CCC5CC6)ccc34)c3cc(cc4c3N=C4)N12",
                "m0",
                "r0",
            ),
            (
                "C1=CC2(c3c[nH]c4ccc(C5C6CCC5CC6)cc34)c3cc(cc4c3N=C4)N12",
                "m0",
                "r0",
            ),
            (
                "C1=CC2(c3c[nH]c4cccc(C5C6CCC5CC6)c34)c3cc(cc4c3N=C4)N12",
                "m0",
                "r0",
            ),
        ],
    );
    assert_makes(
        &["[H]c1cn2sc([H])c2c2c1C2"],
        &["[c:3](:[c;H1:1][c:2]):[c;X3:4]-[C;!H0:5]>>[C:5]-%50-[c:1](:[c:3]:[c:4]%50):[c:2]"],
        &[("c1sn2cc3c4c(c12)C34", "m0", "r0")],
    );
    assert_makes(
        &["O=[P@@](=C)C"],
        &["[C;H2:1]>>[C:1]-C[O-]"],
        &[("C[P+]([O-])=CC[O-]", "m0", "r0")],
    );
    assert_makes(
        &["c1ccccc1"],
        &["[c;!H0;+0:1]>>[c:1]-C1c2cc1c1cc2-1"],
        &[("c1ccc(C2c3cc2c2cc3-2)cc1", "m0", "r0")],
    );
    assert_makes(
        &["C1=C2C3=C(C3)C3=C1C1=C2C31"],
        &["[C;H1:1]>>[C:1]C1OCCO1"],
        &[("c1c2c3c(c4c1C1=C2C14C1OCCO1)C3", "m0", "r0")],
    );
}

/// RDKit's rings are relevant cycles. Its search before 2026.09 found others, depending on the substituents of a bridged
/// ring system and on the order of its atoms.
#[test]
fn rings_joined_to_a_bridged_ring_system_do_not_change_its_rings() {
    let parent = "C1C2=C3CC(=C1C1=CCC1=C3)C2";
    assert_makes(
        &[parent],
        &["[CX3:1]=[CX3:2]>>[*:1](-c1ccccc1)=[C:2]"],
        &[
            ("C1=C2CC(c3ccccc3)=C2C2=C3CC1=C(C3)C2", "m0", "r0"),
            ("C1=C2C3=C4CC(=C(C4)C(c4ccccc4)=C2C1)C3", "m0", "r0"),
        ],
    );
    assert_makes(
        &[parent],
        &["[C;H1:1][C:2]>>[C:2][C:1]-CC1C=CC1"],
        &[
            ("C1=CC(CC2=C3C(=CC4=C5CC(=C3C5)C4)C2)C1", "m0", "r0"),
            ("C1=CC(CC2=C3CC=C3C3=C4CC(=C2C4)C3)C1", "m0", "r0"),
        ],
    );
    assert_makes(
        &[parent],
        &["[C;R:3]=;@[C;!H0:1]-,=[C;X3:2]>>[C:2]-[C:1](C1CCCCC1)=[C:3]"],
        &[("C1=C2C3=C4CC(=C(C4)C(C4CCCCC4)=C2C1)C3", "m0", "r0")],
    );
}

/// The fast path must keep handling these, or it is no longer fast: rings closed beside an aromatic ring, and bond
/// directions beside a carbonyl.
#[test]
fn common_rules_use_the_fast_path() {
    let folder = Folder::new();
    let library = folder.write("in.smi", "Oc1ccc(CCO)cc1O\tm0\n");
    let rules = folder.write(
        "rules.toml",
        "[[rule]]\nname = 'methylenation'\nsmirks = '[OH:1][c:2]:[c:3][OH:4]>>[O:1]1-[c:2]:[c:3]-[O:4]-C-1'\n\
         [[rule]]\nname = 'cinnamoylation'\nsmirks = '[CX4:1][OH:2]>>[C:1][O:2]C(=O)/C=C/c1ccccc1'\n\
         [[rule]]\nname = 'biaryl'\nsmirks = '[OH:1]>>[O:1]c1ccccc1c1ccccc1'\n",
    );
    Molsieve::new("run --threads 1")
        .input(library)
        .rules(rules)
        .output(folder.out())
        .run()
        .ends_with(0);
    let manifest = manifest(&folder.out());
    assert_eq!(manifest["counts"]["products_made"], 6);
    assert_eq!(manifest["chemistry_products"]["on_graphs"], 6);
}

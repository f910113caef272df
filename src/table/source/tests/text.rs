//! SMILES files, CSV/TSV and SD files.

use super::*;
use crate::limits::{ID_BYTES_MAX, LINE_BYTES_MAX, SDF_RECORD_BYTES_MAX, TEXT_KEPT_BYTES_MAX};

fn brief_of(name: &str, content: impl AsRef<[u8]>) -> Vec<String> {
    let shelf = Shelf::new();
    brief(&rows_of(
        &shelf.put(name, content),
        &ColumnChoice::default(),
    ))
}

#[test]
fn smiles_lines_with_header_comments_blanks_and_no_last_line_end() {
    let text = "\u{feff}# made by hand\nSMILES Name\nCCO\tethanol 96 %\r\n\n  c1ccccc1   benzene \r\n   \nC";
    let expected = ["CCO [ethanol 96 %]", "c1ccccc1 [benzene]", "C"];
    assert_eq!(brief_of("a.smi", text), expected);
    assert_eq!(brief_of("a.smi.gz", gzip(text)), expected);
    // by magic, whatever the name says
    assert_eq!(brief_of("a.txt", gzip(text)), expected);
}

#[test]
fn a_header_is_only_looked_for_on_the_first_line() {
    let rows = brief_of("a.smi", "CCO 1\nsmiles id\nCCN 2\n");
    assert_eq!(rows, ["CCO [1]", "smiles [id]", "CCN [2]"]);
}

#[test]
fn all_members_of_a_gzip_file_are_read() {
    let mut packed = gzip("CCO 1\nCC");
    packed.extend(gzip("N 2\n"));
    packed.extend(gzip(""));
    packed.extend(gzip("CCC 3\n"));
    let rows = brief_of("a.smi.gz", packed);
    assert_eq!(rows, ["CCO [1]", "CCN [2]", "CCC [3]"]);
}

#[test]
fn a_latin_1_line_is_one_faulted_row() {
    let mut text = b"CCO 1\nC\xE9C 2\nCCC caf\xE9\n".to_vec();
    text.extend(b"CCN x\n".repeat(50));
    let rows = brief_of("a.smi", text);
    assert_eq!(rows.len(), 53);
    assert_eq!(rows[1], "! SMILES is not UTF-8 (byte 0xE9 at position 2)");
    assert_eq!(rows[2], "CCC [caf\u{fffd}]");
}

#[test]
fn a_long_line_is_drained_and_counted() {
    let mut text = b"CCO 1\n".to_vec();
    text.extend(vec![b'C'; 3 * LINE_BYTES_MAX]);
    text.extend(b"\nCCN 2\n");
    for (name, text) in [("a.smi", text.clone()), ("a.smi.gz", gzip(&text))] {
        let shelf = Shelf::new();
        let rows = rows_of(&shelf.put(name, text), &ColumnChoice::default());
        let fault = "line 2 is 3145728 bytes long, at most 1048576 are read";
        assert_eq!(rows[1].fault.as_deref(), Some(fault));
        assert_eq!(rows[1].text.len(), TEXT_KEPT_BYTES_MAX);
        assert_eq!((rows.len(), rows[2].row), (3, 2));
        assert_eq!(rows[2].text, "CCN");
    }
}

#[test]
fn ids_are_cut_not_rows() {
    let rows = brief_of("a.smi", format!("CCO {}\n", "x".repeat(ID_BYTES_MAX + 1)));
    assert_eq!(rows[0], format!("CCO [{}…]", "x".repeat(ID_BYTES_MAX - 3)));
}

#[test]
fn csv_with_quotes_other_delimiters_and_any_column_order() {
    let rows = ["CCO [ethanol, 96 %]", "C\"C [line\nend]", "CC [3]"];
    let csv = "\u{feff}Name,mw,\"SMILES\"\r\n\"ethanol, 96 %\",46.1, CCO\r\n\n\"line\r\nend\",,\"C\"\"C\"\r\n3,1,CC";
    assert_eq!(brief_of("a.csv", csv), rows);
    assert_eq!(brief_of("a.csv.gz", gzip(csv)), rows);
    let semicolons = "name;SMILES\n1,5;CCO\n";
    assert_eq!(brief_of("a.csv", semicolons), ["CCO [1,5]"]);
    let tabs = "smiles\tmol_id\nCCO\tx y\n\t7\n";
    assert_eq!(brief_of("a.tsv", tabs), ["CCO [x y]", "! SMILES is empty"]);
    assert_eq!(brief_of("a.csv", "smiles\nCCO\nCCN\n"), ["CCO", "CCN"]);
}

#[test]
fn ragged_lines_are_faults_with_their_number() {
    let shelf = Shelf::new();
    let path = shelf.put(
        "a.csv",
        "smiles,id,mw,logp\nCCO,1,2,3\nCCN,2,3\n\nC,1,2,3,4\nCC,2,3,4\n",
    );
    let rows = rows_of(&path, &ColumnChoice::default());
    assert_eq!(
        brief(&rows),
        [
            "CCO [1]",
            "! line 3 has 3 fields, the header has 4",
            "! line 5 has 5 fields, the header has 4",
            "CC [2]",
        ]
    );
    assert_eq!(rows[1].text, "CCN,2,3", "the rejects show the line");
}

#[test]
fn a_stray_quote_costs_its_line_and_no_other() {
    // closes 3 lines later, on a record of the wrong width
    let text = "smiles,id\nC,1\nCC,\"2\nCCC,3\nCCCC,4\nN,5\",x\nO,6\n";
    let rows = [
        "C [1]",
        "! lines 3 to 6 are one record by their quotes, with 3 fields; the header has 2",
        "CCC [3]",
        "CCCC [4]",
        "! line 6 has 3 fields, the header has 2",
        "O [6]",
    ];
    assert_eq!(brief_of("a.csv", text), rows);
    // never closes
    let text = "smiles,id\nCC,\"2\nCCC,3\nO,\"4,\nN,5";
    let rows = [
        "! lines 2 to 4 are one record by their quotes, with 3 fields; the header has 2",
        "CCC [3]",
        "! line 4 opens a quote that isn't closed",
        "N [5]",
    ];
    assert_eq!(brief_of("a.csv", text), rows);
}

#[test]
fn a_quote_that_never_closes_gives_up_after_the_bound_and_reads_the_lines_again() {
    let line = "CCCCCCCCCC,1\n";
    let lines = 2 * LINE_BYTES_MAX / line.len();
    let text = format!("smiles,id\nCC,\"2\n{}N,2\n", line.repeat(lines));
    let shelf = Shelf::new();
    let path = shelf.put("a.csv", text);
    let rows = rows_of(&path, &ColumnChoice::default());
    assert_eq!(rows.len(), lines + 2);
    let fault = "line 2 opens a quote that isn't closed";
    assert_eq!(rows[0].fault.as_deref(), Some(fault));
    assert!(rows[1..].iter().all(|row| row.fault.is_none()));
    assert_eq!(rows.last().unwrap().text, "N");
}

#[test]
fn a_long_line_inside_an_open_quote_is_a_row_of_its_own() {
    let long = "C".repeat(LINE_BYTES_MAX + 5);
    let rows = brief_of("a.csv", format!("smiles,id\nC,\"1\nN,2\n{long}\nO,3\n"));
    assert_eq!(
        rows,
        [
            "! line 2 opens a quote that isn't closed",
            "N [2]",
            "! line 4 is 1048581 bytes long, at most 1048576 are read",
            "O [3]",
        ]
    );
}

#[test]
fn quotes_that_open_on_every_line_take_linear_time() {
    let text = format!("smiles,id\n{}", "\"a\",\"b\n".repeat(300_000));
    let start = std::time::Instant::now();
    let rows = brief_of("a.csv", text);
    assert_eq!(rows.len(), 300_000);
    assert!(rows.iter().all(|row| row.starts_with("! line")));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

const BLOCK: &str = "title 1\n  tool\n\n  1  0  0  0  0  0  0  0  0  0999 V2000\n    0.0000    0.0000    0.0000 C   0  0\nM  END\n";

fn sdf() -> String {
    let second = BLOCK.replace("title 1", "");
    format!(
        "{BLOCK}>  <Vendor_ID> (1)\nA-1\n\n> <SMI>\nCCO \nignored\n\n$$$$\n{second}> <Vendor_ID>\nA-2\n\n$$$$\n"
    )
}

#[test]
fn sd_records_become_mol_blocks_with_titles() {
    let shelf = Shelf::new();
    for text in [sdf(), sdf().replace('\n', "\r\n"), sdf() + "\n\n"] {
        let rows = rows_of(&shelf.put("a.sdf", &text), &ColumnChoice::default());
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].text, BLOCK);
        assert_eq!(rows[0].kind, TextKind::MolBlock);
        assert_eq!(rows[0].id.as_deref(), Some("title 1"));
        assert_eq!(rows[1].id, None, "an empty title is no id");
        assert_eq!(rows[1].fault, None);
    }
    // the last `$$$$` may be missing, and the content tells the format
    let cut = sdf().trim_end().trim_end_matches('$').to_owned();
    let rows = rows_of(&shelf.put("mols.txt", cut), &ColumnChoice::default());
    assert_eq!(rows.len(), 2);
}

#[test]
fn sd_tags_can_be_the_smiles_and_the_id() {
    let shelf = Shelf::new();
    let path = shelf.put("a.sdf", sdf());
    let rows = rows_of(&path, &choice(None, Some("vendor_id")));
    let ids: Vec<_> = rows.iter().map(|row| row.id.as_deref()).collect();
    assert_eq!(ids, [Some("A-1"), Some("A-2")]);

    let rows = rows_of(&path, &choice(Some("SMI"), Some("Vendor_ID")));
    let expected = ["CCO [A-1]", "! record at line 15 has no tag `SMI`"];
    assert_eq!(brief(&rows), expected);
    assert_eq!(rows[0].kind, TextKind::Smiles);

    let missing = Library::open(std::slice::from_ref(&path), &choice(None, Some("cas")));
    assert_eq!(
        missing.unwrap_err().to_string(),
        format!(
            "{}: has no column `cas`; its columns are SMI, Vendor_ID",
            path.display()
        )
    );
}

#[test]
fn broken_sd_records_are_faulted_rows() {
    let atom = "    0.0000    0.0000    0.0000 C   0  0\n";
    let large = BLOCK.replace(atom, &atom.repeat(SDF_RECORD_BYTES_MAX / atom.len() + 1));
    let no_end = BLOCK.replace("M  END\n", "");
    let text = format!("{no_end}$$$$\n{BLOCK}\n{BLOCK}$$$$\n{large}$$$$\n{BLOCK}$$$$\n");
    let shelf = Shelf::new();
    let rows = rows_of(&shelf.put("a.sdf", text), &ColumnChoice::default());
    let faults: Vec<_> = rows.iter().map(|row| row.fault.as_deref()).collect();
    assert_eq!(faults[0], Some("record at line 1 has no `M  END` line"));
    assert_eq!(
        faults[1],
        Some("record at line 7 has two mol blocks; `$$$$` is missing between them")
    );
    let large_fault = faults[2].unwrap();
    assert!(
        large_fault.contains("at most 1048576 are read"),
        "{large_fault}"
    );
    assert!(rows[2].text.len() <= TEXT_KEPT_BYTES_MAX);
    assert_eq!((rows.len(), faults[3]), (4, None));
}

#[test]
fn large_tags_do_not_matter() {
    let text = format!(
        "{BLOCK}> <blob>\n{}\n\n$$$$\n",
        "x".repeat(3 * LINE_BYTES_MAX)
    );
    let shelf = Shelf::new();
    let rows = rows_of(&shelf.put("a.sdf", text), &ColumnChoice::default());
    assert_eq!((rows.len(), rows[0].fault.as_deref()), (1, None));
}

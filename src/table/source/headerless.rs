//! Tables without a header: finds the SMILES column from the first rows.

use super::columns::ColumnChoice;
use super::delimited::Record;
use super::smiles_likeness::looks_like_smiles;

/// Maximum number of rows examined.
const ROWS_MAX: usize = 100;
/// At least this many tenths of them must look like SMILES.
const TENTHS_MIN: usize = 9;

/// Delimiters of a table without a header, likeliest first.
const DELIMITERS: [u8; 5] = [b'\t', b',', b';', b'|', b' '];

/// The complete lines of a table's head, without blank lines and comments.
pub(super) fn first_rows(head: &[u8], whole: bool) -> Vec<&[u8]> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let end = if whole {
        head.len()
    } else {
        // The text after the last line end may be an incomplete line.
        memchr::memrchr(b'\n', head).unwrap_or(0)
    };
    let lines = head[..end].split(|&byte| byte == b'\n');
    let rows = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    rows.filter(|line| !line.trim_ascii().is_empty() && line[0] != b'#')
        .take(ROWS_MAX)
        .collect()
}

/// The layout of a table without a header; column numbers count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headerless {
    pub delimiter: u8,
    pub fields: usize,
    pub smiles: usize,
}

/// The column that looks like SMILES in nine rows of ten, if all rows have the same number of fields. Of several such
/// columns the one with the longest text.
pub(super) fn find(rows: &[&[u8]], delimiter: u8) -> Option<Headerless> {
    let mut fields = Record::new(delimiter);
    let count = fields.split(rows.first()?)?.len();
    let mut seen = vec![(0usize, 0usize); count];
    for row in rows {
        let row = fields.split(row)?;
        if row.len() != count {
            return None;
        }
        for (column, text) in seen.iter_mut().zip(row) {
            if looks_like_smiles(text) {
                column.0 += 1;
                column.1 += text.len();
            }
        }
    }
    let likely =
        |&(_, (rows_like, _)): &(usize, &(usize, usize))| rows_like * 10 >= rows.len() * TENTHS_MIN;
    let (smiles, _) = (seen.iter().enumerate().filter(likely))
        .max_by_key(|&(i, &(_, bytes))| (bytes, std::cmp::Reverse(i)))?;
    Some(Headerless {
        delimiter,
        fields: count,
        smiles: smiles + 1,
    })
}

/// The layout of a SMILES file that is a table with the SMILES not in the first column, such as `CID<tab>SMILES`.
pub(super) fn find_behind_ids(rows: &[&[u8]]) -> Option<Headerless> {
    let first_like = rows.iter().filter(|row| {
        let line = row.trim_ascii_start();
        let end = line.iter().position(u8::is_ascii_whitespace);
        looks_like_smiles(&line[..end.unwrap_or(line.len())])
    });
    if first_like.count() * 10 >= rows.len() {
        return None;
    }
    DELIMITERS
        .into_iter()
        .find_map(|delimiter| find(rows, delimiter).filter(|found| found.fields > 1))
}

/// A delimiter that gives most rows at least `fields_min` fields, and the number of fields of the first row.
pub(super) fn delimiter_for(rows: &[&[u8]], fields_min: usize) -> Option<(u8, usize)> {
    DELIMITERS.into_iter().find_map(|delimiter| {
        let mut fields = Record::new(delimiter);
        let mut count = |row: &[u8]| fields.split(row).map_or(0, |row| row.len());
        let wide = rows.iter().filter(|row| count(row) >= fields_min).count();
        let first = rows.first().map_or(0, |row| count(row));
        (first >= fields_min && wide * 10 >= rows.len() * TENTHS_MIN).then_some((delimiter, first))
    })
}

/// Names for `fields` columns without names: their numbers.
pub(super) fn names(fields: usize) -> Vec<String> {
    (1..=fields).map(|column| column.to_string()).collect()
}

/// Completes the choice: without a chosen SMILES column the found one, without a chosen id column the first other
/// column.
pub(super) fn choice(chosen: &ColumnChoice, found: Option<usize>, fields: usize) -> ColumnChoice {
    let smiles = chosen
        .smiles
        .clone()
        .or_else(|| found.map(|column| column.to_string()));
    let other = (1..=fields).map(|column| column.to_string());
    let id = chosen.id.clone().or_else(|| {
        let mut other = other.filter(|column| Some(column) != smiles.as_ref());
        other.next()
    });
    ColumnChoice {
        smiles,
        id,
        ..chosen.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_column_of_smiles_is_found_whatever_the_delimiter() {
        for (delimiter, rows) in [
            (b'\t', vec!["702\tCCO", "2244\tCC(=O)O"]),
            (b' ', vec!["702 CCO", "2244 CC(=O)O"]),
            (b',', vec!["a-1,CCO,46", "b-2,CCN,45"]),
        ] {
            let rows: Vec<&[u8]> = rows.iter().map(|row| row.as_bytes()).collect();
            let found = find_behind_ids(&rows).unwrap();
            assert_eq!((found.delimiter, found.smiles), (delimiter, 2));
        }
        let usual: [&[u8]; 2] = [b"CCO 702", b"CCN 2244"];
        assert_eq!(find_behind_ids(&usual), None);
    }

    #[test]
    fn a_part_of_a_line_at_the_end_of_the_head_is_no_row() {
        assert_eq!(first_rows(b"CCO\r\n\n#x\nCC", false), [b"CCO"]);
        assert_eq!(first_rows(b"CCO\nCC", true), [&b"CCO"[..], b"CC"]);
    }
}

//! Tables without a header: which column has the SMILES, by what the first rows look like.

use super::columns::ColumnChoice;
use super::delimited::Fields;

/// Most rows that are looked at.
const ROWS_MAX: usize = 100;
/// Of these so many in ten must look like SMILES.
const TENTHS_MIN: usize = 9;

/// The rows of a table's head, cut at a line end: not blank, no comments.
pub(super) fn first_rows(head: &[u8], whole: bool) -> Vec<&[u8]> {
    let head = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    let end = if whole {
        head.len()
    } else {
        // What follows the last line end may be a part of a line.
        memchr::memrchr(b'\n', head).unwrap_or(0)
    };
    let lines = head[..end].split(|&byte| byte == b'\n');
    let rows = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    rows.filter(|line| !line.trim_ascii().is_empty() && line[0] != b'#')
        .take(ROWS_MAX)
        .collect()
}

/// Where the columns of a table without header are, by their numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Headerless {
    pub delimiter: u8,
    pub fields: usize,
    pub smiles: usize,
}

/// The column that looks like SMILES in nine rows of ten, where all rows have as many fields; of
/// several the one with the longest text.
pub(super) fn find(rows: &[&[u8]], delimiter: u8) -> Option<Headerless> {
    let mut fields = Fields::new(delimiter);
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

/// The table that a SMILES file turns out to be whose SMILES do not come first, as
/// `CID<tab>SMILES`.
pub(super) fn find_behind_ids(rows: &[&[u8]]) -> Option<Headerless> {
    let first_like = rows.iter().filter(|row| {
        let line = row.trim_ascii_start();
        let end = line.iter().position(u8::is_ascii_whitespace);
        looks_like_smiles(&line[..end.unwrap_or(line.len())])
    });
    if first_like.count() * 10 >= rows.len() {
        return None;
    }
    let found = [b'\t', b',', b';', b'|', b' '];
    found
        .into_iter()
        .find_map(|delimiter| find(rows, delimiter).filter(|found| found.fields > 1))
}

/// The delimiter under which most rows have `fields_min` fields, and how many fields the first has.
pub(super) fn delimiter_for(rows: &[&[u8]], fields_min: usize) -> Option<(u8, usize)> {
    [b'\t', b',', b';', b'|', b' ']
        .into_iter()
        .find_map(|delimiter| {
            let mut fields = Fields::new(delimiter);
            let mut count = |row: &[u8]| fields.split(row).map_or(0, |row| row.len());
            let wide = rows.iter().filter(|row| count(row) >= fields_min).count();
            let first = rows.first().map_or(0, |row| count(row));
            (first >= fields_min && wide * 10 >= rows.len() * TENTHS_MIN)
                .then_some((delimiter, first))
        })
}

/// The names of `fields` columns without names: their numbers.
pub(super) fn names(fields: usize) -> Vec<String> {
    (1..=fields).map(|column| column.to_string()).collect()
}

/// What was chosen, and for what was not: the SMILES where they were found, the id in the first
/// other column.
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

/// Whether `text` could be a SMILES by its letters, brackets and ring closures. Chemistry is not
/// looked at.
pub(super) fn looks_like_smiles(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let end = text.iter().position(u8::is_ascii_whitespace);
    let (smiles, rest) = text.split_at(end.unwrap_or(text.len()));
    (rest.is_empty() || rest.trim_ascii_start().starts_with(b"|")) && Likeness::default().of(smiles)
}

/// What is open in a text that may be a SMILES.
#[derive(Default)]
struct Likeness {
    branches: usize,
    /// Ring closures with an end only, a bit for each number.
    rings: u128,
    /// An atom, a branch or a ring closure stands before, which a ring closure may follow.
    bound: bool,
    /// There is an aromatic atom outside brackets, which is in a ring.
    aromatic: bool,
    any_ring: bool,
    /// A bond or a dot stands before, which an atom or (after a bond) a closure must follow.
    open: bool,
}

impl Likeness {
    fn of(mut self, mut text: &[u8]) -> bool {
        while let Some(&byte) = text.first() {
            let Some(taken) = self.take(byte, text) else {
                return false;
            };
            text = &text[taken..];
        }
        let ended = self.bound && !self.open && self.branches == 0 && self.rings == 0;
        ended && (self.any_ring || !self.aromatic)
    }

    /// Bytes of what stands next; `None` where no SMILES goes on like this.
    fn take(&mut self, byte: u8, text: &[u8]) -> Option<usize> {
        let next = text.get(1).copied();
        match (byte, next) {
            (b'C', Some(b'l')) | (b'B', Some(b'r')) => self.atom(2),
            (b'B' | b'C' | b'N' | b'O' | b'P' | b'S' | b'F' | b'I' | b'*', _) => self.atom(1),
            (b'b' | b'c' | b'n' | b'o' | b'p' | b's', _) => {
                self.aromatic = true;
                self.atom(1)
            }
            (b'[', _) => {
                let length = memchr::memchr(b']', text)?;
                (length > 1).then(|| self.atom(length + 1)).flatten()
            }
            (b'(', _) => {
                self.branches += 1;
                (self.bound && !self.open).then_some(1)
            }
            (b')', _) => {
                self.branches = self.branches.checked_sub(1)?;
                (self.bound && !self.open).then_some(1)
            }
            (b'0'..=b'9', _) => self.ring(byte - b'0', 1),
            (b'%', _) => match text.get(1..3)? {
                [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
                    self.ring((tens - b'0') * 10 + ones - b'0', 3)
                }
                _ => None,
            },
            (b'.', _) => {
                let allowed = self.bound && !self.open;
                (self.bound, self.open) = (false, true);
                allowed.then_some(1)
            }
            (b'-' | b'=' | b'#' | b'$' | b':' | b'/' | b'\\' | b'~' | b'<' | b'>', _) => {
                self.open = true;
                // `->` and `<-` are dative bonds; `>>` is a reaction.
                (self.bound && !text.starts_with(b">>")).then_some(1)
            }
            _ => None,
        }
    }

    fn atom(&mut self, bytes: usize) -> Option<usize> {
        (self.bound, self.open) = (true, false);
        Some(bytes)
    }

    fn ring(&mut self, number: u8, bytes: usize) -> Option<usize> {
        self.rings ^= 1 << number;
        self.any_ring = true;
        self.open = false;
        self.bound.then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smiles_look_like_smiles_and_ids_do_not() {
        let smiles = [
            "C",
            "CCO",
            "c1ccccc1",
            "C[C@H](N)O",
            "[Na+].[Cl-]",
            "CC(=O)Oc1ccccc1C(=O)O",
            "F/C=C/F",
            "C%12CCCC%12",
            "CC |^1:0|",
            "N->[Cu]",
            "*c1ccncc1",
            "ClCBr",
        ];
        for text in smiles {
            assert!(looks_like_smiles(text.as_bytes()), "{text}");
        }
        let others = [
            "",
            "702",
            "CHEMBL25",
            "ZINC0001",
            "CNP1.1",
            "C1",
            "ethanol",
            "CC(",
            "46.07",
            "C)",
            "CC foo",
            "b",
            "no",
            "CCO>>CCN",
            "smiles",
            "structure",
            "InChI=1S/C2H6O",
            "C-",
            "=C",
            "Z1",
            "[]",
        ];
        for text in others {
            assert!(!looks_like_smiles(text.as_bytes()), "{text}");
        }
    }

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

//! Kernels with one instruction changed, to check that the comparison detects the change.

use std::collections::BTreeSet;

use crate::kit::draw::Draw;

/// A text that differs from the committed one in a line.
pub struct Mutant {
    pub line: u32,
    pub from: String,
    pub to: String,
}

/// Beginnings of instructions and their replacements.
const SWAPS: &[(&str, &str)] = &[
    ("add.s", "sub.s"),
    ("sub.s", "add.s"),
    ("and.b", "or.b"),
    ("or.b", "and.b"),
    ("xor.b", "or.b"),
    ("and.pred", "or.pred"),
    ("or.pred", "and.pred"),
    ("xor.pred", "or.pred"),
    ("shl.b32", "shr.u32"),
    ("shr.u32", "shl.b32"),
    ("shl.b64", "shr.u64"),
    ("shr.u64", "shl.b64"),
    ("shf.l", "shf.r"),
    ("shf.r", "shf.l"),
    ("mul.hi.u64", "mul.lo.u64"),
    ("mul.lo.s64", "mul.hi.u64"),
    ("mul.lo.s32", "mul.hi.u32"),
    ("min.u", "max.u"),
    ("max.u", "min.u"),
    ("popc.b32", "clz.b32"),
    ("bfind.shiftamt", "bfind"),
    ("brev.b32", "not.b32"),
    ("not.b", "cnot.b"),
    ("cvt.s32.s8", "cvt.u32.u8"),
    ("ld.local.s8", "ld.local.u8"),
    ("setp.eq", "setp.ne"),
    ("setp.ne", "setp.eq"),
    ("setp.lt", "setp.le"),
    ("setp.le", "setp.lt"),
    ("setp.gt", "setp.ge"),
    ("setp.ge", "setp.gt"),
    ("atom.global.min", "atom.global.max"),
    ("atom.global.or", "atom.global.xor"),
    ("atom.global.add.u32", "atom.global.max.u32"),
    ("atom.shared.add.u32", "atom.shared.max.u32"),
    ("@%p", "@!%p"),
];

/// Instructions that may be removed: they write no register that is read later.
const DROPPED: &[&str] = &["st.local", "st.shared", "st.global", "bar.sync"];

/// All changes that this module can make to an instruction.
fn changes(line: &str) -> Vec<String> {
    let (space, instruction) = line.split_at(line.len() - line.trim_start().len());
    let mut changed = Vec::new();
    for (from, to) in SWAPS {
        if let Some(rest) = instruction.strip_prefix(from) {
            changed.push(format!("{space}{to}{rest}"));
        }
    }
    if DROPPED.iter().any(|start| instruction.starts_with(start)) {
        changed.push(format!("{space}// left out"));
    }
    // The last operand, if it is a number, is one more.
    if let Some((front, last)) = instruction.rsplit_once(", ") {
        let number = last
            .strip_suffix(';')
            .and_then(|last| last.parse::<i64>().ok());
        if let Some(number) = number {
            changed.push(format!("{space}{front}, {};", number ^ 1));
        }
    }
    // Those of a selection change places.
    if instruction.starts_with("selp") {
        let words: Vec<&str> = instruction.split(", ").collect();
        if let [d, a, b, p] = words[..] {
            changed.push(format!("{space}{d}, {b}, {a}, {p}"));
        }
    }
    changed
}

/// The lines of a kernel.
pub fn lines_of(text: &str, kernel: &str) -> BTreeSet<u32> {
    let entry = format!(".entry {kernel}(");
    let numbered = text.lines().zip(1..);
    let behind = numbered.skip_while(|(line, _)| !line.contains(&entry));
    let lines = behind.take_while(|(line, _)| *line != "}");
    lines.map(|(_, number)| number).collect()
}

/// Changes of `count` of the lines, drawn evenly.
pub fn drawn(text: &str, lines: &BTreeSet<u32>, count: usize, seed: u64) -> Vec<Mutant> {
    let texts: Vec<&str> = text.lines().collect();
    let able = lines.iter().map(|&line| (line, texts[line as usize - 1]));
    let able: Vec<_> = able.filter(|(_, text)| !changes(text).is_empty()).collect();
    let count = count.min(able.len());
    let mut draw = Draw(seed);
    let mut in_part = |part: usize| {
        let first = part * able.len() / count;
        able[first + draw.below(able.len() / count)]
    };
    let chosen: Vec<_> = (0..count).map(&mut in_part).collect();
    let mutant = |(line, from): (u32, &str)| {
        let mut changes = changes(from);
        let to = changes.swap_remove(draw.below(changes.len()));
        let from = from.to_owned();
        Mutant { line, from, to }
    };
    chosen.into_iter().map(mutant).collect()
}

/// The first line behind `place` in which something stands, with something else in its place.
pub fn named(text: &str, place: &str, from: &str, to: &str) -> Mutant {
    let numbered = text.lines().enumerate();
    let mut behind = numbered.skip_while(|(_, line)| !line.contains(place));
    let found = behind.find(|(_, line)| line.contains(from));
    let (at, line) = found.unwrap_or_else(|| panic!("no {from:?} behind {place}; take another"));
    Mutant {
        line: at as u32 + 1,
        from: line.into(),
        to: line.replacen(from, to, 1),
    }
}

/// One mutant for each instruction with this beginning.
pub fn everywhere(text: &str, from: &str, to: &str) -> Vec<Mutant> {
    let numbered = text.lines().zip(1..);
    let found = numbered.filter(|(line, _)| line.trim_start().starts_with(from));
    let mutant = |(line, number): (&str, u32)| Mutant {
        line: number,
        from: line.into(),
        to: line.replacen(from, to, 1),
    };
    found.map(mutant).collect()
}

/// By table of bytes in constant memory: the table with all bits of one byte turned, at one of so many places.
pub fn of_tables(text: &str, places: usize) -> Vec<Vec<Mutant>> {
    let numbered = text.lines().zip(1..);
    let tables = numbered.filter(|(line, _)| line.starts_with(".const") && line.contains('{'));
    let mutants = |(from, line): (&str, u32)| -> Option<Vec<Mutant>> {
        let (front, list) = from.split_once('{')?;
        let list = list.strip_suffix("};")?;
        let numbers: Vec<&str> = list.split(", ").collect();
        let changed = |place: usize| {
            let mut numbers: Vec<String> = numbers.iter().map(|&number| number.into()).collect();
            numbers[place] = (numbers[place].parse::<u8>().ok()? ^ 0xff).to_string();
            let to = format!("{front}{{{}}};", numbers.join(", "));
            let from = format!("place {place} of {front}");
            Some(Mutant { line, from, to })
        };
        let step = numbers.len().div_ceil(places);
        (0..numbers.len()).step_by(step).map(changed).collect()
    };
    tables
        .map(|table| mutants(table).unwrap_or_else(|| panic!("line {} is no table", table.1)))
        .collect()
}

impl Mutant {
    /// The whole text.
    pub fn apply(&self, text: &str) -> String {
        let lines = text.lines().zip(1..);
        let lines = lines.map(|(line, number)| if number == self.line { &self.to } else { line });
        lines.flat_map(|line| [line, "\n"]).collect()
    }
}

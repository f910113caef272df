//! Compares output with the output shown, in which `…` stands for what varies.

const WILDCARD: &str = "…";

/// Whether the lines seen are the lines shown.
pub fn lines(shown: &[String], seen: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return seen.is_empty();
    };
    if first == WILDCARD {
        return (0..=seen.len()).any(|skipped| lines(rest, &seen[skipped..]));
    }
    seen.split_first()
        .is_some_and(|(line, others)| self::line(first, line) && lines(rest, others))
}

/// Whether a line seen is the line shown. A `…` stands for one character or more. Runs of blanks are one blank, because
/// the width of a column may depend on what varies.
pub fn line(shown: &str, seen: &str) -> bool {
    let [shown, seen] =
        [shown, seen].map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    matches(&shown, &seen)
}

fn matches(shown: &str, seen: &str) -> bool {
    let Some((before, after)) = shown.split_once(WILDCARD) else {
        return shown == seen;
    };
    let Some(rest) = seen.strip_prefix(before) else {
        return false;
    };
    let starts = rest
        .char_indices()
        .skip(1)
        .map(|(at, _)| at)
        .chain([rest.len()]);
    !rest.is_empty() && starts.into_iter().any(|at| matches(after, &rest[at..]))
}

/// The lines to show: those shown if they match, else those seen. Of these, a line that matches a line shown stays as
/// that is shown, and in the others `…` stands for what differs in a second run.
pub fn keep_wildcards(shown: &[String], seen: &[String], again: &[String]) -> Vec<String> {
    if lines(shown, seen) && lines(shown, again) {
        return shown.to_vec();
    }
    let mut from = 0;
    let (mut kept, mut skipped) = (Vec::new(), None);
    for (number, seen) in seen.iter().enumerate() {
        let found = shown[from..]
            .iter()
            .position(|shown| shown != WILDCARD && line(shown, seen));
        let Some(found) = found.map(|found| from + found) else {
            let again = again.get(number).map_or("", String::as_str);
            if skipped.is_none() && shown.get(from).is_some_and(|line| line == WILDCARD) {
                skipped = Some(kept.len());
            }
            kept.push(generalise(seen, again));
            continue;
        };
        // A `…` between two lines that match still stands for the lines between them.
        if let Some(first) = skipped.take()
            && found == from + 1
        {
            kept.truncate(first);
            kept.push(WILDCARD.to_owned());
        }
        kept.push(shown[found].clone());
        from = found + 1;
    }
    kept
}

/// The line with `…` in the place of words that differ in a second run, and of times, rates and peak memory.
fn generalise(seen: &str, again: &str) -> String {
    let of = |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
    let (words, others) = (of(seen), of(again));
    let mut rest = seen;
    let mut general = String::new();
    for (index, word) in words.iter().enumerate() {
        let at = rest.find(word.as_str()).unwrap_or(0);
        general += &rest[..at];
        rest = &rest[at + word.len()..];
        let differs = words.len() == others.len() && words[index] != others[index];
        let figure =
            word.contains(|c: char| c.is_ascii_digit()) && is_measured(&words[index + 1..]);
        match differs || figure {
            true => {
                let is_number = |c: char| c.is_ascii_digit();
                let first = word.find(is_number).unwrap_or(0);
                let last = word.rfind(is_number).map_or(word.len(), |last| last + 1);
                general += &format!("{}{WILDCARD}{}", &word[..first], &word[last..]);
            }
            false => general += word,
        }
    }
    general
}

/// Whether a figure before these words is a time, a rate or a peak memory.
fn is_measured(next: &[String]) -> bool {
    let unit = next.first().map_or("", String::as_str);
    let unit = unit.trim_end_matches([')', ',', ';']);
    ["s", "products/s", "rows/s", "molecules/s"].contains(&unit)
        || unit == "MiB" && next.get(1).is_some_and(|word| word == "at")
}

#[test]
fn wildcards_stand_for_what_varies_and_for_nothing_else() {
    let text =
        |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| (*line).to_owned()).collect() };
    assert!(line("in … s (… products/s)", "in 0.1 s (208 products/s)"));
    assert!(!line(
        "in … s (… products/s)",
        "in 0.1 s (208 products/s) more"
    ));
    assert!(!line("in … s", "in s"));
    assert!(line("ID  USER    STATE", "ID  USER  STATE"));
    assert!(lines(&text(&["a", "…", "c"]), &text(&["a", "b", "b", "c"])));
    assert!(lines(&text(&["a", "…", "c"]), &text(&["a", "c"])));
    assert!(!lines(&text(&["a", "…", "c"]), &text(&["a", "b"])));
    assert!(!lines(&text(&["a"]), &text(&["a", "b"])));
    let seen = text(&[
        "took 1 s",
        "new in 0.1 s (25 rows/s)",
        "  at    3 MiB at most",
    ]);
    let again = text(&[
        "took 2 s",
        "new in 0.1 s (31 rows/s)",
        "  at    3 MiB at most",
    ]);
    let kept = keep_wildcards(&text(&["took … s", "old"]), &seen, &again);
    assert_eq!(
        kept,
        ["took … s", "new in … s (… rows/s)", "  at    … MiB at most"]
    );
    let shown = text(&["…", "end", "old"]);
    let kept = keep_wildcards(&shown, &text(&["x", "y", "end", "new"]), &[]);
    assert_eq!(kept, ["…", "end", "new"]);
}

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

/// The lines seen, but each that matches a line shown as that is shown. Lines that all match stay as they are shown.
pub fn keep_wildcards(shown: &[String], seen: &[String]) -> Vec<String> {
    if lines(shown, seen) {
        return shown.to_vec();
    }
    let mut from = 0;
    let kept = seen.iter().map(|seen| {
        let found = shown[from..]
            .iter()
            .position(|shown| shown != WILDCARD && line(shown, seen));
        match found {
            Some(found) => {
                from += found + 1;
                shown[from - 1].clone()
            }
            None => seen.clone(),
        }
    });
    kept.collect()
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
    let kept = keep_wildcards(&text(&["took … s", "old"]), &text(&["took 1 s", "new"]));
    assert_eq!(kept, ["took … s", "new"]);
}

//! PTX text as words.

/// Whether a byte may be part of a name, a number or a directive.
pub fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_$%.".contains(&byte)
}

/// Words, strings and single marks, each with its line.
pub fn tokens(text: &str) -> Result<Vec<(u32, &str)>, String> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let begin = at;
        let rest = &bytes[at..];
        match bytes[at] {
            b'\n' => {
                line += 1;
                at += 1;
                continue;
            }
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'/' if rest.starts_with(b"//") => {
                at += rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
                continue;
            }
            b'"' => {
                let end = rest[1..].iter().position(|&b| b == b'"' || b == b'\n');
                match end {
                    Some(end) if rest[1 + end] == b'"' => at += end + 2,
                    _ => return Err(format!("line {line}: a string without an end")),
                }
            }
            byte if is_word(byte) => {
                // `L1::no_allocate` is one word; `label:` is a word and a mark.
                while at < bytes.len() && (is_word(bytes[at]) || bytes[at..].starts_with(b"::")) {
                    at += if bytes[at] == b':' { 2 } else { 1 };
                }
            }
            byte if b"{}()[]<>,;:@!|+-=".contains(&byte) => at += 1,
            byte => return Err(format!("line {line}: unexpected {:?}", byte as char)),
        }
        tokens.push((line, &text[begin..at]));
    }
    Ok(tokens)
}

//! Text in HTML.

/// Escapes text for HTML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_does_not_become_markup() {
        assert_eq!(
            escaped("a>>b & <\"c\">"),
            "a&gt;&gt;b &amp; &lt;&quot;c&quot;&gt;"
        );
    }
}

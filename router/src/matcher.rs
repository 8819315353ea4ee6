//! ALB's wildcards: `*` is any run of bytes, none included and dots and slashes too; `?` is exactly one.
//!
//! Two positions and the last star, no recursion: a hostile text costs at most its length times the pattern's. Hosts and
//! paths are ASCII once [`crate::address`] has let them through, so a byte is a character.

/// Whether the pattern matches the whole text. Letters are compared as they are; hosts are lower-cased before.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Behind the last star, and up to where in the text that star reaches.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                star = Some((p, t));
            }
            Some(byte) if *byte == b'?' || *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                // Earlier stars need not move: the last one can take whatever they could.
                let Some((behind, reach)) = star else { return false };
                star = Some((behind, reach + 1));
                (p, t) = (behind, reach + 1);
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// Whether the pattern matches one text only.
pub(crate) fn is_exact(pattern: &str) -> bool {
    !pattern.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the wildcards mean, as a plain recursion.
    fn means(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => means(rest, text),
            (Some((b'*', rest)), Some((_, later))) => means(rest, text) || means(pattern, later),
            (Some((b'?', rest)), Some((_, later))) => means(rest, later),
            (Some((a, rest)), Some((b, later))) => a == b && means(rest, later),
            (Some(_), None) | (None, Some(_)) => false,
        }
    }

    #[test]
    fn the_examples_of_albs_documentation_match_as_it_says() {
        for (pattern, text, expected) in [
            ("example.com", "example.com", true),
            ("test.example.com", "example.com", false),
            ("*.example.com", "test.example.com", true),
            ("*.example.com", "a.b.example.com", true),
            ("*.example.com", "example.com", false),
            ("/img/*", "/img/picture.jpg", true),
            ("/img/*", "/img/", true),
            ("/img/*", "/img", false),
            ("/img/*/pics", "/img/a/b/pics", true),
            ("/img/*/pics", "/img/pics", false),
            ("/img*", "/imgages", true),
            ("/IMG/*", "/img/picture.jpg", false),
            ("/a?c", "/abc", true),
            ("/a?c", "/ac", false),
            ("/a?c", "/a/c", true),
            ("*", "", true),
            ("?", "", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_star_in_the_text_is_an_ordinary_byte() {
        assert!(matches("/*b", "/*ab") && matches("/a", "/a") && !matches("/a", "/*"));
    }

    #[test]
    fn a_pattern_of_stars_costs_no_more_than_length_times_length() {
        let (pattern, text) = ("*a".repeat(2_000) + "b", "a".repeat(20_000));
        assert!(!matches(&pattern, &text));
    }

    proptest! {
        #[test]
        fn two_positions_say_what_the_definition_says(
            pattern in "[ab*?./]{0,9}",
            text in "[ab*./]{0,9}",
        ) {
            prop_assert_eq!(
                matches(&pattern, &text),
                means(pattern.as_bytes(), text.as_bytes()),
            );
        }
    }
}

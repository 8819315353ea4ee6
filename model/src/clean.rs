//! What strangers say of themselves, as it may be kept, logged and shown.

/// A text without letters that drive a terminal or make a line look like another one, and of at most so many bytes. JSON takes six for each control character, which is one more reason to have none.
pub fn clean_text(said: &str, most: usize) -> String {
    let said = &said[..said.floor_char_boundary(most)];
    said.replace(is_misleading, "\u{fffd}")
}

/// Control characters, and those that nobody sees or that turn the direction of what follows (Unicode Standard Annex 9).
fn is_misleading(letter: char) -> bool {
    let is_hidden = matches!(
        letter,
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    );
    is_hidden || (letter.is_control() && letter != '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_letters_and_drives_no_terminal() {
        assert_eq!(clean_text("Größe\t1", 4), "Gr\u{f6}");
        assert_eq!(clean_text("a\u{1b}[2J\n\u{202e}b", 99), "a\u{fffd}[2J\u{fffd}\u{fffd}b");
    }
}

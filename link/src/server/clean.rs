//! What peers say of themselves, as it may be kept, logged and shown: bounded, and without letters that drive a terminal or
//! make a line look like another one.

use crate::message::{Hello, HostReport};

/// Bytes of a name at most, as of a host's name (RFC 1035 section 2.3.4).
const NAME_BYTES: usize = 255;
/// Bytes of a version at most.
const VERSION_BYTES: usize = 128;
/// Bytes of a sentence, or of a line of a log, at most.
pub(super) const LINE_BYTES: usize = 1024;

/// A greeting as it may be used from here on.
pub(super) fn hello(said: Hello) -> Hello {
    let Hello { name, version, host } = said;
    Hello {
        name: text(&name, NAME_BYTES),
        version: text(&version, VERSION_BYTES),
        host: host.map(|host| HostReport {
            docker_version: text(&host.docker_version, VERSION_BYTES),
            divides_limits: host.divides_limits.as_deref().map(|why| text(why, LINE_BYTES)),
            ..host
        }),
    }
}

/// At most so many bytes. JSON takes six for each control character, which is one more reason to have none.
pub(super) fn text(said: &str, most: usize) -> String {
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
    fn a_name_is_bounded_and_drives_no_terminal() {
        let said = Hello {
            name: format!("evil\u{1b}[2J\n\u{202e}root{}", "n".repeat(1_000)),
            version: "1\r2".to_owned(),
            host: None,
        };
        let kept = hello(said);
        assert!(kept.name.starts_with("evil\u{fffd}[2J\u{fffd}\u{fffd}root"), "{}", kept.name);
        assert!(kept.name.len() <= NAME_BYTES + 3 * "\u{fffd}".len());
        assert_eq!(kept.version, "1\u{fffd}2");
        assert_eq!(text("Größe\t1", 4), "Gr\u{f6}", "cut between letters");
    }
}

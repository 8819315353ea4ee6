//! What peers say of themselves, as it may be kept, logged and shown: bounded, and without letters that drive a terminal or
//! make a line look like another one.

use model::clean_text;

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
        name: clean_text(&name, NAME_BYTES),
        version: clean_text(&version, VERSION_BYTES),
        host: host.map(|host| HostReport {
            docker_version: clean_text(&host.docker_version, VERSION_BYTES),
            divides_limits: host.divides_limits.as_deref().map(|why| clean_text(why, LINE_BYTES)),
            ..host
        }),
    }
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
    }
}

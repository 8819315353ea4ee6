//! Values as short text for tables.

use std::fmt::Display;

use model::{Digest, ImageReference, Reference, Timestamp};
use serde::Serialize;

/// A value; `-` where there is none.
pub(crate) fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| text(&value.to_string()))
}

/// A text; `-` where it is empty.
pub(crate) fn text(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// Values in a row; `-` where there are none.
pub(crate) fn list(values: impl IntoIterator<Item = impl Display>) -> String {
    let values: Vec<String> = values.into_iter().map(|value| value.to_string()).collect();
    text(&values.join(", "))
}

/// A value out of a closed set, in its one spelling: that of the API.
pub(crate) fn word(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default().trim_matches('"').to_owned()
}

/// A time to the second; the API's has fractions of one.
pub(crate) fn time(at: Timestamp) -> String {
    let text = at.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

/// `1 task`, `2 tasks`.
pub(crate) fn count(number: impl Into<u64>, noun: &str) -> String {
    let number: u64 = number.into();
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `sha256:0123456789ab`, long enough to tell digests apart.
pub(crate) fn short_digest(digest: &Digest) -> String {
    format!("{}:{}", digest.algorithm(), digest.short())
}

/// `repository@sha256:0123456789ab`, or `repository:tag`.
pub(crate) fn short_image(image: &ImageReference) -> String {
    match &image.reference {
        Reference::Digest(digest) => format!("{}@{}", image.repository, short_digest(digest)),
        Reference::Tag(_) => image.to_string(),
    }
}

/// `repository:tag@0123456789ab`: what was asked for, and what that was.
pub(crate) fn pinned(image: &ImageReference, digest: &Digest) -> String {
    match &image.reference {
        Reference::Tag(_) => format!("{image}@{}", digest.short()),
        Reference::Digest(_) => short_image(image),
    }
}

/// Bytes as people read them.
pub(crate) fn size(bytes: u64) -> String {
    let mut amount = bytes;
    let mut tenths = 0;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if amount < 1024 {
            return if unit == "B" {
                format!("{amount} B")
            } else {
                format!("{amount}.{tenths} {unit}")
            };
        }
        tenths = amount % 1024 * 10 / 1024;
        amount /= 1024;
    }
    format!("{amount}.{tenths} TiB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let sizes = [0, 1023, 1024, 1536, 31 << 20, 5 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "31.0 MiB", "5.0 TiB"]);
    }

    #[test]
    fn times_are_shown_to_the_second() {
        assert_eq!(time(Timestamp::from_millis(1_795_421_734_120)), "2026-11-23T08:15:34Z");
        assert_eq!(or_dash(None::<Timestamp>.map(time)), "-");
    }

    #[test]
    fn a_closed_set_is_shown_as_the_api_spells_it() {
        assert_eq!(word(&model::RolloutState::InProgress), "IN_PROGRESS");
        assert_eq!(word(&model::StopCode::UserInitiated), "UserInitiated");
    }

    #[test]
    fn nothing_is_a_dash() {
        assert_eq!((text(""), list([0; 0]), list([1, 2])), ("-".into(), "-".into(), "1, 2".into()));
    }
}

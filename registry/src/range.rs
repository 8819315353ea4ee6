//! Which bytes are meant: `Range` of a download (RFC 9110 section 14.2) and `Content-Range` of a chunk, which the
//! distribution spec writes as `0-99`, both ends included.

/// What a `Range` header asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranged {
    /// Everything: no header, several ranges, or one that cannot be understood.
    Whole,
    /// From the first to the last of these bytes.
    Part { first: u64, last: u64 },
    /// None of its bytes exist.
    Unsatisfiable,
}

/// What `header` asks for of `length` bytes.
pub(crate) fn of(header: Option<&str>, length: u64) -> Ranged {
    let Some((start, end)) = header
        .and_then(|text| text.trim().strip_prefix("bytes="))
        .filter(|set| !set.contains(','))
        .and_then(|set| set.trim().split_once('-'))
    else {
        return Ranged::Whole;
    };
    match (start, number(start), end, number(end)) {
        ("", _, _, Some(suffix)) => part(length.saturating_sub(suffix), length),
        (_, Some(first), "", _) => part(first, length),
        (_, Some(first), _, Some(last)) if first <= last => {
            part(first, length.min(last.saturating_add(1)))
        }
        (_, Some(_), _, Some(_)) => Ranged::Unsatisfiable,
        _ => Ranged::Whole,
    }
}

fn part(first: u64, end: u64) -> Ranged {
    if first < end { Ranged::Part { first, last: end - 1 } } else { Ranged::Unsatisfiable }
}

/// A number that is too large for the type counts as its maximum.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// A chunk's position in its upload: its first byte and its length. None where it is not in the spec's form.
pub(crate) fn of_chunk(header: &str) -> Option<(u64, u64)> {
    let range = header.trim();
    let range = range.strip_suffix("/*").unwrap_or(range);
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let length = last.checked_sub(first)?.checked_add(1)?;
    Some((first, length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_the_part_that_is_there() {
        let part = |first, last| Ranged::Part { first, last };
        let check = |header: &str, length, expect| {
            assert_eq!(of(Some(header), length), expect, "{header} of {length}");
        };
        check("bytes=500-1499", 2_000, part(500, 1_499));
        check("bytes=500-", 2_000, part(500, 1_999));
        check("bytes=-500", 2_000, part(1_500, 1_999));
        check("bytes=-5000", 2_000, part(0, 1_999));
        check("bytes=500-9999", 2_000, part(500, 1_999));
        check("bytes=500-99999999999999999999", 2_000, part(500, 1_999));
        check("bytes=2000-", 2_000, Ranged::Unsatisfiable);
        check("bytes=500-0", 2_000, Ranged::Unsatisfiable);
        check("bytes=-0", 2_000, Ranged::Unsatisfiable);
        check("bytes=0-", 0, Ranged::Unsatisfiable);
        check("bytes=0-1,5-6", 2_000, Ranged::Whole);
        for odd in ["", "bytes=", "bytes=-", "bytes=a-b", "bytes=1", "lines=0-1", "bytes=+1-2"] {
            check(odd, 2_000, Ranged::Whole);
        }
        assert_eq!(of(None, 1), Ranged::Whole);
    }

    #[test]
    fn a_chunk_is_written_without_a_unit() {
        assert_eq!(of_chunk("0-99"), Some((0, 100)));
        assert_eq!(of_chunk("100-100/*"), Some((100, 1)));
        for bad in
            ["", "-", "5", "bytes 0-99", "99-0", "-5-6", "0--1", "0-99999999999999999999", "a-b"]
        {
            assert_eq!(of_chunk(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_blob(header in "bytes=[0-9]{0,21}-[0-9]{0,21}", length: u64) {
            if let Ranged::Part { first, last } = of(Some(&header), length) {
                prop_assert!(first <= last && last < length);
            }
        }

        #[test]
        fn no_text_panics_the_parsers(header in ".{0,40}|[0-9,=*/ -]{0,40}", length: u64) {
            of(Some(&header), length);
            of_chunk(&header);
        }
    }
}

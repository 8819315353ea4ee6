//! The chunked coding (RFC 9112 section 7.1), passed on as it came: only its end is looked for.

/// Bytes of a line at most: of a chunk's size with its extensions, or of a trailer.
const LONGEST_LINE: usize = 4 * 1024;
/// Trailers at most.
const MOST_TRAILERS: u32 = 100;
/// Digits of a chunk's size at most: more would not fit in 64 bits.
const MOST_DIGITS: u32 = 15;

/// What breaks the coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// A size that is empty, too long, or holds something else than hexadecimal digits.
    #[error("the size of a chunk is no hexadecimal number")]
    Size,
    /// A line that ends otherwise than in CR LF, or holds a control character.
    #[error("a line of the chunked coding does not end in CR LF or holds a control character")]
    Line,
    /// A line that is too long, or too many of them.
    #[error("a line of the chunked coding is too long, or there are too many")]
    TooLong,
    /// Bytes behind a chunk that do not end it.
    #[error("a chunk is longer than its size")]
    Overrun,
    /// A trailer without a name.
    #[error("a trailer has no name, or one with a space")]
    Trailer,
}

/// How far a chunked body has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chunks {
    place: Place,
    /// Bytes of the line in progress.
    line: usize,
    trailers: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Size {
        size: u64,
        digits: u32,
    },
    /// White space behind the size, which some programs pad it with.
    Padding {
        size: u64,
    },
    /// Behind a semicolon, up to the CR.
    Extension {
        size: u64,
    },
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    DataCr,
    DataEnd,
    /// At the beginning of a line behind the last chunk.
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerEnd,
    LastEnd,
    Done,
}

impl Default for Place {
    fn default() -> Self {
        Self::Size { size: 0, digits: 0 }
    }
}

impl Chunks {
    /// Whether the body has ended.
    pub const fn is_done(&self) -> bool {
        matches!(self.place, Place::Done)
    }

    /// How many of these bytes, which follow those of before, belong to the body. Fewer than all only at its end.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, ChunkError> {
        let mut at = 0;
        while at < bytes.len() && !self.is_done() {
            if let Place::Data { left } = self.place {
                let rest = u64::try_from(bytes.len() - at).unwrap_or(u64::MAX);
                let taken = left.min(rest);
                at += usize::try_from(taken).unwrap_or(usize::MAX);
                self.place =
                    if taken == left { Place::DataCr } else { Place::Data { left: left - taken } };
                continue;
            }
            self.place = self.next(bytes[at])?;
            at += 1;
        }
        Ok(at)
    }

    fn next(&mut self, byte: u8) -> Result<Place, ChunkError> {
        self.line += 1;
        if self.line > LONGEST_LINE {
            return Err(ChunkError::TooLong);
        }
        let after = match (self.place, byte) {
            (Place::Size { size, digits }, byte) if byte.is_ascii_hexdigit() => {
                if digits == MOST_DIGITS {
                    return Err(ChunkError::Size);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Place::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Place::Size { digits: 0, .. }, _) => return Err(ChunkError::Size),
            (
                Place::Size { size, .. } | Place::Padding { size } | Place::Extension { size },
                b'\r',
            ) => Place::SizeEnd { size },
            (Place::Size { size, .. } | Place::Padding { size }, b' ' | b'\t') => {
                Place::Padding { size }
            }
            (Place::Size { size, .. } | Place::Padding { size }, b';') => Place::Extension { size },
            (Place::Size { .. } | Place::Padding { .. }, _) => return Err(ChunkError::Size),
            (Place::Extension { size }, byte) if is_text(byte) => Place::Extension { size },
            (Place::SizeEnd { size: 0 }, b'\n') => self.line_ends(Place::TrailerStart),
            (Place::SizeEnd { size }, b'\n') => self.line_ends(Place::Data { left: size }),
            (Place::DataCr, b'\r') => Place::DataEnd,
            (Place::DataEnd, b'\n') => self.line_ends(Place::default()),
            (Place::DataCr | Place::DataEnd | Place::Data { .. }, _) => {
                return Err(ChunkError::Overrun);
            }
            (Place::TrailerStart, b'\r') => Place::LastEnd,
            (Place::TrailerStart | Place::TrailerName, byte) if is_name(byte) => Place::TrailerName,
            (Place::TrailerName, b':') => Place::TrailerValue,
            (Place::TrailerStart | Place::TrailerName, _) => return Err(ChunkError::Trailer),
            (Place::TrailerValue, b'\r') => Place::TrailerEnd,
            (Place::TrailerValue, byte) if is_text(byte) => Place::TrailerValue,
            (Place::TrailerEnd, b'\n') => {
                self.trailers += 1;
                if self.trailers > MOST_TRAILERS {
                    return Err(ChunkError::TooLong);
                }
                self.line_ends(Place::TrailerStart)
            }
            (Place::LastEnd, b'\n') => Place::Done,
            (
                Place::Extension { .. }
                | Place::SizeEnd { .. }
                | Place::TrailerValue
                | Place::TrailerEnd
                | Place::LastEnd
                | Place::Done,
                _,
            ) => return Err(ChunkError::Line),
        };
        Ok(after)
    }

    fn line_ends(&mut self, then: Place) -> Place {
        self.line = 0;
        then
    }
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= 0x20 && byte != 0x7f)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Result<(usize, bool), ChunkError> {
        let mut chunks = Chunks::default();
        let taken = chunks.take(bytes)?;
        Ok((taken, chunks.is_done()))
    }

    #[test]
    fn a_body_ends_with_its_last_chunk_and_what_follows_is_not_its() {
        let body = b"4\r\nbody\r\n6;a=b\r\n parts\r\n0\r\n\r\n";
        assert_eq!(whole(&[&body[..], b"GET / "].concat()), Ok((body.len(), true)));
        let trailed = b"0\r\nX-Sum: 7\r\nY:\r\n\r\n";
        assert_eq!(whole(trailed), Ok((trailed.len(), true)));
        assert_eq!(whole(b"2 \t\r\nhi\r\n0 ;a\r\n\r\n"), Ok((17, true)));
        assert_eq!(whole(b"00000000000000a\r\n0123456789\r\n0\r\n\r\n"), Ok((34, true)));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (body, why) in [
            (&b"\r\n"[..], ChunkError::Size),
            (b"4\nbody\r\n", ChunkError::Size),
            (b"0x4\r\n", ChunkError::Size),
            (b"-1\r\n", ChunkError::Size),
            (b" 4\r\n", ChunkError::Size),
            (b"4 4\r\n", ChunkError::Size),
            (b"4 x\r\n", ChunkError::Size),
            (b"0000000000000004\r\n", ChunkError::Size),
            (b"4;a\nb\r\n", ChunkError::Line),
            (b"4\r\rbody", ChunkError::Line),
            (b"4\r\nbodyx\r\n", ChunkError::Overrun),
            (b"4\r\nbody\n", ChunkError::Overrun),
            (b"4\r\nbody\r\r", ChunkError::Overrun),
            (b"0\r\nX Y: 1\r\n\r\n", ChunkError::Trailer),
            (b"0\r\n: 1\r\n\r\n", ChunkError::Trailer),
            (b"0\r\nX: a\nb\r\n\r\n", ChunkError::Line),
            (b"0\r\n\rX", ChunkError::Line),
        ] {
            assert_eq!(whole(body), Err(why), "{:?}", String::from_utf8_lossy(body));
        }
        let long = [b"4;", &[b'a'; LONGEST_LINE][..]].concat();
        assert_eq!(whole(&long), Err(ChunkError::TooLong));
        assert_eq!(
            whole(&[b"0\r\n", &b"X: 1\r\n".repeat(101)[..]].concat()),
            Err(ChunkError::TooLong)
        );
    }

    proptest! {
        #[test]
        fn how_a_body_is_cut_into_reads_makes_no_difference(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            cut in 1_usize..7,
        ) {
            let mut body = Vec::new();
            for piece in &pieces {
                body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                body.extend_from_slice(piece);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\nnext");
            let mut chunks = Chunks::default();
            let mut taken = 0;
            for read in body.chunks(cut) {
                taken += chunks.take(read).unwrap();
            }
            prop_assert!(chunks.is_done());
            prop_assert_eq!(taken, body.len() - 4);
        }
    }
}

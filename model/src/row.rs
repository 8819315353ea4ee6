//! How a row is written: one byte with the number of its schema, then a JSON document with named fields.
//!
//! A field that is added with a default needs no new schema; anything else does, and the decoder of each earlier one
//! stays. Rows that begin with a printable character were written before schemas had numbers: they are schema 0.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Schema numbers lie below the first printable character, so that no JSON document begins with one.
const SCHEMAS: std::ops::RangeInclusive<u8> = 1..=31;

/// Reads the document of one schema.
pub(crate) type Decode<T> = fn(&[u8]) -> Result<T, serde_json::Error>;

/// A schema of a kind of rows: its number, and how its documents are read.
pub(crate) type Schema<T> = (u8, Decode<T>);

/// A row that cannot be read: the store is damaged, or newer than this program.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// A key of a kind that this version does not know.
    UnknownKey(String),
    /// A schema that this version does not know.
    UnknownSchema {
        /// Its key.
        key: String,
        /// The schema that it says it has.
        schema: u8,
    },
    /// A value that this version cannot read.
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// A value that belongs under another key.
    Misplaced {
        /// Its key.
        key: String,
        /// The key of what it holds.
        owner: String,
    },
}

/// The document as it is: the type's own serde form.
pub(crate) fn json<T: DeserializeOwned>(document: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(document)
}

/// A row in the newest of the schemas.
pub(crate) fn encode<T: Serialize>(value: &T, schemas: &[Schema<T>]) -> Vec<u8> {
    let mut row = vec![newest(schemas)];
    serde_json::to_writer(&mut row, value).expect("rows have string keys only");
    row
}

/// What a row says, whichever of the schemas it is in.
pub(crate) fn decode<T>(key: &str, row: &[u8], schemas: &[Schema<T>]) -> Result<T, RowError> {
    let (schema, document) = split(row);
    let Some((_, decode)) = schemas.iter().find(|(number, _)| *number == schema) else {
        return Err(RowError::UnknownSchema { key: key.to_owned(), schema });
    };
    decode(document).map_err(|source| RowError::Unreadable { key: key.to_owned(), source })
}

/// Whether a row is in the newest of the schemas.
pub(crate) fn is_newest<T>(row: &[u8], schemas: &[Schema<T>]) -> bool {
    split(row).0 == newest(schemas)
}

fn split(row: &[u8]) -> (u8, &[u8]) {
    match row.split_first() {
        Some((schema, document)) if SCHEMAS.contains(schema) => (*schema, document),
        _ => (0, row),
    }
}

fn newest<T>(schemas: &[Schema<T>]) -> u8 {
    schemas.last().map_or(0, |(number, _)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWER: &[Schema<String>] = &[(0, json), (3, json)];

    #[test]
    fn a_row_is_written_in_the_newest_schema_and_read_in_each() {
        assert_eq!(encode(&"a".to_owned(), NEWER), b"\x03\"a\"");
        assert_eq!(decode("x/y", b"\x03\"a\"", NEWER).unwrap(), "a");
        assert_eq!(decode("x/y", b"\"a\"", NEWER).unwrap(), "a");
    }

    #[test]
    fn a_row_that_cannot_be_read_is_named() {
        let refused = |row: &[u8]| decode("x/y", row, NEWER).unwrap_err();
        assert!(matches!(
            refused(b"\x04\"a\""),
            RowError::UnknownSchema { key, schema: 4 } if key == "x/y"
        ));
        for damaged in [&b""[..], b"\x03", b"\x03{", b"{}"] {
            assert!(matches!(
                refused(damaged),
                RowError::Unreadable { key, source: _ } if key == "x/y"
            ));
        }
    }
}

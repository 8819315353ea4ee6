//! A view as text: a line for each row, `["COLLECTION",KEY,VALUE]`. What travels and what lies on disk has this form.
//!
//! A reader passes over collections that it does not know and over whatever follows a row's value, so that a later version
//! may have more of both.

use std::fmt;

use serde::Serialize;
use serde::de::{Deserializer as _, Error as _, IgnoredAny, SeqAccess, Visitor};

use super::collection::{Collection, RowSink, View};

/// The rows of those collections that `wanted` picks.
pub fn to_text<V: View>(
    view: &V,
    wanted: impl Fn(&Collection) -> bool,
) -> Result<String, serde_json::Error> {
    let mut lines = Lines { text: Vec::new(), wanted };
    view.rows(&mut lines)?;
    String::from_utf8(lines.text).map_err(serde::ser::Error::custom)
}

/// Reads a view. Collections of which there is no row are empty.
pub fn from_text<V: View>(text: &str) -> Result<V, serde_json::Error> {
    let mut view = V::default();
    for line in text.lines() {
        let mut line = serde_json::Deserializer::from_str(line);
        line.deserialize_seq(RowOf(&mut view))?;
        line.end()?;
    }
    Ok(view)
}

struct Lines<W> {
    text: Vec<u8>,
    wanted: W,
}

impl<W: Fn(&Collection) -> bool> RowSink for Lines<W> {
    type Error = serde_json::Error;

    fn row(
        &mut self,
        collection: &Collection,
        key: &impl Serialize,
        value: &impl Serialize,
    ) -> Result<(), serde_json::Error> {
        if (self.wanted)(collection) {
            serde_json::to_writer(&mut self.text, &(collection.name, key, value))?;
            self.text.push(b'\n');
        }
        Ok(())
    }
}

/// Reads one row into a view.
struct RowOf<'a, V>(&'a mut V);

impl<'de, V: View> Visitor<'de> for RowOf<'_, V> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: the name of a collection, a key and a value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut row: A) -> Result<(), A::Error> {
        let name: String =
            row.next_element()?.ok_or_else(|| A::Error::custom("a row without a collection"))?;
        self.0.take_row(&name, &mut row)?;
        while row.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

#[cfg(test)]
mod tests;

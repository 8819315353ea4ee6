//! Headers with a meaning of their own: which state of an entity is meant, and which request is a repetition.

use std::fmt;
use std::str::FromStr;

/// The header of every answer that says which revision of the API the server speaks.
pub const API_REVISION: &str = "berth-api-revision";
/// The revision of these types: one more when clients and servers no longer understand each other. Servers before 2 (lists
/// without pages) do not name theirs; with 3 services have revisions.
pub const REVISION: &str = "4";

/// The header that makes a repeated request safe.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Which state an entity is in (RFC 9110 section 8.8.3); always a strong tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EntityTag(String);

/// Which state an entity must be in for a change of it (RFC 9110 section 13.1.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfMatch {
    /// Whichever, as long as it is there.
    Any,
    /// One of these.
    Tags(Vec<EntityTag>),
}

/// What tells a repeated request from a new one: chosen by the client, new for each thing that it wants done once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

/// A header that does not say what it should.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// No entity tag.
    #[error("`{0}` is not an entity tag: write it in double quotes, as the `ETag` of an answer is")]
    EntityTag(String),
    /// No idempotency key.
    #[error("the idempotency key is not 1 to 255 visible ASCII characters")]
    IdempotencyKey,
}

fn is_tag_character(byte: u8) -> bool {
    byte == 0x21 || (0x23..=0x7e).contains(&byte)
}

impl EntityTag {
    /// A tag of text without spaces and double quotes; others are left out.
    pub fn new(text: &str) -> Self {
        Self(text.chars().filter(|c| u8::try_from(*c).is_ok_and(is_tag_character)).collect())
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

impl FromStr for EntityTag {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let inner = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inner {
            Some(inner) if inner.bytes().all(is_tag_character) => Ok(Self(inner.to_owned())),
            _ => Err(HeaderError::EntityTag(text.chars().take(80).collect())),
        }
    }
}

impl IfMatch {
    /// Whether an entity in this state is meant.
    pub fn matches(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Tags(tags) => tags.contains(tag),
        }
    }
}

impl FromStr for IfMatch {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        let mut tags = Vec::new();
        let mut rest = after_separators(text);
        if rest.is_empty() {
            return Err(HeaderError::EntityTag(String::new()));
        }
        while !rest.is_empty() {
            let tag = rest.strip_prefix("W/").unwrap_or(rest);
            // A tag may hold commas, so it ends with its quotes.
            let end = tag.match_indices('"').nth(1).map_or(tag.len(), |(quote, _)| quote + 1);
            let (tag, behind) = tag.split_at(end);
            let parsed = tag.parse()?;
            // A weak tag never matches strongly; it is no error either.
            if !rest.starts_with("W/") {
                tags.push(parsed);
            }
            rest = after_separators(behind);
            if rest.len() == behind.len() && !rest.is_empty() {
                return Err(HeaderError::EntityTag(text.chars().take(80).collect()));
            }
        }
        Ok(Self::Tags(tags))
    }
}

/// What stands behind commas and white space; a list may have empty members (RFC 9110 section 5.6.1.2).
fn after_separators(list: &str) -> &str {
    list.trim_start_matches([',', ' ', '\t'])
}

impl fmt::Display for IfMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Tags(tags) => {
                let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
                f.write_str(&tags.join(", "))
            }
        }
    }
}

impl From<EntityTag> for IfMatch {
    fn from(tag: EntityTag) -> Self {
        Self::Tags(vec![tag])
    }
}

impl IdempotencyKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for IdempotencyKey {
    type Err = HeaderError;

    fn from_str(text: &str) -> Result<Self, HeaderError> {
        let fits = (1..=255).contains(&text.len());
        if fits && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(HeaderError::IdempotencyKey)
        }
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entity_tag_reads_back_what_it_wrote() {
        let tag = EntityTag::new("0123abcd");
        assert_eq!(tag.to_string().parse::<EntityTag>().unwrap(), tag);
        for bad in ["", "abc", "\"a", "\"a b\"", "\"a\"b\""] {
            assert!(bad.parse::<EntityTag>().is_err(), "{bad}");
        }
    }

    #[test]
    fn if_match_names_one_of_several_states_or_any() {
        let tag = EntityTag::new("b");
        let matches = |text: &str| text.parse::<IfMatch>().unwrap().matches(&tag);
        assert!(matches("*") && matches("\"b\"") && matches("\"a\", \"b\""));
        assert!(!matches("\"a\"") && !matches("W/\"b\""));
        assert!(
            matches("\"a\",, \"b\",") && matches("\"a,c\",\"b\"") && matches("W/\"a,\", \"b\"")
        );
        for bad in ["b", "", ",", "\"a", "\"a\"\"b\"", "W/b", "\"a\", b", "*, \"b\""] {
            assert!(bad.parse::<IfMatch>().is_err(), "{bad}");
        }
        let written = IfMatch::from(tag.clone()).to_string();
        assert!(written.parse::<IfMatch>().unwrap().matches(&tag));
    }

    #[test]
    fn an_idempotency_key_is_short_and_visible() {
        assert!("8e03978e-40d5-43e8-bc93-6894a57f9324".parse::<IdempotencyKey>().is_ok());
        let long = "a".repeat(256);
        for bad in ["", "a b", "a\n", "ä", &long] {
            assert!(bad.parse::<IdempotencyKey>().is_err(), "{bad}");
        }
    }
}

//! Names that people choose. Each exists only through its grammar, so bad input never reaches the code behind.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Text that is not a name of its kind; says which rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct NameError {
    /// What was given, cut to a length that can be shown.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
    /// The rule in words.
    pub rule: &'static str,
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $check:path, $rule:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError { text: text.chars().take(80).collect(), kind: $kind, rule: $rule })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

names! {
    /// A cluster's name.
    ClusterName, "cluster name", is_ecs_name, "use 1 to 255 letters, digits, hyphens and underscores";
    /// A task definition's family.
    Family, "task definition family", is_ecs_name, "use 1 to 255 letters, digits, hyphens and underscores";
    /// A container's name within its task definition.
    ContainerName, "container name", is_ecs_name, "use 1 to 255 letters, digits, hyphens and underscores";
    /// A service's name; also a label of its host name, so it follows DNS rules (RFC 1123 section 2.1).
    ServiceName, "service name", is_dns_label, "use 1 to 63 lowercase letters, digits and hyphens, with a letter or digit at both ends";
    /// A target group's name.
    TargetGroupName, "target group name", is_ecs_name, "use 1 to 255 letters, digits, hyphens and underscores";
    /// Where an installation says that it is: the region in its ARNs.
    Region, "region", is_dns_label, "use 1 to 63 lowercase letters, digits and hyphens, with a letter or digit at both ends";
    /// A repository's name (OCI distribution spec, "Pulling manifests").
    RepositoryName, "repository name", is_repository, "use lowercase letters and digits, separated by single `.`, `_` or `/`, by `__` or by hyphens, 255 characters at most";
    /// A tag (OCI distribution spec, "Pulling manifests").
    TagName, "tag", is_tag, "use 1 to 128 letters, digits, `_`, `.` and `-`, beginning with a letter, a digit or `_`";
}

fn is_ecs_name(text: &str) -> bool {
    (1..=255).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_dns_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_repository(text: &str) -> bool {
    text.len() <= 255 && text.split('/').all(is_repository_part)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_repository_part(part: &str) -> bool {
    let edge = |byte: Option<&u8>| byte.is_some_and(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9'));
    let bytes = part.as_bytes();
    if !edge(bytes.first()) || !edge(bytes.last()) {
        return false;
    }
    bytes.split(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9')).all(|between| match between {
        [] | b"." | b"_" | b"__" => true,
        other => other.iter().all(|byte| *byte == b'-'),
    })
}

fn is_tag(text: &str) -> bool {
    let mut bytes = text.bytes();
    (1..=128).contains(&text.len())
        && bytes.next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_follow_the_distribution_spec() {
        for good in ["hello", "a/b/c", "a.b_c__d-e---f/0", "library/nginx", "a/blobs/b"] {
            assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
        }
        for bad in
            ["", "Hello", "a//b", "/a", "a/", "a..b", "a___b", "-a", "a-", "a._b", "..", "a b"]
        {
            assert!(bad.parse::<RepositoryName>().is_err(), "{bad}");
        }
        assert!("a".repeat(256).parse::<RepositoryName>().is_err());
    }

    #[test]
    fn tags_follow_the_distribution_spec() {
        for good in ["latest", "v1.0", "_x", "A-b_c.d"] {
            assert!(good.parse::<TagName>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a b", "a/b", "a:b"] {
            assert!(bad.parse::<TagName>().is_err(), "{bad}");
        }
        assert!("a".repeat(129).parse::<TagName>().is_err());
    }

    #[test]
    fn a_refused_name_says_which_rule_it_breaks() {
        let error = "My_Service".parse::<ServiceName>().unwrap_err();
        assert_eq!((error.text.as_str(), error.kind), ("My_Service", "service name"));
    }
}

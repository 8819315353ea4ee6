//! Docker's own ids. Docker gives them and they are handed back as they came; Berth reads nothing in them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! docker_ids {
    ($($(#[$doc:meta])* $name:ident,)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// As Docker writes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(id: String) -> Self {
                Self(id)
            }
        }

        impl From<&str> for $name {
            fn from(id: &str) -> Self {
                Self(id.to_owned())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    )+};
}

docker_ids! {
    /// A container: 64 hexadecimal digits.
    ContainerId,
    /// An image: `sha256:` and the digest of its configuration, or of its manifest where Docker keeps images as containerd
    /// does.
    ImageId,
}

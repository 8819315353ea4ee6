//! What a view is made of, and how one is declared.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::{Deserialize, Error as _, SeqAccess};

use crate::state::State;

/// One kind of rows that peers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collection {
    /// Its name on the wire and on disk. It never changes, and no other collection of any version ever has it.
    pub name: &'static str,
    /// Whether a peer may keep its rows.
    pub on_disk: OnDisk,
}

/// Whether a peer may keep rows on its disk, and how they are protected there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// They stay in memory.
    Never,
    /// In a file that only the role's own user may read and write.
    Private,
}

impl OnDisk {
    /// The mode of a file with such rows; None where there may be none.
    pub const fn mode(self) -> Option<u32> {
        match self {
            Self::Never => None,
            Self::Private => Some(0o600),
        }
    }
}

/// A peer's view: its collections, each as rows by key. Two views are equal if all their rows are.
pub trait View: Clone + Debug + Default + PartialEq + Send + Sync + 'static {
    /// Whose view it is.
    type Of: Copy;
    /// Its collections, in the order of [`View::rows`].
    const COLLECTIONS: &'static [Collection];

    /// What a peer should see of this State.
    fn of(state: &State, peer: Self::Of) -> Self;

    /// Where in memory the rows of State lie from which this view follows. States share what they agree in: while two are
    /// kept, the same places hold the same rows, and views that follow from them are equal. A look at the places costs
    /// much less than deriving a view, and most changes of State are of no concern to most peers.
    fn sources(state: &State, peer: Self::Of) -> Vec<usize>;

    /// Hands over each row, by collection and key.
    fn rows<S: RowSink>(&self, sink: &mut S) -> Result<(), S::Error>;

    /// Takes the key and the value of a row; false where the collection is not one of this view.
    fn take_row<'de, A: SeqAccess<'de>>(
        &mut self,
        collection: &str,
        row: &mut A,
    ) -> Result<bool, A::Error>;
}

/// Where the rows of a view go.
pub trait RowSink {
    /// Why one cannot be taken.
    type Error;

    /// Takes a row.
    fn row(
        &mut self,
        collection: &Collection,
        key: &impl Serialize,
        value: &impl Serialize,
    ) -> Result<(), Self::Error>;
}

/// The next element of a row.
pub(super) fn element<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(
    row: &mut A,
) -> Result<T, A::Error> {
    row.next_element()?.ok_or_else(|| A::Error::custom("a row is too short"))
}

/// The address of a row of State, see [`View::sources`].
pub(super) fn place<T>(row: &T) -> usize {
    std::ptr::from_ref(row).addr()
}

/// Declares a peer's view. For each collection: the field with its key and value, its name on the wire, whether it may lie
/// on the peer's disk, the function that derives its rows, and the one that says where they come from.
macro_rules! view {
    (
        $(#[$doc:meta])*
        $vis:vis struct $view:ident of $of:ty {
            $(
                $(#[$field_doc:meta])*
                $field:ident: $key:ty => $value:ty, named $name:literal, on disk $on_disk:ident,
                rows $rows:ident, sources $sources:ident;
            )+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        $vis struct $view {
            $(
                $(#[$field_doc])*
                $vis $field: std::collections::BTreeMap<$key, $value>,
            )+
        }

        impl $crate::view::collection::View for $view {
            type Of = $of;
            const COLLECTIONS: &'static [$crate::view::collection::Collection] = &[
                $($crate::view::collection::Collection {
                    name: $name,
                    on_disk: $crate::view::collection::OnDisk::$on_disk,
                },)+
            ];

            fn of(state: &$crate::State, peer: $of) -> Self {
                Self { $($field: $rows(state, peer).collect(),)+ }
            }

            fn sources(state: &$crate::State, peer: $of) -> Vec<usize> {
                let mut places = Vec::new();
                $(places.extend($sources(state, peer));)+
                places
            }

            fn rows<S: $crate::view::collection::RowSink>(&self, sink: &mut S) -> Result<(), S::Error> {
                let mut collections = Self::COLLECTIONS.iter();
                $(
                    for collection in collections.by_ref().take(1) {
                        for (key, value) in &self.$field {
                            sink.row(collection, key, value)?;
                        }
                    }
                )+
                Ok(())
            }

            fn take_row<'de, A: serde::de::SeqAccess<'de>>(
                &mut self,
                collection: &str,
                row: &mut A,
            ) -> Result<bool, A::Error> {
                use $crate::view::collection::element;
                let twice = match collection {
                    $($name => self.$field.insert(element(row)?, element(row)?).is_some(),)+
                    _ => return Ok(false),
                };
                if twice {
                    return Err(serde::de::Error::custom("a row comes twice"));
                }
                Ok(true)
            }
        }
    };
}

pub(super) use view;

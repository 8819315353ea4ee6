//! A view is read whole or not at all: it travels in parts, and one that is missing, foreign or out of order drops the
//! parts before it.

use model::{Epoch, StateRevision};

use crate::message::ViewPart;

/// The largest piece of text in a part. A view's text is JSON, and JSON as a string of JSON at most doubles, so that a frame
/// stays below 1 MiB.
const PART_BYTES: usize = 500 * 1024;
/// The most parts that are put together: a view of 500 MB.
const PARTS_MAX: u32 = 1000;

/// The parts of a view, in order.
pub(crate) fn split(
    epoch: Epoch,
    revision: StateRevision,
    text: &str,
) -> impl Iterator<Item = ViewPart> {
    split_at(PART_BYTES, epoch, revision, text)
}

fn split_at(
    bytes: usize,
    epoch: Epoch,
    revision: StateRevision,
    text: &str,
) -> impl Iterator<Item = ViewPart> {
    let pieces = pieces(text, bytes);
    let count = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    (0..count).zip(pieces).map(move |(index, piece)| ViewPart {
        epoch,
        revision,
        base: None,
        index,
        count,
        text: piece.to_owned(),
    })
}

/// Pieces of at most so many bytes, which must be room for any character.
fn pieces(mut text: &str, bytes: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    loop {
        let (piece, rest) = text.split_at(text.floor_char_boundary(bytes));
        pieces.push(piece);
        if rest.is_empty() {
            return pieces;
        }
        text = rest;
    }
}

/// Puts the parts of one connection together again.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    parts: Vec<ViewPart>,
}

/// A view's text with the state that it shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AssembledView {
    pub(crate) epoch: Epoch,
    pub(crate) revision: StateRevision,
    pub(crate) text: String,
}

impl Assembly {
    /// Takes the next part; gives the view once it was the last.
    pub(crate) fn push(&mut self, part: ViewPart) -> Option<AssembledView> {
        let follows = self.parts.last().is_none_or(|last| {
            (last.epoch, last.revision, last.count, last.index + 1)
                == (part.epoch, part.revision, part.count, part.index)
        });
        if part.index == 0 || !follows {
            self.parts.clear();
        }
        if part.base.is_some() || part.count > PARTS_MAX || self.parts.len() != part.index as usize
        {
            self.parts.clear();
            return None;
        }
        let (epoch, revision, count) = (part.epoch, part.revision, part.count);
        self.parts.push(part);
        if self.parts.len() < count as usize {
            return None;
        }
        let text = self.parts.drain(..).map(|part| part.text).collect();
        Some(AssembledView { epoch, revision, text })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn parts(revision: u64, text: &str) -> Vec<ViewPart> {
        split(Epoch(1), StateRevision(revision), text).collect()
    }

    /// Every character is three bytes, so that no part ends where a piece of round size would.
    fn long() -> String {
        "\u{20ac}".repeat(PART_BYTES)
    }

    #[test]
    fn a_view_comes_together_from_its_parts() {
        for text in ["", "{}", &long()] {
            let mut assembly = Assembly::default();
            let mut view = None;
            for part in parts(7, text) {
                assert_eq!(view, None, "nothing is view before the last part");
                view = assembly.push(part);
            }
            let expected = AssembledView {
                epoch: Epoch(1),
                revision: StateRevision(7),
                text: text.to_owned(),
            };
            assert_eq!(view, Some(expected));
        }
    }

    #[test]
    fn no_frame_is_larger_than_a_mebibyte() {
        let quotes = "\"\\".repeat(PART_BYTES);
        let all = parts(1, &quotes);
        assert!(all.len() > 1);
        for part in all {
            assert!(serde_json::to_string(&part).unwrap().len() <= 1024 * 1024);
        }
    }

    #[test]
    fn a_missing_part_drops_the_view() {
        let mut all = parts(1, &long());
        assert_eq!(all.len(), 4);
        all.remove(1);
        let mut assembly = Assembly::default();
        assert!(all.into_iter().all(|part| assembly.push(part).is_none()));
    }

    #[test]
    fn a_new_view_in_the_middle_of_one_takes_its_place() {
        let mut assembly = Assembly::default();
        let cut = parts(1, &long());
        assert_eq!(assembly.push(cut[0].clone()), None);
        assert_eq!(assembly.push(parts(2, "{}").remove(0)).unwrap().revision, StateRevision(2));
        assert_eq!(assembly.push(cut[1].clone()), None, "the rest of a dropped view is no view");
    }

    #[test]
    fn a_delta_is_not_taken_for_a_view() {
        let mut part = parts(2, "{}").remove(0);
        part.base = Some(StateRevision(1));
        assert_eq!(Assembly::default().push(part), None);
    }

    /// What becomes of the next part on its way.
    #[derive(Debug, Clone)]
    enum Fate {
        Arrives,
        IsLost,
        ComesTwice,
        SwapsWithTheNext,
    }

    fn fates() -> impl Strategy<Value = Vec<Fate>> {
        let fate = prop_oneof![
            6 => Just(Fate::Arrives),
            1 => Just(Fate::IsLost),
            1 => Just(Fate::ComesTwice),
            1 => Just(Fate::SwapsWithTheNext),
        ];
        prop::collection::vec(fate, 0..60)
    }

    /// The parts as they arrive; those without a fate arrive.
    fn under_way(mut parts: Vec<ViewPart>, fates: Vec<Fate>) -> Vec<ViewPart> {
        let mut arrived = Vec::new();
        let mut fates = fates.into_iter();
        parts.reverse();
        while let Some(part) = parts.pop() {
            match fates.next().unwrap_or(Fate::Arrives) {
                Fate::Arrives => arrived.push(part),
                Fate::IsLost => {}
                Fate::ComesTwice => arrived.extend([part.clone(), part]),
                Fate::SwapsWithTheNext => {
                    arrived.extend(parts.pop());
                    arrived.push(part);
                }
            }
        }
        arrived
    }

    proptest! {
        #[test]
        fn every_view_arrives_as_it_was_sent_and_no_part_is_larger_than_it_may_be(
            texts in prop::collection::vec("[a-z\"\n\u{20ac}]{0,40}", 1..8),
            bytes in 4_usize..9,
        ) {
            let mut assembly = Assembly::default();
            for (revision, text) in (1..).map(StateRevision).zip(&texts) {
                let parts: Vec<_> = split_at(bytes, Epoch(1), revision, text).collect();
                prop_assert!(parts.iter().all(|part| part.text.len() <= bytes));
                let views: Vec<_> = parts.into_iter().filter_map(|part| assembly.push(part)).collect();
                let expected = AssembledView { epoch: Epoch(1), revision, text: text.clone() };
                prop_assert_eq!(views, [expected]);
            }
        }

        #[test]
        fn parts_that_are_lost_doubled_or_reordered_never_make_a_mixed_view(
            texts in prop::collection::vec("[a-z]{0,30}", 1..6),
            fates in fates(),
        ) {
            let numbered = (1..).map(StateRevision).zip(&texts);
            let sent: BTreeSet<_> = numbered
                .clone()
                .map(|(revision, text)| AssembledView {
                    epoch: Epoch(1),
                    revision,
                    text: text.clone(),
                })
                .collect();
            let parts = numbered.flat_map(|(at, text)| split_at(4, Epoch(1), at, text)).collect();
            let mut assembly = Assembly::default();
            for part in under_way(parts, fates) {
                if let Some(view) = assembly.push(part) {
                    prop_assert!(sent.contains(&view), "{view:?}");
                }
            }
        }
    }
}

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::state::State;
use crate::view::collection::{OnDisk, view};

view! {
    /// Any two collections.
    pub(super) struct TestView of u8 {
        /// By number.
        open: u32 => String, named "open", on disk Private, rows none, sources nowhere;
        /// By text and number.
        secret: (String, i64) => Vec<BTreeMap<String, Option<i16>>>, named "secret", on disk Never,
        rows none, sources nowhere;
    }
}

fn none<T>(_: &State, _: u8) -> std::iter::Empty<T> {
    std::iter::empty()
}

fn nowhere(_: &State, _: u8) -> std::iter::Empty<usize> {
    std::iter::empty()
}

fn views() -> impl Strategy<Value = TestView> {
    let number = prop::option::of(any::<i16>());
    let value =
        prop::collection::vec(prop::collection::btree_map(any::<String>(), number, 0..3), 0..3);
    let open = prop::collection::btree_map(any::<u32>(), any::<String>(), 0..12);
    let secret = prop::collection::btree_map((any::<String>(), any::<i64>()), value, 0..12);
    (open, secret).prop_map(|(open, secret)| TestView { open, secret })
}

proptest! {
    #[test]
    fn a_view_reads_back_what_it_wrote(view in views()) {
        let text = to_text(&view, |_| true).unwrap();
        prop_assert_eq!(text.lines().count(), view.open.len() + view.secret.len());
        prop_assert_eq!(from_text::<TestView>(&text).unwrap(), view);
    }

    #[test]
    fn what_may_not_lie_on_disk_is_not_written_for_it(view in views()) {
        let text = to_text(&view, |collection| collection.on_disk == OnDisk::Private).unwrap();
        let expected = TestView { secret: BTreeMap::new(), ..view };
        prop_assert_eq!(from_text::<TestView>(&text).unwrap(), expected);
    }
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    let text = "[\"certificates\",{\"a\":[1]},null,7]\n[\"open\",1,\"one\",{\"more\":1}]\n[\"open\",2,\"two\"]";
    let view: TestView = from_text(text).unwrap();
    let expected = [(1, "one".to_owned()), (2, "two".to_owned())].into();
    assert_eq!(view, TestView { open: expected, ..TestView::default() });
}

#[test]
fn text_that_is_not_rows_is_refused() {
    for text in
        ["{}", "[]", "[\"open\"]", "[\"open\",1]", "[\"open\",1,\"a\"", "[\"open\",\"x\",\"a\"]"]
    {
        assert!(from_text::<TestView>(text).is_err(), "{text}");
    }
    let twice = "[\"open\",1,\"a\"]\n[\"open\",1,\"b\"]";
    assert!(from_text::<TestView>(twice).is_err(), "one key has one row");
}

//! What holds for every kind of entity, whichever there are.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::Value;

use self::changes::change;
use self::world::*;
use crate::state::RowError;
use crate::*;

mod changes;
pub(super) mod world;

/// Rows as they were written down: schema, key, document.
const ROWS: &str = include_str!("tests/rows.txt");

/// The written rows of a schema: key and value.
fn written(schema: u8) -> Vec<(&'static str, Vec<u8>)> {
    let fields = |line: &'static str| {
        let mut fields = line.splitn(3, ' ');
        let number: u8 = fields.next()?.parse().ok()?;
        let (key, document) = (fields.next()?, fields.next()?);
        let first = (number > 0).then_some(number);
        let value = first.into_iter().chain(document.bytes()).collect();
        (number == schema).then_some((key, value))
    };
    ROWS.lines().filter_map(fields).collect()
}

fn kind(key: &str) -> &str {
    key.split_once('/').map_or(key, |(kind, _)| kind)
}

fn rows(state: &State) -> Vec<(String, Vec<u8>)> {
    let row = |key: RowKey| (key.to_string(), state.row(&key).unwrap());
    state.row_keys().into_iter().map(row).collect()
}

fn rebuilt(state: &State) -> State {
    let rows = rows(state);
    let read = rows.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
    State::from_rows(state.revision(), read).unwrap()
}

/// What is written now says all that was written down: a field may be added, but none is lost or reads otherwise.
#[track_caller]
fn assert_kept(key: &str, now: &[u8], written: &[u8]) {
    fn keeps(now: &Value, then: &Value) -> bool {
        match (now, then) {
            (Value::Object(now), Value::Object(then)) => then
                .iter()
                .all(|(name, then)| now.get(name).map_or(then.is_null(), |now| keeps(now, then))),
            (Value::Array(now), Value::Array(then)) => {
                now.len() == then.len() && now.iter().zip(then).all(|(now, then)| keeps(now, then))
            }
            _ => now == then,
        }
    }
    let document = |row: &[u8]| -> Value { serde_json::from_slice(&row[1..]).unwrap() };
    assert_eq!(now[0], written[0], "{key} has another schema");
    let (now, then) = (document(now), document(written));
    assert!(keeps(&now, &then), "{key} was written as {then} and is now {now}");
}

#[test]
fn rows_of_every_kind_and_schema_are_read_and_nothing_in_them_is_lost() {
    for (name, schemas) in RowKey::kinds() {
        let newest = written(*schemas.last().unwrap());
        for schema in schemas {
            let of_kind = written(schema).into_iter().filter(|(key, _)| kind(key) == name);
            let mut of_kind = of_kind.peekable();
            assert!(of_kind.peek().is_some(), "no row of kind {name} in schema {schema} is kept");
            for (key, value) in of_kind {
                let state = State::from_rows(StateRevision(1), [(key, value.as_slice())]).unwrap();
                let now = state.row(&key.parse().unwrap()).unwrap();
                let newest = newest.iter().find(|(other, _)| *other == key);
                assert_kept(key, &now, &newest.unwrap().1);
                let newer = state::newest_form(key, &value).unwrap();
                assert_eq!(newer, (now[0] != value[0]).then_some(now));
            }
        }
    }
}

#[test]
fn history_of_every_schema_is_read_and_nothing_in_it_is_lost() {
    let rows = |schema| written(schema).into_iter().filter(|(key, _)| *key == "history");
    assert!(rows(0).count() > 2 && rows(0).count() == rows(1).count());
    for ((key, old), (_, new)) in rows(0).zip(rows(1)) {
        let read = History::from_row(key, &old).unwrap();
        assert_kept(key, &read.row(), &new);
        assert_eq!(History::from_row(key, &new).unwrap(), read);
    }
}

#[test]
fn a_row_that_is_newer_or_another_entitys_is_refused_by_name() {
    let refused =
        |key, value: &[u8]| State::from_rows(StateRevision(1), [(key, value)]).unwrap_err();
    assert!(matches!(
        refused("cluster/default", b"\x1f{}"),
        RowError::UnknownSchema { key, schema: 31 } if key == "cluster/default"
    ));
    assert!(matches!(
        refused("quota/x", b"{}"),
        RowError::UnknownKey(key) if key == "quota/x"
    ));
    let (_, cluster) = written(1).into_iter().find(|(key, _)| kind(key) == "cluster").unwrap();
    assert!(matches!(
        refused("cluster/other", &cluster),
        RowError::Misplaced { key, owner } if key == "cluster/other" && owner == "cluster/default"
    ));
}

#[test]
fn a_state_with_every_kind_of_entity_rebuilds_from_its_rows_alone() {
    let state = full_world();
    let keys = rows(&state);
    let there: BTreeSet<&str> = keys.iter().map(|(key, _)| kind(key)).collect();
    let all = RowKey::kinds().into_iter().map(|(name, _)| name).collect();
    assert_eq!(there, all, "the world of the tests lacks a kind");
    assert_eq!(rebuilt(&state), state);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_applied_is_what_is_written_and_what_is_refused_changes_nothing(
        changes in prop::collection::vec(change(), 1..80)
    ) {
        let mut state = full_world();
        for (n, change) in changes.iter().enumerate() {
            let before = state.clone();
            match state.apply(change, at(100 + i64::try_from(n).unwrap())) {
                Ok(touched) => {
                    let keys = before.row_keys().into_iter().chain(state.row_keys());
                    let differs = keys.filter(|key| before.row(key) != state.row(key));
                    prop_assert_eq!(differs.collect::<BTreeSet<_>>(), touched.rows);
                }
                Err(refusal) => prop_assert_eq!(&before, &state, "{}", refusal),
            }
            state = state.clone().at(state.revision().next());
        }
        prop_assert_eq!(rebuilt(&state), state);
    }
}

//! The table of operations: complete, about named resources, and closed to whoever is not declared.

use std::collections::BTreeSet;

use access::{ADMINISTRATOR, Action, Resource, ResourceKind, authorize};
use model::{InstanceId, Principal, RouterId, State, Timestamp};

use crate::Operation;
use crate::operation::{Effect, Reach};

fn roles() -> [(&'static str, Principal); 5] {
    let now = Timestamp::from_millis(1);
    [
        ("administrator", Principal::User(ADMINISTRATOR.to_owned())),
        ("unknown user", Principal::User("eve".to_owned())),
        ("instance", Principal::Instance(InstanceId::new(now, [1; 10]))),
        ("router", Principal::Router(RouterId::new(now, [1; 10]))),
        ("anonymous", Principal::Anonymous),
    ]
}

#[test]
fn every_operation_is_open_to_the_administrator_and_to_nobody_who_is_not_declared() {
    let state = State::default();
    for operation in Operation::ALL {
        for (action, kind) in operation.entry().permissions {
            for (role, principal) in roles() {
                for resource in [Resource::unknown(*kind, &"hello"), Resource::any(*kind)] {
                    let may = authorize(&state, &principal, *action, &resource).is_ok();
                    // Nobody is named "hello", so of users only whichever may be one's own.
                    let own = operation.action() == Action::RegistryLogin && role == "unknown user";
                    let expected = role == "administrator" || (own && resource.name.is_none());
                    assert_eq!(may, expected, "{operation} by {role} on {resource}");
                }
            }
        }
    }
}

#[test]
fn every_action_belongs_to_an_operation() {
    let permissions = Operation::ALL.iter().flat_map(|operation| operation.entry().permissions);
    let actions: BTreeSet<Action> = permissions.map(|(action, _)| *action).collect();
    assert_eq!(actions, Action::ALL.iter().copied().collect());
}

#[test]
fn only_what_is_about_the_whole_installation_asks_for_the_whole_installation() {
    for operation in Operation::ALL {
        let whole = operation.kind() == ResourceKind::Installation;
        assert_eq!(whole, operation.entry().reach == Reach::Whole, "{operation}");
    }
}

#[test]
fn every_operation_is_written_once_and_lists_only_read() {
    let names: BTreeSet<&str> = Operation::ALL.iter().map(|one| one.as_str()).collect();
    assert_eq!(names.len(), Operation::ALL.len());
    for operation in Operation::ALL {
        let entry = operation.entry();
        assert!(entry.reach != Reach::Listed || entry.effect == Effect::Reads, "{operation}");
    }
}

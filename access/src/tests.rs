use model::{AccessChange, Change, Credential, CredentialId, InstanceId, RouterId};

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn hello() -> Resource {
    Resource::Repository("hello".parse().unwrap())
}

#[test]
fn only_the_administrator_may_and_everybody_else_is_denied_every_action() {
    let state = State::default();
    let instance = Principal::Instance(InstanceId::new(at(1), [1; 10]));
    let router = Principal::Router(RouterId::new(at(1), [1; 10]));
    let other = Principal::User("eve".to_owned());
    let admin = Principal::User(ADMINISTRATOR.to_owned());
    for action in Action::ALL {
        for resource in [Resource::All, hello()] {
            assert!(authorize(&state, &admin, *action, &resource).is_ok());
            for principal in [&instance, &router, &other, &Principal::Anonymous] {
                assert!(authorize(&state, principal, *action, &resource).is_err(), "{action}");
            }
        }
    }
}

#[test]
fn every_action_is_written_once_as_noun_and_verb() {
    let mut seen = std::collections::BTreeSet::new();
    for action in Action::ALL {
        let (noun, verb) = action.as_str().split_once(':').unwrap();
        assert!(noun.starts_with(|c: char| c.is_ascii_lowercase()), "{action}");
        assert!(verb.starts_with(|c: char| c.is_ascii_uppercase()), "{action}");
        assert!(seen.insert(action.as_str()), "{action}");
    }
}

#[test]
fn a_secret_proves_its_principal_until_it_ends_and_for_its_own_kind_only() {
    let secret = new_secret("berth_pat");
    assert!(secret.text.starts_with("berth_pat_") && secret.text.len() == 10 + 64);
    assert_ne!(secret.text, new_secret("berth_pat").text);
    let mut state = State::default();
    let credential = Credential {
        id: CredentialId::new(at(1), [1; 10]),
        kind: CredentialKind::Token,
        principal: Principal::User(ADMINISTRATOR.to_owned()),
        hash: secret.hash,
        created_at: at(1),
        expires_at: Some(at(100)),
    };
    state.apply(&Change::from(AccessChange::CreateCredential(credential.clone())), at(1)).unwrap();
    let ask = |state: &State, text: &str, kind, now| authenticate(state, text, kind, at(now));
    let token = CredentialKind::Token;
    assert_eq!(ask(&state, &secret.text, token, 99), Some(credential.principal));
    assert_eq!(ask(&state, &secret.text, token, 100), None, "it has ended");
    assert_eq!(ask(&state, &secret.text, CredentialKind::RegistryRefresh, 1), None);
    for wrong in ["", "berth_pat_", &secret.text[1..], "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(ask(&state, wrong, token, 1), None, "{wrong}");
    }
    state.apply(&Change::from(AccessChange::RevokeCredential(credential.id)), at(2)).unwrap();
    assert_eq!(ask(&state, &secret.text, token, 3), None, "it is revoked");
}

#[test]
fn a_secret_does_not_show_itself() {
    let secret = new_secret("berth_pat");
    assert!(!format!("{secret:?}").contains(&secret.text));
}

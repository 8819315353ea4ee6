use model::{AccessChange, Change, Credential, CredentialId, InstanceId, RepositoryName, RouterId};

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn hello() -> RepositoryName {
    "hello".parse().unwrap()
}

/// One of each kind, and whichever of each.
fn resources() -> Vec<Resource> {
    let named = ResourceKind::ALL.iter().map(|kind| Resource::unknown(*kind, &"hello"));
    named.chain(ResourceKind::ALL.iter().map(|kind| Resource::any(*kind))).collect()
}

#[test]
fn only_the_administrator_may_and_everybody_else_is_denied_every_action() {
    let state = State::default();
    let instance = Principal::Instance(InstanceId::new(at(1), [1; 10]));
    let router = Principal::Router(RouterId::new(at(1), [1; 10]));
    let other = Principal::User("eve".to_owned());
    let admin = Principal::User(ADMINISTRATOR.to_owned());
    for action in Action::ALL {
        for resource in resources() {
            assert!(authorize(&state, &admin, *action, &resource).is_ok());
            for principal in [&instance, &router, &other, &Principal::Anonymous] {
                let own = *action == Action::RegistryLogin
                    && (principal, resource.to_string().as_str()) == (&other, "user/*");
                let may = authorize(&state, principal, *action, &resource).is_ok();
                assert_eq!(may, own, "{action} on {resource}");
            }
        }
    }
}

#[test]
fn a_user_logs_in_for_themselves_only() {
    let eve = Principal::User("eve".to_owned());
    let may = |principal: &Principal, name: &str| {
        let resource = Resource::user(name);
        authorize(&State::default(), principal, Action::RegistryLogin, &resource).is_ok()
    };
    assert!(may(&eve, "eve") && !may(&eve, "admin"));
    assert!(!may(&Principal::Router(RouterId::new(at(1), [1; 10])), "eve"));
}

#[test]
fn a_resource_is_written_by_kind_cluster_and_name() {
    let cluster = "west".parse().unwrap();
    let shown = [
        Resource::installation(),
        Resource::any(ResourceKind::Service),
        Resource::any_in(ResourceKind::Service, &cluster),
        Resource::service(&cluster, &"hello".parse().unwrap()),
        Resource::unknown(ResourceKind::Task, &"1f"),
        Resource::cluster(&cluster),
        Resource::family(&"hello".parse().unwrap()),
        Resource::task_definition(&"hello:3".parse().unwrap()),
        Resource::repository(&"team/hello".parse().unwrap()),
    ];
    let expected = [
        "*",
        "service/*/*",
        "service/west/*",
        "service/west/hello",
        "task/*/1f",
        "cluster/west",
        "task-definition/hello:*",
        "task-definition/hello:3",
        "repository/team/hello",
    ];
    assert_eq!(shown.map(|resource| resource.to_string()), expected);
}

#[test]
fn what_state_knows_of_an_instance_comes_with_it() {
    let instance: model::Instance = serde_json::from_value(serde_json::json!({
        "id": InstanceId::new(at(1), [1; 10]), "cluster": "default", "name": "host",
        "status": "ACTIVE", "capacity": {}, "platform": {"os": "linux", "architecture": "amd64"},
        "host": {"bootId": "", "networkNamespace": ""}, "advertisedAddress": "127.0.0.1",
        "subnet": null, "lastAddress": 0, "lastPort": 0, "attributes": {"zone": "a"},
        "agentVersion": "1", "dockerVersion": "1", "registeredAt": "2026-11-23T00:00:00Z"
    }))
    .unwrap();
    let resource = Resource::from(&instance);
    assert_eq!(resource.to_string(), format!("instance/default/{}", instance.id));
    assert_eq!(resource.attributes["zone"], "a");
}

#[test]
fn a_repository_is_known_by_its_name() {
    assert!(Resource::repository(&hello()).is_repository(&hello()));
    assert!(!Resource::any(ResourceKind::Repository).is_repository(&hello()));
    assert!(!Resource::user("hello").is_repository(&hello()));
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
        last_use: None,
    };
    state.apply(&Change::from(AccessChange::CreateCredential(credential.clone())), at(1)).unwrap();
    let ask = |state: &State, text: &str, kind, now| {
        authenticate(state, text, kind, at(now)).map(|proven| proven.principal)
    };
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

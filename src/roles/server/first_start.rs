//! What a new installation begins with: its id, the cluster `default`, the listener `http`, and an administrator.
//!
//! Every step is made good by itself at the next start, wherever the last one was killed: the token is on disk before the
//! store knows its hash, so there is never an administrator whose password nobody has.

use std::io::ErrorKind;

use access::ADMINISTRATOR;
use model::{
    AccessChange, Change, Cluster, ClusterChange, ClusterId, Credential, CredentialId,
    CredentialKind, InstallationId, Listener, ListenerId, Principal, RoutingChange, State,
    Timestamp,
};
use store::Store;

use supervisor::{FailureKind, Layout, RoleError, Step};

/// Makes what is missing; says which installation this is.
pub(crate) async fn complete(
    store: &Store,
    layout: &Layout,
    now: Timestamp,
) -> Result<InstallationId, RoleError> {
    let state = store.state();
    let mut changes = missing(&state, now);
    if !has_administrator(&state) {
        changes.push(administrator(layout, now)?);
    }
    let committed = store.apply(changes, now).await;
    committed.map_err(RoleError::step_as(Step::WriteFirstStart, FailureKind::StoreUnavailable))?;
    let installation = store.state().installation();
    installation.ok_or(RoleError::NoInstallation)
}

fn missing(state: &State, now: Timestamp) -> Vec<Change> {
    let mut changes = Vec::new();
    if state.installation().is_none() {
        changes.push(Change::Install(InstallationId::new(now, rand::random())));
    }
    let default = "default".parse().expect("`default` is a cluster name");
    if state.cluster(&default).is_none() {
        let id = ClusterId::new(now, rand::random());
        changes.push(ClusterChange::Create(Cluster { id, name: default, created_at: now }).into());
    }
    if state.listeners().next().is_none() {
        let id = ListenerId::new(now, rand::random());
        let listener = Listener { id, name: "http".to_owned(), created_at: now };
        changes.push(RoutingChange::CreateListener(listener).into());
    }
    changes
}

fn has_administrator(state: &State) -> bool {
    state.credentials().any(|credential| {
        credential.kind == CredentialKind::Token
            && credential.principal == Principal::User(ADMINISTRATOR.to_owned())
    })
}

/// The administrator's credential, with the token that a start that was cut off has left, or a new one.
fn administrator(layout: &Layout, now: Timestamp) -> Result<Change, RoleError> {
    let path = layout.admin_token();
    let hash = match std::fs::read_to_string(&path) {
        Ok(token) if !token.trim().is_empty() => access::hash_secret(token.trim()),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(RoleError::file(&path)(error));
        }
        Ok(_) | Err(_) => {
            let secret = access::new_secret("berth_pat");
            let text = format!("{}\n", secret.text);
            disk::write(&path, text.as_bytes(), 0o600).map_err(RoleError::file(&path))?;
            secret.hash
        }
    };
    Ok(Change::from(AccessChange::CreateCredential(Credential {
        id: CredentialId::new(now, rand::random()),
        kind: CredentialKind::Token,
        principal: Principal::User(ADMINISTRATOR.to_owned()),
        hash,
        created_at: now,
        expires_at: None,
        last_use: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_421_734_000);

    fn layout(dir: &std::path::Path) -> Layout {
        let layout = Layout::new(dir);
        layout.create().unwrap();
        layout
    }

    fn who(store: &Store, token: &str) -> Option<Principal> {
        access::authenticate(&store.state(), token.trim(), CredentialKind::Token, NOW)
            .map(|proven| proven.principal)
    }

    #[tokio::test]
    async fn a_new_installation_has_a_name_a_cluster_a_listener_and_an_administrator() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, store) = (layout(dir.path()), Store::in_memory());
        let installation = complete(&store, &layout, NOW).await.unwrap();
        let token = std::fs::read_to_string(layout.admin_token()).unwrap();
        assert_eq!(who(&store, &token), Some(Principal::User("admin".to_owned())));
        let revision = store.state().revision();

        assert_eq!(complete(&store, &layout, NOW).await.unwrap(), installation);
        assert_eq!(store.state().revision(), revision, "a second start changes nothing");
        let again = std::fs::read_to_string(layout.admin_token()).unwrap();
        assert_eq!(again, token);
    }

    #[tokio::test]
    async fn a_first_start_that_was_cut_off_behind_the_token_keeps_that_token() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, store) = (layout(dir.path()), Store::in_memory());
        administrator(&layout, NOW).unwrap();
        let token = std::fs::read_to_string(layout.admin_token()).unwrap();
        complete(&store, &layout, NOW).await.unwrap();
        assert!(who(&store, &token).is_some());
    }

    #[tokio::test]
    async fn a_token_file_that_was_taken_away_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (layout, store) = (layout(dir.path()), Store::in_memory());
        complete(&store, &layout, NOW).await.unwrap();
        std::fs::remove_file(layout.admin_token()).unwrap();
        complete(&store, &layout, NOW).await.unwrap();
        assert!(!layout.admin_token().exists());
    }
}

//! What `docker login` leaves behind: a refresh token, as a credential of its own for each machine. People see by which client,
//! from where and when each was used last, and revoke those that they do not know; nobody has to revoke what is not used.

use std::time::Duration;

use access::Resource;
use control::{Caller, Operation, Write};
use http::HeaderMap;
use http::header::USER_AGENT;
use model::{
    AccessChange, Change, Credential, CredentialId, CredentialKind, CredentialUse, Principal,
    State, Timestamp, clean_text,
};
use rand::Rng as _;

use crate::Shared;
use crate::error::RegistryError;

/// A login that was not used for so long is over.
const DISUSE: Duration = Duration::from_hours(90 * 24);
/// Uses that follow a recorded one within this time are not recorded: a push takes several tokens, and each record is a commit.
const RECORDED_EVERY: Duration = Duration::from_hours(1);
/// Logins of one principal at most, a machine each; a new one replaces the one that was not used for longest.
const MOST_LOGINS: usize = 10_000;
/// Expired and surplus logins that go with a new one at most.
const MOST_SWEPT: usize = 50;
/// Bytes of a client's name at most.
const CLIENT_BYTES: usize = 64;

/// Who asks for a token.
pub(crate) struct By<'a> {
    pub(crate) caller: &'a Caller,
    /// With which program.
    pub(crate) client: Option<String>,
}

impl By<'_> {
    fn now(&self, at: Timestamp) -> CredentialUse {
        CredentialUse { at, client: self.client.clone(), address: self.caller.source }
    }
}

/// The program that asks: the first product of its user agent, which is the one that matters most (RFC 9110 section 10.1.5).
pub(crate) fn client(headers: &HeaderMap) -> Option<String> {
    let agent = String::from_utf8_lossy(headers.get(USER_AGENT)?.as_bytes()).into_owned();
    agent.split_whitespace().next().map(|product| clean_text(product, CLIENT_BYTES))
}

/// Creates a refresh token, in one batch with the removal of logins that are over and surplus ones.
pub(crate) async fn remember(
    shared: &Shared,
    state: &State,
    by: &By<'_>,
    now: Timestamp,
) -> Result<String, RegistryError> {
    let principal = &by.caller.principal;
    let secret = access::new_secret("berth_rrt");
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    let logins = state.credentials().filter(|one| one.kind == CredentialKind::RegistryRefresh);
    let mut changes: Vec<Change> = surplus(logins, principal, MOST_LOGINS - 1, now)
        .into_iter()
        .map(|id| AccessChange::RevokeCredential(id).into())
        .collect();
    changes.push(
        AccessChange::CreateCredential(Credential {
            id: CredentialId::new(now, random),
            kind: CredentialKind::RegistryRefresh,
            principal: principal.clone(),
            hash: secret.hash,
            created_at: now,
            expires_at: Some(now.plus(DISUSE)),
            last_use: Some(by.now(now)),
        })
        .into(),
    );
    let write = Write { changes, ..Write::new(Operation::LogIn, own(principal), now) };
    shared.control.commit(by.caller, write).await?;
    Ok(secret.text)
}

/// Records that a login was used, if its last record is not a fresh one. Where that cannot be written, the use stands all the
/// same: reading goes on while the disk is full.
pub(crate) async fn record_use(
    shared: &Shared,
    state: &State,
    by: &By<'_>,
    id: CredentialId,
    now: Timestamp,
) {
    let Some(known) = state.credential(id).filter(|known| is_due(known, now)) else { return };
    let last_use = by.now(now);
    let change = AccessChange::UseCredential { id, last_use, expires_at: Some(now.plus(DISUSE)) };
    let changes = vec![change.into()];
    let write =
        Write { changes, ..Write::new(Operation::RecordLoginUse, own(&known.principal), now) };
    if let Err(error) = shared.control.commit(by.caller, write).await {
        tracing::debug!("the use of login {id} was not recorded: {error}");
    }
}

fn own(principal: &Principal) -> Resource {
    match principal {
        Principal::User(name) => Resource::user(name),
        Principal::Instance(_) | Principal::Router(_) | Principal::Anonymous => {
            Resource::user(&principal.to_string())
        }
    }
}

fn is_due(known: &Credential, now: Timestamp) -> bool {
    known.kind == CredentialKind::RegistryRefresh
        && known.last_use.as_ref().is_none_or(|last| now.since(last.at) >= RECORDED_EVERY)
}

/// Logins that are over, and those of a principal that are more than `kept`, which were not used for longest.
fn surplus<'a>(
    logins: impl Iterator<Item = &'a Credential>,
    principal: &Principal,
    kept: usize,
    now: Timestamp,
) -> Vec<CredentialId> {
    let (over, live): (Vec<_>, Vec<_>) =
        logins.partition(|login| login.expires_at.is_some_and(|end| end <= now));
    let mut own: Vec<_> = live.into_iter().filter(|login| login.principal == *principal).collect();
    own.sort_by_key(|login| login.last_use.as_ref().map_or(login.created_at, |last| last.at));
    let many = own.len().saturating_sub(kept);
    let ended = over.iter().chain(own.iter().take(many)).take(MOST_SWEPT);
    ended.map(|login| login.id).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use model::Digest;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn login(number: u8) -> Credential {
        Credential {
            id: CredentialId::new(at(number.into()), [number; 10]),
            kind: CredentialKind::RegistryRefresh,
            principal: Principal::User("admin".to_owned()),
            hash: Digest::Sha256([number; 32]),
            created_at: at(number.into()),
            expires_at: Some(at(if number == 3 { 50 } else { 1_000 })),
            last_use: None,
        }
    }

    fn used(number: u8, seconds: i64) -> Credential {
        let last_use = Some(CredentialUse { at: at(seconds), client: None, address: None });
        Credential { last_use, ..login(number) }
    }

    #[test]
    fn logins_do_not_grow_without_end_and_those_that_are_over_go_first() {
        let all: Vec<Credential> = (1..=200).map(login).collect();
        let admin = &all[0].principal;
        let gone = |count: usize, kept| surplus(all[..count].iter(), admin, kept, at(60));
        assert_eq!(gone(5, 4), [all[2].id]);
        assert_eq!(gone(5, 3), [all[2].id, all[0].id]);
        assert_eq!(gone(5, 9), [all[2].id]);
        assert_eq!(gone(200, 3).len(), MOST_SWEPT);
        let other = Principal::User("eve".to_owned());
        assert_eq!(surplus(all[..5].iter(), &other, 0, at(60)), [all[2].id], "only one's own");
    }

    #[test]
    fn many_new_logins_do_not_end_the_one_that_is_in_use() {
        let all = [used(1, 500), used(2, 100), used(4, 90)];
        let gone = surplus(all.iter(), &all[0].principal, 2, at(600));
        assert_eq!(gone, [all[2].id]);
    }

    #[test]
    fn a_use_is_recorded_once_an_hour() {
        assert!(is_due(&login(1), at(2)), "never recorded");
        assert!(!is_due(&used(1, 100), at(100 + 3_599)));
        assert!(is_due(&used(1, 100), at(100 + 3_600)));
        assert!(!is_due(&used(1, 100), at(0)), "a clock that was set back");
        let token = Credential { kind: CredentialKind::Token, ..login(1) };
        assert!(!is_due(&token, at(9_000)), "a password has no such end");
    }

    #[test]
    fn a_client_is_the_first_product_of_its_user_agent() {
        let named = |agent: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, HeaderValue::from_bytes(agent).unwrap());
            client(&headers)
        };
        let docker = b"docker/20.10.24+dfsg1 go/go1.19.8 os/linux";
        assert_eq!(named(docker).as_deref(), Some("docker/20.10.24+dfsg1"));
        assert_eq!(named(b" "), None);
        assert_eq!(named(&b"x".repeat(9_000)).unwrap().len(), CLIENT_BYTES);
        assert_eq!(named(b"\xff\xe2\x80\xae").as_deref(), Some("\u{fffd}\u{fffd}"));
        assert_eq!(client(&HeaderMap::new()), None);
    }
}

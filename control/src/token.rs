//! Tokens: what proves people and their programs.

use access::{Resource, ResourceKind};
use api::{Done, Page, PageQuery, TokenKind};
use model::{
    AccessChange, Credential, CredentialId, CredentialKind, CredentialUse, IdPrefix, State,
    Timestamp,
};

use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View, find};

/// Tokens by id, without those that are over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTokens(pub PageQuery);

/// Ends a token at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeToken(pub IdPrefix);

impl Request for ListTokens {
    const OPERATION: Operation = Operation::ListTokens;
    type Answer = Page<api::Token>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Token))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let live = view.state.credentials().filter(|one| is_live(one, view.now));
            let seen = live.filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&Credential| one.id;
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), describe)
        }))
    }
}

impl Request for RevokeToken {
    const OPERATION: Operation = Operation::RevokeToken;
    type Answer = Done;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        let known = named(view.state, &self.0);
        Ok(known.map_or_else(|_| Resource::unknown(ResourceKind::Token, &self.0), Resource::token))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let View { state, now, .. } = context.view;
        let id = named(state, &self.0)?;
        if state.credential(id).is_some_and(|known| is_last_way_in(state, known, now)) {
            return Err(Refused::LastApiToken(id));
        }
        Ok(Decision::change(vec![AccessChange::RevokeCredential(id).into()], |_| Ok(Done {})))
    }
}

fn named(state: &State, prefix: &IdPrefix) -> Result<CredentialId, Refused> {
    find::only(ResourceKind::Token, prefix, state.credentials().map(|credential| credential.id))
}

fn is_live(credential: &Credential, now: Timestamp) -> bool {
    credential.expires_at.is_none_or(|end| now < end)
}

/// Whether its principal could ask for nothing any more without it.
fn is_last_way_in(state: &State, token: &Credential, now: Timestamp) -> bool {
    let is_other = |other: &Credential| {
        other.kind == CredentialKind::Token
            && other.principal == token.principal
            && other.id != token.id
            && is_live(other, now)
    };
    token.kind == CredentialKind::Token && !state.credentials().any(is_other)
}

fn describe(token: &Credential) -> api::Token {
    let (client, address, last_used_at) = match token.last_use.clone() {
        Some(CredentialUse { at, client, address }) => (client, address, Some(at)),
        None => (None, None, None),
    };
    api::Token {
        token_id: token.id,
        kind: match token.kind {
            CredentialKind::Token => TokenKind::Api,
            CredentialKind::RegistryRefresh => TokenKind::RegistryLogin,
        },
        principal: token.principal.to_string(),
        client,
        address,
        last_used_at,
        created_at: token.created_at,
        expires_at: token.expires_at,
    }
}

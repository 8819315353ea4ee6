//! Who may: the one way into a handler. `May<P>` in a handler's signature names its action, proves who asks and has
//! `access` judge before the handler runs; a handler without it does not pass the test that walks all operations.

use std::marker::PhantomData;

use access::{Action, Resource, authenticate, authorize};
use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use model::{CredentialKind, Principal};

use crate::Api;
use crate::problem::Problem;

/// An action as a type, so that a signature can name it.
pub(crate) trait Permit: Send + Sync {
    /// The action.
    const ACTION: Action;
}

macro_rules! permits {
    ($($name:ident),+ $(,)?) => {$(
        #[derive(Debug)]
        pub(crate) struct $name;
        impl Permit for $name {
            const ACTION: Action = Action::$name;
        }
    )+};
}

permits! {
    StatusGet, InstallationStop, ClusterList, InstanceList, InstanceGet, InstanceUpdate, InstanceRemove,
    InstanceCreateJoinToken, RouterList, RouterRemove, RouterCreateJoinToken, TaskDefinitionRegister,
    TaskDefinitionList, TaskDefinitionGet, ServiceList, ServiceGet, ServiceCreate, ServiceUpdate, ServiceDeploy,
    ServiceRollback, ServiceDelete, ServiceEvents, TaskList, TaskGet, TaskRun, TaskStop, TaskLogs, ListenerList,
    TargetGroupList, RuleList, RuleCreate, RuleDelete, RepositoryList, RepositoryGet,
}

/// A yes.
#[derive(Debug)]
pub(crate) struct May<P> {
    /// Who asks.
    pub(crate) principal: Principal,
    permit: PhantomData<P>,
}

impl<P: Permit> FromRequestParts<Api> for May<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Somebody(principal) = Somebody::from_request_parts(parts, api).await?;
        check(api, &principal, P::ACTION)?;
        Ok(Self { principal, permit: PhantomData })
    }
}

impl<P> May<P> {
    /// Whether the same principal may do something else too, where one operation is two actions.
    pub(crate) fn also<Q: Permit>(&self, api: &Api) -> Result<(), Problem> {
        check(api, &self.principal, Q::ACTION)
    }
}

fn check(api: &Api, principal: &Principal, action: Action) -> Result<(), Problem> {
    authorize(&api.state(), principal, action, &Resource::installation())
        .map_err(|denied| Problem::denied(&denied))
}

/// Who asks, proven but not yet allowed anything.
#[derive(Debug)]
pub(crate) struct Somebody(pub(crate) Principal);

impl FromRequestParts<Api> for Somebody {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(Problem::no_credential)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(Problem::wrong_credential)?;
        authenticate(&api.state(), token, CredentialKind::Token, api.now())
            .map(|proven| Self(proven.principal))
            .ok_or_else(Problem::wrong_credential)
    }
}

//! Listeners, rules and target groups.

use access::{Resource, ResourceKind};
use api::{CreateRuleRequest, Done, Page, PageQuery};
use model::{Action, Conditions, IdPrefix, Listener, RoutingChange, Rule, RuleId, State};

use crate::describe::routing::{listener, rule, target_groups};
use crate::page::page;
use crate::{Context, Decision, Operation, Refused, Request, View, find};

/// The listener that is meant where none is named.
const USUAL_LISTENER: &str = "http";

/// Listeners by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListListeners(pub PageQuery);

/// Target groups with their targets and how routers see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListTargetGroups(pub PageQuery);

/// Rules: those with a priority first, lowest number first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRules(pub PageQuery);

/// Makes a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateRule(pub CreateRuleRequest);

/// Removes a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRule(pub IdPrefix);

impl Request for ListListeners {
    const OPERATION: Operation = Operation::ListListeners;
    type Answer = Page<api::Listener>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Listener))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let seen = view.state.listeners().filter(|one| view.shows(Self::OPERATION, *one));
            let key = |one: &&Listener| one.id;
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), listener)
        }))
    }
}

impl Request for ListTargetGroups {
    const OPERATION: Operation = Operation::ListTargetGroups;
    type Answer = Page<api::TargetGroup>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::TargetGroup))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let shows = |one: &api::TargetGroup| {
                let group = view.state.target_group(one.target_group_id);
                group.is_some_and(|group| view.shows(Self::OPERATION, group))
            };
            let seen = target_groups(view.state, view.observed).into_iter().filter(shows);
            let key = |one: &api::TargetGroup| one.target_group_id;
            page(seen, key, self.0.limit, self.0.next_token.as_ref(), |one| one)
        }))
    }
}

impl Request for ListRules {
    const OPERATION: Operation = Operation::ListRules;
    type Answer = Page<api::Rule>;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::any(ResourceKind::Rule))
    }

    fn decide<'r>(&'r self, _: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        Ok(Decision::read(|view| {
            let rules = view.state.rules_in_force().into_values();
            let seen = rules.filter(|one| view.shows(Self::OPERATION, one));
            let described = seen.filter_map(|one| rule(view.state, &one));
            let key = |one: &api::Rule| (one.priority.unwrap_or(u16::MAX), one.rule_id);
            page(described, key, self.0.limit, self.0.next_token.as_ref(), |one| one)
        }))
    }
}

impl CreateRule {
    fn listener_name(&self) -> &str {
        self.0.listener_name.as_deref().unwrap_or(USUAL_LISTENER)
    }
}

impl Request for CreateRule {
    const OPERATION: Operation = Operation::CreateRule;
    type Answer = api::Rule;

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::listener(self.listener_name()))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let (state, request) = (context.view.state, &self.0);
        let named = request.service_name.as_ref();
        let service =
            named.map(|name| find::service(state, &request.cluster_name, name)).transpose()?;
        let action = action(state, request, service)?;
        let conditions = conditions(request)?;
        let listener = state.listeners().find(|one| one.name == self.listener_name());
        let listener = listener
            .ok_or_else(|| Refused::missing(ResourceKind::Listener, &self.listener_name()))?;
        let made = Rule {
            id: RuleId::new(context.view.now, context.random()),
            listener: listener.id,
            priority: request.priority,
            conditions,
            action,
            service: service.map(|service| service.id),
            created_at: context.view.now,
        };
        let change = RoutingChange::CreateRule(made.clone()).into();
        Ok(Decision::change(vec![change], move |view| {
            rule(view.state, &made).ok_or_else(|| Refused::missing(ResourceKind::Rule, &made.id))
        }))
    }
}

fn action(
    state: &State,
    request: &CreateRuleRequest,
    service: Option<&model::Service>,
) -> Result<Action, Refused> {
    match (service, &request.target_group_name, &request.fixed_response) {
        (Some(service), None, None) => {
            let balancer = state.load_balancers(service).first();
            let balancer = balancer.ok_or_else(|| Refused::NoTargetGroup(service.name.clone()))?;
            Ok(Action::Forward { target_group: balancer.target_group })
        }
        (None, Some(name), None) => {
            let group = state.target_group_named(&request.cluster_name, name);
            let group = group.ok_or_else(|| Refused::missing(ResourceKind::TargetGroup, name))?;
            Ok(Action::Forward { target_group: group.id })
        }
        (None, None, Some(fixed)) => Ok(Action::FixedResponse {
            status: fixed.status_code,
            content_type: fixed.content_type.clone(),
            body: fixed.message_body.clone(),
        }),
        _ => Err(Refused::NotOneAction),
    }
}

fn conditions(request: &CreateRuleRequest) -> Result<Conditions, Refused> {
    let mut conditions = match (&request.host, &request.path) {
        (None, None) => Conditions::default(),
        (host, path) => {
            let path = path.as_deref().unwrap_or("/");
            host_and_path(host.as_deref().unwrap_or("*"), path)?
        }
    };
    conditions.host_header.extend(request.host_header.iter().cloned());
    conditions.path_pattern.extend(request.path_pattern.iter().cloned());
    Ok(conditions)
}

/// What people mean who just say host and path; what could never match is refused.
pub(crate) fn host_and_path(host: &str, path: &str) -> Result<Conditions, Refused> {
    if !path.starts_with('/') {
        return Err(Refused::PathWithoutSlash(path.to_owned()));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some((name, _)) = host.rsplit_once(':').filter(|_| !host.ends_with(']')) {
        return Err(Refused::HostWithPort { host: host.to_owned(), name: name.to_owned() });
    }
    Ok(Conditions::host_and_path(host, path))
}

/// A rule that people made, or one of a revision that is in force.
fn named(state: &State, prefix: &IdPrefix) -> Result<RuleId, Refused> {
    let in_force = state.rules_in_force();
    let made = state.rules().map(|rule| rule.id).filter(|id| !in_force.contains_key(id));
    find::only(ResourceKind::Rule, prefix, in_force.keys().copied().chain(made))
}

impl Request for DeleteRule {
    const OPERATION: Operation = Operation::DeleteRule;
    type Answer = Done;

    fn resource(&self, view: &View<'_>) -> Result<Resource, Refused> {
        let known = named(view.state, &self.0).ok().and_then(|id| {
            let made = view.state.rule(id).map(Resource::from);
            made.or_else(|| view.state.rules_in_force().get(&id).map(Resource::from))
        });
        Ok(known.unwrap_or_else(|| Resource::unknown(ResourceKind::Rule, &self.0)))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let id = named(context.view.state, &self.0)?;
        if let Some((service, revision)) = context.view.state.owner_of_rule(id) {
            let (service, revision) = (service.name.clone(), revision.number);
            return Err(Refused::RuleOfRevision { service, revision });
        }
        Ok(Decision::change(vec![RoutingChange::RemoveRule(id).into()], |_| Ok(Done {})))
    }
}

//! How a deployed service is reached: its health check, and the one rule that `berth deploy` keeps for it.

use model::{
    Action, Change, HealthCheck, HealthCheckProtocol, RoutingChange, Rule, RuleId, Service,
    TargetGroup,
};

use super::{Changeset, Inputs};
use crate::Refused;
use crate::refused::DeployError;
use crate::routing::host_and_path;
use crate::sentence::Origin;

impl Inputs<'_> {
    /// The check as it is or the default one, with what was said put in.
    pub(super) fn health_check(
        &self,
        known: Option<&HealthCheck>,
        changeset: &mut Changeset,
    ) -> Result<HealthCheck, DeployError> {
        let (said, path) = (self.request.health_protocol, self.request.health_path.as_ref());
        let mut check = known.cloned().unwrap_or_default();
        check.protocol = said.or(path.map(|_| HealthCheckProtocol::Http)).unwrap_or(check.protocol);
        match (check.protocol, path) {
            (HealthCheckProtocol::Http, Some(path)) => check.path.clone_from(path),
            (HealthCheckProtocol::Http, None) if known.is_some() => {
                changeset.infer("health", &check.path, Origin::AsBefore);
            }
            (HealthCheckProtocol::Http, None) => {
                changeset.infer("health", &check.path, Origin::DefaultCheck);
            }
            (HealthCheckProtocol::Tcp, Some(_)) => {
                return Err(DeployError::TcpCheckWithPath);
            }
            (HealthCheckProtocol::Tcp, None) => {}
        }
        Ok(check)
    }

    /// The rule of a new service; of a known one, what was said of its check, its host and its path.
    pub(super) fn routing(
        &self,
        service: &Service,
        changeset: &mut Changeset,
    ) -> Result<(), Refused> {
        let Some(balancer) = service.load_balancers.first() else { return Ok(()) };
        let request = self.request;
        let checks = request.health_path.is_some() || request.health_protocol.is_some();
        if let Some(known) = self.state.target_group(balancer.target_group).filter(|_| checks) {
            let health_check = self.health_check(Some(&known.health_check), changeset)?;
            changeset.changes.push(
                RoutingChange::PutTargetGroup(TargetGroup { health_check, ..known.clone() }).into(),
            );
        }
        if self.known.is_some() && request.host.is_none() && request.path.is_none() {
            return Ok(());
        }
        let own = |rule: &&Rule| rule.service == Some(service.id) && rule.priority.is_none();
        let before = self.state.rules().find(own);
        let host = before.and_then(|rule| rule.conditions.host_header.first());
        let host = changeset.choose("host", request.host.clone(), || match host {
            Some(host) => (host.clone(), Origin::AsBefore),
            None => (format!("{}.localhost", service.name), Origin::ServiceName),
        });
        let path = before.and_then(|rule| rule.conditions.path_pattern.first());
        let path = changeset.choose("path", request.path.clone(), || match path {
            Some(path) => (path.clone(), Origin::AsBefore),
            None => ("/".to_owned(), Origin::Default),
        });
        let conditions = host_and_path(&host, &path)?;
        if before.is_some_and(|rule| rule.conditions == conditions) {
            return Ok(());
        }
        changeset
            .changes
            .extend(before.map(|rule| Change::from(RoutingChange::RemoveRule(rule.id))));
        let listener = self.state.listeners().next().ok_or(DeployError::NoListenerYet)?;
        changeset.changes.push(
            RoutingChange::CreateRule(Rule {
                id: RuleId::new(self.context.view.now, self.context.random()),
                listener: listener.id,
                priority: None,
                conditions,
                action: Action::Forward { target_group: balancer.target_group },
                service: Some(service.id),
                created_at: self.context.view.now,
            })
            .into(),
        );
        Ok(())
    }
}

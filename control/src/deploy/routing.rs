//! How a deployed service is reached: its target group, its health check, and the host and path that lead there.

use api::InferredValue;
use model::{
    HealthCheck, HealthCheckProtocol, LoadBalancer, Route, RoutingChange, RuleId, TargetGroup,
    TargetGroupId, TaskDefinition,
};

use super::{Changeset, Inputs, health};
use crate::refused::DeployError;
use crate::routing::host_and_path;
use crate::sentence::{self, Origin};
use crate::{Refused, deployment};

/// Until a target that leaves is cut off, in seconds.
const DEREGISTRATION_DELAY: u32 = 30;

impl Inputs<'_> {
    /// How the revision is reached: as the one before it, with what was said put in; nothing where its tasks take no
    /// traffic.
    pub(super) fn load_balancers(
        &self,
        definition: &TaskDefinition,
        changeset: &mut Changeset,
    ) -> Result<Vec<LoadBalancer>, Refused> {
        let known = self.current.map_or(&[][..], |revision| &revision.load_balancers);
        let mut balancers = deployment::balancers_in(definition, known);
        if let Some(first) = balancers.first_mut() {
            if let (Some(port), None) = (self.request.port, &self.request.task_definition) {
                first.container_port = port;
            }
            if health::says_anything(self.request) {
                first.health_check = self.health_check(Some(&first.health_check), changeset)?;
            }
            if self.request.host.is_some() || self.request.path.is_some() {
                let route = self.route(first.routes.first(), changeset)?;
                first.routes = first.routes.iter().skip(1).cloned().collect();
                first.routes.insert(0, route);
            }
            return Ok(balancers);
        }
        let first = self.first_balancer(definition, changeset)?;
        if first.is_none() && self.says_traffic() {
            return Err(DeployError::TakesNoTraffic(self.request.name.clone()).into());
        }
        Ok(first.into_iter().collect())
    }

    /// Where the traffic of a service goes that had none before; None where its definition maps no port, or a service that
    /// is there takes none and nobody said that it should.
    fn first_balancer(
        &self,
        definition: &TaskDefinition,
        changeset: &mut Changeset,
    ) -> Result<Option<LoadBalancer>, Refused> {
        if self.known.is_some() && self.request.port.is_none() {
            return Ok(None);
        }
        let Some((container_name, container_port)) = self.taker(definition, changeset)? else {
            return Ok(None);
        };
        let now = self.context.view.now;
        let health_check = self.health_check(None, changeset)?;
        let route = self.route(None, changeset)?;
        let group = TargetGroup {
            id: TargetGroupId::new(now, self.context.random()),
            cluster: self.request.cluster_name.clone(),
            name: self.request.name.as_str().parse().expect("a service name is a group's name"),
            created_at: now,
        };
        let target_group = group.id;
        changeset.changes.push(RoutingChange::CreateTargetGroup(group).into());
        Ok(Some(LoadBalancer {
            target_group,
            container_name,
            container_port,
            health_check,
            deregistration_delay_seconds: DEREGISTRATION_DELAY,
            routes: vec![route],
        }))
    }

    /// Whether the request says how traffic gets there.
    fn says_traffic(&self) -> bool {
        self.request.host.is_some()
            || self.request.path.is_some()
            || health::says_anything(self.request)
    }

    fn health_check(
        &self,
        known: Option<&HealthCheck>,
        changeset: &mut Changeset,
    ) -> Result<HealthCheck, DeployError> {
        let check = health::merged(known, self.request)?;
        if check.protocol == HealthCheckProtocol::Http && self.request.health_path.is_none() {
            let origin = if known.is_some() { Origin::AsBefore } else { Origin::DefaultCheck };
            changeset.infer("health", &check.path, origin);
        }
        Ok(check)
    }

    /// The host and path that lead there; the same rule where they are those that there were.
    fn route(&self, before: Option<&Route>, changeset: &mut Changeset) -> Result<Route, Refused> {
        let request = self.request;
        let host = before.and_then(|route| route.conditions.host_header.first());
        if let (Some(said), Some(host)) = (&request.host, host)
            && said != host
        {
            // What goes with the old tasks is told, since nobody may have thought of it.
            changeset.inferred.push(InferredValue {
                name: "host".to_owned(),
                value: said.clone(),
                origin: sentence::instead_of(host),
            });
        }
        let host = changeset.choose("host", request.host.clone(), || match host {
            Some(host) => (host.clone(), Origin::AsBefore),
            None => (format!("{}.localhost", request.name), Origin::ServiceName),
        });
        let path = before.and_then(|route| route.conditions.path_pattern.first());
        let path = changeset.choose("path", request.path.clone(), || match path {
            Some(path) => (path.clone(), Origin::AsBefore),
            None => ("/".to_owned(), Origin::Default),
        });
        let conditions = host_and_path(&host, &path)?;
        if let Some(same) = before.filter(|route| route.conditions == conditions) {
            return Ok(same.clone());
        }
        let listener = self.state.listeners().next().ok_or(DeployError::NoListenerYet)?;
        let id = RuleId::new(self.context.view.now, self.context.random());
        Ok(Route { id, listener: listener.id, conditions })
    }
}

//! What `berth deploy` runs: the definition as it is with what was said put in, or a first one made from the image.

use api::{DeployRequest, TaskDefinitionReference};
use model::{
    ContainerDefinition, ContainerName, ImageReference, KeyValue, LoadBalancer, PortMapping,
    Reference, ServiceName, Tag, TaskDefinition, TaskDefinitionChange, TransportProtocol,
};

use super::{Changeset, Inputs};
use crate::refused::DeployError;
use crate::sentence::Origin;
use crate::{Refused, resolve, task_definition};

impl Inputs<'_> {
    /// The definition that this deployment runs: a new revision, or the one that runs now where it says the same.
    pub(super) fn definition(&self, changeset: &mut Changeset) -> Result<TaskDefinition, Refused> {
        if let Some(reference) = &self.request.task_definition {
            return self.registered(reference);
        }
        let before = self.container()?;
        let image = changeset.choose("image", self.request.image.clone(), || match before {
            Some(before) => (before.image.clone(), Origin::AsBefore),
            None => (named_after(&self.request.name), Origin::ServiceName),
        });
        resolve::check_registry(self.context.view.setup, &image)?;
        let image = ImageReference { registry: None, ..image };
        let tag = self.tag(&image)?;
        let port = self.port(before, tag, changeset)?;
        let container = self.put_in(before, image, port, changeset);
        if let Some(old) = self.old.filter(|old| old.container_definitions == [container.clone()]) {
            return Ok(old.clone());
        }
        let definition = self.next_revision(container);
        changeset.changes.push(TaskDefinitionChange::Register(definition.clone()).into());
        Ok(definition)
    }

    /// A definition that was registered before, as it is.
    fn registered(&self, reference: &TaskDefinitionReference) -> Result<TaskDefinition, Refused> {
        let DeployRequest { image, environment, unset_environment, cpu, memory, command, .. } =
            self.request;
        let says_more = image.is_some()
            || environment.is_some()
            || unset_environment.is_some()
            || cpu.is_some()
            || memory.is_some()
            || command.is_some();
        if says_more {
            return Err(DeployError::DefinitionSaysItself.into());
        }
        if self.known.is_some() && self.request.port.is_some() {
            return Err(DeployError::PortOfKnownService(self.request.name.clone()).into());
        }
        task_definition::find(self.state, reference).cloned()
    }

    /// Which container of a service that took no traffic before takes it, and at which port.
    pub(super) fn taker(
        &self,
        definition: &TaskDefinition,
        changeset: &mut Changeset,
    ) -> Result<Option<(ContainerName, u16)>, DeployError> {
        let containers = definition.container_definitions.iter();
        let mut ports = containers.flat_map(|container| {
            let tcp = |port: &&PortMapping| port.protocol == TransportProtocol::Tcp;
            let ports = container.port_mappings.iter().filter(tcp);
            ports.map(|port| (container.name.clone(), port.container_port))
        });
        let Some(wanted) = self.request.port else {
            let first = ports.next();
            if let (Some((container, port)), Some(_)) = (&first, &self.request.task_definition) {
                let value = format!("{port} of container {container}");
                changeset.infer("port", &value, Origin::FirstMapped);
            }
            return Ok(first);
        };
        let found = ports.find(|(_, port)| *port == wanted);
        found.map(Some).ok_or_else(|| DeployError::PortNotMapped {
            definition: definition.key(),
            port: wanted,
        })
    }

    /// The one container that `berth deploy` is about; None where the service is new.
    fn container(&self) -> Result<Option<&ContainerDefinition>, DeployError> {
        match self.old.map(|old| old.container_definitions.as_slice()) {
            None | Some([]) => Ok(None),
            Some([only]) => Ok(Some(only)),
            Some(several) => {
                let (service, count) = (self.request.name.clone(), several.len());
                Err(DeployError::SeveralContainers { service, count })
            }
        }
    }

    /// What the registry knows of the image; of one by digest, what the tags of its repository say.
    fn tag(&self, image: &ImageReference) -> Result<Option<&Tag>, DeployError> {
        let missing = || resolve::missing(self.context.view.setup, image);
        match &image.reference {
            Reference::Tag(tag) => {
                self.state.tag(&image.repository, tag).map(Some).ok_or_else(missing)
            }
            Reference::Digest(digest) => {
                self.state.repository(&image.repository).ok_or_else(missing)?;
                Ok(self.state.tags(&image.repository).find(|tag| tag.digest == *digest))
            }
        }
    }

    fn port(
        &self,
        before: Option<&ContainerDefinition>,
        tag: Option<&Tag>,
        changeset: &mut Changeset,
    ) -> Result<Option<u16>, DeployError> {
        if let Some(0) = self.request.port {
            return Err(DeployError::PortZero);
        }
        let takes_traffic = self.known.is_none() || self.balancer().is_some();
        if !takes_traffic && self.request.port.is_none() {
            return Ok(None);
        }
        let exposed = tag.map(|tag| &tag.exposed_ports);
        match (
            self.request.port,
            self.serving_port(before),
            exposed.and_then(|ports| ports.first()),
        ) {
            (Some(port), _, _) => Ok(Some(port)),
            (None, Some(port), _) => {
                changeset.infer("port", &port, Origin::AsBefore);
                Ok(Some(port))
            }
            (None, None, Some(port)) => {
                let several = exposed.is_some_and(|ports| ports.len() > 1);
                let origin = if several { Origin::LowestOfExpose } else { Origin::Expose };
                changeset.infer("port", port, origin);
                Ok(Some(*port))
            }
            (None, None, None) => {
                changeset.infer("port", &"none", Origin::NoExpose);
                Ok(None)
            }
        }
    }

    /// Where traffic goes now.
    fn balancer(&self) -> Option<&LoadBalancer> {
        self.current.and_then(|revision| revision.load_balancers.first())
    }

    /// The port that takes traffic now, or else the first that is mapped.
    fn serving_port(&self, before: Option<&ContainerDefinition>) -> Option<u16> {
        let balancer = self.balancer();
        let first = || before?.port_mappings.first().map(|mapping| mapping.container_port);
        balancer.map(|balancer| balancer.container_port).or_else(first)
    }

    /// The container as it was, with what was said put in.
    fn put_in(
        &self,
        before: Option<&ContainerDefinition>,
        image: ImageReference,
        port: Option<u16>,
        changeset: &mut Changeset,
    ) -> ContainerDefinition {
        let mut container = match before {
            Some(before) => ContainerDefinition { image, ..before.clone() },
            None => new_container(self.request.name.as_str(), image),
        };
        match (self.request.cpu, before.map_or(0, |before| before.cpu)) {
            (Some(cpu), _) => container.cpu = cpu,
            (None, 0) => {}
            (None, cpu) => changeset.infer("cpu", &cpu, Origin::AsBefore),
        }
        match (self.request.memory, container.memory) {
            (Some(0), _) => (container.memory, container.memory_reservation) = (None, None),
            (Some(memory), _) => {
                container.memory = Some(memory);
                let soft = container.memory_reservation.filter(|soft| *soft <= memory);
                container.memory_reservation = soft;
            }
            (None, Some(memory)) => changeset.infer("memory", &memory, Origin::AsBefore),
            (None, None) => {}
        }
        if let Some(port) = port {
            map(&mut container.port_mappings, self.serving_port(before), port);
        }
        let unset = self.request.unset_environment.iter().flatten();
        let unset: Vec<_> = unset.map(String::as_str).collect();
        container.environment.retain(|variable| !unset.contains(&variable.name.as_str()));
        for variable in self.request.environment.iter().flatten() {
            set(&mut container.environment, variable);
        }
        if let Some(command) = &self.request.command {
            container.command = Some(command.clone());
        }
        container
    }

    fn next_revision(&self, container: ContainerDefinition) -> TaskDefinition {
        let family = match self.old {
            Some(old) => old.family.clone(),
            None => self.request.name.as_str().parse().expect("a service name is a family"),
        };
        let last = self.state.latest_task_definition(&family).map_or(0, |last| last.revision);
        let kept = |said: Option<u64>, old: fn(&TaskDefinition) -> Option<u64>| match said {
            Some(_) => None,
            None => self.old.and_then(old),
        };
        TaskDefinition {
            family,
            revision: last + 1,
            container_definitions: vec![container],
            cpu: kept(self.request.cpu, |old| old.cpu),
            memory: kept(self.request.memory, |old| old.memory),
            registered_at: self.context.view.now,
        }
    }
}

fn named_after(name: &ServiceName) -> ImageReference {
    ImageReference {
        registry: None,
        repository: name.as_str().parse().expect("a service name is a repository name"),
        reference: Reference::Tag("latest".parse().expect("`latest` is a tag")),
    }
}

fn new_container(name: &str, image: ImageReference) -> ContainerDefinition {
    let name: ContainerName = name.parse().expect("a service name is a container name");
    ContainerDefinition {
        name,
        image,
        cpu: 0,
        memory: None,
        memory_reservation: None,
        essential: true,
        port_mappings: Vec::new(),
        environment: Vec::new(),
        entry_point: None,
        command: None,
        working_directory: None,
        user: None,
        readonly_root_filesystem: false,
        stop_timeout: None,
        restart_policy: None,
    }
}

/// Maps the port: in the place of the one that took the traffic, beside others.
fn map(mappings: &mut Vec<PortMapping>, serving: Option<u16>, port: u16) {
    if mappings.iter().any(|mapping| mapping.container_port == port) {
        return;
    }
    let protocol = TransportProtocol::Tcp;
    let new = PortMapping { container_port: port, host_port: 0, protocol, name: None };
    match mappings.iter_mut().find(|mapping| Some(mapping.container_port) == serving) {
        Some(mapping) => mapping.container_port = port,
        None => mappings.insert(0, new),
    }
}

fn set(environment: &mut Vec<KeyValue>, variable: &KeyValue) {
    match environment.iter_mut().find(|known| known.name == variable.name) {
        Some(known) => known.value.clone_from(&variable.value),
        None => environment.push(variable.clone()),
    }
}

//! What `berth deploy` runs: the definition as it is with what was said put in, or a first one made from the image.

use api::{DeployRequest, ProblemCode, TaskDefinitionReference};
use model::{
    ContainerDefinition, ContainerName, ImageReference, KeyValue, PortMapping, Reference,
    ServiceName, Tag, TaskDefinition, TaskDefinitionChange, TransportProtocol,
};

use super::{Context, Draft};
use crate::problem::Problem;
use crate::task_definition::{check_registry, find, no_image};

/// CPU units of a task that says nothing: a quarter of a core under contention.
const DEFAULT_CPU: u64 = 256;
/// MiB of memory of a task that says nothing.
const DEFAULT_MEMORY: u64 = 256;

impl Context<'_> {
    /// The definition that this deployment runs: a new revision, or the one that runs now where it says the same.
    pub(super) fn definition(&self, draft: &mut Draft) -> Result<TaskDefinition, Problem> {
        if let Some(reference) = &self.request.task_definition {
            return self.registered(reference);
        }
        let before = self.container()?;
        let image = draft.choose("image", self.request.image.clone(), || match before {
            Some(before) => (before.image.clone(), "as before"),
            None => (named_after(&self.request.name), "the service's name"),
        });
        check_registry(self.api, &image)?;
        let image = ImageReference { registry: None, ..image };
        let tag = self.tag(&image)?;
        let port = self.port(before, tag, draft)?;
        let container = self.put_in(before, image, port, draft);
        if let Some(old) = self.old.filter(|old| old.container_definitions == [container.clone()]) {
            return Ok(old.clone());
        }
        let definition = self.next_revision(container);
        draft.changes.push(TaskDefinitionChange::Register(definition.clone()).into());
        Ok(definition)
    }

    /// A definition that was registered before, as it is.
    fn registered(&self, reference: &TaskDefinitionReference) -> Result<TaskDefinition, Problem> {
        let DeployRequest { image, environment, cpu, memory, command, .. } = self.request;
        let says_more = image.is_some()
            || environment.is_some()
            || cpu.is_some()
            || memory.is_some()
            || command.is_some();
        if says_more {
            let detail = "a task definition says image, environment, cpu, memory and command itself: register a revision that \
                          says them otherwise with `berth task-definition register`";
            return Err(Problem::invalid(detail));
        }
        if self.known.is_some() && self.request.port.is_some() {
            let detail = format!(
                "service `{}` takes its traffic at the port that the task definition maps: say no port",
                self.request.name
            );
            return Err(Problem::invalid(detail));
        }
        find(self.state, reference).cloned()
    }

    /// Which container of a new service takes its traffic, and at which port.
    pub(super) fn taker(
        &self,
        definition: &TaskDefinition,
        draft: &mut Draft,
    ) -> Result<Option<(ContainerName, u16)>, Problem> {
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
                draft.infer("port", &value, "the first that the task definition maps");
            }
            return Ok(first);
        };
        let found = ports.find(|(_, port)| *port == wanted);
        found.map(Some).ok_or_else(|| {
            let key = definition.key();
            Problem::invalid(format!("task definition `{key}` maps no TCP port {wanted}"))
        })
    }

    /// The one container that `berth deploy` is about; None where the service is new.
    fn container(&self) -> Result<Option<&ContainerDefinition>, Problem> {
        match self.old.map(|old| old.container_definitions.as_slice()) {
            None | Some([]) => Ok(None),
            Some([only]) => Ok(Some(only)),
            Some(several) => {
                let detail = format!(
                    "service `{name}` runs {} containers per task: register a task definition with `berth task-definition \
                     register` and deploy it with `berth deploy {name} --task-definition FAMILY`; `berth service scale {name}` \
                     changes how many tasks it keeps",
                    several.len(),
                    name = self.request.name,
                );
                Err(Problem::new(ProblemCode::SeveralContainers, detail))
            }
        }
    }

    /// What the registry knows of the image; of one by digest, what the tags of its repository say.
    fn tag(&self, image: &ImageReference) -> Result<Option<&Tag>, Problem> {
        let missing = || no_image(self.api, image);
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
        draft: &mut Draft,
    ) -> Result<Option<u16>, Problem> {
        if let Some(0) = self.request.port {
            return Err(Problem::invalid("port 0 is no port; use 1 to 65535"));
        }
        let takes_traffic = self.known.is_none_or(|known| !known.load_balancers.is_empty());
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
                draft.infer("port", &port, "as before");
                Ok(Some(port))
            }
            (None, None, Some(port)) => {
                let several = exposed.is_some_and(|ports| ports.len() > 1);
                let lowest = "the lowest port of the image's EXPOSE";
                let origin = if several { lowest } else { "the image's EXPOSE" };
                draft.infer("port", port, origin);
                Ok(Some(*port))
            }
            (None, None, None) => {
                let detail = "the image exposes no port: say which one the application listens on with `--port`, or add \
                              EXPOSE to its Dockerfile";
                Err(Problem::new(ProblemCode::NoPort, detail))
            }
        }
    }

    /// The port that takes traffic now, or else the first that is mapped.
    fn serving_port(&self, before: Option<&ContainerDefinition>) -> Option<u16> {
        let balancer = self.known.and_then(|known| known.load_balancers.first());
        let first = || before?.port_mappings.first().map(|mapping| mapping.container_port);
        balancer.map(|balancer| balancer.container_port).or_else(first)
    }

    /// The container as it was, with what was said put in.
    fn put_in(
        &self,
        before: Option<&ContainerDefinition>,
        image: ImageReference,
        port: Option<u16>,
        draft: &mut Draft,
    ) -> ContainerDefinition {
        let mut container = match before {
            Some(before) => ContainerDefinition { image, ..before.clone() },
            None => new_container(self.request.name.as_str(), image),
        };
        let (cpu, origin) = match before {
            Some(before) => (before.cpu, "as before"),
            None => (DEFAULT_CPU, "the default; 1024 is one core"),
        };
        container.cpu = draft.choose("cpu", self.request.cpu, || (cpu, origin));
        match (self.request.memory, before.map(|before| before.memory)) {
            (Some(memory), _) => {
                container.memory = Some(memory);
                let soft = container.memory_reservation.filter(|soft| *soft <= memory);
                container.memory_reservation = soft;
            }
            (None, Some(Some(memory))) => draft.infer("memory", &memory, "as before"),
            (None, Some(None)) => draft.infer("memory", &"no limit", "as before"),
            (None, None) => {
                draft.infer("memory", &DEFAULT_MEMORY, "the default, in MiB");
                container.memory = Some(DEFAULT_MEMORY);
            }
        }
        if let Some(port) = port {
            map(&mut container.port_mappings, self.serving_port(before), port);
        }
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
            registered_at: self.api.now(),
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
        cpu: DEFAULT_CPU,
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

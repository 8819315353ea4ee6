//! What is free on each instance, and what keeps tasks away from it. It follows from State alone; a placement that is only
//! tried takes from a copy, which shares what it does not touch.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use model::{
    ClusterName, Dimension, FilterReason, Instance, InstanceId, InstanceStatus, Placement,
    Platform, Resources, Shortfall, State, Subnet, Timestamp,
};

use crate::assessment::Assessment;
use crate::memory;
use crate::planted::{self, Fault};
use crate::request::Request;
use crate::rotation::{self, Ports};

/// What is free where.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    /// In the order of their ids.
    places: Vec<Arc<Place>>,
    /// Taken host ports by host: instances in one network namespace share them.
    ports: Vec<Arc<Ports>>,
    /// Host ports for mappings that leave the choice to the scheduler.
    port_range: RangeInclusive<u16>,
}

/// What is free on one instance.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) id: InstanceId,
    pub(crate) cluster: ClusterName,
    /// What keeps every task away.
    closed: Option<FilterReason>,
    /// When it may open or close for good, where that is soon.
    pub(crate) may_open_at: Option<Timestamp>,
    platform: Platform,
    subnet: Option<Subnet>,
    pub(crate) free: Resources,
    /// MiB of memory for what reserves none.
    pub(crate) spare_memory: u64,
    /// How many tasks should run there.
    pub(crate) tasks: usize,
    addresses: HashSet<Ipv4Addr>,
    last_address: u32,
    last_port: u16,
    first_port: u16,
    host: usize,
}

impl Room {
    /// Reckons it from all tasks.
    pub(crate) fn of(state: &State, facts: &Assessment<'_>) -> Self {
        let port_range = facts.inputs.settings.port_range.clone();
        let mut room = Self { places: Vec::new(), ports: Vec::new(), port_range };
        let mut hosts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for instance in state.instances() {
            let identity = &instance.host;
            let key = (identity.boot_id.as_str(), identity.network_namespace.as_str());
            let next = room.ports.len();
            // An agent that cannot tell its boot is taken for a host of its own.
            let host = if key.0.is_empty() { next } else { *hosts.entry(key).or_insert(next) };
            if host == next {
                room.ports.push(Arc::default());
            }
            room.places.push(Arc::new(Place::of(state, facts, instance, host)));
            room.take_ports(state, instance.id, host);
        }
        room
    }

    /// Reckons one instance anew. Its host ports are only taken: what a plan stops gives none back before it has stopped.
    pub(crate) fn refresh(&mut self, state: &State, facts: &Assessment<'_>, id: InstanceId) {
        let Ok(index) = self.places.binary_search_by_key(&id, |place| place.id) else { return };
        let Some(instance) = state.instance(id) else { return };
        let host = self.places[index].host;
        self.places[index] = Arc::new(Place::of(state, facts, instance, host));
        self.take_ports(state, id, host);
    }

    fn take_ports(&mut self, state: &State, id: InstanceId, host: usize) {
        let placements = state.tasks_on(id).filter_map(|task| task.placement());
        let ports = placements.flat_map(|placement| &placement.ports);
        Arc::make_mut(&mut self.ports[host])
            .extend(ports.map(|port| (port.protocol, port.host_port)));
    }

    /// The instances of a cluster, by their index.
    pub(crate) fn of_cluster(&self, cluster: &ClusterName) -> impl Iterator<Item = usize> {
        let all = self.places.iter().enumerate();
        all.filter(|(_, place)| place.cluster == *cluster).map(|(index, _)| index)
    }

    /// One of them.
    pub(crate) fn place(&self, index: usize) -> &Place {
        &self.places[index]
    }

    /// Why a task of the request cannot go there.
    pub(crate) fn filter(&self, index: usize, request: &Request) -> Option<FilterReason> {
        let place = &self.places[index];
        if let Some(closed) = &place.closed {
            return Some(closed.clone());
        }
        let runs = |image: &&BTreeSet<Platform>| !image.contains(&place.platform);
        if let Some(image) = request.platforms.iter().find(runs) {
            let (image, instance) = (image.clone(), place.platform.clone());
            return Some(FilterReason::Platform { image, instance });
        }
        let mut shortfalls = place.free.shortfalls(&request.resources);
        if shortfalls.is_empty() && place.spare_memory < request.unreserved_memory {
            let (needed, free) = (request.unreserved_memory, place.spare_memory);
            shortfalls.push(Shortfall { dimension: Dimension::Memory, needed, free });
        }
        if !shortfalls.is_empty() {
            return Some(FilterReason::InsufficientResources { shortfalls });
        }
        let taken = &self.ports[place.host];
        let fixed = request.mappings.iter().filter(|(_, mapping)| mapping.host_port != 0);
        fixed
            .map(|(_, mapping)| (mapping.protocol, mapping.host_port))
            .find(|port| taken.contains(port))
            .map(|(protocol, port)| FilterReason::PortTaken { port, protocol })
    }

    /// Takes the room of one task there. None where addresses or ports are used up.
    pub(crate) fn take(&mut self, index: usize, request: &Request) -> Option<Placement> {
        let place = Arc::make_mut(&mut self.places[index]);
        let subnet = place.subnet?;
        let offset = rotation::address(subnet, place.last_address, &place.addresses)?;
        let address = subnet.address(offset);
        let range = &self.port_range;
        let from = if range.contains(&place.last_port) {
            rotation::after(place.last_port, range)
        } else {
            place.first_port
        };
        let taken = Arc::make_mut(&mut self.ports[place.host]);
        let ports = rotation::ports(&request.mappings, from, range, taken)?;
        taken.extend(ports.iter().map(|port| (port.protocol, port.host_port)));
        if let Some(last) = rotation::last_chosen(&request.mappings, &ports) {
            place.last_port = last;
        }
        place.last_address = offset;
        place.addresses.insert(address);
        place.free = place.free.minus(&request.resources);
        let taken = request.unreserved_memory + request.resources.memory();
        place.spare_memory = place.spare_memory.saturating_sub(taken);
        place.tasks += 1;
        Some(Placement { instance: place.id, address, ports })
    }
}

impl Place {
    fn of(state: &State, facts: &Assessment<'_>, instance: &Instance, host: usize) -> Self {
        let id = instance.id;
        let is_available = facts.is_available(id) || planted::is_on(Fault::SilenceIsIgnored);
        let closed = match instance.status {
            _ if instance.suspended => Some(FilterReason::Suspended),
            InstanceStatus::Draining => Some(FilterReason::Draining),
            InstanceStatus::Active if !is_available => Some(FilterReason::NotConnected),
            InstanceStatus::Active if instance.subnet.is_none() => Some(FilterReason::NoSubnet),
            InstanceStatus::Active => None,
        };
        let may_open_at =
            facts.may_return_until(id).filter(|_| closed == Some(FilterReason::NotConnected));
        let placements = state.tasks_on(id).filter_map(|task| task.placement());
        let range = &facts.inputs.settings.port_range;
        Self {
            id,
            cluster: instance.cluster.clone(),
            closed,
            may_open_at,
            platform: instance.platform.clone(),
            subnet: instance.subnet,
            free: state.free_on(id),
            spare_memory: memory::spare(state, facts.inputs.observed, id),
            tasks: state.tasks_on(id).filter(|task| task.wanted()).count(),
            addresses: placements.map(|placement| placement.address).collect(),
            last_address: instance.last_address,
            last_port: instance.last_port,
            first_port: rotation::first_port(state.installation(), id, range),
            host,
        }
    }
}

//! A task goes where it fits in every respect, spread over instances; where none fits, the reason is said instance by
//! instance.
//!
//! Instances are filtered once for a group of equal tasks; then each task goes to the first of a heap, and only that
//! instance's score changes. Addresses and host ports are given out in rotation, and none that any task still in State
//! has: routers may still know it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashSet};
use std::net::Ipv4Addr;

use model::{
    ClusterName, ContainerName, DeploymentId, FilterReason, InstallationId, Instance, InstanceId,
    InstanceStatus, Lease, PinnedImage, Placement, PlacementFailure, Platform, PortMapping,
    Resources, ServiceId, State, Subnet, TaskDefinition, Timestamp, TransportProtocol,
};

use crate::draft::Draft;
use crate::filter;

mod rotation;
mod tally;

use tally::Tally;

/// What a group of equal tasks asks for.
pub(crate) struct Request {
    pub(crate) cluster: ClusterName,
    pub(crate) service: Option<ServiceId>,
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) resources: Resources,
    pub(crate) images: Vec<PinnedImage>,
    pub(crate) mappings: Vec<(ContainerName, PortMapping)>,
}

/// Every port mapping of a task.
pub(crate) fn mappings(definition: &TaskDefinition) -> Vec<(ContainerName, PortMapping)> {
    definition
        .container_definitions
        .iter()
        .flat_map(|container| {
            container.port_mappings.iter().map(|mapping| (container.name.clone(), mapping.clone()))
        })
        .collect()
}

/// A task that no instance takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unplaceable {
    /// Why.
    pub(crate) failure: PlacementFailure,
    /// Until when an instance that is only just away may be back: nothing is said before.
    pub(crate) may_change_at: Option<Timestamp>,
    /// Whether it would help that another task stopped.
    pub(crate) lacks_room: bool,
}

type Ports = HashSet<(TransportProtocol, u16)>;

/// What is free on each instance.
pub(crate) struct Places {
    places: Vec<Place>,
    /// Taken host ports by host: instances in one network namespace share them.
    ports: Vec<Ports>,
}

struct Place {
    id: InstanceId,
    cluster: ClusterName,
    closed: Option<FilterReason>,
    /// When it may open or close for good, where that is soon.
    may_open_at: Option<Timestamp>,
    platform: Platform,
    subnet: Option<Subnet>,
    free: Resources,
    tasks: usize,
    addresses: HashSet<Ipv4Addr>,
    last_address: u32,
    last_port: u16,
    first_port: u16,
    host: usize,
}

/// Places up to `count` tasks; says why not all of them.
pub(crate) fn place(
    draft: &mut Draft<'_>,
    request: &Request,
    count: usize,
) -> (Vec<Placement>, Option<Unplaceable>) {
    let tallies = tally::tally(draft, request);
    let platforms = platforms(&draft.state, &request.images);
    let mut places = draft.take_places();
    let mut heap = BinaryHeap::new();
    for index in places.of(&request.cluster) {
        if places.filter(index, request, &platforms).is_none() {
            let tally = tallies.get(&places.places[index].id).copied().unwrap_or_default();
            heap.push(Reverse(places.score(index, tally)));
        }
    }
    let mut placements = Vec::new();
    while placements.len() < count
        && let Some(Reverse(Score { mut tally, index, .. })) = heap.pop()
    {
        let Some(placement) = places.take(index, request, draft) else { continue };
        placements.push(placement);
        tally.deployment += 1;
        tally.service += 1;
        if places.filter(index, request, &platforms).is_none() {
            heap.push(Reverse(places.score(index, tally)));
        }
    }
    let short = placements.len() < count;
    let unplaceable = short.then(|| places.explain(request, &platforms));
    draft.put_places(places);
    (placements, unplaceable)
}

/// The platforms of each image that says so. An image that no tag names any more says nothing, so it may go anywhere.
fn platforms(state: &State, images: &[PinnedImage]) -> Vec<BTreeSet<Platform>> {
    let of = |image: &PinnedImage| {
        let tags = state.tags(&image.repository);
        let mut same = tags.filter(|tag| tag.digest == image.digest);
        same.next().map(|tag| tag.platforms.clone()).filter(|platforms| !platforms.is_empty())
    };
    images.iter().filter_map(of).collect()
}

/// Lowest first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    tally: Tally,
    tasks: usize,
    most_free: Reverse<(u64, u64)>,
    id: InstanceId,
    index: usize,
}

impl Places {
    pub(crate) fn new(draft: &Draft<'_>) -> Self {
        let mut hosts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        let mut ports: Vec<Ports> = Vec::new();
        let mut places = Vec::new();
        let installation = draft.state.installation();
        for instance in draft.state.instances() {
            let identity = &instance.host;
            let key = (identity.boot_id.as_str(), identity.network_namespace.as_str());
            let next = ports.len();
            let host = if key.0.is_empty() { next } else { *hosts.entry(key).or_insert(next) };
            if host == next {
                ports.push(Ports::new());
            }
            let mut place = Place::new(draft, instance, installation, host);
            for task in draft.state.tasks_on(instance.id) {
                place.tasks += usize::from(task.wanted());
                if let Some(placement) = &task.placement {
                    place.addresses.insert(placement.address);
                    let taken = placement.ports.iter().map(|port| (port.protocol, port.host_port));
                    ports[host].extend(taken);
                }
            }
            places.push(place);
        }
        Self { places, ports }
    }

    fn of(&self, cluster: &ClusterName) -> Vec<usize> {
        let all = self.places.iter().enumerate();
        all.filter(|(_, place)| place.cluster == *cluster).map(|(index, _)| index).collect()
    }

    fn score(&self, index: usize, tally: Tally) -> Score {
        let place = &self.places[index];
        let most_free = Reverse((place.free.memory(), place.free.cpu()));
        Score { tally, tasks: place.tasks, most_free, id: place.id, index }
    }

    /// Why a task of the request cannot go there.
    fn filter(
        &self,
        index: usize,
        request: &Request,
        platforms: &[BTreeSet<Platform>],
    ) -> Option<FilterReason> {
        let place = &self.places[index];
        if let Some(closed) = &place.closed {
            return Some(closed.clone());
        }
        if let Some(wrong) = platforms.iter().find(|image| !image.contains(&place.platform)) {
            let (image, instance) = (wrong.clone(), place.platform.clone());
            return Some(FilterReason::Platform { image, instance });
        }
        let shortfalls = place.free.shortfalls(&request.resources);
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

    fn take(&mut self, index: usize, request: &Request, draft: &Draft<'_>) -> Option<Placement> {
        let place = &mut self.places[index];
        let subnet = place.subnet?;
        let offset = rotation::address(subnet, place.last_address, &place.addresses)?;
        let address = subnet.address(offset);
        let range = &draft.settings.port_range;
        let from = if range.contains(&place.last_port) {
            rotation::after(place.last_port, range)
        } else {
            place.first_port
        };
        let taken = &mut self.ports[place.host];
        let ports = rotation::ports(&request.mappings, from, range, taken)?;
        taken.extend(ports.iter().map(|port| (port.protocol, port.host_port)));
        if let Some(last) = rotation::last_chosen(&request.mappings, &ports) {
            place.last_port = last;
        }
        place.last_address = offset;
        place.addresses.insert(address);
        place.free = place.free.minus(&request.resources);
        place.tasks += 1;
        Some(Placement { instance: place.id, address, ports })
    }

    fn explain(&self, request: &Request, platforms: &[BTreeSet<Platform>]) -> Unplaceable {
        let candidates = self.of(&request.cluster);
        let may_change_at =
            candidates.iter().filter_map(|index| self.places[*index].may_open_at).min();
        // What fits by every count but cannot be taken has run out of addresses or ports.
        let reasons = candidates
            .iter()
            .map(|index| self.filter(*index, request, platforms).unwrap_or(FilterReason::UsedUp));
        let instances = filter::count(reasons);
        let lacks_room = may_change_at.is_none()
            && instances.iter().any(|instances| instances.reason.is_lack_of_room());
        let cluster = request.cluster.clone();
        let failure = PlacementFailure::NoInstanceFits { cluster, instances };
        Unplaceable { failure, may_change_at, lacks_room }
    }
}

impl Place {
    fn new(
        draft: &Draft<'_>,
        instance: &Instance,
        installation: Option<InstallationId>,
        host: usize,
    ) -> Self {
        let id = instance.id;
        let is_ready = draft.lease(id) == Lease::Ready;
        let is_away = !is_ready || !draft.observed.connected(id);
        let closed = match instance.status {
            InstanceStatus::Draining => Some(FilterReason::Draining),
            InstanceStatus::Active if is_away => Some(FilterReason::NotConnected),
            InstanceStatus::Active if instance.subnet.is_none() => Some(FilterReason::NoSubnet),
            InstanceStatus::Active => None,
        };
        let comes_back = is_ready && closed == Some(FilterReason::NotConnected);
        let suspect_at = draft.heard_at(id).plus(draft.settings.lease.suspect_after);
        Self {
            id,
            cluster: instance.cluster.clone(),
            closed,
            may_open_at: comes_back.then_some(suspect_at),
            platform: instance.platform.clone(),
            subnet: instance.subnet,
            free: draft.state.free_on(id),
            tasks: 0,
            addresses: HashSet::new(),
            last_address: instance.last_address,
            last_port: instance.last_port,
            first_port: rotation::first_port(installation, id, &draft.settings.port_range),
            host,
        }
    }
}

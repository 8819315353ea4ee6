//! No two instances, and nothing else on an instance's host, share an address of a task.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use model::{InstallationId, InstanceId, State, Subnet};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

/// Subnets that were chosen, including those that State does not have yet: two instances that join at once get two.
#[derive(Debug, Default)]
pub(super) struct SubnetAllocator(Mutex<BTreeMap<InstanceId, Subnet>>);

/// Where to look, in this order: the private networks of RFC 1918 and the least used part of 10.0.0.0/8 first.
const RANGES: [(Ipv4Addr, u8); 3] = [
    (Ipv4Addr::new(10, 64, 0, 0), 10),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
];
const PREFIX: u8 = 24;

impl SubnetAllocator {
    /// The subnet that this instance should have instead of the one that it has. None when that may stay, or when nothing
    /// is free: then it is logged.
    pub(super) async fn choose(
        &self,
        state: &State,
        id: InstanceId,
        used: &[Subnet],
    ) -> Option<Subnet> {
        let mut allocated = self.0.lock().await;
        let instance = state.instance(id)?;
        let own = instance.subnet.or_else(|| allocated.get(&id).copied());
        let others = state
            .instances()
            .filter(|other| other.id != id)
            .filter_map(|other| Some((other.id, other.subnet?)));
        allocated.retain(|other, _| *other != id && state.instance(*other).is_some());
        allocated.extend(others);
        let taken: Vec<Subnet> =
            allocated.values().chain(used).copied().chain(left_behind(state)).collect();
        let fits = |subnet: &Subnet| !taken.iter().any(|other| other.overlaps(*subnet));
        let chosen = match own.filter(fits) {
            Some(own) => own,
            None => free(state.installation()?, &taken).or_else(|| {
                tracing::error!(instance.id = %id, "no subnet is free for instance `{id}`");
                None
            })?,
        };
        allocated.insert(id, chosen);
        (instance.subnet != Some(chosen)).then_some(chosen)
    }
}

/// Addresses of tasks whose instance was removed: a router that does not know it yet may still send requests there.
fn left_behind(state: &State) -> impl Iterator<Item = Subnet> {
    let places = state.tasks().filter_map(|task| task.placement());
    let orphans = places.filter(|place| state.instance(place.instance).is_none());
    orphans.map(|place| Subnet::new(place.address, 32))
}

/// The first /24 that overlaps none of `taken`. Where the search begins depends on the installation, so that two
/// installations on a host rarely meet.
pub(super) fn free(installation: InstallationId, taken: &[Subnet]) -> Option<Subnet> {
    let hash = Sha256::digest(installation.to_string().as_bytes());
    let start = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    RANGES
        .into_iter()
        .flat_map(|range| all(range, start))
        .find(|candidate| taken.iter().all(|other| !other.overlaps(*candidate)))
}

fn all((network, prefix): (Ipv4Addr, u8), start: u32) -> impl Iterator<Item = Subnet> {
    let count = 1_usize << (PREFIX - prefix);
    let parts = Subnet::new(network, prefix).parts(PREFIX);
    parts.cycle().skip(start as usize % count).take(count)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use model::Timestamp;

    use super::*;

    fn installation(n: u8) -> InstallationId {
        InstallationId::new(Timestamp::EPOCH, [n; 10])
    }

    #[test]
    fn a_free_subnet_overlaps_nothing_that_is_taken() {
        let first = free(installation(1), &[]).unwrap();
        assert!("10.64.0.0/10".parse::<Subnet>().unwrap().overlaps(first));
        assert_eq!(first.size(), 256);
        assert_eq!(
            free(installation(1), &[]),
            Some(first),
            "the same installation, the same place"
        );
        assert_ne!(free(installation(2), &[]), Some(first));

        let mut taken = vec![first];
        for _ in 0..100 {
            let next = free(installation(1), &taken).unwrap();
            assert!(taken.iter().all(|other| !other.overlaps(next)));
            taken.push(next);
        }
    }

    #[test]
    fn a_host_in_a_wide_network_gets_a_subnet_outside_of_it() {
        let wide: Subnet = "10.0.0.0/8".parse().unwrap();
        let private: Subnet = "172.16.0.0/12".parse().unwrap();
        assert!(private.overlaps(free(installation(1), &[wide]).unwrap()));
        let everything: Subnet = "0.0.0.0/0".parse().unwrap();
        assert_eq!(free(installation(1), &[everything]), None);
    }

    #[test]
    fn every_subnet_of_a_range_is_tried_once() {
        let range = (Ipv4Addr::new(192, 168, 0, 0), 16);
        let tried: BTreeSet<Subnet> = all(range, 1_000_003).collect();
        assert_eq!(tried.len(), 256);
        assert_eq!(all(range, 1_000_003).count(), 256);
        assert!(tried.iter().all(|one| "192.168.0.0/16".parse::<Subnet>().unwrap().overlaps(*one)));
    }
}

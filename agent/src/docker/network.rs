//! The instance's one Docker network: a bridge with the subnet that the server assigns. It is never removed while containers
//! are attached to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::models::{Ipam, IpamConfig, Network, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};
use model::Subnet;

use super::{Engine, is_missing, within};
use crate::docker_fault;
use crate::error::{DockerError, NetworkError};
use crate::owner::{Labels, Owner};

const CALL: Duration = Duration::from_secs(30);

/// All networks of the engine.
#[derive(Debug, Clone, Default)]
pub(crate) struct Networks(pub(crate) Vec<NetworkInfo>);

/// A network.
#[derive(Debug, Clone, Default)]
pub(crate) struct NetworkInfo {
    /// Docker's id.
    pub(crate) id: String,
    /// Its name.
    pub(crate) name: String,
    /// Its labels.
    pub(crate) labels: Labels,
    /// Its IPv4 subnets.
    pub(crate) subnets: Vec<Subnet>,
}

impl Engine {
    /// All networks.
    pub(crate) async fn networks(&self) -> Result<Networks, DockerError> {
        let options = None::<ListNetworksOptions>;
        let all = within(CALL, self.docker.list_networks(options)).await?;
        Ok(Networks(all.into_iter().map(one).collect()))
    }

    /// Creates the instance's network with that subnet, unless it exists; one with another subnet is replaced.
    pub(crate) async fn ensure_network(
        &self,
        owner: &Owner,
        subnet: Subnet,
        lock: &Path,
    ) -> Result<(), NetworkError> {
        let network = owner.network();
        let failed = |error| NetworkError::Docker { network: network.clone(), error };
        let known = self.networks().await.map_err(failed)?;
        let own = known.0.into_iter().find(|one| one.name == network && owner.has(&one.labels));
        if let Some(own) = own {
            if own.subnets == [subnet] {
                return Ok(());
            }
            self.make_way(&own, subnet).await?;
        }
        let request = NetworkCreateRequest {
            name: network.clone(),
            driver: Some("bridge".to_owned()),
            labels: Some(owner.network_labels(lock)),
            ipam: Some(Ipam {
                config: Some(vec![IpamConfig {
                    subnet: Some(subnet.to_string()),
                    gateway: Some(subnet.gateway().to_string()),
                    ..IpamConfig::default()
                }]),
                ..Ipam::default()
            }),
            ..NetworkCreateRequest::default()
        };
        match within(CALL, self.docker.create_network(request)).await {
            Ok(_) => {
                tracing::info!("made the Docker network `{network}` with the subnet `{subnet}`");
                Ok(())
            }
            Err(DockerError::Refused { status, message })
                if docker_fault::is_subnet_overlap(status, &message) =>
            {
                Err(NetworkError::SubnetInUse(subnet))
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Removes the instance's network, unless containers are attached to it.
    pub(crate) async fn remove_network(&self, owner: &Owner) {
        let network = owner.network();
        match within(CALL, self.docker.remove_network(&network)).await {
            Ok(()) => {
                tracing::info!("removed the Docker network `{network}`, which no container uses");
            }
            Err(error) if is_missing(&error) => {}
            Err(error) => tracing::warn!("the Docker network `{network}` stays: {error}"),
        }
    }

    /// Removes networks of agents that are gone: nobody holds their lock, and they have no container. One that comes back
    /// makes its network anew.
    pub(crate) async fn remove_abandoned_networks(&self, own: &Owner) {
        let Ok(all) = self.networks().await else { return };
        for network in all.0 {
            let Some((owner, lock)) = Owner::of_network(&network.labels) else { continue };
            let is_left = owner != *own && network.name == owner.network() && is_free(lock).await;
            if !is_left || !self.list(&owner).await.is_ok_and(|left| left.is_empty()) {
                continue;
            }
            match within(CALL, self.docker.remove_network(&network.id)).await {
                Ok(()) => {
                    tracing::info!("removed the Docker network `{}`, which was left", network.name);
                }
                Err(error) => {
                    tracing::debug!("the Docker network `{}` stays: {error}", network.name);
                }
            }
        }
    }

    /// Removes the network with its former subnet, unless containers are attached to it.
    async fn make_way(&self, own: &NetworkInfo, wanted: Subnet) -> Result<(), NetworkError> {
        let network = own.name.clone();
        let failed = |error| NetworkError::Docker { network: network.clone(), error };
        let options = None::<InspectNetworkOptions>;
        let seen = within(CALL, self.docker.inspect_network(&own.id, options)).await;
        let containers = match seen {
            Ok(seen) => seen.containers.map_or(0, |containers| containers.len()),
            Err(error) if is_missing(&error) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        if containers > 0 {
            let had: Vec<String> = own.subnets.iter().map(ToString::to_string).collect();
            return Err(NetworkError::InUse { network, had: had.join(", "), wanted, containers });
        }
        match within(CALL, self.docker.remove_network(&own.id)).await {
            Err(error) if !is_missing(&error) => Err(failed(error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

/// Whether nobody holds a lock. One that cannot be looked at may be held.
async fn is_free(lock: PathBuf) -> bool {
    let look = move || match lock.try_exists() {
        Ok(true) => disk::Lock::acquire(&lock).is_ok_and(|taken| taken.is_some()),
        Ok(false) => true,
        Err(_) => false,
    };
    tokio::task::spawn_blocking(look).await.unwrap_or(false)
}

fn one(network: Network) -> NetworkInfo {
    let config = network.ipam.and_then(|ipam| ipam.config).unwrap_or_default();
    let subnets = config.into_iter().filter_map(|config| config.subnet?.parse().ok());
    NetworkInfo {
        id: network.id.unwrap_or_default(),
        name: network.name.unwrap_or_default(),
        labels: network.labels.unwrap_or_default(),
        subnets: subnets.collect(),
    }
}

//! What is named, or the refusal that it is not there.

use access::ResourceKind;
use model::{ClusterName, Service, ServiceName, State};

use crate::Refused;

/// The cluster of that name: a mistyped one must not look empty.
pub(crate) fn cluster<'a>(
    state: &'a State,
    name: &ClusterName,
) -> Result<&'a model::Cluster, Refused> {
    state.cluster(name).ok_or_else(|| Refused::missing(ResourceKind::Cluster, name))
}

/// The service of that name.
pub(crate) fn service<'a>(
    state: &'a State,
    cluster_name: &ClusterName,
    name: &ServiceName,
) -> Result<&'a Service, Refused> {
    cluster(state, cluster_name)?;
    let found = state.service_named(cluster_name, name);
    found.ok_or_else(|| Refused::missing(ResourceKind::Service, name))
}

//! What is named, or the refusal that it is not there.

use std::fmt::Display;

use access::ResourceKind;
use model::{ClusterName, IdPrefix, Service, ServiceName, State};

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

/// The only one of these ids that begins like this.
pub(crate) fn only<T: Copy + Display>(
    kind: ResourceKind,
    prefix: &IdPrefix,
    ids: impl Iterator<Item = T>,
) -> Result<T, Refused> {
    let mut found = ids.filter(|id| prefix.begins(id));
    match (found.next(), found.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Refused::missing(kind, prefix)),
        (Some(one), Some(other)) => Err(Refused::AmbiguousId {
            kind,
            prefix: prefix.to_string(),
            some: [one.to_string(), other.to_string()],
        }),
    }
}

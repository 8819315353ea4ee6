//! Any Change, of entities that are there and of some that are not.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;

use super::world::*;
use crate::change::{ServiceUpdate, TaskReport};
use crate::*;

/// Enough to meet each other, and few enough to meet often.
fn n() -> impl Strategy<Value = u8> + Clone {
    1_u8..5
}

pub(super) fn change() -> BoxedStrategy<Change> {
    let changes = [hosts(), access(), services(), deployments(), tasks(), reports(), routing()];
    proptest::strategy::Union::new(changes).boxed()
}

fn hosts() -> BoxedStrategy<Change> {
    let status = select(vec![InstanceStatus::Active, InstanceStatus::Draining]);
    let subnet = select(vec!["10.90.3.0/24", "10.91.0.0/24"]);
    prop_oneof![
        n().prop_map(|n| Change::Install(InstallationId::new(at(1), seed(n)))),
        n().prop_map(|n| ClusterChange::Create(cluster(n)).into()),
        n().prop_map(
            |n| InstanceChange::Register(Instance { last_port: n.into(), ..instance() }).into()
        ),
        n().prop_map(|n| {
            let name = format!("host-{n}");
            InstanceChange::Report(instance_report(&Instance { name, ..instance() })).into()
        }),
        status.prop_map(|status| {
            InstanceChange::SetStatus { instance: instance().id, status }.into()
        }),
        subnet.prop_map(|subnet| {
            let subnet = subnet.parse().unwrap();
            InstanceChange::AssignSubnet { instance: instance().id, subnet }.into()
        }),
        n().prop_map(|n| {
            let address = std::net::IpAddr::from([192, 0, 2, n]);
            InstanceChange::AllowAddress { instance: instance().id, address }.into()
        }),
        select(vec![100, 600, 9_000]).prop_map(|free_mib| {
            let disk = DiskSeen { total_mib: 10_000, free_mib };
            InstanceChange::ReportDisk { instance: instance().id, disk }.into()
        }),
        Just(InstanceChange::Remove(instance().id).into()),
        n().prop_map(|n| RouterChange::Register(router(n)).into()),
        n().prop_map(|n| RouterChange::Remove(router(n).id).into()),
    ]
    .boxed()
}

fn access() -> BoxedStrategy<Change> {
    prop_oneof![
        n().prop_map(|n| AccessChange::CreateCredential(credential(n)).into()),
        n().prop_map(|n| AccessChange::RevokeCredential(credential(n).id).into()),
        (n(), n()).prop_map(|(n, times)| use_of(credential(n).id, times.into()).into()),
        n().prop_map(|n| AccessChange::CreateJoinToken(join_token(n)).into()),
        n().prop_map(|n| AccessChange::UseJoinToken(join_token(n).id).into()),
    ]
    .boxed()
}

fn use_of(id: CredentialId, millis: i64) -> AccessChange {
    let (client, address) = (Some("docker/27.3.1".to_owned()), Some([10, 0, 0, 7].into()));
    let last_use = CredentialUse { at: Timestamp::from_millis(millis), client, address };
    let expires_at = Some(Timestamp::from_millis(millis + 1));
    AccessChange::UseCredential { id, last_use, expires_at }
}

fn services() -> BoxedStrategy<Change> {
    let update = |n: u8| ServiceUpdate {
        service: Some(service().id),
        desired_count: Some(n.into()),
        ..ServiceUpdate::default()
    };
    let tried = |n| BTreeMap::from([("web".parse().unwrap(), digest(n))]);
    let failure = select(vec![None, Some(PlacementFailure::HealthUnknown)]);
    prop_oneof![
        n().prop_map(|n| TaskDefinitionChange::Register(definition(n.into())).into()),
        Just(ServiceChange::Create(service()).into()),
        n().prop_map(move |n| ServiceChange::Update(update(n)).into()),
        Just(ServiceChange::Drain(service().id).into()),
        Just(ServiceChange::Remove(service().id).into()),
        n().prop_map(move |n| {
            ServiceChange::NoteTried { service: service().id, digests: tried(n) }.into()
        }),
        failure.prop_map(|failure| {
            ServiceChange::SetPlacementFailure { service: service().id, failure }.into()
        }),
    ]
    .boxed()
}

fn deployments() -> BoxedStrategy<Change> {
    prop_oneof![
        (n(), n()).prop_map(|(n, digest)| DeploymentChange::Start(deployment(n, digest)).into()),
        (n(), n()).prop_map(|(n, to)| DeploymentChange::Start(back(n, to)).into()),
        n().prop_map(|n| {
            let deployment = deployment(n, 1).id;
            DeploymentChange::Bake { deployment, until: at(10_000) }.into()
        }),
        n().prop_map(|n| DeploymentChange::Complete(deployment(n, 1).id).into()),
        n().prop_map(|n| {
            let failure = DeploymentFailure::TasksFailed {
                count: n.into(),
                last: None,
                unproven_settings: None,
            };
            DeploymentChange::Fail { deployment: deployment(n, 1).id, failure }.into()
        }),
    ]
    .boxed()
}

fn tasks() -> BoxedStrategy<Change> {
    let stopped = |cause| Stopped::new(cause, "no more");
    prop_oneof![
        (n(), n()).prop_map(|(n, of)| {
            let service = Some((service().id, deployment(of, 1).id));
            TaskChange::Create(NewTask { service, ..task(n) }).into()
        }),
        n().prop_map(|n| TaskChange::Create(unplaced(n)).into()),
        (n(), n()).prop_map(|(n, place)| {
            TaskChange::Place { task: task(n).id, placement: placement(place) }.into()
        }),
        n().prop_map(move |n| {
            TaskChange::Stop { task: task(n).id, stopped: stopped(StopCause::UserRequest) }.into()
        }),
        n().prop_map(move |n| {
            TaskChange::Fail { task: task(n).id, stopped: stopped(StopCause::NeverHealthy) }.into()
        }),
        n().prop_map(|n| TaskChange::Drained(task(n).id).into()),
        n().prop_map(|n| TaskChange::Healthy(task(n).id).into()),
        n().prop_map(|n| TaskChange::Lose(task(n).id).into()),
        n().prop_map(|n| {
            TaskChange::Reaped { instance: instance().id, task: task(n).id }.into()
        }),
        n().prop_map(|n| TaskChange::Forget(task(n).id).into()),
    ]
    .boxed()
}

fn reports() -> BoxedStrategy<Change> {
    let status = select(vec![
        TaskStatus::Pending,
        TaskStatus::Activating,
        TaskStatus::Running,
        TaskStatus::Stopping,
        TaskStatus::Stopped,
    ]);
    let container = |restarts| TaskContainer {
        restarts,
        ..TaskContainer::new("web".parse().unwrap(), image(1))
    };
    (n(), status, 0_u32..3)
        .prop_map(move |(n, status, restarts)| {
            TaskChange::Report(TaskReport {
                instance: instance().id,
                task: task(n).id,
                status,
                stopped: None,
                containers: vec![container(restarts)],
            })
            .into()
        })
        .boxed()
}

fn routing() -> BoxedStrategy<Change> {
    let other = |n| TargetGroup {
        id: TargetGroupId::new(at(1), seed(n)),
        name: format!("hello-{n}").parse().unwrap(),
        ..group()
    };
    prop_oneof![
        n().prop_map(|n| RoutingChange::CreateListener(listener(n)).into()),
        n().prop_map(move |n| RoutingChange::CreateTargetGroup(other(n)).into()),
        Just(RoutingChange::RemoveTargetGroup(group().id).into()),
        n().prop_map(
            |n| RoutingChange::CreateRule(Rule { priority: Some(n.into()), ..rule(n) }).into()
        ),
        n().prop_map(|n| RoutingChange::RemoveRule(rule(n).id).into()),
        Just(RepositoryChange::Create(repository()).into()),
        n().prop_map(|n| RepositoryChange::PutTag(tag(n)).into()),
        n().prop_map(|n| {
            let Tag { repository, name: tag, .. } = tag(n);
            RepositoryChange::RemoveTag { repository, tag }.into()
        }),
    ]
    .boxed()
}

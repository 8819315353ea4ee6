//! What a peer puts together of a view's parts, in either version of the protocol.

use std::net::SocketAddr;

use model::view::{InstanceView, TargetGroupView, TargetView, from_text, to_text};
use model::{
    AgentView, Epoch, HealthCheck, HostIdentity, InstallationId, InstanceId, Listener, ListenerId,
    RouterView, StateRevision, TargetGroupId, TaskId, Timestamp,
};
use proptest::prelude::*;

use crate::snapshot::{Assembly, split};
use crate::v1::Version1;

/// The text that a peer puts together of the parts that a server makes.
fn sent(text: &str) -> String {
    let mut assembly = Assembly::default();
    let parts = split(Epoch(1), StateRevision(1), text);
    // As they are on the wire.
    let frames: Vec<_> = parts.map(|part| serde_json::to_string(&part).unwrap()).collect();
    assert!(frames.iter().all(|frame| frame.len() < 1024 * 1024));
    let parts = frames.iter().map(|frame| serde_json::from_str(frame).unwrap());
    let views: Vec<_> = parts.filter_map(|part| assembly.push(part)).collect();
    let [view] = views.try_into().unwrap();
    view.text
}

/// What a peer of either version makes of a view.
fn received<V: Version1>(view: &V) -> [V; 2] {
    let rows = from_text(&sent(&to_text(view, |_| true).unwrap())).unwrap();
    let document = serde_json::to_string(&view.to_document().unwrap()).unwrap();
    let document = V::from_document(serde_json::from_str(&sent(&document)).unwrap());
    [rows, document]
}

fn listener(n: u8, name: String) -> Listener {
    let id = ListenerId::new(Timestamp::EPOCH, [n; 10]);
    Listener { id, name, created_at: Timestamp::EPOCH }
}

fn group(n: u8, path: String, expects_targets: bool) -> TargetGroupView {
    TargetGroupView {
        id: TargetGroupId::new(Timestamp::EPOCH, [n; 10]),
        name: format!("group-{n}").parse().unwrap(),
        health_check: HealthCheck { path, ..HealthCheck::default() },
        expects_targets,
    }
}

fn target(n: u8, port: u16, draining: bool) -> TargetView {
    let direct = SocketAddr::from(([10, 64, 0, n], port));
    TargetView {
        task: TaskId::new(Timestamp::EPOCH, [n; 10]),
        direct,
        published: draining.then_some(direct),
        host: HostIdentity::default(),
        draining,
        health_check: None,
    }
}

prop_compose! {
    fn router_views()(
        listeners in prop::collection::vec((any::<u8>(), any::<String>()), 0..4),
        groups in prop::collection::vec(
            (any::<u8>(), any::<String>(), any::<bool>(), prop::collection::vec((any::<u8>(), any::<u16>(), any::<bool>()), 0..5)),
            0..6,
        ),
    ) -> RouterView {
        let mut view = RouterView::default();
        for (n, name) in listeners {
            let listener = listener(n, name);
            view.listeners.insert(listener.id, listener);
        }
        for (n, path, expects_targets, targets) in groups {
            let group = group(n, path, expects_targets);
            for (n, port, draining) in targets {
                let target = target(n, port, draining);
                view.targets.insert((group.id, target.task), target);
            }
            view.target_groups.insert(group.id, group);
        }
        view
    }
}

proptest! {
    #[test]
    fn a_peer_of_either_version_puts_together_what_the_server_holds(view in router_views()) {
        prop_assert_eq!(received(&view), [view.clone(), view]);
    }
}

#[test]
fn one_row_that_is_larger_than_a_part_arrives_whole() {
    let mut view = RouterView::default();
    let listener = listener(1, "\"\\\n\u{20ac}".repeat(400_000));
    view.listeners.insert(listener.id, listener);
    assert!(received(&view) == [view.clone(), view]);
}

#[test]
fn an_agent_of_either_version_knows_its_instance() {
    let id = InstanceId::new(Timestamp::EPOCH, [1; 10]);
    let instance = InstanceView {
        installation: InstallationId::new(Timestamp::EPOCH, [2; 10]),
        id,
        subnet: None,
        advertised_address: [127, 0, 0, 1].into(),
    };
    let view = AgentView { instances: [(id, instance)].into(), ..AgentView::default() };
    assert_eq!(received(&view), [view.clone(), view]);
}

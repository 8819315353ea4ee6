//! Who pushed and deleted what is remembered, under the id that the answer carried.

use http::StatusCode;
use model::history::{About, HistoryQuery};
use model::{AuditOutcome, History};

use super::world::*;

async fn remembered(world: &World) -> Vec<(String, String, String, AuditOutcome)> {
    let query = HistoryQuery { about: About::Audit, limit: 100, after: None };
    let rows = world.store.history(query).await.unwrap();
    let event = |row| match row {
        History::Audit(event) => {
            Some((event.request_id, event.operation, event.resource, event.outcome))
        }
        History::Event(_)
        | History::InstanceEvent(_)
        | History::Task { .. }
        | History::Deployment(_) => None,
    };
    rows.into_iter().filter_map(event).collect()
}

#[tokio::test]
async fn a_push_and_a_delete_are_remembered_once_each_with_the_id_of_their_answer() {
    let world = World::new().await;
    let manifest = world.image("team/hello", "latest", b"layer").await;
    let pushed = remembered(&world).await;
    assert_eq!(pushed.len(), 1, "blobs are remembered with their manifest: {pushed:?}");
    let (_, operation, resource, outcome) = &pushed[0];
    let expected = ("PutManifest", "repository/team/hello", AuditOutcome::Succeeded);
    assert_eq!((operation.as_str(), resource.as_str(), *outcome), expected);

    let uri = format!("/v2/team/hello/manifests/{}", crate::files::sha256(&manifest));
    let reply = world.request("DELETE", &uri).send().await.expect(StatusCode::ACCEPTED);
    let all = remembered(&world).await;
    assert_eq!((all.len(), all[0].1.as_str()), (2, "DeleteManifest"));
    assert_eq!(all[0].0, reply.header("x-request-id"));
}

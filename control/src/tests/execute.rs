//! From a request to a commit: authorised by the writer too, remembered, decided again, answered from what was committed.

use access::{Action, Resource};
use model::{
    AccessChange, Digest, Precondition, Repository, RepositoryChange, RepositoryName,
    StateRevision, Tag, Unmet,
};

use super::*;
use crate::{Context, Decision, GetTaskDefinition, Operation, RegisterTaskDefinition, View, Write};

/// Moves a tag that says how often it was moved, and answers with how many tags there are then.
struct Count {
    precondition: Option<Precondition>,
}

const COUNT: Count = Count { precondition: None };

fn repository() -> RepositoryName {
    "hello".parse().unwrap()
}

fn tag(moves: u64, name: &str) -> Vec<Change> {
    let tag = Tag {
        repository: repository(),
        name: name.parse().unwrap(),
        digest: Digest::Sha256([1; 32]),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size_bytes: moves,
        platforms: BTreeSet::new(),
        exposed_ports: BTreeSet::new(),
        pushed_at: NOW,
        pushed_by: "user/admin".to_owned(),
    };
    let repository = Repository { name: repository(), created_at: NOW };
    vec![RepositoryChange::Create(repository).into(), RepositoryChange::PutTag(tag).into()]
}

impl Request for Count {
    const OPERATION: Operation = Operation::PutManifest;
    type Answer = (usize, u64);

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::repository(&repository()))
    }

    fn precondition(&self) -> Option<Precondition> {
        self.precondition.clone()
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let known = context.view.state.tag(&repository(), &"latest".parse().unwrap());
        let moves = known.map_or(0, |tag| tag.size_bytes) + 1;
        let mut decision = Decision::change(tag(moves, "latest"), move |view: &View<'_>| {
            Ok((view.state.tags(&repository()).count(), moves))
        });
        // What it was decided on must still be there.
        decision.guards = vec![RowGuard::Absent(format!("moved/{}", moves - 1).into_bytes())];
        decision.rows = vec![RowWrite::Put {
            key: format!("moved/{}", moves - 1).into_bytes(),
            value: Vec::new(),
        }];
        Ok(decision)
    }
}

fn revoke() -> Vec<Change> {
    vec![AccessChange::RevokeCredential(credential()).into()]
}

#[test]
fn what_is_done_is_remembered_in_its_own_batch() {
    let world = World::new();
    assert_eq!(world.execute(&COUNT), Ok((1, 1)));
    assert_eq!(world.server.lock().commits, 1);
    let expected = ["user/admin PutManifest repository/hello r1 Succeeded"];
    assert_eq!(world.server.remembered(), expected);
}

#[test]
fn a_right_that_ends_between_decision_and_commit_ends_the_request() {
    let world = World::new();
    world.rival(revoke());
    let ended = Unmet::CredentialEnded(world.admin.principal.clone());
    assert_eq!(world.execute(&COUNT), Err(Refused::Unmet(ended)));
    assert!(world.server.state().repository(&repository()).is_none());
    assert!(world.server.remembered().is_empty());
}

#[test]
fn what_a_request_takes_for_granted_holds_in_the_writers_view_too() {
    let world = World::new();
    let unmet = Unmet::Modified { resource: "repository/hello".to_owned() };
    let refusal = unmet.clone();
    let absent = Precondition::new(move |state: &State| {
        state.repository(&repository()).map_or(Ok(()), |_| Err(refusal.clone()))
    });
    world.rival(tag(9, "other"));
    let request = Count { precondition: Some(absent) };
    assert_eq!(world.execute(&request), Err(Refused::Unmet(unmet)));
    assert_eq!(world.server.state().tags(&repository()).count(), 1);
}

#[test]
fn a_lost_race_is_decided_again_on_what_won_it() {
    let world = World::new();
    world.execute(&COUNT).unwrap();
    // The rival moves the tag, and so the guard of what was decided before does not hold.
    world.server.lock().rows.insert(b"moved/1".to_vec());
    world.rival(tag(7, "latest"));
    assert_eq!(world.execute(&COUNT), Ok((1, 8)));
}

#[test]
fn a_race_that_is_lost_every_time_is_given_up() {
    let world = World::new();
    world.server.lock().rows.extend((0..500_u64).map(|n| format!("moved/{n}").into_bytes()));
    world.server.lock().rivals = (0..100).map(|n| tag(n, "latest")).collect();
    assert_eq!(world.execute(&COUNT), Err(Refused::Contended));
    assert_eq!(world.server.lock().commits, 0);
}

#[test]
fn what_no_fresh_decision_would_resolve_is_refused_at_once() {
    let world = World::new();
    world.server.lock().rows.insert(b"moved/0".to_vec());
    let failed = CommitError::GuardFailed { key: b"moved/0".to_vec() };
    assert_eq!(world.execute(&COUNT), Err(Refused::Commit(failed)));
}

#[test]
fn the_answer_is_formed_from_what_was_committed() {
    let world = World::new();
    world.rival(tag(3, "other"));
    assert_eq!(world.execute(&COUNT), Ok((2, 1)), "the rival's tag is there by then");
}

#[test]
fn who_may_not_is_denied_and_remembered_but_cannot_fill_history() {
    let world = World::new();
    let eve = caller(Principal::User("eve".to_owned()));
    for _ in 0..100 {
        let denied = world.execute_as(&eve, &COUNT);
        assert!(matches!(denied, Err(Refused::Unmet(Unmet::Denied { .. }))), "{denied:?}");
    }
    let remembered = world.server.remembered();
    assert_eq!(remembered[0], "user/eve PutManifest repository/hello r1 Denied");
    assert_eq!(remembered.len(), 30);
    assert_eq!(world.server.state().revision(), StateRevision(0));
}

#[test]
fn a_denial_does_not_tell_whether_there_is_what_was_named() {
    let world = World::new();
    let container = serde_json::json!({"name": "web", "image": "hello", "memory": 64});
    let document = serde_json::json!({"family": "hello", "containerDefinitions": [container]});
    world.execute(&RegisterTaskDefinition::read(&setup(), document, false).unwrap()).unwrap();
    let eve = caller(Principal::User("eve".to_owned()));
    for name in ["hello", "absent"] {
        let denied = world.execute_as(&eve, &GetTaskDefinition(name.parse().unwrap()));
        let Err(Refused::Unmet(Unmet::Denied { resource, .. })) = denied else { panic!("{name}") };
        assert_eq!(resource, format!("task-definition/{name}"));
    }
}

#[test]
fn who_may_nothing_is_denied_before_their_request_is_looked_at() {
    let world = World::new();
    let eve = caller(Principal::User("eve".to_owned()));
    for operation in Operation::ALL {
        let admitted = |caller| world.control.admit(caller, *operation).now_or_never().unwrap();
        assert_eq!(admitted(&world.admin), Ok(()));
        assert_eq!(
            admitted(&eve).is_ok(),
            operation.action() == Action::RegistryLogin,
            "{operation}"
        );
    }
}

#[test]
fn what_another_room_has_decided_is_authorised_and_remembered_as_well() {
    let world = World::new();
    let write = Write {
        changes: tag(1, "latest"),
        ..Write::new(Operation::PutManifest, Resource::repository(&repository()), NOW)
    };
    let commit = |caller, write| world.control.commit(caller, write).now_or_never().unwrap();
    assert!(commit(&world.admin, write.clone()).is_ok());
    let blob = Write { operation: Operation::UploadBlob, ..write.clone() };
    assert!(commit(&world.admin, blob).is_ok());
    assert_eq!(world.server.remembered().len(), 1, "a blob is remembered with its manifest");
    let part = Write { is_part: true, ..write.clone() };
    assert!(commit(&world.admin, part).is_ok());
    assert_eq!(world.server.remembered().len(), 1, "a part is remembered with the whole");
    world.rival(revoke());
    assert!(matches!(commit(&world.admin, write), Err(CommitError::Unmet(_))));
}

/// Removes a tag that is not there, and before that puts one that is not there.
struct Replace {
    with: Option<&'static str>,
}

impl Request for Replace {
    const OPERATION: Operation = Operation::DeleteManifest;
    type Answer = ();

    fn resource(&self, _: &View<'_>) -> Result<Resource, Refused> {
        Ok(Resource::repository(&repository()))
    }

    fn decide<'r>(&'r self, context: &Context<'_>) -> Result<Decision<'r, Self::Answer>, Refused> {
        let state = context.view.state;
        let is_new = |name: &&str| state.tag(&repository(), &name.parse().unwrap()).is_none();
        let each = self.with.filter(is_new).map(|name| tag(1, name)).unwrap_or_default();
        let (repository, tag) = (repository(), "absent".parse().unwrap());
        let change = RepositoryChange::RemoveTag { repository, tag }.into();
        Ok(Decision { each, ..Decision::change(vec![change], |_| Ok(())) })
    }
}

fn is_not_found(answer: &Result<(), Refused>) -> bool {
    let Err(Refused::Commit(CommitError::Refused(refusal))) = answer else { return false };
    matches!(refusal, model::Refusal::NotFound { .. })
}

#[test]
fn what_does_not_fit_is_refused_for_that_however_busy_the_writer_is() {
    let world = World::new();
    world.execute(&COUNT).unwrap();
    world.server.lock().rivals = (0..100).map(|n| tag(n, "latest")).collect();
    let answer = world.execute(&Replace { with: None });
    assert!(is_not_found(&answer), "{answer:?}");
    assert_eq!(world.server.lock().rivals.len(), 100, "the writer is not asked");
}

#[test]
fn who_asked_for_several_commits_is_remembered_once_and_before_them() {
    let world = World::new();
    let answer = world.execute(&Replace { with: Some("other") });
    assert!(is_not_found(&answer), "{answer:?}");
    assert_eq!(world.server.state().tags(&repository()).count(), 1, "the first of them is made");
    let expected = ["user/admin DeleteManifest repository/hello r1 Succeeded"];
    assert_eq!(world.server.remembered(), expected);

    let world = World::new();
    world.rival(revoke());
    assert!(world.execute(&Replace { with: Some("other") }).is_err());
    assert_eq!(world.server.state().tags(&repository()).count(), 0);
    assert!(world.server.remembered().is_empty());
}

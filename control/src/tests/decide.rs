//! What requests come to, and that they come to it again when somebody else was faster.

use access::Resource;
use api::{
    CreateJoinTokenRequest, CreateRuleRequest, DeployRequest, IfMatch, Limit, ListServicesQuery,
    UpdateServiceRequest, default_cluster,
};
use model::{
    Cluster, ClusterChange, ClusterId, ClusterName, Listener, ListenerId, Platform, Repository,
    RepositoryChange, RoutingChange, ServiceChange, ServiceName, Tag, TaskDefinitionChange, Unmet,
};
use serde_json::json;

use super::*;
use crate::context::Past;
use crate::{
    Context, CreateJoinToken, CreateRule, Decision, DeployService, GetService, ListServices,
    NamedService, RegisterTaskDefinition, UpdateService, View,
};

impl World {
    /// An installation as its first start leaves it, with an image `hello` that exposes port 8080.
    fn installed() -> Self {
        let world = Self::new();
        let cluster =
            Cluster { id: ClusterId::new(NOW, [1; 10]), name: default_cluster(), created_at: NOW };
        let listener = Listener {
            id: ListenerId::new(NOW, [1; 10]),
            name: "http".to_owned(),
            created_at: NOW,
        };
        let tag = Tag {
            repository: "hello".parse().unwrap(),
            name: "latest".parse().unwrap(),
            digest: Digest::Sha256([1; 32]),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            size_bytes: 1,
            platforms: std::iter::once(Platform::new("linux", "amd64")).collect(),
            exposed_ports: std::iter::once(8080).collect(),
            pushed_at: NOW,
            pushed_by: "user/admin".to_owned(),
        };
        let repository = Repository { name: tag.repository.clone(), created_at: NOW };
        let changes = [
            ClusterChange::Create(cluster).into(),
            RoutingChange::CreateListener(listener).into(),
            RepositoryChange::Create(repository).into(),
            RepositoryChange::PutTag(tag).into(),
        ];
        world.server.lock().state.apply_all(&changes, NOW).unwrap();
        world
    }

    fn with_hello() -> Self {
        let world = Self::installed();
        world.execute(&deploy()).unwrap();
        world
    }

    /// Decides without asking whether who asks may, and hands the view that it was decided on to `then`.
    fn decide<R: Request, T>(
        &self,
        caller: &Caller,
        request: &R,
        then: impl FnOnce(&View<'_>, Decision<'_, R::Answer>) -> T,
    ) -> Result<T, Refused> {
        let (state, observed) = (self.server.state(), self.server.observed());
        let (past, setup) = (Past { rows: Vec::new(), is_complete: true }, self.control.setup());
        let (router_port, is_ready, now) = (8080, true, NOW);
        let view = View {
            caller,
            state: &state,
            observed: &observed,
            past: &past,
            setup,
            router_port,
            is_ready,
            registry_disk: None,
            now,
        };
        let decision = request.decide(&Context { view, fill: &fill })?;
        Ok(then(&view, decision))
    }
}

fn deploy() -> DeployService {
    DeployService(DeployRequest::new("hello".parse().unwrap()))
}

fn hello(if_match: Option<IfMatch>) -> NamedService {
    let name: ServiceName = "hello".parse().unwrap();
    NamedService { cluster: default_cluster(), name, if_match }
}

fn scale(desired_count: u32, if_match: Option<IfMatch>) -> UpdateService {
    let desired_count = Some(desired_count);
    let request = UpdateServiceRequest { desired_count, ..UpdateServiceRequest::default() };
    UpdateService { service: hello(if_match), request }
}

fn nouns(changes: &[Change]) -> Vec<&'static str> {
    let noun = |change: &Change| match change {
        Change::TaskDefinition(_) => "task definition",
        Change::Routing(_) => "routing",
        Change::Service(_) => "service",
        Change::Deployment(_) => "deployment",
        Change::Install(_)
        | Change::Cluster(_)
        | Change::Instance(_)
        | Change::Router(_)
        | Change::Access(_)
        | Change::Task(_)
        | Change::Repository(_) => panic!("{change:?} is no part of a deploy"),
    };
    changes.iter().map(noun).collect()
}

#[test]
fn a_first_deploy_makes_everything_at_once_and_the_next_starts_no_deployment() {
    let world = World::installed();
    let changes = |world: &World| {
        world.decide(&world.admin, &deploy(), |_, decision| nouns(&decision.changes)).unwrap()
    };
    assert_eq!(changes(&world), ["task definition", "service", "routing", "deployment"]);
    let answer = world.execute(&deploy()).unwrap();
    assert!(answer.created && answer.deployment_id.is_some());
    assert_eq!(answer.url.as_deref(), Some("http://hello.localhost:8080"));
    assert_eq!(changes(&world), ["service"], "it runs exactly this already");
    let again = world.execute(&deploy()).unwrap();
    assert_eq!((again.created, again.deployment_id), (false, None));
}

#[test]
fn a_decision_is_the_same_each_time_that_it_is_made_on_the_same() {
    let world = World::with_hello();
    let decide = || {
        world.decide(&world.admin, &scale(3, None), |_, decision| decision.changes.clone()).unwrap()
    };
    assert_eq!(decide(), decide());
    assert_eq!(world.server.state().services().next().unwrap().desired_count, 1, "nothing is done");
}

#[test]
fn a_revision_that_somebody_else_takes_is_not_lost_but_becomes_the_next_one() {
    let world = World::with_hello();
    let document =
        json!({"family": "hello", "containerDefinitions": [{"name": "a", "image": "hello"}]});
    let request = RegisterTaskDefinition::read(&setup(), document, false).unwrap();
    let mut taken = world.server.state().task_definitions().next().unwrap().clone();
    taken.revision = 2;
    world.rival(vec![TaskDefinitionChange::Register(taken).into()]);
    let answer = world.execute(&request).unwrap();
    assert_eq!(answer.task_definition.to_string(), "hello:3");
}

#[test]
fn if_match_holds_when_the_change_is_written_and_not_only_when_it_is_decided() {
    let world = World::with_hello();
    let tag = world.execute(&GetService(hello(None))).unwrap().tag;
    let if_match = Some(IfMatch::from(tag.clone()));
    let id = world.server.state().services().next().unwrap().id;
    world.rival(vec![
        ServiceChange::Update(model::change::ServiceUpdate {
            service: Some(id),
            desired_count: Some(7),
            ..Default::default()
        })
        .into(),
    ]);
    let refused = world.execute(&scale(3, if_match.clone()));
    assert!(matches!(refused, Err(Refused::Unmet(Unmet::Modified { .. }))), "{refused:?}");
    assert_eq!(world.server.state().service(id).unwrap().desired_count, 7);
    let stale = world.execute(&scale(3, if_match));
    assert!(matches!(stale, Err(Refused::Unmet(Unmet::Modified { .. }))), "{stale:?}");
    let now = world.execute(&GetService(hello(None))).unwrap().tag;
    let answer = world.execute(&scale(3, Some(IfMatch::from(now)))).unwrap();
    assert_eq!(answer.value.desired_count, 3);
    assert_ne!(answer.tag, tag);
}

#[test]
fn a_list_shows_nothing_to_who_may_see_none_of_it() {
    let world = World::with_hello();
    let query =
        ListServicesQuery { cluster: default_cluster(), limit: Limit::default(), next_token: None };
    let count = |caller: &Caller| {
        let request = ListServices(query.clone());
        let list = |view: &View<'_>, decision: Decision<'_, _>| (decision.answer)(view);
        world.decide(caller, &request, list).unwrap().unwrap().items.len()
    };
    assert_eq!(count(&world.admin), 1);
    assert_eq!(count(&caller(Principal::User("eve".to_owned()))), 0);
}

/// All that a request takes, as the administrator makes it.
fn taken<R: Request>(world: &World, request: &R) -> Vec<String> {
    let (state, observed, past) = (world.server.state(), world.server.observed(), Past::default());
    let view = View {
        caller: &world.admin,
        state: &state,
        observed: &observed,
        past: &past,
        setup: world.control.setup(),
        router_port: 0,
        is_ready: true,
        registry_disk: None,
        now: NOW,
    };
    let permissions = request.permissions(&view).unwrap();
    permissions.iter().map(|one| format!("{} {}", one.action, one.resource)).collect()
}

#[test]
fn a_request_names_what_it_is_about_and_all_that_it_takes() {
    let world = World::with_hello();
    assert_eq!(taken(&world, &scale(3, None)), ["service:Update service/default/hello"]);
    let token = |role| {
        let body = json!({"role": role});
        CreateJoinToken(serde_json::from_value::<CreateJoinTokenRequest>(body).unwrap())
    };
    let instance = "instance:CreateJoinToken cluster/default";
    assert_eq!(taken(&world, &token("agent")), [instance]);
    assert_eq!(taken(&world, &token("router")), [instance, "router:CreateJoinToken *"]);
    let rule = json!({"host": "a.example.com", "serviceName": "hello"});
    let rule = CreateRule(serde_json::from_value::<CreateRuleRequest>(rule).unwrap());
    assert_eq!(taken(&world, &rule), ["rule:Create listener/http"]);
    let west: ClusterName = "west".parse().unwrap();
    assert_eq!(Resource::cluster(&west).to_string(), "cluster/west");
}

#[test]
fn what_cannot_be_done_has_a_code_and_a_sentence_of_its_own() {
    let world = World::installed();
    let missing = world.execute(&GetService(hello(None))).unwrap_err();
    assert_eq!(missing.code(), api::ProblemCode::ServiceNotFound);
    let mut request = DeployRequest::new("other".parse().unwrap());
    let unpushed = world.execute(&DeployService(request.clone())).unwrap_err();
    assert_eq!(unpushed.code(), api::ProblemCode::ImageNotFound);
    request.image = Some("hello".parse().unwrap());
    request.port = Some(0);
    let port = world.execute(&DeployService(request)).unwrap_err();
    assert_eq!(port.code(), api::ProblemCode::InvalidParameter);
    for refused in [missing, unpushed, port] {
        assert!(!refused.to_string().is_empty(), "{refused:?}");
    }
}

//! A Docker Engine that hangs holds up only what it hangs on.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{AssignedTask, TaskStatus, Wanted};
use serde_json::{Value, json};
use tokio::net::UnixListener;

use super::task;
use super::test_agent::{TestAgent, new_task, somebody, view};

/// What the engine has, and on which containers it hangs.
#[derive(Debug)]
struct Fake {
    containers: Vec<(String, String, Value)>,
    running: BTreeSet<String>,
    hangs_on: Option<String>,
    /// What creating waits for.
    gate: Arc<tokio::sync::Semaphore>,
    /// How often it was asked to create.
    asked: tokio::sync::watch::Sender<usize>,
}

type Shared = Arc<Mutex<Fake>>;

fn fake(creates: usize) -> Shared {
    Arc::new(Mutex::new(Fake {
        containers: Vec::new(),
        running: BTreeSet::new(),
        hangs_on: None,
        gate: Arc::new(tokio::sync::Semaphore::new(creates)),
        asked: tokio::sync::watch::Sender::new(0),
    }))
}

async fn answer(State(fake): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let path = parts.uri.path().trim_matches('/').to_owned();
    let words: Vec<&str> = path.split('/').collect();
    let words = if words[0].starts_with("v1.") { &words[1..] } else { &words[..] };
    match *words {
        ["version"] => {
            Json(json!({"Version": "1", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"}))
                .into_response()
        }
        ["networks"] | ["containers", "json"] => Json(json!([])).into_response(),
        ["networks", "create"] => Json(json!({"Id": "n", "Warning": ""})).into_response(),
        ["events"] => Body::from_stream(futures_util::stream::pending::<
            Result<bytes::Bytes, std::io::Error>,
        >())
        .into_response(),
        ["images", ..] => {
            Json(json!({"Id": "sha256:1", "Os": "linux", "Architecture": "amd64"})).into_response()
        }
        ["containers", "create"] => {
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let name = query.split("name=").nth(1).unwrap().split('&').next().unwrap().to_owned();
            fake.lock().unwrap().asked.send_modify(|asked| *asked += 1);
            let gate = Arc::clone(&fake.lock().unwrap().gate);
            gate.acquire().await.unwrap().forget();
            let mut fake = fake.lock().unwrap();
            let id = format!("id{}", fake.containers.len());
            fake.containers.push((id.clone(), name, body["Labels"].clone()));
            Json(json!({"Id": id, "Warnings": []})).into_response()
        }
        ["containers", id, "start"] => {
            let name = {
                let fake = fake.lock().unwrap();
                fake.containers.iter().find(|one| one.0 == id).map(|one| one.1.clone())
            };
            let name = name.unwrap();
            let hangs_on = fake.lock().unwrap().hangs_on.clone();
            if hangs_on.is_some_and(|task| name.contains(&task)) {
                std::future::pending::<()>().await;
            }
            fake.lock().unwrap().running.insert(id.to_owned());
            StatusCode::NO_CONTENT.into_response()
        }
        _ => (StatusCode::NOT_FOUND, Json(json!({"message": "nothing there"}))).into_response(),
    }
}

fn serve(path: &Path, fake: Shared) {
    let listener = UnixListener::bind(path).unwrap();
    let app = axum::Router::new().fallback(answer).with_state(fake);
    tokio::spawn(async move { axum::serve(listener, app).await });
}

#[tokio::test]
async fn a_container_on_which_docker_hangs_holds_up_no_other_task() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let fake = fake(9);
    serve(&socket, Arc::clone(&fake));
    let owner = somebody();
    let (mut stuck, mut fine) = (task(), task());
    (stuck.id, fine.id) = (new_task(), new_task());
    fake.lock().unwrap().hangs_on = Some(stuck.id.to_string());
    let subnet = "10.90.3.0/24".parse().unwrap();
    let seen = |tasks: &[_]| view(&owner, subnet, tasks);
    let path = format!("unix://{}", socket.display());
    let both = seen(&[stuck.clone(), fine.clone()]);
    let agent = TestAgent::start(owner, Some(&path), "http://127.0.0.1:1".to_owned(), both).await;

    agent.until("the other runs", fine.id, |seen| seen.status == TaskStatus::Running).await;
    let report = agent.until("it hangs", stuck.id, |seen| seen.containers[0].runtime_id.is_some());
    assert_eq!(report.await.status, TaskStatus::Activating);

    let mut late = task();
    late.id = new_task();
    fine.wanted = Wanted::Run;
    agent.set_view(seen(&[stuck, fine, late.clone()]));
    agent
        .until("one that came later runs", late.id, |seen| seen.status == TaskStatus::Running)
        .await;
    agent.end().await;
}

#[tokio::test]
async fn a_task_that_is_stopped_has_not_ended_while_docker_still_creates_its_container() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("docker.sock");
    let fake = fake(0);
    serve(&socket, Arc::clone(&fake));
    let owner = somebody();
    let mut task = task();
    task.id = new_task();
    let subnet = "10.90.3.0/24".parse().unwrap();
    let seen = |task: &AssignedTask| view(&owner, subnet, std::slice::from_ref(task));
    let path = format!("unix://{}", socket.display());
    let base = "http://127.0.0.1:1".to_owned();
    let agent = TestAgent::start(owner, Some(&path), base, seen(&task)).await;
    let gate = Arc::clone(&fake.lock().unwrap().gate);
    let asked = fake.lock().unwrap().asked.subscribe();
    asked.clone().wait_for(|creates| *creates == 1).await.unwrap();
    task.wanted = Wanted::Stop;
    agent.set_view(seen(&task));
    agent.until("it stops", task.id, |seen| seen.status == TaskStatus::Stopping).await;
    gate.add_permits(1);
    let seen = agent.until("it ends", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert!(seen.containers[0].runtime_id.is_some(), "its end knows what is to be removed");
    agent.end().await;
}

#[tokio::test]
async fn docker_that_is_not_there_is_named_with_the_next_step() {
    let error = crate::docker::Engine::connect(Some("unix:///nowhere/docker.sock")).await;
    let error = error.map(drop).unwrap_err().to_string();
    assert!(error.contains("/nowhere/docker.sock") && error.contains("systemctl start docker"));
    let error = crate::docker::Engine::connect(Some("tcp://10.0.0.1:2375")).await;
    assert!(error.map(drop).unwrap_err().to_string().contains("Unix socket"));
}

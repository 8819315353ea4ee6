//! The agent with a real Docker Engine.

use model::{StopCause, StopCode, TaskStatus, Wanted};

use super::docker_fixture::{Fixture, WAITS, docker};
use super::registry::Registry;
use super::test_agent::{TestAgent, view};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_pulled_run_stopped_and_reaped() {
    let fixture = Fixture::open().await;
    let mut task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    assert!(seen.containers[0].runtime_id.is_some());
    assert!(*agent.ready.borrow(), "the network is there");
    assert_eq!(seen.containers[0].image, fixture.registry.image);
    assert!(fixture.registry.asked() > 0, "through the mirror");

    // Only what has begun can be asked to stop in its own way.
    fixture.until_log(&agent, &task, "hello").await;
    task.wanted = Wanted::Stop;
    agent.set_view(fixture.view(std::slice::from_ref(&task)));
    let seen = agent.until("it stops", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    let container = &seen.containers[0];
    assert_eq!(container.exit_code, Some(5), "it was asked, not killed");
    assert_eq!(container.log_tail, ["hello", "asked to stop"]);
    assert_eq!(seen.stopped, None);
    assert!(!seen.reaped);
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_task_of_the_same_image_asks_the_registry_for_nothing() {
    let fixture = Fixture::open().await;
    let first = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&first)).await;
    agent.until("it runs", first.id, |seen| seen.status == TaskStatus::Running).await;
    let asked = fixture.registry.asked();
    let mut second = fixture.task(WAITS);
    second.address = fixture.subnet.address(3);
    agent.set_view(fixture.view(&[first.clone(), second.clone()]));
    agent.until("it runs", second.id, |seen| seen.status == TaskStatus::Running).await;
    assert_eq!(fixture.registry.asked(), asked);
    fixture.close(agent, vec![first, second]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_container_is_told_with_code_and_last_lines() {
    let fixture = Fixture::open().await;
    let broken = fixture.task("echo out; echo err >&2; exit 3");
    let mut missing = fixture.task("");
    missing.address = fixture.subnet.address(3);
    missing.containers[0].entry_point = Some(vec!["/no/such/program".to_owned()]);
    let agent = fixture.start_agent(&[broken.clone(), missing.clone()]).await;
    let seen = agent.until("it ends", broken.id, |seen| seen.status == TaskStatus::Stopped).await;
    let stopped = seen.stopped.unwrap();
    assert_eq!(stopped.code, StopCode::EssentialContainerExited);
    assert_eq!(stopped.reason, "essential container `main` exited with code 3");
    assert_eq!(seen.containers[0].log_tail.len(), 2);
    let seen = agent.until("it ends", missing.id, |seen| seen.status == TaskStatus::Stopped).await;
    let reason = seen.stopped.unwrap().reason;
    assert!(reason.contains("/no/such/program") && reason.contains("check entryPoint"), "{reason}");
    fixture.close(agent, vec![broken, missing]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_is_killed_or_removed_by_others_ends_its_task() {
    let fixture = Fixture::open().await;
    let killed = fixture.task(WAITS);
    let mut removed = fixture.task(WAITS);
    removed.address = fixture.subnet.address(3);
    let agent = fixture.start_agent(&[killed.clone(), removed.clone()]).await;
    for task in [&killed, &removed] {
        agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    }
    docker(&["kill", &fixture.name(&killed)]);
    docker(&["rm", "--force", &fixture.name(&removed)]);
    let seen = agent.until("it ends", killed.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert_eq!(seen.containers[0].exit_code, Some(137));
    let seen = agent.until("it ends", removed.id, |seen| seen.status == TaskStatus::Stopped).await;
    // Docker kills it first, and the exit may be seen before the removal.
    let cause = seen.stopped.unwrap().cause;
    assert!(matches!(cause, Some(StopCause::ContainerExited | StopCause::ContainerRemoved)));
    fixture.close(agent, vec![killed, removed]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ignores_the_signal_is_killed_after_its_timeout() {
    let fixture = Fixture::open().await;
    let mut task = fixture.task("trap '' TERM; echo deaf; while :; do sleep 0.05; done");
    task.containers[0].stop_timeout_secs = 1;
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    fixture.until_log(&agent, &task, "deaf").await;
    task.wanted = Wanted::Stop;
    agent.set_view(fixture.view(std::slice::from_ref(&task)));
    let seen = agent.until("it stops", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert_eq!(seen.containers[0].exit_code, Some(137));
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_names_no_signal_is_stopped_all_the_same() {
    for signal in ["SIGGARBAGE", "0", "-9"] {
        let fixture = Fixture::with(Registry::with_image(Some(signal)).await);
        let mut task = fixture.task(WAITS);
        let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
        agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
        fixture.until_log(&agent, &task, "hello").await;
        task.wanted = Wanted::Stop;
        agent.set_view(fixture.view(std::slice::from_ref(&task)));
        let seen = agent.until("it stops", task.id, |seen| seen.status == TaskStatus::Stopped);
        assert_eq!(seen.await.containers[0].exit_code, Some(5), "{signal}: it got SIGTERM");
        fixture.close(agent, vec![task]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_starts_anew_adopts_what_runs_and_reports_what_it_does_not_know() {
    let fixture = Fixture::open().await;
    let (known, mut unknown) = (fixture.task(WAITS), fixture.task(WAITS));
    unknown.address = fixture.subnet.address(3);
    let agent = fixture.start_agent(&[known.clone(), unknown.clone()]).await;
    let mut ids = Vec::new();
    for task in [&known, &unknown] {
        let runs = agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
        ids.push(runs.containers[0].runtime_id.clone());
    }
    agent.crash().await;

    let agent = fixture.start_agent(std::slice::from_ref(&known)).await;
    let seen =
        agent.until("it is found", known.id, |seen| seen.status == TaskStatus::Running).await;
    assert_eq!(seen.containers[0].runtime_id, ids[0], "the same container");
    let seen = agent.until_report("it is reported", |report| report.unknown.first().copied()).await;
    assert_eq!(seen, unknown.id);
    assert_eq!(docker(&["inspect", "-f", "{{.State.Running}}", &fixture.name(&unknown)]), "true");

    // The server knows it after all.
    agent.set_view(fixture.view(&[known.clone(), unknown.clone()]));
    let seen =
        agent.until("it is found", unknown.id, |seen| seen.status == TaskStatus::Running).await;
    assert_eq!(seen.containers[0].runtime_id, ids[1]);
    agent.until_report("it is known", |report| report.unknown.is_empty().then_some(())).await;
    fixture.close(agent, vec![known, unknown]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_of_a_task_share_one_address_and_end_together() {
    let fixture = Fixture::open().await;
    let mut task = fixture.task(WAITS);
    let mut side = task.containers[0].clone();
    side.name = super::name("side");
    // It reads the addresses of the network that it is in.
    side.command = Some(vec![
        "while read line; do echo \"$line\"; done < /proc/net/fib_trie; exit 9".to_owned(),
    ]);
    task.containers.push(side);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it ends", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert_eq!(seen.stopped.unwrap().reason, "essential container `side` exited with code 9");
    let log = docker(&["logs", &fixture.named(&task, 1)]);
    assert!(log.contains(&task.address.to_string()), "{log}");
    assert!(seen.containers[0].exit_code.is_some(), "the other was stopped");
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_port_that_somebody_else_has_is_the_instances_fault() {
    let fixture = Fixture::open().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut task = fixture.task(WAITS);
    task.ports.push(model::PortBinding {
        container: super::name("main"),
        container_port: 8080,
        protocol: model::TransportProtocol::Tcp,
        host_port: taken.local_addr().unwrap().port(),
    });
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it fails", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert_eq!(seen.stopped.unwrap().cause, Some(StopCause::PortTaken));
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_missing_fails_at_once_and_a_damaged_one_never_runs() {
    let fixture = Fixture::open().await;
    let mut missing = fixture.task(WAITS);
    missing.containers[0].image.digest = model::Digest::Sha256([9; 32]);
    let agent = fixture.start_agent(std::slice::from_ref(&missing)).await;
    let seen = agent.until("it fails", missing.id, |seen| seen.status == TaskStatus::Stopped).await;
    let stopped = seen.stopped.unwrap();
    assert_eq!(stopped.cause, Some(StopCause::ImageMissing));
    assert!(stopped.reason.contains("push it again"), "{}", stopped.reason);

    fixture.registry.damage();
    let mut damaged = fixture.task(WAITS);
    damaged.address = fixture.subnet.address(3);
    agent.set_view(fixture.view(&[missing.clone(), damaged.clone()]));
    let seen =
        agent.until("it is reported", damaged.id, |seen| seen.containers[0].reason.is_some());
    let reason = seen.await.containers[0].reason.clone().unwrap();
    assert!(reason.contains("damaged") && reason.contains("hash to"), "{reason}");
    fixture.close(agent, vec![missing, damaged]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_layer_that_this_docker_cannot_read_is_named_and_not_tried_again() {
    let fixture = Fixture::with(Registry::with_zstd().await);
    let task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let version = agent.hello.borrow().host.clone().unwrap().docker_version;
    let major: u32 = version.split('.').next().unwrap().parse().unwrap();
    if major >= 23 {
        agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    } else {
        let is_over = |seen: &link::message::SeenTask| seen.status == TaskStatus::Stopped;
        let stopped = agent.until("it fails", task.id, is_over).await.stopped.unwrap();
        assert_eq!(stopped.cause, Some(StopCause::ImagePull));
        assert!(stopped.reason.contains("zstd"), "{}", stopped.reason);
    }
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for_and_stopping_ends_the_wait() {
    let fixture = Fixture::open().await;
    fixture.registry.go_away();
    let mut task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen =
        agent.until("it is reported", task.id, |seen| seen.containers[0].reason.is_some()).await;
    assert_eq!(seen.status, TaskStatus::Activating);
    let reason = seen.containers[0].reason.clone().unwrap();
    assert!(reason.contains("waits for the server"), "{reason}");
    fixture.registry.come_back();
    agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    task.wanted = Wanted::Stop;
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_is_stopped_while_its_image_is_pulled_is_over_at_once() {
    let fixture = Fixture::open().await;
    fixture.registry.get_stuck();
    let mut task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    fixture.registry.until_halfway().await;
    task.wanted = Wanted::Stop;
    agent.set_view(fixture.view(std::slice::from_ref(&task)));
    agent.until("it is over", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    fixture.registry.until_let_go().await;
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_sent_line_by_line_until_its_container_ends() {
    let fixture = Fixture::open().await;
    let mut task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    fixture.until_log(&agent, &task, "hello").await;
    let stream =
        link::message::Stream::Logs { task: task.id, container: None, follow: true, tail: None };
    let request = link::message::StreamRequest { id: "s1".to_owned(), stream };
    agent.requests.send(request).await.unwrap();
    task.wanted = Wanted::Stop;
    fixture.registry.until_streaming().await;
    agent.set_view(fixture.view(std::slice::from_ref(&task)));
    let text = fixture.registry.streamed().await;
    assert_eq!(text, "main hello\nmain asked to stop\n");
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subnet_that_is_taken_is_told_to_the_server() {
    let fixture = Fixture::open().await;
    let other = Fixture::open().await;
    let there = TestAgent::start(
        other.owner,
        None,
        other.registry.base.clone(),
        view(&other.owner, fixture.subnet, &[]),
    )
    .await;
    let mut ready = there.ready.clone();
    ready.wait_for(|ready| *ready).await.unwrap();
    let task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it waits", task.id, |seen| seen.containers[0].reason.is_some()).await;
    let reason = seen.containers[0].reason.clone().unwrap();
    assert!(reason.contains("taken by another Docker network"), "{reason}");
    let used = agent.hello.borrow().host.clone().unwrap().used_subnets;
    assert!(used.contains(&fixture.subnet), "{used:?}");
    there.end().await;
    // Now it is free.
    agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_of_an_agent_that_is_gone_goes_and_one_of_another_that_runs_stays() {
    let (fixture, gone, running) =
        (Fixture::open().await, Fixture::open().await, Fixture::open().await);
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("agent.lock");
    let held = disk::Lock::acquire(&lock).unwrap().unwrap();
    let (engine, _) = crate::docker::Engine::connect(None).await.unwrap();
    let never = dir.path().join("never.lock");
    engine.ensure_network(&gone.owner, gone.subnet, &never).await.unwrap();
    engine.ensure_network(&running.owner, running.subnet, &lock).await.unwrap();
    let there = async |fixture: &Fixture| {
        let all = engine.networks().await.unwrap().0;
        all.iter().any(|network| fixture.owner.has(&network.labels))
    };
    let agent = fixture.start_agent(&[]).await;
    agent.ready.clone().wait_for(|ready| *ready).await.unwrap();
    assert_eq!((there(&gone).await, there(&running).await), (false, true));
    drop(held);
    fixture.close(agent, Vec::new()).await;
    assert!(!there(&running).await);
}

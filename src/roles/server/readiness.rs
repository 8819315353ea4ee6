//! Whether Berth can take a push, run it and serve it: what `/readyz` answers.

use admin::Readiness;
use model::{Observed, State};
use tokio::sync::watch;

/// Follows state and observations for as long as anybody looks.
pub(crate) fn watch(
    mut state: watch::Receiver<State>,
    mut observed: watch::Receiver<Observed>,
) -> watch::Receiver<Readiness> {
    let current = readiness(&state.borrow_and_update(), &observed.borrow_and_update());
    let (sender, receiver) = watch::channel(current);
    tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = state.changed() => changed,
                changed = observed.changed() => changed,
                () = sender.closed() => return,
            };
            if changed.is_err() {
                return;
            }
            let next = readiness(&state.borrow_and_update(), &observed.borrow_and_update());
            sender.send_if_modified(|known| {
                let news = *known != next;
                *known = next;
                news
            });
        }
    });
    receiver
}

/// The registry is ready as soon as the server is; router and instance once one of each is there.
fn readiness(state: &State, observed: &Observed) -> Readiness {
    let serves = |id| {
        observed
            .routers
            .get(&id)
            .is_some_and(|seen| seen.presence.connected && seen.applied.is_some())
    };
    let router = if state.routers().any(|router| serves(router.id)) {
        Ok(())
    } else {
        Err("no router is connected and serves the current table; see its log".to_owned())
    };
    let instance = if state.instances().any(|instance| observed.connected(instance.id)) {
        Ok(())
    } else {
        Err("no instance is connected; see the agent's log, and whether Docker runs".to_owned())
    };
    Readiness { parts: vec![("registry", Ok(())), ("router", router), ("instance", instance)] }
}

#[cfg(test)]
mod tests {
    use model::{Change, Router, RouterChange, RouterId, StateRevision, Timestamp};

    use super::*;

    #[tokio::test]
    async fn a_router_is_ready_once_it_serves_a_table_of_this_server() {
        let now = Timestamp::from_millis(1_000);
        let id = RouterId::new(now, [1; 10]);
        let router =
            Router { id, name: "router".to_owned(), version: "1".to_owned(), registered_at: now };
        let mut known = State::default();
        known.apply(&Change::from(RouterChange::Register(router)), now).unwrap();
        let state = watch::Sender::new(known);
        let observed = watch::Sender::new(Observed::new(now));
        let mut ready = watch(state.subscribe(), observed.subscribe());
        assert!(ready.borrow().parts[1].1.is_err());

        observed.send_modify(|seen| {
            seen.hear_router(id, true, now).applied = Some(StateRevision(1));
        });
        ready.wait_for(|ready| ready.parts[1].1.is_ok()).await.unwrap();
        assert!(!ready.borrow().all(), "there is no instance");
        observed.send_modify(|seen| {
            seen.hear_router(id, false, now);
        });
        ready.wait_for(|ready| ready.parts[1].1.is_err()).await.unwrap();
    }
}

//! Whether Berth can take a push, run it and serve it: what `/readyz` answers.

use admin::Readiness;
use api::RegistryDisk;
use model::{Observed, State};
use tokio::sync::watch;

use super::disk_room;

/// What it depends on.
pub(crate) struct Sources {
    pub(crate) state: watch::Receiver<State>,
    pub(crate) observed: watch::Receiver<Observed>,
    pub(crate) disk: watch::Receiver<Option<RegistryDisk>>,
}

impl Sources {
    fn look(&mut self) -> Readiness {
        let (state, observed) = (self.state.borrow_and_update(), self.observed.borrow_and_update());
        readiness(&state, &observed, self.disk.borrow_and_update().as_ref())
    }

    /// Waits for news; false when there can be none any more.
    async fn changed(&mut self) -> bool {
        let changed = tokio::select! {
            changed = self.state.changed() => changed,
            changed = self.observed.changed() => changed,
            changed = self.disk.changed() => changed,
        };
        changed.is_ok()
    }
}

/// Follows them for as long as anybody looks.
pub(crate) fn watch(mut sources: Sources) -> watch::Receiver<Readiness> {
    let (sender, receiver) = watch::channel(sources.look());
    tokio::spawn(async move {
        loop {
            let goes_on = tokio::select! {
                goes_on = sources.changed() => goes_on,
                () = sender.closed() => return,
            };
            if !goes_on {
                return;
            }
            let next = sources.look();
            sender.send_if_modified(|known| {
                let news = *known != next;
                *known = next;
                news
            });
        }
    });
    receiver
}

/// The registry is ready as soon as the server is, on a full disk too, where it serves what it has; router and instance once
/// one of each is there.
fn readiness(state: &State, observed: &Observed, disk: Option<&RegistryDisk>) -> Readiness {
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
    let low = disk.filter(|disk| disk.is_low);
    Readiness {
        parts: vec![("registry", Ok(())), ("router", router), ("instance", instance)],
        warnings: low.map(disk_room::sentence).into_iter().collect(),
    }
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
        let disk = watch::Sender::new(None);
        let mut ready = watch(Sources {
            state: state.subscribe(),
            observed: observed.subscribe(),
            disk: disk.subscribe(),
        });
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
        let low = RegistryDisk { total_mib: 100, free_mib: 4, low_water_mib: 5, is_low: true };
        disk.send_replace(Some(low));
        let ready = ready.wait_for(|ready| !ready.warnings.is_empty()).await.unwrap();
        assert!(ready.parts[0].1.is_ok(), "it serves what it has");
    }
}

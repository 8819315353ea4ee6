//! What control promises, on a backend in memory that is never waited for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use model::{
    AccessChange, Batch, Change, Clock, CommitError, Credential, CredentialId, CredentialKind,
    Digest, Epoch, History, HistoryPlace, HistoryQuery, InstallationId, LeaseTimes, Observed,
    Principal, RowGuard, RowWrite, State, Timestamp,
};

use crate::{Backend, Caller, Control, Refused, Request, Setup};

mod decide;
mod execute;
mod table;

const NOW: Timestamp = Timestamp::from_millis(1_795_421_734_120);

#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }
}

/// What the server around control would be.
#[derive(Debug, Default)]
struct Server(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    state: State,
    rows: BTreeSet<Vec<u8>>,
    history: Vec<History>,
    commits: usize,
    /// What others commit just before each of the next batches.
    rivals: Vec<Vec<Change>>,
}

impl Kept {
    fn commit(&mut self, batch: Batch) -> Result<State, CommitError> {
        if !self.rivals.is_empty() {
            let rival = self.rivals.remove(0);
            self.state.apply_all(&rival, NOW).expect("what others commit fits");
            self.state = self.state.clone().at(self.state.revision().next());
        }
        for guard in &batch.guards {
            let (key, wanted) = match guard {
                RowGuard::Present(key) => (key, true),
                RowGuard::Absent(key) => (key, false),
            };
            if self.rows.contains(key) != wanted {
                return Err(CommitError::GuardFailed { key: key.clone() });
            }
        }
        if let Some(precondition) = &batch.precondition {
            precondition.check(&self.state)?;
        }
        let touched = self.state.apply_all(&batch.changes, batch.at)?;
        if !touched.is_empty() {
            self.state = self.state.clone().at(self.state.revision().next());
        }
        for row in batch.rows {
            match row {
                RowWrite::Put { key, value: _ } => drop(self.rows.insert(key)),
                RowWrite::Delete { key } => drop(self.rows.remove(&key)),
            }
        }
        self.history.extend(touched.history.into_iter().chain(batch.history));
        self.commits += 1;
        Ok(self.state.clone())
    }
}

impl Server {
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().expect("no test panics while it holds the lock")
    }

    /// Who asked for what, as it is remembered.
    fn remembered(&self) -> Vec<String> {
        let event = |row: &History| match row {
            History::Audit(event) => Some(format!(
                "{} {} {} {} {:?}",
                event.principal, event.operation, event.resource, event.request_id, event.outcome
            )),
            History::Event(_)
            | History::InstanceEvent(_)
            | History::Task { .. }
            | History::Deployment(_) => None,
        };
        self.lock().history.iter().filter_map(event).collect()
    }
}

impl Backend for Server {
    fn state(&self) -> State {
        self.lock().state.clone()
    }

    fn observed(&self) -> Observed {
        Observed::new(NOW)
    }

    fn router_port(&self) -> u16 {
        8080
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn registry_disk(&self) -> Option<api::RegistryDisk> {
        Some(api::RegistryDisk { total_mib: 100, free_mib: 4, low_water_mib: 5, is_low: true })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<State, CommitError>> {
        ready(self.lock().commit(batch)).boxed()
    }

    fn history(
        &self,
        query: HistoryQuery,
    ) -> BoxFuture<'_, Result<Vec<(HistoryPlace, History)>, String>> {
        let rows = self.lock().history.clone().into_iter().rev().take(query.limit);
        let place = |number| HistoryPlace { at: 0, number };
        ready(Ok((0..).map(place).zip(rows).collect())).boxed()
    }
}

/// An installation with an administrator, and who asks as them.
struct World {
    server: Arc<Server>,
    control: Control,
    admin: Caller,
}

fn credential() -> CredentialId {
    CredentialId::new(NOW, [1; 10])
}

fn fill(bytes: &mut [u8]) {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(0);
    bytes.fill(NEXT.fetch_add(1, Ordering::Relaxed));
}

fn caller(principal: Principal) -> Caller {
    Caller { principal, credential: None, source: None, request_id: "r1".to_owned() }
}

fn setup() -> Setup {
    Setup {
        version: "1.2.3".to_owned(),
        epoch: Epoch(1),
        region: "local".parse().unwrap(),
        lease: LeaseTimes::default(),
        registry_address: "localhost:5000".to_owned(),
        link_address: "127.0.0.1:7071".to_owned(),
        ca_fingerprint: "ab".repeat(32),
    }
}

impl World {
    fn new() -> Self {
        let server = Arc::new(Server::default());
        let setup = setup();
        let principal = Principal::User(access::ADMINISTRATOR.to_owned());
        let admin = Caller { credential: Some(credential()), ..caller(principal.clone()) };
        let made = Credential {
            id: credential(),
            kind: CredentialKind::Token,
            principal,
            hash: Digest::Sha256([1; 32]),
            created_at: NOW,
            expires_at: None,
            last_use: None,
        };
        let changes = [
            Change::Install(InstallationId::new(NOW, [1; 10])),
            AccessChange::CreateCredential(made).into(),
        ];
        server.lock().state.apply_all(&changes, NOW).unwrap();
        let backend: Arc<dyn Backend> = Arc::<Server>::clone(&server);
        let control = Control::new(backend, Arc::new(Stopped), setup, fill);
        Self { server, control, admin }
    }

    /// Somebody else commits this just before the next batch.
    fn rival(&self, changes: Vec<Change>) {
        self.server.lock().rivals.push(changes);
    }

    fn execute_as<R: Request>(&self, caller: &Caller, request: &R) -> Result<R::Answer, Refused> {
        let answer = self.control.execute(caller, request).now_or_never();
        answer.expect("nothing of this backend is waited for")
    }

    fn execute<R: Request>(&self, request: &R) -> Result<R::Answer, Refused> {
        self.execute_as(&self.admin, request)
    }
}

//! `Idempotency-Key`: a request that is repeated under its key is done once, and answered each time as the first time.
//!
//! Answers are kept in memory for a day, and no more than so many: a repetition after a restart of the server, or after
//! very many others, is done again. A client that hangs up ends nothing, so its repetition gets the answer that it missed.
//! Only successes are kept, since what was refused has changed nothing and may be right the next time. A key belongs to the
//! principal that used it; who repeats must still prove to be that principal.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use api::header::IDEMPOTENCY_KEY;
use api::{IdempotencyKey, ProblemCode};
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest as _, FromRequestParts as _, Request, State};
use axum::http::header::HeaderValue;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use model::{Principal, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};
use utoipa::IntoParams;

use crate::Api;
use crate::authorized::Authenticated;
use crate::problem::Problem;
use crate::sentence;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_hours(24);
/// Answers kept at most.
const MOST_ANSWERS: usize = 10_000;
/// Bytes of all answers at most.
const MOST_BYTES: usize = 16 << 20;
/// Bytes of one answer at most; a longer one is given and not kept.
const LONGEST_ANSWER: usize = 1 << 20;
/// Says that an answer is a repetition.
const REPLAYED: &str = "idempotent-replayed";

/// How the document names the header.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what the layer reads")]
pub(crate) struct IdempotencyParameter {
    /// New for each thing that is wanted once; a repetition under the same key is answered as the first request was.
    #[param(rename = "Idempotency-Key", value_type = Option<String>, min_length = 1, max_length = 255)]
    idempotency_key: Option<IdempotencyKey>,
}

/// Whose key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scope {
    principal: Principal,
    key: IdempotencyKey,
}

/// One request and its answer, once there is one. Whoever repeats the request meanwhile waits for the lock.
#[derive(Debug)]
struct Entry {
    /// SHA-256 of path, query and body.
    fingerprint: [u8; 32],
    begun: Timestamp,
    answer: Arc<Mutex<Option<Answer>>>,
}

#[derive(Debug, Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// The answers that are kept.
#[derive(Debug, Default)]
pub(crate) struct Answers(std::sync::Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    entries: HashMap<Scope, Arc<Entry>>,
    /// Those with an answer and its bytes, oldest first.
    order: VecDeque<(Scope, Timestamp, usize)>,
    bytes: usize,
}

impl Answers {
    /// The entry of this request: a new one, or that of the request that it repeats.
    fn entry(
        &self,
        scope: &Scope,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Arc<Entry>, Problem> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.drop_old(now);
        let entry = kept
            .entries
            .entry(scope.clone())
            .or_insert_with(|| Arc::new(Entry { fingerprint, begun: now, answer: Arc::default() }));
        if entry.fingerprint == fingerprint {
            return Ok(Arc::clone(entry));
        }
        let detail = sentence::key_used(&scope.key);
        Err(Problem::new(ProblemCode::IdempotencyConflict, detail))
    }

    /// The turn of this request: an answer, or the right to make one, which nobody else under its key has meanwhile.
    async fn turn(
        self: &Arc<Self>,
        scope: Scope,
        fingerprint: [u8; 32],
        now: Timestamp,
    ) -> Result<Turn, Problem> {
        loop {
            let entry = self.entry(&scope, fingerprint, now)?;
            let guard = Arc::clone(&entry.answer).lock_owned().await;
            if let Some(answer) = &*guard {
                return Ok(Turn::Answered(answer.clone()));
            }
            // What it waited for may have changed nothing and taken the entry along: then it waits with those who came later.
            if self.holds(&scope, &entry) {
                let answers = Arc::clone(self);
                return Ok(Turn::New(Begun { answers, scope, entry, guard, answered: false }));
            }
        }
    }

    /// Whether this is the entry under which others look for the request.
    fn holds(&self, scope: &Scope, entry: &Arc<Entry>) -> bool {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entries.get(scope).is_some_and(|known| Arc::ptr_eq(known, entry))
    }

    /// The request was answered.
    fn keep(&self, scope: Scope, entry: Arc<Entry>, bytes: usize) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += bytes;
        kept.order.push_back((scope.clone(), entry.begun, bytes));
        kept.entries.insert(scope, entry);
        while kept.order.len() > MOST_ANSWERS || kept.bytes > MOST_BYTES {
            kept.drop_oldest();
        }
    }

    /// The request changed nothing: the next one under its key is a new one.
    fn forget(&self, scope: &Scope, entry: &Arc<Entry>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.entries.get(scope).is_some_and(|known| Arc::ptr_eq(known, entry)) {
            kept.entries.remove(scope);
        }
    }
}

impl Kept {
    fn drop_old(&mut self, now: Timestamp) {
        while self.order.front().is_some_and(|(_, begun, _)| now.since(*begun) > KEPT) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((scope, _, bytes)) = self.order.pop_front() {
            self.entries.remove(&scope);
            self.bytes -= bytes;
        }
    }
}

/// What a request under a key is to do.
#[derive(Debug)]
enum Turn {
    /// Nothing: it was done.
    Answered(Answer),
    /// All of it.
    New(Begun),
}

/// A request that is under way. Its entry goes with it where it ends without an answer.
#[derive(Debug)]
struct Begun {
    answers: Arc<Answers>,
    scope: Scope,
    entry: Arc<Entry>,
    guard: OwnedMutexGuard<Option<Answer>>,
    answered: bool,
}

impl Begun {
    /// Its answer, for all who repeat it.
    fn keep(mut self, answer: Answer) {
        let bytes = answer.body.len();
        *self.guard = Some(answer);
        self.answered = true;
        self.answers.keep(self.scope.clone(), Arc::clone(&self.entry), bytes);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        if !self.answered {
            self.answers.forget(&self.scope, &self.entry);
        }
    }
}

/// Answers repetitions; everything else goes on to the handlers.
pub(crate) async fn layer(
    State((api, answers)): State<(Api, Arc<Answers>)>,
    request: Request,
    next: Next,
) -> Response {
    let key = request.headers().get(IDEMPOTENCY_KEY).filter(|_| request.method() == Method::POST);
    let Some(key) = key.cloned() else { return next.run(request).await };
    once(&api, &answers, &key, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn once(
    api: &Api,
    answers: &Arc<Answers>,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let Authenticated(caller) = Authenticated::from_request_parts(&mut parts, api).await?;
    let key = key.to_str().unwrap_or_default().parse::<IdempotencyKey>();
    let key = key.map_err(|error| Problem::invalid(error.to_string()))?;
    let body = Bytes::from_request(Request::from_parts(parts.clone(), body), &()).await?;
    let mut hash = Sha256::new();
    hash.update(parts.uri.to_string());
    hash.update([0]);
    hash.update(&body);

    let scope = Scope { principal: caller.principal, key };
    let begun = match answers.turn(scope, hash.finalize().into(), api.control.now()).await? {
        Turn::Answered(answer) => return Ok(answer.replay()),
        Turn::New(begun) => begun,
    };
    // Its client may hang up and repeat it, and by then it may be committed: it goes on by itself until it is answered.
    let answered = tokio::spawn(answer(begun, Request::from_parts(parts, Body::from(body)), next));
    answered.await.map_err(|error| Problem::unavailable(error.to_string()))?
}

/// Has it done, and keeps a success.
async fn answer(begun: Begun, request: Request, next: Next) -> Result<Response, Problem> {
    let response = next.run(request).await;
    if !response.status().is_success() {
        return Ok(response);
    }
    let (head, body) = response.into_parts();
    // What handlers answer to a POST is whole in memory already.
    let body = to_bytes(body, usize::MAX).await;
    let body = body.map_err(|error| Problem::unavailable(error.to_string()))?;
    let made = Answer { status: head.status, headers: head.headers, body };
    let response = made.response();
    if made.body.len() <= LONGEST_ANSWER {
        begun.keep(made);
    }
    Ok(response)
}

impl Answer {
    fn response(&self) -> Response {
        (self.status, self.headers.clone(), self.body.clone()).into_response()
    }

    fn replay(&self) -> Response {
        let mut response = self.response();
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn of_all_who_repeat_a_request_that_changed_nothing_one_does_it() {
        let answers = Arc::new(Answers::default());
        let scope = || Scope {
            principal: Principal::User("ann".to_owned()),
            key: "one".parse().expect("it is a key"),
        };
        let turn = || answers.turn(scope(), [1; 32], Timestamp::from_millis(1));
        let first = turn().await.expect("it is the first");
        let mut waits = Box::pin(turn());
        assert!(poll!(&mut waits).is_pending());
        drop(first);
        let Ok(Turn::New(later)) = turn().await else { panic!("the first changed nothing") };
        assert!(poll!(&mut waits).is_pending(), "it waits for the later one now");
        let (status, headers, body) = (StatusCode::CREATED, HeaderMap::new(), Bytes::new());
        later.keep(Answer { status, headers, body });
        assert!(matches!(waits.await, Ok(Turn::Answered(_))));
    }
}

//! What the link's listener answers. Joining and renewing need no certificate, since their requests carry a proof; all the
//! rest is for registered peers.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State, WebSocketUpgrade};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::{Extension, Json, Router};
use futures_util::StreamExt as _;
use listener::Seldom;

use super::accept::PresentedPeer;
use super::enrol::{EnrolError, is_registered};
use super::session;
use super::shared::Shared;
use crate::certificate::PeerId;
use crate::message::{
    self, AGENT_FRAME_BYTES, Agent, JoinRequest, ROUTER_FRAME_BYTES, RenewRequest, STREAM_PATH,
};
use crate::refusal::{RefusalCode, Refused};
use crate::sentence::{Plain, plain};

const REQUEST_BYTES: usize = 64 * 1024;

/// Everything under the link's listener.
pub(super) fn app(shared: Arc<Shared>, mount: Router) -> Router {
    let peers_only = middleware::from_fn_with_state(Arc::clone(&shared), peers_only);
    let open = Router::new()
        .route("/join", post(join))
        .route("/renew", post(renew))
        .layer(DefaultBodyLimit::max(REQUEST_BYTES));
    let closed = Router::new()
        .route(STREAM_PATH, any(stream))
        .route("/streams/{id}", post(bytes))
        .route_layer(peers_only.clone());
    open.merge(closed).with_state(shared).fallback_service(mount.layer(peers_only))
}

/// Lets registered peers through, with their identity and principal as extensions.
async fn peers_only(
    State(shared): State<Arc<Shared>>,
    Extension(PresentedPeer(peer)): Extension<PresentedPeer>,
    mut request: Request,
    next: Next,
) -> Response {
    let Some(peer) = peer else {
        let reason = plain(Plain::CertificateMissing);
        let code = RefusalCode::CertificateMissing;
        return refuse(StatusCode::UNAUTHORIZED, code, reason);
    };
    if !is_registered(&shared.state.borrow(), peer) {
        return refuse_by(&EnrolError::Removed(peer));
    }
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(peer.principal());
    next.run(request).await
}

async fn join(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Json(request): Json<JoinRequest>,
) -> Response {
    answer(&shared.seldom, client, "join", shared.join(request, client.ip()).await)
}

async fn renew(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    Json(request): Json<RenewRequest>,
) -> Response {
    answer(&shared.seldom, client, "renew", shared.renew(&request))
}

async fn stream(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<PeerId>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let most = match peer {
        PeerId::Instance(_) => AGENT_FRAME_BYTES,
        PeerId::Router(_) => ROUTER_FRAME_BYTES,
    };
    upgrade.max_message_size(most).max_frame_size(most).on_upgrade(move |socket| async move {
        let tasks = shared.tasks.clone();
        let serving = async {
            let source = client.ip();
            match peer {
                PeerId::Instance(id) => session::run::<Agent>(shared, id, source, socket).await,
                PeerId::Router(id) => {
                    session::run::<message::Router>(shared, id, source, socket).await;
                }
            }
        };
        tasks.track_future(serving).await;
    })
}

/// Takes the bytes that the server asked this agent for, until either side has enough.
async fn bytes(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<PeerId>,
    Path(id): Path<String>,
    body: Body,
) -> Response {
    let PeerId::Instance(instance) = peer else {
        let reason = plain(Plain::AgentsOnly);
        return refuse(StatusCode::FORBIDDEN, RefusalCode::WrongRole, reason);
    };
    let Some(sender) = shared.streams.claim(&id, instance) else {
        let reason = plain(Plain::StreamUnknown);
        return refuse(StatusCode::NOT_FOUND, RefusalCode::StreamUnknown, reason);
    };
    let mut body = body.into_data_stream();
    loop {
        let chunk = tokio::select! {
            () = sender.closed() => break,
            () = shared.shutdown.cancelled() => break,
            chunk = body.next() => chunk,
        };
        match chunk {
            Some(Ok(bytes)) => {
                if sender.send(bytes).await.is_err() {
                    break;
                }
            }
            Some(Err(error)) => {
                tracing::debug!(%error, "a stream of instance `{instance}` broke");
                break;
            }
            None => return StatusCode::NO_CONTENT.into_response(),
        }
    }
    let close = HeaderValue::from_static("close");
    (StatusCode::NO_CONTENT, [(header::CONNECTION, close)]).into_response()
}

fn answer(
    seldom: &Seldom,
    client: SocketAddr,
    what: &'static str,
    answered: Result<message::CertificateResponse, EnrolError>,
) -> Response {
    match answered {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => {
            if let Some(before) = seldom.tell(what, client.ip()) {
                let from = client.ip();
                tracing::warn!(%error, "refused a request of {from} to {what}{before}");
            }
            refuse_by(&error)
        }
    }
}

fn refuse_by(error: &EnrolError) -> Response {
    refuse(error.status(), error.code(), error.to_string())
}

fn refuse(status: StatusCode, code: RefusalCode, reason: String) -> Response {
    (status, Json(Refused { code, reason })).into_response()
}

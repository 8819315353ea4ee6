//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tower::{ServiceExt as _, service_fn};

use crate::admission::Admitted;
use crate::limits::Limits;
use crate::lingering::Lingering;
use crate::prepare::Prepare;
use crate::request_body::RequestBody;
use crate::response_body::ResponseBody;

pub(crate) struct Connection<P> {
    pub(crate) socket: TcpStream,
    pub(crate) client: ConnectInfo<SocketAddr>,
    pub(crate) app: Router,
    pub(crate) prepare: P,
    pub(crate) limits: Limits,
    pub(crate) admitted: Admitted,
    pub(crate) shutdown: CancellationToken,
}

/// Serves it until it ends, has to make room for another, or is cut off by shutdown.
pub(crate) async fn serve<P: Prepare>(connection: Connection<P>) {
    let cut = connection.admitted.cut.clone();
    tokio::select! {
        () = cut.cancelled() => {}
        () = speak(connection) => {}
    }
}

async fn speak<P: Prepare>(connection: Connection<P>) {
    let Connection { socket, client, app, prepare, limits, admitted, shutdown } = connection;
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set up a connection");
    }
    let Some((stream, mut extensions)) = prepare.prepare(socket).await else { return };
    extensions.insert(client);
    let progress = Arc::clone(&admitted.progress);
    let service = service_fn(move |request: Request<Incoming>| {
        let (app, progress) = (app.clone(), Arc::clone(&progress));
        let (mut head, body) = request.into_parts();
        head.extensions.extend(extensions.clone());
        progress.serves();
        let body = Body::new(RequestBody::new(body, Arc::clone(&progress), limits.silence));
        async move {
            let answered = app.oneshot(Request::from_parts(head, body)).await;
            answered.map(|answer: Response| {
                answer.map(|body| Body::new(ResponseBody::new(body, progress)))
            })
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head);
    let io = TokioIo::new(Lingering::new(stream));
    let serving = http.serve_connection(io, TowerToHyperService::new(service)).with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = shutdown.cancelled() => {
            serving.as_mut().graceful_shutdown();
            match timeout(limits.end, serving).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}

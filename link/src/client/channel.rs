//! The role's side of the stream: what goes to the role only ever gets newer, what comes from it is only ever the latest.

use model::{Epoch, StateRevision};
use tokio::sync::{mpsc, watch};

use crate::message::{Hello, Peer, Stamped, StreamRequest};

/// What the connection has of the role; one connection after the other uses it.
#[derive(Debug)]
pub(super) struct Channels<P: Peer> {
    /// Views and requests to the role.
    pub(super) down: Downlink<P>,
    /// Reports and greetings of the role.
    pub(super) up: Uplink<P>,
    /// Whether the stream to the server is open.
    pub(super) connected: watch::Sender<bool>,
}

/// Passes views and requests to the role.
#[derive(Debug)]
pub(super) struct Downlink<P: Peer> {
    view: watch::Sender<Option<Stamped<P::View>>>,
    streams: mpsc::Sender<StreamRequest>,
    /// Whether the role's view is the one that came last on this connection, so that its stamp may advance.
    in_step: bool,
}

/// Passes reports and greetings of the role to the connection.
#[derive(Debug)]
pub(super) struct Uplink<P: Peer> {
    pub(super) report: watch::Receiver<P::Report>,
    pub(super) hello: watch::Receiver<Hello>,
    /// Whether the role has reported at all: until then its report is unknown, not empty.
    reported: bool,
}

impl<P: Peer> Channels<P> {
    pub(super) fn new(
        view: watch::Sender<Option<Stamped<P::View>>>,
        report: watch::Receiver<P::Report>,
        connected: watch::Sender<bool>,
        streams: mpsc::Sender<StreamRequest>,
        hello: watch::Receiver<Hello>,
    ) -> Self {
        Self {
            down: Downlink { view, streams, in_step: false },
            up: Uplink { report, hello, reported: false },
            connected,
        }
    }
}

impl<P: Peer> Downlink<P> {
    /// A new connection begins: nothing has come on it yet.
    pub(super) fn begin(&mut self) {
        self.in_step = false;
    }

    /// A whole view has come. Older ones are dropped, the epoch orders first.
    pub(super) fn take(&mut self, view: Stamped<P::View>) {
        let stamp = (view.epoch, view.revision);
        let mut in_step = true;
        self.view.send_if_modified(|current| {
            let known = current.as_ref().map(|known| (known.epoch, known.revision));
            in_step = known <= Some(stamp);
            let is_newer = known < Some(stamp);
            if is_newer {
                *current = Some(view);
            }
            is_newer
        });
        self.in_step = in_step;
    }

    /// A view has come that cannot be read: the role keeps the one that it has, and its stamp does not advance.
    pub(super) fn skip(&mut self) {
        self.in_step = false;
    }

    /// The last view still holds at this revision.
    pub(super) fn advance(&mut self, epoch: Epoch, revision: StateRevision) {
        if !self.in_step {
            return;
        }
        self.view.send_if_modified(|current| match current {
            Some(known) if known.epoch == epoch && known.revision < revision => {
                known.revision = revision;
                true
            }
            _ => false,
        });
    }

    /// The server requests bytes. If the role does not keep up the request is dropped, and the server's deadline passes.
    pub(super) fn request(&self, request: StreamRequest) {
        if let Err(error) = self.streams.try_send(request) {
            tracing::warn!(%error, "dropped a stream request");
        }
    }
}

impl<P: Peer> Uplink<P> {
    /// The report to begin a connection with, if there has been one.
    pub(super) fn first_report(&mut self) -> Option<P::Report> {
        self.reported |= self.report.has_changed().unwrap_or(false);
        self.reported.then(|| self.report.borrow_and_update().clone())
    }

    /// The next report, once there is one.
    pub(super) async fn next_report(report: &mut watch::Receiver<P::Report>) -> P::Report {
        changed(report).await;
        report.borrow_and_update().clone()
    }

    /// The next greeting, once there is one.
    pub(super) async fn next_hello(hello: &mut watch::Receiver<Hello>) -> Hello {
        changed(hello).await;
        hello.borrow_and_update().clone()
    }

    /// The role has reported on this connection.
    pub(super) fn note_reported(&mut self) {
        self.reported = true;
    }
}

/// Waits for a change; for ever when the sender is gone.
async fn changed<T>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use model::RouterView;

    use super::*;
    use crate::message::{Router, RouterReport};

    type Ended = (
        Channels<Router>,
        watch::Receiver<Option<Stamped<RouterView>>>,
        watch::Sender<RouterReport>,
    );

    fn channels() -> Ended {
        let (view, view_end) = watch::channel(None);
        let (report_end, report) = watch::channel(RouterReport::default());
        let hello = Hello { name: "r".to_owned(), version: "1".to_owned(), host: None };
        let channels = Channels::new(
            view,
            report,
            watch::channel(false).0,
            mpsc::channel(1).0,
            watch::channel(hello).1,
        );
        (channels, view_end, report_end)
    }

    fn empty(epoch: u64, revision: u64) -> Stamped<RouterView> {
        let (epoch, revision) = (Epoch(epoch), StateRevision(revision));
        Stamped { epoch, revision, view: RouterView::default() }
    }

    fn stamp(view: &watch::Receiver<Option<Stamped<RouterView>>>) -> Option<(u64, u64)> {
        view.borrow().as_ref().map(|known| (known.epoch.0, known.revision.0))
    }

    #[test]
    fn a_view_only_gets_newer_and_the_epoch_orders_first() {
        let (mut channels, view, _report) = channels();
        for (epoch, revision, expected) in
            [(2, 5, (2, 5)), (2, 4, (2, 5)), (1, 9, (2, 5)), (2, 6, (2, 6)), (3, 1, (3, 1))]
        {
            channels.down.take(empty(epoch, revision));
            assert_eq!(stamp(&view), Some(expected), "after {epoch}.{revision}");
        }
    }

    #[test]
    fn a_stamp_advances_only_over_the_view_that_this_connection_sent() {
        let (mut channels, view, _report) = channels();
        channels.down.take(empty(2, 5));
        channels.down.advance(Epoch(2), StateRevision(7));
        assert_eq!(stamp(&view), Some((2, 7)));
        channels.down.advance(Epoch(2), StateRevision(6));
        assert_eq!(stamp(&view), Some((2, 7)), "it never goes back");

        channels.down.begin();
        channels.down.advance(Epoch(2), StateRevision(9));
        assert_eq!(stamp(&view), Some((2, 7)), "nothing has been sent yet");
        channels.down.take(empty(1, 1));
        channels.down.advance(Epoch(2), StateRevision(9));
        assert_eq!(stamp(&view), Some((2, 7)), "what was sent was dropped");

        channels.down.skip();
        channels.down.advance(Epoch(2), StateRevision(9));
        assert_eq!(stamp(&view), Some((2, 7)), "what was sent could not be read");
    }

    #[test]
    fn nothing_is_reported_before_the_role_does() {
        let (mut channels, _view, report) = channels();
        assert_eq!(channels.up.first_report(), None);
        report.send(RouterReport::default()).unwrap();
        assert_eq!(channels.up.first_report(), Some(RouterReport::default()));
        assert_eq!(
            channels.up.first_report(),
            Some(RouterReport::default()),
            "and again each time"
        );
    }
}

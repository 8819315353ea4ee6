//! Reads what comes up on a peer's stream.

use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::clean;
use super::close::CloseReason;
use super::frames::{Source, next};
use super::recorder::PeerInput;
use super::role::Role;
use super::sessions::SessionHandle;
use super::shared::Shared;
use crate::message::{BEATS_MISSED, Up};

/// Reads until the stream ends or the peer is silent for too long.
pub(super) async fn read_loop<R: Role>(
    shared: &Shared,
    session: &SessionHandle,
    id: R::Id,
    source: &mut Source,
    input: &watch::Sender<PeerInput>,
) -> CloseReason {
    let mut ticks = interval(shared.beat);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut missed = 0;
    loop {
        let frame = tokio::select! {
            biased;
            frame = next::<R::Report>(source) => frame,
            _ = ticks.tick() => {
                missed += 1;
                if missed > BEATS_MISSED {
                    return CloseReason::Silent;
                }
                continue;
            }
        };
        missed = 0;
        match frame {
            Ok(Up::Hello { hello, .. }) => {
                let hello = clean::hello(*hello);
                input.send_modify(|input| input.hello = hello);
            }
            Ok(Up::Report(report)) => R::report(shared, session, id, report, input),
            Ok(Up::Beat) => {}
            Err(reason) => return reason,
        }
        shared.heard(session);
    }
}

//! How pingora connects to a target.

use std::time::Duration;

use pingora_core::protocols::TcpKeepalive;
use pingora_core::upstreams::peer::HttpPeer;

use crate::listen::TUNNEL;
use crate::target::Way;

/// How long a target may take to answer, or be silent in the middle of an answer.
const ANSWER: Duration = Duration::from_mins(1);
/// How long a connection waits in the pool: less than servers keep theirs by default, so that they do not close it in the
/// moment in which it is used again.
const IDLE: Duration = Duration::from_secs(4);

/// A way to a target. `pool` keeps its connections apart from those of whatever had or will have the same address.
pub(super) fn to(way: Way, pool: u64, is_tunnel: bool) -> HttpPeer {
    let mut peer = HttpPeer::new(way.address, false, String::new());
    peer.group_key = pool;
    let options = &mut peer.options;
    options.connection_timeout = Some(way.patience);
    options.total_connection_timeout = Some(way.patience);
    options.read_timeout = Some(if is_tunnel { TUNNEL } else { ANSWER });
    options.write_timeout = Some(ANSWER);
    options.idle_timeout = Some(IDLE);
    options.tcp_keepalive = is_tunnel.then(|| TcpKeepalive {
        idle: Duration::from_mins(1),
        interval: Duration::from_secs(15),
        count: 4,
        user_timeout: Duration::ZERO,
    });
    peer
}

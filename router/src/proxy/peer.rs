//! How pingora connects to a target.

use std::time::Duration;

use pingora_core::protocols::TcpKeepalive;
use pingora_core::upstreams::peer::HttpPeer;

use crate::target::Endpoint;

/// How long a tunnel may be without a byte from either side.
pub(crate) const TUNNEL_IDLE_TIMEOUT: Duration = Duration::from_hours(1);
/// How long a target may take to answer, or be silent in the middle of an answer.
const RESPONSE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long a connection stays in the pool: less than the 5 s for which common servers keep theirs by default, so that
/// they rarely close it at the moment of its reuse.
const POOL_TIMEOUT: Duration = Duration::from_secs(4);

/// pingora's peer for an endpoint. `pool` separates its pooled connections from those of other targets that had or will
/// have the same address.
pub(super) fn to(endpoint: Endpoint, pool: u64, is_tunnel: bool) -> HttpPeer {
    let mut peer = HttpPeer::new(endpoint.address, false, String::new());
    peer.group_key = pool;
    let options = &mut peer.options;
    options.connection_timeout = Some(endpoint.connect_timeout);
    options.total_connection_timeout = Some(endpoint.connect_timeout);
    options.read_timeout = Some(if is_tunnel { TUNNEL_IDLE_TIMEOUT } else { RESPONSE_TIMEOUT });
    options.write_timeout = Some(RESPONSE_TIMEOUT);
    options.idle_timeout = Some(POOL_TIMEOUT);
    options.tcp_keepalive = is_tunnel.then(|| TcpKeepalive {
        idle: Duration::from_mins(1),
        interval: Duration::from_secs(15),
        count: 4,
        user_timeout: Duration::ZERO,
    });
    peer
}

//! Where commands find the admin API: said by flag or environment, else the server of this data directory.

use cli::{Connection, TokenOrigin};
use config::Config;
use supervisor::{Layout, RoleError, local_api};

/// Why a command does not know where to go.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// An address of the admin API is given, and no token for it.
    #[error("there is no token for {url}: set BERTH_TOKEN to one")]
    NoToken {
        /// The address.
        url: String,
    },
    /// The token of this data directory cannot be read.
    #[error(
        "the token of this data directory cannot be read: run this as the user that runs the server, or set BERTH_TOKEN"
    )]
    Local(#[from] RoleError),
}

/// Where commands go. The local token is sent to the local API only.
pub(crate) fn find(config: &Config) -> Result<Connection, ConnectionError> {
    let said = config.client.token.clone();
    if let Some(url) = &config.client.url {
        let token = said.ok_or_else(|| ConnectionError::NoToken { url: url.clone() })?;
        return Ok(Connection { url: url.clone(), token, origin: TokenOrigin::Said });
    }
    let layout = Layout::new(&config.data_dir);
    let url = local_api::url(config, &layout);
    if let Some(token) = said {
        return Ok(Connection { url, token, origin: TokenOrigin::Said });
    }
    let (token, file) = (local_api::token(&layout)?, layout.admin_token());
    let origin =
        if token.is_empty() { TokenOrigin::Missing(file) } else { TokenOrigin::File(file) };
    Ok(Connection { url, token, origin })
}

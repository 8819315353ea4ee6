//! Where commands find the admin API: said by flag or environment, else the server of this data directory.

use cli::Connection;
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
    #[error(transparent)]
    Local(#[from] RoleError),
}

/// Where commands go. The local token is sent to the local API only.
pub(crate) fn find(config: &Config) -> Result<Connection, ConnectionError> {
    if let Some(url) = &config.client.url {
        let token = config.client.token.clone();
        let token = token.ok_or_else(|| ConnectionError::NoToken { url: url.clone() })?;
        return Ok(Connection { url: url.clone(), token });
    }
    let layout = Layout::new(&config.data_dir);
    let token = match &config.client.token {
        Some(token) => token.clone(),
        None => local_api::token(&layout)?,
    };
    Ok(Connection { url: local_api::url(config, &layout), token })
}

//! Where commands find the admin API: said by flag or environment, else the server of this data directory.

use cli::Connection;
use config::Config;
use supervisor::{Failure, Layout, local_api};

/// Where commands go. The local token is sent to the local API only.
pub(crate) fn find(config: &Config) -> Result<Connection, Failure> {
    if let Some(url) = &config.client.url {
        let token = config.client.token.clone().ok_or_else(|| {
            Failure::Said(format!("there is no token for {url}: set BERTH_TOKEN to one"))
        })?;
        return Ok(Connection { url: url.clone(), token });
    }
    let layout = Layout::new(&config.data_dir);
    let token = match &config.client.token {
        Some(token) => token.clone(),
        None => local_api::token(&layout)?,
    };
    Ok(Connection { url: local_api::url(config, &layout), token })
}

//! Finds the admin API and a token for it: what is configured, else what this data directory knows.

use config::Config;

use crate::cli::Connection;
use crate::endpoints::Endpoints;
use crate::failure::Failure;
use crate::layout::Layout;

/// Where commands go. The local token is sent to the local API only.
pub(crate) fn find(config: &Config) -> Result<Connection, Failure> {
    let layout = Layout::new(&config.data_dir);
    if let Some(url) = &config.client.url {
        let token = config.client.token.clone().ok_or_else(|| {
            Failure::Said(format!("there is no token for {url}: set BERTH_TOKEN to one"))
        })?;
        return Ok(Connection { url: url.clone(), token });
    }
    let admin = Endpoints::read(&layout).admin.unwrap_or(config.admin_listen);
    let url = format!("http://{admin}");
    if let Some(token) = &config.client.token {
        return Ok(Connection { url, token: token.clone() });
    }
    let token = match std::fs::read_to_string(layout.admin_token()) {
        Ok(token) => token.trim().to_owned(),
        // Without a token the API says what is missing, or nobody answers and the command says how to start.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(Failure::file(&layout.admin_token())(error)),
    };
    Ok(Connection { url, token })
}

//! The admin API of this data directory, and the administrator's token for it.

use std::io::ErrorKind;

use api::client::Client;
use config::Config;

use crate::endpoints::Endpoints;
use crate::error::{RoleError, Step};
use crate::layout::Layout;

/// Its URL: where the server listens, or would.
pub fn url(config: &Config, layout: &Layout) -> String {
    let admin = Endpoints::read(layout).admin.unwrap_or(config.admin_listen);
    format!("http://{admin}")
}

/// The administrator's token; empty before the first start.
pub fn token(layout: &Layout) -> Result<String, RoleError> {
    match std::fs::read_to_string(layout.admin_token()) {
        Ok(token) => Ok(token.trim().to_owned()),
        // Without a token the API says what is missing, or nobody answers and the command says how to start.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(RoleError::file(&layout.admin_token())(error)),
    }
}

/// A client for it, whatever server commands are told to talk to.
pub(crate) fn client(config: &Config, layout: &Layout) -> Result<Client, RoleError> {
    let client = Client::new(&url(config, layout), &token(layout)?);
    client.map_err(RoleError::step(Step::ReachApi))
}

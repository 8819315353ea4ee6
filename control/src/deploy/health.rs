//! What was said of a health check, put into the one that there is.

use api::DeployRequest;
use model::{HealthCheck, HealthCheckProtocol};

use crate::refused::DeployError;

/// ELB's longest interval, in seconds.
const LONGEST_INTERVAL: u32 = 300;
/// ELB's longest timeout, in seconds.
const LONGEST_TIMEOUT: u32 = 120;
/// ELB's highest threshold.
const HIGHEST_THRESHOLD: u32 = 10;

/// Whether the request says anything of the check.
pub(super) fn says_anything(request: &DeployRequest) -> bool {
    request.health_path.is_some()
        || request.health_protocol.is_some()
        || request.health_check.is_some()
}

/// The check as it is or the default one, with what was said put in.
pub(super) fn merged(
    known: Option<&HealthCheck>,
    request: &DeployRequest,
) -> Result<HealthCheck, DeployError> {
    let (protocol, path) = (request.health_protocol, request.health_path.as_ref());
    let said = request.health_check.clone().unwrap_or_default();
    let before = known.cloned().unwrap_or_default();
    let protocol = protocol.or(path.map(|_| HealthCheckProtocol::Http)).unwrap_or(before.protocol);
    if protocol == HealthCheckProtocol::Tcp && path.is_some() {
        return Err(DeployError::TcpCheckWithPath);
    }
    if protocol == HealthCheckProtocol::Tcp && (said.matcher.is_some() || said.host.is_some()) {
        return Err(DeployError::TcpCheckWithAnswer);
    }
    if let Some(path) = path {
        check_path(path)?;
    }
    let check = HealthCheck {
        protocol,
        path: path.cloned().unwrap_or(before.path),
        interval_seconds: said.interval_seconds.unwrap_or(before.interval_seconds),
        timeout_seconds: said.timeout_seconds.unwrap_or(before.timeout_seconds),
        healthy_threshold: said.healthy_threshold.unwrap_or(before.healthy_threshold),
        unhealthy_threshold: said.unhealthy_threshold.unwrap_or(before.unhealthy_threshold),
        matcher: said.matcher.unwrap_or(before.matcher),
        port: said.port.or(before.port),
        host: said.host.or(before.host),
    };
    in_bounds(&check)?;
    Ok(check)
}

/// A path and query as they stand in a request line (RFC 9112 section 3.2.1): what is no character of a URI would end it.
fn check_path(path: &str) -> Result<(), DeployError> {
    let is_uri = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte);
    if path.starts_with('/') && path.bytes().all(is_uri) {
        return Ok(());
    }
    let encode = |byte: u8| {
        if is_uri(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    let encoded =
        format!("/{}", path.trim_start_matches('/').bytes().map(encode).collect::<String>());
    Err(DeployError::HealthPath { path: path.to_owned(), encoded })
}

fn in_bounds(check: &HealthCheck) -> Result<(), DeployError> {
    let port = check.port.map_or(1, u32::from);
    for (field, value, most) in [
        ("healthCheck.intervalSeconds", check.interval_seconds, LONGEST_INTERVAL),
        ("healthCheck.timeoutSeconds", check.timeout_seconds, LONGEST_TIMEOUT),
        ("healthCheck.healthyThreshold", check.healthy_threshold, HIGHEST_THRESHOLD),
        ("healthCheck.unhealthyThreshold", check.unhealthy_threshold, HIGHEST_THRESHOLD),
        ("healthCheck.port", port, u32::from(u16::MAX)),
    ] {
        if !(1..=most).contains(&value) {
            return Err(DeployError::OutOfRange { field, value, most });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use api::HealthCheckSettings;

    use super::*;

    fn request(settings: HealthCheckSettings) -> DeployRequest {
        DeployRequest {
            health_check: Some(settings),
            ..DeployRequest::new("hello".parse().unwrap())
        }
    }

    #[test]
    fn what_is_not_said_stays_as_it_is() {
        let known = HealthCheck { interval_seconds: 30, ..HealthCheck::default() };
        let said = HealthCheckSettings { port: Some(9000), ..HealthCheckSettings::default() };
        let merged = merged(Some(&known), &request(said)).unwrap();
        assert_eq!(merged, HealthCheck { port: Some(9000), ..known });
    }

    #[test]
    fn a_path_that_cannot_stand_in_a_request_is_refused_with_what_can() {
        let asked = |path: &str| {
            let said = request(HealthCheckSettings::default());
            merged(None, &DeployRequest { health_path: Some(path.to_owned()), ..said })
        };
        for good in ["/", "/healthz", "/a%20b", "/up?deep=1&x=a:b", "/~me/(1)"] {
            assert!(asked(good).is_ok(), "{good}");
        }
        for (bad, expected) in [
            ("/a b", "/a%20b"),
            ("up", "/up"),
            ("", "/"),
            ("/ü", "/%C3%BC"),
            ("/x\r\n", "/x%0D%0A"),
        ] {
            let error = asked(bad).unwrap_err();
            let (path, encoded) = (bad.to_owned(), expected.to_owned());
            assert_eq!(error, DeployError::HealthPath { path, encoded });
        }
    }

    #[test]
    fn a_value_that_elb_would_not_take_is_refused_with_its_range() {
        let said = HealthCheckSettings { interval_seconds: Some(301), ..Default::default() };
        let error = merged(None, &request(said)).unwrap_err();
        let field = "healthCheck.intervalSeconds";
        assert_eq!(error, DeployError::OutOfRange { field, value: 301, most: 300 });
    }

    #[test]
    fn a_connection_has_neither_path_nor_answer() {
        let tcp = Some(HealthCheckProtocol::Tcp);
        let said = HealthCheckSettings { host: Some("a".to_owned()), ..Default::default() };
        let host = DeployRequest { health_protocol: tcp, ..request(said) };
        assert_eq!(merged(None, &host).unwrap_err(), DeployError::TcpCheckWithAnswer);
        let path = Some("/up".to_owned());
        let path = DeployRequest {
            health_protocol: tcp,
            health_path: path,
            ..request(HealthCheckSettings::default())
        };
        assert_eq!(merged(None, &path).unwrap_err(), DeployError::TcpCheckWithPath);
    }
}

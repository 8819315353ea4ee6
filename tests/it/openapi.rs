//! The OpenAPI document that the server serves: valid, ours, and true of what the server answers.
//!
//! The judges are of others, from PyPI: `openapi-spec-validator` and `schemathesis`. They are installed once, in a virtual
//! environment below `target`; without Python or PyPI these tests fail and say so.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::harness::{Server, http};

/// The judges, each in the version that is asked for.
const REQUIREMENTS: &str = include_str!("openapi/requirements.txt");
/// What schemathesis looks at in every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance";

/// The directory with the judges' commands.
static TOOLS: LazyLock<PathBuf> = LazyLock::new(|| {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("openapi");
    let installed = home.join("installed.txt");
    if std::fs::read_to_string(&installed).is_ok_and(|known| known == REQUIREMENTS) {
        return home.join("bin");
    }
    std::fs::remove_dir_all(&home).ok();
    succeed(Command::new("python3").args(["-m", "venv"]).arg(&home));
    let requirements =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/openapi/requirements.txt");
    succeed(
        Command::new(home.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"])
            .arg(requirements),
    );
    disk::write(&installed, REQUIREMENTS.as_bytes(), 0o644).expect("the venv can be written");
    home.join("bin")
});

/// What a command prints; says what these tests need where it fails.
fn succeed(command: &mut Command) -> String {
    let needs = "these tests need python3 with its venv module (Debian: `apt install python3-venv`) and the packages of \
                 tests/it/openapi/requirements.txt from PyPI";
    let output = command.output();
    let output = output.unwrap_or_else(|error| panic!("{needs}: {command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{needs}: {command:?}: {}: {text}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn authorization(server: &Server) -> String {
    format!("Bearer {}", server.token())
}

/// Writes the served document to a file of the test, as it is.
fn document(server: &Server) -> PathBuf {
    let url = format!("{}/api/v1/openapi.json", server.admin());
    let headers = [("authorization", &*authorization(server))];
    let answer = http::request(&url, "GET", None, &headers, "").expect("the server answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let path = server.home().join("openapi.json");
    disk::write(&path, answer.body.as_bytes(), 0o600).expect("the document can be kept");
    path
}

#[test]
fn the_document_that_the_server_serves_is_a_valid_one_and_ours() {
    let server = Server::start();
    let path = document(&server);
    let judged = Command::new(TOOLS.join("openapi-spec-validator")).arg(&path).output();
    let judged = judged.expect("the validator is installed");
    let said = String::from_utf8_lossy(&judged.stdout) + String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}");
    let text = std::fs::read_to_string(path).expect("it was written");
    let document: Value = serde_json::from_str(&text).expect("the document is JSON");
    let info = &document["info"];
    assert_eq!((&info["title"], &info["contact"]), (&Value::from("Berth"), &Value::Null));
    assert_eq!(info["license"]["identifier"], "Apache-2.0");
}

/// Requests made from the document: valid ones, and ones that are wrong in one place.
fn requests(examples: u32, phases: &str) {
    let server = Server::start();
    let mut schemathesis = Command::new(TOOLS.join("schemathesis"));
    schemathesis.current_dir(server.home()).arg("--no-color").arg("run").arg(document(&server));
    schemathesis.args(["--url", &server.admin(), "--checks", CHECKS, "--phases", phases]);
    schemathesis.args(["--header", &format!("Authorization: {}", authorization(&server))]);
    // One worker: CPython 3.11 fails to compile Python on several threads (python/cpython#106905).
    schemathesis.args(["--max-examples", &examples.to_string(), "--seed", "1", "--workers", "1"]);
    schemathesis.args(["--continue-on-failure", "--request-timeout", "20", "--no-shrink"]);
    let judged = schemathesis.output().expect("schemathesis is installed");
    let said = String::from_utf8_lossy(&judged.stdout) + String::from_utf8_lossy(&judged.stderr);
    assert!(judged.status.success(), "{said}\n--- server\n{}", server.log());
}

#[test]
fn no_request_made_from_the_document_is_answered_otherwise_than_it_declares() {
    requests(5, "examples,coverage,fuzzing");
}

/// The same at full size, some minutes long: with `BERTH_TEST_FULL=1`.
#[test]
fn no_request_of_many_is_answered_otherwise_than_the_document_declares() {
    if std::env::var_os("BERTH_TEST_FULL").is_some() {
        requests(100, "examples,coverage,fuzzing,stateful");
    }
}

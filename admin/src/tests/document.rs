//! What the OpenAPI document says of every operation.

use std::collections::BTreeSet;

use serde_json::Value;

use super::World;

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// Method and path, and the operation.
async fn operations() -> (Value, Vec<(String, Value)>) {
    let document = World::new().await.get("/openapi.json").await.ok();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = METHODS.iter().filter(|method| item[**method].is_object());
        all.extend(methods.map(|method| (format!("{method} {path}"), item[*method].clone())));
    }
    assert!(all.len() > 30, "{}", all.len());
    (document, all)
}

#[tokio::test]
async fn every_operation_has_an_id_of_its_own_and_a_known_tag() {
    let (document, operations) = operations().await;
    let tags = document["tags"].as_array().unwrap();
    let known: BTreeSet<&str> = tags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
    let mut ids = BTreeSet::new();
    for (operation, said) in &operations {
        assert!(ids.insert(said["operationId"].as_str().unwrap()), "{operation}");
        let tags = said["tags"].as_array().unwrap();
        assert!(tags.iter().all(|tag| known.contains(tag.as_str().unwrap())), "{operation}");
        assert_eq!(tags.len(), 1, "{operation}");
    }
}

#[tokio::test]
async fn every_answer_is_described_and_every_problem_is_a_problem_document() {
    let (document, operations) = operations().await;
    for (operation, said) in &operations {
        let responses = said["responses"].as_object().unwrap();
        for status in ["401", "403", "503"] {
            assert!(responses.contains_key(status), "{operation} {status}");
        }
        for (status, response) in responses {
            let at = format!("{operation} {status}");
            if status.starts_with('2') {
                assert_ne!(response["description"].as_str().unwrap(), "", "{at}");
                continue;
            }
            let name = response["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            let problem = &document["components"]["responses"][name];
            assert!(problem["content"]["application/problem+json"].is_object(), "{at}");
            assert!(problem["description"].as_str().unwrap().contains('`'), "{at}");
        }
    }
}

#[tokio::test]
async fn a_parameter_is_where_its_operation_reads_it() {
    let (_, operations) = operations().await;
    for (operation, said) in &operations {
        for parameter in said["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let in_path = operation.contains(&format!("{{{name}}}"));
            assert_eq!(parameter["in"] == "path", in_path, "{operation} {name}");
        }
    }
}

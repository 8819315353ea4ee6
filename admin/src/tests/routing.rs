//! Rules: made, listed in their order, refused, removed.

use super::*;

#[tokio::test]
async fn a_rule_sends_a_host_and_path_to_a_service() {
    let world = World::with_hello().await;
    let wish = json!({"serviceName": "hello", "host": "*.Example.com", "path": "/api/"});
    let answer = world.post("/rules", wish).await;
    assert_eq!(answer.status, 201);
    let rule = answer.ok();
    assert_eq!(
        (&rule["hostHeader"], &rule["pathPattern"]),
        (&json!(["*.example.com"]), &json!(["/api", "/api/*"]))
    );
    assert_eq!((&rule["serviceName"], &rule["priority"]), (&"hello".into(), &Value::Null));
    assert_eq!(rule["action"], json!({"type": "forward", "targetGroupName": "hello"}));
    let numbered = json!({"serviceName": "hello", "host": "a.example.com", "priority": 7});
    world.post("/rules", numbered).await.ok();
    let all = world.get("/rules").await.ok()["items"].clone();
    assert_eq!(all[0]["priority"], 7);
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!(world.get("/services/hello").await.ok()["url"], "http://hello.localhost:8080");

    let id = rule["ruleId"].as_str().unwrap();
    world.delete(&format!("/rules/{id}")).await.ok();
    let answer = world.delete(&format!("/rules/{id}")).await;
    assert!(answer.problem(404, "RuleNotFound").contains("berth rule ls"));
    assert_eq!(world.state().rules_in_force().len(), 2);
    let own = all.as_array().unwrap().iter().find(|one| one["serviceRevision"] == 1).unwrap();
    let own = own["ruleId"].as_str().unwrap();
    let answer = world.delete(&format!("/rules/{own}")).await;
    assert!(answer.problem(409, "InUse").contains("berth deploy hello --host"));
}

#[tokio::test]
async fn the_url_of_a_service_is_one_that_can_be_asked() {
    let world = World::with_hello().await;
    world.post("/deploy", json!({"name": "hello", "desiredCount": 0, "host": "*"})).await.ok();
    let url = async || world.get("/services/hello").await.ok()["url"].clone();
    assert_eq!(url().await, Value::Null);
    world.post("/rules", json!({"serviceName": "hello", "host": "*.example.com"})).await.ok();
    assert_eq!(url().await, Value::Null);
    world
        .post("/rules", json!({"serviceName": "hello", "host": "a.example.com", "path": "/x"}))
        .await
        .ok();
    assert_eq!(url().await, "http://a.example.com:8080/x");
}

#[tokio::test]
async fn rules_that_conflict_are_refused_with_the_other_one() {
    let world = World::with_hello().await;
    let wish = json!({"serviceName": "hello", "host": "a.example.com", "priority": 7});
    let first = world.post("/rules", wish).await.ok()["ruleId"].as_str().unwrap().to_owned();
    let same = json!({"serviceName": "hello", "host": "b.example.com", "priority": 7});
    let answer = world.post("/rules", same).await;
    let detail = answer.problem(409, "RuleConflict");
    assert!(detail.contains("both have priority 7") && detail.contains(&first), "{detail}");
    let same = json!({"serviceName": "hello", "host": "HELLO.localhost"});
    world.post("/rules", same).await.problem(409, "RuleConflict");
}

#[tokio::test]
async fn a_rule_may_answer_by_itself_or_name_a_target_group() {
    let world = World::with_hello().await;
    let fixed = json!({"statusCode": 503, "contentType": "text/plain", "messageBody": "closed"});
    let wish = json!({"host": "closed.localhost", "fixedResponse": fixed, "priority": 1});
    let rule = world.post("/rules", wish).await.ok();
    assert_eq!(
        (&rule["action"]["type"], &rule["action"]["statusCode"]),
        (&"fixed-response".into(), &503.into())
    );
    let wish =
        json!({"hostHeader": ["x.localhost"], "pathPattern": ["/a*"], "targetGroupName": "hello"});
    let rule = world.post("/rules", wish).await.ok();
    assert_eq!((&rule["serviceName"], &rule["pathPattern"]), (&Value::Null, &json!(["/a*"])));
    assert_eq!(world.get("/listeners").await.ok()["items"][0]["name"], "http");
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused() {
    let world = World::with_hello().await;
    world
        .post(
            "/services",
            json!({"serviceName": "quiet", "taskDefinition": "hello", "desiredCount": 0}),
        )
        .await
        .ok();
    let cases = [
        (json!({"host": "a.b"}), 400, "InvalidParameter"),
        (
            json!({"host": "a.b", "serviceName": "hello", "targetGroupName": "hello"}),
            400,
            "InvalidParameter",
        ),
        (json!({"host": "a.b:80", "serviceName": "hello"}), 400, "InvalidParameter"),
        (json!({"host": "a b", "serviceName": "hello"}), 400, "InvalidParameter"),
        (json!({"path": "api", "serviceName": "hello"}), 400, "InvalidParameter"),
        (json!({"path": "/ü", "serviceName": "hello"}), 400, "InvalidParameter"),
        (json!({"host": "a".repeat(129), "serviceName": "hello"}), 400, "InvalidParameter"),
        (json!({"host": "a.b", "serviceName": "hello", "priority": 0}), 400, "InvalidParameter"),
        (
            json!({"host": "a.b", "serviceName": "hello", "priority": 50_001}),
            400,
            "InvalidParameter",
        ),
        (json!({"host": "a.b", "fixedResponse": {"statusCode": 302}}), 400, "InvalidParameter"),
        (json!({"host": "a.b", "serviceName": "nothing"}), 404, "ServiceNotFound"),
        (json!({"host": "a.b", "targetGroupName": "nothing"}), 404, "TargetGroupNotFound"),
        (
            json!({"host": "a.b", "serviceName": "hello", "listenerName": "x"}),
            404,
            "ListenerNotFound",
        ),
        (json!({"host": "a.b", "serviceName": "quiet"}), 409, "NoTargetGroup"),
    ];
    for (wish, status, code) in cases {
        world.post("/rules", wish).await.problem(status, code);
    }
    assert_eq!(world.state().rules_in_force().len(), 1);
}

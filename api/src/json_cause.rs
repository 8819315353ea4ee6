//! What is wrong with a JSON document, without the names that types have in Rust.

/// What is wrong, for people: `text "lots" is not a whole number`. The place in the document is the caller's to name.
pub fn json_cause(error: &serde_json::Error) -> String {
    let message = error.to_string();
    // Where the field is named, its line and column say nothing more.
    let message = message.rfind(" at line ").map_or(&*message, |end| &message[..end]);
    if error.classify() != serde_json::error::Category::Data {
        return message.to_owned();
    }
    let Some((found, expected)) = message.split_once(", expected ") else {
        return message.to_owned();
    };
    if let Some(word) = found.strip_prefix("unknown variant ") {
        return format!("{word} is not {expected}");
    }
    if found.starts_with("invalid length") && expected.starts_with("struct ") {
        return "a list is not an object".to_owned();
    }
    let Some(found) =
        found.strip_prefix("invalid type: ").or_else(|| found.strip_prefix("invalid value: "))
    else {
        // A list of all fields fills a screen; that of a few words helps.
        let is_long = expected.matches('`').count() > 12;
        return if is_long { found.to_owned() } else { message.to_owned() };
    };
    format!("{} is not {}", value(found), kind(expected))
}

fn value(found: &str) -> String {
    match found.split_once(' ') {
        Some(("string", text)) => format!("text {text}"),
        Some(("integer" | "boolean", number)) => number.to_owned(),
        Some(("floating", number)) => number.trim_start_matches("point ").to_owned(),
        _ => match found {
            "map" => "an object".to_owned(),
            "sequence" => "a list".to_owned(),
            other => other.to_owned(),
        },
    }
}

fn kind(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number of at most 255",
        "u16" => "a whole number of at most 65535",
        "u32" => "a whole number of at most 4294967295",
        "u64" | "usize" | "i64" | "i32" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "a string" => "text",
        other if other.starts_with("struct ") => "an object",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use model::ContainerDefinition;
    use serde_json::{Value, json};

    use super::*;

    fn cause(field: &str, value: Value) -> String {
        let mut container = json!({"name": "a", "image": "a"});
        container[field] = value;
        json_cause(&serde_json::from_value::<ContainerDefinition>(container).unwrap_err())
    }

    #[test]
    fn what_is_wrong_is_said_without_the_names_of_types() {
        assert_eq!(cause("cpu", json!("lots")), "text \"lots\" is not a whole number");
        assert_eq!(cause("cpu", json!(-1)), "`-1` is not a whole number");
        assert_eq!(cause("cpu", json!(1.5)), "`1.5` is not a whole number");
        assert_eq!(cause("essential", json!("yes")), "text \"yes\" is not true or false");
        assert_eq!(cause("command", json!("ls")), "text \"ls\" is not a list");
        assert_eq!(cause("environment", json!([1])), "`1` is not an object");
        assert_eq!(cause("name", json!({})), "an object is not text");
        assert_eq!(cause("colour", json!(1)), "unknown field `colour`");
        let port = json!([{"containerPort": 70_000}]);
        assert_eq!(cause("portMappings", port), "`70000` is not a whole number of at most 65535");
        let protocol = json!([{"containerPort": 1, "protocol": "sctp"}]);
        let said = cause("portMappings", protocol);
        assert_eq!(said, "`sctp` is not `tcp` or `udp`");
    }

    #[test]
    fn what_is_no_json_is_told_as_it_is() {
        let error = serde_json::from_str::<Value>("{").unwrap_err();
        assert_eq!(json_cause(&error), "EOF while parsing an object");
    }
}

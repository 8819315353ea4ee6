//! The API's JSON as short text for tables.

use serde_json::Value;

/// A field as text; `-` where it is absent.
pub fn field(value: &Value, key: &str) -> String {
    text(&value[key])
}

/// A value as text; `-` where there is none.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// A time to the second; the API's has fractions of one.
pub fn time(value: &Value, key: &str) -> String {
    let text = field(value, key);
    match text.split_once('.') {
        Some((seconds, fraction)) if fraction.ends_with('Z') => format!("{seconds}Z"),
        _ => text,
    }
}

/// `1 task`, `2 tasks`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// The rows of a list: one per item, one field per column.
pub fn rows(list: &Value, fields: &[&str]) -> Vec<Vec<String>> {
    items(list).iter().map(|item| fields.iter().map(|key| field(item, key)).collect()).collect()
}

/// The items of a list; none where it is no list.
pub fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `sha256:0123456789ab`, long enough to tell digests apart.
pub fn short_digest(digest: &str) -> String {
    match digest.split_once(':') {
        Some((algorithm, hex)) => {
            format!("{algorithm}:{}", hex.chars().take(12).collect::<String>())
        }
        None => digest.to_owned(),
    }
}

/// `repository@sha256:0123456789ab` of `repository@digest`.
pub fn short_image(image: &str) -> String {
    match image.split_once('@') {
        Some((repository, digest)) => format!("{repository}@{}", short_digest(digest)),
        None => image.to_owned(),
    }
}

/// Bytes as people read them.
pub fn size(bytes: u64) -> String {
    let mut amount = bytes;
    let mut tenths = 0;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if amount < 1024 {
            return if unit == "B" {
                format!("{amount} B")
            } else {
                format!("{amount}.{tenths} {unit}")
            };
        }
        tenths = amount % 1024 * 10 / 1024;
        amount /= 1024;
    }
    format!("{amount}.{tenths} TiB")
}

/// `?key=value&...` of what is given.
pub fn query(parameters: &[(&str, Option<String>)]) -> String {
    let given = parameters.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let pairs: Vec<String> = given.map(|(key, value)| format!("{key}={}", escape(value))).collect();
    if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
}

/// Percent-encodes all but unreserved characters (RFC 3986 section 2.3).
pub fn escape(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_people_write_them() {
        let sizes = [0, 1023, 1024, 1536, 31 << 20, 5 << 40].map(size);
        assert_eq!(sizes, ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "31.0 MiB", "5.0 TiB"]);
    }

    #[test]
    fn times_are_shown_to_the_second() {
        let service =
            serde_json::json!({"createdAt": "2026-11-24T12:33:35.332Z", "stoppedAt": null});
        assert_eq!(time(&service, "createdAt"), "2026-11-24T12:33:35Z");
        assert_eq!(time(&service, "stoppedAt"), "-");
    }

    #[test]
    fn a_query_holds_what_is_given_and_nothing_else() {
        assert_eq!(query(&[("a", None), ("b", None)]), "");
        let given = [("a", None), ("b", Some("x y/z".to_owned())), ("c", Some("1".to_owned()))];
        assert_eq!(query(&given), "?b=x%20y%2Fz&c=1");
    }
}

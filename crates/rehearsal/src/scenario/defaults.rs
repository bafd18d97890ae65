//! The fields that all services of a scenario share.

use serde_json::{Map, Value};

/// The document with the fields of `defaults` in every service that does not have them itself. In their texts,
/// `{service}` is the service's name.
pub(super) fn with_defaults(mut document: Value) -> Value {
    let Some(Value::Object(defaults)) = document.get("defaults").cloned() else { return document };
    for service in document.get_mut("services").and_then(Value::as_array_mut).into_iter().flatten() {
        let name = service["name"].as_str().unwrap_or_default().to_owned();
        if let Some(fields) = service.as_object_mut() {
            complete(fields, &defaults, &name, 1);
        }
    }
    document
}

/// Adds what is missing; in an object such as `policy`, field by field.
fn complete(fields: &mut Map<String, Value>, defaults: &Map<String, Value>, service: &str, depth: u8) {
    for (name, default) in defaults {
        match (fields.get_mut(name), default) {
            (None, _) => {
                fields.insert(name.clone(), named(default, service));
            }
            (Some(Value::Object(own)), Value::Object(default)) if depth > 0 => {
                complete(own, default, service, depth - 1);
            }
            (Some(_), _) => {}
        }
    }
}

fn named(value: &Value, service: &str) -> Value {
    match value {
        Value::String(text) => Value::String(text.replace("{service}", service)),
        Value::Array(items) => items.iter().map(|item| named(item, service)).collect(),
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.clone(), named(value, service))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

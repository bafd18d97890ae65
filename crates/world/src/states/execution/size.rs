//! How long inputs, results and outputs may be.

use serde_json::Value;

/// The most bytes of an input, a result or an output.
pub const MOST_PAYLOAD_BYTES: usize = 262_144;

pub(in crate::states) fn is_too_long(value: &Value) -> bool {
    most_bytes(value) > MOST_PAYLOAD_BYTES && value.to_string().len() > MOST_PAYLOAD_BYTES
}

/// No fewer bytes than a value has as JSON: each byte of a text may have to be escaped. Every payload is measured, and
/// writing it out only to see that it is short took a twentieth of a simulated run.
pub(in crate::states) fn most_bytes(value: &Value) -> usize {
    const NUMBER: usize = 32;
    let of_text = |text: &str| 6 * text.len() + 2;
    match value {
        Value::Null | Value::Bool(_) => "false".len(),
        Value::Number(_) => NUMBER,
        Value::String(text) => of_text(text),
        Value::Array(items) => 2 + items.iter().map(|item| most_bytes(item) + 1).sum::<usize>(),
        Value::Object(fields) => {
            2 + fields.iter().map(|(key, item)| of_text(key) + most_bytes(item) + 2).sum::<usize>()
        }
    }
}

//! An answer to a probe, taken apart into fields that can be compared.

use crate::policy::calling::Compared;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What is read of a body.
pub const LONGEST_BODY: usize = 64 * 1024;
/// What a client or a cache reads of an answer. What differs from one connection to the next is left out.
const HEADERS: [&str; 9] = [
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "etag",
    "expires",
    "last-modified",
    "location",
    "vary",
];

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, at most [`LONGEST_BODY`] of it.
    pub body: Vec<u8>,
    /// Whether the body is longer than what was read.
    pub cut: bool,
}

/// The fields of an answer, by name: `status`, `header content-type`, `body.total`, `body.items[0]`.
pub(super) type Fields = BTreeMap<String, String>;

/// The fields that are compared at these levels.
pub(super) fn fields(answer: &Answer, compared: &BTreeSet<Compared>) -> Fields {
    let mut fields = Fields::from([("status".to_owned(), answer.status.to_string())]);
    if compared.contains(&Compared::Headers) {
        for name in HEADERS {
            let found = answer.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
            let values: Vec<&str> = found.map(|(_, value)| value.as_str()).collect();
            if !values.is_empty() {
                fields.insert(format!("header {name}"), values.join(", "));
            }
        }
    }
    let whole = compared.contains(&Compared::Body);
    if whole || compared.contains(&Compared::Shape) {
        match serde_json::from_slice::<Value>(&answer.body) {
            Ok(json) => of_json("body", &json, whole, &mut fields),
            Err(_) if whole => {
                fields.insert("body".to_owned(), String::from_utf8_lossy(&answer.body).into_owned());
            }
            Err(_) => {
                let kind = if answer.body.is_empty() { "empty" } else { "no JSON" };
                fields.insert("body".to_owned(), kind.to_owned());
            }
        }
    }
    fields
}

/// With `whole`, each value and each element of a list; else the types alone, with all elements of a list as one.
fn of_json(path: &str, value: &Value, whole: bool, fields: &mut Fields) {
    let mut put = |said: String| {
        let entry = fields.entry(path.to_owned()).or_default();
        if !entry.is_empty() && !entry.split(" or ").any(|one| one == said) {
            let mut kinds: Vec<&str> = entry.split(" or ").chain([said.as_str()]).collect();
            kinds.sort_unstable();
            *entry = kinds.join(" or ");
        } else if entry.is_empty() {
            *entry = said;
        }
    };
    match value {
        Value::Object(members) => {
            put(format!("object{}", if whole && members.is_empty() { " without fields" } else { "" }));
            for (name, member) in members {
                of_json(&format!("{path}.{name}"), member, whole, fields);
            }
        }
        Value::Array(items) => {
            put(if whole { format!("list of {}", items.len()) } else { "list".to_owned() });
            for (index, item) in items.iter().enumerate() {
                let place = if whole { format!("{path}[{index}]") } else { format!("{path}[]") };
                of_json(&place, item, whole, fields);
            }
        }
        leaf if whole => put(leaf.to_string()),
        Value::Null => put("null".to_owned()),
        Value::Bool(_) => put("boolean".to_owned()),
        Value::Number(_) => put("number".to_owned()),
        Value::String(_) => put("string".to_owned()),
    }
}

/// The field that a field is part of: `body.items` of `body.items[0]` and of `body.items.first`.
pub(super) fn part_of(field: &str) -> &str {
    field.rfind(['.', '[']).map_or("", |end| &field[..end])
}

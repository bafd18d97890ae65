//! What the two example files have for a field.

use crate::repository::read;
use crossfade_domain::policy::document::decode_fleet;
use serde_json::Value;

/// The example files, the one to copy first.
pub(super) struct Examples(Vec<Value>);

impl Examples {
    pub(super) fn read() -> Self {
        Self(["examples/policy.yaml", "examples/policy-every-field.yaml"].map(policy).into())
    }

    /// Only the file to copy.
    pub(super) fn to_copy() -> Self {
        Self(vec![policy("examples/policy.yaml")])
    }

    /// Whether one of them has the field.
    pub(super) fn knows(&self, path: &str) -> bool {
        self.values(path).next().is_some()
    }

    /// The field's value in one line, if it is short. Of several, the shortest that says something.
    pub(super) fn of(&self, path: &str) -> Option<String> {
        let lines = self.values(path).map(flow).filter(|line| line.chars().count() <= 44);
        lines.reduce(|one, other| if one == "[]" { other } else { one })
    }

    fn values(&self, path: &str) -> impl Iterator<Item = &Value> {
        let in_defaults = path.strip_prefix("services[].").map(|rest| format!("defaults.{rest}"));
        let paths: Vec<String> = std::iter::once(path.to_owned()).chain(in_defaults).collect();
        self.0.iter().flat_map(move |document| paths.iter().flat_map(|path| at(document, path)).collect::<Vec<_>>())
    }
}

fn policy(path: &str) -> Value {
    let document: Value = serde_yaml_ng::from_str(&read(path)).unwrap();
    decode_fleet(&document).unwrap_or_else(|problems| panic!("{path}: {problems}"));
    document
}

/// Every value at a path such as `services[].schedule[].weight`.
fn at<'a>(document: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('.').fold(vec![document], |values, part| {
        let (name, is_list) = part.strip_suffix("[]").map_or((part, false), |name| (name, true));
        let inner = values.into_iter().filter_map(|value| value.get(name));
        inner
            .flat_map(|value| match value.as_array().filter(|_| is_list) {
                Some(items) => items.iter().collect(),
                None => vec![value],
            })
            .collect()
    })
}

/// A value as YAML writes it in one line.
fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}: {}", flow(value))).collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::String(text) if text.contains(['{', '%', '?', ',', ' ', ':']) => format!("{text:?}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

//! The parameters and responses of an awsQuery service as a generic tree, which keeps unknown fields.

use serde_json::Value;
use std::collections::BTreeMap;

/// A value of the awsQuery protocol. Numbers and booleans are text, as they are on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// A scalar.
    Text(String),
    /// `X.member.1`, `X.member.2`, ...
    List(Vec<Tree>),
    /// A structure. A map of the protocol (`X.entry.1.key`) is a structure with the list `entry`.
    Map(BTreeMap<String, Tree>),
}

impl Default for Tree {
    fn default() -> Self {
        Self::Map(BTreeMap::new())
    }
}

impl Tree {
    /// An empty structure.
    pub fn new() -> Self {
        Self::default()
    }

    /// A structure of these fields.
    pub fn map<const N: usize>(fields: [(&str, Tree); N]) -> Self {
        Self::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A list of texts.
    pub fn texts<I: IntoIterator<Item = S>, S: Into<String>>(items: I) -> Self {
        Self::List(items.into_iter().map(|item| Self::Text(item.into())).collect())
    }

    /// Reads form parameters such as `Actions.member.1.ForwardConfig.TargetGroups.member.2.Weight=0`.
    pub fn from_form<I: IntoIterator<Item = (String, String)>>(parameters: I) -> Self {
        let mut root = BTreeMap::new();
        for (name, value) in parameters {
            let mut parts = name.split('.').peekable();
            let mut here = &mut root;
            while let Some(part) = parts.next() {
                if parts.peek().is_none() {
                    here.entry(part.to_owned()).or_insert_with(|| Self::Text(value.clone()));
                    break;
                }
                let next = here.entry(part.to_owned()).or_default();
                if let Self::Text(_) = next {
                    *next = Self::default();
                }
                let Self::Map(children) = next else { break };
                here = children;
            }
        }
        Self::Map(root.into_iter().map(|(key, value)| (key, value.with_lists())).collect())
    }

    /// Turns `{member: {1: .., 2: ..}}` into a list, and the numbered children of `entry` too, all the way down.
    fn with_lists(self) -> Self {
        let Self::Map(mut fields) = self else { return self };
        if fields.len() == 1
            && let Some(Self::Map(members)) = fields.get("member")
            && members.keys().all(|key| key.parse::<u32>().is_ok())
        {
            let Some(Self::Map(members)) = fields.remove("member") else { return Self::List(Vec::new()) };
            return Self::List(in_order(members));
        }
        if let Some(Self::Map(entries)) = fields.get("entry")
            && entries.keys().all(|key| key.parse::<u32>().is_ok())
            && let Some(Self::Map(entries)) = fields.remove("entry")
        {
            fields.insert("entry".into(), Self::List(in_order(entries)));
        }
        Self::Map(fields.into_iter().map(|(key, value)| (key, value.with_lists())).collect())
    }

    /// The same tree from JSON; numbers and booleans become text, `null` disappears.
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Text(String::new()),
            Value::Bool(flag) => Self::from(*flag),
            Value::Number(number) => Self::Text(number.to_string()),
            Value::String(text) => Self::Text(text.clone()),
            Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            Value::Object(fields) => Self::Map(
                fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(key, value)| (key.clone(), Self::from_json(value)))
                    .collect(),
            ),
        }
    }

    /// The same tree as JSON; every scalar is a string.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::List(items) => items.iter().map(Self::to_json).collect(),
            Self::Map(fields) => fields.iter().map(|(key, value)| (key.clone(), value.to_json())).collect(),
        }
    }

    /// A field of a structure.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Self::Map(fields) => fields.get(key),
            _ => None,
        }
    }

    /// A field of a structure, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Tree> {
        match self {
            Self::Map(fields) => fields.get_mut(key),
            _ => None,
        }
    }

    /// The text itself.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A scalar field. An empty one counts as not given.
    pub fn text_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_text).filter(|text| !text.is_empty())
    }

    /// A scalar field that may be empty (the value of a tag or an attribute).
    pub fn any_text_at(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Self::as_text)
    }

    /// A whole number.
    pub fn number_at(&self, key: &str) -> Option<i64> {
        self.text_at(key).and_then(|text| text.parse().ok())
    }

    /// Whether a field is `true`.
    pub fn is_true_at(&self, key: &str) -> bool {
        self.text_at(key) == Some("true")
    }

    /// A list field; empty where it is absent. AWS reads an empty list as "not specified".
    pub fn list_at(&self, key: &str) -> &[Tree] {
        match self.get(key) {
            Some(Self::List(items)) => items,
            _ => &[],
        }
    }

    /// A list of texts.
    pub fn texts_at(&self, key: &str) -> Vec<&str> {
        self.list_at(key).iter().filter_map(Self::as_text).collect()
    }

    /// Sets a field of a structure; a text or a list becomes a structure.
    pub fn set(&mut self, key: &str, value: impl Into<Tree>) {
        if !matches!(self, Self::Map(_)) {
            *self = Self::default();
        }
        if let Self::Map(fields) = self {
            fields.insert(key.to_owned(), value.into());
        }
    }

    /// With a field set.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Into<Tree>) -> Self {
        self.set(key, value);
        self
    }

    /// Takes a field out.
    pub fn remove(&mut self, key: &str) -> Option<Tree> {
        match self {
            Self::Map(fields) => fields.remove(key),
            _ => None,
        }
    }
}

fn in_order(members: BTreeMap<String, Tree>) -> Vec<Tree> {
    let mut numbered: Vec<(u32, Tree)> =
        members.into_iter().filter_map(|(key, value)| key.parse().ok().map(|n| (n, value.with_lists()))).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, value)| value).collect()
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Tree {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<bool> for Tree {
    fn from(flag: bool) -> Self {
        Self::Text(flag.to_string())
    }
}
impl From<i64> for Tree {
    fn from(number: i64) -> Self {
        Self::Text(number.to_string())
    }
}
impl From<Vec<Tree>> for Tree {
    fn from(items: Vec<Tree>) -> Self {
        Self::List(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn form(pairs: &[(&str, &str)]) -> Value {
        Tree::from_form(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))).to_json()
    }

    #[test]
    fn numbered_parameters_become_lists_in_numeric_order() {
        assert_eq!(
            form(&[
                ("RuleArn", "r"),
                ("Actions.member.10.Type", "forward"),
                ("Actions.member.2.Type", "authenticate-oidc"),
                ("Actions.member.10.ForwardConfig.TargetGroups.member.1.Weight", "0"),
            ]),
            json!({"RuleArn": "r", "Actions": [
                {"Type": "authenticate-oidc"},
                {"Type": "forward", "ForwardConfig": {"TargetGroups": [{"Weight": "0"}]}},
            ]})
        );
    }

    #[test]
    fn fields_nobody_thought_of_survive() {
        assert_eq!(
            form(&[("Actions.member.1.NewConfig.Deep.member.1", "x"), ("Actions.member.1.NewConfig.Flag", "true")]),
            json!({"Actions": [{"NewConfig": {"Deep": ["x"], "Flag": "true"}}]})
        );
    }

    #[test]
    fn maps_of_the_protocol_keep_their_entries() {
        assert_eq!(
            form(&[("Extra.entry.1.key", "display"), ("Extra.entry.1.value", "page")]),
            json!({"Extra": {"entry": [{"key": "display", "value": "page"}]}})
        );
    }

    #[test]
    fn an_empty_list_counts_as_not_specified() {
        let tree = Tree::from_form([("Conditions".to_owned(), String::new())]);
        assert!(tree.list_at("Conditions").is_empty());
        assert_eq!(tree.text_at("Conditions"), None);
    }
}

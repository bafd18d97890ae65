//! A listener's rule with all that decides which requests reach it.

use super::action::Action;
use super::route::{RouteId, describe_conditions, requests_on};
use serde::{Deserialize, Serialize};

/// A rule as it was read. The default rule has no priority and no conditions, and every request matches it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The route that it is.
    pub id: RouteId,
    /// 1 to 50,000; the lowest number decides first. None for the default rule.
    pub priority: Option<u16>,
    /// All of them must match.
    pub conditions: Vec<Condition>,
    /// Its complete actions.
    pub actions: Vec<Action>,
}

impl Rule {
    /// The requests that its conditions match, for people: `host users.internal, path /api/*`.
    pub fn requests(&self) -> String {
        let described: Vec<(String, Vec<String>)> =
            self.conditions.iter().map(|condition| (condition.field.written(), condition.values.clone())).collect();
        describe_conditions(&described)
    }

    /// For people, by the requests that it takes at this port.
    pub fn named(&self, port: Option<u16>) -> String {
        self.id.named(&requests_on(self.requests(), port))
    }
}

/// One condition of a rule. It matches when one of its values does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The part of the request that it looks at.
    pub field: Field,
    /// At most five in all conditions of a rule together. A query's value is `key=value`, or a value alone.
    pub values: Vec<String>,
    /// Whether the values are regular expressions rather than patterns with `*` and `?`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub regex: bool,
}

impl Condition {
    /// A condition on patterns.
    pub fn on(field: Field, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { field, values: values.into_iter().map(Into::into).collect(), regex: false }
    }
}

/// The part of a request that a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Field {
    /// The `Host` header without its port, in any case.
    Host,
    /// The path, as it is written.
    Path,
    /// `GET`, `HEAD`, ...
    Method,
    /// The client's address; the values are blocks such as `10.0.0.0/8`.
    SourceIp,
    /// A header, by its name.
    Header(String),
    /// The pairs of the query.
    Query,
    /// A field that this version does not know.
    Other(String),
}

impl Field {
    /// AWS's name of the field; a header's name stands behind it: `http-header x-beta`.
    pub fn written(&self) -> String {
        match self {
            Self::Host => "host-header".to_owned(),
            Self::Path => "path-pattern".to_owned(),
            Self::Method => "http-request-method".to_owned(),
            Self::SourceIp => "source-ip".to_owned(),
            Self::Header(name) => format!("http-header {name}"),
            Self::Query => "query-string".to_owned(),
            Self::Other(name) => name.clone(),
        }
    }
}

impl From<String> for Field {
    fn from(name: String) -> Self {
        match name.as_str() {
            "host-header" => Self::Host,
            "path-pattern" => Self::Path,
            "http-request-method" => Self::Method,
            "source-ip" => Self::SourceIp,
            "query-string" => Self::Query,
            other => match other.strip_prefix("http-header ") {
                Some(header) => Self::Header(header.to_owned()),
                None => Self::Other(name),
            },
        }
    }
}

impl From<Field> for String {
    fn from(field: Field) -> Self {
        field.written()
    }
}

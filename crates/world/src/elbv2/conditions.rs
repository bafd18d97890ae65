//! The conditions of a rule, and the request that they are compared with.

use crate::aws_error::AwsError;
use crate::tree::Tree;

/// The parts of a request that a rule can match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, ...
    pub method: String,
    /// The `Host` header, with or without a port.
    pub host: String,
    /// Without the query.
    pub path: String,
    /// Without the question mark.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
}

impl HttpRequest {
    /// A plain request.
    pub fn get(host: &str, path: &str) -> Self {
        Self { method: "GET".into(), host: host.into(), path: path.into(), ..Self::default() }
    }

    /// With a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        self
    }

    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|(header, _)| header == "cookie")
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    fn query_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }
}

/// A condition, parsed for the data plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    Host(Vec<String>),
    Path(Vec<String>),
    Header {
        name: String,
        values: Vec<String>,
    },
    Method(Vec<String>),
    Query(Vec<(Option<String>, String)>),
    /// Only the whole internet matches: the local world has one client address.
    SourceIp(Vec<String>),
    /// A field newer than this code, which never matches.
    Unknown,
}

impl Condition {
    /// Parses a condition and completes it as Describe would return it.
    pub(super) fn accept(condition: &mut Tree) -> Result<Self, AwsError> {
        let field = super::required(condition, "Field")?.to_owned();
        let values_of = |config: &str| -> Vec<String> {
            let nested = condition.get(config).map(|config| config.texts_at("Values")).unwrap_or_default();
            let values = if nested.is_empty() { condition.texts_at("Values") } else { nested };
            values.into_iter().map(str::to_owned).collect()
        };
        let parsed = match field.as_str() {
            "host-header" => Self::Host(values_of("HostHeaderConfig")),
            "path-pattern" => Self::Path(values_of("PathPatternConfig")),
            "http-request-method" => Self::Method(values_of("HttpRequestMethodConfig")),
            "source-ip" => Self::SourceIp(values_of("SourceIpConfig")),
            "http-header" => Self::Header {
                name: condition
                    .get("HttpHeaderConfig")
                    .and_then(|config| config.text_at("HttpHeaderName"))
                    .ok_or_else(|| AwsError::validation("A condition on a header must name the header"))?
                    .to_ascii_lowercase(),
                values: values_of("HttpHeaderConfig"),
            },
            "query-string" => Self::Query(
                condition
                    .get("QueryStringConfig")
                    .map(|config| config.list_at("Values"))
                    .unwrap_or_default()
                    .iter()
                    .map(|pair| {
                        (pair.text_at("Key").map(str::to_owned), pair.text_at("Value").unwrap_or_default().to_owned())
                    })
                    .collect(),
            ),
            _ => Self::Unknown,
        };
        parsed.check(&field)?;
        parsed.complete(condition);
        Ok(parsed)
    }

    fn check(&self, field: &str) -> Result<(), AwsError> {
        let count = match self {
            Self::Host(values)
            | Self::Path(values)
            | Self::Method(values)
            | Self::SourceIp(values)
            | Self::Header { values, .. } => values.len(),
            Self::Query(values) => values.len(),
            Self::Unknown => 1,
        };
        match count {
            0 => Err(AwsError::validation(format!("A condition on '{field}' must have a value"))),
            6.. => {
                Err(AwsError::validation(format!("A rule can have at most 5 condition values, '{field}' has {count}")))
            }
            _ => Ok(()),
        }
    }

    /// Describe returns host and path conditions with their values in both places.
    fn complete(&self, condition: &mut Tree) {
        let (config, values) = match self {
            Self::Host(values) => ("HostHeaderConfig", values),
            Self::Path(values) => ("PathPatternConfig", values),
            _ => return,
        };
        condition.set("Values", Tree::texts(values.clone()));
        let completed = condition.get(config).cloned().unwrap_or_default().with("Values", Tree::texts(values.clone()));
        condition.set(config, completed);
    }

    pub(super) fn matches(&self, request: &HttpRequest) -> bool {
        match self {
            Self::Host(patterns) => {
                let host = request.host.split(':').next().unwrap_or_default();
                patterns.iter().any(|pattern| matches_in_any_case(pattern, host))
            }
            Self::Path(patterns) => patterns.iter().any(|pattern| matches_wildcards(pattern, &request.path)),
            Self::Header { name, values } => request
                .headers
                .iter()
                .filter(|(key, _)| key == name)
                .any(|(_, value)| values.iter().any(|pattern| matches_in_any_case(pattern, value))),
            Self::Method(methods) => methods.contains(&request.method),
            Self::Query(wanted) => request.query_pairs().any(|(key, value)| {
                wanted.iter().any(|(wanted_key, pattern)| {
                    wanted_key.as_deref().is_none_or(|wanted| matches_wildcards(wanted, key))
                        && matches_wildcards(pattern, value)
                })
            }),
            Self::SourceIp(ranges) => ranges.iter().any(|range| range == "0.0.0.0/0"),
            Self::Unknown => false,
        }
    }
}

/// `*` is any run of characters, `?` exactly one.
fn matches_wildcards(pattern: &str, text: &str) -> bool {
    matches_by(pattern.as_bytes(), text.as_bytes(), |a, b| a == b)
}

fn matches_in_any_case(pattern: &str, text: &str) -> bool {
    matches_by(pattern.as_bytes(), text.as_bytes(), |a, b| a.eq_ignore_ascii_case(&b))
}

/// Works on bytes and allocates nothing, since every request is held against the rules of its listener.
fn matches_by(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(byte) if *byte == b'?' || same(*byte, text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((star, matched)) = last_star else { return false };
                last_star = Some((star, matched + 1));
                at_pattern = star + 1;
                at_text = matched + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_runs_and_single_characters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("/api/*", "/api/users", true),
            ("/api/*", "/apix", false),
            ("*.example.com", "users.example.com", true),
            ("*.example.com", "example.com", false),
            ("user?", "users", true),
            ("user?", "user", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbY", false),
        ] {
            assert_eq!(matches_wildcards(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(matches_in_any_case("*.Internal", "USERS.internal"));
        assert!(!matches_wildcards("/Api/*", "/api/users"), "paths are told apart by case");
    }
}

//! The conditions of a rule, and the request that they are compared with.

use crate::aws_error::AwsError;
use crate::tree::Tree;
use crossfade_domain::load_balancer::wildcard::{matches_in_any_case, matches_wildcards};
use regex_lite::Regex;
use std::net::{IpAddr, Ipv4Addr};

/// The most condition values of a rule, of all its conditions together, and the most wildcards in them.
const VALUES_OF_A_RULE: usize = 5;
const WILDCARDS_OF_A_RULE: usize = 6;
/// The longest regular expression.
const LONGEST_REGEX: usize = 128;

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
    /// The client's address; none for one on this machine.
    pub client: Option<IpAddr>,
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

/// What a host, a path or a header is compared with.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    /// With wildcards.
    values: Vec<String>,
    regexes: Vec<Regex>,
}

/// A condition, parsed for the data plane.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    Host(Patterns),
    Path(Patterns),
    Header {
        name: String,
        patterns: Patterns,
    },
    Method(Vec<String>),
    Query(Vec<(Option<String>, String)>),
    SourceIp(Vec<Block>),
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
        let patterns_of = |config: &str, in_any_case: bool| -> Result<Patterns, AwsError> {
            let regexes = condition.get(config).map(|config| config.texts_at("RegexValues")).unwrap_or_default();
            let values = values_of(config);
            if !values.is_empty() && !regexes.is_empty() {
                return Err(AwsError::validation(format!(
                    "A condition on '{field}' has Values or RegexValues, not both"
                )));
            }
            let regexes =
                regexes.into_iter().map(|regex| parsed_regex(regex, in_any_case)).collect::<Result<_, _>>()?;
            Ok(Patterns { values, regexes })
        };
        let parsed = match field.as_str() {
            "host-header" => Self::Host(patterns_of("HostHeaderConfig", true)?),
            "path-pattern" => Self::Path(patterns_of("PathPatternConfig", false)?),
            "http-request-method" => Self::Method(values_of("HttpRequestMethodConfig")),
            "source-ip" => Self::SourceIp(
                values_of("SourceIpConfig").iter().map(|block| Block::parse(block)).collect::<Result<_, _>>()?,
            ),
            "http-header" => Self::Header {
                name: condition
                    .get("HttpHeaderConfig")
                    .and_then(|config| config.text_at("HttpHeaderName"))
                    .ok_or_else(|| AwsError::validation("A condition on a header must name the header"))?
                    .to_ascii_lowercase(),
                patterns: patterns_of("HttpHeaderConfig", true)?,
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
        if parsed.count() == 0 {
            return Err(AwsError::validation(format!("A condition on '{field}' must have a value")));
        }
        parsed.complete(condition);
        Ok(parsed)
    }

    /// Checks what AWS limits in all conditions of a rule together.
    pub(super) fn check_together(conditions: &[Self]) -> Result<(), AwsError> {
        let values: usize = conditions.iter().map(Self::count).sum();
        if values > VALUES_OF_A_RULE {
            let message = format!("A rule can have at most '{VALUES_OF_A_RULE}' condition values, it has '{values}'");
            return Err(AwsError::validation(message));
        }
        let wildcards: usize = conditions.iter().map(Self::wildcards).sum();
        if wildcards > WILDCARDS_OF_A_RULE {
            let message = format!("A rule can have at most '{WILDCARDS_OF_A_RULE}' wildcards, it has '{wildcards}'");
            return Err(AwsError::validation(message));
        }
        Ok(())
    }

    fn count(&self) -> usize {
        match self {
            Self::Host(patterns) | Self::Path(patterns) | Self::Header { patterns, .. } => {
                patterns.values.len() + patterns.regexes.len()
            }
            Self::Method(values) => values.len(),
            Self::SourceIp(blocks) => blocks.len(),
            Self::Query(pairs) => pairs.len(),
            Self::Unknown => 1,
        }
    }

    fn wildcards(&self) -> usize {
        let of = |text: &str| text.matches(['*', '?']).count();
        match self {
            Self::Host(patterns) | Self::Path(patterns) | Self::Header { patterns, .. } => {
                patterns.values.iter().map(|value| of(value)).sum()
            }
            Self::Query(pairs) => pairs.iter().map(|(key, value)| key.as_deref().map_or(0, of) + of(value)).sum(),
            Self::Method(_) | Self::SourceIp(_) | Self::Unknown => 0,
        }
    }

    /// Describe returns host and path conditions with their values in both places; regular expressions are in one.
    fn complete(&self, condition: &mut Tree) {
        let (config, values) = match self {
            Self::Host(patterns) => ("HostHeaderConfig", &patterns.values),
            Self::Path(patterns) => ("PathPatternConfig", &patterns.values),
            _ => return,
        };
        if values.is_empty() {
            return;
        }
        condition.set("Values", Tree::texts(values.clone()));
        let completed = condition.get(config).cloned().unwrap_or_default().with("Values", Tree::texts(values.clone()));
        condition.set(config, completed);
    }

    pub(super) fn matches(&self, request: &HttpRequest) -> bool {
        match self {
            Self::Host(patterns) => {
                let host = request.host.split(':').next().unwrap_or_default();
                patterns.match_with(host, matches_in_any_case)
            }
            Self::Path(patterns) => patterns.match_with(&request.path, matches_wildcards),
            Self::Header { name, patterns } => request
                .headers
                .iter()
                .filter(|(key, _)| key == name)
                .any(|(_, value)| patterns.match_with(value, matches_in_any_case)),
            Self::Method(methods) => methods.contains(&request.method),
            Self::Query(wanted) => request.query_pairs().any(|(key, value)| {
                wanted.iter().any(|(wanted_key, pattern)| {
                    // "The comparison is case insensitive", as of keys so of values.
                    wanted_key.as_deref().is_none_or(|wanted| matches_in_any_case(wanted, key))
                        && matches_in_any_case(pattern, value)
                })
            }),
            Self::SourceIp(blocks) => {
                let client = request.client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
                blocks.iter().any(|block| block.contains(client))
            }
            Self::Unknown => false,
        }
    }
}

impl Patterns {
    fn match_with(&self, text: &str, matches: impl Fn(&str, &str) -> bool) -> bool {
        self.values.iter().any(|value| matches(value, text)) || self.regexes.iter().any(|regex| regex.is_match(text))
    }
}

fn parsed_regex(text: &str, in_any_case: bool) -> Result<Regex, AwsError> {
    let invalid = || AwsError::validation(format!("The regular expression '{text}' is not valid"));
    if text.is_empty() || text.len() > LONGEST_REGEX {
        return Err(invalid());
    }
    // The whole of a host, path or header is compared.
    let flags = if in_any_case { "(?i)" } else { "" };
    Regex::new(&format!("{flags}^(?:{text})$")).map_err(|_| invalid())
}

/// A block of addresses in CIDR form, IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    address: IpAddr,
    prefix: u32,
}

impl Block {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let invalid = || AwsError::validation(format!("The source IP value '{text}' is not a CIDR block"));
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let prefix: u32 = prefix.parse().map_err(|_| invalid())?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        if prefix > bits { Err(invalid()) } else { Ok(Self { address, prefix }) }
    }

    pub(super) fn contains(&self, client: IpAddr) -> bool {
        match (self.address, client) {
            (IpAddr::V4(block), IpAddr::V4(client)) => {
                (block.to_bits() ^ client.to_bits()).leading_zeros() >= self.prefix
            }
            (IpAddr::V6(block), IpAddr::V6(client)) => {
                (block.to_bits() ^ client.to_bits()).leading_zeros() >= self.prefix
            }
            _ => false,
        }
    }
}

//! A route: a listener rule, or a listener's default action, that forwards to a target group.

use crate::load_balancer::action::Action;
use crate::names::{ListenerArn, LoadBalancerArn, ParseIdError, RuleArn};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Identifies a route. `ModifyRule` cannot change a default action (AWS refuses it), so there are two kinds. It is
/// written as the ARN of the rule or listener; the resource type in it is the kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RouteId {
    /// A listener's rule with conditions.
    Rule(RuleArn),
    /// A listener's default action.
    Default(ListenerArn),
}

impl RouteId {
    /// Reads the ARN of a rule or a listener.
    pub fn parse(text: impl Into<String>) -> Result<Self, ParseIdError> {
        let text = text.into();
        match RuleArn::parse(text.clone()) {
            Ok(rule) => Ok(Self::Rule(rule)),
            Err(_) => ListenerArn::parse(text).map(Self::Default),
        }
    }

    /// The ARN of the rule or listener.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Rule(rule) => rule.as_str(),
            Self::Default(listener) => listener.as_str(),
        }
    }

    /// For people: `rule <lb>/…/<id>` or `default action of <lb>/…/<id>`.
    pub fn describe(&self) -> String {
        let resource = self.as_str().rsplit(':').next().unwrap_or_default();
        let mut parts = resource.split('/').skip(2);
        let balancer = parts.next().unwrap_or_default();
        let last = resource.rsplit('/').next().unwrap_or_default();
        match self {
            Self::Rule(_) => format!("rule {last} of {balancer}"),
            Self::Default(_) => format!("default action of listener {last} of {balancer}"),
        }
    }

    /// For people, by the requests that it takes, as [`Route::requests`] says them: `users:443 host a.example, path
    /// /api/*` or `users:443 default`. Where nothing is known of them, as [`RouteId::describe`] says it.
    pub fn named(&self, requests: &str) -> String {
        let (conditions, port) = match requests.rsplit_once(", port ") {
            Some((conditions, port)) => (conditions, Some(port)),
            None => requests.strip_prefix("port ").map_or((requests, None), |port| ("", Some(port))),
        };
        let balancer = self.as_str().split('/').nth(2).unwrap_or_default();
        let listener = port.map_or_else(|| balancer.to_owned(), |port| format!("{balancer}:{port}"));
        match self {
            _ if requests.is_empty() => self.describe(),
            Self::Default(_) => format!("{listener} default"),
            Self::Rule(_) if conditions.is_empty() => format!("{} on {listener}", self.describe()),
            Self::Rule(_) => format!("{listener} {conditions}"),
        }
    }
}

impl fmt::Display for RouteId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for RouteId {
    type Error = ParseIdError;
    fn try_from(text: String) -> Result<Self, ParseIdError> {
        Self::parse(text)
    }
}

impl From<RouteId> for String {
    fn from(id: RouteId) -> Self {
        id.as_str().to_owned()
    }
}

/// The conditions of a rule in words. Each is a field of AWS's, such as `path-pattern` or `http-header x-beta`, with
/// the values of which one has to match.
pub fn describe_conditions(conditions: &[(String, Vec<String>)]) -> String {
    let word = |field: &str| match field {
        "host-header" => "host".to_owned(),
        "path-pattern" => "path".to_owned(),
        "http-request-method" => "method".to_owned(),
        "source-ip" => "from".to_owned(),
        "query-string" => "query".to_owned(),
        other => other.replacen("http-header", "header", 1),
    };
    let words: Vec<String> =
        conditions.iter().map(|(field, values)| format!("{} {}", word(field), values.join(" or "))).collect();
    words.join(", ")
}

/// A route as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Which route.
    pub id: RouteId,
    /// The load balancer of its listener.
    pub load_balancer: LoadBalancerArn,
    /// Its complete actions.
    pub actions: Vec<Action>,
    /// The requests that its conditions match, for people: `host users.internal, path /api/*`. Empty for a default
    /// action, which takes what no rule matches.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requests: String,
}

impl Route {
    /// For people, by the requests that it takes.
    pub fn named(&self) -> String {
        self.id.named(&self.requests)
    }

    /// The route as its listener has it: its requests name the port as well.
    #[must_use]
    pub fn on_port(self, port: Option<u16>) -> Self {
        Self { requests: requests_on(self.requests, port), ..self }
    }
}

/// The requests that a route takes, with the port of its listener.
pub fn requests_on(requests: String, port: Option<u16>) -> String {
    let port = port.map(|port| format!("port {port}"));
    let words: Vec<String> = [Some(requests), port].into_iter().flatten().filter(|word| !word.is_empty()).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::planner::fixture::{listener, rule};

    #[test]
    fn a_route_is_named_by_what_it_takes_where_that_is_known() {
        let rule = rule("users", 77);
        assert_eq!(rule.named("host a.example, path /api/*, port 443"), "users:443 host a.example, path /api/*");
        assert_eq!(rule.named("header x-port port 9"), "users header x-port port 9");
        assert_eq!(rule.named("path /api/*"), "users path /api/*");
        assert_eq!(rule.named(""), "rule 77 of users");
        assert_eq!(rule.named("port 80"), "rule 77 of users on users:80");
        assert_eq!(listener("users").named("port 443"), "users:443 default");
        assert_eq!(listener("users").named(""), "default action of listener 9 of users");
    }
}

//! Names and ARNs. After `parse`, the type is the proof.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The error for a text that is not the expected name or ARN.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?}: expected {expected}")]
pub struct ParseIdError {
    /// The kind of text, for example `service name`.
    pub what: &'static str,
    /// The text.
    pub text: String,
    /// The shape that was expected.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Reads one; the error says what was expected.
            pub fn parse(text: impl Into<String>) -> Result<Self, ParseIdError> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(ParseIdError { what: $what, text, expected: $expected })
                }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = ParseIdError;
            fn try_from(text: String) -> Result<Self, ParseIdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

fn is_elb_arn(text: &str, kinds: &[&str]) -> bool {
    let mut parts = text.splitn(6, ':');
    parts.next() == Some("arn")
        && parts.next().is_some_and(|partition| partition.starts_with("aws"))
        && parts.next() == Some("elasticloadbalancing")
        && parts.next().is_some()
        && parts.next().is_some()
        && parts.next().is_some_and(|resource| {
            kinds.iter().any(|kind| resource.strip_prefix(kind).is_some_and(|rest| rest.starts_with('/')))
        })
}

/// What stands in the name of a retirement behind that of its service.
const RETIREMENT: &str = ".retirement";

fn is_service_name(text: &str) -> bool {
    text.len() <= 48
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(['-', '_'])
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

text_id!(
    /// The name of a service: a letter, then letters, digits, `-` or `_`, at most 48 characters. It becomes part of
    /// execution names (80 characters) and, shortened, of target group names.
    ServiceName,
    "service name",
    "a letter, then letters, digits, - or _ (48 characters at most, ending in a letter or digit)",
    is_service_name
);
text_id!(
    /// One migration of one service: `<service>-<attempt>`. The lock of a route also has the name of a retirement here:
    /// `<service>.retirement-<number>`, which no migration has, since a service's name has no dot.
    MigrationId,
    "migration id",
    "<service>-<attempt>",
    |text| text.rsplit_once('-').is_some_and(|(service, attempt)| {
        let service = service.strip_suffix(RETIREMENT).unwrap_or(service);
        is_service_name(service) && !attempt.is_empty() && attempt.chars().all(|c| c.is_ascii_digit())
    })
);
text_id!(
    /// The ARN of a target group.
    TargetGroupArn,
    "target group ARN",
    "arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<name>/<id>",
    |text| is_elb_arn(text, &["targetgroup"])
);
text_id!(
    /// The ARN of a load balancer.
    LoadBalancerArn,
    "load balancer ARN",
    "arn:aws:elasticloadbalancing:<region>:<account>:loadbalancer/app/<name>/<id>",
    |text| is_elb_arn(text, &["loadbalancer"])
);
text_id!(
    /// The ARN of a listener.
    ListenerArn,
    "listener ARN",
    "arn:aws:elasticloadbalancing:<region>:<account>:listener/app/<name>/<id>/<id>",
    |text| is_elb_arn(text, &["listener"])
);
text_id!(
    /// The ARN of a listener rule.
    RuleArn,
    "rule ARN",
    "arn:aws:elasticloadbalancing:<region>:<account>:listener-rule/app/<name>/<id>/<id>/<id>",
    |text| is_elb_arn(text, &["listener-rule"])
);

impl MigrationId {
    /// The id of a service's `attempt`-th migration.
    pub fn of(service: &ServiceName, attempt: u32) -> Self {
        Self(format!("{service}-{attempt}"))
    }

    /// The name by which a service's `number`th retirement holds routes.
    pub fn of_retirement(service: &ServiceName, number: u32) -> Self {
        Self(format!("{service}{RETIREMENT}-{number}"))
    }
}

impl TargetGroupArn {
    /// The group's name, the second part of the resource.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').nth(1).unwrap_or_default()
    }

    /// The value of the `TargetGroup` metric dimension: `targetgroup/<name>/<id>`.
    pub fn dimension(&self) -> &str {
        self.0.rsplit(':').next().unwrap_or_default()
    }
}

impl ListenerArn {
    /// The name of its load balancer.
    pub fn load_balancer(&self) -> &str {
        self.0.split_once("listener/").and_then(|(_, rest)| rest.split('/').nth(1)).unwrap_or_default()
    }
}

impl LoadBalancerArn {
    /// The value of the `LoadBalancer` metric dimension: `app/<name>/<id>`.
    pub fn dimension(&self) -> &str {
        self.0.split_once("loadbalancer/").map_or("", |(_, rest)| rest)
    }

    /// The load balancer's name.
    pub fn name(&self) -> &str {
        self.dimension().split('/').nth(1).unwrap_or_default()
    }
}

/// The first few of many names, and how many more there are.
pub fn some_of(names: &[&str]) -> String {
    const MOST: usize = 5;
    let more = names.len().saturating_sub(MOST);
    let shown = names[..names.len() - more].join(", ");
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metric_dimensions_are_cut_out_of_arns() {
        let group =
            TargetGroupArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users-swarm/0123456789abcdef")
                .unwrap();
        assert_eq!(group.name(), "users-swarm");
        assert_eq!(group.dimension(), "targetgroup/users-swarm/0123456789abcdef");
        let balancer =
            LoadBalancerArn::parse("arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/public/50dc6c495c0c9188")
                .unwrap();
        assert_eq!(balancer.dimension(), "app/public/50dc6c495c0c9188");
        assert_eq!(balancer.name(), "public");
    }

    #[test]
    fn a_rule_is_not_taken_for_a_listener() {
        let rule = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/public/1/2/3";
        assert!(ListenerArn::parse(rule).is_err());
        assert!(RuleArn::parse(rule).is_ok());
        assert!(ServiceName::parse("9lives").is_err());
        assert!(MigrationId::parse("users-1").is_ok());
        assert!(MigrationId::parse("users").is_err());
    }
}

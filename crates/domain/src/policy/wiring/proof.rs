//! What one request through an internal route proves.

use super::deciding::{Decided, named, outcome};
use crate::names::ServiceName;
use serde::Serialize;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "value")]
pub enum Answer {
    /// An answer with this status.
    Status(u16),
    /// The name has no address here, with the resolver's words.
    Unresolved(String),
    /// The connection was refused or broke, with the cause.
    Unreachable(String),
    /// No answer within so many seconds.
    Silent(u64),
    /// Nothing was sent, for this reason.
    NotAsked(String),
}

impl Answer {
    fn words(&self) -> String {
        match self {
            Self::Status(status) => format!("answered {status}"),
            Self::Unresolved(why) => format!("does not resolve ({why})"),
            Self::Unreachable(why) => format!("cannot be reached ({why})"),
            Self::Silent(seconds) => format!("did not answer within {seconds} s"),
            Self::NotAsked(why) => format!("was not asked ({why})"),
        }
    }
}

/// One request and what is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial<'a> {
    /// The service that was called.
    pub service: &'a ServiceName,
    /// The base URL that callers will use.
    pub url: &'a str,
    /// The path.
    pub path: &'a str,
    /// Where the request was sent, a host and a port.
    pub sent_to: &'a str,
    /// What the URL's name resolves to here, or the resolver's words. None where it was not looked up.
    pub name: Option<Result<Vec<String>, String>>,
    /// What came of the request.
    pub answer: Answer,
    /// The rule that decides, by the rules as they are.
    pub decided: Decided<'a>,
    /// The codes that the health check takes, such as `200-299`.
    pub healthy: Option<&'a str>,
    /// The direct URL, and what came of the same request there.
    pub direct: Option<(&'a str, Answer)>,
}

/// What a request proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// The service.
    pub service: ServiceName,
    /// The base URL.
    pub url: String,
    /// The path that was asked for.
    pub path: String,
    /// What the URL's name resolves to here; empty where it does not.
    pub addresses: Vec<String>,
    /// What came of the request.
    pub answer: Answer,
    /// The rule that decides about it, where that is certain.
    pub rule: Option<String>,
    /// The target groups that the rule forwards to, with their shares.
    pub groups: Option<String>,
    /// What came of the same request to the direct URL.
    pub direct: Option<Answer>,
    /// Whether a caller may be changed to the URL.
    pub works: bool,
    /// What was found, in sentences, each with what to do.
    pub said: Vec<String>,
}

impl Proof {
    /// Nothing is proven, because no request could be sent.
    pub fn not_asked(service: &ServiceName, url: Option<&str>, why: &str) -> Self {
        Self {
            service: service.clone(),
            url: url.unwrap_or("no URL").to_owned(),
            path: String::new(),
            addresses: Vec::new(),
            answer: Answer::NotAsked(why.to_owned()),
            rule: None,
            groups: None,
            direct: None,
            works: false,
            said: vec![format!("not asked: {why}")],
        }
    }
}

impl Trial<'_> {
    /// What it proves.
    pub fn proof(&self) -> Proof {
        let rule = self.decided.rule();
        let groups = rule.and_then(outcome);
        let (answers, mut said) = self.answered(groups.as_deref());
        let resolves = match &self.name {
            Some(Ok(_)) => true,
            Some(Err(why)) => {
                said.push(format!(
                    "{} does not resolve from here ({why}): create its record (`crossfade wiring {} --format \
                     route53`), and run this where the callers run",
                    host(self.url),
                    self.service
                ));
                false
            }
            None => {
                said.push(format!("{} was not resolved, because of --connect-to", host(self.url)));
                true
            }
        };
        let agrees = self.direct.as_ref().is_none_or(|(url, direct)| {
            let agrees = match (direct, &self.answer) {
                (Answer::Status(direct), Answer::Status(through)) => Some(direct == through),
                _ => None,
            };
            let verdict = match agrees {
                Some(true) => "the same",
                Some(false) => "NOT the same: find out why before a caller changes",
                None => "so there is nothing to compare",
            };
            said.push(format!("{url}{} {}, {verdict}", self.path, direct.words()));
            agrees != Some(false)
        });
        Proof {
            service: self.service.clone(),
            url: self.url.to_owned(),
            path: self.path.to_owned(),
            addresses: self.name.clone().and_then(Result::ok).unwrap_or_default(),
            answer: self.answer.clone(),
            rule: rule.map(named),
            groups,
            direct: self.direct.as_ref().map(|(_, answer)| answer.clone()),
            works: answers && resolves && agrees,
            said,
        }
    }

    fn answered(&self, groups: Option<&str>) -> (bool, Vec<String>) {
        let Self { service, url, path, sent_to, .. } = self;
        let by = match self.decided {
            Decided::By(rule) => named(rule),
            Decided::Perhaps(rule) => {
                format!("{} or a later rule (it looks at something that cannot be seen from here)", named(rule))
            }
            Decided::Unknown => "a rule that could not be read".to_owned(),
        };
        let of = groups.map_or_else(String::new, |groups| format!(" to {groups}"));
        let (works, text) = match &self.answer {
            Answer::NotAsked(why) => (false, format!("not asked: {why}")),
            Answer::Unresolved(why) => (
                false,
                format!(
                    "the load balancer's own name {sent_to} does not resolve from here ({why}): run this inside the \
                     VPC, or give --connect-to HOST:PORT, such as the end of a tunnel"
                ),
            ),
            Answer::Unreachable(why) => (
                false,
                format!(
                    "{sent_to} cannot be reached ({why}): is there a listener, does the load balancer's security group \
                     admit this machine, and is this machine inside the VPC?"
                ),
            ),
            Answer::Silent(seconds) => (
                false,
                format!(
                    "{sent_to} did not answer within {seconds} s: a security group that does not admit this machine \
                     drops packets in silence"
                ),
            ),
            Answer::Status(status) => {
                let healthy = is_one_of(*status, self.healthy.unwrap_or("200-399"));
                let forwards = groups.is_some();
                let text = match status {
                    _ if healthy && forwards => format!("{url}{path} answered {status}; {by} forwards{of}"),
                    404 if matches!(self.decided, Decided::By(rule) if rule.priority.is_none()) && !forwards => {
                        format!(
                            "{url}{path} answered 404 from the listener's default action: no rule matches {}; \
                             `crossfade connect {service}` creates the rule",
                            host(url)
                        )
                    }
                    _ if !forwards && self.decided.rule().is_some() => format!(
                        "{url}{path} answered {status}, and {by} does not forward to a target group: the answer is the \
                         load balancer's own"
                    ),
                    502 => format!(
                        "{url}{path} answered 502: {by} forwards{of}, and a target refused or broke the connection; \
                         compare the group's port and protocol with the service's"
                    ),
                    503 => format!(
                        "{url}{path} answered 503: {by} forwards{of}, which has no target that can answer; \
                         `aws elbv2 describe-target-health` shows why"
                    ),
                    504 => format!(
                        "{url}{path} answered 504: {by} forwards{of}, and no target answered in time; do the targets \
                         admit the load balancer?"
                    ),
                    _ if healthy => format!("{url}{path} answered {status}; {by} decided"),
                    _ => format!(
                        "{url}{path} answered {status}, and the health check takes {}: {by} forwards{of}",
                        self.healthy.unwrap_or("200-399")
                    ),
                };
                (healthy && (forwards || self.decided.rule().is_none()), text)
            }
        };
        (works, vec![text])
    }
}

/// The host of a URL, without its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split([':', '/']).next().unwrap_or(rest)
}

/// Whether a status is in a list such as `200,301-302`.
fn is_one_of(status: u16, codes: &str) -> bool {
    codes.split(',').any(|part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u16>().ok();
        number(from).is_some_and(|from| from <= status) && number(to).is_some_and(|to| status <= to)
    })
}

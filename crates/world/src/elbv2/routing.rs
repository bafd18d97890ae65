//! Decides where a request goes.

use super::conditions::HttpRequest;
use super::rules::transforms::{self, Rewritten};
use super::state::{Forward, Health, Rule, Step};
use super::{Elbv2, identity};
use crate::tree::Tree;
use jiff::Timestamp;

/// The cookie by which a client stays with a target group.
const GROUP_COOKIE: &str = "AWSALBTG";
/// The cookie by which a client stays with a target.
const TARGET_COOKIE: &str = "AWSALB";

/// The load balancer's decision about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Sends it to a target.
    Forward {
        /// The target group's ARN.
        group: String,
        /// The target's id.
        target: String,
        /// The target's port.
        port: u16,
        /// Whether no target was healthy. Then all of them get requests.
        fails_open: bool,
        /// `Set-Cookie` values for the answer.
        cookies: Vec<String>,
        /// What the rule's transforms made of the request.
        rewritten: Rewritten,
    },
    /// No target could be chosen: the answer is 503. It has the group's ARN if a group was chosen.
    Unavailable {
        /// The empty group; none if all weights are 0 or there is no such listener.
        group: Option<String>,
    },
    /// Answers a redirect, to a log-in page or by a redirect action.
    Redirect {
        /// 301 or 302.
        status: u16,
        /// The `Location`.
        location: String,
    },
    /// Answers by itself.
    Fixed {
        /// The status.
        status: u16,
        /// The content type.
        content_type: String,
        /// The body.
        body: String,
    },
}

impl Elbv2 {
    /// The groups that a rule, or a listener's default action, forwards to, with their weights.
    pub fn weights(&self, route: &str) -> &[(String, u32)] {
        let rule = self.listeners.get(route).map_or(route, |listener| listener.default_rule.as_str());
        self.rules.get(rule).and_then(Rule::forward).map_or(&[], |forward| forward.groups.as_slice())
    }

    /// Decides where a request on a listener goes. Weights are exact: every `W` requests in a row (`W` being the sum of
    /// a rule's weights) give each group exactly its weight, interleaved.
    pub fn route(&mut self, now: Timestamp, listener: &str, request: &HttpRequest) -> Decision {
        let Some(rule) = self.matching_rule(listener, request) else { return Decision::Unavailable { group: None } };
        let steps = self.rules[&rule].steps.clone();
        for step in steps {
            match step {
                Step::Pass => {}
                Step::LogIn { cookie, location } => {
                    if request.cookie(&cookie).is_none() {
                        return Decision::Redirect { status: 302, location };
                    }
                }
                Step::Redirect(config) => return redirect(&config, request),
                Step::FixedResponse(config) => return fixed(&config),
                Step::Forward(forward) => return self.forward(now, &rule, &forward, request),
            }
        }
        Decision::Unavailable { group: None }
    }

    pub(super) fn matching_rule(&self, listener: &str, request: &HttpRequest) -> Option<String> {
        self.rules
            .iter()
            .filter(|(_, rule)| rule.listener == listener)
            .filter(|(_, rule)| rule.matchers.iter().all(|condition| condition.matches(request)))
            .min_by_key(|(_, rule)| rule.priority.unwrap_or(u32::MAX))
            .map(|(arn, _)| arn.clone())
    }

    fn forward(&mut self, now: Timestamp, rule: &str, forward: &Forward, request: &HttpRequest) -> Decision {
        // A client that is pinned to a group goes there at any weight, even 0.
        let stuck = forward.sticky_seconds.and_then(|_| {
            let id = unexpired(request.cookie(GROUP_COOKIE)?, now)?;
            forward.groups.iter().find(|(arn, _)| identity::last_part(arn) == id)
        });
        let group = match stuck {
            Some((group, _)) => group.clone(),
            None => match self.choose_group(rule, forward) {
                Some(group) => group,
                None => return Decision::Unavailable { group: None },
            },
        };
        let mut cookies = Vec::new();
        if let Some(seconds) = forward.sticky_seconds {
            // The cookie slides: each answer renews it.
            cookies.push(cookie(GROUP_COOKIE, identity::last_part(&group), seconds, now));
        }
        let Some((target, port, fails_open)) = self.choose_target(&group, request, now, &mut cookies) else {
            return Decision::Unavailable { group: Some(group) };
        };
        let rewritten = transforms::apply(&self.rules[rule].transforms, request);
        Decision::Forward { group, target, port, fails_open, cookies, rewritten }
    }

    fn choose_group(&mut self, rule: &str, forward: &Forward) -> Option<String> {
        let total: u64 = forward.groups.iter().map(|(_, weight)| u64::from(*weight)).sum();
        if total == 0 {
            return None;
        }
        // Exact turns by weight, where AWS draws at random: a test can count on every split.
        let rule = self.rules.get_mut(rule)?;
        let turn = rule.chosen % total;
        rule.chosen += 1;
        let slot = turn * stride(total) % total;
        let mut passed = 0;
        forward.groups.iter().find_map(|(group, weight)| {
            passed += u64::from(*weight);
            (slot < passed).then(|| group.clone())
        })
    }

    fn choose_target(
        &mut self,
        group: &str,
        request: &HttpRequest,
        now: Timestamp,
        cookies: &mut Vec<String>,
    ) -> Option<(String, u16, bool)> {
        let group = self.groups.get_mut(group)?;
        let registered = |it: &&super::state::Registered| it.gone_at.is_none_or(|gone_at| gone_at > now);
        let healthy: Vec<_> =
            group.targets.iter().filter(|it| it.gone_at.is_none() && it.health == Health::Healthy).collect();
        let fails_open = healthy.is_empty();
        let candidates: Vec<_> =
            if fails_open { group.targets.iter().filter(|it| it.gone_at.is_none()).collect() } else { healthy };
        let sticky_seconds = group.is_sticky().then(|| group.attribute_number("stickiness.lb_cookie.duration_seconds"));
        let stuck = sticky_seconds
            .and_then(|_| unexpired(request.cookie(TARGET_COOKIE)?, now))
            // A client stays with a target that drains, until it is gone.
            .and_then(|wanted| group.targets.iter().filter(registered).find(|it| target_token(it) == wanted))
            .filter(|it| it.health != Health::Unhealthy || fails_open);
        let chosen = match stuck {
            Some(target) => target,
            None if candidates.is_empty() => return None,
            None => {
                let turn = usize::try_from(group.chosen % candidates.len() as u64).unwrap_or_default();
                group.chosen += 1;
                candidates[turn]
            }
        };
        if let Some(seconds) = sticky_seconds {
            cookies.push(cookie(TARGET_COOKIE, &target_token(chosen), seconds, now));
        }
        Some((chosen.id.clone(), chosen.port, fails_open))
    }
}

/// A step coprime to `total`, near the golden section of it, which spreads turns evenly.
fn stride(total: u64) -> u64 {
    let near = (total * 618 / 1000).max(1);
    (near..near + total).find(|step| greatest_common_divisor(*step, total) == 1).unwrap_or(1)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

fn target_token(target: &super::state::Registered) -> String {
    format!("{}_{}", target.id.replace(':', "-"), target.port)
}

/// Cookies carry their own end, in world time, which a client's real clock cannot know.
fn cookie(name: &str, token: &str, seconds: i64, now: Timestamp) -> String {
    format!("{name}={token}.{}; Path=/; Max-Age={seconds}", now.as_second() + seconds)
}

fn unexpired(value: &str, now: Timestamp) -> Option<&str> {
    let (token, until) = value.rsplit_once('.')?;
    (until.parse::<i64>().ok()? > now.as_second()).then_some(token)
}

fn redirect(config: &Tree, request: &HttpRequest) -> Decision {
    let status = if config.text_at("StatusCode") == Some("HTTP_301") { 301 } else { 302 };
    let host = request.host.split(':').next().unwrap_or_default();
    let given_port = request.host.split_once(':').map_or("80", |(_, port)| port);
    let fill = |key: &str, default: &str| {
        config
            .text_at(key)
            .unwrap_or(default)
            .replace("#{protocol}", "http")
            .replace("#{host}", host)
            .replace("#{port}", given_port)
            .replace("#{path}", request.path.trim_start_matches('/'))
            .replace("#{query}", &request.query)
    };
    let protocol = fill("Protocol", "#{protocol}").to_ascii_lowercase();
    let query = fill("Query", "#{query}");
    let mut location =
        format!("{protocol}://{}:{}{}", fill("Host", "#{host}"), fill("Port", "#{port}"), fill("Path", "/#{path}"));
    if !query.is_empty() {
        location = format!("{location}?{query}");
    }
    Decision::Redirect { status, location }
}

fn fixed(config: &Tree) -> Decision {
    Decision::Fixed {
        status: config.number_at("StatusCode").and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
        content_type: config.text_at("ContentType").unwrap_or("text/plain").to_owned(),
        body: config.any_text_at("MessageBody").unwrap_or_default().to_owned(),
    }
}

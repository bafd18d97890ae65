//! Writes the first policy as YAML, with what was seen and decided as comments.

use super::candidates::{Candidate, Candidates, RouteFound};
use super::survey::{AccountSurvey, BalancerFound, DAYS, GroupFound};
use crate::load_balancer::action::{ActionKind, forward_of};
use crate::load_balancer::group::healthy_count;
use crate::load_balancer::owner::{controller_tag, stack_of};
use crate::load_balancer::room::{GROUPS_PER_LOAD_BALANCER, RESERVED_GROUPS};
use crate::load_balancer::rule::Field;
use crate::names::LoadBalancerArn;
use std::collections::BTreeSet;

/// What marks a line that only a person can complete.
pub const FILL_IN: &str = "FILL IN";
/// Words that YAML, or a reader of an older YAML, takes for something other than text.
const NOT_TEXT: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];

/// A whole policy for a fleet of this name.
pub fn policy(survey: &AccountSurvey, candidates: &Candidates<'_>, fleet: &str) -> String {
    let day = survey.at.strftime("%Y-%m-%d");
    let from = if survey.requests_unread.is_some() {
        "without metrics".to_owned()
    } else {
        format!("from {DAYS} days of metrics")
    };
    let mut lines = vec![
        format!("# Drafted by `crossfade discover` on {day} {from}. Nothing was changed."),
        format!("# Complete the lines with {FILL_IN}: `crossfade check FILE` names each of them."),
    ];
    lines.extend(survey.unread().iter().map(|line| comment(line)));
    lines.extend(limits(survey, candidates));
    lines.extend(left_out(candidates));
    lines.push(format!("fleet: {}", text(fleet)));
    lines.push("defaults:".to_owned());
    lines.push("  schedule: canary".to_owned());
    if candidates.services.is_empty() {
        lines.push(format!("services: []  # {FILL_IN}: no service can move"));
    } else {
        if survey.requests_unread.is_none() {
            lines.push("# Those with the fewest requests come first.".to_owned());
        }
        lines.push("services:".to_owned());
        lines.extend(candidates.services.iter().flat_map(|candidate| service(survey, candidate)));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// How close each application load balancer is to its limit of target groups.
fn limits(survey: &AccountSurvey, candidates: &Candidates<'_>) -> Vec<String> {
    let mut lines = vec!["#".to_owned(), "# Load balancers:".to_owned()];
    for balancer in survey.load_balancers.iter().filter(|balancer| balancer.kind == "application") {
        let used = count(used_groups(balancer).len());
        let moved = |service: &Candidate<'_>| -> BTreeSet<&LoadBalancerArn> {
            let own = |group: &&GroupFound| service.routes.iter().any(|it| is_on(it, group, balancer));
            service.groups.iter().filter(|group| own(group)).map(|_| &balancer.arn).collect()
        };
        let more = count(candidates.services.iter().filter(|service| !moved(service).is_empty()).count());
        let needs = used.saturating_add(more);
        let free = GROUPS_PER_LOAD_BALANCER.saturating_sub(used).saturating_sub(RESERVED_GROUPS);
        let then = if more == 0 {
            "no service of this draft is on it".to_owned()
        } else if more <= free {
            format!("the move adds {more}, which makes {needs}")
        } else if free == 0 {
            format!("the move adds {more}, which makes {needs}, and none fits: remove unused ones first")
        } else {
            format!("the move adds {more}, which makes {needs}: {} waves", in_words(more.div_ceil(free)))
        };
        let name = &balancer.name;
        lines.push(comment(&format!("  {name}: {used} of {GROUPS_PER_LOAD_BALANCER} target groups; {then}")));
        let catch_all = default_groups(balancer);
        if !catch_all.is_empty() {
            lines.push(comment(&format!("    default actions forward to {}", catch_all.join(", "))));
        }
    }
    if lines.len() == 2 { Vec::new() } else { lines }
}

fn is_on(route: &RouteFound<'_>, group: &GroupFound, balancer: &BalancerFound) -> bool {
    route.group.group.arn == group.group.arn && route.balancer.arn == balancer.arn
}

fn used_groups(balancer: &BalancerFound) -> BTreeSet<&str> {
    let rules = balancer.listeners.iter().flat_map(|listener| &listener.rules);
    let forwards = rules.filter_map(|rule| forward_of(&rule.actions));
    forwards.flat_map(|forward| &forward.groups).map(|tuple| tuple.group.as_str()).collect()
}

fn default_groups(balancer: &BalancerFound) -> Vec<String> {
    let mut groups = BTreeSet::new();
    for listener in &balancer.listeners {
        let defaults = listener.rules.iter().filter(|rule| rule.priority.is_none());
        for tuple in defaults.filter_map(|rule| forward_of(&rule.actions)).flat_map(|forward| &forward.groups) {
            groups.insert(format!("{} (port {})", tuple.group.name(), listener.port.unwrap_or_default()));
        }
    }
    groups.into_iter().collect()
}

fn left_out(candidates: &Candidates<'_>) -> Vec<String> {
    if candidates.left_out.is_empty() {
        return vec!["#".to_owned(), "# Every target group is included.".to_owned()];
    }
    let mut lines = vec!["#".to_owned(), "# Not included, because:".to_owned()];
    lines.extend(candidates.left_out.iter().map(|one| comment(&format!("  {}: {}", one.group.group.name, one.why))));
    lines
}

/// One service as an item of `services`, indented by two.
pub fn service(survey: &AccountSurvey, candidate: &Candidate<'_>) -> Vec<String> {
    let names: Vec<String> = candidate.groups.iter().map(|found| text(&found.group.name)).collect();
    let mut lines =
        vec![format!("  - name: {}  {}", candidate.name.name, comment(&format!("from {}", candidate.name.source)))];
    let mut note = |line: String| lines.push(format!("    {}", comment(&line)));
    if candidate.numbered {
        note("another service has this name without the number: choose better names".to_owned());
    }
    for route in &candidate.routes {
        note(routed(route));
    }
    if survey.requests_unread.is_none() {
        note(traffic(candidate));
    }
    for found in &candidate.groups {
        note(targets(found));
        note(checked(found));
        for line in settings(found) {
            note(line);
        }
    }
    for line in owners(candidate) {
        note(line);
    }
    lines.push(format!("    oldTargetGroups: [{}]", names.join(", ")));
    lines.push(format!("    newTargets: {{}}  # {FILL_IN}: one of binding, instances, ips, autoScalingGroup"));
    if !candidate.risks.is_empty() {
        lines.push(format!("    risk: high  {}", comment(&candidate.risks.join("; "))));
    }
    let alarms: BTreeSet<&str> = candidate.groups.iter().flat_map(|found| &found.alarms).map(String::as_str).collect();
    lines.push(match alarms.len() {
        0 if survey.alarms_unread.is_some() => "    # alarms: not read".to_owned(),
        0 => "    # alarms: none watches these target groups".to_owned(),
        found => {
            let names: Vec<String> = alarms.into_iter().map(text).collect();
            format!(
                "    {}",
                comment(&format!("alarms: [{}]  # {found} found; uncomment those that count", names.join(", ")))
            )
        }
    });
    lines
}

fn routed(route: &RouteFound<'_>) -> String {
    let on = format!("{} port {}", route.balancer.name, route.listener.port.unwrap_or_default());
    let has_host = route.rule.conditions.iter().any(|condition| condition.field == Field::Host);
    let mut line = match route.rule.priority {
        None => format!("route: default action of {on}, which takes every request that no rule matches"),
        Some(priority) if has_host => format!("route: {on}, priority {priority}: {}", route.rule.requests()),
        Some(priority) => format!("route: {on}, priority {priority}: {}, on every host", route.rule.requests()),
    };
    let own = &route.group.group.arn;
    let others = route.forward.groups.iter().filter(|tuple| tuple.group != *own);
    let others: Vec<String> = others.map(|tuple| format!("{} at {}", tuple.group.name(), tuple.weight)).collect();
    if !others.is_empty() {
        line.push_str(&["; weight ", &route.weight().to_string(), ", next to ", &others.join(", ")].concat());
    }
    let before = route.rule.actions.iter().find_map(|action| match action.kind {
        ActionKind::AuthenticateOidc(_) => Some("; users log in by OIDC"),
        ActionKind::AuthenticateCognito(_) => Some("; users log in by Cognito"),
        ActionKind::JwtValidation(_) => Some("; tokens are validated"),
        _ => None,
    });
    line.push_str(before.unwrap_or_default());
    line
}

fn traffic(candidate: &Candidate<'_>) -> String {
    let traffic = candidate.traffic;
    if traffic.requests == 0 {
        return format!("traffic: none in {DAYS} days through the load balancer");
    }
    format!(
        "traffic: {} requests a day, {} a minute at the peak, {} answered with 5xx",
        grouped(traffic.a_day()),
        grouped(traffic.peak_a_minute),
        percent(traffic.failed, traffic.requests)
    )
}

fn targets(found: &GroupFound) -> String {
    let settings = &found.group.settings;
    let version = settings.protocol_version.as_deref().filter(|version| *version != "HTTP1").unwrap_or_default();
    let version = if version.is_empty() { String::new() } else { format!(" ({version})") };
    format!(
        "targets of {}: {} of kind {}, {} healthy, {} port {}{version}",
        found.group.name,
        found.health.len(),
        settings.target_type,
        healthy_count(&found.health),
        settings.protocol,
        settings.port
    )
}

fn checked(found: &GroupFound) -> String {
    let check = &found.group.settings.health_check;
    let codes = check.http_codes.as_deref().or(check.grpc_codes.as_deref()).unwrap_or("the default codes");
    let path = check.path.as_deref().unwrap_or("/");
    format!("health check: {} {path} every {} s, expects {codes}", check.protocol, check.interval_seconds)
}

fn settings(found: &GroupFound) -> Vec<String> {
    let value = |key: &str| found.attributes.get(key).map_or("", String::as_str);
    let mut lines = Vec::new();
    if value("stickiness.enabled") == "true" {
        lines.push(format!(
            "stickiness: {} for {} s",
            value("stickiness.type"),
            value("stickiness.lb_cookie.duration_seconds")
        ));
    }
    if !["", "0"].contains(&value("slow_start.duration_seconds")) {
        lines.push(format!("slow start: {} s", value("slow_start.duration_seconds")));
    }
    if !["", "round_robin"].contains(&value("load_balancing.algorithm.type")) {
        lines.push(format!("algorithm: {}", value("load_balancing.algorithm.type")));
    }
    lines
}

/// Who else writes to the routes of a service.
fn owners(candidate: &Candidate<'_>) -> Vec<String> {
    let mut owners = BTreeSet::new();
    for route in &candidate.routes {
        let tags = |arn: &str| route.listener.tags.get(arn);
        let rule = tags(route.rule.id.as_str());
        let all = [rule, tags(route.listener.arn.as_str()), Some(&route.balancer.tags)];
        if let Some(tag) = all.into_iter().flatten().find_map(controller_tag) {
            owners.insert(format!("owner: AWS Load Balancer Controller (tag {tag}); a plan refuses it"));
        } else if let Some(stack) = rule.and_then(stack_of) {
            owners.insert(format!("owner: stack {stack}; a plan asks for allowManagedBy: [cloudformation]"));
        } else if let Some(stack) = stack_of(&route.balancer.tags) {
            owners.insert(format!("owner: the load balancer belongs to stack {stack}; the rule has no mark"));
        }
    }
    if owners.is_empty() {
        return vec!["owner: unknown; if Terraform owns the rule, it needs ignore_changes = [action]".to_owned()];
    }
    owners.into_iter().collect()
}

/// A comment of one line, whatever the text has in it.
fn comment(text: &str) -> String {
    let safe: String =
        text.chars().map(|c| if c.is_control() || "\u{2028}\u{2029}".contains(c) { ' ' } else { c }).collect();
    format!("# {safe}")
}

/// A text as YAML that reads it as text.
fn text(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && !NOT_TEXT.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn in_words(number: u32) -> String {
    let words = ["no", "one", "two", "three", "four", "five", "six"];
    words.get(number as usize).map_or_else(|| number.to_string(), |word| (*word).to_owned())
}

/// A number with a comma after each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

fn percent(part: u64, whole: u64) -> String {
    let hundredths = part.saturating_mul(10_000).checked_div(whole).unwrap_or(0);
    if part > 0 && hundredths == 0 {
        return "less than 0.01 %".to_owned();
    }
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

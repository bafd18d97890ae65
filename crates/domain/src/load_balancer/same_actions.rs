//! The normal form in which two action lists are compared.
//!
//! A load balancer stores one rule in several shapes. AWS's own controller compares them in this form: only the
//! sequence of `Order` counts, not its numbers; groups are in the order of their ARNs; the weight of an only group does
//! not count; stickiness that is off equals no stickiness; an authentication action has its defaults filled in, and
//! lacks the secret that AWS never returns.

use crate::load_balancer::action::{Action, ActionKind, Forward, GroupStickiness, Settings};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a load balancer would act alike on both lists.
pub fn equivalent(a: &[Action], b: &[Action]) -> bool {
    normal(a) == normal(b)
}

#[derive(Debug, PartialEq)]
enum Normal {
    Forward { groups: Vec<(String, Option<u16>)>, stickiness: Option<GroupStickiness> },
    Other { kind: &'static str, settings: BTreeMap<String, Value> },
    Unknown(String),
}

fn normal(actions: &[Action]) -> Vec<Normal> {
    let mut sorted: Vec<&Action> = actions.iter().collect();
    sorted.sort_by_key(|action| action.order.unwrap_or(0));
    sorted.into_iter().map(|action| normal_action(&action.kind)).collect()
}

fn normal_action(kind: &ActionKind) -> Normal {
    let other = |kind, settings| Normal::Other { kind, settings };
    match kind {
        ActionKind::Forward(forward) => normal_forward(forward),
        ActionKind::AuthenticateOidc(settings) => other("authenticate-oidc", with_login_defaults(settings)),
        ActionKind::AuthenticateCognito(settings) => other("authenticate-cognito", with_login_defaults(settings)),
        ActionKind::JwtValidation(settings) => other("jwt-validation", plain(settings)),
        ActionKind::Redirect(settings) => other("redirect", plain(settings)),
        ActionKind::FixedResponse(settings) => other("fixed-response", plain(settings)),
        ActionKind::Unknown(kind) => Normal::Unknown(kind.clone()),
    }
}

fn normal_forward(forward: &Forward) -> Normal {
    let alone = forward.groups.len() == 1;
    let mut groups: Vec<(String, Option<u16>)> = forward
        .groups
        .iter()
        .map(|tuple| (tuple.group.as_str().to_owned(), (!alone).then_some(tuple.weight)))
        .collect();
    groups.sort();
    let stickiness = forward.stickiness.filter(|stickiness| stickiness.enabled);
    Normal::Forward { groups, stickiness }
}

fn with_login_defaults(settings: &Settings) -> BTreeMap<String, Value> {
    let mut resolved = plain(settings);
    for (key, value) in [
        ("SessionCookieName", "AWSELBAuthSessionCookie"),
        ("Scope", "openid"),
        ("SessionTimeout", "604800"),
        ("OnUnauthenticatedRequest", "authenticate"),
    ] {
        resolved.entry(key.to_owned()).or_insert_with(|| Value::from(value));
    }
    resolved.remove("ClientSecret");
    resolved.remove("UseExistingClientSecret");
    resolved
}

fn plain(settings: &Settings) -> BTreeMap<String, Value> {
    settings.iter().filter_map(|(key, value)| Some((key.clone(), plain_value(value)?))).collect()
}

/// Numbers and booleans as text, since the query protocol carries nothing else; what is empty equals what is absent.
fn plain_value(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(flag) => Some(Value::from(flag.to_string())),
        Value::Number(number) => Some(Value::from(number.to_string())),
        Value::String(text) => Some(Value::from(text.clone())),
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().filter_map(plain_value).collect();
            (!items.is_empty()).then(|| Value::from(items))
        }
        Value::Object(fields) => {
            let fields: serde_json::Map<String, Value> =
                fields.iter().filter_map(|(key, value)| Some((key.clone(), plain_value(value)?))).collect();
            (!fields.is_empty()).then_some(Value::Object(fields))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_balancer::action::WeightedGroup;
    use crate::names::TargetGroupArn;
    use serde_json::json;

    fn group(name: &str) -> TargetGroupArn {
        TargetGroupArn::parse(format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1")).unwrap()
    }

    fn forward(groups: &[(&str, u16)], stickiness: Option<GroupStickiness>) -> ActionKind {
        let groups =
            groups.iter().map(|(name, weight)| WeightedGroup { group: group(name), weight: *weight }).collect();
        ActionKind::Forward(Forward { groups, stickiness })
    }

    fn oidc(settings: &Value) -> ActionKind {
        ActionKind::AuthenticateOidc(serde_json::from_value(settings.clone()).unwrap())
    }

    fn action(order: Option<i32>, kind: ActionKind) -> Action {
        Action { order, kind }
    }

    #[track_caller]
    fn check(a: &[Action], b: &[Action], expected: bool) {
        assert_eq!(equivalent(a, b), expected, "{a:?}\n{b:?}");
        assert_eq!(equivalent(b, a), expected);
        assert!(equivalent(a, a));
    }

    #[test]
    fn shapes_of_one_forward_are_the_same() {
        let off = Some(GroupStickiness { enabled: false, duration_seconds: Some(60) });
        check(&[action(None, forward(&[("old", 1)], None))], &[action(Some(1), forward(&[("old", 100)], off))], true);
        check(
            &[action(None, forward(&[("old", 95), ("new", 5)], None))],
            &[action(None, forward(&[("new", 5), ("old", 95)], off))],
            true,
        );
    }

    #[test]
    fn weights_groups_and_stickiness_tell_forwards_apart() {
        let base = || vec![action(None, forward(&[("old", 95), ("new", 5)], None))];
        let on = |seconds| Some(GroupStickiness { enabled: true, duration_seconds: Some(seconds) });
        check(&base(), &[action(None, forward(&[("old", 94), ("new", 5)], None))], false);
        check(&base(), &[action(None, forward(&[("old", 95), ("other", 5)], None))], false);
        check(&base(), &[action(None, forward(&[("old", 95)], None))], false);
        check(&base(), &[action(None, forward(&[("old", 95), ("new", 5)], on(60)))], false);
        check(&[action(None, forward(&[("old", 1)], on(60)))], &[action(None, forward(&[("old", 1)], on(61)))], false);
    }

    #[test]
    fn only_the_sequence_of_orders_counts() {
        let login = || oidc(&json!({"Issuer": "https://id", "ClientId": "a"}));
        let split = || forward(&[("old", 1)], None);
        check(
            &[action(Some(1), login()), action(Some(2), split())],
            &[action(Some(50), split()), action(Some(10), login())],
            true,
        );
        check(
            &[action(Some(1), login()), action(Some(2), split())],
            &[action(Some(2), login()), action(Some(1), split())],
            false,
        );
    }

    #[test]
    fn logins_are_compared_with_defaults_and_without_the_secret() {
        let asked = oidc(&json!({"Issuer": "https://id", "ClientId": "a", "ClientSecret": "s"}));
        let described = oidc(&json!({
            "Issuer": "https://id", "ClientId": "a", "UseExistingClientSecret": true, "SessionTimeout": 604_800,
            "Scope": "openid", "SessionCookieName": "AWSELBAuthSessionCookie",
            "OnUnauthenticatedRequest": "authenticate", "AuthenticationRequestExtraParams": {},
        }));
        check(&[action(None, asked.clone())], &[action(None, described)], true);
        let shorter = oidc(&json!({"Issuer": "https://id", "ClientId": "a", "SessionTimeout": 60}));
        check(&[action(None, asked)], &[action(None, shorter)], false);
    }
}

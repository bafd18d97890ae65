//! Creates rules and default actions.

use super::{Stage, StagedRoute};
use crate::scenario::{Match, RouteScenario, old_group_name};
use crossfade_world::aws_error::AwsError;
use crossfade_world::elbv2::Elbv2;
use jiff::Timestamp;
use serde_json::{Value, json};

impl Stage {
    pub(super) fn route(
        &self,
        route: &RouteScenario,
        service: &str,
        index: usize,
        now: Timestamp,
    ) -> Result<StagedRoute, AwsError> {
        let mut elbv2 = self.elbv2.lock().expect("no holder of the lock panics");
        let listener = self.listeners[&route.load_balancer].clone();
        let old_name = old_group_name(service, &route.load_balancer);
        let old_group = elbv2.group_named(&old_name).ok_or_else(AwsError::internal)?.to_owned();
        let old_targets = elbv2.targets_of(&old_group);
        let mut groups = vec![old_group.clone()];
        let mut tuples = vec![json!({"TargetGroupArn": old_group, "Weight": route.old_weight})];
        for (name, weight) in &route.others {
            // A group of someone else, with the same instances. Only its share matters here.
            let other = elbv2.create_target_group(now, name, 30_000, &[])?;
            let targets: Vec<(&str, u16)> = old_targets.iter().map(|(id, port)| (id.as_str(), *port)).collect();
            elbv2.register(now, &other, &targets)?;
            tuples.push(json!({"TargetGroupArn": other, "Weight": weight}));
            groups.push(other);
        }
        let mut forward = json!({ "TargetGroups": tuples });
        if let Some(seconds) = route.stickiness_seconds {
            forward["TargetGroupStickinessConfig"] = json!({"Enabled": true, "DurationSeconds": seconds});
        }
        let mut actions = Vec::new();
        if route.oidc {
            actions.push(oidc_action());
        }
        actions.push(json!({"Type": "forward", "Order": actions.len() + 1, "ForwardConfig": forward}));
        let arn = match &route.matches {
            Match::Default => {
                let input = json!({"ListenerArn": listener, "DefaultActions": actions});
                elbv2.call_json(now, "ModifyListener", &input)?;
                listener.clone()
            }
            Match::Host(host) => rule(&mut elbv2, now, &listener, index, "host-header", host, &actions)?,
            Match::Path(path) => rule(&mut elbv2, now, &listener, index, "path-pattern", path, &actions)?,
        };
        let baseline = described(&mut elbv2, now, &arn)?;
        Ok(StagedRoute { arn, listener, old_group, groups, baseline, scenario: route.clone() })
    }
}

fn rule(
    elbv2: &mut Elbv2,
    now: Timestamp,
    listener: &str,
    index: usize,
    field: &str,
    value: &str,
    actions: &[Value],
) -> Result<String, AwsError> {
    // Another service may have rules on the same load balancer.
    let own = 10 * (u32::try_from(index).unwrap_or_default() + 1);
    let priority = own.max(elbv2.next_priority(listener));
    let input = json!({
        "ListenerArn": listener, "Priority": priority, "Actions": actions,
        "Conditions": [{"Field": field, "Values": [value]}],
    });
    let answer = elbv2.call_json(now, "CreateRule", &input)?;
    let arn = answer.list_at("Rules").first().and_then(|rule| rule.text_at("RuleArn"));
    arn.map(str::to_owned).ok_or_else(AwsError::internal)
}

fn oidc_action() -> Value {
    json!({
        "Type": "authenticate-oidc", "Order": 1,
        "AuthenticateOidcConfig": {
            "Issuer": "https://login.example.com", "AuthorizationEndpoint": "https://login.example.com/authorize",
            "TokenEndpoint": "https://login.example.com/token",
            "UserInfoEndpoint": "https://login.example.com/userinfo",
            "ClientId": "payments", "ClientSecret": "known to the load balancer only",
            "Scope": "openid email", "SessionTimeout": 3600, "OnUnauthenticatedRequest": "authenticate",
        },
    })
}

/// Returns the actions of a rule, or of a listener's default action, as AWS describes them.
pub(crate) fn described(elbv2: &mut Elbv2, now: Timestamp, route: &str) -> Result<Value, AwsError> {
    let (operation, input, list, member) = if route.contains(":listener-rule/") {
        ("DescribeRules", json!({"RuleArns": [route]}), "Rules", "Actions")
    } else {
        ("DescribeListeners", json!({"ListenerArns": [route]}), "Listeners", "DefaultActions")
    };
    let answer = elbv2.call_json(now, operation, &input)?;
    let actions = answer.list_at(list).first().and_then(|item| item.get(member));
    actions.map(crossfade_world::tree::Tree::to_json).ok_or_else(AwsError::internal)
}

//! From the trees of the load balancers to the domain's words, and back.

use crate::aws_error::AwsError;
use crate::tree::Tree;
use crossfade_actions::ports::PortError;
use crossfade_domain::load_balancer::action::{Action, ActionKind, Forward, GroupStickiness, Settings, WeightedGroup};
use crossfade_domain::load_balancer::group::{
    GroupSettings, HealthCheck, HealthState, Tags, Target, TargetGroup, TargetHealth,
};
use crossfade_domain::load_balancer::route::describe_conditions;
use crossfade_domain::names::{LoadBalancerArn, TargetGroupArn};
use serde_json::{Map, Value};

/// An AWS error by its code, as the SDK's errors are classified.
pub(super) fn port_error(operation: &'static str, object: &str, error: &AwsError) -> PortError {
    let object = object.to_owned();
    let AwsError { code, message, http_status } = error;
    match code.as_str() {
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" => PortError::Throttled { operation, object },
        "AccessDenied" | "AccessDeniedException" => PortError::Denied { operation, object, detail: message.clone() },
        "TargetGroupNotFound"
        | "RuleNotFound"
        | "ListenerNotFound"
        | "LoadBalancerNotFound"
        | "ResourceNotFound"
        | "InvalidDocument" => PortError::NotFound { operation, object },
        _ if *http_status >= 500 => PortError::Unavailable { operation, object, detail: message.clone() },
        _ => PortError::Refused { operation, object, code: code.clone(), detail: message.clone() },
    }
}

const KINDS: [(&str, &str); 5] = [
    ("authenticate-oidc", "AuthenticateOidcConfig"),
    ("authenticate-cognito", "AuthenticateCognitoConfig"),
    ("jwt-validation", "JwtValidationConfig"),
    ("redirect", "RedirectConfig"),
    ("fixed-response", "FixedResponseConfig"),
];

/// The requests that a rule's conditions match, for people.
pub(super) fn requests(conditions: &[Tree]) -> String {
    let described: Vec<(String, Vec<String>)> = conditions.iter().map(field_and_values).collect();
    describe_conditions(&described)
}

pub(super) fn field_and_values(condition: &Tree) -> (String, Vec<String>) {
    let field = condition.text_at("Field").unwrap_or_default();
    let header = condition.get("HttpHeaderConfig");
    let name = header.and_then(|config| config.text_at("HttpHeaderName"));
    let nested =
        ["HostHeaderConfig", "PathPatternConfig", "HttpRequestMethodConfig", "SourceIpConfig", "HttpHeaderConfig"];
    let mut values: Vec<String> =
        nested.iter().filter_map(|config| condition.get(config)).flat_map(values_of).map(str::to_owned).collect();
    let pairs = condition.get("QueryStringConfig").map(|config| config.list_at("Values")).unwrap_or_default();
    values.extend(pairs.iter().map(|pair| {
        let value = pair.text_at("Value").unwrap_or_default();
        pair.text_at("Key").map_or_else(|| value.to_owned(), |key| format!("{key}={value}"))
    }));
    if values.is_empty() {
        values = values_of(condition).into_iter().map(str::to_owned).collect();
    }
    (name.map_or_else(|| field.to_owned(), |name| format!("{field} {name}")), values)
}

fn values_of(tree: &Tree) -> Vec<&str> {
    [tree.texts_at("Values"), tree.texts_at("RegexValues")].concat()
}

pub(super) fn actions(trees: &[Tree]) -> Vec<Action> {
    trees.iter().map(action).collect()
}

fn action(tree: &Tree) -> Action {
    let kind = tree.text_at("Type").unwrap_or_default();
    let config = KINDS.iter().find(|(name, _)| *name == kind).and_then(|(_, config)| tree.get(config));
    let kind = match (kind, config) {
        ("forward", _) => ActionKind::Forward(forward(tree)),
        ("authenticate-oidc", Some(config)) => ActionKind::AuthenticateOidc(settings(config)),
        ("authenticate-cognito", Some(config)) => ActionKind::AuthenticateCognito(settings(config)),
        ("jwt-validation", Some(config)) => ActionKind::JwtValidation(settings(config)),
        ("redirect", Some(config)) => ActionKind::Redirect(settings(config)),
        ("fixed-response", Some(config)) => ActionKind::FixedResponse(settings(config)),
        (other, _) => ActionKind::Unknown(other.to_owned()),
    };
    Action { order: tree.number_at("Order").and_then(|order| i32::try_from(order).ok()), kind }
}

fn forward(tree: &Tree) -> Forward {
    let config = tree.get("ForwardConfig").cloned().unwrap_or_default();
    let groups = config.list_at("TargetGroups").iter().map(|tuple| WeightedGroup {
        group: group_arn(tuple.text_at("TargetGroupArn")),
        weight: tuple.number_at("Weight").and_then(|weight| u16::try_from(weight).ok()).unwrap_or(1),
    });
    let stickiness = config.get("TargetGroupStickinessConfig").map(|stickiness| GroupStickiness {
        enabled: stickiness.is_true_at("Enabled"),
        duration_seconds: stickiness.number_at("DurationSeconds").and_then(|seconds| i32::try_from(seconds).ok()),
    });
    Forward { groups: groups.collect(), stickiness }
}

fn group_arn(text: Option<&str>) -> TargetGroupArn {
    TargetGroupArn::parse(text.unwrap_or_default()).expect("the world gives out whole ARNs")
}

/// The list to be written, or the refusal that AWS would give.
pub(super) fn accepted_actions(
    operation: &'static str,
    object: &str,
    actions: &[Action],
) -> Result<Vec<Tree>, PortError> {
    action_trees(actions).map_err(|detail| PortError::Refused {
        operation,
        object: object.to_owned(),
        code: "InvalidRequest".to_owned(),
        detail,
    })
}

/// The list to be written, all of it or nothing; the words are those of the refusal.
fn action_trees(actions: &[Action]) -> Result<Vec<Tree>, String> {
    if actions.is_empty() {
        return Err("the route has no actions, and AWS takes an empty list for no change".to_owned());
    }
    actions.iter().map(action_tree).collect()
}

fn action_tree(action: &Action) -> Result<Tree, String> {
    let (name, config, value) = match &action.kind {
        ActionKind::Forward(forward) => ("forward", "ForwardConfig", forward_tree(forward)?),
        ActionKind::AuthenticateOidc(settings) => {
            let mut config = settings_tree(settings);
            config.remove("ClientSecret");
            ("authenticate-oidc", "AuthenticateOidcConfig", config.with("UseExistingClientSecret", true))
        }
        ActionKind::AuthenticateCognito(settings) => {
            ("authenticate-cognito", "AuthenticateCognitoConfig", settings_tree(settings))
        }
        ActionKind::JwtValidation(settings) => ("jwt-validation", "JwtValidationConfig", settings_tree(settings)),
        ActionKind::Redirect(settings) => ("redirect", "RedirectConfig", settings_tree(settings)),
        ActionKind::FixedResponse(settings) => ("fixed-response", "FixedResponseConfig", settings_tree(settings)),
        ActionKind::Unknown(name) => return Err(format!("an action of type {name:?} is unknown to this version")),
    };
    let mut tree = Tree::map([("Type", name.into()), (config, value)]);
    if let Some(order) = action.order {
        tree.set("Order", i64::from(order));
    }
    Ok(tree)
}

fn forward_tree(forward: &Forward) -> Result<Tree, String> {
    if forward.total() == 0 {
        return Err("a forward action whose weights add up to 0 answers every request with 503".to_owned());
    }
    let tuples: Vec<Tree> = forward
        .groups
        .iter()
        .map(|tuple| {
            Tree::map([("TargetGroupArn", tuple.group.as_str().into()), ("Weight", i64::from(tuple.weight).into())])
        })
        .collect();
    let mut config = Tree::map([("TargetGroups", tuples.into())]);
    if let Some(stickiness) = forward.stickiness {
        let mut tree = Tree::map([("Enabled", stickiness.enabled.into())]);
        if let Some(seconds) = stickiness.duration_seconds {
            tree.set("DurationSeconds", i64::from(seconds));
        }
        config.set("TargetGroupStickinessConfig", tree);
    }
    Ok(config)
}

/// Settings by AWS's names, with numbers and maps as the SDK has them.
fn settings(config: &Tree) -> Settings {
    let Tree::Map(fields) = config else { return Settings::new() };
    fields
        .iter()
        .map(|(key, value)| {
            let value = match (key.as_str(), value) {
                ("SessionTimeout", Tree::Text(text)) => {
                    text.parse::<i64>().map_or_else(|_| value.to_json(), Value::from)
                }
                (_, Tree::Map(fields)) if fields.contains_key("entry") => entries(value.list_at("entry")),
                _ => value.to_json(),
            };
            (key.clone(), value)
        })
        .collect()
}

fn entries(entries: &[Tree]) -> Value {
    let pairs: Map<String, Value> = entries
        .iter()
        .filter_map(|entry| Some((entry.text_at("key")?.to_owned(), entry.any_text_at("value")?.into())))
        .collect();
    Value::Object(pairs)
}

fn settings_tree(settings: &Settings) -> Tree {
    let mut tree = Tree::new();
    for (key, value) in settings {
        match value {
            Value::Object(pairs) => {
                let entries: Vec<Tree> = pairs
                    .iter()
                    .map(|(key, value)| Tree::map([("key", key.as_str().into()), ("value", Tree::from_json(value))]))
                    .collect();
                tree.set(key, Tree::map([("entry", entries.into())]));
            }
            other => tree.set(key, Tree::from_json(other)),
        }
    }
    tree
}

pub(super) fn target_group(tree: &Tree) -> TargetGroup {
    let text = |key: &str| tree.text_at(key).map(str::to_owned);
    let seconds =
        |key: &str, default: i32| tree.number_at(key).and_then(|number| i32::try_from(number).ok()).unwrap_or(default);
    let matcher = tree.get("Matcher").cloned().unwrap_or_default();
    TargetGroup {
        arn: group_arn(tree.text_at("TargetGroupArn")),
        name: text("TargetGroupName").unwrap_or_default(),
        settings: GroupSettings {
            protocol: text("Protocol").unwrap_or_default(),
            protocol_version: text("ProtocolVersion"),
            port: tree.number_at("Port").and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
            target_type: text("TargetType").unwrap_or_default(),
            ip_address_type: text("IpAddressType"),
            vpc: text("VpcId"),
            target_control_port: tree.number_at("TargetControlPort").and_then(|port| u16::try_from(port).ok()),
            health_check: HealthCheck {
                enabled: tree.text_at("HealthCheckEnabled") != Some("false"),
                protocol: text("HealthCheckProtocol").unwrap_or_default(),
                port: text("HealthCheckPort").unwrap_or_else(|| "traffic-port".to_owned()),
                path: text("HealthCheckPath"),
                interval_seconds: seconds("HealthCheckIntervalSeconds", 30),
                timeout_seconds: seconds("HealthCheckTimeoutSeconds", 5),
                healthy_threshold: seconds("HealthyThresholdCount", 5),
                unhealthy_threshold: seconds("UnhealthyThresholdCount", 2),
                http_codes: matcher.text_at("HttpCode").map(str::to_owned),
                grpc_codes: matcher.text_at("GrpcCode").map(str::to_owned),
            },
        },
        load_balancers: tree.texts_at("LoadBalancerArns").into_iter().map(load_balancer_arn).collect(),
    }
}

pub(super) fn load_balancer_arn(text: &str) -> LoadBalancerArn {
    LoadBalancerArn::parse(text).expect("the world gives out whole ARNs")
}

pub(super) fn new_group_tree(name: &str, settings: &GroupSettings, tags: &Tags) -> Tree {
    let GroupSettings {
        protocol,
        protocol_version,
        port,
        target_type,
        ip_address_type,
        vpc,
        target_control_port,
        health_check,
    } = settings;
    let mut tree = Tree::map([
        ("Name", name.into()),
        ("Protocol", protocol.as_str().into()),
        ("Port", i64::from(*port).into()),
        ("TargetType", target_type.as_str().into()),
        ("Tags", tag_trees(tags).into()),
    ]);
    for (key, value) in [("ProtocolVersion", protocol_version), ("IpAddressType", ip_address_type), ("VpcId", vpc)] {
        if let Some(value) = value {
            tree.set(key, value.as_str());
        }
    }
    if let Some(port) = target_control_port {
        tree.set("TargetControlPort", i64::from(*port));
    }
    set_health_check(&mut tree, health_check);
    tree
}

/// The parameters of a health check, as `CreateTargetGroup` and `ModifyTargetGroup` take them.
pub(super) fn set_health_check(tree: &mut Tree, health_check: &HealthCheck) {
    tree.set("HealthCheckEnabled", health_check.enabled);
    tree.set("HealthCheckProtocol", health_check.protocol.as_str());
    tree.set("HealthCheckPort", health_check.port.as_str());
    tree.set("HealthCheckIntervalSeconds", i64::from(health_check.interval_seconds));
    tree.set("HealthCheckTimeoutSeconds", i64::from(health_check.timeout_seconds));
    tree.set("HealthyThresholdCount", i64::from(health_check.healthy_threshold));
    tree.set("UnhealthyThresholdCount", i64::from(health_check.unhealthy_threshold));
    if let Some(path) = &health_check.path {
        tree.set("HealthCheckPath", path.as_str());
    }
    let mut matcher = Tree::new();
    for (key, codes) in [("HttpCode", &health_check.http_codes), ("GrpcCode", &health_check.grpc_codes)] {
        if let Some(codes) = codes {
            matcher.set(key, codes.as_str());
        }
    }
    if matcher != Tree::new() {
        tree.set("Matcher", matcher);
    }
}

pub(super) fn tag_trees(tags: &Tags) -> Vec<Tree> {
    tags.iter()
        .map(|(key, value)| Tree::map([("Key", key.as_str().into()), ("Value", value.as_str().into())]))
        .collect()
}

/// `Key` and `Value` pairs: tags and attributes.
pub(super) fn pairs(trees: &[Tree]) -> std::collections::BTreeMap<String, String> {
    trees
        .iter()
        .filter_map(|pair| {
            Some((pair.text_at("Key")?.to_owned(), pair.any_text_at("Value").unwrap_or_default().to_owned()))
        })
        .collect()
}

pub(super) fn target_tree(target: &Target) -> Tree {
    let tree = Tree::map([("Id", target.id.as_str().into())]);
    match target.port {
        Some(port) => tree.with("Port", i64::from(port)),
        None => tree,
    }
}

pub(super) fn target_health(tree: &Tree) -> TargetHealth {
    let target = tree.get("Target").cloned().unwrap_or_default();
    let health = tree.get("TargetHealth").cloned().unwrap_or_default();
    TargetHealth {
        target: Target {
            id: target.text_at("Id").unwrap_or_default().to_owned(),
            port: target.number_at("Port").and_then(|port| u16::try_from(port).ok()),
        },
        state: match health.text_at("State") {
            Some("initial") => HealthState::Initial,
            Some("healthy") => HealthState::Healthy,
            Some("unhealthy") => HealthState::Unhealthy,
            Some("unused") => HealthState::Unused,
            Some("draining") => HealthState::Draining,
            _ => HealthState::Unavailable,
        },
        reason: health.text_at("Reason").map(str::to_owned),
    }
}

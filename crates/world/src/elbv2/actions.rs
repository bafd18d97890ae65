//! Which lists of actions are accepted, and the form in which they are stored.

use super::state::{Forward, Step};
use super::{Elbv2, required};
use crate::aws_error::AwsError;
use crate::tree::Tree;
use std::collections::BTreeSet;

/// Not adjustable on AWS.
const GROUPS_PER_ACTION: usize = 5;
/// Distinct groups; not adjustable on AWS.
const GROUPS_PER_LOAD_BALANCER: usize = 100;

/// Where a list of actions is going to be.
pub(super) struct Place<'a> {
    pub(super) load_balancer: &'a str,
    /// `HTTP` or `HTTPS`; authentication needs the latter.
    pub(super) protocol: &'a str,
    /// The rule whose actions are replaced.
    pub(super) replaced_rule: Option<&'a str>,
    /// The actions that are replaced, for their client secret.
    pub(super) previous: &'a [Tree],
}

impl Elbv2 {
    /// Checks a complete list of actions; returns it in stored form and parsed.
    pub(super) fn accept_actions(
        &self,
        actions: &[Tree],
        place: &Place<'_>,
    ) -> Result<(Vec<Tree>, Vec<Step>), AwsError> {
        let actions = in_order(actions)?;
        let routing = |action: &Tree| matches!(action.text_at("Type"), Some("forward" | "redirect" | "fixed-response"));
        let last_routes = actions.last().is_some_and(routing);
        if !last_routes || actions.iter().filter(|action| routing(action)).count() != 1 {
            return Err(invalid(
                "A rule must have exactly one action of type forward, redirect or fixed-response, and it must be the \
                 last",
            ));
        }
        let mut stored = Vec::with_capacity(actions.len());
        let mut steps = Vec::with_capacity(actions.len());
        for action in actions {
            let (action, step) = self.accept_action(action, place)?;
            stored.push(action);
            steps.push(step);
        }
        self.check_groups_of_load_balancer(&steps, place)?;
        Ok((stored, steps))
    }

    fn accept_action(&self, mut action: Tree, place: &Place<'_>) -> Result<(Tree, Step), AwsError> {
        match action.text_at("Type") {
            Some("forward") => {
                let (action, step) = self.accept_forward(action)?;
                self.check_protocol(&step, place)?;
                self.check_address_family(&step, place)?;
                Ok((action, step))
            }
            Some("authenticate-oidc") => {
                require_https(place)?;
                accept_oidc(&mut action, place.previous)?;
                let step = log_in_step(&action, "AuthenticateOidcConfig", "AuthorizationEndpoint");
                Ok((action, step))
            }
            Some("authenticate-cognito") => {
                require_https(place)?;
                resolve_session_defaults(&mut action, "AuthenticateCognitoConfig");
                let step = log_in_step(&action, "AuthenticateCognitoConfig", "UserPoolDomain");
                Ok((action, step))
            }
            Some("redirect") => {
                let config = action.get("RedirectConfig").cloned().unwrap_or_default();
                required(&config, "StatusCode")?;
                Ok((action, Step::Redirect(config)))
            }
            Some("fixed-response") => {
                let config = action.get("FixedResponseConfig").cloned().unwrap_or_default();
                required(&config, "StatusCode")?;
                Ok((action, Step::FixedResponse(config)))
            }
            Some(_) => Ok((action, Step::Pass)),
            None => Err(AwsError::validation("An action must specify its type")),
        }
    }

    fn accept_forward(&self, mut action: Tree) -> Result<(Tree, Step), AwsError> {
        let config = action.get("ForwardConfig").cloned().unwrap_or_default();
        let single = action.text_at("TargetGroupArn").map(str::to_owned);
        let mut tuples = config.list_at("TargetGroups").to_vec();
        match (&single, tuples.as_slice()) {
            (None, []) => return Err(invalid("A forward action must specify a target group")),
            (Some(arn), []) => tuples = vec![Tree::map([("TargetGroupArn", arn.as_str().into())])],
            (Some(arn), [tuple]) if tuple.text_at("TargetGroupArn") == Some(arn) => {}
            (Some(_), _) => {
                return Err(invalid(
                    "You can specify both a target group ARN and a forward config only if the config has that one \
                     target group",
                ));
            }
            (None, _) => {}
        }
        if tuples.len() > GROUPS_PER_ACTION {
            return Err(invalid(&format!(
                "A forward action can have at most '{GROUPS_PER_ACTION}' target groups, but '{}' were specified",
                tuples.len()
            )));
        }
        let mut groups = Vec::with_capacity(tuples.len());
        for tuple in &mut tuples {
            let arn = required(tuple, "TargetGroupArn")?.to_owned();
            if !self.groups.contains_key(&arn) {
                return Err(AwsError::bad_request("TargetGroupNotFound", format!("Target group '{arn}' not found")));
            }
            if groups.iter().any(|(other, _)| *other == arn) {
                return Err(invalid(&format!("Target group '{arn}' is specified more than once in an action")));
            }
            // A weight left out is stored as 1: a client that drops zeros sends traffic where it meant none.
            let weight = tuple.text_at("Weight").map_or(Some(1), |text| text.parse().ok());
            let weight = weight.filter(|weight| (0..=999).contains(weight)).ok_or_else(|| {
                AwsError::validation(format!(
                    "Weight '{}' of target group '{arn}' must be between 0 and 999",
                    tuple.text_at("Weight").unwrap_or_default()
                ))
            })?;
            tuple.set("Weight", i64::from(weight));
            groups.push((arn, weight));
        }
        let stickiness = accept_stickiness(config.get("TargetGroupStickinessConfig"))?;
        let sticky_seconds =
            stickiness.is_true_at("Enabled").then(|| stickiness.number_at("DurationSeconds")).flatten();
        if groups.len() > 1
            && sticky_seconds.is_none()
            && groups.iter().any(|(arn, _)| self.groups.get(arn).is_some_and(super::state::TargetGroup::is_sticky))
        {
            return Err(invalid(
                "You must enable group stickiness on a rule if you enabled target stickiness on one of its target \
                 groups",
            ));
        }
        let mut config = config.with("TargetGroups", tuples);
        config.set("TargetGroupStickinessConfig", stickiness);
        action.set("ForwardConfig", config);
        match groups.as_slice() {
            [(arn, _)] => action.set("TargetGroupArn", arn.as_str()),
            _ => drop(action.remove("TargetGroupArn")),
        }
        Ok((action, Step::Forward(Forward { groups, sticky_seconds })))
    }

    /// gRPC needs a listener with TLS.
    fn check_protocol(&self, step: &Step, place: &Place<'_>) -> Result<(), AwsError> {
        let Step::Forward(forward) = step else { return Ok(()) };
        let version = |arn: &String| self.groups.get(arn)?.details.text_at("ProtocolVersion").map(str::to_owned);
        let grpc = forward.groups.iter().any(|(arn, _)| version(arn).as_deref() == Some("GRPC"));
        if !grpc || place.protocol == "HTTPS" {
            return Ok(());
        }
        Err(AwsError::bad_request(
            "InvalidConfigurationRequest",
            format!(
                "Listener protocol '{}' is not supported with a target group with the protocol-version 'GRPC'",
                place.protocol
            ),
        ))
    }

    /// A group of IPv6 targets needs a load balancer that has IPv6.
    fn check_address_family(&self, step: &Step, place: &Place<'_>) -> Result<(), AwsError> {
        let Step::Forward(forward) = step else { return Ok(()) };
        let balancer = self.load_balancers.get(place.load_balancer);
        let is_ipv4 = balancer.is_some_and(|balancer| balancer.details.text_at("IpAddressType") == Some("ipv4"));
        let family = |arn: &String| self.groups.get(arn)?.details.text_at("IpAddressType");
        match forward.groups.iter().find(|(arn, _)| family(arn) == Some("ipv6")) {
            Some((arn, _)) if is_ipv4 => Err(AwsError::bad_request(
                "InvalidConfigurationRequest",
                format!(
                    "Target group '{arn}' has the IP address type 'ipv6', which the IP address type 'ipv4' of the load \
                     balancer does not support"
                ),
            )),
            _ => Ok(()),
        }
    }

    /// One load balancer for a group, a hundred groups for a load balancer.
    fn check_groups_of_load_balancer(&self, steps: &[Step], place: &Place<'_>) -> Result<(), AwsError> {
        let wanted: BTreeSet<&str> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Forward(forward) => Some(forward.groups.iter().map(|(arn, _)| arn.as_str())),
                _ => None,
            })
            .flatten()
            .collect();
        let mut used: BTreeSet<&str> = wanted.clone();
        for (arn, rule) in &self.rules {
            if place.replaced_rule == Some(arn.as_str()) {
                continue;
            }
            if rule.load_balancer == place.load_balancer {
                used.extend(rule.groups());
            } else if let Some(taken) = rule.groups().find(|group| wanted.contains(group)) {
                return Err(AwsError::bad_request(
                    "TargetGroupAssociationLimit",
                    format!(
                        "The following target groups cannot be associated with more than one load balancer: {taken}"
                    ),
                ));
            }
        }
        if used.len() > GROUPS_PER_LOAD_BALANCER {
            return Err(AwsError::bad_request(
                "TooManyUniqueTargetGroupsPerLoadBalancer",
                format!(
                    "The maximum number of unique target groups associated with the load balancer '{}' is \
                     [{GROUPS_PER_LOAD_BALANCER}]",
                    place.load_balancer
                ),
            ));
        }
        Ok(())
    }
}

/// What Describe returns of stored actions: client secrets never come back.
pub(super) fn described(actions: &[Tree]) -> Vec<Tree> {
    let mut actions = actions.to_vec();
    for action in &mut actions {
        if let Some(config) = action.get_mut("AuthenticateOidcConfig") {
            config.remove("ClientSecret");
            config.remove("UseExistingClientSecret");
        }
    }
    actions
}

fn invalid(message: &str) -> AwsError {
    AwsError::bad_request("InvalidLoadBalancerAction", message)
}

fn in_order(actions: &[Tree]) -> Result<Vec<Tree>, AwsError> {
    let mut actions = actions.to_vec();
    if actions.len() > 1 {
        let orders: Vec<i64> = actions.iter().filter_map(|action| action.number_at("Order")).collect();
        let distinct: BTreeSet<&i64> = orders.iter().collect();
        if distinct.len() != actions.len() || orders.iter().any(|order| !(1..=50_000).contains(order)) {
            return Err(AwsError::validation(
                "Each action of a rule with several must have its own order between 1 and 50000",
            ));
        }
        actions.sort_by_key(|action| action.number_at("Order"));
    }
    Ok(actions)
}

fn accept_stickiness(config: Option<&Tree>) -> Result<Tree, AwsError> {
    let Some(config) = config else { return Ok(Tree::map([("Enabled", false.into())])) };
    let duration = config.number_at("DurationSeconds");
    if duration.is_some_and(|seconds| !(1..=604_800).contains(&seconds)) {
        return Err(AwsError::validation(
            "The duration of target group stickiness must be between 1 and 604800 seconds",
        ));
    }
    if config.is_true_at("Enabled") && duration.is_none() {
        return Err(invalid("You must specify a duration when you enable target group stickiness"));
    }
    Ok(config.clone().with("Enabled", config.is_true_at("Enabled")))
}

fn require_https(place: &Place<'_>) -> Result<(), AwsError> {
    if place.protocol == "HTTPS" {
        return Ok(());
    }
    Err(invalid("Authentication actions are supported only on HTTPS listeners"))
}

fn accept_oidc(action: &mut Tree, previous: &[Tree]) -> Result<(), AwsError> {
    resolve_session_defaults(action, "AuthenticateOidcConfig");
    let Some(config) = action.get_mut("AuthenticateOidcConfig") else {
        return Err(invalid("An authenticate-oidc action must specify its configuration"));
    };
    for key in ["Issuer", "AuthorizationEndpoint", "TokenEndpoint", "UserInfoEndpoint", "ClientId"] {
        required(config, key)?;
    }
    let reuses = config.is_true_at("UseExistingClientSecret");
    config.remove("UseExistingClientSecret");
    match (config.text_at("ClientSecret").is_some(), reuses) {
        (true, true) => {
            return Err(invalid("You cannot both specify a client secret and set UseExistingClientSecret to true"));
        }
        (true, false) => {}
        (false, false) => return Err(invalid("You must specify a client secret")),
        (false, true) => {
            let secret = previous
                .iter()
                .filter_map(|action| action.get("AuthenticateOidcConfig"))
                .find_map(|config| config.text_at("ClientSecret"))
                .ok_or_else(|| invalid("There is no existing client secret to use"))?;
            config.set("ClientSecret", secret);
        }
    }
    Ok(())
}

/// Describe reports defaults resolved.
fn resolve_session_defaults(action: &mut Tree, config: &str) {
    let mut resolved = action.get(config).cloned().unwrap_or_default();
    for (key, value) in [
        ("SessionCookieName", "AWSELBAuthSessionCookie"),
        ("Scope", "openid"),
        ("SessionTimeout", "604800"),
        ("OnUnauthenticatedRequest", "authenticate"),
    ] {
        if resolved.text_at(key).is_none() {
            resolved.set(key, value);
        }
    }
    action.set(config, resolved);
}

fn log_in_step(action: &Tree, config: &str, endpoint: &str) -> Step {
    let config = action.get(config).cloned().unwrap_or_default();
    if config.text_at("OnUnauthenticatedRequest") == Some("allow") {
        return Step::Pass;
    }
    Step::LogIn {
        cookie: format!("{}-0", config.text_at("SessionCookieName").unwrap_or("AWSELBAuthSessionCookie")),
        location: config.text_at(endpoint).unwrap_or_default().to_owned(),
    }
}

//! Drift: the values that a route may have, and what it has instead.
//!
//! A route has drifted if its value is neither the last verified one nor an open intent. One read is not enough,
//! because reads of a load balancer may be stale: the caller reads twice, a few seconds apart.

use crate::load_balancer::action::{Action, ActionKind, Forward, forward_of};
use crate::load_balancer::route::RouteId;
use crate::load_balancer::same_actions::equivalent;
use crate::names::TargetGroupArn;
use crate::plan::PlannedRoute;
use crate::routing::route_edit::{EditError, at_step};
use serde::{Deserialize, Serialize};

/// A route that someone else changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// The route.
    pub route: RouteId,
    /// The requests that it takes, for people; empty in what an earlier version has recorded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub requests: String,
    /// The expected actions, for people.
    pub expected: String,
    /// The actions that were found, for people.
    pub seen: String,
    /// Groups of the migration that someone else took out of the route.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_out: Vec<TargetGroupArn>,
    /// Who likely did so, as far as tags tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
}

impl std::fmt::Display for Drift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: expected {}, found {}", self.route.named(&self.requests), self.expected, self.seen)?;
        let taken_out: Vec<&str> = self.taken_out.iter().map(TargetGroupArn::name).collect();
        let parts = [
            (!taken_out.is_empty()).then(|| format!("someone else took {} out", taken_out.join(", "))),
            self.owner.as_ref().map(|owner| format!("it belongs to {owner}")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { Ok(()) } else { write!(f, " ({})", parts.join(", ")) }
    }
}

/// Every value that a route may have on the way up: the last verified step (the baseline before the attach), and the
/// step that has begun and is not yet verified.
///
/// # Errors
/// A step outside the plan; never for a plan that was accepted.
pub fn expected(
    route: &PlannedRoute,
    new: Option<&TargetGroupArn>,
    verified_step: Option<u32>,
    intended_step: Option<u32>,
) -> Result<Vec<Vec<Action>>, EditError> {
    let Some(new) = new else { return Ok(vec![route.baseline.clone()]) };
    let verified = match verified_step {
        Some(step) => at_step(route, new, step)?,
        None => route.baseline.clone(),
    };
    let mut values = vec![verified];
    if let Some(step) = intended_step {
        values.push(at_step(route, new, step)?);
    }
    Ok(values)
}

/// What is wrong with a live route, if anything. `live` is `None` if the route no longer exists.
pub fn drifted(route: &PlannedRoute, live: Option<&[Action]>, expected: &[Vec<Action>]) -> Option<Drift> {
    if live.is_some_and(|live| expected.iter().any(|value| equivalent(value, live))) {
        return None;
    }
    Some(Drift {
        route: route.id.clone(),
        requests: route.requests.clone(),
        expected: expected.iter().map(|value| describe(value)).collect::<Vec<_>>().join(", or "),
        seen: live.map_or_else(|| "no such route".to_owned(), describe),
        taken_out: live.map(|live| taken_out(route, live, expected)).unwrap_or_default(),
        owner: route.owner.clone(),
    })
}

/// The groups that the migration brought into a route, where the route has them no more.
fn taken_out(route: &PlannedRoute, live: &[Action], expected: &[Vec<Action>]) -> Vec<TargetGroupArn> {
    let has = |actions: &[Action], group: &TargetGroupArn| {
        forward_of(actions).is_some_and(|forward| forward.weight_of(group).is_some())
    };
    let mut brought: Vec<TargetGroupArn> = Vec::new();
    for forward in expected.iter().filter_map(|value| forward_of(value)) {
        for group in forward.groups.iter().map(|tuple| &tuple.group) {
            if !has(&route.baseline, group) && !has(live, group) && !brought.contains(group) {
                brought.push(group.clone());
            }
        }
    }
    brought
}

/// Actions in one line for people: `authenticate-oidc, then users-swarm 95 + users-1a2b3c4d 5`.
pub fn describe(actions: &[Action]) -> String {
    let mut sorted: Vec<&Action> = actions.iter().collect();
    sorted.sort_by_key(|action| action.order.unwrap_or(0));
    let words: Vec<String> = sorted.into_iter().map(describe_action).collect();
    if words.is_empty() { "no actions".to_owned() } else { words.join(", then ") }
}

fn describe_action(action: &Action) -> String {
    match &action.kind {
        ActionKind::Forward(forward) => describe_forward(forward),
        ActionKind::AuthenticateOidc(_) => "authenticate-oidc".to_owned(),
        ActionKind::AuthenticateCognito(_) => "authenticate-cognito".to_owned(),
        ActionKind::JwtValidation(_) => "jwt-validation".to_owned(),
        ActionKind::Redirect(_) => "redirect".to_owned(),
        ActionKind::FixedResponse(_) => "fixed-response".to_owned(),
        ActionKind::Unknown(kind) => format!("{kind} (unknown)"),
    }
}

fn describe_forward(forward: &Forward) -> String {
    let groups = match forward.groups.as_slice() {
        [alone] => alone.group.name().to_owned(),
        groups => groups
            .iter()
            .map(|tuple| format!("{} {}", tuple.group.name(), tuple.weight))
            .collect::<Vec<_>>()
            .join(" + "),
    };
    match forward.stickiness.filter(|stickiness| stickiness.enabled).map(|stickiness| stickiness.duration_seconds) {
        Some(Some(seconds)) => format!("{groups} (sticky for {seconds} s)"),
        Some(None) => format!("{groups} (sticky)"),
        None => groups,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::load_balancer::action::{GroupStickiness, WeightedGroup};
    use crate::names::LoadBalancerArn;
    use crate::routing::route_edit::step_weights;
    use crate::weight::Weight;

    const PREFIX: &str = "arn:aws:elasticloadbalancing:eu-west-1:1";

    pub(crate) fn group(name: &str) -> TargetGroupArn {
        TargetGroupArn::parse(format!("{PREFIX}:targetgroup/{name}/1")).unwrap()
    }

    pub(crate) fn forward(groups: &[(&str, u16)], stickiness: Option<GroupStickiness>) -> Vec<Action> {
        let groups =
            groups.iter().map(|(name, weight)| WeightedGroup { group: group(name), weight: *weight }).collect();
        vec![Action { order: None, kind: ActionKind::Forward(Forward { groups, stickiness }) }]
    }

    /// A route of steps 0, 5 and 100.
    pub(crate) fn route() -> PlannedRoute {
        let baseline = forward(&[("old", 1)], None);
        let steps = [0.0, 5.0, 100.0]
            .map(|percent| step_weights(&baseline, &group("old"), Weight::try_new(percent).unwrap()).unwrap());
        PlannedRoute {
            id: RouteId::parse(format!("{PREFIX}:listener-rule/app/public/1/2/3")).unwrap(),
            load_balancer: LoadBalancerArn::parse(format!("{PREFIX}:loadbalancer/app/public/1")).unwrap(),
            requests: String::new(),
            old: group("old"),
            baseline,
            attached_stickiness: None,
            steps: steps.to_vec(),
            owner: None,
        }
    }

    #[test]
    fn a_route_may_carry_the_verified_and_the_intended_value_and_nothing_else() {
        #[track_caller]
        fn check(live: &[(&str, u16)], verified: Option<u32>, intended: Option<u32>, seen: Option<&str>) {
            let (route, new) = (route(), group("new"));
            let values = expected(&route, Some(&new), verified, intended).unwrap();
            let found = drifted(&route, Some(&forward(live, None)), &values);
            assert_eq!(found.map(|drift| drift.seen).as_deref(), seen);
        }
        check(&[("old", 1)], None, None, None);
        check(&[("old", 1)], None, Some(0), None);
        check(&[("old", 999), ("new", 0)], None, Some(0), None);
        check(&[("new", 50), ("old", 950)], Some(1), None, None);
        check(&[("old", 0), ("new", 999)], Some(1), Some(2), None);
        check(&[("old", 0), ("new", 999)], Some(1), None, Some("old 0 + new 999"));
        // The baseline above weight 0: someone else took the traffic back.
        check(&[("old", 1)], Some(1), None, Some("old"));
        check(&[("old", 90), ("new", 10)], Some(1), Some(2), Some("old 90 + new 10"));
    }

    #[test]
    fn drift_says_what_was_expected_and_what_was_found() {
        let (route, new) = (route(), group("new"));
        let values = expected(&route, Some(&new), Some(1), Some(2)).unwrap();
        assert_eq!(
            drifted(&route, None, &values).unwrap().to_string(),
            "rule 3 of public: expected old 950 + new 50, or old 0 + new 999, found no such route"
        );
    }

    #[test]
    fn drift_names_our_group_where_it_was_taken_out_and_who_owns_the_route() {
        let (route, new) = (PlannedRoute { owner: Some("stack routing".to_owned()), ..route() }, group("new"));
        let values = expected(&route, Some(&new), Some(1), None).unwrap();
        let said = |live: &[(&str, u16)]| drifted(&route, Some(&forward(live, None)), &values).unwrap().to_string();
        assert_eq!(
            said(&[("other", 1)]),
            "rule 3 of public: expected old 950 + new 50, found other (someone else took new out, it belongs to stack \
             routing)"
        );
        assert!(said(&[("old", 1), ("new", 1)]).ends_with("found old 1 + new 1 (it belongs to stack routing)"));
    }

    #[test]
    fn before_the_new_group_exists_only_the_baseline_is_expected() {
        assert_eq!(expected(&route(), None, None, Some(0)).unwrap(), vec![route().baseline]);
    }

    #[test]
    fn actions_read_as_people_say_them() {
        let login = Action {
            order: Some(1),
            kind: ActionKind::AuthenticateOidc(crate::load_balancer::action::Settings::new()),
        };
        let mut actions =
            forward(&[("old", 95), ("new", 5)], Some(GroupStickiness { enabled: true, duration_seconds: Some(60) }));
        actions[0].order = Some(2);
        actions.push(login);
        assert_eq!(describe(&actions), "authenticate-oidc, then old 95 + new 5 (sticky for 60 s)");
        assert_eq!(describe(&[]), "no actions");
    }
}

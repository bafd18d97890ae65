//! What a route carries, judged by shares and not by the planner's arithmetic.

use crossfade_domain::load_balancer::action::{Action, ActionKind, Forward, forward_of};
use crossfade_domain::load_balancer::same_actions::equivalent;
use crossfade_domain::names::TargetGroupArn;
use std::collections::BTreeSet;

/// A tenth of a point: what invariant 4 allows.
const TOLERANCE: f64 = 0.001;

/// What a route's actions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulation) enum Carries {
    /// As before the migration, exactly.
    Baseline,
    /// The baseline's shares; stickiness or the scale of the weights may be that of a step.
    BaselineShares,
    /// A step: 0 is the attach.
    Step(u32),
    /// The weights of a step, but something else was changed too.
    ChangedBeyondWeights,
    /// Anything else.
    Other,
}

impl Carries {
    pub(in crate::simulation) fn is_step(self, step: u32) -> bool {
        self == Self::Step(step)
    }

    pub(in crate::simulation) fn keeps_the_rest(self) -> bool {
        self != Self::ChangedBeyondWeights
    }
}

/// Judges `live` against its route's baseline; `weights` are the steps in percent, the attach first.
pub(in crate::simulation) fn carries(
    baseline: &[Action],
    live: &[Action],
    ours: &BTreeSet<TargetGroupArn>,
    weights: &[f64],
) -> Carries {
    if equivalent(baseline, live) {
        return Carries::Baseline;
    }
    let (Some(before), Some(now)) = (forward_of(baseline), forward_of(live)) else { return Carries::Other };
    let new: Vec<_> = now.groups.iter().filter(|tuple| ours.contains(&tuple.group)).collect();
    let known = now.groups.iter().all(|tuple| before.weight_of(&tuple.group).is_some() || ours.contains(&tuple.group));
    if now.total() == 0 || new.len() > 1 || !known || now.groups.len() != before.groups.len() + new.len() {
        return Carries::Other;
    }
    let kept = rest_is_kept(baseline, live);
    let (lost, keep_share) = lost_shares(before, now);
    let new_share = new.first().map_or(0.0, |tuple| share(now, tuple.weight));
    if new.is_empty() {
        let equal = keep_share && lost.abs() < TOLERANCE;
        return if !equal {
            Carries::Other
        } else if kept {
            Carries::BaselineShares
        } else {
            Carries::ChangedBeyondWeights
        };
    }
    // What the old group had of the route's traffic: in each route one group is replaced.
    let whole = new_share + old_share(before, now);
    let step = weights.iter().zip(0..).find(|(percent, _)| {
        let wanted = whole * **percent / 100.0;
        let exact = **percent > 0.0 && **percent < 100.0;
        let tolerance = if exact { TOLERANCE } else { 1e-9 };
        (new_share - wanted).abs() <= tolerance
    });
    match step {
        Some(_) if !kept => Carries::ChangedBeyondWeights,
        Some((_, step)) if keep_share && (lost - new_share).abs() <= TOLERANCE => Carries::Step(step),
        _ => Carries::Other,
    }
}

fn share(forward: &Forward, weight: u16) -> f64 {
    f64::from(weight) / f64::from(forward.total())
}

/// What the one group that gave traffic lost of it, and whether all others kept their share.
fn lost_shares(before: &Forward, now: &Forward) -> (f64, bool) {
    let mut lost: Vec<f64> = before
        .groups
        .iter()
        .map(|tuple| share(before, tuple.weight) - now.weight_of(&tuple.group).map_or(0.0, |weight| share(now, weight)))
        .collect();
    lost.sort_by(f64::total_cmp);
    let most = lost.pop().unwrap_or(0.0);
    (most, lost.iter().all(|other| other.abs() <= TOLERANCE))
}

/// The share that the group which lost most still has. In the attach nobody lost: then the share is of no matter.
fn old_share(before: &Forward, now: &Forward) -> f64 {
    before
        .groups
        .iter()
        .max_by(|a, b| {
            let lost = |weight: u16, group| {
                share(before, weight) - now.weight_of(group).map_or(0.0, |weight| share(now, weight))
            };
            lost(a.weight, &a.group).total_cmp(&lost(b.weight, &b.group))
        })
        .and_then(|tuple| now.weight_of(&tuple.group))
        .map_or(0.0, |weight| share(now, weight))
}

/// Everything but weights: the other actions, their order, and stickiness, which may only be on in addition.
fn rest_is_kept(baseline: &[Action], live: &[Action]) -> bool {
    let rest = |actions: &[Action]| {
        let mut rest: Vec<Action> = actions.to_vec();
        for action in &mut rest {
            if matches!(action.kind, ActionKind::Forward(_)) {
                action.kind = ActionKind::Unknown("forward".to_owned());
            }
        }
        rest
    };
    let sticky = |actions: &[Action]| {
        forward_of(actions).and_then(|forward| forward.stickiness).filter(|stickiness| stickiness.enabled)
    };
    let stickiness = match (sticky(baseline), sticky(live)) {
        (Some(before), now) => now == Some(before),
        (None, _) => true,
    };
    rest(baseline) == rest(live) && stickiness
}

/// The share of a route's traffic that goes to our groups.
pub(in crate::simulation) fn new_share(live: &[Action], ours: &BTreeSet<TargetGroupArn>) -> f64 {
    let Some(forward) = forward_of(live).filter(|forward| forward.total() > 0) else { return 0.0 };
    forward.groups.iter().filter(|tuple| ours.contains(&tuple.group)).map(|tuple| share(forward, tuple.weight)).sum()
}

/// An edit of somebody else without our groups: their weight goes to whom it was taken from, so only the shares of the
/// rest matter here. None where our group is not in it.
pub(in crate::simulation) fn taken_out(edit: &[Action], ours: &BTreeSet<TargetGroupArn>) -> Option<Vec<Action>> {
    let forward = forward_of(edit)?;
    let new = forward.groups.iter().find(|tuple| ours.contains(&tuple.group))?;
    let at = forward.groups.iter().position(|tuple| tuple.group == new.group)?;
    let mut left = forward.clone();
    let returned = left.groups.remove(at).weight;
    // Our group stands right after the old one wherever we attached it.
    let old = left.groups.get_mut(at.checked_sub(1)?)?;
    old.weight += returned;
    if left.groups.len() == 1 && left.stickiness.is_some_and(|stickiness| stickiness.enabled) {
        left.stickiness = None;
    }
    let mut actions = edit.to_vec();
    for action in &mut actions {
        if matches!(action.kind, ActionKind::Forward(_)) {
            action.kind = ActionKind::Forward(left.clone());
        }
    }
    Some(actions)
}

/// Whether two forwards split alike over the same groups.
pub(in crate::simulation) fn alike(one: &[Action], other: &[Action]) -> bool {
    let (Some(one), Some(other)) = (forward_of(one), forward_of(other)) else { return equivalent(one, other) };
    one.groups.len() == other.groups.len()
        && one.groups.iter().all(|tuple| {
            let there = other.weight_of(&tuple.group).map(|weight| share(other, weight));
            there.is_some_and(|there| (there - share(one, tuple.weight)).abs() < 2.0 * TOLERANCE)
        })
}

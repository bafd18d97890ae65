//! The Mann-Whitney classifier as Kayenta's `NetflixACAJudge` uses it, at its defaults: confidence 0.98, tolerance
//! 0.25.

use crate::judges::DELAY_MINUTES;
use crate::traces::Trace;
use crossfade_domain::judge::Minute;

/// The quantile of a two-sided confidence of 0.98.
const QUANTILE: f64 = 2.326_347_9;

/// How much of the estimated shift is tolerated.
const TOLERANCE: f64 = 0.25;

/// Whether a metric is too high, at the end of a step: that is when this judge looks. It sees all but the step's newest
/// minutes.
pub(crate) fn fails(trace: &Trace, seen: usize) -> bool {
    let end = seen + DELAY_MINUTES;
    let step = trace.step[end - 1];
    if trace.step.get(end) == Some(&step) {
        return false;
    }
    let start = trace.step.iter().position(|&other| other == step).expect("the step of a minute has a first minute");
    [trace.errors(), trace.slow()].iter().any(|minutes| start < seen && is_high(&minutes[start..seen]))
}

/// Compares the shares of bad requests, one value a minute, however many requests are behind it.
#[expect(clippy::cast_precision_loss, reason = "counts of requests")]
fn is_high(minutes: &[Minute]) -> bool {
    let share = |bad: u64, requests: u64| (requests > 0).then(|| bad as f64 / requests as f64);
    let new: Vec<f64> = minutes.iter().filter_map(|minute| share(minute.new_bad, minute.new)).collect();
    let old: Vec<f64> = minutes.iter().filter_map(|minute| share(minute.old_bad, minute.old)).collect();
    if new.is_empty() || old.is_empty() || new == old {
        return false;
    }
    let mut differences: Vec<f64> = new.iter().flat_map(|new| old.iter().map(move |old| new - old)).collect();
    differences.sort_by(f64::total_cmp);
    let middle = differences.len() / 2;
    let estimate = if differences.len().is_multiple_of(2) {
        f64::midpoint(differences[middle - 1], differences[middle])
    } else {
        differences[middle]
    };
    lower_bound(&differences, new.len() as f64, old.len() as f64) > TOLERANCE * estimate.abs()
}

/// The lower end of the confidence interval of the shift, from the normal approximation with continuity correction: the
/// shift at which the rank sum stops being significant.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the number of differences")]
fn lower_bound(differences: &[f64], new: f64, old: f64) -> f64 {
    let deviation = (new * old * (new + old + 1.0) / 12.0).sqrt();
    let below = new * old / 2.0 - 0.5 - QUANTILE * deviation;
    differences[below.floor().max(0.0) as usize]
}

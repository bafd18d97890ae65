//! The judges that are compared. All of them see a minute two minutes after it has ended, as CloudWatch shows it.

use crate::kayenta;
use crate::traces::{Metric, Pair, Trace};
use crossfade_domain::judge::{
    Before, MetricKind, MetricSeries, Minute, PairSeries, Parameters, Series, Verdict, dispersion,
    judge as judge_series,
};

/// Minutes after its end from which a minute can be used.
pub(crate) const DELAY_MINUTES: usize = 2;

#[derive(Debug, Clone, Copy)]
pub(crate) enum Judge {
    /// Less than 99 % of the new cluster's requests succeed, or there are none: ten such minutes.
    Flagger,
    /// More than 1 % of the new cluster's requests fail in three of five minutes.
    Alarm,
    /// The Mann-Whitney test at the end of each step.
    Kayenta,
    /// A two-proportion z-test at one-sided 1 %, each minute, over the step so far.
    ZTest,
    /// This project's.
    Crossfade,
}

impl Judge {
    pub(crate) const ALL: [Self; 5] = [Self::Flagger, Self::Alarm, Self::Kayenta, Self::ZTest, Self::Crossfade];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Flagger => "fixed 99 % (Flagger)",
            Self::Alarm => "5xx alarm 3 of 5",
            Self::Kayenta => "Mann-Whitney (Kayenta)",
            Self::ZTest => "z-test each minute",
            Self::Crossfade => "**Crossfade**",
        }
    }

    /// How many minutes it had seen when it rolled back, `None` if it never did.
    pub(crate) fn decides(self, trace: &Trace) -> Option<usize> {
        // What is seen only after the migration's end stops nothing.
        let last = trace.minutes() - DELAY_MINUTES;
        match self {
            Self::Crossfade => crossfade(trace, last),
            Self::Flagger => flagger(trace, last),
            Self::Alarm => (1..=last).find(|&seen| alarm(trace, seen)),
            Self::Kayenta => (1..=last).find(|&seen| kayenta::fails(trace, seen)),
            Self::ZTest => (1..=last).find(|&seen| z_test(trace, seen)),
        }
    }
}

fn crossfade(trace: &Trace, last: usize) -> Option<usize> {
    let horizon = u32::try_from(trace.minutes()).expect("a migration takes a few hours");
    let mut parameters = Parameters::new(horizon);
    if trace.warmed {
        parameters.warm_up.warmed = parameters.warm_up.requests;
    }
    let kinds = MetricKind::ALL;
    let mut series = Series { metrics: kinds.map(|kind| (kind, empty(trace, kind))).into() };
    (1..=last).find(|&seen| {
        for (&kind, metric) in &mut series.metrics {
            for (pair, of) in metric.pairs.iter_mut().zip(&trace.pairs) {
                let mut minute = metric_of(of, kind).minutes[seen - 1];
                if kind == MetricKind::Errors {
                    minute.new_bad += of.unanswered[seen - 1];
                }
                pair.minutes.push(minute);
                pair.targets.push(trace.targets[seen - 1]);
                pair.new_bad_by_old.extend(metric_of(of, kind).new_bad_by_old.get(seen - 1));
            }
        }
        judge_series(&series, &parameters).verdict == Verdict::Fail
    })
}

fn metric_of(pair: &Pair, kind: MetricKind) -> &Metric {
    match kind {
        MetricKind::Errors => &pair.errors,
        MetricKind::Slow => &pair.slow,
        MetricKind::ClientErrors => &pair.refused,
        MetricKind::VerySlow => &pair.very_slow,
    }
}

fn empty(trace: &Trace, kind: MetricKind) -> MetricSeries {
    let before = |history: &[(u64, u64)]| {
        let (bad, all) = history.iter().fold((0, 0), |sum, minute| (sum.0 + minute.0, sum.1 + minute.1));
        #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
        let old_share = (all > 0).then(|| bad as f64 / all as f64);
        Before { dispersion: dispersion(history), old_share }
    };
    let histories: Vec<&[(u64, u64)]> =
        trace.pairs.iter().map(|pair| metric_of(pair, kind).history.as_slice()).collect();
    let mut all = histories[0].to_vec();
    for history in &histories[1..] {
        for (sum, minute) in all.iter_mut().zip(*history) {
            *sum = (sum.0 + minute.0, sum.1 + minute.1);
        }
    }
    let pair = |history: &&[(u64, u64)]| PairSeries { before: before(history), ..PairSeries::default() };
    MetricSeries { before: before(&all), pairs: histories.iter().map(pair).collect() }
}

fn flagger(trace: &Trace, last: usize) -> Option<usize> {
    let errors = trace.errors();
    let mut failed_checks = 0;
    (1..=last).find(|&seen| {
        let Minute { new_bad, new, .. } = errors[seen - 1];
        if new == 0 || new_bad * 100 > new {
            failed_checks += 1;
        }
        failed_checks >= 10
    })
}

fn alarm(trace: &Trace, seen: usize) -> bool {
    let breaching = |minute: &&Minute| minute.new_bad * 100 > minute.new;
    trace.errors()[seen.saturating_sub(5)..seen].iter().filter(breaching).count() >= 3
}

fn z_test(trace: &Trace, seen: usize) -> bool {
    let step = trace.step[seen - 1];
    let start = trace.step.iter().position(|&other| other == step).expect("the step of a minute has a first minute");
    [trace.errors(), trace.slow()].iter().any(|minutes| {
        #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
        let [new_bad, new, old_bad, old] = minutes[start..seen].iter().fold([0.0; 4], |sums, minute| {
            let Minute { new_bad, new, old_bad, old, .. } = *minute;
            [sums[0] + new_bad as f64, sums[1] + new as f64, sums[2] + old_bad as f64, sums[3] + old as f64]
        });
        if new <= 0.0 || old <= 0.0 {
            return false;
        }
        let pooled = (new_bad + old_bad) / (new + old);
        let deviation = (pooled * (1.0 - pooled) * (1.0 / new + 1.0 / old)).sqrt();
        deviation > 0.0 && (new_bad / new - old_bad / old) / deviation > 2.326_347_9
    })
}

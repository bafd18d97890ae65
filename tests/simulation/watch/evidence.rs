//! What the gates knew when they answered, beside what they made of it.

use super::outside;
use super::{ALARMS, FIRINGS, METRICS, Watch};
use crossfade_domain::load_balancer::metric_query::{DataPoints, MetricQuery};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How long the counts of a minute may still change after its end.
const UNSETTLED: SignedDuration = SignedDuration::from_mins(2);

impl Watch {
    /// What the judge is about to weigh, and until when.
    pub(in crate::simulation) fn metrics_read(
        &mut self,
        invocation: u64,
        queries: &[MetricQuery],
        points: &[DataPoints],
        (until, now): (Timestamp, Timestamp),
    ) {
        let settled = until + UNSETTLED <= now;
        self.expect(10, settled, || format!("minutes until {until} were to be judged at {now}"));
        let (mut old, mut new) = (BTreeSet::new(), BTreeSet::new());
        for (query, points) in queries.iter().zip(points).filter(|(query, _)| query.metric == "RequestCount") {
            let is_ours = query.group.as_ref().is_some_and(|group| self.groups.contains(group));
            let minutes = if is_ours { &mut new } else { &mut old };
            minutes.extend(points.iter().filter(|(_, requests)| *requests > 0.0).map(|(start, _)| *start));
        }
        self.compared.insert(invocation, old.intersection(&new).count());
    }

    /// An answer of `check-alarms`.
    pub(in crate::simulation) fn judged(&mut self, invocation: u64, verdict: &str, reason: &str) {
        if let Some(minutes) = self.compared.get(&invocation).copied() {
            let fine = reason.contains("judge: no worse than tolerated");
            self.expect(10, !fine || minutes >= 3, || {
                format!("{minutes} minutes with requests at both sides were taken for a proof: {reason}")
            });
            let goes_on = matches!(verdict, "advance" | "finish" | "bake");
            self.expect(10, !goes_on || reason.contains("judge: "), || {
                format!("{verdict}, and not a word about what the comparison shows: {reason}")
            });
        }
        outside::judged(self, verdict);
        let unread = [ALARMS, FIRINGS].iter().any(|verb| self.unread.contains(&(invocation, verb)));
        let quiet = matches!(verdict, "advance" | "finish" | "bake");
        let said = self.setup.alarms_observe() && reason.contains("alarms: would have held: could not be read");
        self.expect(9, said || !(unread && quiet), || {
            format!("alarms that could not be read were taken for quiet: {verdict}")
        });
        let unread = self.unread.contains(&(invocation, METRICS));
        let goes_on = matches!(verdict, "advance" | "finish");
        self.expect(9, !(unread && goes_on), || {
            format!("metrics that could not be read were taken for quiet: {verdict}")
        });
    }
}

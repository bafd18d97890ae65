//! Counts how a judge did.

use crate::judges::DELAY_MINUTES;
use crate::traces::Trace;

/// How one judge did over some migrations.
#[derive(Debug, Clone, Default)]
pub(crate) struct Score {
    runs: u64,
    rolled_back: u64,
    /// Minutes from the fault to the decision, of each run that detected it.
    minutes: Vec<usize>,
    /// Requests harmed before the decision, and if nobody had stopped it. Runs rolled back before the fault are left
    /// out: they harmed nobody, for no merit.
    harmed: Vec<(u64, u64)>,
}

impl Score {
    /// Counts one run; `seen` is how many minutes the judge had seen when it rolled back.
    pub(crate) fn count(&mut self, trace: &Trace, seen: Option<usize>) {
        self.runs += 1;
        self.rolled_back += u64::from(seen.is_some());
        let Some(onset) = trace.onset else { return };
        if seen.is_some_and(|seen| seen <= onset) {
            return;
        }
        let end = seen.map_or(trace.minutes(), |seen| seen + DELAY_MINUTES);
        self.harmed.push((trace.harmed[..end].iter().sum(), trace.harmed.iter().sum()));
        if seen.is_some() {
            self.minutes.push(end - onset);
        }
    }

    pub(crate) fn merged(scores: &[Self]) -> Self {
        scores.iter().fold(Self::default(), |mut all, score| {
            all.runs += score.runs;
            all.rolled_back += score.rolled_back;
            all.minutes.extend(&score.minutes);
            all.harmed.extend(&score.harmed);
            all
        })
    }

    pub(crate) fn rolled_back_percent(&self) -> f64 {
        percent(self.rolled_back, self.runs)
    }

    /// Runs rolled back once the fault was seen; a rollback before it detects nothing.
    pub(crate) fn detected_percent(&self) -> f64 {
        percent(self.minutes.len() as u64, self.runs)
    }

    pub(crate) fn median_minutes(&self) -> String {
        let mut minutes = self.minutes.clone();
        minutes.sort_unstable();
        minutes.get(minutes.len() / 2).map_or_else(|| "-".to_owned(), usize::to_string)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub(crate) fn mean_harmed(&self) -> f64 {
        mean(&self.harmed.iter().map(|run| run.0 as f64).collect::<Vec<_>>())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of requests")]
    pub(crate) fn mean_unstopped(&self) -> f64 {
        mean(&self.harmed.iter().map(|run| run.1 as f64).collect::<Vec<_>>())
    }

    /// The mean over runs, not over requests: a tiny service counts as much as a huge one.
    pub(crate) fn mean_harm_percent(&self) -> f64 {
        let shares = self.harmed.iter().filter(|run| run.1 > 0).map(|run| percent(run.0, run.1));
        mean(&shares.collect::<Vec<_>>())
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs and requests")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "counts of runs")]
pub(crate) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

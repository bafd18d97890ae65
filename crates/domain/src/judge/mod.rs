//! The judge decides, minute by minute, whether the new cluster is worse than the old one.
//!
//! Evidence is a wager. Each minute, a gambler who believes that the new cluster is worse than `ratio * old + margin`
//! stakes what he has on the requests of that minute; if he is wrong, his expected fortune never grows. So a fortune of
//! 1,000 has a chance of at most 1 in 1,000 for a healthy cluster, **however often anyone looks** (Ville's inequality).
//! A failure of both clusters at once moves both counts and pays the gambler nothing.
//!
//! - [`one_minute`]: what a bet on one minute pays, the only formula of the judge.
//! - [`harm`]: the evidence that the new cluster is worse, over the whole migration; it rolls back.
//! - [`pass`]: the evidence that it is fine, over the current step; it may end a bake early.
//! - `warm_up`: which minutes are left out because the new targets were cold.
//! - [`mod@dispersion`]: how many bad requests count as one, from the hour before the migration.
//! - [`starved`]: whether the new cluster gets its share of the traffic.
//! - [`more_often`]: whether something happens more often than before.
//! - [`verdict`]: all metrics together; [`judgement`] is what it says.
//!
//! **Invariant:** the judge keeps nothing between two checks. It reads the whole series each time, so a count that
//! CloudWatch corrects late corrects the evidence too. The workflow latches a FAIL.
//!
//! Counts are whole requests in one minute, shares are fractions (0.001 is 0.1 %), evidence is a natural logarithm.

pub mod dispersion;
pub mod harm;
pub mod judgement;
mod ln_sum;
pub mod more_often;
pub mod one_minute;
pub mod parameters;
pub mod pass;
mod sentence;
pub mod series;
pub mod starved;
pub mod verdict;
mod warm_up;

#[cfg(test)]
mod tests;

pub use dispersion::dispersion;
pub use judgement::{Evidence, Inconclusive, Judgement, Verdict};
pub use more_often::ln_more_often;
pub use parameters::{MetricKind, Parameters, Tolerance, WarmUp};
pub use series::{Before, MetricSeries, Minute, PairSeries, Series};
pub use starved::{is_starved, ln_starved};
pub use verdict::judge;

//! Reads the load balancers' metrics and makes the judge's series from them.
//!
//! - [`window`]: which minutes are read.
//! - [`counts`]: the queries about each pair of groups, and the counts in the answers.
//! - [`hour_before`]: the old groups in the hour before; measured once, when the plan is made.
//! - [`response_times`]: the latency above which a response is slow; read once, when the plan is made.
//! - [`requests`]: the same counts for people, as a journal and a report have them.
//! - [`routing`]: which group the requests reached, by the counts.
//! - [`mod@series`]: the judge's series.

pub mod counts;
pub mod hour_before;
pub mod requests;
pub mod response_times;
pub mod routing;
pub mod series;
pub mod window;

pub use counts::{ComparedPair, GroupCounts, GroupPair, PairMinute, PairRead, queries, read};
pub use hour_before::{HourBefore, before_by_metric};
pub use response_times::{ResponseTimes, SlowAbove, last_whole_hour};
pub use routing::objections;
pub use series::{BeforeByMetric, series};
pub use window::Window;

use crate::judge::{Parameters, WarmUp};
use crate::plan::Plan;
use jiff::Timestamp;

const MINUTE_SECONDS: i64 = 60;
const HOUR_SECONDS: i64 = 60 * MINUTE_SECONDS;
/// The period of what load balancers publish, as queries give it.
const MINUTE_PERIOD: u16 = 60;
/// The longest period that is asked for.
const HOUR_PERIOD: u16 = 3600;

/// Planned minutes of a whole migration.
fn horizon_minutes(plan: &Plan) -> u32 {
    let seconds: u64 = plan.policy.schedule.steps.iter().map(|step| u64::from(step.bake_seconds)).sum();
    u32::try_from(seconds.div_ceil(60)).unwrap_or(u32::MAX).max(1)
}

/// What the judge knows about a migration, in which something else has sent `warmed` requests to each new target before
/// the first shift.
pub fn parameters(plan: &Plan, warmed: u64) -> Parameters {
    let parameters = Parameters::tolerating(horizon_minutes(plan), &plan.policy.tolerated);
    Parameters { warm_up: WarmUp { warmed, ..parameters.warm_up }, ..parameters }
}

/// The beginning of a time's minute.
fn minute_of(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(MINUTE_SECONDS)).unwrap_or(time)
}

fn plus(time: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_second(time.as_second() + seconds).unwrap_or(time)
}

#[cfg(test)]
mod tests;

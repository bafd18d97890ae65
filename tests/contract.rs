//! One suite for both worlds: what a port promises holds for `crates/aws` talking to the served world, and for the
//! world's own ports, which most tests use because they are fast. Where the two differed, those tests would prove
//! nothing.

mod alarm_tags;
mod alarms;
mod auto_scaling;
mod calendars;
mod connections;
mod executions;
mod fleets;
mod free_routes;
mod heads;
mod ledger;
mod load_balancers;
mod metrics;
mod retaken;
mod revisions;
mod rules;
pub(crate) mod samples;
pub(crate) mod sides;

pub(crate) use alarms::guard;
pub(crate) use ledger::retirements::first as first_retirement;
pub(crate) use load_balancers::new_group;

/// Makes two tests of every case: one against the served world, one against the direct one.
macro_rules! on_both_sides {
    ($($case:ident),* $(,)?) => {
        mod served {
            $(#[tokio::test]
            async fn $case() {
                super::$case($crate::contract::sides::Side::Served).await;
            })*
        }
        mod direct {
            $(#[tokio::test]
            async fn $case() {
                super::$case($crate::contract::sides::Side::Direct).await;
            })*
        }
    };
}
pub(crate) use on_both_sides;

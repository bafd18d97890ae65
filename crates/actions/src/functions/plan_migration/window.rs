//! A start that waits for a window of its policy, or for none.

use super::after;
use crate::error::ActionError;
use crate::migration::Migration;
use crate::operator::commands::{Command, obey};
use crate::ports::Ports;
use crate::reads::calendars::calendars;
use crossfade_domain::gates::window::{closed_to_a_start, start_wait_seconds};
use crossfade_domain::journal::cursor::{Cursor, NextStep};
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::policy::service_policy::ServicePolicy;

/// The answer of a start that has to wait for a window. It holds no lock and has written nothing. Nothing is planned
/// yet: what a plan would find may be different by then.
pub(super) async fn waits(ports: &Ports, request: &PlanRequest, policy: &ServicePolicy) -> Option<Cursor> {
    if request.dry_run || request.now {
        return None;
    }
    let calendars = calendars(ports, &policy.windows).await;
    let now = ports.clock.now();
    let closed = closed_to_a_start(policy, &calendars, now)?;
    let service = &request.service;
    let reason = format!(
        "window: {}; {service} is planned then. \"crossfade plan {service}\" shows the plan now, \"crossfade start \
         {service} --now --reason TEXT\" does not wait",
        closed.why
    );
    let wait = start_wait_seconds(now, closed.until);
    Some(Cursor::without_migration(service.clone(), NextStep::Closed, reason).waiting(wait))
}

/// Records that the windows do not count for a migration, where the request says so.
pub(super) async fn override_them(
    ports: &Ports,
    migration: &mut Migration,
    request: &PlanRequest,
) -> Result<(), ActionError> {
    if !request.now {
        return Ok(());
    }
    let who = after::who_and_why(request, &migration.head.execution);
    obey(ports, migration, Command::IgnoreWindows, &who).await
}

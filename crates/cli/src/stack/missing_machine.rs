//! What to say where a stack lacks a state machine that this version of the command needs.

use crate::ending::failure::Failure;
use crate::stack::session::Session;
use crossfade_actions::ports::PortError;

/// Returns the failure of a start. A stack that an earlier version deployed has the machines of that version.
pub async fn not_started(session: &Session, machine: &str, name: &str, error: &PortError) -> Failure {
    let is_missing = matches!(error, PortError::NotFound { .. });
    if is_missing && session.machines.look_at(&session.machine("migrate-service")).await.is_ok() {
        return Failure::bad_input(too_old(session, machine));
    }
    session.port_failed(&format!("starting {name}"), error)
}

/// What to do with a stack that an earlier version deployed.
pub fn too_old(session: &Session, machine: &str) -> String {
    let place = &session.place;
    format!(
        "stack {stack} in {} has no state machine {stack}-{machine}: it was deployed by an earlier version\n  deploy \
         this version over it, which moves no traffic: python3 infra/tools/deploy.py deploy --stack {stack}",
        place.region,
        stack = place.stack
    )
}

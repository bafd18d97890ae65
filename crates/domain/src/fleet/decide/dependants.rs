//! Services that come after others wait for them, or are blocked.

use super::Look;
use crate::fleet::service_run::{ServiceRun, ServiceState};
use crate::fleet::turns::after;
use crate::names::ServiceName;

impl Look<'_> {
    /// Those that come after a service that will not migrate by itself are blocked, and theirs too.
    pub(super) fn block(&mut self) {
        loop {
            let before = self.events.len();
            for name in self.names() {
                self.block_or_unblock(&name);
            }
            if self.events.len() == before {
                return;
            }
        }
    }

    fn block_or_unblock(&mut self, name: &ServiceName) {
        let by = after(self.policy, name).iter().find_map(|before| self.blocks(name, before));
        match (self.fleet.state_of(name), by) {
            (ServiceState::Waiting, Some(reason)) => self.turn(name, ServiceState::Blocked, reason),
            (ServiceState::Blocked, None) => {
                let waiting = ServiceRun { size: None, ..self.fleet.service(name) };
                let released = after(self.policy, name).iter().any(|before| self.fleet.releases_dependants_of(before));
                let reason = if released {
                    "it was released from what it comes after"
                } else {
                    "what it comes after is on its way"
                };
                self.set(name, waiting.turned(ServiceState::Waiting, self.now, reason));
            }
            _ => {}
        }
    }

    /// Why a service that comes after `before` is blocked, if it is. The waves are those of the beginning, and the
    /// policy may have changed since.
    fn blocks(&self, name: &ServiceName, before: &ServiceName) -> Option<String> {
        let state = self.fleet.state_of(before);
        match self.fleet.wave_of(before) {
            None => Some(format!("it comes after {before}, which is no service of this run")),
            Some(_) if self.fleet.releases_dependants_of(before) => None,
            // True for as long as it is blocked, whatever becomes of the other meanwhile.
            Some(_) if state.has_migrated() && state.blocks_dependants() => {
                Some(format!("it comes after {before}, whose alarm fired after it had migrated"))
            }
            Some(_) if state == ServiceState::Skipped => Some(format!("it comes after {before}, which is skipped")),
            Some(_) if state.blocks_dependants() => Some(format!("it comes after {before}, which has not migrated")),
            Some(place) if Some(place) > self.fleet.wave_of(name) && place > self.fleet.wave => {
                Some(format!("it comes after {before}, which is of a later wave"))
            }
            Some(_) => None,
        }
    }
}

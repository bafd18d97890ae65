//! Ends a process together with everything that it started.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// The process group of a child. Dropping it before `has_ended` ends the whole group.
///
/// The terminal's Ctrl-C does not reach a separate group, and killing only Cargo would leave its compilers running.
pub(super) struct ProcessGroup {
    leader: Option<Pid>,
}

impl ProcessGroup {
    pub(super) fn of(child: &Child) -> Self {
        Self { leader: child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) }
    }

    /// Records that the leader has ended, after which its number may belong to another process.
    pub(super) fn has_ended(mut self) {
        self.leader = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // It may have ended just now; then there is nothing to signal.
            let _told = kill_process_group(leader, Signal::TERM);
        }
    }
}

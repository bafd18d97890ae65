//! A process and everything it started, ended together.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// The group that a child leads; dropped before `has_ended`, the whole group is told to end.
///
/// A group of its own does not hear the terminal's Ctrl-C, and killing Cargo alone would leave its compilers running.
pub(super) struct ProcessGroup {
    leader: Option<Pid>,
}

impl ProcessGroup {
    pub(super) fn of(child: &Child) -> Self {
        Self { leader: child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)) }
    }

    /// The leader was waited for: its number may belong to somebody else from now on.
    pub(super) fn has_ended(mut self) {
        self.leader = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            // It may have ended in this moment; then there is nothing to tell.
            let _told = kill_process_group(leader, Signal::TERM);
        }
    }
}

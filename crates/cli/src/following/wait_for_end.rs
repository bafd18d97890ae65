//! The arguments and the wait of the verbs that can wait for the end of a migration.

use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;
use crate::following::follow::{Follow, Reached, Until};
use crate::stack::arguments::duration;
use crate::view::console::Console;
use crate::view::ending;
use clap::Args;
use jiff::SignedDuration;

/// Whether to wait for the end of a migration, and how long.
#[derive(Debug, Args)]
pub struct WaitForEnd {
    /// Wait for the end of the migration.
    #[arg(long)]
    pub wait: bool,
    /// The longest wait, such as 90s, 30m or 2h; the migration continues after it.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "wait")]
    timeout: Option<SignedDuration>,
    /// Send the requests of the policy's probes from this machine, which must reach the load balancers.
    #[arg(long, requires = "wait")]
    pub probe_from_here: bool,
}

impl WaitForEnd {
    /// Follows the migration to its end, prints the end and returns its exit code.
    ///
    /// # Errors
    /// The wait timed out, no access, Ctrl-C.
    pub async fn run(&self, follow: Follow<'_>, console: &mut Console<'_>) -> Result<ExitCode, Failure> {
        let mut follow = follow.probing_from_here(self.probe_from_here);
        match follow.until(Until::End, self.timeout, console).await? {
            Reached::End(ending) => ending::print(&ending, console),
            Reached::There { code, .. } => Ok(code),
        }
    }
}

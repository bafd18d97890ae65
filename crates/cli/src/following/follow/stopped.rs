//! What a command says when it stops following before the end: the migration continues, and which command follows it.

use super::Follow;
use crate::ending::failure::Failure;
use crate::exit_code::ExitCode;

impl Follow<'_> {
    fn name(&self) -> String {
        self.migration.as_ref().map_or_else(|| self.service.to_string(), ToString::to_string)
    }

    fn continues(&self) -> String {
        let service = &self.service;
        if self.returning {
            return format!(
                "the rollback of {} continues without this command: `crossfade wait {service}` reports when every \
                 route is back",
                self.name()
            );
        }
        format!(
            "{} continues without this command: `crossfade watch {service}` follows it, `crossfade abort {service}` \
             rolls it back",
            self.name()
        )
    }

    pub(super) fn timed_out(&self) -> Failure {
        self.screen.leave();
        Failure::new(ExitCode::WaitTimedOut, format!("only the wait timed out; {}", self.continues()))
    }

    pub(super) fn interrupted(&self) -> Failure {
        self.screen.leave();
        Failure::new(ExitCode::Interrupted, format!("interrupted; {}", self.continues()))
    }

    pub(super) fn failed(&self, failure: Failure) -> Failure {
        self.screen.leave();
        if failure.code == ExitCode::NoAccess {
            Failure { message: format!("{}\n  {}", failure.message, self.continues()), ..failure }
        } else {
            failure
        }
    }
}

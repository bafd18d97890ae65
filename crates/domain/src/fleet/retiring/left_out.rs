//! Which services a run does not retire, and why.

use crate::fleet::service_run::ServiceState;
use crate::journal::{Head, Phase};
use crate::policy::retire::Until;
use crate::retirement::{Retirement, RetirementPhase};

/// Why a service is not to be retired, if so: by its own journal, by where it is in the run, and by the retirement that
/// it has had. `until` is how far a person wants it to go.
pub fn left_out(
    state: ServiceState,
    head: Option<&Head>,
    retirement: Option<&Retirement>,
    until: Option<Until>,
) -> Option<String> {
    let Some(head) = head.filter(|head| head.phase == Phase::Migrated) else {
        return Some(match head {
            Some(head) => format!("it has not migrated: {} is {}", head.migration, head.phase.in_words()),
            None => "it has not migrated".to_owned(),
        });
    };
    let service = &head.service;
    if state == ServiceState::Alarmed {
        return Some(format!(
            "its alarm fired after it had migrated; `crossfade retire {service}` retires it all the same"
        ));
    }
    let before = retirement.filter(|retirement| retirement.plan.migration == head.migration)?;
    let why = || before.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
    let goes_further = until.is_some_and(|until| until > before.plan.terms.until);
    match before.phase {
        RetirementPhase::Refused => None,
        RetirementPhase::Undone => {
            Some(format!("its old side was brought back{}; to retire it again: crossfade retire {service}", why()))
        }
        RetirementPhase::Halted => {
            Some(format!("its retirement has halted{}; when that is fixed: crossfade retire {service}", why()))
        }
        RetirementPhase::Deleted => Some("its old target groups are deleted already".to_owned()),
        phase if goes_further && phase.can_be_undone() => None,
        RetirementPhase::Deregistered => Some("its old side is retired already".to_owned()),
        phase => Some(format!("its retirement is under way: {}", phase.in_words())),
    }
}

/// Whether a service cannot be rolled back before its retirement is undone: its old side has left the routes, or is
/// about to, or could not be returned in full.
pub fn is_retired(head: &Head, retirement: Option<&Retirement>) -> bool {
    retirement.is_some_and(|retirement| {
        let untouched = [RetirementPhase::Proving, RetirementPhase::Undone, RetirementPhase::Refused];
        retirement.plan.migration == head.migration && !untouched.contains(&retirement.phase)
    })
}

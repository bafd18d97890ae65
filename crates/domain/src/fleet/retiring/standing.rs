//! Where the old side of a service that has migrated is.

use crate::fleet::service_run::RetirementAsk;
use crate::names::MigrationId;
use crate::retirement::{Approval, Retirement, RetirementPhase};
use jiff::{SignedDuration, Timestamp};

/// Where the old side of a service is that is to be retired, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OldSide {
    /// Its retirement was asked for and has not begun.
    Asked,
    /// The policy keeps it until then.
    Resting(Timestamp),
    /// It is being proven that no one uses it.
    Proving,
    /// It goes no further until a person approves this.
    ToApprove(Approval),
    /// It is leaving the routes.
    Detaching,
    /// No route names it.
    Detached,
    /// Its targets are being deregistered, or its groups deleted.
    Removing,
    /// It has no targets and is in no route.
    Retired,
    /// Its groups are gone.
    Deleted,
    /// It is on its way back.
    Undoing,
    /// It was brought back.
    Undone,
    /// Something of it could not be returned; a person decides.
    Halted,
    /// Its retirement was refused; nothing was changed.
    Refused,
}

/// Where the old side of a service is; none where nobody has asked for its retirement. A retirement of an earlier
/// `migration` says nothing about this one.
pub fn old_side(
    migration: Option<&MigrationId>,
    ask: Option<&RetirementAsk>,
    retirement: Option<&Retirement>,
    now: Timestamp,
) -> Option<OldSide> {
    let retirement = retirement.filter(|one| migration.is_none_or(|migration| one.plan.migration == *migration));
    match (retirement, ask) {
        (Some(one), _) if one.phase != RetirementPhase::Refused => Some(of(one, now)),
        (_, Some(ask)) if ask.is_open() => Some(OldSide::Asked),
        (_, Some(ask)) if ask.refused.is_some() => Some(OldSide::Refused),
        (one, _) => one.map(|one| of(one, now)),
    }
}

fn of(retirement: &Retirement, now: Timestamp) -> OldSide {
    let plan = &retirement.plan;
    let kept_until = plan.zero_since + SignedDuration::from_secs(i64::from(plan.terms.keep_old_seconds));
    if let Some(what) = retirement.to_approve {
        return OldSide::ToApprove(what);
    }
    match retirement.phase {
        RetirementPhase::Proving if now < kept_until => OldSide::Resting(kept_until),
        RetirementPhase::Proving => OldSide::Proving,
        RetirementPhase::Detaching => OldSide::Detaching,
        RetirementPhase::Watching => OldSide::Detached,
        RetirementPhase::Deregistering | RetirementPhase::Deleting => OldSide::Removing,
        RetirementPhase::Deregistered => OldSide::Retired,
        RetirementPhase::Deleted => OldSide::Deleted,
        RetirementPhase::Undoing => OldSide::Undoing,
        RetirementPhase::Undone => OldSide::Undone,
        RetirementPhase::Halted => OldSide::Halted,
        RetirementPhase::Refused => OldSide::Refused,
    }
}

impl OldSide {
    /// In words for people, after the number of services or a service's name.
    pub fn in_words(self) -> String {
        match self {
            Self::Asked => "waiting to retire".to_owned(),
            Self::Resting(until) => format!("resting until {}", until.strftime("%a %Y-%m-%d %H:%M UTC")),
            Self::Proving => "proving idle".to_owned(),
            Self::ToApprove(Approval::Delete) => "retired, waiting for approval of the deletion".to_owned(),
            Self::ToApprove(_) => "waiting for approval".to_owned(),
            Self::Detaching => "detaching".to_owned(),
            Self::Detached => "detached".to_owned(),
            Self::Removing => "deregistering".to_owned(),
            Self::Retired => "retired".to_owned(),
            Self::Deleted => "retired and deleted".to_owned(),
            Self::Undoing => "retirement going back".to_owned(),
            Self::Undone => "retirement undone".to_owned(),
            Self::Halted => "retirement halted".to_owned(),
            Self::Refused => "retirement refused".to_owned(),
        }
    }

    /// The word that programs read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Resting(_) => "resting",
            Self::Proving => "proving",
            Self::ToApprove(_) => "toApprove",
            Self::Detaching => "detaching",
            Self::Detached => "detached",
            Self::Removing => "removing",
            Self::Retired => "retired",
            Self::Deleted => "deleted",
            Self::Undoing => "undoing",
            Self::Undone => "undone",
            Self::Halted => "halted",
            Self::Refused => "refused",
        }
    }

    /// Whether nothing more happens to it until a person does something.
    pub fn needs_a_person(self) -> bool {
        matches!(self, Self::Halted | Self::Refused | Self::Undone | Self::ToApprove(_))
    }

    /// The command for the person who has to do something; none where there is nothing to do.
    pub fn way_on(self, service: &str) -> Option<String> {
        match self {
            Self::ToApprove(what) => {
                Some(format!("what it is: crossfade retire {service} --status; yes: {}", what.command(service)))
            }
            _ if self.needs_a_person() => {
                Some(format!("where one is: crossfade retire {service} --status; again: crossfade retire {service}"))
            }
            _ => None,
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Self::Asked => "waiting to retire",
            Self::Resting(_) => "resting",
            Self::Proving => "proving idle",
            Self::ToApprove(_) => "waiting for approval",
            Self::Detaching | Self::Detached | Self::Removing => "detached",
            Self::Retired | Self::Deleted => "retired",
            Self::Undoing | Self::Undone => "brought back",
            Self::Halted => "halted in retirement",
            Self::Refused => "refused to retire",
        }
    }
}

/// `10 retired · 2 detached · 3 resting`, the most advanced first; nothing where no one has asked for a retirement.
pub fn totals(sides: impl Iterator<Item = OldSide>) -> Option<String> {
    const KINDS: [&str; 9] = [
        "retired",
        "detached",
        "waiting for approval",
        "proving idle",
        "resting",
        "waiting to retire",
        "brought back",
        "refused to retire",
        "halted in retirement",
    ];
    let sides: Vec<OldSide> = sides.collect();
    let count = |kind: &&str| sides.iter().filter(|side| side.kind() == *kind).count();
    let parts: Vec<String> =
        KINDS.iter().filter(|kind| count(kind) > 0).map(|kind| format!("{} {kind}", count(kind))).collect();
    (!parts.is_empty()).then(|| parts.join(" \u{b7} "))
}

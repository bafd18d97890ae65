//! What an operator's hooks and outside gates do when they are called.

use crossfade_domain::policy::reader::{Place, Reader};

/// What a hook or an outside gate does each time it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookDoes {
    /// It succeeds at once; an outside gate lets the next step pass.
    Answer,
    /// An outside gate holds.
    Hold,
    /// An outside gate rolls back.
    RollBack,
    /// It fails with its own error.
    Fail,
    /// It runs until Lambda ends it.
    TimeOut,
    /// It sends so many requests to each new server, at the pace of `examples/hooks/warm-up`, and answers `warmed`.
    Warm(u32),
}

/// The most requests with which a hook warms each server: more need more calls than the state machine makes.
pub(super) const MOST_REQUESTS: u32 = 20_000;
/// The words of `does`.
pub(super) const DOES: [(&str, HookDoes); 5] = [
    ("ok", HookDoes::Answer),
    ("holds", HookDoes::Hold),
    ("rollsBack", HookDoes::RollBack),
    ("fails", HookDoes::Fail),
    ("slow", HookDoes::TimeOut),
];

/// `{ name: crossfade-hook-move, does: fails }` or `{ name: crossfade-hook-warm-up, warms: 2000 }`
pub(super) fn hook(reader: &mut Reader, place: &Place<'_>) -> Option<(String, HookDoes)> {
    let fields =
        reader.object(place, &["name", "does", "warms"], "a hook or an outside gate: its name, and what it does")?;
    let what = "a hook's name, crossfade-hook-<name>";
    let name = reader.required(&fields, "name", what).and_then(|place| reader.text(&place, what));
    let does = match (fields.get("does"), fields.get("warms")) {
        (Some(place), None) => reader.word(&place, &DOES),
        (None, Some(place)) => reader.whole(&place, 1, MOST_REQUESTS).map(HookDoes::Warm),
        _ => {
            let message = "expected exactly one of `does` (ok, holds, rollsBack, fails or slow) or `warms` (requests \
                           to each new server)";
            reader.note(&place.path, message);
            None
        }
    };
    Some((name?, does?))
}

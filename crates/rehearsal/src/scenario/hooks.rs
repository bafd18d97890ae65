//! What an operator's hooks do when they are called.

use crossfade_domain::policy::reader::{Place, Reader};

/// What a hook does each time it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookDoes {
    /// It succeeds at once.
    Answer,
    /// It fails with its own error.
    Fail,
    /// It runs until Lambda ends it.
    TimeOut,
}

/// The words of `does`.
pub(super) const DOES: [(&str, HookDoes); 3] =
    [("ok", HookDoes::Answer), ("fails", HookDoes::Fail), ("slow", HookDoes::TimeOut)];

/// `{ name: crossfade-hook-move, does: fails }`
pub(super) fn hook(reader: &mut Reader, place: &Place<'_>) -> Option<(String, HookDoes)> {
    let fields = reader.object(place, &["name", "does"], "a hook: its name, and what it does")?;
    let what = "a hook's name, crossfade-hook-<name>";
    let name = reader.required(&fields, "name", what).and_then(|place| reader.text(&place, what));
    let does = reader.required(&fields, "does", "ok, fails or slow").and_then(|place| reader.word(&place, &DOES));
    Some((name?, does?))
}

//! A block of lines that is drawn over itself.

use crate::view::look;
use indicatif::{ProgressBar, ProgressStyle};

/// Lines that every terminal has.
const LINES: usize = 23;

/// Where a look is shown.
pub enum Screen {
    /// Nowhere: the journal's new lines are told.
    None,
    /// Nowhere, and the journal's new lines are data.
    Stream,
    /// On the terminal, in place.
    Drawn(ProgressBar),
}

impl Screen {
    /// No screen.
    pub fn none() -> Self {
        Self::None
    }

    /// The terminal, which cuts long lines.
    pub fn drawn() -> Self {
        let style = ProgressStyle::with_template("{msg}").expect("the template is well formed");
        Self::Drawn(ProgressBar::new_spinner().with_style(style))
    }

    /// Whether there is nothing to draw on: standard error is redirected, or the terminal is a dumb one.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(self, Self::Drawn(bar) if bar.is_hidden())
    }

    /// Says a line above what is drawn; whether it could.
    pub(crate) fn says(&self, text: &str) -> bool {
        let Self::Drawn(bar) = self else { return false };
        bar.println(text);
        true
    }

    pub(crate) fn is_shown(&self) -> bool {
        matches!(self, Self::Drawn(_))
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream)
    }

    pub(crate) fn show(&self, text: &str) {
        if let Self::Drawn(bar) = self {
            bar.set_message(look::cut(text, LINES));
            bar.tick();
        }
    }

    /// A line before what is drawn, until the next look.
    pub(crate) fn note(&self, line: &str) {
        if let Self::Drawn(bar) = self {
            bar.set_message(format!("{line}\n{}", without_note(&bar.message())));
            bar.tick();
        }
    }

    /// Leaves the last look on the terminal.
    pub(crate) fn leave(&self) {
        if let Self::Drawn(bar) = self {
            bar.abandon();
        }
    }
}

fn without_note(shown: &str) -> &str {
    match shown.split_once('\n') {
        Some((first, rest)) if first.starts_with("no answer") => rest,
        _ => shown,
    }
}

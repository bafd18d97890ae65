//! A block of lines on the terminal that is redrawn in place.

use crate::view::reading;
use indicatif::{ProgressBar, ProgressStyle};

/// The number of lines to use if the terminal does not report its height.
const LINES: usize = 23;

/// Where to show a reading of a migration.
pub enum Screen {
    /// Nowhere: print the journal's new lines as messages.
    None,
    /// Nowhere: print the journal's new lines as data.
    Stream,
    /// On the terminal, redrawn in place.
    Drawn(ProgressBar),
}

impl Screen {
    /// Shows nothing.
    pub fn none() -> Self {
        Self::None
    }

    /// Draws on the terminal, which cuts long lines.
    pub fn drawn() -> Self {
        let style = ProgressStyle::with_template("{msg}").expect("the template is well formed");
        Self::Drawn(ProgressBar::new_spinner().with_style(style))
    }

    /// Returns whether there is no screen: standard error is redirected, or the terminal cannot redraw.
    pub(crate) fn is_hidden(&self) -> bool {
        matches!(self, Self::Drawn(bar) if bar.is_hidden())
    }

    /// Prints a line above the screen; returns whether a screen is active.
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

    /// Shows a text; `whole` is the command that prints all of it.
    pub(crate) fn show(&self, text: &str, whole: &str) {
        if let Self::Drawn(bar) = self {
            bar.set_message(reading::cut(text, LINES, whole));
            bar.tick();
        }
    }

    /// Shows a note above the screen until the next reading.
    pub(crate) fn note(&self, line: &str) {
        if let Self::Drawn(bar) = self {
            bar.set_message(format!("{line}\n{}", without_note(&bar.message())));
            bar.tick();
        }
    }

    /// Leaves the last reading on the terminal.
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

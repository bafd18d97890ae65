//! A block of lines that is drawn over itself.

use indicatif::{ProgressBar, ProgressStyle};

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

    pub(crate) fn is_shown(&self) -> bool {
        matches!(self, Self::Drawn(_))
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Self::Stream)
    }

    pub(crate) fn show(&self, text: &str) {
        if let Self::Drawn(bar) = self {
            bar.set_message(text.to_owned());
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

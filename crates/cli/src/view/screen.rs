//! A block of lines on the terminal that is redrawn in place.

use indicatif::{ProgressBar, ProgressStyle};
use terminal_size::terminal_size_of;

/// The number of lines to use if the terminal does not report its height.
const LINES: usize = 23;

/// How many lines of the terminal a block may have.
pub(crate) fn lines() -> usize {
    // The last line is the cursor's.
    let of_terminal = terminal_size_of(std::io::stderr()).map(|(_, lines)| usize::from(lines.0).saturating_sub(1));
    of_terminal.filter(|lines| *lines > 1).unwrap_or(LINES)
}

/// How many columns a line of a block may have.
pub(crate) fn columns() -> usize {
    terminal_size_of(std::io::stderr()).map_or(80, |(columns, _)| usize::from(columns.0)).max(1)
}

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

    /// Shows a text; `whole` is the command that prints all of it, if there is one.
    pub(crate) fn show(&self, text: &str, whole: Option<&str>) {
        if let Self::Drawn(bar) = self {
            bar.set_message(cut(text, lines(), whole));
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

/// Cuts the text to this many lines, and says how many are left out and which command shows them. What matters least
/// comes last.
fn cut(text: &str, height: usize, whole: Option<&str>) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= height || height < 2 {
        return text.to_owned();
    }
    let left = lines.len() - (height - 1);
    let shown = lines[..height - 1].join("\n");
    let whole = whole.map_or_else(String::new, |command| format!("; `{command}` shows all"));
    format!("{shown}\n  and {left} more{whole}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_high_says_how_much_is_left_out_and_where_it_is() {
        assert_eq!(cut("a\nb\nc", 3, Some("x")), "a\nb\nc");
        assert_eq!(cut("a\nb\nc\nd", 3, Some("crossfade status")), "a\nb\n  and 2 more; `crossfade status` shows all");
        assert_eq!(cut("a\nb\nc\nd", 2, None), "a\n  and 3 more");
    }
}

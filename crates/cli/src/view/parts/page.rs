//! A page: how wide it is, and whether it has colours. A colour repeats what a word says, so a page without colours
//! says the same.

use anstyle::{AnsiColor, Style};

/// Where text is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// How many columns a line may have.
    pub columns: usize,
    /// Whether to show colours.
    pub colours: bool,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Nothing.
    Plain,
    /// The title of a part.
    Heading,
    /// Someone must decide now.
    Alert,
    /// It waits for someone, or did not go as wished.
    Attention,
    /// It moves.
    Moving,
    /// It is done.
    Good,
    /// It is of little interest now.
    Quiet,
}

impl Page {
    /// A page without colours.
    pub fn plain(columns: usize) -> Self {
        Self { columns, colours: false }
    }

    /// Gives a text the colour of its meaning.
    pub fn paint(self, text: &str, tone: Tone) -> String {
        let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Heading => Style::new().bold(),
            Tone::Alert => colour(AnsiColor::Red).bold(),
            Tone::Attention => colour(AnsiColor::Yellow),
            Tone::Moving => colour(AnsiColor::Cyan),
            Tone::Good => colour(AnsiColor::Green),
            Tone::Quiet => Style::new().dimmed(),
        };
        if self.colours && !text.trim().is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

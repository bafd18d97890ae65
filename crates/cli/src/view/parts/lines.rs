//! Text that fits into columns.

use super::page::{Page, Tone};
use unicode_width::UnicodeWidthStr as _;

/// How many columns a text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Divides a text into lines of at most `columns` between its words. The first line begins with `first`, the others
/// with `next`. A word that is too long for a line is cut.
pub fn filled(text: &str, first: &str, next: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && width(&line) + 1 + width(word) > columns {
            lines.push(shortened(&line, columns));
            next.clone_into(&mut line);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(shortened(line.trim_end(), columns));
    lines
}

/// The same, with the beginning of the first line in the colour of its meaning.
pub fn labelled(page: Page, label: &str, tone: Tone, text: &str, next: &str) -> Vec<String> {
    let mut lines = filled(text, label, next, page.columns);
    if let Some(rest) = lines[0].strip_prefix(label) {
        lines[0] = format!("{}{rest}", page.paint(label, tone));
    }
    lines
}

/// The same in at most `most` lines, with an ellipsis where something is left out.
pub fn limited(text: &str, indent: &str, columns: usize, most: usize) -> Vec<String> {
    let mut lines = filled(text, indent, indent, columns);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            *last = shortened(&format!("{last} \u{2026}"), columns);
        }
    }
    lines
}

/// Cuts a text to `columns`, with an ellipsis where something is left out.
pub fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for letter in text.chars() {
        kept.push(letter);
        if width(&kept) + 1 > columns {
            kept.pop();
            break;
        }
    }
    format!("{}\u{2026}", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_they_may_be_whatever_the_letters() {
        for text in
            ["one two three four five", "\u{65b0}\u{96c6}\u{7fa4} \u{6bd4}\u{65e7}\u{96c6}\u{7fa4}", "onlyoneword"]
        {
            for columns in 3..12 {
                for line in filled(text, "", " ", columns).iter().chain(&limited(text, " ", columns, 2)) {
                    assert!(width(line) <= columns, "{columns}: {line:?}");
                }
            }
        }
        assert_eq!(filled("one two three", "- ", "  ", 9), ["- one two", "  three"]);
        assert_eq!(limited("one two three four", " ", 8, 2), [" one two", " three \u{2026}"]);
        assert_eq!((shortened("users", 5), shortened("users", 4)), ("users".to_owned(), "use\u{2026}".to_owned()));
    }

    #[test]
    fn a_label_has_its_colour_and_the_same_words_without_one() {
        let label = |colours| labelled(Page { columns: 14, colours }, "STOPPED: ", Tone::Alert, "two failed", "  ");
        assert_eq!(label(false), ["STOPPED: two", "  failed"]);
        assert_eq!(label(true), ["\u{1b}[1m\u{1b}[31mSTOPPED: \u{1b}[0mtwo", "  failed"]);
    }
}

//! Text that fits into columns.

/// Divides a text into lines of at most `columns` between its words. The first line begins with `first`, the others
/// with `next`. A word that is too long for a line is cut.
pub(super) fn filled(text: &str, first: &str, next: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut empty = true;
    for word in text.split_whitespace() {
        if !empty && line.chars().count() + 1 + word.chars().count() > columns {
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
    lines.push(shortened(&line, columns));
    lines
}

/// Cuts a text to `columns`, with an ellipsis where something is left out.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    let kept: String = text.chars().take(columns.saturating_sub(1)).collect();
    format!("{}\u{2026}", kept.trim_end())
}

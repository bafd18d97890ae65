//! A table that fits its page: bars shrink, columns go in the order of their worth, and what explains a row takes the
//! rest of its line or the lines below it.

use super::bar::bar;
use super::lines::{filled, limited, shortened, width};
use super::page::{Page, Tone};
use crossfade_domain::weight::Weight;

/// The columns before a row.
const INDENT: usize = 2;
/// The columns between two cells.
const GAP: usize = 2;
/// The columns that are worth to begin a reason beside the rest of its row.
const WORTH_A_REASON: usize = 48;
/// The fewest columns of a bar.
const LEAST_BAR: usize = 6;
/// The fewest columns of a reason that is cut to the rest of its line.
const LEAST_REASON: usize = 8;
/// The columns before a reason below its row.
const BELOW: &str = "      ";

/// What may become of a column where the page is narrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Worth {
    /// It goes; the one with the lowest number first.
    Drops(u8),
    /// It stays as it is.
    Stays,
    /// It is never cut: a name that is too long gets a line of its own.
    Name,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Text, on the left of its column.
    Text(String, Tone),
    /// A number, on the right of its column.
    Number(String, Tone),
    /// A weight as a bar; `None` is unknown.
    Bar(Option<Weight>, Tone),
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// A cell for each column.
    pub cells: Vec<Cell>,
    /// What explains the row; may be empty.
    pub why: String,
}

/// How many lines a reason may have below its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reasons {
    /// None: it is cut to the rest of its line.
    Beside,
    /// So many.
    Below(usize),
}

impl Cell {
    /// Text without a colour.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Tone::Plain)
    }

    /// A number without a colour.
    pub fn number(text: impl Into<String>) -> Self {
        Self::Number(text.into(), Tone::Plain)
    }

    fn width(&self, bar: usize) -> usize {
        match self {
            Self::Text(text, _) | Self::Number(text, _) => width(text),
            Self::Bar(..) => bar,
        }
    }

    /// The cell on so many columns.
    fn on(&self, page: Page, columns: usize) -> String {
        match self {
            Self::Text(text, tone) => {
                let blank = " ".repeat(columns.saturating_sub(width(text)));
                format!("{}{blank}", page.paint(text, *tone))
            }
            Self::Number(text, tone) => {
                let blank = " ".repeat(columns.saturating_sub(width(text)));
                format!("{blank}{}", page.paint(text, *tone))
            }
            Self::Bar(weight, tone) => page.paint(&bar(*weight, columns), *tone),
        }
    }
}

/// The lines of each row. A column in which every cell is empty is left out.
pub fn table(page: Page, columns: &[Worth], rows: &[Row], reasons: Reasons) -> Vec<Vec<String>> {
    let layout = layout(page, columns, rows);
    rows.iter().map(|row| lines(page, &layout, row, reasons)).collect()
}

/// A column that is shown: its place among the cells, and its width.
struct Shown {
    place: usize,
    columns: usize,
    worth: Worth,
}

fn layout(page: Page, columns: &[Worth], rows: &[Row]) -> Vec<Shown> {
    let mut bar = if page.columns >= 140 {
        30
    } else if page.columns >= 100 {
        20
    } else {
        10
    };
    let mut worths: Vec<(usize, Worth)> = columns.iter().copied().enumerate().collect();
    loop {
        let widest = |place: usize| rows.iter().map(|row| row.cells[place].width(bar)).max().unwrap_or(0);
        let shown = worths.iter().map(|(place, worth)| Shown { place: *place, columns: widest(*place), worth: *worth });
        let mut shown: Vec<Shown> = shown.filter(|column| column.columns > 0).collect();
        let over = total(&shown).saturating_sub(page.columns);
        if over == 0 {
            return shown;
        }
        let is_bar = |column: &Shown| rows.iter().any(|row| matches!(row.cells[column.place], Cell::Bar(..)));
        let least = shown.iter().filter(|column| matches!(column.worth, Worth::Drops(_))).min_by_key(|one| one.worth);
        let spare = if shown.iter().any(is_bar) { bar.saturating_sub(LEAST_BAR) } else { 0 };
        if spare > 0 && (over <= spare || least.is_none_or(is_bar)) {
            bar -= over.min(spare);
            continue;
        }
        if let Some(least) = least {
            let place = least.place;
            worths.retain(|(other, _)| *other != place);
            continue;
        }
        // A name that has more columns than are left gets a line of its own.
        for name in shown.iter_mut().filter(|column| column.worth == Worth::Name) {
            name.columns = name.columns.saturating_sub(over).max(1);
        }
        return shown;
    }
}

fn total(shown: &[Shown]) -> usize {
    INDENT + shown.iter().map(|column| column.columns + GAP).sum::<usize>().saturating_sub(GAP)
}

fn lines(page: Page, layout: &[Shown], row: &Row, reasons: Reasons) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(INDENT);
    for (number, column) in layout.iter().enumerate() {
        if number > 0 {
            line.push_str(&" ".repeat(GAP));
        }
        match &row.cells[column.place] {
            Cell::Text(name, tone) if width(name) > column.columns => {
                let indent = " ".repeat(INDENT);
                lines.extend(filled(name, &indent, BELOW, page.columns).iter().map(|line| page.paint(line, *tone)));
                line.push_str(&" ".repeat(column.columns));
            }
            cell => line.push_str(&cell.on(page, column.columns)),
        }
    }
    let room = page.columns.saturating_sub(total(layout) + GAP);
    let beside = width(&row.why) <= room || room >= WORTH_A_REASON || reasons == Reasons::Beside;
    if beside && !row.why.is_empty() && (width(&row.why) <= room || room >= LEAST_REASON) {
        line.push_str(&" ".repeat(GAP));
        line.push_str(&shortened(&row.why, room));
    }
    lines.push(line.trim_end().to_owned());
    if let (false, Reasons::Below(most)) = (beside, reasons) {
        lines.extend(limited(&row.why, BELOW, page.columns, most));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Worth; 4] = [Worth::Name, Worth::Stays, Worth::Drops(2), Worth::Drops(1)];

    fn row(name: &str, why: &str) -> Row {
        let bar = Cell::Bar(Some(Weight::try_new(50.0).unwrap()), Tone::Moving);
        Row { cells: vec![Cell::text(name), Cell::text("halted"), bar, Cell::number("3m")], why: why.to_owned() }
    }

    fn shown(columns: usize, rows: &[Row], reasons: Reasons) -> Vec<String> {
        table(Page::plain(columns), &COLUMNS, rows, reasons).concat()
    }

    #[test]
    fn a_narrow_page_loses_bars_and_columns_but_neither_name_nor_state() {
        let rows = [row("users", "drift"), row("service-with-a-long-name", "someone else changed its only route")];
        for columns in [30, 36, 40, 50, 60, 80, 160] {
            for reasons in [Reasons::Beside, Reasons::Below(2)] {
                let lines = shown(columns, &rows, reasons);
                for line in &lines {
                    assert!(width(line) <= columns, "{columns}: {line}");
                    assert_eq!(line, line.trim_end());
                }
                let text = lines.join("\n");
                assert!(text.contains("users") && text.contains("service-with-a-long-name"), "{columns}:\n{text}");
                assert_eq!(text.matches("halted").count(), 2, "{columns}:\n{text}");
                assert_eq!(text.contains('\u{2588}'), columns >= 50, "{columns}:\n{text}");
            }
        }
    }

    #[test]
    fn a_name_that_is_too_long_gets_a_line_and_a_reason_those_below() {
        let rows = [row("users", "drift"), row("service-with-a-long-name", "someone else changed its only route")];
        let lines = shown(30, &rows, Reasons::Below(2));
        let expected = [
            "  users                 halted",
            "      drift",
            "  service-with-a-long-name",
            "                        halted",
            "      someone else changed its",
            "      only route",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn colours_take_no_columns() {
        let rows = [row("users", "drift")];
        let coloured = table(Page { columns: 80, colours: true }, &COLUMNS, &rows, Reasons::Beside).concat();
        let mut plain = coloured[0].clone();
        for code in ["\u{1b}[36m", "\u{1b}[0m"] {
            assert!(plain.contains(code), "{plain:?}");
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, shown(80, &rows, Reasons::Beside)[0]);
    }
}

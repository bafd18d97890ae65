//! The document around a report: style, content security policy, landmarks.

use crate::input::Written;
use crate::words::time;
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Nothing may be loaded and nothing run; the style is in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'";

/// A longer cell needs room of its own on a narrow screen.
const LONG: usize = 40;

const STYLE: &str = include_str!("page.css");

/// A section of a document.
pub(crate) struct Section {
    /// Unique in the document.
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) body: Markup,
}

/// A document: the verdict, then its sections.
pub(crate) fn page(title: &str, verdict: &Markup, sections: &[Section], written: &Written) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    p class="brand" { "Crossfade report" }
                    h1 { (title) }
                }
                nav aria-label="Contents" {
                    ul { @for one in sections { li { a href={ "#" (one.id) } { (one.name) } } } }
                }
                main {
                    (verdict)
                    @for one in sections {
                        @let heading = format!("{}-h", one.id);
                        section id=(one.id) aria-labelledby=(heading) {
                            h2 id=(heading) { (one.name) }
                            (one.body)
                        }
                    }
                }
                footer {
                    p {
                        "Written " (time(written.at)) " by Crossfade " (written.version) ", " (written.place)
                        ". All times are UTC."
                    }
                }
            }
        }
    };
    page.into_string()
}

/// The same as a part of another document. Its sections are no landmarks, or their names would not be unique there.
pub(crate) fn part(verdict: &Markup, sections: &[Section]) -> Markup {
    html! {
        (verdict)
        @for one in sections {
            section id=(one.id) {
                h3 { (one.name) }
                (one.body)
            }
        }
    }
}

/// A table. The first column names its row. It scrolls on a narrow screen, by the keyboard too.
pub(crate) fn table(caption: &str, heading: &[&str], rows: &[Vec<String>]) -> Markup {
    html! {
        div class="scroll" role="group" tabindex="0" aria-label=(caption) {
            table {
                caption { (caption) }
                thead { tr { @for name in heading { th scope="col" { (name) } } } }
                tbody {
                    @for row in rows {
                        tr {
                            @for (place, cell) in row.iter().enumerate() {
                                @if place == 0 {
                                    th scope="row" { (cell) }
                                } @else {
                                    td class=[(cell.len() > LONG).then_some("long")] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The same, folded.
pub(crate) fn folded_table(summary: &str, caption: &str, heading: &[&str], rows: &[Vec<String>]) -> Markup {
    html! { details { summary { (summary) } (table(caption, heading, rows)) } }
}

/// Names with values.
pub(crate) fn facts(facts: &[(&str, String)]) -> Markup {
    html! { dl class="facts" { @for (name, value) in facts { div { dt { (name) } dd { (value) } } } } }
}

//! The README explains every field of the cursor.

use crate::repository::read;
use crossfade_domain::journal::cursor::Cursor;
use std::collections::BTreeSet;

/// The names in the first column of the first table below a heading.
fn explained(heading: &str) -> BTreeSet<String> {
    let text = read("README.md");
    let (_, section) = text.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("README.md: no {heading}"));
    let rows = section.lines().skip_while(|line| !line.starts_with("| `")).take_while(|line| line.starts_with("| `"));
    rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect()
}

/// The fields of the cursor; a new one does not compile until it is named here.
macro_rules! fields_of_the_cursor {
    ($($field:ident),*) => {{
        fn all(cursor: &Cursor) {
            let Cursor { $($field: _),* } = cursor;
        }
        let _ = all;
        [$(stringify!($field)),*]
    }};
}

#[test]
fn every_field_of_the_cursor_is_explained() {
    let names = fields_of_the_cursor!(
        version,
        service,
        migration,
        generation,
        step,
        weight,
        verdict,
        wait_seconds,
        reason,
        checks,
        ask,
        hook,
        caused_at,
        error,
        findings,
        plan
    );
    let camel = |name: &str| {
        let mut words = name.split('_');
        let first = words.next().unwrap().to_owned();
        words.fold(first, |text, word| text + &word[..1].to_uppercase() + &word[1..])
    };
    assert_eq!(explained("### The cursor"), names.into_iter().map(camel).collect());
}

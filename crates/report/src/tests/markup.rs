//! Pages as a parser reads them.

use xmlparser::{ElementEnd, Token, Tokenizer};

/// Elements without an end.
const VOID: [&str; 2] = ["meta", "br"];
/// Attributes that make a browser ask for something.
const ASKING: [&str; 8] = ["src", "href", "srcset", "action", "data", "poster", "background", "xlink:href"];

/// Without its style, which is no markup.
fn without_style(page: &str) -> String {
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    format!("{before}{after}")
}

/// Whether every element ends where it must.
pub(super) fn is_well_formed(page: &str) -> Result<(), String> {
    let page = without_style(page).replace("<!DOCTYPE html>", "");
    let mut open: Vec<String> = Vec::new();
    for token in Tokenizer::from_fragment(&page, 0..page.len()) {
        match token.map_err(|error| error.to_string())? {
            Token::ElementStart { local, .. } => open.push(local.to_string()),
            Token::ElementEnd { end: ElementEnd::Open, .. }
                if open.last().is_some_and(|last| VOID.contains(&last.as_str())) =>
            {
                open.pop();
            }
            Token::ElementEnd { end: ElementEnd::Close(_, name), .. } => {
                let last = open.pop();
                if last.as_deref() != Some(name.as_str()) {
                    return Err(format!("{last:?} is open where {name} ends"));
                }
            }
            Token::ElementEnd { end: ElementEnd::Empty, .. } => drop(open.pop()),
            Token::Text { text } if text.contains('>') => return Err(format!("not escaped: {text}")),
            _ => {}
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("still open: {open:?}")) }
}

fn attributes(page: &str) -> Vec<(String, String)> {
    let page = without_style(page).replace("<!DOCTYPE html>", "");
    let attribute = |token: Result<Token<'_>, _>| match token {
        Ok(Token::Attribute { local, value, .. }) => Some((local.to_string(), value.to_string())),
        _ => None,
    };
    Tokenizer::from_fragment(&page, 0..page.len()).filter_map(attribute).collect()
}

/// Every `id`.
pub(super) fn ids(page: &str) -> Vec<String> {
    attributes(page).into_iter().filter(|(name, _)| name == "id").map(|(_, value)| value).collect()
}

/// What leads out of the page, or runs.
pub(super) fn outside(page: &str) -> Vec<String> {
    let asks = |(name, value): &(String, String)| {
        name.starts_with("on") || ASKING.contains(&name.as_str()) && !value.starts_with('#')
    };
    let mut found: Vec<String> =
        attributes(page).into_iter().filter(asks).map(|(name, value)| format!("{name}={value}")).collect();
    for word in ["<script", "http://", "https://", "url(", "@import", "<link", "<iframe", "<img", "<object"] {
        found.extend(page.contains(word).then(|| word.to_owned()));
    }
    found
}

/// An element a line, so that a difference is seen.
pub(super) fn lines(page: &str) -> String {
    without_style(page).replace("><", ">\n<")
}

//! Responses of the awsQuery protocol.

use crossfade_world::aws_error::AwsError;
use crossfade_world::tree::Tree;
use std::fmt::Write as _;

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";
/// Nothing depends on it, and a constant keeps transcripts equal.
pub(super) const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

pub(super) fn answer(operation: &str, output: &Tree) -> String {
    let mut text = format!(r#"<{operation}Response xmlns="{NAMESPACE}"><{operation}Result>"#);
    write_content(&mut text, output);
    let _infallible = write!(
        text,
        "</{operation}Result><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    );
    text
}

pub(super) fn refusal(error: &AwsError) -> String {
    let side = if error.http_status >= 500 { "Receiver" } else { "Sender" };
    let mut text = format!(r#"<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{side}</Type><Code>"#);
    escape(&mut text, &error.code);
    text.push_str("</Code><Message>");
    escape(&mut text, &error.message);
    let _infallible = write!(text, "</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>");
    text
}

fn write_content(text: &mut String, tree: &Tree) {
    match tree {
        Tree::Text(value) => escape(text, value),
        Tree::List(items) => {
            for item in items {
                write_element(text, "member", item);
            }
        }
        Tree::Map(fields) => {
            for (name, value) in fields {
                match value {
                    // A map of the protocol repeats its entries without a list around them.
                    Tree::List(entries) if name == "entry" => {
                        for entry in entries {
                            write_element(text, "entry", entry);
                        }
                    }
                    _ => write_element(text, name, value),
                }
            }
        }
    }
}

fn write_element(text: &mut String, name: &str, tree: &Tree) {
    let _infallible = write!(text, "<{name}>");
    write_content(text, tree);
    let _infallible = write!(text, "</{name}>");
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_and_maps_are_written_as_the_protocol_has_them() {
        let output =
            Tree::from_json(&json!({"Rules": [{"A": "x<y"}, {"Extra": {"entry": [{"key": "k"}, {"key": "l"}]}}]}));
        let expected = "<Rules><member><A>x&lt;y</A></member><member><Extra><entry><key>k</key></entry>\
                        <entry><key>l</key></entry></Extra></member></Rules>";
        assert!(answer("DescribeRules", &output).contains(expected));
    }
}

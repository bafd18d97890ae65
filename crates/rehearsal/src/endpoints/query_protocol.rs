//! The awsQuery protocol: forms in, XML out.

use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::tree::Tree;
use http::Response;
use std::fmt::Write as _;

/// Nothing depends on it, and a constant keeps transcripts equal.
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

/// The operation that a request names, and its parameters.
pub(super) fn operation(body: &[u8]) -> Result<(String, Tree), AwsError> {
    let mut input = Tree::from_form(form_pairs(&String::from_utf8_lossy(body)));
    let Some(Tree::Text(operation)) = input.remove("Action") else {
        return Err(AwsError::bad_request("MissingAction", "the request names no action"));
    };
    input.remove("Version");
    Ok((operation, input))
}

/// The response with an operation's output.
pub(super) fn answered(namespace: &str, operation: &str, output: &Tree) -> Response<Bytes> {
    response(200, answer(namespace, operation, output))
}

/// The response with an error.
pub(super) fn refused(namespace: &str, error: &AwsError) -> Response<Bytes> {
    response(error.http_status, refusal(namespace, error))
}

fn response(status: u16, body: String) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", "text/xml")
        .header("x-amzn-requestid", REQUEST_ID)
        .body(Bytes::from(body))
        .expect("a status and plain headers make a response")
}

/// The pairs of an `application/x-www-form-urlencoded` body.
pub(crate) fn form_pairs(body: &str) -> impl Iterator<Item = (String, String)> {
    body.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

fn decoded(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

fn answer(namespace: &str, operation: &str, output: &Tree) -> String {
    let mut text = format!(r#"<{operation}Response xmlns="{namespace}"><{operation}Result>"#);
    write_content(&mut text, output);
    let _infallible = write!(
        text,
        "</{operation}Result><ResponseMetadata><RequestId>{REQUEST_ID}</RequestId></ResponseMetadata>\
         </{operation}Response>"
    );
    text
}

fn refusal(namespace: &str, error: &AwsError) -> String {
    let side = if error.http_status >= 500 { "Receiver" } else { "Sender" };
    let mut text = format!(r#"<ErrorResponse xmlns="{namespace}"><Error><Type>{side}</Type><Code>"#);
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
        assert!(answer("urn:test", "DescribeRules", &output).contains(expected));
    }

    #[test]
    fn form_bodies_are_decoded() {
        let pairs: Vec<_> = form_pairs("Action=ModifyRule&Actions.member.1.Type=forward&Tags=a%2Fb+c&Empty=").collect();
        let expected =
            [("Action", "ModifyRule"), ("Actions.member.1.Type", "forward"), ("Tags", "a/b c"), ("Empty", "")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

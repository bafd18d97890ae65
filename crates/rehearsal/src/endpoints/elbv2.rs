//! ELBv2 over HTTP: awsQuery in, XML out.

mod xml;

use crate::clock::WorldClock;
use crate::endpoints::aws_service::AwsService;
use bytes::Bytes;
use crossfade_world::aws_error::AwsError;
use crossfade_world::elbv2::Elbv2;
use crossfade_world::tree::Tree;
use http::{Request, Response};
use std::sync::{Arc, Mutex};

/// The control plane of the load balancers, served over HTTP.
pub struct Elbv2Api {
    world: Arc<Mutex<Elbv2>>,
    clock: WorldClock,
}

impl Elbv2Api {
    /// Serves `world` at the clock's time.
    pub fn new(world: Arc<Mutex<Elbv2>>, clock: WorldClock) -> Self {
        Self { world, clock }
    }
}

#[async_trait::async_trait]
impl AwsService for Elbv2Api {
    async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        let body = String::from_utf8_lossy(request.body());
        let mut input = Tree::from_form(form_pairs(&body));
        let Some(Tree::Text(operation)) = input.remove("Action") else {
            return self.refusal(&AwsError::bad_request("MissingAction", "the request names no action"));
        };
        input.remove("Version");
        let now = self.clock.now();
        let answer = self.world.lock().expect("no holder of the lock panics").call(now, &operation, &input);
        match answer {
            Ok(output) => xml_response(200, xml::answer(&operation, &output)),
            Err(error) => self.refusal(&error),
        }
    }

    fn refusal(&self, error: &AwsError) -> Response<Bytes> {
        xml_response(error.http_status, xml::refusal(error))
    }
}

fn xml_response(status: u16, body: String) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", "text/xml")
        .header("x-amzn-requestid", xml::REQUEST_ID)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_bodies_are_decoded() {
        let pairs: Vec<_> = form_pairs("Action=ModifyRule&Actions.member.1.Type=forward&Tags=a%2Fb+c&Empty=").collect();
        let expected =
            [("Action", "ModifyRule"), ("Actions.member.1.Type", "forward"), ("Tags", "a/b c"), ("Empty", "")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

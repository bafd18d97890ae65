//! One AWS call before it is carried out, and the faults that can be injected.

use bytes::Bytes;
use http::{HeaderMap, Request};

/// An AWS call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The service, by its name in a credential scope.
    pub service: String,
    /// The operation, by AWS's name.
    pub operation: String,
    /// The calling function, by the application id of its user agent; `None` for other callers.
    pub caller: Option<String>,
    /// The body as received, in the service's own protocol.
    pub body: Bytes,
}

impl Call {
    /// Returns whether the call names `name`: whether the body contains it with no letter or digit next to it, as in an
    /// ARN, a key of the table or an alarm's name.
    pub fn names(&self, name: &str) -> bool {
        let body: Vec<u8> = percent_encoding::percent_decode(&self.body).collect();
        let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let found = |at: usize, found: &[u8]| {
            found == name.as_bytes()
                && !is_part(at.checked_sub(1).and_then(|before| body.get(before)))
                && !is_part(body.get(at + name.len()))
        };
        !name.is_empty() && body.windows(name.len()).enumerate().any(|(at, window)| found(at, window))
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// Nothing.
    None,
    /// AWS throttles it; no effect.
    Throttle,
    /// The service fails; no effect.
    FailBefore,
    /// The service fails after the call took effect.
    FailAfter,
    /// The connection ends without a response; no effect.
    DropBefore,
    /// The call takes effect; the response is lost.
    DropAfter,
    /// The call never returns; no effect.
    Hang,
}

/// Sees every call and may inject a fault.
pub trait CallObserver: Send + Sync {
    /// Called before anything else, with the whole request.
    fn asked(&self, _call: &Call, _request: &Request<Bytes>) {}

    /// Called before the call is carried out.
    fn before(&self, call: &Call) -> CallFault;

    /// Called after it took effect.
    fn after(&self, _call: &Call) {}
}

/// The observer of a world in which AWS never fails.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl CallObserver for NoFaults {
    fn before(&self, _call: &Call) -> CallFault {
        CallFault::None
    }
}

impl Call {
    pub(super) fn of(request: &Request<Bytes>) -> Self {
        let headers = request.headers();
        let target = header(headers, "x-amz-target");
        Self {
            service: scope_of(headers)
                .or_else(|| target.and_then(service_of_target).map(str::to_owned))
                .unwrap_or_else(|| {
                    let cloudwatch = request.uri().path().starts_with("/service/Granite");
                    let kubernetes = request.uri().path() == crate::endpoints::kubernetes::PATH;
                    match (cloudwatch, kubernetes) {
                        (true, _) => "monitoring",
                        (_, true) => "kubernetes",
                        _ => "",
                    }
                    .to_owned()
                }),
            operation: operation_of(request, target),
            caller: header(headers, "user-agent").and_then(application_of),
            body: request.body().clone(),
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, ...`
fn scope_of(headers: &HeaderMap) -> Option<String> {
    let credential = header(headers, "authorization")?.split("Credential=").nth(1)?.split(',').next()?;
    credential.split('/').nth(3).map(str::to_owned)
}

fn service_of_target(target: &str) -> Option<&'static str> {
    match target.split('.').next()? {
        "AWSStepFunctions" => Some("states"),
        "GraniteServiceVersion20100801" => Some("monitoring"),
        name if name.starts_with("DynamoDB_") => Some("dynamodb"),
        _ => None,
    }
}

fn operation_of(request: &Request<Bytes>, target: Option<&str>) -> String {
    if let Some(target) = target {
        return target.rsplit('.').next().unwrap_or_default().to_owned();
    }
    if let Some((_, operation)) = request.uri().path().split_once("/operation/") {
        return operation.to_owned();
    }
    let body = String::from_utf8_lossy(request.body());
    body.split('&').find_map(|pair| pair.strip_prefix("Action=")).unwrap_or_default().to_owned()
}

/// The SDK writes `app/<AWS_SDK_UA_APP_ID>` into its user agent.
fn application_of(agent: &str) -> Option<String> {
    agent.split(' ').find_map(|part| part.strip_prefix("app/")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_scope_operation_and_application() {
        let request = Request::builder()
            .uri("/")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20261122/eu-west-1/elasticloadbalancing/aws4_request, \
                 SignedHeaders=host",
            )
            .header("user-agent", "aws-sdk-rust/1.3 os/linux app/shift-weight")
            .body(Bytes::from_static(b"Action=ModifyRule&Version=2015-12-01"))
            .unwrap();
        let expected = Call {
            service: "elasticloadbalancing".into(),
            operation: "ModifyRule".into(),
            caller: Some("shift-weight".into()),
            body: Bytes::from_static(b"Action=ModifyRule&Version=2015-12-01"),
        };
        assert_eq!(Call::of(&request), expected);
        let cbor = Request::builder()
            .uri("/service/GraniteServiceVersion20100801/operation/DescribeAlarms")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(Call::of(&cbor).service, "monitoring");
        assert_eq!(Call::of(&cbor).operation, "DescribeAlarms");
    }

    #[test]
    fn a_call_names_what_its_body_is_about() {
        let call = |body: &'static [u8]| {
            let (service, operation) = (String::new(), String::new());
            Call { service, operation, caller: None, body: Bytes::from_static(body) }
        };
        let arn = call(b"Action=ModifyRule&RuleArn=arn%3Aaws%3Aapp%2Forders-public%2F12ab");
        assert!(arn.names("orders") && arn.names("orders-public"));
        assert!(!arn.names("order") && !arn.names("rders") && !arn.names("invoices") && !arn.names(""));
        assert!(call(br#"{"pk":{"S":"SERVICE#orders"}}"#).names("orders"));
    }
}

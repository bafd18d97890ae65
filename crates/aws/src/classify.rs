//! The one place where an SDK error becomes a `PortError`: by its code, never by its text.

use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use crossfade_actions::ports::PortError;
use std::error::Error;

/// What AWS's own SDKs take for throttling, and the codes of a cancelled transaction that mean the same.
const THROTTLED: &[&str] = &[
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceeded",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingError",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionConflict",
    "TransactionConflictException",
    "TransactionInProgressException",
];

const UNAVAILABLE: &[&str] = &[
    "HealthUnavailable",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceFault",
    "RequestExpired",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
];

const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "KmsAccessDeniedException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

const NOT_FOUND: &[&str] = &[
    "ExecutionDoesNotExist",
    "InvalidDocument",
    "ListenerNotFound",
    "LoadBalancerNotFound",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "RuleNotFound",
    "StateMachineDoesNotExist",
    "TargetGroupNotFound",
];

/// For `map_err`: the failure of `operation` on `object`.
pub(crate) fn failed<E>(operation: &'static str, object: &str) -> impl FnOnce(SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let object = object.to_owned();
    move |error| classify(operation, object, &error)
}

/// The port error for an SDK error.
pub(crate) fn classify<E>(operation: &'static str, object: String, error: &SdkError<E>) -> PortError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(context) => {
            let detail = context.err().message().unwrap_or("no message").to_owned();
            by_code(operation, object, context.err().code(), context.raw().status().as_u16(), detail)
        }
        SdkError::ConstructionFailure(_) => {
            PortError::Refused { operation, object, code: "InvalidRequest".to_owned(), detail: chain(error) }
        }
        _ => PortError::Unavailable { operation, object, detail: chain(error) },
    }
}

fn by_code(operation: &'static str, object: String, code: Option<&str>, status: u16, detail: String) -> PortError {
    let code = code.unwrap_or_default();
    if THROTTLED.contains(&code) || status == 429 {
        PortError::Throttled { operation, object }
    } else if DENIED.contains(&code) {
        PortError::Denied { operation, object, detail }
    } else if NOT_FOUND.contains(&code) {
        PortError::NotFound { operation, object }
    } else if UNAVAILABLE.contains(&code) || status >= 500 {
        PortError::Unavailable { operation, object, detail: format!("{code} ({status}): {detail}") }
    } else if code.is_empty() && status == 403 {
        PortError::Denied { operation, object, detail }
    } else {
        let code = if code.is_empty() { format!("Http{status}") } else { code.to_owned() };
        PortError::Refused { operation, object, code, detail }
    }
}

/// An answer that cannot be read: as good as none.
pub(crate) fn malformed(operation: &'static str, object: &str, detail: impl Into<String>) -> PortError {
    PortError::Unavailable { operation, object: object.to_owned(), detail: detail.into() }
}

/// A request that is refused here, since AWS would take it and do something else than was meant.
pub(crate) fn refused(operation: &'static str, object: &str, code: &str, detail: impl Into<String>) -> PortError {
    PortError::Refused { operation, object: object.to_owned(), code: code.to_owned(), detail: detail.into() }
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(": ");
        text.push_str(&source.to_string());
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::config::http::HttpResponse;
    use aws_sdk_elasticloadbalancingv2::error::ErrorMetadata;
    use aws_sdk_elasticloadbalancingv2::operation::modify_rule::ModifyRuleError;
    use aws_smithy_types::body::SdkBody;

    #[track_caller]
    fn check(code: Option<&str>, status: u16, expected: &str) {
        let mut metadata = ErrorMetadata::builder().message("Access denied, throttled and not found");
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        let error: SdkError<ModifyRuleError> =
            SdkError::service_error(ModifyRuleError::generic(metadata.build()), response);
        let debug = format!("{:?}", classify("ModifyRule", "rule".to_owned(), &error));
        assert!(debug.starts_with(expected), "{code:?} with {status}: {debug}");
    }

    #[test]
    fn an_error_is_known_by_its_code_and_never_by_its_text() {
        check(Some("Throttling"), 400, "Throttled");
        check(Some("ThrottlingException"), 400, "Throttled");
        check(Some("PriorRequestNotComplete"), 429, "Throttled");
        check(None, 429, "Throttled");
        check(Some("HealthUnavailable"), 500, "Unavailable");
        check(Some("SomethingNew"), 503, "Unavailable");
        check(None, 500, "Unavailable");
        check(Some("AccessDenied"), 403, "Denied");
        check(Some("ExpiredToken"), 403, "Denied");
        check(None, 403, "Denied");
        check(Some("RuleNotFound"), 400, "NotFound");
        check(Some("ResourceInUse"), 400, "Refused");
        check(Some("OperationNotPermitted"), 400, "Refused");
        check(Some("ValidationError"), 400, "Refused");
        check(None, 400, "Refused");
    }

    #[test]
    fn a_call_without_an_answer_may_have_taken_effect() {
        let error: SdkError<ModifyRuleError> = SdkError::timeout_error("5 s are over");
        let port = classify("ModifyRule", "rule".to_owned(), &error);
        assert!(matches!(&port, PortError::Unavailable { detail, .. } if detail.contains("5 s are over")), "{port:?}");
        let error: SdkError<ModifyRuleError> = SdkError::construction_failure("no region");
        assert_eq!(classify("ModifyRule", "rule".to_owned(), &error).code(), Some("InvalidRequest"));
    }
}

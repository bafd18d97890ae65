//! How an AWS service of the world says no.

/// An error as AWS answers it: a code, a message and an HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct AwsError {
    /// The wire code, such as `TargetGroupNotFound`.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// 400, 404, 500, ...
    pub http_status: u16,
}

impl AwsError {
    /// A client's fault (HTTP 400).
    pub fn bad_request(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), http_status: 400 }
    }

    /// A parameter that cannot be.
    pub fn validation(message: impl Into<String>) -> Self {
        Self::bad_request("ValidationError", message)
    }

    /// The request rate is used up.
    pub fn throttled() -> Self {
        Self::bad_request("Throttling", "Rate exceeded")
    }

    /// A fault of the service (HTTP 500).
    pub fn internal() -> Self {
        Self { code: "InternalFailure".to_owned(), message: "the service failed".to_owned(), http_status: 500 }
    }
}

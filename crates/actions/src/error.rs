//! How an action fails: the classes are the only error names that the state machines know.

use crate::ports::{LedgerError, PortError};
use std::error::Error as _;

/// An inability, never a verdict. A state machine branches on its class.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ActionError {
    /// The input is wrong; every problem is named.
    #[error("invalid request: {0}")]
    InvalidRequest(String),
    /// Another migration holds the service or one of its routes.
    #[error("lock held: {0}")]
    LockHeld(String),
    /// Someone else has changed a route.
    #[error("drifted: {0}")]
    Drifted(String),
    /// Another generation has taken over.
    #[error("superseded: {0}")]
    Superseded(String),
    /// It is too early; the same call succeeds later.
    #[error("not yet: {0}")]
    NotYet(String),
    /// AWS accepted a write, and no read has shown it.
    #[error("reading back {value}: {routes} had another value in {reads} reads")]
    NotSeen {
        /// The routes, as an operator reads them.
        routes: String,
        /// The value that was written.
        value: String,
        /// How often they were read.
        reads: u32,
    },
    /// No answer came in time.
    #[error("{doing}: no answer within {seconds} s")]
    TimedOut {
        /// What the action was doing, with its object.
        doing: String,
        /// How long it waited.
        seconds: u64,
    },
    /// A load balancer, CloudWatch or Step Functions could not be used.
    #[error("{doing}")]
    Port {
        /// What the action was doing, with its object.
        doing: String,
        /// The port's error.
        #[source]
        source: PortError,
    },
    /// The table could not be used.
    #[error("{doing}")]
    Ledger {
        /// What the action was doing, with its object.
        doing: String,
        /// The ledger's error.
        #[source]
        source: LedgerError,
    },
    /// An invariant of our own is broken.
    #[error("internal: {0}")]
    Internal(String),
}

/// The names of errors, the only ones that a state machine knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// The input is wrong.
    InvalidRequest,
    /// Another migration holds the service or one of its routes.
    LockHeld,
    /// Someone else has changed a route.
    Drifted,
    /// It may succeed a little later.
    Transient,
    /// AWS does not allow it.
    Denied,
    /// Another generation has taken over.
    Superseded,
    /// An invariant of our own is broken.
    Internal,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 7] = [
        Self::InvalidRequest,
        Self::LockHeld,
        Self::Drifted,
        Self::Transient,
        Self::Denied,
        Self::Superseded,
        Self::Internal,
    ];

    /// The name by which Lambda reports it and a state machine catches it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::LockHeld => "LockHeld",
            Self::Drifted => "Drifted",
            Self::Transient => "Transient",
            Self::Denied => "Denied",
            Self::Superseded => "Superseded",
            Self::Internal => "Internal",
        }
    }
}

impl ActionError {
    /// The error's class.
    pub fn class(&self) -> ErrorClass {
        use ErrorClass as C;
        match self {
            Self::InvalidRequest(_) => C::InvalidRequest,
            Self::LockHeld(_) => C::LockHeld,
            Self::Drifted(_) => C::Drifted,
            Self::Superseded(_) | Self::Ledger { source: LedgerError::Superseded { .. }, .. } => C::Superseded,
            // A table that is not there is one that does not answer: a rollback does without it, and tries again.
            Self::NotYet(_)
            | Self::NotSeen { .. }
            | Self::TimedOut { .. }
            | Self::Ledger {
                source: LedgerError::Contended { .. } | LedgerError::Port(PortError::NotFound { .. }),
                ..
            } => C::Transient,
            Self::Port { source, .. } | Self::Ledger { source: LedgerError::Port(source), .. } => match source {
                PortError::Throttled { .. } | PortError::Unavailable { .. } => C::Transient,
                PortError::Denied { .. } => C::Denied,
                PortError::NotFound { .. } | PortError::Refused { .. } => C::Internal,
            },
            Self::Ledger { source: LedgerError::Unreadable { .. }, .. } | Self::Internal(_) => C::Internal,
        }
    }

    /// The whole chain of causes in one line.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        text
    }
}

/// Names the operation in the error of a port.
pub(crate) trait Doing<T> {
    /// The error says what the action was doing, with its object.
    ///
    /// # Errors
    /// `Port` or `Ledger`, with the port's error as its source.
    fn doing<S: Into<String>>(self, operation: impl FnOnce() -> S) -> Result<T, ActionError>;
}

impl<T> Doing<T> for Result<T, PortError> {
    fn doing<S: Into<String>>(self, operation: impl FnOnce() -> S) -> Result<T, ActionError> {
        self.map_err(|source| ActionError::Port { doing: operation().into(), source })
    }
}

impl<T> Doing<T> for Result<T, LedgerError> {
    fn doing<S: Into<String>>(self, operation: impl FnOnce() -> S) -> Result<T, ActionError> {
        self.map_err(|source| ActionError::Ledger { doing: operation().into(), source })
    }
}

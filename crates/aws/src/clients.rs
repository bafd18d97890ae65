//! The clients with their patience.

use aws_config::SdkConfig;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::sync::LazyLock;
use std::time::Duration;

/// A client that is built at its first call: a function has the ports of all services and asks two or three of them.
pub(crate) type Later<C> = LazyLock<C, Box<dyn FnOnce() -> C + Send + Sync>>;

/// Puts off the building of a client.
pub(crate) fn later<C: 'static>(config: &SdkConfig, build: fn(&SdkConfig) -> C) -> Later<C> {
    let config = config.clone();
    LazyLock::new(Box::new(move || build(&config)))
}

/// The configuration with our HTTP client, unless it has one.
pub(crate) fn with_https(config: &SdkConfig) -> SdkConfig {
    match config.http_client() {
        Some(_) => config.clone(),
        None => config.to_builder().http_client(crate::https::https()).build(),
    }
}

/// What pauses between calls of ours: as the SDK pauses between its own.
pub(crate) fn sleep(config: &SdkConfig) -> SharedAsyncSleep {
    config.sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new()))
}

/// Attempts at a read or at a write that is safe to repeat. With the SDK's exponential pauses of up to 1, 2, 4, 8 and
/// 16 s this rides out an empty bucket of the account, which refills within seconds.
const ATTEMPTS: u32 = 6;
/// Attempts at the table, whose pauses start smaller: a rollback waits for it.
const TABLE_ATTEMPTS: u32 = 4;

/// Reads, and writes that may be repeated.
pub(crate) fn elb_reader(config: &SdkConfig) -> aws_sdk_elasticloadbalancingv2::Client {
    let config = aws_sdk_elasticloadbalancingv2::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(patience(5, 40))
        .build();
    aws_sdk_elasticloadbalancingv2::Client::from_conf(config)
}

/// Writes to routes: one attempt each, since the caller checks the generation before every attempt.
pub(crate) fn elb_writer(config: &SdkConfig) -> aws_sdk_elasticloadbalancingv2::Client {
    let config = aws_sdk_elasticloadbalancingv2::config::Builder::from(config)
        .retry_config(RetryConfig::disabled())
        .timeout_config(patience(5, 6))
        .build();
    aws_sdk_elasticloadbalancingv2::Client::from_conf(config)
}

pub(crate) fn auto_scaling(config: &SdkConfig) -> aws_sdk_autoscaling::Client {
    let config = aws_sdk_autoscaling::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(patience(5, 40))
        .build();
    aws_sdk_autoscaling::Client::from_conf(config)
}

pub(crate) fn cloudwatch(config: &SdkConfig) -> aws_sdk_cloudwatch::Client {
    let config = aws_sdk_cloudwatch::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(patience(5, 40))
        .build();
    aws_sdk_cloudwatch::Client::from_conf(config)
}

pub(crate) fn dynamodb(config: &SdkConfig) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::config::Builder::from(config)
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(TABLE_ATTEMPTS)
                .with_initial_backoff(Duration::from_millis(50))
                .with_max_backoff(Duration::from_secs(1)),
        )
        .timeout_config(patience(3, 10))
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// Its reads have ten seconds in all, and what cannot be read is read again at the next look.
pub(crate) fn ssm(config: &SdkConfig) -> aws_sdk_ssm::Client {
    let config = aws_sdk_ssm::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(TABLE_ATTEMPTS))
        .timeout_config(patience(3, 9))
        .build();
    aws_sdk_ssm::Client::from_conf(config)
}

pub(crate) fn step_functions(config: &SdkConfig) -> aws_sdk_sfn::Client {
    let config = aws_sdk_sfn::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(patience(5, 40))
        .build();
    aws_sdk_sfn::Client::from_conf(config)
}

fn patience(attempt_seconds: u64, operation_seconds: u64) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(attempt_seconds))
        .operation_timeout(Duration::from_secs(operation_seconds))
        .build()
}

//! Signs an operator's command in: region, credentials and endpoint as every AWS tool finds them, and the caller's
//! identity.
//!
//! Everything here has short time-outs: nobody waits minutes to learn that a laptop is offline.

use crate::classify::failed;
use crate::https::https;
use crate::machines::Machines;
use crate::{Connections, Settings, connect_with, machines_with};
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use aws_sdk_sts::config::{AppName, ProvideCredentials as _, retry::RetryConfig, timeout::TimeoutConfig};
use aws_types::os_shim_internal::{Env, Fs};
use crossfade_actions::ports::PortError;
use std::error::Error;
use std::time::Duration;

/// Where a stack is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignInOptions {
    /// The stack's name, from which all others derive.
    pub stack: String,
    /// The region, where it was given.
    pub region: Option<String>,
    /// The profile, where it was given.
    pub profile: Option<String>,
    /// One endpoint for every service, such as a rehearsal's.
    pub endpoint_url: Option<String>,
}

/// A person at a stack.
pub struct SignedIn {
    /// Who.
    pub caller: Caller,
    /// In which region.
    pub region: String,
    /// The ports.
    pub connections: Connections,
    /// The state machines.
    pub machines: Machines,
}

/// The caller, by STS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The ARN of the user or of the role's session.
    pub arn: String,
    /// The account.
    pub account: String,
}

/// Why signing in failed.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// No region was given.
    #[error("no region is set")]
    NoRegion,
    /// The profile that was given is in no file.
    #[error("there is no profile {0:?} in the AWS configuration")]
    NoProfile(
        /// The profile.
        String,
    ),
    /// No credentials were found.
    #[error("no AWS credentials were found")]
    NoCredentials(
        /// Where they were looked for.
        #[source]
        Box<dyn Error + Send + Sync>,
    ),
    /// STS did not say who is calling.
    #[error("cannot find out who is calling")]
    NoIdentity(#[from] PortError),
}

impl Caller {
    /// `aws`, or another partition.
    pub fn partition(&self) -> &str {
        self.arn.split(':').nth(1).unwrap_or("aws")
    }
}

impl SignedIn {
    /// The ARN of a state machine of the stack: `<stack>-<name>`.
    pub fn machine(&self, stack: &str, name: &str) -> String {
        machine_arn(&self.caller, &self.region, stack, name)
    }
}

fn machine_arn(caller: &Caller, region: &str, stack: &str, name: &str) -> String {
    format!("arn:{}:states:{region}:{}:stateMachine:{stack}-{name}", caller.partition(), caller.account)
}

/// Finds region and credentials, asks STS who is calling, and builds the clients.
///
/// # Errors
/// No region, no credentials, or STS does not answer within seconds.
pub async fn sign_in(options: &SignInOptions) -> Result<SignedIn, SignInError> {
    if let Some(name) = &options.profile
        && !has_profile(name).await
    {
        return Err(SignInError::NoProfile(name.clone()));
    }
    let region = region(options).await.ok_or(SignInError::NoRegion)?;
    let config = load(options, region.clone()).await;
    let provider = config.credentials_provider().ok_or_else(|| SignInError::NoCredentials("no provider".into()))?;
    provider.provide_credentials().await.map_err(|error| SignInError::NoCredentials(Box::new(error)))?;
    let caller = identity(&config).await?;
    let region = region.to_string();
    let settings = Settings {
        table: options.stack.clone(),
        migrate_machine: Some(machine_arn(&caller, &region, &options.stack, "migrate-service")),
        roll_back_machine: Some(machine_arn(&caller, &region, &options.stack, "roll-back-service")),
        retire_machine: Some(machine_arn(&caller, &region, &options.stack, "retire-service")),
        stack: options.stack.clone(),
    };
    let machines = machines_with(&config);
    Ok(SignedIn { caller, region, connections: connect_with(&config, &settings), machines })
}

/// The region that would be signed in to, if one is set.
pub async fn region_of(options: &SignInOptions) -> Option<String> {
    region(options).await.map(|region| region.to_string())
}

/// The metadata service of an instance is not asked: it lets everybody else wait for seconds.
async fn region(options: &SignInOptions) -> Option<Region> {
    let mut profile = ProfileFileRegionProvider::builder();
    if let Some(name) = &options.profile {
        profile = profile.profile_name(name);
    }
    RegionProviderChain::first_try(options.region.clone().map(Region::new))
        .or_else(EnvironmentVariableRegionProvider::new())
        .or_else(profile.build())
        .region()
        .await
}

/// Whether the files have a profile. Files that cannot be read are the credentials' to complain about, with the reason.
async fn has_profile(name: &str) -> bool {
    #[expect(clippy::default_trait_access, reason = "its type is named by a crate that is none of ours")]
    let files = Default::default();
    let profiles = aws_config::profile::load(&Fs::real(), &Env::real(), &files, None).await;
    profiles.map_or(true, |profiles| profiles.get_profile(name).is_some())
}

async fn load(options: &SignInOptions, region: Region) -> SdkConfig {
    let https = https();
    let provider = ProviderConfig::without_region().with_region(Some(region.clone())).with_http_client(https.clone());
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12()).region(region).http_client(https);
    // A profile that was given is meant: keys that happen to be in the environment may be another account's.
    if let Some(name) = &options.profile {
        let credentials = ProfileFileCredentialsProvider::builder().configure(&provider).profile_name(name).build();
        loader = loader.profile_name(name).credentials_provider(credentials);
        return named(options, loader).await;
    }
    let metadata =
        imds::Client::builder().configure(&provider).max_attempts(1).connect_timeout(Duration::from_millis(500));
    let credentials = DefaultCredentialsChain::builder().configure(provider).imds_client(metadata.build());
    named(options, loader.credentials_provider(credentials.build().await)).await
}

/// Loads what is left, under the stack's name and at its endpoint.
async fn named(options: &SignInOptions, mut loader: ConfigLoader) -> SdkConfig {
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let config = loader.load().await;
    match AppName::new(format!("crossfade-{}", options.stack)) {
        Ok(name) if config.app_name().is_none() => config.into_builder().app_name(name).build(),
        _ => config,
    }
}

async fn identity(config: &SdkConfig) -> Result<Caller, PortError> {
    let patience = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(2))
        .operation_attempt_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(7))
        .build();
    let config = aws_sdk_sts::config::Builder::from(config)
        .retry_config(RetryConfig::standard().with_max_attempts(2))
        .timeout_config(patience)
        .build();
    let answer = aws_sdk_sts::Client::from_conf(config).get_caller_identity().send().await;
    let identity = answer.map_err(failed("GetCallerIdentity", "STS"))?;
    Ok(Caller { arn: identity.arn.unwrap_or_default(), account: identity.account.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_in_the_callers_partition_and_account() {
        let caller = Caller { arn: "arn:aws-cn:sts::123:assumed-role/ops/me".into(), account: "123".into() };
        assert_eq!(
            machine_arn(&caller, "cn-north-1", "crossfade", "migrate-service"),
            "arn:aws-cn:states:cn-north-1:123:stateMachine:crossfade-migrate-service"
        );
    }
}

//! A function's way to AWS: what Lambda puts into its environment, and nothing else.
//!
//! The SDK's own loader looks into files, metadata services and STS as well, none of which a function has; to look, it
//! builds a client of STS with all that belongs to one. A person's command does use it (`sign_in`).

use crate::driven::driven;
use crate::https::probes::LocalProbes;
use crate::{Connections, Settings, connect_with};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_sfn::config::{AppName, Credentials, SharedCredentialsProvider};
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use crossfade_clock::DrivenClock;
use std::sync::Arc;

const REGION: &str = "AWS_REGION";
const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// Names the addresses of a rehearsal's listeners, as `ARN=ADDRESS` with commas between them.
pub const LISTENERS: &str = "CROSSFADE_LISTENERS";
const SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";

/// A variable that Lambda always sets and that this process does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("environment variable {0} is not set")]
pub struct MissingVariable(&'static str);

/// Builds the clients from a function's environment variables: region, credentials, `AWS_ENDPOINT_URL` and its variants
/// for each service, `AWS_USE_FIPS_ENDPOINT`, `AWS_USE_DUALSTACK_ENDPOINT`, `AWS_SDK_UA_APP_ID`. A variable that is
/// empty counts as not set.
///
/// `clock` is the clock of a rehearsal's function; `None` in production.
///
/// # Errors
/// Region or credentials are not set.
pub fn connect(
    settings: &Settings,
    variables: &[(String, String)],
    clock: Option<&DrivenClock>,
) -> Result<Connections, MissingVariable> {
    let variables = Variables(variables.to_vec());
    let config = config(settings, &variables)?;
    let Some(clock) = clock else { return Ok(connect_with(&config, settings)) };
    let listeners = variables.get(LISTENERS).unwrap_or_default();
    let probes = Arc::new(LocalProbes::new(Some(clock.clone()), listeners));
    Ok(Connections { probes, ..connect_with(&driven(&config, clock), settings) })
}

fn config(settings: &Settings, variables: &Variables) -> Result<SdkConfig, MissingVariable> {
    let required = |name| variables.get(name).ok_or(MissingVariable(name));
    let region = Region::new(required(REGION)?.to_owned());
    let token = variables.get(SESSION_TOKEN).map(str::to_owned);
    let credentials = Credentials::new(required(ACCESS_KEY)?, required(SECRET_KEY)?, token, None, "Lambda");
    let on = |name| variables.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(region)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .use_fips(on("AWS_USE_FIPS_ENDPOINT"))
        .use_dual_stack(on("AWS_USE_DUALSTACK_ENDPOINT"))
        .service_config(variables.clone());
    config.set_endpoint_url(variables.get("AWS_ENDPOINT_URL").map(str::to_owned));
    // Whoever names the caller in the environment knows better.
    let name =
        variables.get("AWS_SDK_UA_APP_ID").map_or_else(|| format!("crossfade-{}", settings.stack), str::to_owned);
    config.set_app_name(AppName::new(name).ok());
    Ok(config.build())
}

#[derive(Debug, Clone)]
struct Variables(Vec<(String, String)>);

impl Variables {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}

/// `AWS_ENDPOINT_URL_<SERVICE>`, named after the service's id as every SDK does.
impl LoadServiceConfig for Variables {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        let service = key.service_id().to_uppercase().replace([' ', '-'], "_");
        self.get(&format!("{}_{service}", key.env())).map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &[(&str, &str)]) -> Result<SdkConfig, MissingVariable> {
        let lambda = [(REGION, "eu-west-1"), (ACCESS_KEY, "key"), (SECRET_KEY, "secret"), (SESSION_TOKEN, "token")];
        let variables = more.iter().chain(&lambda).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let settings = Settings {
            table: "table".into(),
            migrate_machine: None,
            roll_back_machine: None,
            retire_machine: None,
            stack: "blue".into(),
        };
        config(&settings, &Variables(variables.collect()))
    }

    fn endpoint(config: &SdkConfig, service: &str) -> Option<String> {
        let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
        config.service_config().unwrap().load_config(key.build().unwrap())
    }

    #[test]
    fn what_lambda_sets_is_enough() {
        let config = read(&[]).unwrap();
        assert_eq!(config.region().unwrap().as_ref(), "eu-west-1");
        assert!(config.credentials_provider().is_some());
        assert_eq!(config.app_name().unwrap().as_ref(), "crossfade-blue");
        assert_eq!((config.endpoint_url(), config.use_fips()), (None, Some(false)));
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in [REGION, ACCESS_KEY, SECRET_KEY] {
            // The first of a name counts, and an empty one is none; what comes after it is not looked at.
            let settings = Settings {
                table: String::new(),
                migrate_machine: None,
                roll_back_machine: None,
                retire_machine: None,
                stack: String::new(),
            };
            let all = [REGION, ACCESS_KEY, SECRET_KEY].map(|set| (set.to_owned(), "value".to_owned()));
            let without: Vec<_> = all.into_iter().filter(|(set, _)| set != name).collect();
            assert_eq!(connect(&settings, &without, None).err(), Some(MissingVariable(name)));
        }
    }

    #[test]
    fn an_endpoint_of_its_own_beats_the_one_for_all() {
        let all = ("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let one = ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", "http://127.0.0.1:2");
        let config = read(&[all, one, ("AWS_ENDPOINT_URL_SFN", "")]).unwrap();
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:1"));
        assert_eq!(endpoint(&config, "Elastic Load Balancing v2").as_deref(), Some("http://127.0.0.1:2"));
        assert_eq!(endpoint(&config, "SFN"), None);
    }

    #[test]
    fn who_names_the_caller_or_a_kind_of_endpoint_is_heard() {
        let config = read(&[("AWS_SDK_UA_APP_ID", "ours"), ("AWS_USE_FIPS_ENDPOINT", "true")]).unwrap();
        assert_eq!(config.app_name().unwrap().as_ref(), "ours");
        assert_eq!(config.use_fips(), Some(true));
    }
}

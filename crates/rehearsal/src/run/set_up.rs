//! What a world needs before anything moves: functions, tables, and the addresses of everything.

use super::{Endpoints, RehearsalError};
use crate::clock::ClockServer;
use crate::endpoints::aws_service::AwsService as _;
use crate::endpoints::front_door::{DynamoDb, FrontDoor};
use crate::functions::lambda_host::{FunctionSpec, LambdaHost, StartError};
use crate::scenario::Scenario;
use crate::stage::Stage;
use crate::traffic::data_plane::DataPlane;
use crate::wiring::{FunctionWiring, REGION, STACK, Wiring};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn full_hour(time: Timestamp) -> Timestamp {
    let second = time.as_second();
    Timestamp::from_second(second - second.rem_euclid(3600)).expect("an hour before a timestamp is a timestamp")
}

pub(super) fn functions(
    wiring: &Wiring,
    binaries: &BTreeMap<String, PathBuf>,
) -> Result<Vec<FunctionSpec>, RehearsalError> {
    let wanted = wiring.functions.values().map(|function| &function.binary);
    let missing: Vec<String> = wanted.filter(|binary| !binaries.contains_key(*binary)).cloned().collect();
    if !missing.is_empty() {
        return Err(RehearsalError::NoBinary(missing));
    }
    let spec = |function: &FunctionWiring| {
        let folder = binaries[&function.binary].parent().unwrap_or(Path::new("."));
        FunctionSpec::of_wiring(function, folder)
    };
    Ok(wiring.functions.values().map(spec).collect())
}

/// Starts one process of each function, all at once.
pub(super) async fn warm(host: &Arc<LambdaHost>, wiring: &Wiring) -> Result<(), StartError> {
    let names: Vec<String> = wiring.functions.keys().cloned().collect();
    let warming = names.iter().map(|name| host.warm(name));
    futures::future::try_join_all(warming).await.map(drop)
}

pub(super) async fn create_tables(table: &DynamoDb, wiring: &Wiring) -> Result<(), RehearsalError> {
    for wanted in &wiring.tables {
        let mut input = json!({"TableName": wanted.name, "BillingMode": "PAY_PER_REQUEST"});
        for member in ["AttributeDefinitions", "KeySchema"] {
            input[member] = wanted.properties[member].clone();
        }
        let request = http::Request::post("/")
            .header("x-amz-target", "DynamoDB_20120810.CreateTable")
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-1/dynamodb/aws4_request, \
                                      SignedHeaders=host, Signature=0",
            )
            .header("x-amz-date", "20260101T000000Z")
            .body(input.to_string().into())
            .expect("these headers are valid");
        let response = table.handle(request).await;
        if !response.status().is_success() {
            return Err(RehearsalError::Table(String::from_utf8_lossy(response.body()).into_owned()));
        }
    }
    Ok(())
}

pub(super) fn endpoints(
    wiring: &Wiring,
    front_door: &FrontDoor,
    clock: &ClockServer,
    stage: &Stage,
    plane: &DataPlane,
    scenario: &Scenario,
) -> Endpoints {
    let mut services: Vec<_> = scenario.services.iter().collect();
    services.sort_by_key(|service| !service.start);
    let machine = wiring.machines.get(&format!("{STACK}-roll-back-service"));
    let listeners = stage
        .listeners
        .values()
        .filter_map(|listener| plane.address_of(listener).map(|address| format!("{listener}={address}")));
    let listeners: Vec<String> = listeners.collect();
    let addresses = stage.listeners.iter().filter_map(|(name, listener)| {
        plane.address_of(listener).map(|address| (name.clone(), format!("http://{address}")))
    });
    Endpoints {
        aws: front_door.url(),
        region: REGION.to_owned(),
        clock: format!("{},{}", clock.address(), scenario.scale),
        table: wiring.tables.first().map_or_else(|| STACK.to_owned(), |table| table.name.clone()),
        roll_back_machine: machine.map(|machine| machine.arn.clone()).unwrap_or_default(),
        services: services.iter().map(|service| service.name.to_string()).collect(),
        load_balancers: addresses.collect(),
        listeners: listeners.join(","),
    }
}

//! The served world, through the real SDK and real HTTP: what AWS accepts, refuses and does with requests.

mod cloudwatch;
mod dynamo_db;
mod load_balancers;
mod served;
mod traffic;
mod wiring;

//! What each verb of a port is in the words of IAM: every one is called through `crates/aws` against the served world,
//! and what reaches the endpoint is written down.

use crate::contract::samples;
use crate::contract::sides::{STANDS_STILL, Served, TABLE};
use crate::contract::{guard, new_group};
use crossfade_actions::ports::{
    Executions, Fleets, Ledger, MigrationOrder, NewGroup, RetireOrder, RollBackOrder, TargetZone,
};
use crossfade_aws::{Connections, Settings, connect_with};
use crossfade_domain::alarms::tags;
use crossfade_domain::fleet::event::FleetEvent;
use crossfade_domain::fleet::head::FleetHead;
use crossfade_domain::journal::{EventKind, Trigger};
use crossfade_domain::load_balancer::group::{Attributes, Tags, Target};
use crossfade_domain::load_balancer::metric_query::MetricQuery;
use crossfade_domain::load_balancer::our_tags::tag;
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn, TargetGroupArn};
use crossfade_domain::plan::GuardKind;
use crossfade_domain::plan::{Plan, Revision};
use crossfade_rehearsal::clock::WorldClock;
use crossfade_rehearsal::endpoints::access::{AccessLog, IamAccess};
use crossfade_rehearsal::endpoints::auto_scaling::AutoScalingApi;
use crossfade_rehearsal::endpoints::aws_service::AwsService;
use crossfade_rehearsal::endpoints::change_calendars::ChangeCalendarsApi;
use crossfade_rehearsal::endpoints::cloudwatch::CloudWatchApi;
use crossfade_rehearsal::endpoints::elbv2::Elbv2Api;
use crossfade_rehearsal::endpoints::front_door::NoFaults;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION};
use crossfade_world::auto_scaling::AutoScaling;
use crossfade_world::calendars::ChangeCalendars;
use crossfade_world::world::{ServiceOnBalancer, World};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex};

/// Verbs as the simulation names them, with what each asks for.
pub(super) type Verbs = BTreeMap<&'static str, BTreeSet<IamAccess>>;

/// All of them, asked once.
pub(super) fn accesses() -> Verbs {
    static VERBS: LazyLock<Verbs> = LazyLock::new(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // A thread of its own: a test may have a runtime.
        std::thread::scope(|scope| scope.spawn(|| runtime.block_on(ask())).join().unwrap())
    });
    VERBS.clone()
}

pub(super) struct Recorder {
    log: Arc<AccessLog>,
    verbs: Verbs,
}

impl Recorder {
    /// What was asked for since the last look is what `verb` asks for.
    pub(super) fn was(&mut self, verb: &'static str) {
        let asked: BTreeSet<IamAccess> = self.log.take().into_values().flatten().collect();
        assert!(!asked.is_empty(), "{verb} asked AWS for nothing");
        self.verbs.insert(verb, asked);
    }

    /// What was asked for since the last look is asked for by `verb` too.
    pub(super) fn and(&mut self, verb: &'static str) {
        self.verbs.entry(verb).or_default().extend(self.log.take().into_values().flatten());
    }
}

async fn ask() -> Verbs {
    let world = World::new(samples::at(0), 7);
    let users = world.add_service("public", "users-swarm", &["users.test"]);
    world.add_alarm("users-5xx");
    let clock = WorldClock::starting_at(world.now(), STANDS_STILL);
    let (elbv2, cloudwatch) = world.with(|state| (state.elbv2.clone(), state.cloudwatch.clone()));
    let mut calendars = ChangeCalendars::default();
    calendars.put_calendar("change-freeze", &[]);
    let calendars = ChangeCalendarsApi::new(Arc::new(Mutex::new(calendars)), clock.clone());
    let elbv2 = Arc::new(Mutex::new(elbv2));
    let log = Arc::new(AccessLog::around(Arc::new(NoFaults), elbv2.clone()));
    let mut scaling = AutoScaling::default();
    scaling.put_group("nodes", &["i-0aaaaaaaaaaaaaaa1"], "EC2");
    let scaling = AutoScalingApi::new(Arc::new(Mutex::new(scaling)), elbv2.clone(), clock.clone());
    let services: Vec<(&'static str, Arc<dyn AwsService>)> = vec![
        ("elasticloadbalancing", Arc::new(Elbv2Api::new(elbv2, clock.clone()))),
        ("monitoring", Arc::new(CloudWatchApi::new(Arc::new(Mutex::new(cloudwatch)), clock))),
        ("ssm", Arc::new(calendars)),
        ("autoscaling", Arc::new(scaling)),
    ];
    let served = Served::start_observed(services, log.clone(), Arc::default()).await;
    // Creates the table.
    let _ledger = served.ledger().await;
    log.take();
    let connections = connect_with(&served.config, &settings());
    let mut recorder = Recorder { log, verbs: Verbs::new() };
    let own = groups(&mut recorder, &connections).await;
    routes(&mut recorder, &connections, &users).await;
    super::connections::connections(&mut recorder, &connections, &users).await;
    scaling_groups(&mut recorder, &connections, &users).await;
    watching(&mut recorder, &connections, &users, &own).await;
    ledger(&mut recorder, &connections.ledger).await;
    fleets(&mut recorder, &connections.fleets).await;
    executions(&mut recorder, &connections.executions).await;
    recorder.verbs
}

fn settings() -> Settings {
    let machine = format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:crossfade-roll-back-service");
    Settings {
        table: TABLE.to_owned(),
        migrate_machine: Some(machine.replace("roll-back-service", "migrate-service")),
        retire_machine: Some(machine.replace("roll-back-service", "retire-service")),
        roll_back_machine: Some(machine),
        stack: "crossfade".to_owned(),
    }
}

/// A group of ours from its creation to its end, and one that stays.
async fn groups(recorder: &mut Recorder, ports: &Connections) -> TargetGroupArn {
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let tags = Tags::from([pair(tag::MANAGED_BY, tag::MANAGED_BY_US), pair(tag::STACK, "crossfade")]);
    let alarm = tags::key("users-5xx");
    let stays =
        ports.target_groups.create_group(&NewGroup { tags: tags.clone(), ..new_group("/ready") }).await.unwrap().arn;
    recorder.was("create_group");
    ports.target_groups.target_groups(&["users-swarm".to_owned()]).await.unwrap();
    recorder.was("target_groups");
    ports.tagging.groups_of_service(&samples::service("users")).await.unwrap();
    recorder.was("groups_of_service");
    ports.tagging.all_guarded_groups().await.unwrap();
    recorder.was("all_guarded_groups");
    ports.tagging.add_tags(&stays, &Tags::from([pair(&alarm, "a time"), pair(tag::STACK, "crossfade")])).await.unwrap();
    recorder.was("add_tags");
    ports.tagging.add_tags(&stays, &Tags::from([pair(tag::MIGRATED, "users-1")])).await.unwrap();
    recorder.was("tag_as_migrated");
    ports.tagging.remove_tags(&stays, &[alarm]).await.unwrap();
    recorder.was("remove_tags");
    ports.tagging.remove_tags(&stays, &[tag::MIGRATED.to_owned()]).await.unwrap();
    recorder.was("remove_migrated_tag");
    ports.tagging.tags(&[stays.to_string()]).await.unwrap();
    recorder.was("tags");
    ports.target_groups.attributes(&stays).await.unwrap();
    recorder.was("attributes");
    let attributes = Attributes::from([("deregistration_delay.timeout_seconds".to_owned(), "30".to_owned())]);
    ports.target_groups.set_attributes(&stays, &attributes).await.unwrap();
    recorder.was("set_attributes");
    ports.target_groups.set_health_check(&stays, &new_group("/live").settings.health_check).await.unwrap();
    recorder.was("set_health_check");
    ports.target_groups.health(&stays).await.unwrap();
    recorder.was("health");
    let target = Target { id: "10.0.0.7".to_owned(), port: Some(8080) };
    ports.target_groups.register(&stays, std::slice::from_ref(&target), TargetZone::OfTheirSubnet).await.unwrap();
    recorder.was("register");
    ports.target_groups.deregister(&stays, &[target]).await.unwrap();
    recorder.was("deregister");
    let goes = ports
        .target_groups
        .create_group(&NewGroup { name: "goes".to_owned(), tags, ..new_group("/ready") })
        .await
        .unwrap()
        .arn;
    recorder.was("create_group");
    ports.target_groups.delete_group(&goes).await.unwrap();
    recorder.was("delete_group");
    stays
}

async fn routes(recorder: &mut Recorder, ports: &Connections, users: &ServiceOnBalancer) {
    let balancer = LoadBalancerArn::parse(users.load_balancer.as_str()).unwrap();
    let listener = ListenerArn::parse(users.listener.as_str()).unwrap();
    let rule = RouteId::Rule(RuleArn::parse(users.rules[0].as_str()).unwrap());
    let default = RouteId::Default(listener.clone());
    ports.routes.load_balancers(std::slice::from_ref(&balancer)).await.unwrap();
    recorder.was("load_balancers");
    ports.target_groups.target_groups_of(&balancer).await.unwrap();
    recorder.was("target_groups_of");
    ports.target_groups.limits().await.unwrap();
    recorder.was("limits");
    ports.routes.listeners(&balancer).await.unwrap();
    recorder.was("listeners");
    ports.routes.routes(&listener).await.unwrap();
    recorder.was("routes");
    let read = ports.routes.read_routes(std::slice::from_ref(&rule)).await.unwrap();
    recorder.was("read_routes of rules");
    ports.routes.read_routes(std::slice::from_ref(&default)).await.unwrap();
    recorder.was("read_routes of default actions");
    ports.routes.write_route(&rule, &read[0].actions).await.unwrap();
    recorder.was("write_route of a rule");
    ports.routes.write_route(&default, &read[0].actions).await.unwrap();
    recorder.was("write_route of a default action");
}

async fn scaling_groups(recorder: &mut Recorder, ports: &Connections, users: &ServiceOnBalancer) {
    let group = [TargetGroupArn::parse(users.old_group.as_str()).unwrap()];
    ports.auto_scaling.all_scaling_groups().await.unwrap();
    recorder.was("all_scaling_groups");
    ports.auto_scaling.scaling_group("nodes").await.unwrap();
    recorder.was("scaling_group");
    ports.auto_scaling.is_refreshing("nodes").await.unwrap();
    recorder.was("is_refreshing");
    ports.auto_scaling.attach("nodes", &group).await.unwrap();
    recorder.was("attach");
    ports.auto_scaling.sources("nodes").await.unwrap();
    recorder.was("sources");
    ports.auto_scaling.detach("nodes", &group).await.unwrap();
    recorder.was("detach");
}

async fn watching(recorder: &mut Recorder, ports: &Connections, users: &ServiceOnBalancer, new: &TargetGroupArn) {
    let names = ["users-5xx".to_owned()];
    ports.alarms.alarms(&names).await.unwrap();
    recorder.was("alarms");
    ports.alarms.firings(&names, samples::at(-60)).await.unwrap();
    recorder.was("firings");
    let alarm = guard(GuardKind::Errors);
    ports.alarms.put_alarm(&alarm).await.unwrap();
    recorder.was("put_alarm");
    ports.alarms.alarm_tags(std::slice::from_ref(&alarm.name)).await.unwrap();
    recorder.was("alarm_tags");
    ports.alarms.delete_alarms(std::slice::from_ref(&alarm.name)).await.unwrap();
    recorder.was("delete_alarms");
    let balancer = LoadBalancerArn::parse(users.load_balancer.as_str()).unwrap();
    let query = MetricQuery {
        metric: "RequestCount",
        load_balancer: balancer.clone(),
        group: Some(new.clone()),
        period_seconds: 60,
        statistic: "Sum".to_owned(),
    };
    ports.metrics.data(&[query], samples::at(-600), samples::at(0)).await.unwrap();
    recorder.was("metric_data");
    ports.alarms.alarms_on_groups().await.unwrap();
    recorder.was("alarms_on_groups");
    ports.survey.balancer_attributes(&balancer).await.unwrap();
    recorder.was("balancer_attributes");
    ports.calendars.calendar("change-freeze").await.unwrap();
    recorder.was("calendar");
}

async fn ledger(recorder: &mut Recorder, port: &Arc<dyn Ledger>) {
    let start = samples::start("users", 1, &[samples::route(1)], &["users-5xx"]);
    let (service, migration) = (start.head.service.clone(), start.head.migration.clone());
    port.take(None, &start.head, &start.plan, &start.event).await.unwrap();
    recorder.was("take");
    let (event, after) = samples::next(&start.head, samples::intent(0), 1);
    port.record(&start.head, &event, &after).await.unwrap();
    recorder.was("record");
    port.head(&service).await.unwrap();
    recorder.was("head");
    port.heads(std::slice::from_ref(&service)).await.unwrap();
    recorder.was("heads");
    port.open_heads().await.unwrap();
    recorder.was("open_heads");
    port.plan(&service, &migration).await.unwrap();
    recorder.was("plan");
    port.events(&service, &migration).await.unwrap();
    recorder.was("events");
    port.holders(&[samples::route(1)]).await.unwrap();
    recorder.was("holders");
    port.guarded_by("users-5xx").await.unwrap();
    recorder.was("guarded_by");
    let halted = EventKind::Halted { reason: "a test".to_owned() };
    let (event, before) = samples::next(&after, halted, 2);
    port.record(&after, &event, &before).await.unwrap();
    recorder.and("record");
    let accepted = Vec::new();
    let resumed = EventKind::Resumed { execution: "second".to_owned(), who: "ana".to_owned(), accepted };
    let (event, after) = samples::next(&before, resumed, 3);
    let revision = Some(Revision { generation: after.generation, accepted: BTreeMap::new() });
    let revised = Plan { revision, ..start.plan.clone() };
    port.revise(&before, &event, &after, &revised).await.unwrap();
    recorder.was("revise");
    port.revised_plan(&service, &migration, after.generation).await.unwrap();
    recorder.was("revised_plan");
    let (event, over) = samples::next(&after, EventKind::Finished { listed: None }, 4);
    port.release(&after, &event, &over, &start.plan).await.unwrap();
    recorder.was("release");
    // A write whose answer was lost looks for its own event.
    port.release(&after, &event, &over, &start.plan).await.unwrap();
    recorder.and("release");
    let (event, again) = samples::next(&start.head, samples::intent(0), 1);
    port.record(&start.head, &event, &again).await.unwrap();
    recorder.and("record");
    let (trigger, cause) = (Trigger::Operator, "a test".to_owned());
    let begun = EventKind::RollbackBegun { trigger, cause, caused_at: samples::at(5) };
    let (event, back) = samples::next(&over, begun, 5);
    let revision = Some(Revision { generation: back.generation, accepted: BTreeMap::new() });
    port.retake(&over, &event, &back, &Plan { revision, ..start.plan.clone() }).await.unwrap();
    recorder.was("retake");
    super::connections::retirements(recorder, port).await;
    port.store_policy("fleet", &serde_json::json!({"version": 1}), samples::at(0)).await.unwrap();
    recorder.was("store_policy");
    port.remove_policy("fleet", None).await.unwrap();
    recorder.was("remove_policy");
    port.policies().await.unwrap();
    recorder.was("policies");
}

async fn fleets(recorder: &mut Recorder, port: &Arc<dyn Fleets>) {
    let head = FleetHead::first("eks-2026", None, &execution("migrate-fleet"), samples::at(0));
    let begun = FleetEvent::Begun { who: "ana".to_owned(), waves: Vec::new(), requests: BTreeMap::new() };
    let entry = head.next_entry(vec![begun], samples::at(0));
    let after = head.apply(&entry);
    port.record_fleet(None, &entry, &after).await.unwrap();
    recorder.was("record_fleet");
    // A write whose answer was lost looks for its own entry.
    port.record_fleet(None, &entry, &after).await.unwrap();
    recorder.and("record_fleet");
    port.fleet("eks-2026").await.unwrap();
    recorder.was("fleet");
    port.fleets().await.unwrap();
    recorder.was("fleets");
    port.fleet_entries("eks-2026", 1).await.unwrap();
    recorder.was("fleet_entries");
}

fn execution(machine: &str) -> String {
    format!("arn:aws:states:{REGION}:{ACCOUNT}:execution:crossfade-{machine}:users-1")
}

/// Nobody answers here: what is asked for is all that counts.
async fn executions(recorder: &mut Recorder, port: &Arc<dyn Executions>) {
    let started = port
        .start_roll_back("users-1", &RollBackOrder::new(&samples::service("users"), Trigger::Sweep, "a test"))
        .await;
    assert!(started.is_err());
    recorder.was("start_roll_back");
    // Asked for by the command line alone, which has a person's rights.
    assert!(port.start_resumed(&samples::service("users"), &execution("migrate-service")).await.is_err());
    recorder.was("start_resumed");
    assert!(port.start_migration("users-1", &MigrationOrder::in_turn(&samples::service("users"))).await.is_err());
    recorder.was("start_migration");
    let retires = RetireOrder::to_continue(&samples::service("users"));
    assert!(port.start_retirement("users-1", &retires).await.is_err());
    recorder.was("start_retirement");
    assert!(port.start_conductor("eks-2026", &execution("migrate-fleet")).await.is_err());
    recorder.was("start_conductor");
    for (machine, verb) in [
        ("migrate-fleet", "status of a conductor"),
        ("migrate-service", "status of a migration"),
        ("retire-service", "status of a retirement"),
        ("roll-back-service", "status of a rollback"),
    ] {
        assert!(port.status(&execution(machine)).await.is_err());
        recorder.was(verb);
    }
    for machine in ["migrate-service", "roll-back-service"] {
        assert!(port.stop(&execution(machine), "a test").await.is_err());
        recorder.and("stop");
    }
}

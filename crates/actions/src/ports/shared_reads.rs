//! Load balancers that are read once for many plans.

use super::{Limits, Listener, LoadBalancer, NewGroup, PortError, Ports, Routes, Tagging, TargetGroups, TargetZone};
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{Attributes, HealthCheck, Tags, Target, TargetGroup, TargetHealth};
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, ServiceName, TargetGroupArn};
use futures::lock::Mutex as AsyncMutex;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

impl Ports {
    /// The same ports, but what all services of a load balancer have in common is read once: the load balancer, its
    /// listeners, their rules and its target groups. The answers are as old as these ports, so they are for plans that
    /// change nothing: one look of a fleet, or one `fleet plan`. A migration plans itself by fresh reads, under locks.
    #[must_use]
    pub fn sharing_reads(&self) -> Self {
        let shared = Arc::new(SharedReads {
            routes: Arc::clone(&self.routes),
            target_groups: Arc::clone(&self.target_groups),
            tagging: Arc::clone(&self.tagging),
            load_balancers: Answers::default(),
            listeners: Answers::default(),
            rules: Answers::default(),
            groups: Answers::default(),
            tags: Answers::default(),
        });
        Self {
            routes: Arc::<SharedReads>::clone(&shared),
            target_groups: Arc::<SharedReads>::clone(&shared),
            tagging: shared,
            ..self.clone()
        }
    }
}

struct SharedReads {
    routes: Arc<dyn Routes>,
    target_groups: Arc<dyn TargetGroups>,
    tagging: Arc<dyn Tagging>,
    load_balancers: Answers<Vec<LoadBalancerArn>, Vec<LoadBalancer>>,
    listeners: Answers<LoadBalancerArn, Vec<Listener>>,
    rules: Answers<ListenerArn, Vec<Route>>,
    groups: Answers<LoadBalancerArn, Vec<TargetGroup>>,
    tags: Answers<Vec<String>, BTreeMap<String, Tags>>,
}

/// The answers to one kind of question, by its object.
type Answers<K, T> = Mutex<BTreeMap<K, Arc<AsyncMutex<Option<T>>>>>;

/// The first answer to a question. Whoever asks meanwhile waits for it. An error is no answer: the next one asks again.
async fn once<K: Ord + Clone, T: Clone>(
    answers: &Answers<K, T>,
    question: &K,
    ask: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let answer = {
        let mut answers = answers.lock().expect("no one panics with the answers in hand");
        Arc::clone(answers.entry(question.clone()).or_default())
    };
    let mut answer = answer.lock().await;
    if let Some(known) = &*answer {
        return Ok(known.clone());
    }
    Ok(answer.insert(ask.await?).clone())
}

#[async_trait::async_trait]
impl Routes for SharedReads {
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        once(&self.load_balancers, &arns.to_vec(), self.routes.load_balancers(arns)).await
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        once(&self.listeners, load_balancer, self.routes.listeners(load_balancer)).await
    }

    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError> {
        once(&self.rules, listener, self.routes.routes(listener)).await
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        self.routes.read_routes(routes).await
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        self.routes.write_route(route, actions).await
    }
}

#[async_trait::async_trait]
impl TargetGroups for SharedReads {
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        self.target_groups.target_groups(names_or_arns).await
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        once(&self.groups, load_balancer, self.target_groups.target_groups_of(load_balancer)).await
    }

    async fn limits(&self) -> Result<Limits, PortError> {
        self.target_groups.limits().await
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        self.target_groups.attributes(group).await
    }

    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        self.target_groups.set_attributes(group, attributes).await
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        self.target_groups.health(group).await
    }

    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError> {
        self.target_groups.create_group(group).await
    }

    async fn set_health_check(&self, group: &TargetGroupArn, health_check: &HealthCheck) -> Result<(), PortError> {
        self.target_groups.set_health_check(group, health_check).await
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        self.target_groups.delete_group(group).await
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target], zone: TargetZone) -> Result<(), PortError> {
        self.target_groups.register(group, targets, zone).await
    }

    async fn deregister(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        self.target_groups.deregister(group, targets).await
    }
}

#[async_trait::async_trait]
impl Tagging for SharedReads {
    fn stack(&self) -> String {
        self.tagging.stack()
    }

    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        once(&self.tags, &arns.to_vec(), self.tagging.tags(arns)).await
    }

    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError> {
        self.tagging.add_tags(group, tags).await
    }

    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError> {
        self.tagging.remove_tags(group, keys).await
    }

    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        self.tagging.groups_of_service(service).await
    }

    async fn all_guarded_groups(&self) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        self.tagging.all_guarded_groups().await
    }
}

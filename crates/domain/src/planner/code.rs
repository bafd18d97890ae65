//! The codes of findings: short stable names, for programs and for `docs/errors.md`.

/// An old target group does not exist.
pub const OLD_GROUP_MISSING: &str = "old-group-missing";
/// An old target group is on no load balancer.
pub const OLD_GROUP_UNATTACHED: &str = "old-group-unattached";
/// Two old target groups are on the same load balancer.
pub const TWO_OLD_GROUPS: &str = "two-old-groups-on-one-load-balancer";
/// An old target group has too few healthy targets.
pub const OLD_SIDE_UNHEALTHY: &str = "old-side-unhealthy";
/// A network or gateway load balancer.
pub const UNSUPPORTED_LOAD_BALANCER: &str = "unsupported-load-balancer";
/// Targets that are Lambda functions or load balancers.
pub const UNSUPPORTED_TARGET_TYPE: &str = "unsupported-target-type";
/// The application's own cookie pins clients to targets.
pub const APP_COOKIE_STICKINESS: &str = "app-cookie-stickiness";
/// The new group's name belongs to somebody else's group.
pub const NEW_GROUP_NAME_TAKEN: &str = "new-group-name-taken";
/// The load balancer could not use another target group.
pub const TOO_MANY_GROUPS_ON_LOAD_BALANCER: &str = "too-many-groups-on-load-balancer";
/// No route forwards to an old target group.
pub const NO_ROUTES: &str = "no-routes";
/// More routes than can be locked at once.
pub const TOO_MANY_ROUTES: &str = "too-many-routes";
/// More routes and alarms together than can be locked at once.
pub const TOO_MANY_LOCKS: &str = "too-many-locks";
/// A forward action has no place for another group.
pub const TOO_MANY_GROUPS_IN_ACTION: &str = "too-many-groups-in-action";
/// An action type that this version does not know.
pub const UNKNOWN_ACTION_TYPE: &str = "unknown-action-type";
/// All weights of an action are 0.
pub const ALL_WEIGHTS_ZERO: &str = "all-weights-zero";
/// The new group is on the route already.
pub const NEW_GROUP_ALREADY_ATTACHED: &str = "new-group-already-attached";
/// A step has the same integer weights as the one before it.
pub const STEP_ROUNDS_TO_PREDECESSOR: &str = "step-rounds-to-predecessor";
/// A route gives the old group no traffic.
pub const NO_OLD_TRAFFIC: &str = "no-old-traffic";
/// Clients are pinned to target groups by the route.
pub const ROUTE_IS_STICKY: &str = "route-is-sticky";
/// Group stickiness is switched on while the new group is attached.
pub const STICKINESS_WHILE_ATTACHED: &str = "stickiness-while-attached";
/// Another migration holds the route.
pub const ROUTE_HELD: &str = "route-held";
/// A controller in a cluster owns the route and would write the weights back.
pub const MANAGED_BY_CONTROLLER: &str = "managed-by-load-balancer-controller";
/// A CloudFormation stack owns the route.
pub const MANAGED_BY_CLOUDFORMATION: &str = "managed-by-cloudformation";
/// No alarm guards the migration.
pub const NO_ALARMS: &str = "no-alarms";
/// An alarm does not exist.
pub const ALARM_MISSING: &str = "alarm-missing";
/// An alarm is firing.
pub const ALARM_FIRING: &str = "alarm-firing";
/// An alarm has no data.
pub const ALARM_WITHOUT_DATA: &str = "alarm-without-data";
/// An alarm's own actions are disabled.
pub const ALARM_ACTIONS_DISABLED: &str = "alarm-actions-disabled";
/// A guard alarm fires only above what the old group fails itself.
pub const GUARD_ALARM_RAISED: &str = "guard-alarm-raised";
/// The schedule takes longer than what the judge reads is kept.
pub const JUDGE_OUTLIVED: &str = "judge-outlived";
/// The health check probes a fixed port.
pub const FIXED_HEALTH_CHECK_PORT: &str = "fixed-health-check-port";
/// An absolute number of healthy targets may be out of the new group's reach.
pub const ABSOLUTE_HEALTH_THRESHOLD: &str = "absolute-health-threshold";
/// The schedule does not rise to 100 %.
pub const BAD_SCHEDULE: &str = "bad-schedule";

use super::*;
use crate::policy::retire::{Evidence, Retire, Until, Waiver};

#[test]
fn retire_has_defaults_and_a_services_word_replaces_them() {
    let day = 24 * 3_600;
    let left_out = decode_service(&service("users")).unwrap().retire;
    assert_eq!((left_out.keep_old_seconds, left_out.idle_for_seconds), (7 * day, day));
    assert_eq!((left_out.until, left_out.waive.len()), (Until::Deregistered, 0));
    let given = json!({ "retire": {
        "keepOld": "2d", "idleFor": "7d", "until": "deleted",
        "waive": [{ "evidence": "directCallers", "why": "none are known" }],
    } });
    let expected = Retire {
        keep_old_seconds: 2 * day,
        idle_for_seconds: 7 * day,
        until: Until::Deleted,
        waive: vec![Waiver { evidence: Evidence::DirectCallers, why: "none are known".to_owned() }],
    };
    let decoded = decode_service(&with("users", &given)).unwrap();
    assert_eq!(decoded.retire, expected);
    let stored: ServicePolicy = serde_json::from_value(serde_json::to_value(&decoded).unwrap()).unwrap();
    assert_eq!(stored, decoded);
}

#[test]
fn what_is_wrong_in_retire_is_named_with_its_place() {
    let wrong = json!({ "retire": {
        "keepOld": "soon", "idleFor": "1m", "until": "gone", "waive": [{ "evidence": "directCallers" }], "keep": "7d",
    } });
    let problems = decode_service(&with("users", &wrong)).unwrap_err().to_string();
    for place in ["retire.keepOld", "retire.idleFor", "retire.until", "retire.waive[0].why", "retire.keep:"] {
        assert!(problems.contains(place), "{place} in {problems}");
    }
}

//! A look while another service rolls back: alarms and new side count, and nothing goes on.

use super::*;

const OTHER: &str = "makes way for the rollback of orders-1";

fn making_way(scene: &mut Scene) {
    scene.makes_way = Some(OTHER.to_owned());
    // What was not looked at says nothing.
    (scene.old_healthy, scene.judge) = (Ok(0), None);
}

#[test]
fn a_step_bakes_on_while_another_service_rolls_back_and_says_so() {
    let reason = format!("baking at 5 %: 2m of 10m, nothing against it (schedule: {OTHER})");
    check(making_way, NextStep::Bake, 60, &reason);
}

#[test]
fn no_step_ends_and_no_shift_goes_on_while_another_service_rolls_back() {
    let at = |step: u32, intended: Option<u32>| {
        move |scene: &mut Scene| {
            making_way(scene);
            scene.now = 1700;
            (scene.head.verified_step, scene.head.intended_step) = (Some(step), intended);
        }
    };
    check(at(1, None), NextStep::Hold, 60, &format!("baked 10m at 5 % (schedule: {OTHER})"));
    check(at(3, None), NextStep::Hold, 60, &format!("baked 10m at 100 % (schedule: {OTHER})"));
    check(at(1, Some(2)), NextStep::Hold, 60, &format!("the shift is not verified yet (schedule: {OTHER})"));
}

#[test]
fn alarms_and_a_sick_new_side_roll_back_while_another_service_does() {
    let firing = |scene: &mut Scene| {
        making_way(scene);
        scene.fire(1100);
    };
    check(firing, NextStep::RollBack, 0, "alarms: a is firing: 2 of 3");
    let sick = |scene: &mut Scene| {
        making_way(scene);
        scene.new_healthy = Ok(1);
    };
    check(sick, NextStep::RollBack, 0, "health: new: 1 of 1 targets healthy, 2 needed");
}

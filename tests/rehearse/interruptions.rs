//! Ctrl-C at any moment.

use super::command::Running;
use std::path::Path;

#[test]
fn ctrl_c_says_where_everything_stood_and_leaves_no_process() {
    let mut running = Running::start(["rehearse"]);
    running.until_it_says("payments 1 %");
    let functions = running.children();
    assert!(functions.len() >= 10, "{functions:?}");
    running.interrupt();
    let finished = running.finish();
    assert_eq!(finished.code, Some(130), "{}", finished.stderr);
    assert!(finished.stderr.contains("interrupted at 00:"), "{}", finished.stderr);
    for service in ["users was at ", "bookings was at ", "accounts was at "] {
        assert!(finished.stderr.contains(service), "{service} is not in\n{}", finished.stderr);
    }
    assert_eq!(finished.stdout, "");
    let left: Vec<_> = functions.iter().filter(|id| Path::new(&format!("/proc/{id}")).exists()).collect();
    assert!(left.is_empty(), "processes are left behind: {left:?}");
}

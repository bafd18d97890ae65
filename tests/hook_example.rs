//! The example of a hook is tested in its own language, so that who adapts it can run the same tests.

use crate::repository::root;

#[test]
fn the_example_hook_passes_its_own_tests() {
    let mut tests = std::process::Command::new("python3");
    tests.args(["-B", "-m", "unittest", "discover", "examples/hooks/consumers"]).current_dir(root());
    let output = tests.output().expect("the tests need python3");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    // `unittest` is content with a folder in which it finds nothing.
    assert!(told.contains("Ran 7 tests"), "{told}");
}

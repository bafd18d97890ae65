//! One integration-test binary; a module for each subject.

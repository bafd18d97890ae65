//! One file for each function's work, written against ports.

//! What the judge is held against: `vectors.json` has series of a new and an old cluster with the figures that the
//! judge must find in them, computed independently from the formulas of its module pages; the bench compares the judge
//! with what other tools do.

//! Property tests, reference models and conformance kits for `raft-core` and `raft-sim`.

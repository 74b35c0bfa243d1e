//! Tests of the core from outside, through its public interface alone.

mod disk;
mod rig;
mod say;
mod server;

mod chunks;
mod contract;
mod fetch;
mod hostile;
mod lost_disk;
mod paper_durability;
mod paper_election;
mod paper_reads;
mod paper_replication;
mod snapshot_soak;
mod snapshots;
mod snapshots_in;

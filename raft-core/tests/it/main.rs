//! Tests of the core from outside, through its public interface alone.

mod disk;
mod rig;
mod say;
mod server;

mod chunks;
mod contract;
mod fetch;
mod hostile;
mod joint;
mod lease_storm;
mod leases;
mod membership;
mod paper_durability;
mod paper_election;
mod paper_reads;
mod paper_replication;
mod read_levels;
mod removal;
mod requests;
mod settings;
mod snapshot_soak;
mod snapshots;
mod snapshots_in;
mod transfer;
mod wire;
mod wire_golden;
mod witness;

//! Tests of the core from outside, through its public interface alone.

mod disk;
mod rig;
mod say;
mod server;

mod admission;
mod chunks;
mod contract;
mod fetch;
mod hostile;
mod joint;
mod lease_storm;
mod leases;
mod lifecycle;
mod lost_disk;
mod marks;
mod membership;
mod membership_soak;
mod paper_durability;
mod paper_election;
mod paper_reads;
mod paper_replication;
mod read_levels;
mod recovery;
mod removal;
mod requests;
mod settings;
mod skip;
mod snapshot_soak;
mod snapshots;
mod snapshots_in;
mod status;
mod transfer;
mod wire;
mod wire_golden;
mod witness;

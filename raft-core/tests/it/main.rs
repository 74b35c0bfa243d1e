//! Tests of the core from outside, through its public interface alone.

mod disk;
mod rig;
mod say;
mod server;

mod contract;
mod fetch;
mod hostile;
mod paper_durability;
mod paper_election;
mod paper_reads;
mod paper_replication;
mod wire;
mod wire_golden;

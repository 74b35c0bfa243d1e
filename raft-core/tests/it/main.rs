//! Tests of the core from outside, through its public interface alone.

mod disk;
mod rig;
mod say;
mod server;

mod admission;
mod contract;
mod fetch;
mod hostile;
mod lifecycle;
mod paper_durability;
mod paper_election;
mod paper_reads;
mod paper_replication;
mod recovery;
mod skip;
mod status;

//! Tests of the core from outside, through its public interface alone.

mod rig;
mod say;

mod contract;
mod fetch;
mod hostile;
mod leases;
mod paper_durability;
mod paper_election;
mod paper_reads;
mod paper_replication;
mod read_levels;
mod transfer;

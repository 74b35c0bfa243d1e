//! Integration tests of the simulator: one binary, one module a topic.

mod cli_campaign;
mod cli_check;
mod cli_docs;
mod cli_files;
mod cli_refusals;
mod cli_run;
mod golden;
mod own_model;
mod tidy;

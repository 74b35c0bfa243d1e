//! Replication: one leader's log becomes everybody's.
//!
//! **Intuition.** The leader sends what follows a position the follower is believed to hold; the
//! follower accepts it only if it holds that position, so equal positions mean equal logs. What a
//! majority holds durably is committed.
//! **Source.** Thesis §3.5, §3.6.2, §10.2.
//! **Upholds.** `inv:log-matching`, `inv:leader-append-only`, `inv:committed-durable`.
//! **Not here.** Who leads (`election/`), what is durable (`storage/`).

pub(crate) mod apply;
pub(crate) mod commit;
pub(crate) mod follower;
pub(crate) mod heartbeat;
pub(crate) mod leader;
pub(crate) mod progress;
pub(crate) mod propose;
pub(crate) mod reply;
pub(crate) mod silence;
pub(crate) mod stamp;

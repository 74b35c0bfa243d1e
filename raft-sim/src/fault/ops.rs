//! Client operations: who asks what, in which order.
//!
//! **Intuition.** Each written value is unique in the run, so a read tells exactly which write it
//! saw. Compare-and-set mostly expects a value that is likely to be there, or it would never take
//! effect.
//! **Source.** Mix of operations: docs/TRACE.md, "Workload".
//! **Upholds.** `inv:linearizable` (a history that can tell writes apart).
//! **Not here.** When they are sent and retried (`workload/`).

use crate::{
    fault::{check::TIME_MAX_NS, plan::Plan, schedule::ClientOp},
    process::Ns,
    random::stream::Stream,
    workload::{
        kv::Call,
        reads::{Level, ReadHow},
    },
};

/// Values recently written to one key, newest last.
type Recent = [u64; 4];

/// Draws all operations, ordered by client and number.
pub(crate) fn draw_ops(plan: &Plan, s: &mut Stream) -> Vec<ClientOp> {
    let clients = plan.work.clients.max(1);
    let keys = plan.work.keys.max(1);
    let mut recent: Vec<Recent> = vec![[0; 4]; keys as usize];
    let mut ops: Vec<ClientOp> = Vec::with_capacity(plan.work.ops as usize);
    for serial in 0..plan.work.ops {
        let (client, number) = (serial % clients, serial / clients);
        let think_ns = draw_think(plan, number, s);
        let key = s.below(u64::from(keys)) as u32;
        // Values count from 1 over the whole run; 0 never is one.
        let value = u64::from(serial) + 1;
        let call = draw_call(key, value, &mut recent[key as usize], s);
        ops.push(ClientOp { client, number, think_ns, call, how: ReadHow::default() });
    }
    ops.sort_by_key(|op| (op.client, op.number));
    ops
}

/// Draws how each read is asked for. A stream of its own: what is written does not move with it.
pub(crate) fn draw_reads(plan: &Plan, ops: &mut [ClientOp], s: &mut Stream) {
    // The first word decided about leases.
    s.word();
    let election = plan.knobs.election_ns;
    for op in ops.iter_mut().filter(|op| op.call.is_read()) {
        let level = s.weighted(&[30, 25, 15, 5, 25]);
        let (named, ahead) = (s.one_in(1, 3), s.weighted(&[80, 12, 8]) as u32);
        let (bounded, age) = (s.one_in(3, 4), s.log_uniform(election / 20, 10 * election));
        op.how = ReadHow {
            level: match level {
                1 => Level::Lease,
                3 => Level::ThroughLog,
                4 => Level::Local,
                _ => Level::Linearizable,
            },
            anywhere: matches!(level, 2 | 4),
            ahead: named.then_some(ahead),
            age_max_ns: if level == 4 && bounded { age } else { 0 },
        };
    }
}

/// Exponential pauses; with bursts a long pause before each burst and none inside it.
fn draw_think(plan: &Plan, number: u32, s: &mut Stream) -> Ns {
    let pause = s.exponential(plan.work.think_mean_ns);
    let pause = match plan.work.burst {
        0 | 1 => pause,
        burst if number.is_multiple_of(burst) => pause.saturating_mul(u64::from(burst)),
        _ => 0,
    };
    pause.min(TIME_MAX_NS)
}

fn draw_call(key: u32, value: u64, recent: &mut Recent, s: &mut Stream) -> Call {
    let kind = s.weighted(&[30, 45, 15, 5, 5]);
    let back = s.weighted(&[50, 25, 15, 10]);
    let absent = s.one_in(1, 8);
    if matches!(kind, 1 | 2) {
        recent.rotate_left(1);
    }
    match kind {
        0 => Call::Get { key },
        1 => {
            recent[3] = value;
            Call::Put { key, value }
        }
        2 => {
            // After the rotation the newest value is at 2 and the oldest has wrapped to 3.
            let old = recent[[2, 1, 0, 3][back]];
            recent[3] = value;
            Call::Cas { key, old: (!absent && old != 0).then_some(old), new: value }
        }
        3 => Call::Delete { key },
        _ => Call::Append { key, value },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{
        fault::swarm::{plan, schedule},
        workload::kv::Call,
    };

    #[test]
    fn mix_is_as_planned_and_values_are_unique() {
        let mut counts = [0_u32; 5];
        let mut expecting = 0;
        for seed in 0..50 {
            let schedule = schedule(plan("default", seed).unwrap(), seed, "x");
            assert_eq!(schedule.ops.len(), 400);
            let mut values = BTreeSet::new();
            for op in &schedule.ops {
                assert!(op.client < schedule.plan.work.clients);
                let (kind, key, value) = match op.call {
                    Call::Get { key } => (0, key, None),
                    Call::Put { key, value } => (1, key, Some(value)),
                    Call::Cas { key, old, new } => {
                        expecting += u32::from(old.is_some());
                        (2, key, Some(new))
                    }
                    Call::Delete { key } => (3, key, None),
                    Call::Append { key, value } => (4, key, Some(value)),
                };
                counts[kind] += 1;
                assert!(key < schedule.plan.work.keys);
                assert!(value.is_none_or(|value| values.insert(value)), "value used twice");
            }
        }
        // Of 20,000.
        for (count, percent) in counts.iter().zip([30, 45, 15, 5, 5]) {
            assert!(count.abs_diff(percent * 200) < 300, "{counts:?}");
        }
        assert!(expecting > counts[2] / 2);
    }

    #[test]
    fn numbers_of_a_client_have_no_gaps() {
        let schedule = schedule(plan("smoke", 5).unwrap(), 5, "x");
        for pair in schedule.ops.windows(2) {
            let next = (pair[0].client, pair[0].number + 1);
            assert!(
                (pair[1].client, pair[1].number) == next
                    || (pair[1].client, pair[1].number) == (next.0 + 1, 0)
            );
        }
    }
}

//! Fates: what becomes of each message and each disk operation, keyed by its identity.
//!
//! **Intuition.** A fate is a pure function of the run key and the thing's identity, never of how
//! many draws came before nor of the time; deleting one message or fault changes no other fate.
//! The ordinary (a delay, a latency) is always drawn by key. The exceptional (loss, copies, holds,
//! stalls) is drawn by the plan's laws in a fresh run and looked up in a materialised one; since
//! equal identities have equal fates, the list of what was exceptional replays the run exactly.
//! **Source.** Ours. Bursts of loss follow Gilbert (1960), with the link's own progress as clock:
//! message number `last + nth` of a term falls into a block of `loss_burst` messages, whole blocks
//! are bad, and a bad block loses three of four. No state is carried, so the keyed property holds.
//! **Upholds.** `inv:pure`.
//! **Not here.** Identities' counting (`world/`), the key's hash function (`random/prf.rs`).

use std::collections::BTreeMap;

use crate::{
    collections::FixedMap,
    fault::{
        plan::{Axis, Chance, DiskPlan, NetPlan},
        schedule::{DiskOpId, Exception, MessageId, Schedule},
    },
    process::Ns,
    random::{
        prf::{Domain, Prf},
        sample,
    },
};

/// What becomes of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageFate {
    /// Never delivered (its copies are not made either).
    pub lost: bool,
    /// Delay of the original.
    pub delay_ns: Ns,
    /// Extra copies with their delays; only the first `copies` count.
    pub copies_ns: [Ns; 3],
    /// How many copies.
    pub copies: u8,
    /// Which axes made it exceptional: counts for reports, bits by `Axis` order. Not part of what
    /// happened: a listed exception does not know whether its delay was a tail or a hold.
    pub axes: u32,
}

/// Draws of one message, by number. Frozen.
mod draw {
    pub(super) const DELAY: u64 = 0;
    pub(super) const LOSS_HOLD: u64 = 1;
    pub(super) const COPY_TAIL: u64 = 2;
    pub(super) const HOLD_LENGTH: u64 = 3;
    pub(super) const TAIL_LENGTH: u64 = 4;
    pub(super) const COPIES: u64 = 5;
    /// Copy `c` uses this plus `2c` for whether it is late, and the next for its delay.
    pub(super) const COPY: u64 = 6;
    /// Draws of one disk operation.
    pub(super) const LATENCY: u64 = 0;
    pub(super) const STALL: u64 = 1;
    pub(super) const STALL_LENGTH: u64 = 2;
}

/// A listed exception about a message.
#[derive(Clone, Debug)]
struct ListedMessage {
    lost: bool,
    delay_ns: Option<Ns>,
    copies_ns: [Ns; 3],
    copies: u8,
    met: bool,
}

/// A listed number, and whether it was applied.
#[derive(Clone, Copy, Debug)]
struct ListedNumber {
    value: u64,
    met: bool,
}

/// What healing made of everything.
#[derive(Clone, Copy, Debug)]
struct Healed {
    link_ns: Ns,
    disk_ns: Ns,
}

/// Exceptional fates met, by identity.
#[derive(Clone, Debug, Default)]
struct Record {
    messages: BTreeMap<MessageId, Exception>,
    disks: BTreeMap<DiskOpId, Ns>,
    power: BTreeMap<(u64, u64), u64>,
}

/// The source of fates of one run.
#[derive(Clone, Debug)]
pub struct Fates {
    prf: Prf,
    drawn: bool,
    net: NetPlan,
    disk: DiskPlan,
    /// Chance that a block of a link is bad; nothing with independent losses.
    bad_block: Option<Chance>,
    healed: Option<Healed>,
    listed_messages: FixedMap<MessageId, ListedMessage>,
    listed_disks: FixedMap<DiskOpId, ListedNumber>,
    listed_power: BTreeMap<(u64, u64), ListedNumber>,
    listed: u64,
    applied: u64,
    record: Option<Box<Record>>,
}

const THREE_QUARTERS: Chance = Chance(3 << 30);

impl Fates {
    /// Fates of `schedule`; with `record` the exceptional ones are kept for materialising.
    ///
    /// Exceptions that are listed hold in any schedule; with `drawn` all others are drawn.
    #[must_use]
    pub fn new(schedule: &Schedule, record: bool) -> Self {
        let net = schedule.plan.net.clone();
        let bad = (u64::from(net.loss.0) * 4).div_ceil(3);
        let mut fates = Self {
            prf: Prf::new(schedule.key),
            drawn: schedule.drawn,
            bad_block: (net.loss_burst > 1)
                .then_some(Chance(u32::try_from(bad).unwrap_or(u32::MAX))),
            net,
            disk: schedule.plan.disk.clone(),
            healed: None,
            listed_messages: FixedMap::default(),
            listed_disks: FixedMap::default(),
            listed_power: BTreeMap::new(),
            listed: schedule.exceptions.len() as u64,
            applied: 0,
            record: record.then(Box::default),
        };
        for exception in &schedule.exceptions {
            fates.list(exception);
        }
        fates
    }

    fn list(&mut self, exception: &Exception) {
        match exception {
            Exception::Message { id, lost, delay_ns, copies_ns } => {
                let mut listed = ListedMessage {
                    lost: *lost,
                    delay_ns: *delay_ns,
                    copies_ns: [0; 3],
                    copies: copies_ns.len().min(3) as u8,
                    met: false,
                };
                for (slot, copy) in listed.copies_ns.iter_mut().zip(copies_ns) {
                    *slot = *copy;
                }
                self.listed_messages.insert(*id, listed);
            }
            Exception::Disk { id, latency_ns } => {
                self.listed_disks.insert(*id, ListedNumber { value: *latency_ns, met: false });
            }
            Exception::PowerLoss { node, boot, keep } => {
                self.listed_power.insert((*node, *boot), ListedNumber { value: *keep, met: false });
            }
            Exception::Unknown(_) => {}
        }
    }

    /// From here on everything is ordinary and quick (heal): links take `link_ns`, disks
    /// `disk_ns`, applying takes no longer than `disk_ns` an entry, nothing is lost, power loss
    /// keeps nothing. The slow node stays slow by its factor.
    pub fn heal(&mut self, link_ns: Ns, disk_ns: Ns) {
        self.healed = Some(Healed { link_ns, disk_ns });
    }

    /// What becomes of message `id`. Its fate depends on the identity alone; `now`, the world time
    /// it is sent at, is for laws to come.
    #[inline]
    pub fn message(&mut self, id: &MessageId, _now: Ns) -> MessageFate {
        if let Some(healed) = self.healed {
            return MessageFate { delay_ns: healed.link_ns, ..MessageFate::default() };
        }
        let identity = self.identity(id);
        let mut fate = MessageFate {
            delay_ns: self.ordinary_delay(identity, draw::DELAY),
            ..MessageFate::default()
        };
        if !self.listed_messages.is_empty() && self.apply_listed(id, &mut fate) {
            self.keep_message(id, &fate, true);
        } else if self.drawn {
            self.draw_message(id, identity, &mut fate);
            if fate.axes != 0 {
                self.keep_message(id, &fate, false);
            }
        }
        fate
    }

    fn identity(&self, id: &MessageId) -> u64 {
        let head = packed(Domain::MESSAGE, u64::from(id.kind), id.from, id.to);
        self.prf.hash([head, id.term, id.first, id.last, id.nth])
    }

    fn ordinary_delay(&self, identity: u64, which: u64) -> Ns {
        let word = self.prf.draw(identity, which);
        self.net.delay_min_ns.saturating_add(sample::exponential(word, self.net.delay_mean_ns))
    }

    fn draw_message(&self, id: &MessageId, identity: u64, fate: &mut MessageFate) {
        if self.net.loss.0 | self.net.hold.0 != 0 {
            let word = self.prf.draw(identity, draw::LOSS_HOLD);
            if self.is_lost(id, word as u32) {
                fate.lost = true;
                fate.axes |= bit(Axis::Loss);
                return;
            }
            if sample::comes_true((word >> 32) as u32, self.net.hold) {
                let word = self.prf.draw(identity, draw::HOLD_LENGTH);
                let shortest = self.net.hold_max_ns / 40;
                let held = sample::between(word, shortest, self.net.hold_max_ns);
                fate.delay_ns = fate.delay_ns.saturating_add(held);
                fate.axes |= bit(Axis::Hold);
            }
        }
        if self.net.duplicate.0 | self.net.tail.0 != 0 {
            let word = self.prf.draw(identity, draw::COPY_TAIL);
            if sample::comes_true((word >> 32) as u32, self.net.tail) {
                let word = self.prf.draw(identity, draw::TAIL_LENGTH);
                let tail = sample::log_uniform(word, self.net.tail_min_ns, self.net.tail_max_ns);
                fate.delay_ns = fate.delay_ns.saturating_add(tail);
                fate.axes |= bit(Axis::Delay);
            }
            if sample::comes_true(word as u32, self.net.duplicate) {
                self.draw_copies(identity, fate);
            }
        }
    }

    fn is_lost(&self, id: &MessageId, word: u32) -> bool {
        let Some(bad_block) = self.bad_block else {
            return sample::comes_true(word, self.net.loss);
        };
        let block = id.last.saturating_add(id.nth) / u64::from(self.net.loss_burst);
        let weather =
            self.prf.hash([packed(Domain::LOSS_BURST, 0, id.from, id.to), id.term, block]) as u32;
        sample::comes_true(weather, bad_block) && sample::comes_true(word, THREE_QUARTERS)
    }

    fn draw_copies(&self, identity: u64, fate: &mut MessageFate) {
        let most = u64::from(self.net.duplicate_max.clamp(1, 3));
        let copies = 1 + sample::below(self.prf.draw(identity, draw::COPIES), most);
        for copy in 0..copies {
            let which = draw::COPY + 2 * copy;
            let late = self.prf.draw(identity, which) & 1 == 1;
            fate.copies_ns[copy as usize] = if late {
                let word = self.prf.draw(identity, which + 1);
                let late = sample::below(word, self.net.duplicate_late_ns);
                self.net.delay_min_ns.saturating_add(late)
            } else {
                self.ordinary_delay(identity, which + 1)
            };
        }
        fate.copies = copies as u8;
        fate.axes |= bit(Axis::Duplicate);
    }

    fn apply_listed(&mut self, id: &MessageId, fate: &mut MessageFate) -> bool {
        let Some(listed) = self.listed_messages.get_mut(id) else { return false };
        if !listed.met {
            listed.met = true;
            self.applied += 1;
        }
        fate.lost = listed.lost;
        if listed.lost {
            fate.axes = bit(Axis::Loss);
            return true;
        }
        if let Some(delay_ns) = listed.delay_ns {
            fate.delay_ns = delay_ns;
            fate.axes |= bit(Axis::Delay);
        }
        if listed.copies > 0 {
            fate.copies = listed.copies;
            fate.copies_ns = listed.copies_ns;
            fate.axes |= bit(Axis::Duplicate);
        }
        true
    }

    fn keep_message(&mut self, id: &MessageId, fate: &MessageFate, listed: bool) {
        let Some(record) = &mut self.record else { return };
        let moved = fate.axes & (bit(Axis::Delay) | bit(Axis::Hold)) != 0;
        record.messages.entry(*id).or_insert_with(|| Exception::Message {
            id: *id,
            lost: fate.lost,
            // A listed exception may restate the ordinary; keep it as it was listed.
            delay_ns: (moved || listed && !fate.lost && fate.copies == 0).then_some(fate.delay_ns),
            copies_ns: fate.copies_ns[..usize::from(fate.copies)].to_vec(),
        });
    }

    /// How long disk operation `id` takes: a write or read as a whole, or applying its entries.
    #[inline]
    pub fn disk(&mut self, id: &DiskOpId) -> Ns {
        self.disk_with_axes(id).0
    }

    /// As [`Fates::disk`], with the axes that made it exceptional (bits by `Axis` order).
    pub fn disk_with_axes(&mut self, id: &DiskOpId) -> (Ns, u32) {
        let apply = id.kind == DiskOpId::APPLY;
        let entries = if apply { id.last.saturating_sub(id.first).saturating_add(1) } else { 1 };
        let slow = id.node != 0 && id.node == self.disk.slow_node;
        let factor = if slow { u64::from(self.disk.slow_factor.max(1)) } else { 1 };
        if let Some(healed) = self.healed {
            let each =
                if apply { healed.disk_ns.min(self.disk.apply_mean_ns) } else { healed.disk_ns };
            return (each.saturating_mul(entries).saturating_mul(factor), 0);
        }
        if !self.listed_disks.is_empty()
            && let Some(listed) = self.listed_disks.get_mut(id)
        {
            if !listed.met {
                listed.met = true;
                self.applied += 1;
            }
            let latency = listed.value;
            if let Some(record) = &mut self.record {
                record.disks.insert(*id, latency);
            }
            return (latency, bit(Axis::DiskLatency));
        }
        let head = packed(Domain::DISK, u64::from(id.kind), id.node, id.boot);
        let identity = self.prf.hash([head, id.first, id.last, id.nth]);
        let word = self.prf.draw(identity, draw::LATENCY);
        let ordinary = if apply {
            sample::exponential(word, self.disk.apply_mean_ns).saturating_mul(entries)
        } else {
            self.disk
                .latency_min_ns
                .saturating_add(sample::exponential(word, self.disk.latency_mean_ns))
        };
        let ordinary = ordinary.saturating_mul(factor);
        let slow_axis = if slow { bit(Axis::SlowNode) } else { 0 };
        if apply || !self.drawn || self.disk.stall.0 == 0 {
            return (ordinary, slow_axis);
        }
        if !sample::comes_true(self.prf.draw(identity, draw::STALL) as u32, self.disk.stall) {
            return (ordinary, slow_axis);
        }
        let word = self.prf.draw(identity, draw::STALL_LENGTH);
        let stall = sample::log_uniform(word, self.disk.stall_min_ns, self.disk.stall_max_ns);
        let latency = ordinary.saturating_add(stall);
        if let Some(record) = &mut self.record {
            record.disks.insert(*id, latency);
        }
        (latency, slow_axis | bit(Axis::DiskLatency))
    }

    /// How many of `unfinished` handed-out, incomplete writes survive power loss, as a prefix.
    /// Asked at most once for each start of a node. The ordinary answer is none.
    ///
    /// Drawn: of 100 losses 40 keep a random prefix, 25 a random subset (of which only the prefix
    /// up to the first gap counts), 20 nothing, 15 all but a torn last one.
    pub fn power_loss(&mut self, node: u64, boot: u64, unfinished: u64) -> u64 {
        let keep = match self.listed_power.get_mut(&(node, boot)) {
            Some(listed) => {
                if !listed.met {
                    listed.met = true;
                    self.applied += 1;
                }
                listed.value.min(unfinished)
            }
            None if self.drawn && self.healed.is_none() => {
                let identity = self.prf.hash([packed(Domain::POWER_LOSS, 0, node, boot)]);
                let word = self.prf.draw(identity, 1);
                match sample::weighted(self.prf.draw(identity, 0), &[40, 25, 20, 15]) {
                    0 => sample::below(word, unfinished.saturating_add(1)),
                    1 => u64::from(word.trailing_ones()).min(unfinished),
                    2 => 0,
                    _ => unfinished.saturating_sub(1),
                }
            }
            None => 0,
        };
        if keep > 0
            && let Some(record) = &mut self.record
        {
            record.power.insert((node, boot), keep);
        }
        keep
    }

    /// Order among simultaneous events of one class.
    #[must_use]
    #[inline]
    pub fn tie(&self, domain: u64, a: u64, b: u64) -> u64 {
        self.prf.hash([packed(Domain::TIE, domain, 0, 0), a, b])
    }

    /// Seed of a process's private randomness.
    #[must_use]
    pub fn boot_seed(&self, node: u64, boot: u64) -> u64 {
        self.prf.hash([packed(Domain::BOOT, 0, node, boot)])
    }

    /// A keyed choice below `n` (> 0), for targets the world must choose.
    #[must_use]
    pub fn choose(&self, domain: u64, id: u64, n: u64) -> u64 {
        sample::below(self.prf.hash([packed(Domain::TARGET, domain, 0, 0), id]), n)
    }

    /// The exceptional fates met so far, in order of identity; empty unless recording.
    #[must_use]
    pub fn exceptions(&self) -> Vec<Exception> {
        let Some(record) = &self.record else { return Vec::new() };
        let messages = record.messages.values().cloned();
        let disks = record
            .disks
            .iter()
            .map(|(id, latency_ns)| Exception::Disk { id: *id, latency_ns: *latency_ns });
        let power = record.power.iter().map(|((node, boot), keep)| Exception::PowerLoss {
            node: *node,
            boot: *boot,
            keep: *keep,
        });
        messages.chain(disks).chain(power).collect()
    }

    /// Listed exceptions that were applied, and how many were listed.
    #[must_use]
    pub fn applied(&self) -> (u64, u64) {
        (self.applied, self.listed)
    }
}

/// The first word of an identity: 8 bits domain, 8 bits kind, 24 and 24 bits of two small numbers.
/// Numbers that do not fit overlap, which makes fates alike and nothing wrong.
#[inline]
const fn packed(domain: Domain, kind: u64, a: u64, b: u64) -> u64 {
    domain.0 ^ kind << 8 ^ a << 16 ^ b << 40
}

const fn bit(axis: Axis) -> u32 {
    1 << axis as u32
}

#[cfg(test)]
mod tests;

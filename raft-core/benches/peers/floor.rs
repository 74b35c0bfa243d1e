//! The floor: the messages of our row without any protocol.
//!
//! Twice: bare (make a chunk, send it, answer it, apply it), and with lanes (each of these is an
//! output handed out one by one, writes and applies are acknowledged, commit rides on the next
//! append). Whatever a protocol costs comes on top. Logs are bounded as in our row.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{
    cell::{Cell, Machine, Outcome},
    clock,
    ours::LOG_BOUND,
};

enum Chunk {
    One(Bytes),
    Many(Vec<Bytes>),
}

impl Chunk {
    fn payloads(&self) -> &[Bytes] {
        match self {
            Self::One(payload) => core::slice::from_ref(payload),
            Self::Many(payloads) => payloads,
        }
    }
}

/// A message; as wide as one that says who speaks to whom and of what.
struct Parcel {
    identity: [u64; 16],
    to: usize,
    from: usize,
    run: Option<Arc<Chunk>>,
    /// The sender has this many entries (an answer), or this many are committed (an append).
    upto: u64,
}

impl Parcel {
    fn boxed(from: usize, to: usize, run: Option<Arc<Chunk>>, upto: u64) -> Box<Self> {
        Box::new(Self { identity: [upto; 16], to, from, run, upto })
    }
}

enum Output {
    Persist { sequence: u64, run: Arc<Chunk> },
    Send(Box<Parcel>),
    Apply { run: Arc<Chunk>, last: u64 },
}

#[derive(Default)]
struct Server {
    log: VecDeque<Arc<Chunk>>,
    held: u64,
    last: u64,
    durable: u64,
    committed: u64,
    applied: u64,
    matched: Vec<u64>,
    unapplied: VecDeque<(Arc<Chunk>, u64)>,
    outbox: VecDeque<Output>,
    disk: VecDeque<Arc<Chunk>>,
    on_disk: u64,
    sequence: u64,
    machine: Machine,
}

fn keep(log: &mut VecDeque<Arc<Chunk>>, held: &mut u64, run: Arc<Chunk>) {
    *held += run.payloads().len() as u64;
    log.push_back(run);
    while *held > LOG_BOUND {
        let Some(oldest) = log.pop_front() else { return };
        *held -= oldest.payloads().len() as u64;
    }
}

impl Server {
    fn apply(&mut self, run: &Chunk) {
        run.payloads().iter().for_each(|payload| self.machine.apply(payload));
    }
}

struct Cluster {
    servers: Vec<Server>,
    /// What is on its way to each server.
    inboxes: Vec<VecDeque<Box<Parcel>>>,
    /// Whether outputs go through lanes.
    lanes: bool,
}

impl Cluster {
    fn majority(&self) -> u64 {
        let mut matched: Vec<u64> = self.servers[0].matched.clone();
        matched.sort_unstable();
        matched[(matched.len() - 1) / 2]
    }

    fn append(&mut self, at: usize, run: Arc<Chunk>) {
        let lanes = self.lanes;
        let server = &mut self.servers[at];
        server.last += run.payloads().len() as u64;
        keep(&mut server.log, &mut server.held, Arc::clone(&run));
        if lanes {
            server.unapplied.push_back((Arc::clone(&run), server.last));
            server.sequence += 1;
            server.outbox.push_back(Output::Persist { sequence: server.sequence, run });
        } else {
            server.apply(&run);
        }
    }

    fn propose(&mut self, chunk: Chunk) {
        let run = Arc::new(chunk);
        self.append(0, Arc::clone(&run));
        let committed = self.servers[0].committed;
        for to in 1..self.servers.len() {
            self.send(Parcel::boxed(0, to, Some(Arc::clone(&run)), committed));
        }
    }

    fn send(&mut self, parcel: Box<Parcel>) {
        if self.lanes {
            self.servers[parcel.from].outbox.push_back(Output::Send(parcel));
        } else {
            self.inboxes[parcel.to].push_back(parcel);
        }
    }

    fn commit(&mut self, at: usize, upto: u64) {
        let server = &mut self.servers[at];
        server.committed = server.committed.max(upto);
        let ready = server.committed.min(server.durable);
        while let Some((run, last)) = server.unapplied.pop_front() {
            if last > ready {
                server.unapplied.push_front((run, last));
                break;
            }
            server.outbox.push_back(Output::Apply { run, last });
        }
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.servers[at].outbox.pop_front() {
            let server = &mut self.servers[at];
            match output {
                Output::Send(parcel) => self.inboxes[parcel.to].push_back(parcel),
                Output::Apply { run, last } => {
                    server.apply(&run);
                    server.applied = last;
                }
                Output::Persist { sequence, run } => {
                    assert_eq!(sequence, server.sequence, "one write at a time");
                    keep(&mut server.disk, &mut server.on_disk, run);
                    server.durable = server.last;
                    let durable = server.durable;
                    if at == 0 {
                        self.on_matched(0, durable);
                    } else {
                        let committed = server.committed;
                        self.send(Parcel::boxed(at, 0, None, durable));
                        self.commit(at, committed);
                    }
                }
            }
        }
    }

    fn on_matched(&mut self, from: usize, upto: u64) {
        self.servers[0].matched[from] = upto;
        if self.lanes {
            let reached = self.majority();
            self.commit(0, reached);
        }
    }

    /// Followers take what has arrived, then the leader takes their answers.
    fn deliver_all(&mut self) {
        (1..self.servers.len()).for_each(|at| self.deliver(at));
        self.deliver(0);
    }

    fn deliver(&mut self, at: usize) {
        while let Some(mut parcel) = self.inboxes[at].pop_front() {
            let (from, to, upto) = (parcel.from, parcel.to, parcel.upto);
            assert_eq!(parcel.identity[from], upto, "nobody else wrote it");
            match parcel.run.take() {
                Some(run) => {
                    self.append(to, run);
                    if self.lanes {
                        self.commit(to, upto);
                    } else {
                        let last = self.servers[to].last;
                        self.send(Parcel::boxed(to, from, None, last));
                    }
                }
                None if to == 0 => self.on_matched(from, upto),
                None => self.commit(to, upto),
            }
        }
        self.drain(at);
    }

    fn run(&mut self, payloads: Vec<Bytes>, per_round: usize) {
        let mut payloads = payloads.into_iter();
        while payloads.len() > 0 {
            let chunk = match per_round {
                1 => payloads.next().map(Chunk::One),
                _ => Some(Chunk::Many(payloads.by_ref().take(per_round).collect())),
            };
            let Some(chunk) = chunk else { break };
            self.propose(chunk);
            self.drain(0);
            self.deliver_all();
        }
        // The last commit index.
        let committed = self.servers[0].committed;
        for to in 1..self.servers.len() {
            self.inboxes[to].push_back(Parcel::boxed(0, to, None, committed));
        }
        self.deliver_all();
    }
}

/// One measured run. Pipelined or not is the same here: nothing waits for an answer.
pub(crate) fn measure(cell: Cell, payloads: Vec<Bytes>, lanes: bool) -> Outcome {
    let servers = (0..cell.nodes)
        .map(|_| Server { matched: vec![0; cell.nodes], ..Server::default() })
        .collect();
    let inboxes = (0..cell.nodes).map(|_| VecDeque::new()).collect();
    let mut cluster = Cluster { servers, inboxes, lanes };
    let nanos = clock::nanos(|| cluster.run(payloads, cell.per_round));
    Outcome { nanos, machines: cluster.servers.iter().map(|server| server.machine).collect() }
}

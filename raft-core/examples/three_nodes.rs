//! Three nodes in one process: elect a leader, commit, lose the leader, commit and read again.
use raft_core::{
    Boot, BootId, ClusterId, Configuration, GroupId, HardState, Incarnation, Input, Instant, Node,
    NodeId, Options, Output, Role,
};

struct Cluster {
    nodes: Vec<Node>,
    machines: Vec<Vec<String>>, // what each node has applied
    now: Instant,
    down: Option<usize>,
}

impl Cluster {
    /// Does all that node `at` asks for: writes and applies at once, delivers every message.
    fn drain(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].poll() {
            let (to, fact) = match output {
                Output::Persist(write) => (at, Input::Persisted(write.ack)),
                Output::Apply(apply) => {
                    let payloads = apply.entries.iter().map(|e| e.entry.payload.to_vec());
                    let texts = payloads.filter_map(|bytes| String::from_utf8(bytes).ok());
                    self.machines[at].extend(texts.filter(|text| !text.is_empty()));
                    (at, Input::Applied(apply.entries.last().unwrap_or_default().index))
                }
                Output::Send(envelope) => (envelope.to.0 as usize - 1, Input::Receive(envelope)),
                Output::ReadReady { index, .. } => {
                    println!("n{} reads at index {index}: {:?}", at + 1, self.machines[at]);
                    continue;
                }
                _ => continue,
            };
            if self.down != Some(to) {
                let _refused = self.nodes[to].step(self.now, fact);
                self.drain(to);
            }
        }
    }

    /// Lets time pass to the next deadline of a node that is up.
    fn turn(&mut self) {
        let up: Vec<usize> = (0..3).filter(|at| self.down != Some(*at)).collect();
        self.now = up.iter().filter_map(|at| self.nodes[*at].deadline()).min().expect("one is up");
        for at in up {
            self.nodes[at].step(self.now, Input::Tick).expect("time passes");
            self.drain(at);
        }
    }

    /// Waits for a leader, proposes `command` there and waits until it is applied.
    fn write(&mut self, command: &'static str) -> usize {
        let up = |c: &Self, at: &usize| c.down != Some(*at) && c.nodes[*at].role() == Role::Leader;
        while (0..3).all(|at| !up(self, &at)) {
            self.turn();
        }
        let leader = (0..3).find(|at| up(self, at)).expect("just seen");
        self.nodes[leader].propose(self.now, command.into()).expect("it leads");
        self.drain(leader);
        while self.machines[leader].last().is_none_or(|last| last != command) {
            self.turn();
        }
        println!("n{} leads term {}: applied {command:?}", leader + 1, self.nodes[leader].term());
        leader
    }
}

fn main() {
    let voters = Configuration::new((1..=3).map(NodeId)).expect("three voters");
    let node = |id| {
        let disk = HardState::new(ClusterId(1), GroupId(1), NodeId(id), Incarnation(1));
        let boot = Boot::new(BootId(1), id, disk, voters.clone());
        Node::boot(Options::default(), boot, Instant(0)).expect("a fresh disk")
    };
    let (nodes, machines) = ((1..=3).map(node).collect(), vec![Vec::new(); 3]);
    let mut cluster = Cluster { nodes, machines, now: Instant(0), down: None };
    cluster.down = Some(cluster.write("x = 1"));
    let second = cluster.write("y = 2");
    cluster.nodes[second].read(cluster.now).expect("it leads");
    cluster.drain(second);
}

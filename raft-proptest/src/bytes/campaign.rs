//! Many inputs, what became of them, and whether that shows anything.
//!
//! **Intuition.** Inputs are numbered, so any part of a campaign can be run anywhere and added up.
//! A campaign of which too few inputs came past the first check has shown nothing, and says so.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`: figures do not depend on the number of jobs.
//! **Not here.** The command (`raft-proptest/examples/bytefuzz.rs`), the harnesses (`wire.rs`,
//! `boot.rs`, `steps.rs`).

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    boot::fuzz_boot,
    mutate,
    steps::{Tally, fuzz_steps},
    wire::{Reached, fuzz_wire},
};

/// Which harness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// [`fuzz_wire`].
    Wire,
    /// [`fuzz_boot`].
    Boot,
    /// [`fuzz_steps`].
    Steps,
}

/// Longest inputs of choices.
const BOOT_BYTES_MAX: usize = 160;
const STEPS_BYTES_MAX: usize = 1_600;

impl Mode {
    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "wire" => Some(Self::Wire),
            "boot" => Some(Self::Boot),
            "steps" => Some(Self::Steps),
            _ => None,
        }
    }

    /// Input `number` of `seed`.
    #[must_use]
    pub fn input(self, seed: u64, number: u64) -> Vec<u8> {
        match self {
            Self::Wire => mutate::wire_input(seed, number),
            Self::Boot => mutate::choices(seed, number, BOOT_BYTES_MAX),
            Self::Steps => mutate::choices(seed, number, STEPS_BYTES_MAX),
        }
    }
}

/// An input that broke a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Its number.
    pub number: u64,
    /// Its bytes.
    pub input: Vec<u8>,
    /// What was said.
    pub what: String,
}

/// What became of some inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Inputs.
    pub inputs: u64,
    /// Inputs past the first check: whole frames; disks that boot; programs with a leader.
    pub past: u64,
    /// Inputs that mean something: frames that decode; disks that boot; programs that apply.
    pub meant: u64,
    /// Envelopes decoded.
    pub envelopes: u64,
    /// Refusals by what was wrong.
    pub errors: BTreeMap<String, u64>,
    /// Steps of programs.
    pub tally: Tally,
    /// Highest number of bytes allocated at once for an input, over the input's length, times 100.
    pub memory_percent: u64,
    /// The first input that broke something.
    pub broken: Option<Broken>,
}

impl Figures {
    /// Adds those of later inputs.
    pub fn add(&mut self, later: Self) {
        self.inputs += later.inputs;
        self.past += later.past;
        self.meant += later.meant;
        self.envelopes += later.envelopes;
        for (error, count) in later.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.tally = self.tally.and(later.tally);
        self.memory_percent = self.memory_percent.max(later.memory_percent);
        if self.broken.is_none() {
            self.broken = later.broken;
        }
    }

    /// Share of `part` in the inputs, in percent.
    #[must_use]
    pub fn percent(&self, part: u64) -> u64 {
        (part * 100).checked_div(self.inputs).unwrap_or(0)
    }

    /// Whether so few inputs came past the first check that nothing was shown.
    #[must_use]
    pub fn is_vacuous(&self, mode: Mode) -> bool {
        let least = match mode {
            Mode::Wire => 30,
            Mode::Boot => 5,
            Mode::Steps => 30,
        };
        self.percent(self.past) < least
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "inputs {}", self.inputs)?;
        writeln!(f, "past the first check {} ({}%)", self.past, self.percent(self.past))?;
        writeln!(f, "with meaning {} ({}%)", self.meant, self.percent(self.meant))?;
        if self.envelopes > 0 {
            writeln!(f, "envelopes {}", self.envelopes)?;
        }
        if self.tally.steps > 0 {
            let Tally { steps, refused, by_role, restarts, halts, applied } = self.tally;
            writeln!(f, "steps {steps}, refused {refused}, restarts {restarts}, halts {halts}")?;
            writeln!(f, "entries handed out for apply {applied}")?;
            let [follower, pre, candidate, leader] = by_role;
            writeln!(
                f,
                "steps as follower {follower}, pre-candidate {pre}, candidate {candidate}, leader \
                 {leader}"
            )?;
        }
        if self.memory_percent > 0 {
            let (whole, part) = (self.memory_percent / 100, self.memory_percent % 100);
            writeln!(f, "most memory for an input {whole}.{part:02} times its length")?;
        }
        writeln!(f, "distinct errors {}", self.errors.len())?;
        for (error, count) in &self.errors {
            writeln!(f, "  {count:>12} {error}")?;
        }
        Ok(())
    }
}

/// An error without what differs from input to input.
fn kind_of(error: &(dyn fmt::Debug + '_)) -> String {
    let text = format!("{error:?}");
    let mut out = String::with_capacity(text.len());
    let mut digits = false;
    for c in text.chars() {
        if c.is_ascii_digit() {
            if !digits {
                out.push('#');
            }
            digits = true;
        } else {
            digits = false;
            out.push(c);
        }
    }
    out
}

/// Runs one input; `measure` runs what it is given and says how many bytes that held at most.
fn one(mode: Mode, input: &[u8], measure: impl FnOnce(&mut dyn FnMut()) -> u64) -> Figures {
    let mut figures = Figures { inputs: 1, ..Figures::default() };
    match mode {
        Mode::Wire => {
            let mut reached = None;
            let bytes = measure(&mut || reached = Some(fuzz_wire(input)));
            figures.memory_percent = bytes.saturating_mul(100) / (input.len() as u64).max(64);
            match reached {
                Some(Reached::Decoded { envelopes }) => {
                    (figures.past, figures.meant) = (1, 1);
                    figures.envelopes = envelopes as u64;
                }
                Some(refused @ Reached::Refused(error)) => {
                    figures.past = u64::from(refused.past_frame());
                    figures.errors.insert(kind_of(&error), 1);
                }
                None => {}
            }
        }
        Mode::Boot => match fuzz_boot(input) {
            None => (figures.past, figures.meant) = (1, 1),
            Some(error) => drop(figures.errors.insert(kind_of(&error), 1)),
        },
        Mode::Steps => {
            figures.tally = fuzz_steps(input);
            figures.past = u64::from(figures.tally.by_role[3] > 0);
            figures.meant = u64::from(figures.tally.applied > 0);
        }
    }
    figures
}

/// Runs inputs `from` up to but without `to` of `seed`, and stops at the first that breaks
/// something. `measure` calls what it is given and returns the most bytes held meanwhile.
pub fn run(
    mode: Mode,
    seed: u64,
    from: u64,
    to: u64,
    measure: impl Fn(&mut dyn FnMut()) -> u64,
) -> Figures {
    let mut figures = Figures::default();
    for number in from..to {
        let input = mode.input(seed, number);
        match catch_unwind(AssertUnwindSafe(|| one(mode, &input, &measure))) {
            Ok(more) => figures.add(more),
            Err(panic) => {
                figures.inputs += 1;
                figures.broken = Some(Broken { number, input, what: told(panic.as_ref()) });
                break;
            }
        }
    }
    figures
}

fn told(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic").to_owned()
}

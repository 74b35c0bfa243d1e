//! Histories in files: recognise, read strictly, check.
//!
//! **Intuition.** Every format is a spelling of the same events (`events`); every model gives
//! names and values their meaning (`codec`). So a file is recognised from its content, read to
//! events, paired, and checked.
//! **Source.** Ours for JSONL; Jepsen's and Porcupine's published histories for the rest.
//! **Upholds.** `inv:linearizable`.
//! **Not here.** Exit codes and output (`cli/`).

pub mod codec;
pub mod datum;
pub mod edn;
pub mod elle_json;
pub mod events;
pub mod jepsen_log;
pub mod jsonl;
pub mod objects;
mod recognise;
mod write;

#[cfg(test)]
mod tests;

use core::fmt;

use codec::{Codec, KvCodec, RegisterCodec, StringsCodec};
use datum::Datum;
use events::{Event, pair};
use objects::{CounterCodec, ListAppendCodec, LockCodec, QueueCodec, SetCodec};

use super::{
    Budget, Explanation, Level, Report, Verdict, check_level, explain,
    history::{HistoryError, Operation},
    model::Model,
    models::{
        counter::Counter, kv::Kv, lock::Lock, queue::Queue, set::Set, strings::Strings,
        txn::ListAppend,
    },
};

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$vdoc:meta])* $variant:ident => $name:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $type { $($(#[$vdoc])* $variant),+ }

        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name used on the command line and in reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The one with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// Spellings of histories.
    Format {
        /// One JSON object a line.
        Jsonl => "jsonl",
        /// Lines of a `jepsen.log`.
        JepsenLog => "jepsen-log",
        /// EDN maps.
        Edn => "edn",
        /// EDN maps with string keys and values: get, put, append.
        Porcupine => "porcupine",
        /// EDN maps with list-append transactions.
        Elle => "elle",
        /// The same as JSON.
        ElleJson => "elle-json",
    }
}

names! {
    /// Models a file can be checked against.
    ModelName {
        /// The simulator's key-value machine: get, put, delete, cas, append of number tokens.
        Kv => "kv",
        /// Read and write.
        Register => "register",
        /// Read, write and compare-and-set.
        CasRegister => "cas-register",
        /// String values, empty at first: get, put, append.
        KvString => "kv-string",
        /// Add and read.
        Counter => "counter",
        /// Add, remove, contains and read.
        Set => "set",
        /// Enqueue and dequeue.
        Queue => "queue",
        /// Acquire and release.
        Lock => "lock",
        /// Transactions that append to lists and read them.
        ListAppend => "list-append",
    }
}

/// What to check a file against.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions {
    /// The format; recognised from the content if not given.
    pub format: Option<Format>,
    /// The model; recognised from the operations' names if not given.
    pub model: Option<ModelName>,
    /// What is asked of it.
    pub level: Level,
    /// Budget per key.
    pub budget: Budget,
    /// Whether to explain an illegal verdict; only linearizability is explained.
    pub explain: bool,
}

/// The outcome of checking a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReport {
    /// The format it was read as.
    pub format: Format,
    /// The model it was checked against.
    pub model: ModelName,
    /// The outcome.
    pub report: Report,
    /// Why it is illegal, if it is and that was asked for and found within its own budget.
    pub explanation: Option<Explanation>,
}

/// A file that was read as far as its events.
struct Read {
    format: Format,
    model: ModelName,
    events: Vec<Result<Event, HistoryError>>,
}

impl Read {
    fn new(content: &[u8], options: &FileOptions) -> Result<Self, HistoryError> {
        let text = core::str::from_utf8(content).map_err(|error| {
            let before = &content[..error.valid_up_to()];
            let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            HistoryError::Line { line, reason: "not UTF-8".into() }
        })?;
        if text.trim().is_empty() {
            return Err(HistoryError::Empty);
        }
        let mut format = match options.format {
            Some(format) => format,
            None => recognise::format(text)?,
        };
        let events = events_of(format, text);
        if options.format.is_none() && format == Format::Edn {
            format = recognise::kind_of_edn(&events);
        }
        let model = match options.model {
            Some(model) => model,
            None => recognise::model(format, &events)?,
        };
        Ok(Self { format, model, events })
    }
}

fn events_of(format: Format, text: &str) -> Vec<Result<Event, HistoryError>> {
    let mut events: Vec<_> = match format {
        Format::Jsonl => jsonl::events(text).collect(),
        Format::JepsenLog => jepsen_log::events(text).collect(),
        Format::Edn | Format::Porcupine | Format::Elle => edn::events(text),
        Format::ElleJson => elle_json::events(text),
    };
    for event in &mut events {
        let Ok(read) = event else { continue };
        let reason = match format {
            Format::Porcupine if !matches!(read.key, Datum::Text(_)) => {
                "the map has no string :key"
            }
            Format::Elle | Format::ElleJson if read.f != "txn" => "not a transaction",
            _ => continue,
        };
        *event = Err(HistoryError::Line { line: read.line, reason: reason.into() });
    }
    events
}

/// What is done with a history once its model is known.
trait Job {
    type Done;

    fn run<C: Codec>(
        self,
        codec: impl Fn() -> C,
        model: impl Fn(&History<C>) -> C::Model,
        events: Vec<Result<Event, HistoryError>>,
    ) -> Result<Self::Done, HistoryError>
    where
        C::Model: Clone;
}

type History<C> =
    [Operation<<<C as Codec>::Model as Model>::Call, <<C as Codec>::Model as Model>::Reply>];

fn with_model<J: Job>(read: Read, job: J) -> Result<J::Done, HistoryError> {
    let Read { format, model, events } = read;
    let answers = format == Format::JepsenLog;
    match model {
        ModelName::Kv => job.run(KvCodec::default, |_| Kv, events),
        ModelName::Register | ModelName::CasRegister => {
            let cas = model == ModelName::CasRegister;
            job.run(|| RegisterCodec::new(cas, answers), |_| Kv, events)
        }
        ModelName::KvString => job.run(StringsCodec::default, |_| Strings, events),
        ModelName::Counter => {
            job.run(|| CounterCodec::new(format == Format::Jsonl), |_| Counter, events)
        }
        ModelName::Set => job.run(SetCodec::default, Set::of, events),
        ModelName::Queue => job.run(QueueCodec::default, |_| Queue, events),
        ModelName::Lock => job.run(LockCodec::default, |_| Lock, events),
        ModelName::ListAppend => job.run(ListAppendCodec::default, |_| ListAppend, events),
    }
}

/// Checks one file. `stop` is polled during a search; the command line ends a search by time
/// with it.
///
/// # Errors
/// When the file cannot be read as a history; nothing is guessed.
pub fn check_file(
    content: &[u8],
    options: &FileOptions,
    stop: &mut dyn FnMut() -> bool,
) -> Result<FileReport, HistoryError> {
    let read = Read::new(content, options)?;
    let (format, model) = (read.format, read.model);
    let (report, explanation) = with_model(read, Check { options, stop })?;
    Ok(FileReport { format, model, report, explanation })
}

/// Reads a history of the simulator's key-value machine in our own format.
///
/// # Errors
/// The first bad line; nothing is guessed.
pub fn read_jsonl(text: &str) -> Result<Vec<Operation>, HistoryError> {
    pair(&mut KvCodec, jsonl::events(text))
}

struct Check<'a> {
    options: &'a FileOptions,
    stop: &'a mut dyn FnMut() -> bool,
}

impl Job for Check<'_> {
    type Done = (Report, Option<Explanation>);

    fn run<C: Codec>(
        self,
        codec: impl Fn() -> C,
        model: impl Fn(&History<C>) -> C::Model,
        events: Vec<Result<Event, HistoryError>>,
    ) -> Result<Self::Done, HistoryError>
    where
        C::Model: Clone,
    {
        let Self { options, stop } = self;
        let history = pair(&mut codec(), events)?;
        let model = model(&history);
        let report = check_level(&model, &history, options.level, &options.budget, stop)?;
        let explanation = match &report.verdict {
            Verdict::Illegal(illegal)
                if options.explain && options.level == Level::Linearizable =>
            {
                explain(&model, &history, illegal, stop)
            }
            _ => None,
        };
        Ok((report, explanation))
    }
}

/// Writes one file in another format. What was written is read back and compared: it is the same
/// history or an error.
///
/// # Errors
/// When the file cannot be read as a history, or the history cannot be said in `to`.
pub fn convert(content: &[u8], options: &FileOptions, to: Format) -> Result<String, HistoryError> {
    let read = Read::new(content, options)?;
    let (from, model) = (read.format, read.model);
    with_model(read, Convert { from, model, to })
}

struct Convert {
    from: Format,
    model: ModelName,
    to: Format,
}

impl Job for Convert {
    type Done = String;

    fn run<C: Codec>(
        self,
        codec: impl Fn() -> C,
        _model: impl Fn(&History<C>) -> C::Model,
        events: Vec<Result<Event, HistoryError>>,
    ) -> Result<String, HistoryError>
    where
        C::Model: Clone,
    {
        let Self { from, model, to } = self;
        let was = write::plain(&pair(&mut codec(), events.iter().cloned())?);
        let events: Vec<Event> = events.into_iter().flatten().collect();
        let answers = from == Format::JepsenLog && model == ModelName::CasRegister;
        let text = write::write(to, &events, from != Format::Jsonl, &|f| answers && f == "cas");
        let options = FileOptions { format: Some(to), model: Some(model), ..Default::default() };
        let back = Read::new(text.as_bytes(), &options).and_then(|read| with_model(read, Plain));
        let cannot = |why: &str| {
            Err(HistoryError::Format { reason: format!("this cannot be said in {to}: {why}") })
        };
        match back {
            Ok(is) => match write::difference(&was, &is) {
                None => Ok(text),
                Some(why) => cannot(&why),
            },
            Err(why) => cannot(&format!("what was written reads \"{why}\"")),
        }
    }
}

/// A history as plain text, to compare two readings of it.
struct Plain;

impl Job for Plain {
    type Done = Vec<write::Said>;

    fn run<C: Codec>(
        self,
        codec: impl Fn() -> C,
        _model: impl Fn(&History<C>) -> C::Model,
        events: Vec<Result<Event, HistoryError>>,
    ) -> Result<Self::Done, HistoryError>
    where
        C::Model: Clone,
    {
        Ok(write::plain(&pair(&mut codec(), events)?))
    }
}

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
pub mod events;
pub mod jepsen_log;
pub mod jsonl;

#[cfg(test)]
mod tests;

use core::fmt;

use codec::{Codec, KvCodec, RegisterCodec, StringsCodec};
use events::{Event, pair};

use super::{
    Budget, Explanation, Report, Verdict, check_model, explain,
    history::{HistoryError, Operation},
    models::{kv::Kv, strings::Strings},
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
    }
}

/// What to check a file against.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileOptions {
    /// The format; recognised from the content if not given.
    pub format: Option<Format>,
    /// The model; recognised from the operations' names if not given.
    pub model: Option<ModelName>,
    /// Budget per key.
    pub budget: Budget,
    /// Whether to explain an illegal verdict.
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
    let text = core::str::from_utf8(content).map_err(|error| {
        let line = content[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        HistoryError::Line { line, reason: "not UTF-8".into() }
    })?;
    if text.trim().is_empty() {
        return Err(HistoryError::Empty);
    }
    let format = match options.format {
        Some(format) => format,
        None => recognise(text)?,
    };
    let events: Vec<_> = match format {
        Format::Jsonl => jsonl::events(text).collect(),
        Format::JepsenLog => jepsen_log::events(text).collect(),
        Format::Edn => edn::events(text),
    };
    let model = match options.model {
        Some(model) => model,
        None => recognise_model(format, &events)?,
    };
    let (report, explanation) = match model {
        ModelName::Kv => run(KvCodec, events, options, stop, Kv),
        ModelName::Register | ModelName::CasRegister => {
            let cas = model == ModelName::CasRegister;
            let codec = RegisterCodec::new(cas, format == Format::JepsenLog);
            run(codec, events, options, stop, Kv)
        }
        ModelName::KvString => run(StringsCodec, events, options, stop, Strings),
    }?;
    Ok(FileReport { format, model, report, explanation })
}

fn run<C: Codec>(
    mut codec: C,
    events: Vec<Result<Event, HistoryError>>,
    options: &FileOptions,
    stop: &mut dyn FnMut() -> bool,
    model: C::Model,
) -> Result<(Report, Option<Explanation>), HistoryError> {
    let history = pair(&mut codec, events)?;
    let report = check_model(&model, &history, &options.budget, stop)?;
    let explanation = match &report.verdict {
        Verdict::Illegal(illegal) if options.explain => explain(&model, &history, illegal, stop),
        _ => None,
    };
    Ok((report, explanation))
}

/// Reads a history of the simulator's key-value machine in our own format.
///
/// # Errors
/// The first line that is wrong.
pub fn read_jsonl(text: &str) -> Result<Vec<Operation>, HistoryError> {
    pair(&mut KvCodec, jsonl::events(text))
}

/// The format of `text`, by its first line that says something.
fn recognise(text: &str) -> Result<Format, HistoryError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with(';'));
    let first = first.unwrap_or_default();
    let inside = first.strip_prefix('[').unwrap_or(first).trim_start();
    let inside = inside.strip_prefix('{').map(str::trim_start);
    if inside.is_some_and(|rest| rest.starts_with(':')) || first.starts_with('#') || first == "[" {
        return Ok(Format::Edn);
    }
    if first.starts_with('{') && inside.is_some_and(|rest| rest.starts_with('"')) {
        return Ok(Format::Jsonl);
    }
    if text.lines().any(|line| line.contains(jepsen_log::MARKER)) {
        return Ok(Format::JepsenLog);
    }
    Err(HistoryError::Format {
        reason: format!(
            "the format is not recognised from {:?}; name one of {} with --format",
            first.chars().take(40).collect::<String>(),
            list(Format::ALL.iter().map(|format| format.name()))
        ),
    })
}

/// The model that knows all names used, if exactly one is meant.
fn recognise_model(
    format: Format,
    events: &[Result<Event, HistoryError>],
) -> Result<ModelName, HistoryError> {
    let mut names: Vec<&str> = Vec::new();
    for event in events {
        // A bad line is told as such, not as an unknown model.
        let event = event.as_ref().map_err(Clone::clone)?;
        if !names.contains(&event.f.as_str()) {
            names.push(&event.f);
        }
    }
    let only = |known: &[&str]| names.iter().all(|name| known.contains(name));
    if names.is_empty() {
        Err(HistoryError::Empty)
    } else if format == Format::Jsonl && only(&["get", "put", "delete", "cas", "append"]) {
        Ok(ModelName::Kv)
    } else if only(&["read", "write", "cas"]) {
        Ok(ModelName::CasRegister)
    } else if only(&["get", "put", "append"]) {
        Ok(ModelName::KvString)
    } else {
        Err(HistoryError::Format {
            reason: format!(
                "no model knows all of the operations {}; name one of {} with --model",
                list(names.iter().copied()),
                list(ModelName::ALL.iter().map(|model| model.name()))
            ),
        })
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

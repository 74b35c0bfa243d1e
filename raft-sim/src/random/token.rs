//! Seed tokens: `rs1:default:00c0ffee`, the short name of a run.
//!
//! **Intuition.** A bare number means another run as soon as the generator changes. The token says
//! which generator it was made for, so an old one is refused instead of quietly meaning something
//! else; the schedule, which is data, replays on.
//! **Source.** Ours.
//! **Upholds.** `inv:pure`.
//! **Not here.** `--seed random` (`cli/`), the generator (`fault/swarm.rs`).

use core::fmt;

/// The generator's version. Raised whenever any seed's plan or schedule changes.
pub const GENERATOR: u32 = 1;

/// A seed under a profile of the current generator.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeedToken {
    /// Profile name.
    pub profile: String,
    /// Seed.
    pub seed: u64,
}

impl fmt::Display for SeedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rs{GENERATOR}:{}:{:08x}", self.profile, self.seed)
    }
}

/// What was given as a seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeedArgument {
    /// A number: decimal, `0x` hex, or a git hash reduced to one.
    Number(u64),
    /// A token: it brings its profile along.
    Token(SeedToken),
}

/// Why a seed was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SeedError {
    /// None of the accepted forms.
    Form {
        /// As given.
        text: String,
    },
    /// A number beyond 64 bits.
    TooLarge {
        /// As given.
        text: String,
    },
    /// A token of another generator.
    Generator {
        /// As given.
        text: String,
        /// The version it names.
        version: String,
    },
    /// A token whose profile part is not a name.
    Profile {
        /// As given.
        text: String,
    },
}

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form { text } => write!(
                f,
                "seed {text:?} is neither decimal, 0x hex, a token like \
                 rs{GENERATOR}:default:00c0ffee, nor a 40-digit git hash"
            ),
            Self::TooLarge { text } => {
                write!(f, "seed {text:?} does not fit in 64 bits")
            }
            Self::Generator { text, version } => write!(
                f,
                "seed token {text:?} is for generator rs{version}, this is rs{GENERATOR}: the \
                 same seed would be another run; use the schedule instead"
            ),
            Self::Profile { text } => write!(
                f,
                "seed token {text:?} names no profile: expected lower-case letters, digits and \
                 hyphens between the colons"
            ),
        }
    }
}

impl core::error::Error for SeedError {}

/// Reads a seed as people give it.
///
/// A git hash (40 hex digits) stands for its first 16 digits.
///
/// # Errors
/// Says which form was expected; a token of an unknown generator is refused with what to do.
pub fn parse(text: &str) -> Result<SeedArgument, SeedError> {
    let given = || text.to_owned();
    if let Some(rest) = text.strip_prefix("rs")
        && let Some((version, rest)) = rest.split_once(':')
    {
        return token(text, version, rest).map(SeedArgument::Token);
    }
    let hex_only = !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit());
    if text.len() == 40 && hex_only {
        let head = text.get(..16).unwrap_or_default();
        return hex(text, head).map(SeedArgument::Number);
    }
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return hex(text, digits).map(SeedArgument::Number);
    }
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SeedError::Form { text: given() });
    }
    text.parse().map(SeedArgument::Number).map_err(|_| SeedError::TooLarge { text: given() })
}

fn token(text: &str, version: &str, rest: &str) -> Result<SeedToken, SeedError> {
    let given = || text.to_owned();
    if version.is_empty() || !version.bytes().all(|b| b.is_ascii_digit()) {
        return Err(SeedError::Form { text: given() });
    }
    if version.parse() != Ok(GENERATOR) {
        return Err(SeedError::Generator { text: given(), version: version.to_owned() });
    }
    let Some((profile, seed)) = rest.split_once(':') else {
        return Err(SeedError::Form { text: given() });
    };
    let named = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if profile.is_empty() || !profile.bytes().all(named) {
        return Err(SeedError::Profile { text: given() });
    }
    Ok(SeedToken { profile: profile.to_owned(), seed: hex(text, seed)? })
}

fn hex(text: &str, digits: &str) -> Result<u64, SeedError> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(SeedError::Form { text: text.to_owned() });
    }
    u64::from_str_radix(digits, 16).map_err(|_| SeedError::TooLarge { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        assert_eq!(parse("0"), Ok(SeedArgument::Number(0)));
        assert_eq!(parse("18446744073709551615"), Ok(SeedArgument::Number(u64::MAX)));
        assert_eq!(parse("0xC0ffee"), Ok(SeedArgument::Number(0x00c0_ffee)));
        assert_eq!(
            parse("54f230c1aa0011223344556677889900aabbccdd"),
            Ok(SeedArgument::Number(0x54f2_30c1_aa00_1122))
        );
        let token = SeedToken { profile: "default".to_owned(), seed: 0x00c0_ffee };
        assert_eq!(token.to_string(), "rs1:default:00c0ffee");
        assert_eq!(parse("rs1:default:00c0ffee"), Ok(SeedArgument::Token(token)));
    }

    #[test]
    fn tokens_survive_a_round_trip() {
        for seed in [0, 1, 0xffff_ffff, u64::MAX] {
            let token = SeedToken { profile: "out-of-model".to_owned(), seed };
            assert_eq!(parse(&token.to_string()), Ok(SeedArgument::Token(token)));
        }
    }

    #[test]
    fn refusals_say_what_to_do() {
        let say = |text: &str| parse(text).unwrap_err().to_string();
        assert!(say("rs2:default:1").contains("use the schedule instead"));
        assert!(say("rs99999999999:default:1").contains("use the schedule instead"));
        assert!(say("rs1:Default:1").contains("names no profile"));
        assert!(say("18446744073709551616").contains("64 bits"));
        assert!(say("0x1ffffffffffffffff").contains("64 bits"));
        for text in [
            "",
            "seven",
            "-1",
            "+1",
            "1.5",
            "rs:default:1",
            "rs1:default",
            "rs1:default:",
            "rs1:default:xyz",
            "0x",
            "0x+1",
            "deadbeef",
        ] {
            assert!(say(text).contains("neither decimal"), "{text}");
        }
    }
}

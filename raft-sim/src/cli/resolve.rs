//! From arguments as typed to settings that hold: every name looked up, every number in range.
//!
//! **Intuition.** Parse low, resolve high, then run: a command starts only when nothing can be
//! wrong with its arguments any more.
//! **Source.** ripgrep's three steps.
//! **Upholds.** —
//! **Not here.** Syntax (`args.rs`), doing it (one file a command).

use core::{
    hash::{BuildHasher, Hasher},
    ops::Range,
};
use std::thread;

use crate::{
    cli::{
        args::{PlanArgs, SeedArgs},
        error::CliError,
    },
    fault::{axes::AxisChoice, plan::Axis},
    fuzz::recipe::{Recipe, RecipeError, Setting, nanoseconds},
    oracle::OracleId,
    random::token::{self, SeedArgument},
    system::System,
};

/// Runs of a campaign of which neither length nor range nor time was given.
pub const RUNS_DEFAULT: u64 = 1_000;
/// Profile if none is given.
pub const PROFILE_DEFAULT: &str = "default";

/// A seed with the profile its token brought along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// The number.
    pub number: u64,
    /// From a token.
    pub profile: Option<String>,
    /// Drawn here and now: to be printed first.
    pub random: bool,
}

/// Which seeds a campaign runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// First seed and, if the number is bounded, the one after the last.
    pub first: u64,
    /// How many, `None` for as many as fit into the time.
    pub count: Option<u64>,
    /// When to stop, in milliseconds.
    pub time_ms: Option<u64>,
    /// See [`Seed`].
    pub profile: Option<String>,
    /// See [`Seed`].
    pub random: bool,
}

/// Reads one seed.
///
/// # Errors
/// Says which forms exist.
pub fn seed(text: Option<&str>) -> Result<Seed, CliError> {
    let Some(text) = text else { return Ok(Seed { number: 0, profile: None, random: false }) };
    if text == "random" {
        #[expect(clippy::disallowed_methods, reason = "asked for by name, and printed")]
        let drawn = std::hash::RandomState::new().build_hasher().finish();
        // 32 bits are plenty and give the short token.
        return Ok(Seed { number: drawn >> 32, profile: None, random: true });
    }
    match token::parse(text) {
        Ok(SeedArgument::Number(number)) => Ok(Seed { number, profile: None, random: false }),
        Ok(SeedArgument::Token(token)) => {
            Ok(Seed { number: token.seed, profile: Some(token.profile), random: false })
        }
        Err(error) => Err(CliError::BadValue {
            what: "--seed".to_owned(),
            given: text.to_owned(),
            expected: format!("another ({error})"),
        }),
    }
}

/// Reads the seeds of a campaign.
///
/// # Errors
/// Says which of the flags is wrong and what it takes.
pub fn seeds(args: &SeedArgs) -> Result<Seeds, CliError> {
    let time_ms = args.time.as_deref().map(duration_ms).transpose()?;
    if let Some(text) = &args.seeds {
        let Range { start, end } = range(text)?;
        let count = Some(end - start);
        return Ok(Seeds { first: start, count, time_ms, profile: None, random: false });
    }
    let seed = seed(args.seed.as_deref())?;
    let count = args.runs.or(if time_ms.is_some() { None } else { Some(RUNS_DEFAULT) });
    if count.is_some_and(|count| seed.number.checked_add(count).is_none()) {
        return Err(CliError::BadValue {
            what: "--seed with --runs".to_owned(),
            given: format!("{} and {}", seed.number, count.unwrap_or(0)),
            expected: "seeds whose last one still fits into 64 bits".to_owned(),
        });
    }
    Ok(Seeds { first: seed.number, count, time_ms, profile: seed.profile, random: seed.random })
}

fn range(text: &str) -> Result<Range<u64>, CliError> {
    let bad = || CliError::BadValue {
        what: "--seeds".to_owned(),
        given: text.to_owned(),
        expected: "a range A..B with A not above B, such as 0..1000".to_owned(),
    };
    let (start, end) = text.split_once("..").ok_or_else(bad)?;
    let number = |text| match seed(Some(text)) {
        Ok(Seed { number, profile: None, random: false }) => Ok(number),
        _ => Err(bad()),
    };
    let range = number(start)?..number(end)?;
    if range.start > range.end { Err(bad()) } else { Ok(range) }
}

/// Reads a duration in whole milliseconds.
///
/// # Errors
/// Says which form it takes.
pub fn duration_ms(text: &str) -> Result<u64, CliError> {
    let needs_unit = text.bytes().all(|b| b.is_ascii_digit());
    match nanoseconds(text) {
        Some(ns) if !needs_unit && ns >= 1_000_000 => Ok(ns / 1_000_000),
        _ => Err(CliError::BadValue {
            what: "--time".to_owned(),
            given: text.to_owned(),
            expected: "a duration of at least 1ms with a unit, such as 90s, 10m or 2h".to_owned(),
        }),
    }
}

/// Worker threads.
///
/// # Errors
/// Refuses 0.
pub fn jobs(given: Option<usize>) -> Result<usize, CliError> {
    match given {
        Some(0) => Err(CliError::BadValue {
            what: "--jobs".to_owned(),
            given: "0".to_owned(),
            expected: "1 or more".to_owned(),
        }),
        Some(jobs) => Ok(jobs),
        None => Ok(thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// The system of that name, the first if none is named.
///
/// # Errors
/// Lists the names there are.
pub fn system(systems: &[System], name: Option<&str>) -> Result<System, CliError> {
    let found = match name {
        None => systems.first(),
        Some(name) => systems.iter().find(|system| system.name == name),
    };
    found.copied().ok_or_else(|| CliError::UnknownName {
        what: "system",
        given: name.unwrap_or_default().to_owned(),
        known: systems.iter().map(|system| system.name.to_owned()).collect(),
    })
}

/// The recipe of a command's plan flags; `token_profile` comes from a seed token.
///
/// # Errors
/// Unknown names, malformed settings, a profile that contradicts the token; also everything that
/// only shows when a plan is drawn, by drawing the plan of `first_seed`.
pub fn recipe(
    systems: &[System],
    args: &PlanArgs,
    token_profile: Option<&str>,
    first_seed: u64,
) -> Result<Recipe, CliError> {
    let profile = match (args.profile.as_deref(), token_profile) {
        (Some(named), Some(token)) if named != token => {
            return Err(CliError::BadValue {
                what: "--profile".to_owned(),
                given: named.to_owned(),
                expected: format!("none, or `{token}` as the seed token says"),
            });
        }
        (named, token) => named.or(token).unwrap_or(PROFILE_DEFAULT),
    };
    let recipe = Recipe {
        system: system(systems, args.system.as_deref())?,
        profile: profile.to_owned(),
        axes: AxisChoice {
            only: names("axis", &args.only, Axis::ALL, Axis::name)?,
            without: names("axis", &args.without, Axis::ALL, Axis::name)?,
        },
        settings: args.settings.iter().map(|text| setting(text)).collect::<Result<_, _>>()?,
    };
    recipe.plan(first_seed).map_err(|error| refused(&error))?;
    Ok(recipe)
}

/// A recipe that cannot be followed, as a mistake in the flags.
#[must_use]
pub fn refused(error: &RecipeError) -> CliError {
    CliError::BadValue {
        what: match error {
            RecipeError::Profile(_) => "--profile",
            RecipeError::Field { .. } | RecipeError::Value { .. } => "--set",
        }
        .to_owned(),
        given: match error {
            RecipeError::Profile(_) => "that".to_owned(),
            RecipeError::Field { path, .. } => path.clone(),
            RecipeError::Value { path, value, .. } => format!("{path}={value}"),
        },
        expected: format!("another ({error})"),
    }
}

/// Oracles that are off.
///
/// # Errors
/// Lists the ids there are.
pub fn oracles(ids: &[String]) -> Result<Vec<OracleId>, CliError> {
    names("oracle", ids, OracleId::ALL, OracleId::name)
}

fn setting(text: &str) -> Result<Setting, CliError> {
    match text.split_once('=') {
        Some((path, value)) if !path.is_empty() => {
            Ok(Setting { path: path.trim().to_owned(), value: value.trim().to_owned() })
        }
        _ => Err(CliError::BadValue {
            what: "--set".to_owned(),
            given: text.to_owned(),
            expected: "FIELD=VALUE, such as axis.loss=0.1 or knobs.pre_vote=false".to_owned(),
        }),
    }
}

fn names<T: Copy>(
    what: &'static str,
    given: &[String],
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<Vec<T>, CliError> {
    let find = |text: &String| {
        all.iter().copied().find(|&item| name(item) == text).ok_or_else(|| CliError::UnknownName {
            what,
            given: text.clone(),
            known: all.iter().map(|&item| name(item).to_owned()).collect(),
        })
    };
    given.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::{Seeds, duration_ms, jobs, oracles, range, seed, seeds};
    use crate::{cli::args::SeedArgs, oracle::OracleId};

    fn args() -> SeedArgs {
        SeedArgs { seed: None, seeds: None, runs: None, time: None }
    }

    #[test]
    fn a_bare_campaign_is_a_thousand_seeds_from_zero() {
        let bare =
            Seeds { first: 0, count: Some(1_000), time_ms: None, profile: None, random: false };
        assert_eq!(seeds(&args()).unwrap(), bare);
    }

    #[test]
    fn time_alone_means_as_many_as_fit() {
        let timed = seeds(&SeedArgs { time: Some("10m".into()), ..args() }).unwrap();
        assert_eq!((timed.count, timed.time_ms), (None, Some(600_000)));
        let both = SeedArgs { time: Some("2s".into()), runs: Some(7), ..args() };
        assert_eq!(seeds(&both).unwrap().count, Some(7));
    }

    #[test]
    fn tokens_bring_their_profile() {
        let token = seed(Some("rs1:smoke:00c0ffee")).unwrap();
        assert_eq!((token.number, token.profile.as_deref()), (0x00c0_ffee, Some("smoke")));
        assert!(seed(Some("random")).unwrap().random);
    }

    #[test]
    fn ranges_are_half_open_and_upright() {
        assert_eq!(range("5..0x10").unwrap(), 5..16);
        for bad in ["", "5", "7..5", "a..b", "..", "rs1:default:1..3", "random..9"] {
            assert!(range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn refusals_tell_what_to_give() {
        let say = |e: crate::cli::error::CliError| e.to_string();
        assert!(say(seed(Some("lucky")).unwrap_err()).contains("0x hex"));
        assert!(say(duration_ms("10").unwrap_err()).contains("90s"));
        assert!(say(jobs(Some(0)).unwrap_err()).contains("1 or more"));
        assert!(say(oracles(&["nope".into()]).unwrap_err()).contains("election-safety"));
        let too_far = SeedArgs { seed: Some(u64::MAX.to_string()), runs: Some(2), ..args() };
        assert!(say(seeds(&too_far).unwrap_err()).contains("64 bits"));
        assert_eq!(oracles(&["live".into()]).unwrap(), [OracleId::Live]);
    }
}

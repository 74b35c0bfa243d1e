//! From seed to schedule with the caller's wishes: axes on or off, single fields of the plan.
//!
//! **Intuition.** A wish is applied to the plan, between the two draws, so everything else about
//! the seed stays as it was. An axis that is wished for has the intensities the seed drew for it,
//! whether or not it would have been on.
//! **Source.** Ours; attribution by single axes as in swarm testing.
//! **Upholds.** `inv:pure`: wishes and seed alone decide.
//! **Not here.** The draws (`fault/swarm.rs`), reading flags (`cli/resolve.rs`).

use core::fmt;

use serde_json::Value;

use crate::{
    fault::{
        axes::AxisChoice,
        plan::{Axis, Plan},
        schedule::Schedule,
        swarm,
    },
    system::System,
};

/// A wish for one field of the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Path from the plan's root, such as `knobs.pre_vote`.
    pub path: String,
    /// The value as typed.
    pub value: String,
}

/// What turns seeds into schedules.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The system under test.
    pub system: System,
    /// Profile of the plans.
    pub profile: String,
    /// Axes forced on or off.
    pub axes: AxisChoice,
    /// Fields set by hand, last.
    pub settings: Vec<Setting>,
}

/// A wish that cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecipeError {
    /// The generator refused, in its words.
    Profile(String),
    /// No such field.
    Field {
        /// The path as typed.
        path: String,
        /// What exists at the last place that was found.
        known: Vec<String>,
    },
    /// The value does not fit the field.
    Value {
        /// The path as typed.
        path: String,
        /// The value as typed.
        value: String,
        /// What would fit.
        expected: String,
    },
}

impl fmt::Display for RecipeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Profile(why) => f.write_str(why),
            Self::Field { path, known } => {
                write!(f, "a plan has no field `{path}`; there is: {}", known.join(", "))
            }
            Self::Value { path, value, expected } => {
                write!(f, "`{path}` cannot be `{value}`: give {expected}")
            }
        }
    }
}

impl core::error::Error for RecipeError {}

impl Recipe {
    /// Whether plans are taken as drawn, so that a seed token alone names a run.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.axes == AxisChoice::default() && self.settings.is_empty()
    }

    /// The plan of `seed`.
    ///
    /// # Errors
    /// When a wish cannot be granted; the same for every seed of the profile.
    pub fn plan(&self, seed: u64) -> Result<Plan, RecipeError> {
        let plan = self.drawn(seed, &self.axes)?;
        if self.settings.is_empty() {
            return Ok(plan);
        }
        let plan = self.with_axes_set(plan, seed)?;
        set_fields(plan, &self.settings)
    }

    /// The schedule of `seed`.
    ///
    /// # Errors
    /// As [`Recipe::plan`].
    pub fn schedule(&self, seed: u64) -> Result<Schedule, RecipeError> {
        let mut schedule = swarm::schedule(self.plan(seed)?, seed, self.system.name);
        if !self.is_plain() {
            // The token would name the run without the wishes.
            schedule.token = None;
        }
        Ok(schedule)
    }

    fn drawn(&self, seed: u64, axes: &AxisChoice) -> Result<Plan, RecipeError> {
        swarm::plan_with(&self.profile, seed, axes)
            .map_err(|why| RecipeError::Profile(why.to_string()))
    }

    /// Draws once more with the axes that settings such as `axis.loss=5%` switch on.
    fn with_axes_set(&self, plan: Plan, seed: u64) -> Result<Plan, RecipeError> {
        let mut axes: Vec<Axis> = Axis::ALL.iter().copied().filter(|&a| plan.has(a)).collect();
        let before = axes.len();
        for setting in &self.settings {
            if let Some(name) = setting.path.strip_prefix("axis.") {
                let (axis, _) = chance_of_axis(name)?;
                if !axes.contains(&axis) {
                    axes.push(axis);
                }
            }
        }
        if axes.len() == before {
            return Ok(plan);
        }
        self.drawn(seed, &AxisChoice { only: axes, without: Vec::new() })
    }
}

/// Most voters a cluster can have.
const VOTERS_MAX: u32 = 9;

/// Paths of the fields that hold a chance in 2^-32.
const CHANCES: &[(&str, Axis)] = &[
    ("net.loss", Axis::Loss),
    ("net.duplicate", Axis::Duplicate),
    ("net.hold", Axis::Hold),
    ("net.tail", Axis::Delay),
    ("disk.stall", Axis::DiskLatency),
];

fn chance_of_axis(name: &str) -> Result<(Axis, &'static str), RecipeError> {
    let found = CHANCES.iter().find(|(_, axis)| axis.name() == name);
    found.map(|&(path, axis)| (axis, path)).ok_or_else(|| RecipeError::Field {
        path: format!("axis.{name}"),
        known: CHANCES.iter().map(|(_, axis)| format!("axis.{}", axis.name())).collect(),
    })
}

fn set_fields(mut plan: Plan, settings: &[Setting]) -> Result<Plan, RecipeError> {
    for Setting { path, value } in settings {
        let field = match path.strip_prefix("axis.") {
            Some(name) => chance_of_axis(name)?.1,
            None => path,
        };
        plan = set_field(&plan, path, field, value)?;
        if plan.voters == 0 || plan.voters > VOTERS_MAX {
            return Err(RecipeError::Value {
                path: path.clone(),
                value: value.clone(),
                expected: format!("1 to {VOTERS_MAX} voters"),
            });
        }
    }
    Ok(plan)
}

fn set_field(plan: &Plan, typed: &str, path: &str, value: &str) -> Result<Plan, RecipeError> {
    let bad = |expected: String| RecipeError::Value {
        path: typed.to_owned(),
        value: value.to_owned(),
        expected,
    };
    let mut tree = serde_json::to_value(plan).map_err(|error| bad(error.to_string()))?;
    let mut place = &mut tree;
    let mut before = String::new();
    for part in path.split('.') {
        let known: Vec<String> = place
            .as_object()
            .map(|fields| fields.keys().map(|key| format!("{before}{key}")).collect())
            .unwrap_or_default();
        place = place
            .get_mut(part)
            .ok_or_else(|| RecipeError::Field { path: typed.to_owned(), known })?;
        before = format!("{before}{part}.");
    }
    let new = match place {
        Value::Bool(_) => {
            value.parse().map(Value::Bool).map_err(|_| bad("true or false".into()))?
        }
        Value::Number(_) if CHANCES.iter().any(|(chance, _)| *chance == path) => {
            let parts = chance(value).ok_or_else(|| {
                bad("a chance from 0 to 1 such as 0.05, or a percentage such as 5%".into())
            })?;
            Value::from(parts)
        }
        Value::Number(_) if path.ends_with("_ns") => {
            let ns = nanoseconds(value)
                .ok_or_else(|| bad("a time such as 150ms, or whole nanoseconds".into()))?;
            Value::from(ns)
        }
        Value::Number(_) => {
            value.parse::<u64>().map(Value::from).map_err(|_| bad("a whole number".into()))?
        }
        Value::String(_) => Value::from(value),
        Value::Object(_) | Value::Array(_) | Value::Null => {
            return Err(bad(
                "one of its fields; flags such as --only and --without set axes".into()
            ));
        }
    };
    *place = new;
    serde_json::from_value(tree).map_err(|error| bad(format!("a value in range ({error})")))
}

/// Reads `0.05`, `5%` or `1` as parts of 2^32, without floats.
fn chance(text: &str) -> Option<u32> {
    let (digits, shift) = match text.strip_suffix('%') {
        Some(digits) => (digits, 2),
        None => (text, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() || fraction.len() > 15 {
        return None;
    }
    let numerator: u128 = format!("{whole}{fraction}").parse().ok()?;
    let denominator = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()? + shift)?;
    if numerator > denominator {
        return None;
    }
    let parts = (numerator << 32) / denominator;
    Some(u32::try_from(parts).unwrap_or(u32::MAX))
}

/// Reads `10ms`, `3s`, `2m`, `1h`, `7us` or plain nanoseconds.
#[must_use]
pub fn nanoseconds(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let scale: u64 = match unit {
        "" | "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::{chance, nanoseconds};

    #[test]
    fn chances_are_read_without_floats() {
        assert_eq!(chance("0"), Some(0));
        assert_eq!(chance("0.5"), Some(1 << 31));
        assert_eq!(chance("50%"), Some(1 << 31));
        assert_eq!(chance("0.1%"), Some(4_294_967));
        assert_eq!(chance("1"), Some(u32::MAX));
        for bad in ["", ".", "-1", "1.1", "101%", "x", "0.1x", "0.00000000000000001"] {
            assert_eq!(chance(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(nanoseconds("150ms"), Some(150_000_000));
        assert_eq!(nanoseconds("7"), Some(7));
        assert_eq!(nanoseconds("2h"), Some(7_200_000_000_000));
        for bad in ["", "ms", "1.5s", "10 s", "1d", "99999999999h"] {
            assert_eq!(nanoseconds(bad), None, "{bad}");
        }
    }
}

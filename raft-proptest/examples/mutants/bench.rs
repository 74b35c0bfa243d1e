//! Builds the copy and runs its tests.
//!
//! **Intuition.** Scripts first: they tell the stories. Unit tests run only where no script failed.
//! The test programs are run by themselves, so that a build that fails and a test that fails cannot
//! be taken for each other, and one that does not end can be ended.
//! **Source.** Ours.
//! **Upholds.** None in the protocol.
//! **Not here.** What is in the copy (`schema.rs`).

use std::{
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::{schema, state::Fate};

/// Address space of a test program, in KiB: a mutant that allocates without end dies early.
const MEMORY_KIB: u64 = 6 << 20;

pub(crate) struct Bench {
    /// The copy.
    pub(crate) work: PathBuf,
    /// Its build.
    pub(crate) target: PathBuf,
    pub(crate) jobs: u32,
    /// Of one test program.
    pub(crate) limit: Duration,
    /// Words in the names of tests that are left out.
    pub(crate) skip: Vec<String>,
}

/// The built test programs.
pub(crate) struct Programs {
    scripts: PathBuf,
    units: PathBuf,
}

/// What the compiler says is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) code: String,
    pub(crate) text: String,
    /// File from the copy's folder on, and line from 1.
    pub(crate) spans: Vec<(String, usize)>,
}

/// How a test program ended.
struct Run {
    failed: Vec<String>,
    /// The test that was running when the program had to be ended, or fell over.
    stuck: Option<String>,
    fell: bool,
    passed: bool,
}

impl Bench {
    fn cargo(&self, words: &[&str]) -> Result<(bool, Vec<Value>, String), String> {
        let output = Command::new(env!("CARGO"))
            .current_dir(&self.work)
            .args(words)
            .args(["--offline", "--locked", "--message-format=json", "-p", "raft-core"])
            .args(["-j", &self.jobs.to_string()])
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "1")
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .env("RUSTFLAGS", "-Awarnings")
            .output()
            .map_err(|error| format!("cargo: {error}"))?;
        let told = String::from_utf8_lossy(&output.stdout);
        let messages = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        Ok((output.status.success(), messages, errors))
    }

    /// What the compiler has against the core; nothing if it compiles.
    pub(crate) fn check(&self) -> Result<Vec<Complaint>, String> {
        let (fine, messages, errors) = self.cargo(&["check", "--lib"])?;
        if fine {
            return Ok(Vec::new());
        }
        let found: Vec<Complaint> =
            messages.iter().filter(|m| m["message"]["level"] == "error").map(complaint).collect();
        if found.is_empty() { Err(format!("cargo: {errors}")) } else { Ok(found) }
    }

    /// Builds the test programs.
    pub(crate) fn build(&self) -> Result<Programs, String> {
        let words = ["test", "--no-run", "--lib", "--test", "script"];
        let (fine, messages, errors) = self.cargo(&words)?;
        if !fine {
            let told = messages.iter().filter_map(|m| m["message"]["rendered"].as_str());
            let told: Vec<&str> = told.collect();
            return Err(format!("the copy does not build\n{}{errors}", told.concat()));
        }
        let program = |kind: &str| {
            let found = messages.iter().find_map(|message| {
                let wanted = message["target"]["kind"][0] == kind
                    && message["target"]["src_path"].as_str().is_some_and(|p| p.contains("core"))
                    && message["profile"]["test"] == true;
                message["executable"].as_str().filter(|_| wanted)
            });
            found.map(PathBuf::from).ok_or(format!("cargo built no {kind} program"))
        };
        Ok(Programs { scripts: program("test")?, units: program("lib")? })
    }

    /// What the tests say while mutant `number` is on; none is with 0.
    pub(crate) fn judge(
        &self,
        programs: &Programs,
        number: u32,
    ) -> Result<(Fate, Vec<String>), String> {
        let steps = [
            (&programs.scripts, Fate::KilledByScripts, ""),
            (&programs.units, Fate::KilledByUnitTests, "unit "),
        ];
        for (program, killed, prefix) in steps {
            let run = self.run(program, number)?;
            let mut by: Vec<String> =
                run.failed.into_iter().map(|name| format!("{prefix}{name}")).collect();
            if run.fell {
                let fate = if by.is_empty() { Fate::Hangs } else { killed };
                by.extend(run.stuck.map(|name| format!("{prefix}{name}")));
                return Ok((fate, by));
            }
            if !run.passed && by.is_empty() {
                return Err(format!("{} failed and named no test", program.display()));
            }
            if !by.is_empty() {
                return Ok((killed, by));
            }
        }
        Ok((Fate::Survived, Vec::new()))
    }

    /// Runs one test after the other, so that the one which does not end is known.
    fn run(&self, program: &Path, number: u32) -> Result<Run, String> {
        let limited = format!("ulimit -v {MEMORY_KIB}; exec \"$0\" \"$@\"");
        let child = Command::new("sh")
            .current_dir(self.work.join("raft-core"))
            .args(["-c", &limited])
            .arg(program)
            .args(["--test-threads=1", "--color=never"])
            .args(self.skip.iter().flat_map(|word| ["--skip", word]))
            .env(schema::VARIABLE, number.to_string())
            .env("RUST_BACKTRACE", "0")
            .env_remove("UPDATE_EXPECT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let (text, status) = self.watch(child)?;
        let mut run = parse(&text);
        run.passed = status == Some(0);
        // Both test programs end with 0, or with 101 where tests failed.
        run.fell = !matches!(status, Some(0 | 101));
        Ok(run)
    }

    /// All it says, and its exit code if it ended by itself within the limit.
    fn watch(&self, mut child: Child) -> Result<(String, Option<i32>), String> {
        let mut output = child.stdout.take().ok_or("no output to read")?;
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut bytes = Vec::new();
                // What was read before an error still counts.
                let _ = output.read_to_end(&mut bytes);
                let _ = tell.send(());
                bytes
            });
            let in_time = told.recv_timeout(self.limit).is_ok();
            if !in_time {
                child.kill().map_err(|error| format!("cannot end a test: {error}"))?;
            }
            let status =
                child.wait().map_err(|error| format!("cannot wait for a test: {error}"))?;
            let bytes = reader.join().map_err(|_| "the reader of a test's output fell over")?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok((text, status.code().filter(|_| in_time)))
        })
    }
}

fn complaint(message: &Value) -> Complaint {
    let message = &message["message"];
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let spans = message["spans"].as_array().into_iter().flatten();
    let spans = spans.filter(|span| span["is_primary"] == true).map(|span| {
        let line = span["line_start"].as_u64().unwrap_or(0);
        (word(&span["file_name"]), usize::try_from(line).unwrap_or(0))
    });
    Complaint {
        code: word(&message["code"]["code"]),
        text: word(&message["rendered"]),
        spans: spans.collect(),
    }
}

/// Reads the lines `test NAME ... ok`, the last of which may have no end.
fn parse(text: &str) -> Run {
    let mut run = Run { failed: Vec::new(), stuck: None, fell: false, passed: false };
    for line in text.lines().filter_map(|line| line.strip_prefix("test ")) {
        let Some((name, end)) = line.split_once(" ...") else { continue };
        let name = name.trim().to_owned();
        match end.trim() {
            "ok" => {}
            "FAILED" => run.failed.push(name),
            "" => run.stuck = Some(name),
            _ => {}
        }
    }
    run
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_the_test_that_did_not_end_are_named() {
        let run = parse(
            "\nrunning 4 tests\ntest a/b      ... ok\ntest c::d ... FAILED\ntest result: FAILED\n\
             test e ... ",
        );
        assert_eq!(run.failed, ["c::d"]);
        assert_eq!(run.stuck.as_deref(), Some("e"));
        assert!(parse("test a ... ok\n").failed.is_empty());
    }

    #[test]
    fn a_complaint_says_where() {
        let told: Value = serde_json::from_str(
            r#"{"message": {"code": {"code": "E0015"}, "level": "error", "rendered": "error: x",
            "spans": [{"file_name": "a.rs", "line_start": 4, "is_primary": true},
            {"file_name": "b.rs", "line_start": 9, "is_primary": false}]}}"#,
        )
        .expect("json");
        let want = Complaint {
            code: "E0015".into(),
            text: "error: x".into(),
            spans: vec![("a.rs".into(), 4)],
        };
        assert_eq!(complaint(&told), want);
    }
}

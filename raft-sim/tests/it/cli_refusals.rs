//! Bad arguments and bad files: a clear message, the right exit code, nothing on stdout.

use std::fs;

use crate::cli_run::{program, run};

#[test]
fn bad_arguments_are_usage_errors_that_say_what_to_give() {
    let folder = tempfile::tempdir().unwrap();
    for (words, said) in [
        ("fuzz --bogus", "--bogus"),
        ("frobnicate", "frobnicate"),
        ("fuzz --seed lucky", "0x hex"),
        ("fuzz --seed rs999:default:00000001", "use the schedule"),
        ("fuzz --seed rs1:default:00000001 --profile smoke", "as the seed token says"),
        ("fuzz --seeds 9..3", "A..B"),
        ("fuzz --seeds 0..3 --runs 4", "cannot be used with"),
        ("fuzz --time 10", "90s"),
        ("fuzz --runs many", "many"),
        ("fuzz --jobs 0", "1 or more"),
        ("fuzz --profile nope", "default"),
        ("fuzz --system nope", "naive"),
        ("fuzz --only rain", "partition"),
        ("fuzz --without rain", "partition"),
        ("fuzz --without-oracle nope", "election-safety"),
        ("fuzz --set loss", "FIELD=VALUE"),
        ("fuzz --set axis.loss=2", "0 to 1"),
        ("fuzz --set axis.partition=1", "axis.loss"),
        ("fuzz --set knobs.speed=9", "knobs.pre_vote"),
        ("fuzz --set voters=10", "1 to 9"),
        ("run --seed 99999999999999999999", "64 bits"),
        ("replay", "FILE"),
        ("check", "FILE"),
        ("bench --profile nope", "default"),
        ("doctor --system nope", "naive"),
        ("zoo --tree nowhere --zoo nowhere", "nowhere"),
    ] {
        let ran = run(folder.path(), words);
        assert_eq!(ran.code, Some(2), "{words}: {ran:?}");
        assert!(ran.err.contains(said), "{words}: {ran:?}");
        assert_eq!(ran.out, "", "{words}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was written");
}

#[test]
fn environment_variables_are_flags() {
    let folder = tempfile::tempdir().unwrap();
    let output = program(folder.path()).arg("fuzz").env("RAFT_SIM_SEED", "lucky").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let output = program(folder.path())
        .args(["fuzz", "--json", "--quiet"])
        .env("RAFT_SIM_RUNS", "2")
        .env("RAFT_SIM_PROFILE", "smoke")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"runs\": 2,"));
}

#[test]
fn missing_and_foreign_files_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("poem.txt"), "roses are red\n").unwrap();
    fs::write(folder.path().join("empty.json"), "").unwrap();
    for (words, said) in [
        ("replay nothing.json", "nothing.json"),
        ("replay poem.txt", "poem.txt"),
        ("replay empty.json", "empty"),
        ("check nothing.jsonl", "nothing.jsonl"),
        ("check poem.txt", "poem.txt"),
        ("check empty.json", "empty"),
    ] {
        let ran = run(folder.path(), words);
        assert_eq!(ran.code, Some(2), "{words}: {ran:?}");
        assert!(ran.err.contains(said), "{words}: {ran:?}");
    }
}

#[test]
fn an_output_path_through_a_file_is_a_bad_argument() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for words in ["fuzz --runs 1 --out file", "fuzz --runs 1 --out file/below", "run --out file"] {
        let ran = run(folder.path(), words);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("is a file") && ran.err.contains("--out"), "{ran:?}");
    }
}

/// A folder that nobody may write, not even root.
#[cfg(target_os = "linux")]
#[test]
fn an_unwritable_folder_is_an_io_error_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    for command in ["fuzz --runs 100000000", "run"] {
        let ran = run(folder.path(), &format!("{command} --out /proc/raft-sim-out"));
        assert_eq!(ran.code, Some(6), "{ran:?}");
        assert!(ran.err.contains("/proc/raft-sim-out") && ran.err.contains("--out"), "{ran:?}");
    }
}

/// A full disk behind stdout must not look like a pass.
#[cfg(target_os = "linux")]
#[test]
fn results_that_cannot_be_printed_are_an_io_error() {
    let folder = tempfile::tempdir().unwrap();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = program(folder.path())
        .args(["fuzz", "--runs", "1", "--json", "--quiet", "--profile", "smoke"])
        .stdout(full)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(6));
}

//! The machine a table was made on, and processes whose allocator keeps its heap.

use std::{env, fs, process::Command};

/// What a child's allocator does with memory that was freed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heap {
    /// Keeps it. Understood by glibc; other allocators do as they please.
    Kept,
    /// Whatever the system does.
    AsItIs,
}

/// What glibc is told so that it keeps its heap.
const KEPT: [(&str, &str); 3] = [
    ("MALLOC_MMAP_MAX_", "0"),
    ("MALLOC_TRIM_THRESHOLD_", "34359738368"),
    ("MALLOC_TOP_PAD_", "268435456"),
];

/// Runs this program again with `arguments` and returns what it printed.
pub(crate) fn run_self(arguments: &[&str], heap: Heap) -> Result<String, String> {
    let program = env::current_exe().map_err(|e| format!("where am I? {e}"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, value) in KEPT {
        match heap {
            Heap::Kept => command.env(name, value),
            Heap::AsItIs => command.env_remove(name),
        };
    }
    let output = command.output().map_err(|e| format!("cannot run myself: {e}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {why}", arguments.join(" ")));
    }
    String::from_utf8(output.stdout).map_err(|_| String::from("a child printed no text"))
}

/// How often this process touched a page that was not there, so far; 0 where nobody says.
pub(crate) fn page_faults() -> u64 {
    let Ok(stat) = fs::read_to_string("/proc/self/stat") else { return 0 };
    // Fields count from behind the name, which may hold spaces: state is the first.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    fields.split_whitespace().nth(7).and_then(|field| field.parse().ok()).unwrap_or(0)
}

fn first_line_of(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().map(String::from)
}

/// Processor, system, compiler, load and date, as the system tells them.
pub(crate) fn describe() -> String {
    let processor = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        line.split_once(": ").map(|(_, name)| String::from(name))
    });
    let load = fs::read_to_string("/proc/loadavg").ok();
    let load = load.as_deref().and_then(|text| text.split(' ').next());
    let unknown = || String::from("unknown");
    format!(
        "{}, {} processors; {}; {}; load {} at the end; {}",
        processor.unwrap_or_else(unknown),
        std::thread::available_parallelism().map_or(0, usize::from),
        first_line_of("uname", &["-sm"]).unwrap_or_else(unknown),
        first_line_of("rustc", &["--version"]).unwrap_or_else(unknown),
        load.unwrap_or("unknown"),
        first_line_of("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(unknown),
    )
}

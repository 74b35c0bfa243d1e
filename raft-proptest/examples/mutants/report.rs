//! Totals, survivors, and scripts without a mutant.
//!
//! **Intuition.** Nothing here is written by hand: the page says what the records say, and the
//! reasons of survivors stand in the list. A survivor without a reason fails the command.
//! **Source.** Ours.
//! **Upholds.** None in the protocol.
//! **Not here.** The records (`state.rs`).

use std::{collections::BTreeMap, fmt::Write, fs, path::Path};

use crate::{
    list::Mutant,
    state::{Fate, Record},
};

type Known<'a> = [(&'a Mutant, Option<&'a Record>)];

/// The names of all scripts, ascending.
pub(crate) fn scripts(root: &Path) -> Result<Vec<String>, String> {
    fn collect(folder: &Path, prefix: &str, found: &mut Vec<String>) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_dir() {
                collect(&entry.path(), &format!("{prefix}{name}/"), found)?;
            } else if let Some(stem) = name.strip_suffix(".txt") {
                found.push(format!("{prefix}{stem}"));
            }
        }
        Ok(())
    }
    let folder = root.join("raft-core/testdata");
    let mut found = Vec::new();
    collect(&folder, "", &mut found).map_err(|error| format!("{}: {error}", folder.display()))?;
    found.sort();
    Ok(found)
}

/// A survivor that nobody gave a reason for, or a mutant that shows nothing.
pub(crate) fn is_unexplained(mutant: &Mutant, record: Option<&Record>) -> bool {
    match record.map(|record| record.fate) {
        None | Some(Fate::DoesNotCompile) => true,
        Some(Fate::Survived) => mutant.survives.is_none(),
        Some(_) => false,
    }
}

#[derive(Clone, Copy, Default)]
struct Count {
    mutants: usize,
    by_scripts: usize,
    by_units: usize,
    hangs: usize,
    survived: usize,
    /// Of the survivors, those that say why nothing can notice them.
    explained: usize,
    no_program: usize,
    unknown: usize,
}

impl Count {
    fn add(&mut self, mutant: &Mutant, fate: Option<Fate>) {
        self.mutants += 1;
        if fate == Some(Fate::Survived) && mutant.survives.is_some() {
            self.explained += 1;
        }
        *match fate {
            Some(Fate::KilledByScripts) => &mut self.by_scripts,
            Some(Fate::KilledByUnitTests) => &mut self.by_units,
            Some(Fate::Hangs) => &mut self.hangs,
            Some(Fate::Survived) => &mut self.survived,
            Some(Fate::DoesNotCompile) => &mut self.no_program,
            None => &mut self.unknown,
        } += 1;
    }

    fn killed(self) -> usize {
        self.by_scripts + self.by_units + self.hangs
    }

    /// Of the whole list, whatever became of it.
    fn rate(self) -> String {
        percent(self.killed(), self.mutants)
    }

    /// Of the list without the survivors that say why nothing can notice them.
    fn rate_of_unexplained(self) -> String {
        percent(self.killed(), self.mutants - self.explained)
    }
}

/// Rounded down to a tenth.
fn percent(part: usize, whole: usize) -> String {
    let per_mille = (part * 1000).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", per_mille / 10, per_mille % 10)
}

fn count(known: &Known<'_>) -> (BTreeMap<String, Count>, Count) {
    let (mut areas, mut all) = (BTreeMap::<String, Count>::new(), Count::default());
    for (mutant, record) in known {
        let fate = record.map(|record| record.fate);
        areas.entry(mutant.area.clone()).or_default().add(mutant, fate);
        all.add(mutant, fate);
    }
    (areas, all)
}

/// Under how many mutants each script dies.
fn teeth<'a>(known: &Known<'_>, scripts: &'a [String]) -> Vec<(&'a str, usize)> {
    let dies = |script: &String| {
        known.iter().filter(|(_, r)| r.is_some_and(|r| r.by.contains(script))).count()
    };
    scripts.iter().map(|script| (script.as_str(), dies(script))).collect()
}

fn survivors<'a>(known: &'a Known<'_>) -> impl Iterator<Item = &'a Mutant> {
    known.iter().filter(|(_, r)| r.is_some_and(|r| r.fate == Fate::Survived)).map(|(m, _)| *m)
}

/// For a terminal. `whole`: all mutants are in it, so a script without any means something.
pub(crate) fn plain(known: &Known<'_>, scripts: &[String], whole: bool) -> String {
    let mut out = String::new();
    let (areas, all) = count(known);
    let mut row = |name: &str, c: &Count| {
        let _ = writeln!(
            out,
            "{name:14} {:4} mutants  {:4} killed ({} by scripts, {} by unit tests, {} by a test \
             that did not end)  {} survived  {} not compiled  {} not run",
            c.mutants,
            c.killed(),
            c.by_scripts,
            c.by_units,
            c.hangs,
            c.survived,
            c.no_program,
            c.unknown
        );
    };
    areas.iter().for_each(|(name, count)| row(name, count));
    row("all", &all);
    let _ = writeln!(
        out,
        "killed: {} of all, {} without the {} survivors that have a reason",
        all.rate(),
        all.rate_of_unexplained(),
        all.explained
    );
    for mutant in survivors(known) {
        let why = mutant.survives.as_deref().unwrap_or("NO REASON GIVEN");
        let _ = writeln!(out, "survived: {} ({}): {why}", mutant.id, mutant.breaks);
    }
    for (mutant, record) in known {
        if record.is_some_and(|r| r.fate == Fate::DoesNotCompile) {
            let _ = writeln!(out, "does not compile: {}", mutant.id);
        }
        if mutant.survives.is_some() && record.is_some_and(|r| r.fate.is_killed()) {
            let _ = writeln!(out, "has a reason to survive and is killed: {}", mutant.id);
        }
    }
    if whole {
        for (script, _) in teeth(known, scripts).iter().filter(|(_, count)| *count == 0) {
            let _ = writeln!(out, "dies under no mutant: {script}");
        }
    }
    out
}

/// docs/MUTANTS.md.
pub(crate) fn markdown(known: &Known<'_>, scripts: &[String]) -> String {
    let mut out = String::from(
        "# Mutants\n\n\
         Each mutant is one wrong line in a copy of the core; the scripts run against it, and \
         where none of them fails, the unit tests. The list is `raft-core/testdata/mutants/`; this \
         page is written by the command and not by hand:\n\n\
         ```text\n\
         cargo run --release -p raft-proptest --example mutants --no-default-features -- \
         --markdown docs/MUTANTS.md\n\
         ```\n\n",
    );
    let (areas, all) = count(known);
    let _ = writeln!(
        out,
        "{} mutants, {} killed, {} survived: {} of the whole list are killed. {} survivors say below \
         why nothing can notice them; without these it is {}.\n",
        all.mutants,
        all.killed(),
        all.survived,
        all.rate(),
        all.explained,
        all.rate_of_unexplained()
    );
    if all.unknown + all.no_program > 0 {
        let _ = writeln!(out, "{} were not run, {} do not compile.\n", all.unknown, all.no_program);
    }
    out.push_str(
        "| area | mutants | killed | by scripts | by unit tests | by a test that does not end | \
         survived |\n|---|---|---|---|---|---|---|\n",
    );
    for (name, c) in areas.iter().map(|(n, c)| (n.as_str(), *c)).chain([("all", all)]) {
        let (killed, scripts, units) = (c.killed(), c.by_scripts, c.by_units);
        let _ = writeln!(
            out,
            "| {name} | {} | {killed} | {scripts} | {units} | {} | {} |",
            c.mutants, c.hangs, c.survived
        );
    }
    out.push_str("\n## Survivors\n\n");
    if survivors(known).next().is_none() {
        out.push_str("None.\n");
    } else {
        out.push_str("| mutant | breaks | why nothing notices |\n|---|---|---|\n");
        for mutant in survivors(known) {
            let why = mutant.survives.as_deref().unwrap_or("no reason is given: a gap");
            let _ = writeln!(out, "| `{}` | {} | {why} |", mutant.id, mutant.breaks);
        }
    }
    let teeth = teeth(known, scripts);
    let idle = teeth.iter().filter(|(_, count)| *count == 0).count();
    let _ = writeln!(
        out,
        "\n## Scripts\n\nUnder how many mutants each of the {} scripts fails; {idle} fail under \
         none.\n\n| script | mutants |\n|---|---|",
        teeth.len()
    );
    for (script, count) in teeth {
        let _ = writeln!(out, "| {script} | {count} |");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(id: &str, survives: Option<&str>) -> Mutant {
        Mutant {
            id: id.into(),
            area: "election".into(),
            file: "a.rs".into(),
            anchor: "a".into(),
            replacement: "b".into(),
            breaks: "A rule.".into(),
            survives: survives.map(str::to_owned),
        }
    }

    #[test]
    fn the_report_counts_and_names_what_is_open() {
        let (a, b) = (mutant("a", None), mutant("b", Some("nobody can see it")));
        let by = vec!["election/x".to_owned()];
        let killed = Record::new(&a, "", Fate::KilledByScripts, by);
        let alive = Record::new(&b, "", Fate::Survived, Vec::new());
        let known = [(&a, Some(&killed)), (&b, Some(&alive))];
        let scripts = ["election/x".to_owned(), "election/y".to_owned()];
        let told = plain(&known, &scripts, true);
        let rates = "killed: 50.0 % of all, 100.0 % without the 1 survivors that have a reason";
        assert!(told.contains(rates), "{told}");
        assert!(told.contains("survived: b (A rule.): nobody can see it"), "{told}");
        assert!(told.contains("dies under no mutant: election/y\n"), "{told}");
        assert!(!told.contains("dies under no mutant: election/x"), "{told}");
        let page = markdown(&known, &scripts);
        assert!(page.contains("| all | 2 | 1 | 1 | 0 | 0 | 1 |"), "{page}");
        assert!(page.contains("50.0 % of the whole list are killed. 1 survivors say"), "{page}");
        assert!(page.contains("each of the 2 scripts fails; 1 fail under none."), "{page}");
        assert!(page.contains("| election/x | 1 |\n| election/y | 0 |"), "{page}");
        assert!(!is_unexplained(&b, Some(&alive)));
        assert!(is_unexplained(&a, Some(&alive)) && is_unexplained(&a, None));
    }
}

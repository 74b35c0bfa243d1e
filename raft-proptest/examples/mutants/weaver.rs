//! Brings the list into one copy that compiles.
//!
//! **Intuition.** The compiler is asked, and what it has against one mutant's body takes that
//! mutant out: it is no program and shows nothing. What it has against a `const` function that
//! calls a woven one makes that one plain as well.
//! **Source.** Ours.
//! **Upholds.** None in the protocol.
//! **Not here.** How a file is woven (`schema.rs`).

use std::{collections::BTreeMap, path::Path};

use crate::{
    bench::{Bench, Complaint, Programs},
    list::{self, Mutant},
    schema::{self, Woven},
    scratch::Scratch,
};

const LIB: &str = "raft-core/src/lib.rs";

/// "Cannot call a function that is not `const` here."
const NOT_CONST: &str = "E0015";

/// Most times the compiler is asked; each time takes some mutants out, or makes a function plain.
const ROUNDS_MAX: u32 = 24;

/// The copy, and what does not compile.
pub(crate) struct Copy {
    pub(crate) bench: Bench,
    pub(crate) programs: Programs,
    /// Numbers, which count the list from 1.
    pub(crate) left_out: Vec<u32>,
}

/// Every file that a mutant or the switch changes, woven.
fn weave(
    root: &Path,
    mutants: &[(u32, &Mutant)],
    plain: &BTreeMap<String, Vec<usize>>,
) -> Result<BTreeMap<String, Woven>, String> {
    let mut files: BTreeMap<&str, Vec<(u32, &Mutant)>> = BTreeMap::new();
    for (number, mutant) in mutants {
        files.entry(&mutant.file).or_default().push((*number, mutant));
    }
    files.entry(LIB).or_default();
    for file in plain.keys() {
        files.entry(file).or_default();
    }
    let mut out = BTreeMap::new();
    for (file, inside) in files {
        let text = list::read(&root.join(file))?;
        let lines = plain.get(file).map_or(&[][..], Vec::as_slice);
        let mut woven = schema::weave(&text, &inside, lines)?;
        if file == LIB {
            woven.text.push_str(schema::SWITCH);
        }
        out.insert(file.to_owned(), woven);
    }
    Ok(out)
}

/// Whether every mutant has a place, compiler aside.
pub(crate) fn check(root: &Path, mutants: &[Mutant]) -> Result<(), String> {
    weave(root, &numbered(mutants), &BTreeMap::new()).map(drop)
}

fn numbered(mutants: &[Mutant]) -> Vec<(u32, &Mutant)> {
    (1_u32..).zip(mutants).collect()
}

/// Builds the copy. `known_bad` are numbers of which it is known that they do not compile.
pub(crate) fn build(
    root: &Path,
    scratch: &Path,
    mutants: &[Mutant],
    known_bad: &[u32],
    make: impl FnOnce(&Path) -> Bench,
) -> Result<Copy, String> {
    let mut left_out = known_bad.to_vec();
    let mut plain: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let work = scratch.join("work");
    let bench = make(&work);
    for _ in 0..ROUNDS_MAX {
        let mut inside = numbered(mutants);
        inside.retain(|(number, _)| !left_out.contains(number));
        let woven = weave(root, &inside, &plain)?;
        let texts = woven.iter().map(|(file, w)| (file.clone(), w.text.clone())).collect();
        let copy = Scratch::mirror(root, &work, &texts)?;
        assert_eq!(copy.path(), work, "the bench builds the copy");
        let complaints = bench.check()?;
        if complaints.is_empty() {
            let programs = bench.build()?;
            return Ok(Copy { bench, programs, left_out });
        }
        let before = (left_out.len(), plain.values().map(Vec::len).sum::<usize>());
        for complaint in &complaints {
            answer(complaint, root, &woven, &mut left_out, &mut plain)?;
        }
        eprintln!("{} complaints; left out {left_out:?}", complaints.len());
        if before == (left_out.len(), plain.values().map(Vec::len).sum::<usize>()) {
            return Err(format!("no mutant to blame: {}", complaints[0].text));
        }
    }
    Err(format!("after {ROUNDS_MAX} rounds the copy still does not compile"))
}

/// Takes the mutant out, or the `const` away, that the compiler complains of.
fn answer(
    complaint: &Complaint,
    root: &Path,
    woven: &BTreeMap<String, Woven>,
    left_out: &mut Vec<u32>,
    plain: &mut BTreeMap<String, Vec<usize>>,
) -> Result<(), String> {
    for (file, line) in &complaint.spans {
        let found = woven.get(file);
        if let Some(number) = found.and_then(|woven| woven.at(*line)) {
            if !left_out.contains(&number) {
                left_out.push(number);
            }
        } else if complaint.code == NOT_CONST {
            let told = match found {
                Some(woven) => woven.text.clone(),
                None => list::read(&root.join(file))?,
            };
            let original = list::read(&root.join(file))?;
            let lines = plain.entry(file.clone()).or_default();
            let head = schema::head_above(&told, &original, *line);
            let head = head.ok_or(format!("no function to make plain: {}", complaint.text))?;
            if !lines.contains(&head) {
                lines.push(head);
            }
        }
    }
    Ok(())
}

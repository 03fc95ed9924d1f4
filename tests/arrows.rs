//! The arrows between the crate's modules: who may use whom.
//!
//! A module may use what stands on its line of the table, and only modules whose line comes before its own,
//! so that there is no circle. `ARCHITECTURE.md` says what the modules are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the ground to the top.
const ARROWS: &str = "
columns:
text:
token: columns
distribution: token
ngram: token
step: distribution text token
sampling: distribution step token
aside:
fatal: aside token
child: aside fatal token
interrupt: fatal
bounded: interrupt
grammar: bounded child sampling text token
say: token
counter: say
paths:
room:
files: bounded
intervention: text
sequence: intervention step token
model: aside bounded child columns counter fatal files interrupt intervention paths room say text token
engine: aside child distribution grammar intervention model room sampling step token
jinja: text
chat: bounded engine jinja token
glossary: text
colouring: step
settings: bounded colouring distribution engine files grammar intervention model sampling text token
continuation: text token
score: distribution step token
query: aside bounded chat continuation counter distribution engine files intervention sampling score settings step token
lens: chat continuation counter distribution engine intervention model ngram query sampling step text token
separated:
probe: aside bounded chat continuation distribution engine files jinja lens query sampling score separated settings step text token
ask: bounded continuation counter files intervention lens probe query settings step token
command: chat files glossary intervention lens model probe query settings step text
wrap: columns
tokenizer: aside bounded engine model token
report: ask bounded chat colouring columns continuation distribution engine files intervention lens model ngram probe query score settings step text token tokenizer wrap
archive: aside bounded chat distribution engine files intervention model paths report sampling sequence step token
session: archive aside ask bounded chat columns command distribution engine files glossary grammar intervention lens model paths query report sampling score sequence settings step token
loading: engine model paths room say settings
tui: archive aside ask bounded chat colouring columns command counter distribution engine fatal files glossary intervention lens loading model paths query report sampling say score sequence session settings step text token wrap
serve: aside bounded chat distribution engine grammar intervention jinja query report sampling settings step text token
bench: aside distribution engine lens ngram query sampling settings step token
repl: ask command counter engine fatal files interrupt query report say session settings token
pipe: bounded engine interrupt query report say score session settings step token
cli: lens model query report score session settings
app: archive aside bench bounded chat child cli colouring columns counter distribution engine fatal files interrupt lens loading model paths pipe probe query repl report room sampling say score separated serve session settings step text token tokenizer tui
";

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// A file's path as a module's: `probe/run/parts.rs` is probe, run, parts.
fn module_of(path: &Path, root: &Path) -> Vec<String> {
    let inside = path.strip_prefix(root).unwrap().with_extension("");
    inside.iter().map(|part| part.to_string_lossy().into_owned()).collect()
}

/// The code of a file without comments and without its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| line.split_once("//").map_or(line, |(code, _)| code));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let code = code.find("#[cfg(test)]\nmod tests {").map_or(&code[..], |at| &code[..at]);
    // Who may see something is no use of it.
    code.replace("pub(in crate::", "pub(in ")
}

/// The paths that begin here: one, or those in braces.
fn paths(text: &str) -> Vec<Vec<String>> {
    fn tree(rest: &mut &str, before: &[String], found: &mut Vec<Vec<String>>) {
        let mut path = before.to_vec();
        loop {
            *rest = rest.trim_start();
            if let Some(inside) = rest.strip_prefix('{') {
                *rest = inside;
                while !rest.is_empty() && !rest.starts_with('}') {
                    tree(rest, &path, found);
                    // What stands between a name and the next: `as`, and what is no path at all.
                    *rest = rest
                        .trim_start_matches(|c| c != ',' && c != '}')
                        .trim_start_matches(',')
                        .trim_start();
                }
                *rest = rest.strip_prefix('}').unwrap_or(rest);
                return;
            }
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            path.push(rest[..end].to_string());
            *rest = &rest[end..];
            match rest.strip_prefix("::") {
                Some(after) if end > 0 => *rest = after,
                _ => return found.push(path),
            }
        }
    }
    let mut found = Vec::new();
    tree(&mut { text }, &[], &mut found);
    found
}

/// The paths that follow a prefix in code, where the prefix is no part of a longer path.
fn after<'a>(prefix: &'a str, code: &'a str) -> impl Iterator<Item = Vec<String>> + 'a {
    let is_longer = |at: usize| code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let places = code.match_indices(prefix).filter(move |(at, _)| !is_longer(*at));
    places.flat_map(|(at, _)| paths(&code[at + prefix.len()..]))
}

/// The top-level modules that a module's code names, by `crate::…` or by enough `super::`.
fn used(module: &[String], code: &str) -> BTreeSet<String> {
    let up = "super::".repeat(module.len());
    let both = after("crate::", code).chain(after(&up, code));
    both.map(|path| path[0].clone()).filter(|name| !name.is_empty() && name != "super").collect()
}

/// The files that a module's code names: the longest beginning of each path that is one.
fn used_files(module: &[String], code: &str, files: &BTreeSet<Vec<String>>) -> BTreeSet<Vec<String>> {
    let mut all: Vec<Vec<String>> = after("crate::", code).collect();
    for up in 1..=module.len() {
        let above = &module[..module.len() - up];
        let inside = after("super::", code)
            .filter(|path| path.iter().take_while(|name| *name == "super").count() + 1 == up);
        all.extend(inside.map(|path| [above, &path[up - 1..]].concat()));
    }
    let children = files.iter().filter(|file| file.len() == module.len() + 1 && file.starts_with(module));
    for child in children {
        let name = format!("{}::", child[module.len()]);
        all.extend(after(&name, code).map(|path| [&child[..], &path].concat()));
    }
    let file = |path: Vec<String>| {
        (1..=path.len()).rev().map(|end| path[..end].to_vec()).find(|path| files.contains(path))
    };
    let mut found: BTreeSet<Vec<String>> = all.into_iter().filter_map(file).collect();
    found.remove(module);
    found
}

/// Files that are not tests, with the names of their modules.
fn programs() -> BTreeMap<Vec<String>, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let named = sources(&root).into_iter().map(|path| (module_of(&path, &root), path));
    let is_test = |module: &[String]| {
        module.iter().any(|part| ["tests", "testing", "harness"].contains(&part.as_str()))
    };
    named.filter(|(module, _)| !is_test(module) && !["main", "lib"].contains(&module[0].as_str())).collect()
}

fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let files = programs();
    let tops: BTreeSet<&String> = files.keys().map(|module| &module[0]).collect();
    let mut arrows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, path) in &files {
        let own = arrows.entry(module[0].clone()).or_default();
        own.extend(used(module, &code(path)).into_iter().filter(|name| tops.contains(name)));
        own.remove(&module[0]);
    }
    arrows
}

#[test]
fn modules_use_only_what_the_table_says_and_arrows_point_one_way() {
    let arrows = arrows();
    let mut above = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in ARROWS.lines().filter(|line| !line.is_empty()) {
        let (module, allowed) = line.split_once(':').unwrap();
        let allowed: BTreeSet<&str> = allowed.split_whitespace().collect();
        if let Some(later) = allowed.iter().find(|name| !above.contains(**name)) {
            wrong.push(format!("{module} may not use {later}, which does not stand before it in the table"));
        }
        match arrows.get(module) {
            None => wrong.push(format!("there is no module {module}")),
            Some(used) => {
                let used: BTreeSet<&str> = used.iter().map(String::as_str).collect();
                wrong.extend(used.difference(&allowed).map(|name| format!("{module} uses {name}")));
            }
        }
        above.insert(module);
    }
    let missing = arrows.keys().filter(|module| !above.contains(module.as_str()));
    wrong.extend(missing.map(|module| format!("{module} does not stand in the table")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_names_every_module_after_those_it_uses() {
    let map = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let rows = map.lines().skip_while(|line| !line.starts_with("|---")).skip(1);
    let rows = rows.take_while(|line| line.starts_with('|')).filter_map(|line| line.split('|').nth(1));
    let named: Vec<&str> =
        rows.flat_map(|cell| cell.split('`')).map(str::trim).filter(|name| !name.is_empty()).collect();
    let place = |name: &str| named.iter().position(|named| *named == name);
    let arrows = arrows();
    assert_eq!(named.iter().collect::<BTreeSet<_>>().len(), arrows.len());
    for (module, used) in &arrows {
        let own = place(module).unwrap_or_else(|| panic!("{module} is not in the map of ARCHITECTURE.md"));
        let later = used.iter().find(|used| place(used).is_none_or(|used| used > own));
        assert_eq!(later, None, "{module} stands before it in the map of ARCHITECTURE.md");
    }
}

#[test]
fn what_a_module_uses_is_read_from_its_code() {
    let module = ["a".to_string(), "b".to_string()];
    let code =
        "use crate::{x::{self, Y}, z};\nuse super::super::u::V;\nfn f() { crate::w::g(); super::own(); }";
    assert_eq!(used(&module, code), ["u", "w", "x", "z"].map(str::to_string).into());
}

#[test]
fn no_circle_holds_more_than_three_files() {
    let files = programs();
    let known: BTreeSet<Vec<String>> = files.keys().cloned().collect();
    let arrows: BTreeMap<_, _> =
        files.iter().map(|(module, path)| (module, used_files(module, &code(path), &known))).collect();
    let mut reached: BTreeMap<&Vec<String>, BTreeSet<&Vec<String>>> = BTreeMap::new();
    for module in &known {
        let (mut found, mut next) = (BTreeSet::new(), vec![module]);
        while let Some(module) = next.pop() {
            next.extend(arrows[module].iter().filter(|file| found.insert(*file)));
        }
        reached.insert(module, found);
    }
    for module in &known {
        let circle = reached[module].iter().filter(|other| reached[*other].contains(module));
        let circle: Vec<_> = circle.map(|other| other.join("::")).collect();
        assert!(circle.len() <= 3, "a circle of files: {}", circle.join(", "));
    }
}

#[test]
fn files_are_found_by_every_way_to_name_them() {
    let path = |text: &str| text.split("::").map(str::to_string).collect::<Vec<_>>();
    let files: BTreeSet<_> = ["a", "a::b", "a::b::c", "a::d", "e::f"].map(path).into();
    let code = "use crate::e::f::{G, h as i};\nuse super::{d::X, self};\nuse c::Y;\nuse other::e::f;";
    let found = used_files(&path("a::b"), code, &files);
    assert_eq!(found, ["a", "a::b::c", "a::d", "e::f"].map(path).into());
}

//! The action graph of the go command that is run: asked for by a flag, read at the end.
//!
//! The flag goes into the arguments and not into GOFLAGS, so that tests and go commands below this one see the
//! environment that they would have seen without us.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use gobeacon_collectors::CONFIG_FOLDER;
use gobeacon_formats::action_graph::{Action, ActionGraph};

use super::super::style::{self, FAINT, PLAIN, Page};

/// Subcommands that know `-debug-actiongraph` (work.AddBuildFlags).
const KNOW_THE_FLAG: [&str; 5] = ["build", "install", "run", "test", "vet"];
/// Graphs beyond this many bytes are not read.
const LARGEST: u64 = 512 << 20;
/// Bytes that the file system of the graph must have free: the largest graphs seen have some tens of megabytes.
const ROOM: u64 = 256 << 20;
/// How many actions a list shows.
const SHOWN: usize = 5;

/// A go command that writes its graph for us.
#[derive(Debug)]
pub(super) struct Requested {
    command: Vec<OsString>,
    folder: PathBuf,
}

impl Requested {
    /// The command with the flag; `None` where it is no go command that knows it, has it already, or where there is
    /// no place for the file.
    pub(super) fn of(command: &[OsString]) -> Option<Self> {
        let go = Path::new(command.first()?).file_name() == Some(OsStr::new("go"));
        let subcommand = behind_chdir(command, 1);
        let knows = KNOW_THE_FLAG.iter().any(|name| command.get(subcommand).is_some_and(|word| *word == **name));
        if !go || !knows || asked_for(command) {
            return None;
        }
        let folder = private_folder()?;
        let mut flag = OsString::from("-debug-actiongraph=");
        flag.push(folder.join("graph.json"));
        let mut command = command.to_vec();
        command.insert(behind_chdir(&command, subcommand + 1), flag);
        Some(Self { command, folder })
    }

    /// What to run.
    pub(super) fn command(&self) -> &Vec<OsString> {
        &self.command
    }

    /// The graph, where the go command wrote one with times.
    pub(super) fn read(self) -> Option<ActionGraph> {
        let path = self.folder.join("graph.json");
        let size = std::fs::metadata(&path).ok()?.len();
        if size > LARGEST {
            return None;
        }
        ActionGraph::parse(&std::fs::read(&path).ok()?)
    }
}

impl Drop for Requested {
    fn drop(&mut self) {
        // a leftover in the temporary folder is nobody's failure
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whether somebody else wants the graph: the last flag wins, and one in the arguments wins over GOFLAGS.
fn asked_for(command: &[OsString]) -> bool {
    let names_it = |text: &str| text.contains("debug-actiongraph");
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = variable("GOENV").map(PathBuf::from).or_else(|| {
        let base = variable("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = || Some(PathBuf::from(variable("HOME")?).join(CONFIG_FOLDER));
        Some(base.or_else(home)?.join("go/env"))
    });
    command.iter().any(|word| names_it(&word.to_string_lossy()))
        || variable("GOFLAGS").is_some_and(|flags| names_it(&flags.to_string_lossy()))
        || file.and_then(|file| std::fs::read_to_string(file).ok()).is_some_and(|settings| names_it(&settings))
}

/// Behind `-C DIR`, where it stands at `at`: it must be the first flag, before or behind the subcommand.
fn behind_chdir(command: &[OsString], at: usize) -> usize {
    let word = command.get(at).map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    match word.as_str() {
        "-C" | "--C" => (at + 2).min(command.len()),
        word if word.starts_with("-C=") || word.starts_with("--C=") => at + 1,
        _ => at,
    }
}

/// A new folder that only we can read, on a file system with room: a graph that cannot be written would fail the
/// build.
fn private_folder() -> Option<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let base = std::path::absolute(std::env::temp_dir()).ok()?;
    let space = rustix::fs::statvfs(&base).ok()?;
    if space.f_bavail.saturating_mul(space.f_frsize) < ROOM {
        return None;
    }
    let folder = (0..16).find_map(|attempt| {
        let folder = base.join(format!("gobeacon-run-{}-{attempt}", std::process::id()));
        std::fs::DirBuilder::new().mode(0o700).create(&folder).ok().map(|()| folder)
    })?;
    if std::fs::write(folder.join("probe"), [0; 4096]).is_err() {
        let _ = std::fs::remove_dir_all(&folder);
        return None;
    }
    Some(folder)
}

/// The slowest actions and the critical path.
pub(super) fn page(graph: &ActionGraph, page: &mut Page) {
    let ran: Vec<&Action> = graph.actions().filter(|action| action.executed).collect();
    let cached = graph.actions().filter(|action| action.mode == "build" && !action.executed).count();
    let compiled = ran.iter().filter(|action| action.mode == "build").count();
    let counts = format!("{compiled} compiled, {cached} from the build cache");
    page.line(2, &[(FAINT, "build      "), (PLAIN, &counts)]);
    if ran.is_empty() {
        return;
    }
    let mut slowest = ran;
    slowest.sort_by(|a, b| b.seconds().total_cmp(&a.seconds()));
    list("slow steps ", slowest.iter().take(SHOWN).copied(), page);
    let path = graph.critical_path();
    let total: f64 = path.iter().map(|action| action.seconds()).sum();
    let mut longest = path;
    longest.sort_by(|a, b| b.seconds().total_cmp(&a.seconds()));
    // how much of the time no more cores could have saved
    let lead = format!("{} of {}: ", style::seconds(total), style::seconds(graph.seconds()));
    list(&format!("critical   {lead}"), longest.iter().take(SHOWN).copied(), page);
}

fn list<'a>(lead: &str, actions: impl Iterator<Item = &'a Action>, page: &mut Page) {
    let names: Vec<String> = actions
        .map(|action| {
            let what = match action.mode.as_str() {
                "build" => "compile",
                other => other,
            };
            format!("{} {what} {}", style::seconds(action.seconds()), action.package)
        })
        .collect();
    page.line(2, &[(FAINT, lead), (PLAIN, &names.join(", "))]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &[&str]) -> Vec<OsString> {
        command.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_flag_goes_behind_the_subcommand_and_behind_c_and_nowhere_else() {
        let at = |command: &[&str]| {
            Requested::of(&words(command)).map(|it| {
                it.command.iter().position(|w| w.to_string_lossy().starts_with("-debug-actiongraph=")).unwrap()
            })
        };
        assert_eq!(at(&["go", "test", "./..."]), Some(2));
        assert_eq!(at(&["/usr/local/go/bin/go", "build", "-C", "sub", "./..."]), Some(4));
        assert_eq!(at(&["go", "vet", "-C=sub"]), Some(3));
        assert_eq!(at(&["go", "-C", "sub", "build", "-v"]), Some(4));
        assert_eq!(at(&["go", "-C=sub", "run", "."]), Some(3));
        for none in [&["go", "mod", "tidy"][..], &["make", "build"], &["go"], &["go", "build", "-debug-actiongraph=x"]]
        {
            assert_eq!(at(none), None, "{none:?}");
        }
    }

    #[test]
    fn the_folder_is_gone_with_the_request() {
        let requested = Requested::of(&words(&["go", "build"])).unwrap();
        let folder = requested.folder.clone();
        assert!(folder.is_dir());
        assert_eq!(requested.read(), None);
        assert!(!folder.exists());
    }
}

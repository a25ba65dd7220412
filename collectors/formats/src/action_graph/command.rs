//! What the command lines of an action tell of how its package was compiled.
//!
//! Source: cmd/go/internal/work/gc.go (`gc`, `asm`, `asmArgs`, `trimpath`), shell.go (`joinUnambiguously`). The words of
//! a command are parted by blanks, and quoted as Go quotes strings where they need it.
//!
//! Invariant: what differs from build to build of the same package, such as paths of the work folder, is left out.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::counters::Tool;

/// Words that take the next word as their value and say nothing of how a package is compiled.
const WITH_VALUE: [&str; 11] = [
    "-o",
    "-trimpath",
    "-p",
    "-buildid",
    "-goversion",
    "-symabis",
    "-importcfg",
    "-asmhdr",
    "-embedcfg",
    "-pgoprofile",
    "-coveragecfg",
];
/// Words that follow from the package itself, or from the machine.
const OF_THE_PACKAGE: [&str; 5] = ["-std", "-complete", "-nolocalimports", "-pack", "-+"];
/// Longest text of flags that is kept.
const FLAGS: usize = 1024;

/// How a package was compiled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// `go1.27.3`.
    pub toolchain: String,
    /// The language of its module: `go1.20`; empty where none is given.
    pub lang: String,
    /// Flags that somebody chose, parted by blanks; `-trimpath` where it is used.
    pub flags: String,
    /// Where its sources are; empty where the result does not depend on it.
    pub dir: String,
    /// It has files of tests.
    pub test: bool,
    /// It is of the standard library.
    pub std: bool,
    /// It is a program.
    pub main: bool,
    /// Names of its Go files, as a hash.
    pub files: u64,
}

/// The tool that a command runs; `None` for others, such as a C compiler.
pub(super) fn tool(command: &str) -> Option<Tool> {
    let program = words(command).next()?;
    let name = program.rsplit(['/', '\\']).next()?;
    let name = name.strip_suffix(".exe").unwrap_or(name);
    Tool::ALL.into_iter().filter(|tool| *tool != Tool::Test).find(|tool| tool.name() == name)
}

/// GOOS, GOARCH and the like, as the assembler is told of them: `GOAMD64_v1 GOARCH_amd64 GOOS_linux`.
pub(super) fn environment(commands: &[String]) -> Option<String> {
    let asm = commands.iter().find(|command| tool(command) == Some(Tool::Asm))?;
    let mut defined: Vec<String> = Vec::new();
    let mut before = String::new();
    for word in words(asm) {
        if before == "-D" && word.starts_with("GO") {
            defined.push(word.clone());
        }
        before = word;
    }
    defined.sort();
    (!defined.is_empty()).then(|| defined.join(" "))
}

/// How the package was compiled; `None` when no compiler ran.
pub(super) fn compiled(commands: &[String], objdir: &str) -> Option<Compiled> {
    let command = commands.iter().find(|command| tool(command) == Some(Tool::Compile))?;
    let work = objdir.trim_end_matches(['/', '\\']).rsplit_once(['/', '\\']).map_or("", |(work, _)| work);
    let of_work = |word: &str| !work.is_empty() && word.contains(work);
    let mut compiled = Compiled::default();
    let (mut flags, mut files): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let mut words = words(command).skip(1);
    while let Some(word) = words.next() {
        if WITH_VALUE.contains(&word.as_str()) {
            let value = words.next().unwrap_or_default();
            match word.as_str() {
                "-goversion" => compiled.toolchain = value,
                "-p" => compiled.main = value == "main",
                // the work folder is always trimmed
                "-trimpath" if value.split(';').any(|part| !of_work(part)) => flags.push(word),
                "-coveragecfg" => flags.push(word),
                _ => {}
            }
        } else if let Some(lang) = word.strip_prefix("-lang=") {
            lang.clone_into(&mut compiled.lang);
        } else if OF_THE_PACKAGE.contains(&word.as_str()) || word.starts_with("-c=") {
            compiled.std |= word == "-std";
        } else if word.ends_with(".go") && !word.starts_with('-') {
            files.push(word);
        } else if of_work(&word) {
            flags.push(word.split('=').next().unwrap_or_default().to_owned());
        } else {
            flags.push(word);
        }
    }
    let trimmed = flags.iter().any(|flag| flag == "-trimpath");
    let own = files.iter().find(|file| !of_work(file)).and_then(|file| file.rsplit_once(['/', '\\']));
    if let Some((dir, _)) = own.filter(|_| !trimmed && !compiled.std) {
        dir.clone_into(&mut compiled.dir);
    }
    compiled.test = files.iter().any(|file| file.ends_with("_test.go") || file.ends_with("_testmain.go"));
    let names = files.iter().map(|file| file.rsplit(['/', '\\']).next().unwrap_or(file));
    compiled.files = super::hashed(&names.collect::<Vec<_>>().join("\n"));
    compiled.flags = flags.join(" ");
    if compiled.flags.len() > FLAGS {
        compiled.flags = format!("{:016x}", super::hashed(&compiled.flags));
    }
    Some(compiled)
}

/// The flags of a link that somebody chose.
pub(super) fn linked(commands: &[String], objdir: &str) -> Option<String> {
    let command = commands.iter().find(|command| tool(command) == Some(Tool::Link))?;
    let own = |word: &String| {
        let dropped = ["-buildid=", "-extld=", "-X=runtime.godebugDefault="].iter().any(|it| word.starts_with(it));
        !dropped && !word.contains(objdir.trim_end_matches('/'))
    };
    let words: Vec<_> = words(command).skip(1).filter(own).collect();
    Some(words.join(" "))
}

/// The words of a command, without their quotes.
fn words(command: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = command.chars().peekable();
    std::iter::from_fn(move || {
        while rest.next_if(|c| *c == ' ').is_some() {}
        let quoted = rest.next_if_eq(&'"').is_some();
        let mut word = String::new();
        while let Some(c) = rest.next_if(|c| quoted || *c != ' ') {
            match c {
                '"' if quoted => return Some(word),
                '\\' if quoted => word.extend(rest.next()),
                c => word.push(c),
            }
        }
        (!word.is_empty()).then_some(word)
    })
}

/// A time of the graph; a plan has Go's zero time.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(text.as_bytes()).filter(|time| time.as_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJDIR: &str = "/tmp/go-build1/b003/";

    fn of(command: &str) -> Compiled {
        compiled(&[command.to_owned()], OBJDIR).unwrap()
    }

    #[test]
    fn what_somebody_chose_is_told_from_what_the_go_command_adds() {
        let plain = of(
            "/go/pkg/tool/linux_amd64/compile -o /tmp/go-build1/b003/_pkg_.a -trimpath \"/tmp/go-build1/b003=>\" -p \
             example.com/a -lang=go1.20 -complete -buildid x/x -goversion go1.27.3 -c=2 -nolocalimports -importcfg \
             /tmp/go-build1/b003/importcfg -pack /src/a/a.go \"/src/a/b c.go\"",
        );
        assert_eq!((plain.toolchain.as_str(), plain.lang.as_str(), plain.flags.as_str()), ("go1.27.3", "go1.20", ""));
        assert_eq!((plain.dir.as_str(), plain.test, plain.main), ("/src/a", false, false));
        let chosen = of(
            "/go/pkg/tool/linux_amd64/compile -o x -trimpath \"/src/a=>example.com/a;/tmp/go-build1/b003=>\" -p main \
             -goversion go1.27.3 -race -N -c=4 -coveragecfg=/tmp/go-build1/b003/cover.cfg -pack /src/a/a_test.go",
        );
        assert_eq!((chosen.flags.as_str(), chosen.dir.as_str()), ("-trimpath -race -N -coveragecfg", ""));
        assert!(chosen.test && chosen.main);
    }

    #[test]
    fn the_environment_is_what_the_assembler_is_told() {
        let asm = "/go/pkg/tool/linux_amd64/asm -p a -I x -D GOOS_linux -D GOARCH_amd64 -std -D GOAMD64_v3 -o y z.s";
        let environment = environment(&["gcc -D GOOS_x".to_owned(), asm.to_owned()]);
        assert_eq!(environment.as_deref(), Some("GOAMD64_v3 GOARCH_amd64 GOOS_linux"));
        assert_eq!(tool("C:\\go\\link.exe -o x"), Some(Tool::Link));
        assert_eq!(tool("gcc -o x"), None);
    }
}

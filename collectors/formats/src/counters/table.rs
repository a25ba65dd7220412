//! What the counters of Go's tools mean: the ones that are used, one row each.
//!
//! Source: cmd/go/internal/work/buildid.go (`useCache`), cmd/go/main.go (`invoke`), the `main` of each tool. None of
//! them is in Go 1.21 and 1.22, whose tools do not count.
//!
//! Invariant: a counter that is not in the table means nothing.

/// A program that a go command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tool {
    /// The compiler.
    Compile,
    /// The linker.
    Link,
    /// The assembler.
    Asm,
    /// cgo.
    Cgo,
    /// go vet's own program.
    Vet,
    /// What makes sources count their statements.
    Cover,
    /// The binary of a test.
    Test,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Compile, Self::Link, Self::Asm, Self::Cgo, Self::Vet, Self::Cover, Self::Test];

    /// The value of the `tool` label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Compile => "compile",
            Self::Link => "link",
            Self::Asm => "asm",
            Self::Cgo => "cgo",
            Self::Vet => "vet",
            Self::Cover => "cover",
            Self::Test => "test",
        }
    }
}

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning<'a> {
    /// An action whose result was in the build cache, or is the target already.
    CacheHit,
    /// An action whose result was not. With `-a` nothing is looked up, and nothing is counted.
    CacheMiss,
    /// A go command that did not find some package of the standard library: at most one each.
    StdlibRecompiled,
    /// A run of a tool, whatever for.
    Tool(Tool),
    /// A go command, by its subcommand: `build`, `mod-tidy`, `tool-compile`.
    Subcommand(&'a str),
}

/// One row of the table.
#[derive(Debug)]
pub struct Row {
    /// Name of the counter; for subcommands what it begins with.
    pub name: &'static str,
    /// What it means; the subcommand is behind the name.
    pub meaning: Meaning<'static>,
    /// First Go version that has it.
    pub since: &'static str,
}

const fn row(name: &'static str, meaning: Meaning<'static>) -> Row {
    Row { name, meaning, since: "1.23" }
}

/// All counters that are used.
pub static COUNTERS: &[Row] = &[
    row("go/buildcache/hit", Meaning::CacheHit),
    row("go/buildcache/miss", Meaning::CacheMiss),
    row("go/buildcache/stdlib-recompiled", Meaning::StdlibRecompiled),
    row("compile/invocations", Meaning::Tool(Tool::Compile)),
    row("link/invocations", Meaning::Tool(Tool::Link)),
    row("asm/invocations", Meaning::Tool(Tool::Asm)),
    row("cgo/invocations", Meaning::Tool(Tool::Cgo)),
    row("vet/invocations", Meaning::Tool(Tool::Vet)),
    row("cover/invocations", Meaning::Tool(Tool::Cover)),
    row("go/subcommand:", Meaning::Subcommand("")),
];

/// What a counter means; `None` for one that is not used.
pub fn meaning(name: &str) -> Option<Meaning<'_>> {
    COUNTERS.iter().find_map(|row| match row.meaning {
        Meaning::Subcommand(_) => name.strip_prefix(row.name).map(Meaning::Subcommand),
        other @ (Meaning::CacheHit | Meaning::CacheMiss | Meaning::StdlibRecompiled | Meaning::Tool(_)) => {
            (row.name == name).then_some(other)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_means_what_its_row_says_and_others_mean_nothing() {
        assert_eq!(meaning("go/buildcache/miss"), Some(Meaning::CacheMiss));
        assert_eq!(meaning("vet/invocations"), Some(Meaning::Tool(Tool::Vet)));
        assert_eq!(meaning("go/subcommand:mod-tidy"), Some(Meaning::Subcommand("mod-tidy")));
        for other in ["go/invocations", "go/buildcache/misses", "compile/flag:p", "", "gopls/client:vscode"] {
            assert_eq!(meaning(other), None, "{other}");
        }
    }
}

//! The stack that a dying Go program prints: the first place in it that its author can change.
//!
//! The goroutine that died comes first. Its frames are pairs of lines, the function and the place; those of the runtime
//! and of the standard library say how it died, the first other one says where. It must not know what died, nor why.
//!
//! Sources: runtime/traceback.go (printed frames, `created by`), runtime/panic.go; go/build's standard packages by
//! `go list std`.
//!
//! Invariant: it holds one place of at most [`MAX_PATH`] bytes and reads at most [`MAX_LINES`] lines.

use crate::Failure;

/// Longest path kept.
const MAX_PATH: usize = 1024;
/// Lines of the first goroutine that are read; the runtime prints at most 100 frames.
const MAX_LINES: u32 = 256;

/// What the import paths of the standard library and of the toolchain begin with.
const STANDARD: &[&str] = &[
    "archive",
    "bufio",
    "builtin",
    "bytes",
    "cmd",
    "cmp",
    "compress",
    "container",
    "context",
    "crypto",
    "database",
    "debug",
    "embed",
    "encoding",
    "errors",
    "expvar",
    "flag",
    "fmt",
    "go",
    "hash",
    "html",
    "image",
    "index",
    "internal",
    "io",
    "iter",
    "log",
    "maps",
    "math",
    "mime",
    "net",
    "os",
    "path",
    "plugin",
    "reflect",
    "regexp",
    "runtime",
    "simd",
    "slices",
    "sort",
    "strconv",
    "strings",
    "structs",
    "sync",
    "syscall",
    "testing",
    "text",
    "time",
    "unicode",
    "unique",
    "unsafe",
    "vendor",
    "weak",
];

/// A line of a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// As printed: absolute, or `module@version/dir/file.go` and the like under -trimpath.
    pub(crate) file: String,
    pub(crate) line: u32,
}

/// How far the stack has been read.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) enum Stack {
    /// No goroutine was seen.
    #[default]
    Awaited,
    /// In the first goroutine; the line before was a function of the author's.
    Within { of_author: bool, lines: u32 },
    /// There is nothing more to be read.
    Over(Option<Place>),
}

impl Stack {
    /// Whether the next line is wanted for the sake of the first goroutine.
    pub(crate) fn is_within(&self) -> bool {
        matches!(self, Self::Within { .. })
    }

    /// Whether nothing more is wanted.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Over(_))
    }

    /// Gives a failure the place, where one was found.
    pub(crate) fn tell(self, failure: &mut Failure) {
        match self {
            Self::Over(Some(Place { file, line })) => (failure.file, failure.line) = (Some(file), Some(line)),
            Self::Over(None) | Self::Awaited | Self::Within { .. } => {}
        }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Over(Some(place)) => place.file.capacity(),
            Self::Over(None) | Self::Awaited | Self::Within { .. } => 0,
        }
    }

    /// Reads the next line of the dying program's text.
    pub(crate) fn line(&mut self, line: &str) {
        let line = line.trim_end_matches(['\n', '\r']);
        match self {
            Self::Over(_) => {}
            Self::Awaited if is_goroutine(line) => *self = Self::Within { of_author: false, lines: 0 },
            Self::Awaited => {}
            Self::Within { of_author, lines } => {
                *lines += 1;
                match line.strip_prefix('\t') {
                    Some(place) if *of_author => *self = Self::Over(place_of(place)),
                    _ if line.is_empty() || *lines >= MAX_LINES => *self = Self::Over(None),
                    Some(_) => {}
                    None => *of_author = is_of_author(line),
                }
            }
        }
    }
}

/// `goroutine 7 [running]:`, `goroutine 7 gp=0xc000 m=3 mp=0xc001 [running]:`.
pub(crate) fn is_goroutine(line: &str) -> bool {
    line.strip_prefix("goroutine ").is_some_and(|rest| {
        rest.starts_with(|first: char| first.is_ascii_digit()) && rest.ends_with("]:") && rest.contains(" [")
    })
}

/// Whether a function is neither of the runtime nor of the standard library: `corp.example/app/p.TestX(0xc0)`,
/// `main.main()`, `corp.example/app/p.(*T).Do(...)`. `created by` tells who began it, not where it died.
fn is_of_author(function: &str) -> bool {
    if function.starts_with("created by ") {
        return false;
    }
    // in the package's last element a dot is escaped as %2e
    let (above, last) = function.split_once('(').map_or(function, |(name, _)| name).rsplit_once('/').unzip();
    let last = last.unwrap_or(function);
    let Some((package, _)) = last.split_once('.') else { return false };
    let first = above.map_or(package, |above| above.split_once('/').map_or(above, |(first, _)| first));
    !STANDARD.contains(&first)
}

/// `/src/app/p.go:7 +0x28`.
fn place_of(text: &str) -> Option<Place> {
    let (file, rest) = text.rsplit_once(".go:")?;
    let line = rest.split_once(' ').map_or(rest, |(line, _)| line).parse().ok()?;
    // the main function of a test binary is made by the go command
    let is_usable = file != "_testmain" && file.len() <= MAX_PATH;
    is_usable.then(|| Place { file: format!("{file}.go"), line })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureClass;

    fn place(text: &str) -> Option<(String, u32)> {
        let mut stack = Stack::default();
        text.split_inclusive('\n').for_each(|line| stack.line(line));
        let mut failure = Failure::new(FailureClass::TestPanic);
        stack.tell(&mut failure);
        failure.file.zip(failure.line)
    }

    #[test]
    fn the_place_is_the_first_of_the_first_goroutine_that_is_no_library_s() {
        let recovered = "panic: assignment to entry in nil map [recovered, repanicked]\n\ngoroutine 7 [running]:\n\
            testing.tRunner.func1.2({0x55a7a0, 0x6cae70})\n\t/usr/local/go/src/testing/testing.go:1974 +0x232\n\
            panic({0x55a7a0?, 0x6cae70?})\n\t/usr/local/go/src/runtime/panic.go:860 +0x13a\n\
            corp.example/app/panic.TestPanic(0x28779862a488?)\n\t/src/panic/panic_test.go:7 +0x28\n\
            testing.tRunner(0x28779862a488, 0x592e50)\n\t/usr/local/go/src/testing/testing.go:2036 +0xea\n";
        assert_eq!(place(recovered), Some(("/src/panic/panic_test.go".to_owned(), 7)));
        let of_main = "panic: x\n\ngoroutine 1 [running]:\nmain.(*T[...]).do(...)\n\tC:/m (x)/m.go:3\nmain.main()\n";
        assert_eq!(place(of_main), Some(("C:/m (x)/m.go".to_owned(), 3)));
        let trimmed = "fatal error: x\n\nruntime stack:\nruntime.throw(0x1)\n\truntime/panic.go:1 +0x1\n\n\
            goroutine 5 gp=0xc0 m=3 mp=0xc1 [running]:\nencoding/json.Marshal(0x1)\n\tencoding/json/x.go:1 +0x5\n\
            myapp/p.Do()\n\tmyapp/p/p.go:12 +0x5\n";
        assert_eq!(place(trimmed), Some(("myapp/p/p.go".to_owned(), 12)));
    }

    #[test]
    fn a_goroutine_without_such_a_place_and_the_next_ones_tell_none() {
        for text in [
            "goroutine 1 [chan receive]:\ntesting.(*T).Run(0x1)\n\t/go/src/testing/testing.go:1\n\ngoroutine 7 [running]:\na.b/c.F()\n\t/c.go:1\n",
            "goroutine 1 [running]:\nmain.main()\n\t_testmain.go:48 +0x9b\n",
            "goroutine 1 [running]:\ntime.goFunc()\n\t/go/src/time/sleep.go:215\ncreated by a.b/c.F in goroutine 3\n\t/c.go:1\n",
            "goroutine 1 [running]:\na.b/c.F()\n\tno place here\n",
            "a.b/c.F()\n\t/c.go:1\n",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }
}

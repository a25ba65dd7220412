//! The files of the repository, with what is generated, fetched or recorded left out.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// One file of text.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether the path ends in `.` and this.
    pub(crate) fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|it| it == extension)
    }

    /// Lines of a Rust file that are compiled into the product: no comments, nothing from `mod tests` on.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text
            .lines()
            .enumerate()
            .take_while(|(_, line)| !line.starts_with("mod tests"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(n, line)| (n + 1, line))
    }
}

/// Folders that hold nothing a person wrote.
const PASSED_OVER: &[&str] = &["target", ".git", ".cache", "artifacts", "node_modules"];

/// Recorded outputs: they say what they said, and no rule of style is about them.
const RECORDED: &[&str] =
    &["collectors/formats/testdata/", "collectors/formats/fuzz/corpus/", "agent/fuzz/corpus/", "agent/tests/data/"];

static ALL: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let mut found = Vec::new();
    walk(&root(), &mut found);
    found.sort();
    found
});

static TEXTS: LazyLock<Vec<File>> = LazyLock::new(|| {
    ALL.iter()
        .map(|path| (relative(path), path))
        .filter(|(name, _)| !RECORDED.iter().any(|folder| name.starts_with(folder)))
        .filter_map(|(name, path)| Some(File { path: name, text: std::fs::read_to_string(path).ok()? }))
        .collect()
});

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every file that a person wrote or recorded.
pub(crate) fn all() -> &'static [PathBuf] {
    &ALL
}

/// Every file of text that a person wrote.
pub(crate) fn texts() -> &'static [File] {
    &TEXTS
}

/// Every Rust file.
pub(crate) fn rust() -> impl Iterator<Item = &'static File> {
    texts().iter().filter(|file| file.has_extension("rs"))
}

/// The Rust files below one folder.
pub(crate) fn rust_under(folder: &str) -> impl Iterator<Item = &'static File> {
    rust().filter(move |file| file.path.starts_with(folder))
}

/// Reads one file, which must be there.
pub(crate) fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A path as the messages name it.
pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/")
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if entry.file_type().unwrap().is_dir() {
            if !PASSED_OVER.iter().any(|it| name == *it) {
                walk(&entry.path(), found);
            }
        } else if name != ".git" {
            found.push(entry.path());
        }
    }
}

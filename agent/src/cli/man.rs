//! `gobeacon man`: the manual pages, made from the same definitions as the help.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap_mangen::Man as Renderer;

use super::output::{self, Error};
use super::{Exit, Subcommand};

/// Print the manual page, or write one for each subcommand into a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon man | man -l -
  gobeacon man --dir /usr/local/share/man/man1")]
pub(super) struct Man {
    /// Folder for gobeacon.1, gobeacon-parse.1 and so on; it is made where it is missing
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Subcommand for Man {
    const NAME: &'static str = "man";

    fn run(self) -> Result<Exit, Error> {
        let mut root = super::command().disable_help_subcommand(true);
        root.build();
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            Renderer::new(root).render(&mut page)?;
            let mut out = output::stdout();
            out.write_all(&page)?;
            out.flush()?;
            return Ok(Exit::Ok);
        };
        fs::create_dir_all(&dir)
            .and_then(|()| write_all(&root, "gobeacon", &dir))
            .map_err(|error| Error::CannotWrite { path: dir, error })?;
        Ok(Exit::Ok)
    }
}

/// The page of a command, and those of its subcommands.
fn write_all(command: &clap::Command, name: &str, dir: &Path) -> io::Result<()> {
    let mut page = Vec::new();
    // a page is named after the whole command: git-log(1), not log(1)
    Renderer::new(command.clone().name(name.to_owned())).render(&mut page)?;
    fs::write(dir.join(format!("{name}.1")), page)?;
    command.get_subcommands().try_for_each(|sub| write_all(sub, &format!("{name}-{}", sub.get_name()), dir))
}

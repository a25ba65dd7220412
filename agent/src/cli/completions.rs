//! `gobeacon completions`: what a shell needs to complete our command line.

use std::io::Write;

use super::output::{self, Error};
use super::{Exit, Subcommand};

/// Print the completions of a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gobeacon completions bash > /etc/bash_completion.d/gobeacon
  gobeacon completions zsh > \"${fpath[1]}/_gobeacon\"
  gobeacon completions fish > ~/.config/fish/completions/gobeacon.fish")]
pub(super) struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

impl Subcommand for Completions {
    const NAME: &'static str = "completions";

    fn run(self) -> Result<Exit, Error> {
        // the generator stops the program when it cannot write, so it writes into memory
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::command(), "gobeacon", &mut script);
        let mut out = output::stdout();
        out.write_all(&script)?;
        out.flush()?;
        Ok(Exit::Ok)
    }
}

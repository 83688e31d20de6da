//! `sluice completions` and `sluice man`: for those who package it.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

use super::{Cli, Completions, Man};

pub(super) fn completions(arguments: &Completions) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "sluice", &mut text);
    io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn man(arguments: &Man) -> anyhow::Result<ExitCode> {
    let mut command = Cli::command();
    command.build();
    let Some(folder) = &arguments.directory else {
        clap_mangen::Man::new(command).render(&mut io::stdout())?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut pages = vec![("sluice".to_owned(), command.clone())];
    let below = command.get_subcommands();
    pages.extend(
        below
            .filter(|below| below.get_name() != "help")
            .map(|below| (format!("sluice-{}", below.get_name()), below.clone())),
    );
    for (name, command) in pages {
        let path = folder.join(format!("{name}.1"));
        let mut file =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        // A page is found under the name in its head.
        clap_mangen::Man::new(command)
            .title(name)
            .render(&mut file)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

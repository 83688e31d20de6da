//! `sluice token` and `sluice audit`: who may use the admin listener, and what he did.

use std::fs::File;
use std::process::ExitCode;

use anyhow::Context;

use crate::config::file::Role;
use crate::server::admin::{ledger, token};

use super::{Audit, Token, TokenRole};

pub(super) fn run(arguments: &Token) -> anyhow::Result<ExitCode> {
    let (text, hash) = token::make(&arguments.name)?;
    let role: Role = arguments.role.into();
    eprintln!("The token, for its holder; it is not kept anywhere:");
    println!("{text}");
    eprintln!("For the configuration:");
    println!(
        "[[admin.tokens]]\nname = {:?}\nrole = \"{}\"\nhash = \"{hash}\"",
        arguments.name,
        role.code()
    );
    Ok(ExitCode::SUCCESS)
}

pub(super) fn audit(arguments: &Audit) -> anyhow::Result<ExitCode> {
    let path = &arguments.file;
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let intact = ledger::verify(file).with_context(|| path.display().to_string())?;
    println!(
        "{} records, an unbroken chain; its head is {}",
        intact.records, intact.head
    );
    if intact.torn > 0 {
        println!("{} lines were cut short by a kill", intact.torn);
    }
    Ok(ExitCode::SUCCESS)
}

impl From<TokenRole> for Role {
    fn from(role: TokenRole) -> Self {
        match role {
            TokenRole::Viewer => Role::Viewer,
            TokenRole::Operator => Role::Operator,
            TokenRole::Admin => Role::Admin,
        }
    }
}

//! One command: what was read of it, and whether a shell would be told such a thing.

use super::args::Args;
use super::commands::Trade;
use super::shell::{Marks, Separator};

/// The command being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command {
    pub(super) trade: Trade,
    pub(super) separator: Separator,
    pub(super) start: usize,
    pub(super) args: Args,
    pub(super) count: usize,
    pub(super) marks: Marks,
    /// Named by a path or with `.exe`.
    pub(super) path: bool,
    /// `cmd`, `powershell`: run code by option.
    pub(super) windows: bool,
    /// `id`, `w` and such: two letters that are English or a column's name as well.
    pub(super) brief: bool,
}

/// What stands behind a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Value,
    Separator,
    Group,
}

/// Weight and name of a command whose arguments are such as it takes.
pub(super) fn plausible(
    command: &Command,
    ending: Ending,
    commands: u32,
) -> Option<(u8, &'static str)> {
    let args = command.args;
    let bare = command.count == 0;
    let shelly = args.intersects(
        Args::OPTION
            | Args::PATH
            | Args::SENSITIVE
            | Args::VARIABLE
            | Args::REDIRECT
            | Args::FILE
            | Args::URL,
    );
    let broken = command.marks.intersects(Marks::BROKEN | Marks::EXPANDED)
        || command.separator == Separator::Brace;
    let hands_over = matches!(command.separator, Separator::Pipe);
    Some(match command.trade {
        Trade::Recon if bare || shelly || (broken && command.count < 3) => (45, "recon-command"),
        Trade::List if bare && !(command.brief && ending == Ending::Group) => (35, "list-command"),
        Trade::List if shelly || (broken && command.count < 3) => (35, "list-command"),
        Trade::Read if args.contains(Args::SENSITIVE) => (40, "read-command"),
        Trade::Read if bare && hands_over && commands > 0 => (25, "filter-command"),
        Trade::Read if shelly || (broken && command.count < 4) => (30, "read-command"),
        Trade::File if shelly || args.contains(Args::QUOTED) => (25, "file-command"),
        Trade::Net if args.intersects(Args::URL | Args::ADDRESS | Args::SHELL | Args::CODE) => {
            (35, "network-command")
        }
        Trade::Net if args.intersects(Args::OPTION | Args::VARIABLE) => (30, "network-command"),
        Trade::Delay if args.contains(Args::NUMBER) && command.count == 1 => (35, "delay-command"),
        Trade::Delay if args.contains(Args::OPTION | Args::NUMBER) => (35, "delay-command"),
        Trade::Interpreter if args.intersects(Args::OPTION | Args::CODE) => (35, "interpreter"),
        Trade::Interpreter if args.contains(Args::QUOTED) => (30, "interpreter"),
        Trade::Interpreter if shelly => (25, "interpreter"),
        Trade::Interpreter if command.windows && command.separator != Separator::Start => {
            (30, "interpreter")
        }
        Trade::Interpreter if bare && hands_over => (35, "piped-to-interpreter"),
        Trade::Interpreter if bare && command.path => (35, "interpreter"),
        Trade::Binary if shelly || (bare && command.separator != Separator::Start) => {
            (35, "program")
        }
        Trade::Print if args.intersects(Args::VARIABLE | Args::REDIRECT | Args::CODE) => {
            (30, "print-command")
        }
        Trade::Print if command.count == 1 || args.contains(Args::QUOTED) => (20, "print-command"),
        Trade::Admin if args.intersects(Args::KNOWN) => (40, "admin-command"),
        Trade::Admin
            if args.intersects(
                Args::ADDRESS | Args::OPTION | Args::QUOTED | Args::VARIABLE | Args::SENSITIVE,
            ) =>
        {
            (30, "admin-command")
        }
        Trade::Admin if bare && command.path => (30, "admin-command"),
        Trade::Admin if command.count == 1 && command.separator != Separator::Start => {
            (25, "admin-command")
        }
        _ => return None,
    })
}

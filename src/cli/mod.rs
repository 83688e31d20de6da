//! The command line: `serve`, `scan`, `check`, `probe`, `bench`, `redact`, `rules`. Exit codes: 0 well, 1 findings, 2 error. An error is
//! printed once, as a chain of causes.

mod bench;
mod check;
mod explain;
mod generate;
mod probe;
mod redact;
mod rules;
mod scan;
mod serve;
mod token;
mod weight;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::config::{self, Config, ConfigError};
use crate::server;

/// An ICAP server that scans HTTP requests and responses while they stream.
///
/// Gateways (Squid, F5, API gateways) send messages to it by ICAP (RFC 3507); it answers allow, block or changed
/// content. Without a configuration it listens on 127.0.0.1:1344 with embedded rules:
///
///   icap://127.0.0.1:1344/reqmod    requests   (REQMOD)
///   icap://127.0.0.1:1344/respmod   responses  (RESPMOD)
///   icap://127.0.0.1:1344/avscan    both, for clients that know one path only
///   http://127.0.0.1:9380/readyz    is it ready?
#[derive(Debug, Parser)]
#[command(name = "sluice", version, verbatim_doc_comment, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve ICAP until SIGTERM
    ///
    /// SIGTERM or Ctrl-C drains: requests in flight are answered, then the process ends; a second one ends it at once.
    /// SIGHUP reloads configuration and rules; what is wrong is refused and the old ones stay.
    #[command(after_help = "Example: sluice serve --config /etc/sluice/sluice.toml")]
    Serve(Serve),
    /// Scan files with the same rules and the same pipeline
    ///
    /// Exit code 0: nothing found; 1: something was found; 2: error.
    #[command(
        after_help = "Example: sluice scan --as response --content-type application/json reply.json"
    )]
    Scan(Scan),
    /// Check configuration and rules without serving
    ///
    /// Prints the line and column of the first mistake; exit code 2 then.
    #[command(
        after_help = "Examples:\n  sluice check --config /etc/sluice/sluice.toml && systemctl reload sluice\n  sluice check --explain 'GET https://api.example.com/customers/7' --as response --header 'X-Authenticated-Groups: fraud'"
    )]
    Check(Check),
    /// Check any ICAP server against RFC 3507
    ///
    /// Talks to it like a client and says, section by section, what holds. Sends harmless content only. Exit code 0: all
    /// holds; 1: something does not; 2: error.
    #[command(after_help = "Example: sluice probe icap://127.0.0.1:1344/reqmod")]
    Probe(Probe),
    /// Put load on any ICAP server and say how long answers take
    ///
    /// Sends the same message over and over on some connections. Without a file the body is harmless JSON. Only for
    /// servers that are yours. Exit code 0: every transaction was answered; 1: some were not; 2: error.
    #[command(after_help = "Example: sluice bench icap://127.0.0.1:1344/reqmod --connections 32")]
    Bench(Bench),
    /// Check, test, pack, sign and update rule files
    Rules(rules::Rules),
    /// Make a bearer token for the admin listener
    ///
    /// Prints the token and, for the configuration, its argon2 hash.
    #[command(after_help = "Example: sluice token ops --role operator")]
    Token(Token),
    /// Check the chain of the admin listener's audit log
    ///
    /// Exit code 2 when a line was changed, taken out or put in.
    #[command(after_help = "Example: sluice audit /var/log/sluice/admin.jsonl")]
    Audit(Audit),
    /// Print the completions of a shell
    #[command(after_help = "Example: sluice completions bash > /etc/bash_completion.d/sluice")]
    Completions(Completions),
    /// Print the manual page, or write one for each command
    #[command(after_help = "Example: sluice man | man -l -")]
    Man(Man),
    /// Mask sensitive values of a file, or of the standard input
    ///
    /// Streams with constant memory; counts go to the standard error. The output file must not exist yet.
    #[command(after_help = "Example: sluice redact app.log -o app.clean.log")]
    Redact(Redact),
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file; without it the defaults hold. Each key has an override in the environment:
    /// SLUICE__SERVER__MAX_CONNECTIONS=100
    #[arg(long, value_name = "FILE", env = "SLUICE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

#[derive(Debug, clap::Args)]
struct Man {
    /// Write sluice.1, sluice-serve.1 and so on into this folder
    #[arg(value_name = "FOLDER")]
    directory: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Listen here instead of where the configuration says
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    listen: Option<SocketAddr>,
    /// Let ICAP clients of this network in, besides those that the configuration says; repeatable. Without any rule only
    /// this machine (loopback) is let in
    #[arg(long, value_name = "NETWORK")]
    allow: Vec<ipnet::IpNet>,
    /// Serve /livez, /readyz and /metrics here instead of where the configuration says
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    admin: Option<SocketAddr>,
}

#[derive(Debug, clap::Args)]
struct Scan {
    /// The files; - is the standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Scan as a request's or as a response's body
    #[arg(long = "as", value_name = "KIND", default_value = "response")]
    kind: Kind,
    /// The Content-Type to declare
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The Content-Encoding to declare
    #[arg(long, value_name = "CODING")]
    content_encoding: Option<String>,
    /// Print one JSON object a file
    #[arg(long)]
    json: bool,
    /// Print the values, decode chains, tokens and scores behind the verdict; this shows payload
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    file: ConfigFile,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    Request,
    Response,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Say which rule by route fits this request, and why those before it do not
    #[arg(long, value_name = "METHOD URL")]
    explain: Option<String>,
    /// The message that is explained: the request, or the response to it
    #[arg(
        long = "as",
        value_name = "KIND",
        default_value = "request",
        requires = "explain"
    )]
    kind: Kind,
    /// The ICAP service that it is sent to; without it /reqmod or /respmod
    #[arg(long, value_name = "PATH", requires = "explain")]
    service: Option<String>,
    /// The address of its client
    #[arg(long, value_name = "ADDRESS", requires = "explain")]
    client: Option<std::net::IpAddr>,
    /// A field of the ICAP head, such as X-Authenticated-Groups, as often as needed
    #[arg(long = "header", value_name = "NAME: VALUE", requires = "explain")]
    headers: Vec<String>,
    /// Its Content-Type
    #[arg(long, value_name = "TYPE", requires = "explain")]
    content_type: Option<String>,
    /// The name in the ICAP client's certificate
    #[arg(long, value_name = "NAME", requires = "explain")]
    tls_identity: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Token {
    /// Whose it is: 1 to 64 letters, digits, '-' or '_'
    name: String,
    /// What it allows
    #[arg(long, value_enum, default_value = "viewer")]
    role: TokenRole,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum TokenRole {
    /// Look at everything
    Viewer,
    /// Reload, check and test rules, set observe and enforce, go back
    Operator,
    /// Bring in rules: update and import
    Admin,
}

#[derive(Debug, clap::Args)]
struct Audit {
    /// The file of admin.audit-log
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Redact {
    /// The file; without it, or -, the standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Which values: all, pci-dss, hipaa, gdpr, secrets or log-safe, or a profile of [redactions] in the configuration
    #[arg(long, value_name = "PROFILE", default_value = "all")]
    profile: String,
    /// Write here instead of to the standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Read it as this type instead of what the file's name says, or where that is silent its first 512 bytes
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// Count only, change nothing
    #[arg(long)]
    observe: bool,
    #[command(flatten)]
    config: ConfigFile,
}

#[derive(Debug, clap::Args)]
struct Probe {
    /// The service: icap://host[:port]/path
    url: String,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    /// How long to wait for each answer
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout_seconds: u64,
}

#[derive(Debug, clap::Args)]
struct Bench {
    /// The service: icap://host[:port]/path
    url: String,
    /// What to send
    #[arg(long, value_enum, default_value = "reqmod")]
    method: BenchMethod,
    /// Connections at a time
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=4096))]
    connections: u32,
    /// How long
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// Transactions a second in all; without it as fast as the answers come
    #[arg(long, value_name = "COUNT")]
    rate: Option<f64>,
    /// The body: a file
    #[arg(long, value_name = "FILE", conflicts_with = "body_bytes")]
    body: Option<PathBuf>,
    /// The body: harmless JSON of about this size
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    body_bytes: usize,
    /// The body's type
    #[arg(long, value_name = "TYPE", default_value = "application/json")]
    content_type: String,
    /// Send a preview of this length first
    #[arg(long, value_name = "BYTES")]
    preview: Option<usize>,
    /// Do not allow 204: the message has to come back
    #[arg(long)]
    no_204: bool,
    /// A new connection for each transaction
    #[arg(long)]
    no_keep_alive: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum BenchMethod {
    Reqmod,
    Respmod,
    Options,
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    let command = Cli::parse().command;
    if !command.talks() {
        // `sluice scan … | head -1` ends as other programs do there. A server must live on when a peer goes.
        sigpipe::reset();
    }
    let done = match command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Scan(arguments) => scan::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Probe(arguments) => probe::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Rules(arguments) => rules::run(&arguments),
        Command::Redact(arguments) => redact::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Completions(arguments) => generate::completions(&arguments),
        Command::Man(arguments) => generate::man(&arguments),
        Command::Audit(arguments) => token::audit(&arguments),
    };
    done.unwrap_or_else(|error| {
        eprintln!("sluice: {error:#}");
        ExitCode::from(ERROR_STATUS)
    })
}

impl Command {
    /// True when it speaks to others over sockets.
    fn talks(&self) -> bool {
        match self {
            Command::Serve(_) | Command::Probe(_) | Command::Bench(_) | Command::Rules(_) => true,
            Command::Scan(_)
            | Command::Check(_)
            | Command::Redact(_)
            | Command::Token(_)
            | Command::Completions(_)
            | Command::Man(_)
            | Command::Audit(_) => false,
        }
    }
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref(), &config::of_process())
    }

    /// The same file again, for reloads; `change` is what the command line overrides.
    fn source(self, change: impl Fn(&mut Config) + Send + Sync + 'static) -> server::Source {
        Arc::new(move || {
            let mut config = self.load()?;
            change(&mut config);
            Ok(config)
        })
    }
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "expected an IP address and a port, as in 127.0.0.1:1344 or [::1]:1344")
}

/// Exit code of findings.
const FINDINGS_STATUS: u8 = 1;

/// Exit code of errors; clap's own as well.
const ERROR_STATUS: u8 = 2;

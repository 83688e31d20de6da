//! `sluice rules …`: the life of rule files, from check to roll-back. The work is done in `rules` and `server::rules`; here
//! are arguments, files and words.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::config::file::BrokenRules;
use crate::inspect::yara::YaraLimits;
use crate::rules::import::{self, Format};
use crate::rules::raw::Raw;
use crate::rules::store::{Downgrade, Store};
use crate::rules::{RulesError, pack, signature};
use crate::scan::Ruleset;
use crate::server::rules::aside::{self, Bounds};
use crate::server::rules::examination::{self, Examination, Examples};
use crate::server::rules::update::{self, Expired, Leave, Package, Trial};
use crate::server::rules::{catalogue, fetch, report};
use crate::telemetry::severity_code;

use super::{FINDINGS_STATUS, weight};

/// `sluice rules`
#[derive(Debug, clap::Args)]
pub(super) struct Rules {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List rules: id, category, severity, mode; with --admin those of a running server, with their hits since its start
    #[command(after_help = "Example: sluice rules list --admin http://127.0.0.1:9380")]
    List(List),
    /// Load and compile rules: grammar, duplicate ids, slow rules, rules that run on every body
    ///
    /// Exit code 1 when a YARA rule was left out, 2 when the bundle cannot be used.
    Check(Check),
    /// Run the examples of every rule
    ///
    /// Exit code 1 when one fails.
    Test(Test),
    /// Make one file of a folder of rules
    Pack(Pack),
    /// Make a key pair for signing packs
    Keygen(Keygen),
    /// Sign a pack; writes PACK.minisig
    Sign(Sign),
    /// Verify the signature of a pack
    Verify(Verify),
    /// Put a pack in force in a store: verify, compile aside, run its examples, swap
    ///
    /// A file or an https:// address; the signature is expected beside it, with .minisig behind the name. A refused pack
    /// changes nothing.
    #[command(
        after_help = "Example: sluice rules update --store /var/lib/sluice/rules --key rules.pub https://rules.example/sluice.tar.zst"
    )]
    Update(Update),
    /// Go back to the version before
    Rollback(InStore),
    /// Turn lists and indicators of others into rule files
    ///
    /// ClamAV and abuse.ch digest lists, plain lists, MISP events, STIX 2 bundles.
    Import(Import),
    /// Try a set for a server: bundles on the standard input, an answer on the standard output
    #[command(hide = true)]
    Aside(Aside),
}

#[derive(Debug, clap::Args)]
struct Folders {
    /// Bundles: folders, packs (.tar.zst) or single rule files; without any, the rules that come with the program
    bundles: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    folders: Folders,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: CheckStyle,
    /// Print the time and memory that the set takes instead: one JSON object
    #[arg(long, conflicts_with = "format")]
    stats: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum CheckStyle {
    /// A line for each thing of note
    Text,
    /// One object
    Json,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    folders: Folders,
    /// Ask the server whose admin listener this is
    #[arg(long, value_name = "URL", conflicts_with = "bundles")]
    admin: Option<String>,
    /// A token of at least a viewer, for --admin
    #[arg(long, env = "SLUICE_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Certificate authorities of an https:// admin listener, PEM
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    authorities: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Aside {
    /// Memory that it may take
    #[arg(long)]
    mib: u64,
    /// Time that it may take
    #[arg(long)]
    seconds: u64,
    /// Run the examples of the program's own rules too
    #[arg(long)]
    all_examples: bool,
}

#[derive(Debug, clap::Args)]
struct Test {
    #[command(flatten)]
    folders: Folders,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: Style,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Style {
    /// Failures, and a sum
    Text,
    /// An object a line
    Json,
    /// JUnit XML
    Junit,
}

#[derive(Debug, clap::Args)]
struct Pack {
    /// The folder
    folder: PathBuf,
    /// Where the pack goes
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Keygen {
    /// The public key goes to NAME.pub, the secret key to NAME.key
    name: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Sign {
    /// The pack
    pack: PathBuf,
    /// File of the secret key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Password of the secret key
    #[arg(long, env = "SLUICE_RULES_PASSWORD", hide_env_values = true)]
    password: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// The pack
    pack: PathBuf,
    /// File of the public key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Debug, clap::Args)]
struct InStore {
    /// The folder that keeps the versions
    #[arg(long, value_name = "FOLDER", env = "SLUICE_RULES_STORE")]
    store: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Update {
    #[command(flatten)]
    place: InStore,
    /// A pack, or its https:// address
    source: String,
    /// File of the public key
    #[arg(long, value_name = "FILE", required_unless_present = "unsigned")]
    key: Option<PathBuf>,
    /// Install without a signature; for packs that you made yourself
    #[arg(long)]
    unsigned: bool,
    /// Install a version that is not newer
    #[arg(long)]
    allow_downgrade: bool,
    /// Install a pack past its date
    #[arg(long)]
    allow_expired: bool,
    /// Certificate authorities for the download, PEM
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    authorities: PathBuf,
    /// How long the set may take to compile
    #[arg(long, default_value_t = 120)]
    compile_seconds: u64,
    /// How much memory compiling may take
    #[arg(long, default_value_t = 4096)]
    compile_mib: u64,
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The list or export
    file: PathBuf,
    /// Folder of the bundle that the rule files go to
    #[arg(long, value_name = "FOLDER")]
    into: PathBuf,
    /// Name of the rule files: letters, digits, - and _
    #[arg(long)]
    name: String,
    /// What the file is; without it, a guess
    #[arg(long, value_enum)]
    format: Option<Kind>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kind {
    Hashes,
    Lines,
    Misp,
    Stix,
}

pub(super) fn run(arguments: &Rules) -> anyhow::Result<ExitCode> {
    match &arguments.command {
        Command::List(arguments) => list(arguments),
        Command::Check(arguments) => check(arguments),
        Command::Test(arguments) => test(arguments),
        Command::Pack(arguments) => make_pack(arguments),
        Command::Keygen(arguments) => keygen(arguments),
        Command::Sign(arguments) => sign(arguments),
        Command::Verify(arguments) => verify(arguments),
        Command::Update(arguments) => update(arguments),
        Command::Rollback(place) => rollback(place),
        Command::Import(arguments) => take_in(arguments),
        Command::Aside(arguments) => aside(arguments),
    }
}

impl Folders {
    fn read(&self) -> Result<Vec<Raw>, RulesError> {
        if self.bundles.is_empty() {
            return Ok(vec![Raw::embedded()]);
        }
        self.bundles.iter().map(|path| Raw::read(path)).collect()
    }
}

fn list(arguments: &List) -> anyhow::Result<ExitCode> {
    if let Some(admin) = &arguments.admin {
        return list_of_server(admin, arguments);
    }
    let bundles = examination::parsed(&arguments.folders.read()?)?;
    let rules = Ruleset::compile(bundles, YaraLimits::default())?;
    for entry in catalogue::entries(&rules, None) {
        println!(
            "{:<48} {:<10} {:<9} {:<8} {}",
            entry.id,
            entry.category,
            severity_code(entry.severity),
            entry.mode_code(),
            entry.description
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn list_of_server(admin: &str, list: &List) -> anyhow::Result<ExitCode> {
    let answer = fetch::from_admin(admin, "/v1/rules", list.token.as_deref(), &list.authorities)
        .with_context(|| format!("cannot list the rules of {admin}"))?;
    let answer: serde_json::Value =
        serde_json::from_slice(&answer).context("the server's answer is not JSON")?;
    let text = |rule: &serde_json::Value, key: &str| match &rule[key] {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    for rule in answer["rules"].as_array().into_iter().flatten() {
        println!(
            "{:>10} {:<48} {:<16} {:<9} {:<8} {}",
            text(rule, "hits"),
            text(rule, "id"),
            text(rule, "category"),
            text(rule, "severity"),
            text(rule, "mode"),
            text(rule, "bundle")
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn check(arguments: &Check) -> anyhow::Result<ExitCode> {
    if arguments.stats {
        return weight::weigh(|| Ok(arguments.folders.read()?));
    }
    let raws = arguments.folders.read()?;
    for bundle in examination::parsed(&raws)? {
        let now = Some(jiff::Timestamp::now());
        bundle.manifest.check(Path::new("bundle.toml"), now)?;
    }
    let seen = examination::examine(&raws, Examples::None)?;
    match arguments.format {
        CheckStyle::Json => println!("{}", serde_json::to_string(&seen)?),
        CheckStyle::Text => print_check(&seen),
    }
    let good = seen.problems.is_empty() && seen.clashes.is_empty();
    Ok(match good {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FINDINGS_STATUS),
    })
}

fn print_check(seen: &Examination) {
    for bundle in &seen.bundles {
        println!(
            "bundle {} {}, digest {}, {} rules",
            bundle.name, bundle.version, bundle.digest, bundle.rules
        );
    }
    for problem in &seen.problems {
        eprintln!("left out: {problem}");
    }
    for double in seen.clashes.iter().chain(&seen.duplicates) {
        eprintln!("{double}");
    }
    for rule in &seen.costly {
        println!("runs on every body: {rule}");
    }
    for rule in &seen.mute {
        println!("mute: {rule}");
    }
    for slow in &seen.slow {
        println!(
            "slow: {} ({}:{}) takes {} ms a MiB",
            slow.rule, slow.file, slow.line, slow.ms_per_mib
        );
    }
    println!("{} rules compiled in {} ms", seen.rules, seen.compile_ms);
}

fn test(arguments: &Test) -> anyhow::Result<ExitCode> {
    let seen = examination::examine(&arguments.folders.read()?, Examples::All)?;
    let style = match arguments.format {
        Style::Text => report::Style::Text,
        Style::Json => report::Style::Json,
        Style::Junit => report::Style::Junit,
    };
    print!("{}", report::render(&seen.examples, style));
    let passed = seen.failed().next().is_none();
    Ok(match passed {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(FINDINGS_STATUS),
    })
}

fn aside(arguments: &Aside) -> anyhow::Result<ExitCode> {
    let bounds = Bounds {
        seconds: arguments.seconds,
        mib: arguments.mib,
    };
    let whose = match arguments.all_examples {
        true => Examples::All,
        false => Examples::OfOperator,
    };
    let (input, output) = (std::io::stdin().lock(), std::io::stdout().lock());
    aside::answer(bounds, whose, input, output)?;
    Ok(ExitCode::SUCCESS)
}

fn make_pack(arguments: &Pack) -> anyhow::Result<ExitCode> {
    let bytes = pack::write(&arguments.folder)?;
    fs::write(&arguments.output, &bytes)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    println!("{}: {} bytes", arguments.output.display(), bytes.len());
    Ok(ExitCode::SUCCESS)
}

fn keygen(arguments: &Keygen) -> anyhow::Result<ExitCode> {
    let (public, secret) = signature::new_keys()?;
    write_new(&arguments.name.with_extension("key"), &secret, 0o600)?;
    write_new(&arguments.name.with_extension("pub"), &public, 0o644)?;
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let file = options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    file.with_context(|| format!("cannot make {}", path.display()))
}

fn sign(arguments: &Sign) -> anyhow::Result<ExitCode> {
    let bytes = read(&arguments.pack)?;
    let key = String::from_utf8(read(&arguments.key)?).context("the secret key is not text")?;
    let text = signature::sign(&bytes, &key, arguments.password.clone())?;
    let path = beside(&arguments.pack);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}

fn verify(arguments: &Verify) -> anyhow::Result<ExitCode> {
    let bytes = read(&arguments.pack)?;
    let text =
        String::from_utf8(read(&beside(&arguments.pack))?).context("the signature is not text")?;
    signature::verify(&bytes, &text, &key_text(&arguments.key)?)?;
    let bundle = pack::read(&arguments.pack, &bytes)?;
    println!("good: {} {}", bundle.manifest.name, bundle.manifest.version);
    Ok(ExitCode::SUCCESS)
}

fn update(arguments: &Update) -> anyhow::Result<ExitCode> {
    let store = Store::open(&arguments.place.store)?;
    let remote = arguments.source.starts_with("https://");
    if !remote && arguments.source.contains("://") {
        bail!("only https:// addresses and files are taken");
    }
    let (package, etag) = if remote {
        match update::fetched(&store, &arguments.source, &arguments.authorities)? {
            Some(fetched) => fetched,
            None => {
                println!("unchanged");
                return Ok(ExitCode::SUCCESS);
            }
        }
    } else {
        (package(arguments)?, None)
    };
    let keys: Vec<String> = arguments
        .key
        .iter()
        .map(|key| key_text(key))
        .collect::<Result<_, _>>()?;
    let leave = Leave {
        downgrade: match arguments.allow_downgrade {
            true => Downgrade::Allow,
            false => Downgrade::Refuse,
        },
        expired: match arguments.allow_expired {
            true => Expired::Allow,
            false => Expired::Refuse,
        },
    };
    let aside = aside::Aside {
        program: aside::Aside::of_this_program(),
        bounds: Bounds {
            seconds: arguments.compile_seconds,
            mib: arguments.compile_mib,
        },
    };
    let trial = Trial {
        aside: &aside,
        others: Vec::new(),
        broken: BrokenRules::Fatal,
    };
    let manifest = update::install(&store, &package, (&keys, leave), &trial)?;
    if remote {
        store.remember_download(&arguments.source, etag.as_deref())?;
    }
    println!(
        "in force: {} {}; SIGHUP makes a running server take it",
        manifest.name, manifest.version
    );
    Ok(ExitCode::SUCCESS)
}

fn package(arguments: &Update) -> anyhow::Result<Package> {
    let path = Path::new(&arguments.source);
    let signature = match arguments.key {
        Some(_) => {
            Some(String::from_utf8(read(&beside(path))?).context("the signature is not text")?)
        }
        None => None,
    };
    Ok(Package {
        pack: read(path)?,
        signature,
    })
}

fn rollback(place: &InStore) -> anyhow::Result<ExitCode> {
    let manifest = Store::open(&place.store)?.rollback(&[])?;
    println!(
        "in force: {} {}; SIGHUP makes a running server take it",
        manifest.name, manifest.version
    );
    Ok(ExitCode::SUCCESS)
}

fn take_in(arguments: &Import) -> anyhow::Result<ExitCode> {
    let text = read(&arguments.file)?;
    let format = match arguments.format {
        None => import::guess(&text),
        Some(Kind::Hashes) => Format::Hashes,
        Some(Kind::Lines) => Format::Lines,
        Some(Kind::Misp) => Format::Misp,
        Some(Kind::Stix) => Format::Stix,
    };
    let found = import::import(&arguments.file, &text, format, &arguments.name)?;
    for (path, text) in &found.files {
        let path = arguments.into.join(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        write_new(&path, text, 0o644)?;
        println!("{}", path.display());
    }
    println!(
        "{} digests, {} strings, {} left out",
        found.digests, found.strings, found.left_out
    );
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let length = fs::metadata(path).map(|meta| meta.len()).unwrap_or(0);
    if length > pack::UNPACKED_BYTES {
        bail!("{} is too large", path.display());
    }
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn key_text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).context("the public key is not text")
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    name.into()
}

//! `sluice rules …`: the life of rule files, from check to roll-back. The work is done in `rules` and `inspect`; here are
//! arguments, files and words.

mod fetch;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use crate::inspect::signatures::Signatures;
use crate::inspect::trial::{self, Outcome, Trial};
use crate::inspect::yara::YaraLimits;
use crate::rules::import::{self, Format};
use crate::rules::store::{Downgrade, Store, Terms};
use crate::rules::{Bundle, Mode, RulesError, pack, signature};

use super::FINDINGS_STATUS;

/// `sluice rules`
#[derive(Debug, clap::Args)]
pub(super) struct Rules {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List rules: id, category, severity, mode
    List(Folders),
    /// Load and compile rules: grammar, duplicate ids, rules that run on every body
    ///
    /// Exit code 1 when a YARA rule was left out, 2 when the bundle cannot be used.
    Check(Folders),
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
}

#[derive(Debug, clap::Args)]
struct Folders {
    /// Bundles: folders, packs (.tar.zst) or single rule files; without any, the rules that come with the program
    bundles: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct Test {
    #[command(flatten)]
    folders: Folders,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: report::Style,
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
        Command::List(folders) => list(folders),
        Command::Check(folders) => check(folders),
        Command::Test(arguments) => test(arguments),
        Command::Pack(arguments) => make_pack(arguments),
        Command::Keygen(arguments) => keygen(arguments),
        Command::Sign(arguments) => sign(arguments),
        Command::Verify(arguments) => verify(arguments),
        Command::Update(arguments) => update(arguments),
        Command::Rollback(place) => rollback(place),
        Command::Import(arguments) => take_in(arguments),
    }
}

impl Folders {
    fn load(&self) -> Result<Vec<Bundle>, RulesError> {
        if self.bundles.is_empty() {
            return Ok(vec![Bundle::embedded()]);
        }
        self.bundles.iter().map(|path| Bundle::load(path)).collect()
    }
}

fn list(folders: &Folders) -> anyhow::Result<ExitCode> {
    let rules = Signatures::compile(folders.load()?, YaraLimits::default())?;
    for about in rules.rules() {
        let mode = match about.mode {
            Mode::Enforce => "enforce",
            Mode::Observe => "observe",
        };
        let severity = format!("{:?}", about.severity).to_lowercase();
        println!(
            "{:<48} {:<10} {:<9} {:<8} {}",
            about.id, about.category, severity, mode, about.description
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn check(folders: &Folders) -> anyhow::Result<ExitCode> {
    let bundles = folders.load()?;
    let now = jiff::Timestamp::now();
    for bundle in &bundles {
        bundle.manifest.check(Path::new("bundle.toml"), Some(now))?;
        println!(
            "bundle {} {}, digest {}",
            bundle.manifest.name,
            bundle.manifest.version,
            bundle.digest()
        );
    }
    let begun = std::time::Instant::now();
    let rules = Signatures::compile(bundles, YaraLimits::default())?;
    for problem in rules.problems() {
        eprintln!("left out: {problem}");
    }
    for about in rules.costly() {
        println!("runs on every body: {}", about.id);
    }
    println!(
        "{} rules compiled in {} ms",
        rules.rules().count(),
        begun.elapsed().as_millis()
    );
    Ok(if rules.problems().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FINDINGS_STATUS)
    })
}

fn test(arguments: &Test) -> anyhow::Result<ExitCode> {
    let trials = tried(arguments.folders.load()?)?;
    print!("{}", report::render(&trials, arguments.format));
    let passed = trials.iter().all(|trial| trial.outcome == Outcome::Passed);
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FINDINGS_STATUS)
    })
}

fn tried(mut bundles: Vec<Bundle>) -> anyhow::Result<Vec<Trial>> {
    let examples: Vec<_> = bundles
        .iter_mut()
        .flat_map(|bundle| std::mem::take(&mut bundle.examples))
        .collect();
    let rules = Arc::new(Signatures::compile(bundles, YaraLimits::default())?);
    Ok(trial::run(&rules, &examples))
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
    let (bytes, signature_text, etag) = if remote {
        let known = store.state()?;
        let etag = known
            .etag
            .filter(|_| known.url.as_deref() == Some(&*arguments.source));
        let client = fetch::Client::new(&arguments.authorities)?;
        let Some(answer) = client.get(&arguments.source, etag.as_deref(), pack::PACK_BYTES)? else {
            println!("unchanged");
            return Ok(ExitCode::SUCCESS);
        };
        let text = match arguments.key {
            Some(_) => client.get(
                &format!("{}.minisig", arguments.source),
                None,
                SIGNATURE_BYTES,
            )?,
            None => None,
        };
        (answer.body, text.map(|answer| answer.body), answer.etag)
    } else {
        let path = Path::new(&arguments.source);
        let text = arguments
            .key
            .as_ref()
            .map(|_| read(&beside(path)))
            .transpose()?;
        (read(path)?, text, None)
    };
    if let Some(key) = &arguments.key {
        let text = String::from_utf8(signature_text.unwrap_or_default())
            .context("the signature is not text")?;
        signature::verify(&bytes, &text, &key_text(key)?)?;
    }
    let terms = Terms {
        downgrade: if arguments.allow_downgrade {
            Downgrade::Allow
        } else {
            Downgrade::Refuse
        },
        now: (!arguments.allow_expired).then(jiff::Timestamp::now),
        trial: &|bundle| {
            let trials = tried(vec![bundle])?;
            match trials.iter().find(|trial| trial.outcome != Outcome::Passed) {
                None => Ok(()),
                Some(failed) => {
                    Err(format!("example of {} at {}", failed.rule, failed.source).into())
                }
            }
        },
    };
    let manifest = store.update(&bytes, &terms)?;
    if remote {
        store.remember_download(&arguments.source, etag.as_deref())?;
    }
    println!(
        "in force: {} {}; SIGHUP makes a running server take it",
        manifest.name, manifest.version
    );
    Ok(ExitCode::SUCCESS)
}

fn rollback(place: &InStore) -> anyhow::Result<ExitCode> {
    let manifest = Store::open(&place.store)?.rollback()?;
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

/// A minisign signature has four lines.
const SIGNATURE_BYTES: u64 = 4096;

//! `sluice redact`: files of every format, the standard input, profiles of the program and of a configuration.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice");

fn redact(arguments: &[&str], folder: &Path, input: &str) -> Output {
    redact_with(&[], arguments, folder, input)
}

/// With these environment variables.
pub(super) fn redact_with(
    variables: &[(&str, &str)],
    arguments: &[&str],
    folder: &Path,
    input: &str,
) -> Output {
    let mut child = Command::new(SLUICE)
        .arg("redact")
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A refused command reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn files_of_every_format_are_cleaned_and_stay_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, before, after) in [
        (
            "a.json",
            r#"{"e":"a@b.org","n":1.0}"#,
            r#"{"e":"[REDACTED:EMAIL]","n":1.0}"#,
        ),
        (
            "a.ndjson",
            "{\"e\":\"a@b.org\"}\n{}\n",
            "{\"e\":\"[REDACTED:EMAIL]\"}\n{}\n",
        ),
        (
            "a.xml",
            "<a><![CDATA[a@b.org]]></a>",
            "<a><![CDATA[[REDACTED:EMAIL]]]></a>",
        ),
        (
            "a.html",
            "<p title=a@b.org>a&#64;b.org",
            "<p title=[REDACTED:EMAIL]>[REDACTED:EMAIL]",
        ),
        (
            "a.csv",
            "n,e\n1,\"a@b.org\"\n",
            "n,e\n1,\"[REDACTED:EMAIL]\"\n",
        ),
        ("a.tsv", "n\te\n1\ta@b.org\n", "n\te\n1\t[REDACTED:EMAIL]\n"),
        ("a.log", "user a@b.org in\n", "user [REDACTED:EMAIL] in\n"),
    ] {
        std::fs::write(folder.path().join(name), before).expect("written");
        let done = redact(&[name], folder.path(), "");
        assert!(done.status.success(), "{name} {}", text(&done.stderr));
        assert_eq!(text(&done.stdout), after, "{name}");
        assert!(text(&done.stderr).contains("EMAIL"), "{name}");
        // The same into a file, which must not be there yet.
        let done = redact(&[name, "-o", &format!("{name}.clean")], folder.path(), "");
        assert!(done.status.success() && done.stdout.is_empty());
        let clean = std::fs::read_to_string(folder.path().join(format!("{name}.clean")));
        assert_eq!(clean.expect("written"), after);
        let again = redact(&[name, "-o", &format!("{name}.clean")], folder.path(), "");
        assert_eq!(again.status.code(), Some(2));
    }
}

#[test]
fn the_standard_input_is_a_filter_with_any_profile() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = "card 4111111111111111, mail a@b.org, from 192.0.2.7, password: hunter2!x\n";
    for (profile, output) in [
        (
            "all",
            "card [REDACTED:PAN], mail [REDACTED:EMAIL], from [REDACTED:IPV4], password: [REDACTED:PASSWORD]\n",
        ),
        (
            "pci-dss",
            "card 411111******1111, mail a@b.org, from 192.0.2.7, password: hunter2!x\n",
        ),
        (
            "hipaa",
            "card 4111111111111111, mail [REDACTED:EMAIL], from [REDACTED:IPV4], password: hunter2!x\n",
        ),
        (
            "gdpr",
            "card [REDACTED:PAN], mail [REDACTED:EMAIL], from [REDACTED:IPV4], password: hunter2!x\n",
        ),
        (
            "secrets",
            "card 4111111111111111, mail a@b.org, from 192.0.2.7, password: [REDACTED:PASSWORD]\n",
        ),
        (
            "log-safe",
            "card [REDACTED:PAN], mail [REDACTED:EMAIL], from 192.0.2.7, password: [REDACTED:PASSWORD]\n",
        ),
    ] {
        let done = redact(&["--profile", profile], folder.path(), input);
        assert_eq!(text(&done.stdout), output, "{profile}");
    }
    let done = redact(&["--observe"], folder.path(), input);
    assert_eq!(text(&done.stdout), input);
    assert!(text(&done.stderr).contains("PAN"), "{}", text(&done.stderr));
    let config =
        "[redactions.mine]\nbase = \"none\"\n[redactions.mine.masks]\nPAN = \"keep-last-4\"\n";
    std::fs::write(folder.path().join("sluice.toml"), config).expect("written");
    let done = redact(
        &["--profile", "mine", "--config", "sluice.toml"],
        folder.path(),
        input,
    );
    assert!(text(&done.stdout).starts_with("card ************1111, mail a@b.org"));
    let done = redact(
        &["--profile", "mien", "--config", "sluice.toml"],
        folder.path(),
        input,
    );
    assert_eq!(done.status.code(), Some(2));
    assert!(
        text(&done.stderr).contains("mine"),
        "{}",
        text(&done.stderr)
    );
}

#[test]
fn a_filter_writes_what_has_settled_before_its_input_ends() {
    use std::io::{BufRead as _, BufReader};
    use std::sync::mpsc;
    use std::time::Duration;

    // Where no type is told, the first 512 bytes are waited for: they tell it.
    for (arguments, head) in [(&["--content-type", "text/plain"][..], 0), (&[], 512)] {
        let mut child = Command::new(SLUICE)
            .arg("redact")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut stdin = child.stdin.take().expect("piped");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, written) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            for line in lines {
                let _ = sender.send(line.expect("text"));
            }
        });
        if head > 0 {
            let first = "x".repeat(head - 1) + "\n";
            stdin.write_all(first.as_bytes()).expect("it reads");
            let line = written.recv_timeout(Duration::from_secs(60));
            assert_eq!(line.map(|line| line + "\n"), Ok(first));
        }
        for number in 0..20 {
            let line = format!("{number} login of user{number}@example.org failed\n");
            stdin.write_all(line.as_bytes()).expect("it reads");
            let line = written.recv_timeout(Duration::from_secs(60));
            let masked = format!("{number} login of [REDACTED:EMAIL] failed");
            assert_eq!(line, Ok(masked), "while more may come");
        }
        drop(stdin);
        assert!(child.wait().expect("it ends").success());
        reader.join().expect("it has read all");
    }
}

#[test]
fn national_identifiers_go_by_the_profiles_of_persons_and_stay_by_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let identifiers = [
        ("UK_NHS", "NHS number: ", "943 476 5919"),
        ("IN_AADHAAR", "Aadhaar: ", "7392 0184 6557"),
        ("BR_CPF", "CPF: ", "529.982.247-25"),
        ("ES_DNI", "DNI: ", "12345678Z"),
        ("FR_INSEE", "INSEE: ", "185057800608491"),
        ("US_SSN", "", "536-22-1234"),
        ("UK_NINO", "", "AB 12 34 56 C"),
    ];
    let text = |masked: bool| -> String {
        let lines = identifiers
            .iter()
            .map(|(entity, name, value)| match masked {
                true => format!("{name}[REDACTED:{entity}]\n"),
                false => format!("{name}{value}\n"),
            });
        lines.collect()
    };
    for (profile, masked) in [
        ("all", true),
        ("hipaa", true),
        ("gdpr", true),
        ("log-safe", true),
        ("pci-dss", false),
        ("secrets", false),
    ] {
        let done = redact(&["--profile", profile], folder.path(), &text(false));
        assert_eq!(self::text(&done.stdout), text(masked), "{profile}");
    }
}

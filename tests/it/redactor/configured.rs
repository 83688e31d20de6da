//! Profiles of an operator's own, as the program reads and applies them: selectors, masks by rule, exemptions, keys.

use super::filter::redact_with;

/// What `sluice redact` makes of `input` with the profile `mine` of this configuration.
fn cleaned(config: &str, variables: &[(&str, &str)], content_type: &str, input: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("sluice.toml"), config).expect("written");
    let typed = format!("--content-type={content_type}");
    let arguments = ["--profile=mine", "--config=sluice.toml", &typed];
    let done = redact_with(variables, &arguments, folder.path(), input);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    String::from_utf8(done.stdout).expect("UTF-8")
}

fn part(name: &str, value: &str) -> String {
    format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

#[test]
fn selectors_reach_values_of_every_format_and_no_others() {
    let config = r#"
[redactions.mine]
base = "none"
[[redactions.mine.selectors]]
at = ["$.employees[*].salary", "//salary", "csv:salary", "form:salary", "part:salary"]
mask = "fixed"
as = "SALARY"
"#;
    let parts = |salary: &str| part("salary", salary) + &part("salary_band", "5100") + "--x--\r\n";
    for (content_type, body, after) in [
        (
            "application/json",
            r#"{"employees":[{"salary":5100,"name":"a@b.org"},{"salary":"x"}],"salary":1}"#,
            r#"{"employees":[{"salary":"[REDACTED:SALARY]","name":"a@b.org"},{"salary":"[REDACTED:SALARY]"}],"salary":1}"#,
        ),
        (
            "application/xml",
            "<e><salary>5100</salary><salaries>5100</salaries></e>",
            "<e><salary>[REDACTED:SALARY]</salary><salaries>5100</salaries></e>",
        ),
        (
            "application/soap+xml",
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><p:salary xmlns:p="u">5100</p:salary></s:Body></s:Envelope>"#,
            r#"<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><p:salary xmlns:p="u">[REDACTED:SALARY]</p:salary></s:Body></s:Envelope>"#,
        ),
        (
            "text/csv",
            "salary,name,salary_band\n5100,ann,5100\n\"5,100\",\"b\",5100\n",
            "salary,name,salary_band\n[REDACTED:SALARY],ann,5100\n\"[REDACTED:SALARY]\",\"b\",5100\n",
        ),
        (
            "text/tab-separated-values",
            "name\tsalary\nann\t5100\n",
            "name\tsalary\nann\t[REDACTED:SALARY]\n",
        ),
        (
            "application/x-www-form-urlencoded",
            "name=ann&salary=5100&salary_band=5100",
            "name=ann&salary=%5BREDACTED%3ASALARY%5D&salary_band=5100",
        ),
        (
            "multipart/form-data; boundary=x",
            &parts("5100"),
            &parts("[REDACTED:SALARY]"),
        ),
    ] {
        assert_eq!(
            cleaned(config, &[], content_type, body),
            after,
            "{content_type}"
        );
    }
}

#[test]
fn what_is_exempt_or_off_stays_and_a_rule_may_differ_from_its_entity() {
    let config = r#"
[redactions.mine]
base = "all"
[redactions.mine.masks]
EMAIL = "off"
"field/cvv" = "null"
[[redactions.mine.selectors]]
at = ["$.build.version"]
mask = "off"
"#;
    let body = r#"{"build":{"version":"10.1.2.3"},"ip":"10.1.2.4","mail":"a@b.org","cvv":"123","pan":"4111111111111111"}"#;
    let after = r#"{"build":{"version":"10.1.2.3"},"ip":"[REDACTED:IPV4]","mail":"a@b.org","cvv":null,"pan":"[REDACTED:PAN]"}"#;
    assert_eq!(cleaned(config, &[], "application/json", body), after);
}

#[test]
fn tokens_depend_on_the_key_in_the_environment() {
    let config = r#"
[redactions.mine]
base = "all"
[redactions.mine.masks]
EMAIL = "token"
[redactions.mine.token]
key-env = "REDACTION_KEY"
key-id = "k"
"#;
    let with = |key| {
        let variables = [("REDACTION_KEY", key)];
        cleaned(config, &variables, "text/plain", "from a@b.org on\n")
    };
    let token = with("0123456789abcdef0123456789abcdef");
    assert!(
        token.starts_with("from tok_k_") && token.ends_with(" on\n"),
        "{token}"
    );
    assert_eq!(with("0123456789abcdef0123456789abcdef"), token);
    assert_ne!(with("fedcba9876543210fedcba9876543210"), token);
}

#[test]
fn removed_cells_and_parts_leave_their_places() {
    let config = "[redactions.mine]\nbase = \"all\"\n[redactions.mine.masks]\nEMAIL = \"remove\"\n";
    for (content_type, body, after) in [
        (
            "text/csv",
            "a,email,b\n1,a@b.org,2\n3,\"c@d.org\",4\n",
            "a,email,b\n1,,2\n3,\"\",4\n",
        ),
        (
            "multipart/form-data; boundary=x",
            &(part("email", "a@b.org") + &part("b", "2") + "--x--\r\n"),
            &(part("email", "") + &part("b", "2") + "--x--\r\n"),
        ),
    ] {
        assert_eq!(
            cleaned(config, &[], content_type, body),
            after,
            "{content_type}"
        );
    }
}

//! Rule files in the ways of the world: each loads, or the one rule that cannot is named with file and line.

use super::*;
use sluice::inspect::yara::YaraSet;

/// Loads files of a folder as an operator's: by name and bytes.
fn folder(files: &[(&str, &[u8])]) -> Bundle {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(&path, bytes).expect("written");
    }
    Bundle::load(folder.path()).expect("loads")
}

/// What a folder's rules say of a body, and what did not load.
fn outcome(files: &[(&str, &[u8])], body: &[u8]) -> (Vec<String>, Vec<String>) {
    let bundle = folder(files);
    let rules =
        Arc::new(Signatures::compile(vec![bundle], YaraLimits::default()).expect("compiles"));
    let problems = rules.problems().iter().map(|problem| {
        let file = problem.file.file_name().unwrap_or_default();
        let line = problem.line.unwrap_or(0);
        format!("{}:{line}: {}", file.to_string_lossy(), problem.fault)
    });
    let problems = problems.collect();
    let found = gated(&rules, &[body]);
    assert_eq!(found, ungated(&rules, body), "gated and ungated");
    (found, problems)
}

/// Files that load whole, a body, and what they find in it.
fn loads(files: &[(&str, &[u8])], body: &[u8], wanted: &[&str]) {
    let (found, problems) = outcome(files, body);
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(found, wanted);
}

#[test]
fn an_index_of_includes_is_satisfied_by_the_files_of_the_folder() {
    loads(
        &[
            (
                "index.yar",
                b"/* index */\r\ninclude \"./malware/one.yar\"\r\ninclude \"malware/two.yar\"\r\n",
            ),
            (
                "malware/one.yar",
                b"include \"../common.yar\"\nrule one { condition: is_house and filesize > 2 }",
            ),
            (
                "malware/two.yar",
                b"rule two { strings: $a = \"HOUSE\" condition: $a }",
            ),
            (
                "common.yar",
                b"private rule is_house { strings: $a = \"HOUSE\" condition: $a at 0 }",
            ),
        ],
        b"HOUSE of cards",
        &["malware/one/one", "malware/two/two"],
    );
}

#[test]
fn an_include_that_leaves_the_folder_is_named_and_takes_no_rule_with_it() {
    let (found, problems) = outcome(
        &[(
            "a.yar",
            b"include \"../../etc/passwd\"\ninclude \"/etc/passwd.yar\"\n\nrule a { strings: $a = \"house\" condition: $a }",
        )],
        b"a house",
    );
    assert_eq!(found, ["a/a"]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].starts_with("a.yar:1: include is off"));
    assert!(problems[1].starts_with("a.yar:2: include is off"));
}

#[test]
fn modules_without_a_report_answer_as_the_reference_does() {
    loads(
        &[(
            "m.yar",
            b"import \"cuckoo\"\nimport \"console\"\nimport \"time\"\nimport \"math\"\nimport \"string\"\nimport \"hash\"\nimport \"androguard\"\n\
            rule asks { strings: $a = \"house\" condition: cuckoo.network.http_request(/evil/) or cuckoo.filesystem.file_access(/x/i) or cuckoo.sync.mutex(/m/) or cuckoo.network.udp(/h/, 53) or $a }\n\
            rule needs { condition: cuckoo.registry.key_access(/Run/) }\n\
            rule logs { strings: $a = \"house\" condition: console.log(\"size: \", filesize) and console.hex(uint16(0)) and $a }\n\
            rule sums { condition: math.entropy(0, filesize) > 1.0 and hash.md5(0, 5) == \"106a6c241b8797f52e1e77317b96a201\" and string.length(\"abc\") == 3 and time.now() > 0 }\n",
        )],
        b"house",
        &["m/asks", "m/logs"],
    );
}

#[test]
fn a_module_that_nobody_has_costs_the_rules_that_use_it_only() {
    let (found, problems) = outcome(
        &[(
            "android.yar",
            b"import \"vt\"\nimport \"file\"\n\nrule by_name : banker {\n condition:\n  vt.metadata.file_name(/x/) and vt.behaviour.sha1(\"00\")\n}\n\nrule by_string { strings: $a = \"house\" condition: $a }",
        )],
        b"house",
    );
    assert_eq!(found, ["android/by_string"]);
    assert_eq!(
        problems,
        ["android.yar:4: rule by_name uses the module vt, which is not available"]
    );
}

#[test]
fn modules_that_know_nothing_leave_other_evidence_its_worth_and_are_named() {
    let text: &[u8] = b"import \"androguard\"\nimport \"magic\"\n\
        rule only { condition: androguard.package_name(/x/) and androguard.certificate.sha1(\"00\") }\n\
        rule either { strings: $a = \"house\" condition: androguard.permission(/SMS/) or androguard.functionality.sms.code(/x/) or androguard.min_sdk > 3 or $a }\n\
        rule typed { condition: magic.mime_type() == \"text/plain\" or magic.type() contains \"text\" }\n\
        rule plain { strings: $a = \"house\" condition: $a }\n";
    loads(&[("m.yar", text)], b"house", &["m/either", "m/plain"]);
    let files = folder(&[("m.yar", text)]).yara;
    let (set, _) = YaraSet::compile(&files, &YaraLimits::default());
    let named: Vec<_> = set
        .mute()
        .map(|(about, _, line, module)| (&*about.id, line, module))
        .collect();
    assert_eq!(
        named,
        [
            ("m/only", 3, "androguard"),
            ("m/either", 4, "androguard"),
            ("m/typed", 5, "magic")
        ]
    );
    assert_eq!(set.costly().count(), 0);
}

#[test]
fn external_variables_of_public_sets_are_there() {
    loads(
        &[(
            "e.yar",
            b"rule a { strings: $a = \"house\" condition: $a and filename == \"\" and filepath != \"x\" and not extension == \".exe\" and filetype == \"\" and owner == \"\" and not filename matches /mimi/ }",
        )],
        b"house",
        &["e/a"],
    );
}

#[test]
fn private_rules_of_the_same_name_live_in_many_files() {
    let one = b"private rule is__elf { strings: $header = { 7F 45 4C 46 } condition: $header at 0 }\nrule one { strings: $a = \"house\" condition: is__elf and $a }";
    let two = b"global private rule is__elf { strings: $header = \"\\x7fELF\" condition: $header at 0 }\nrule two { strings: $a = \"house\" condition: $a }";
    loads(
        &[("one.yar", one), ("two.yar", two)],
        b"\x7fELF house",
        &["one/one", "two/two"],
    );
    loads(&[("one.yar", one), ("two.yar", two)], b"a house", &[]);
}

#[test]
fn the_same_name_twice_is_told_in_one_file_and_allowed_in_two() {
    let rule = b"rule a { strings: $a = \"house\" condition: $a }";
    loads(
        &[("one.yar", rule), ("two.yar", rule)],
        b"house",
        &["one/a", "two/a"],
    );
    let twice = [rule.as_slice(), b"\n", rule].concat();
    let (found, problems) = outcome(&[("one.yar", &twice)], b"house");
    assert_eq!(found, ["one/a"]);
    assert_eq!(problems.len(), 1);
    assert!(problems[0].starts_with("one.yar:2:"), "{problems:?}");
}

#[test]
fn files_of_the_same_name_in_two_bundles_do_not_meet() {
    let rule = |text: &'static str| rule_file("web.yar", text);
    let (mut one, mut two) = (Bundle::default(), Bundle::default());
    one.yara = vec![rule("rule a { strings: $a = \"house\" condition: $a }")];
    two.yara = vec![rule("rule a { strings: $a = \"mouse\" condition: $a }")];
    let rules =
        Arc::new(Signatures::compile(vec![one, two], YaraLimits::default()).expect("compiles"));
    assert_eq!(rules.problems().len(), 0);
    assert_eq!(gated(&rules, &[b"a house"]), ["web/a"]);
    assert_eq!(gated(&rules, &[b"a mouse"]), ["web_2/a"]);
}

#[test]
fn line_ends_marks_and_old_charsets_load_and_compare_bytes() {
    loads(
        &[
            ("bom.yar", b"\xef\xbb\xbfrule bom\r\n{\r\n  strings:\r\n    $a = \"house\" // \xfc\r\n  condition:\r\n    $a\r\n}\r\n"),
            ("latin.yar", b"/* caf\xe9 */ rule latin { meta: author = \"Andr\xe9\" strings: $a = \"caf\xe9\" $b = /th\xe9s?/ condition: all of them }"),
            ("wide.yar", b"\xff\xfer\0u\0l\0e\0 \0w\0 \0{\0 \0c\0o\0n\0d\0i\0t\0i\0o\0n\0:\0 \0f\0i\0l\0e\0s\0i\0z\0e\0 \0>\0 \x003\0 \0}\0"),
            ("mac.yar", b"rule mac { strings: $a = \"house\" condition: $a }\rrule mac2 { condition: mac }\r"),
        ],
        b"a house, caf\xe9 and th\xe9",
        &["bom/bom", "latin/latin", "mac/mac", "mac/mac2", "wide/w"],
    );
}

#[test]
fn modifiers_and_shapes_of_strings_load_and_are_gated_rightly() {
    let rules: &[u8] = br#"
rule xored { strings: $a = "This program cannot" xor condition: $a }
rule xored_range { strings: $a = "This program cannot" xor(0x41-0x43) ascii wide condition: $a }
rule based { strings: $a = "This program cannot" base64 condition: $a }
rule based_wide { strings: $a = "This program cannot" base64wide condition: $a }
rule alphabet { strings: $a = "This program cannot" base64("!@#$%^&*(){}[].,|ABCDEFGHIJ\x09LMNOPQRSTUVWXYZabcdefghijklmnopqrstu") condition: $a }
rule full { strings: $a = "program" fullword nocase condition: #a == 1 }
rule hidden { strings: $a = "program" private condition: $a }
rule hex_forms { strings: $a = { 70 ( 72 | 73 ?? ) 6F [0-4] 72 ~00 ?D } condition: $a }
rule greedy { strings: $a = /progr[a-z]{1,200}(am|em)? .{0,1000}nnot/is condition: $a }
rule unused { strings: $_never = "not used" $a = "program" condition: $a }
rule counted { strings: $a = "program" $b = "cannot" condition: for all of ($*) : ( # == 1 and @ > 2 ) and !a == 7 }
rule sets { strings: $s1 = "program" $s2 = "cannot" $t1 = "absent" condition: 2 of ($s*) and none of ($t*) and 60% of them }
rule placed { strings: $s1 = "program" condition: any of ($s*) in (0..20) and $s1 at 5 and all of them at 5 }
rule bytes { condition: uint8(0) == 0x54 and int16be(1) == 0x6869 and uint32(0) == 0x73696854 }
rule loops { strings: $a = "o" condition: for any i in (1..#a) : ( uint8(@a[i] + 1) == 0x67 ) and for all n in (1,2) : ( n > 0 ) }
rule rules { condition: any of (h*) and defined filesize and not (unused and false) }
"#;
    let all = [
        "s/bytes",
        "s/counted",
        "s/full",
        "s/greedy",
        "s/hex_forms",
        "s/hidden",
        "s/loops",
        "s/placed",
        "s/rules",
        "s/sets",
        "s/unused",
        "s/xored",
    ];
    loads(&[("s.yar", rules)], b"This program cannot", &all);
    let key = |key: u8| {
        b"....This program cannot..."
            .iter()
            .map(|byte| byte ^ key)
            .collect::<Vec<u8>>()
    };
    loads(
        &[("s.yar", rules)],
        &key(0x42),
        &["s/xored", "s/xored_range"],
    );
    loads(&[("s.yar", rules)], &key(0x77), &["s/xored"]);
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(b"a This program cannot b");
    loads(&[("s.yar", rules)], text.as_bytes(), &["s/based"]);
    let wide: Vec<u8> = text.bytes().flat_map(|byte| [byte, 0]).collect();
    loads(&[("s.yar", rules)], &wide, &["s/based_wide"]);
}

#[test]
fn what_does_not_load_is_named_with_its_line_and_alone_left_out() {
    let text: &[u8] = b"rule good { strings: $a = \"house\" condition: $a }\n\
        rule unused { strings: $a = \"house\" $b = \"x\" condition: $a }\n\
        rule unknown { condition: some_variable == 3 }\n\
        rule typed { condition: \"a\" + 1 }\n\
        rule follows { condition: unknown and good }\n\
        rule broken {\n  strings: $a = { 4 }\n  condition: $a }\n\
        rule regex { strings: $a = /(house/ condition: $a }\n\
        rule fine { condition: good }\n";
    let (found, problems) = outcome(&[("mix.yar", text)], b"a house");
    assert_eq!(found, ["mix/fine", "mix/good"]);
    let lines: Vec<&str> = problems
        .iter()
        .map(|problem| problem.split(':').nth(1).unwrap_or_default())
        .collect();
    assert_eq!(lines, ["2", "3", "4", "5", "7", "9"], "{problems:#?}");
}

#[test]
fn each_file_of_the_large_set_loads_whole() {
    let Some(folder) = shared("yara-rules/signature-base") else {
        return;
    };
    let files = public_set(&folder);
    let (set, problems) = YaraSet::compile(&files, &YaraLimits::default());
    assert_eq!(problems.len(), 0, "{problems:#?}");
    // As the engines count them.
    assert!(set.rules().count() >= 5_849, "{}", set.rules().count());
}

//! The gate on conditions of every shape that it concludes something from: the fuzzer's rules, on bodies made of their
//! pieces.

use super::*;

/// The rules that the fuzz target `gate` runs.
const RULES: &str = include_str!("../../../fuzz/src/gate.yar");

/// What the rules look for, in whole and in part.
const PIECES: &[&[u8]] = &[
    b"abcd",
    b"abcde",
    b"abcdefgh",
    b"efgh",
    b"ijkl",
    b"ij",
    b"ef",
    b"MZ",
    b"\x7fELF",
    b"get /X",
    b"a\0b\0c\0d\0",
    b"a\0%\0",
    b"<?",
    b"a+xb",
    b"X<y",
    b"x<Y",
    b"\x01x\x02\x03\x06",
    b"\x01x\x02\x05\x05",
    b"\x01\x01\x02",
    b"c`",
    b"%Ab-cd%",
    b"%abcd%",
    b"%Abxcd%",
    b"PO^W^w",
    b"pow^W",
    b"`cbedg",
    b"abXdefgYh",
    b"abefgh12",
    b"0123",
    b"05678",
    b"YWJjZGVmZ2g",
    b"FiY2RlZmdo",
    b"Y\0W\0J\0j\0Z\0G\0V\0m\0Z\x002\0g\0",
    b"QQBi",
    b"abc",
    b"YWJj",
    b"0x1",
    b"bcdegh12",
    b"barsbaz",
    b"FOObaz",
    b" ",
    b"\n",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    b"A",
    b"0",
    b"",
];

#[test]
fn the_gate_changes_no_verdict_whatever_a_condition_asks_for() {
    let rules = compiled(vec![YaraFile {
        namespace: "gate".into(),
        shown: "gate.yar".into(),
        text: RULES.into(),
        bundle: "gate".into(),
    }]);
    assert!(rules.problems().is_empty(), "{:?}", rules.problems());
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut below = |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % bound
    };
    let mut matched: Vec<String> = Vec::new();
    for _ in 0..4_000 {
        let pieces: Vec<&[u8]> = (0..below(7)).map(|_| PIECES[below(PIECES.len())]).collect();
        let body = pieces.concat();
        let wanted = ungated(&rules, &body);
        assert_eq!(gated(&rules, &[&body]), wanted, "{body:?}");
        assert_eq!(gated(&rules, &pieces), wanted, "{body:?} in pieces");
        matched.extend(wanted);
        matched.sort();
        matched.dedup();
    }
    let missed: Vec<&str> = rules
        .rules()
        .map(|about| &*about.id)
        .filter(|id| !matched.iter().any(|matched| matched == id))
        .collect();
    assert_eq!(missed, ["gate/module"], "rules that no body met");
}

#[test]
fn a_rule_with_a_program_or_some_strings_costs_other_bodies_nothing() {
    let rules = compiled(vec![YaraFile {
        namespace: "gate".into(),
        shown: "gate.yar".into(),
        text: r#"
            rule choice { strings: $a = "marker_one" $b = "marker_two" $c = "marker_three"
                condition: (uint16(0) == 0x5A4D and 1 of them) or 2 of them }
            rule brief { strings: $a = { EB 0F ?? 41 [2] 7C } condition: $a }
            rule anomaly { strings: $a = "powershell" nocase $b = "powershell" $c = "PowerShell"
                condition: #a > #b + #c }
        "#
        .into(),
        bundle: "gate".into(),
    }]);
    assert_eq!(rules.costly().count(), 0);
    let due = |body: &[u8]| {
        let mut scan = SignatureScan::new(&rules, &Budget::new(1 << 30), &FACTS);
        let mut out = Findings::default();
        scan.push(body, &mut out);
        scan.finish(&mut out).is_some()
    };
    assert!(!due(br#"{"name":"A","list":[1,2,3]}"#));
    assert!(!due(b"MZ"));
    assert!(due(b"MZ marker_one") && due(b"MZ marker_two"));
    assert!(due(b"... marker_three ..."));
    assert!(due(b"\xeb\x0f\x41\x7c in any order"));
    assert!(!due(b"\xeb\x0f\x41 and no more"));
    assert!(due(b"PowerShell"));
}

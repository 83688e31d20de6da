//! A seeded set of documents in every format, with values in the spellings that the formats allow, and the same reading of
//! each that an ordinary parser gives.

/// xorshift64: the same documents in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    pub fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A value and the name of the field that it stands in.
#[derive(Clone, Debug)]
pub struct Value {
    pub name: &'static str,
    pub text: String,
    /// What of `text` must go; empty for a value that must stay.
    pub secret: &'static str,
}

/// Values that are found by their content, by their name, and look-alikes.
pub fn value(random: &mut Random) -> Value {
    const BY_CONTENT: [&str; 12] = [
        "4111 1111 1111 1111",
        "DE89370400440532013000",
        "078-05-1121",
        "ann.lee@example.org",
        "+442079460958",
        "198.51.100.23",
        "2001:db8::8a2e:370:7334",
        "AKIAQYLPMN5HHHFPZAM2",
        "AB123456C",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJlLW9mLXRoaXM",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    ];
    const BY_NAME: [(&str, &str); 6] = [
        ("password", "Velvet&9\"<x>"),
        ("newPassword", "p\\q'é%20z+7"),
        ("cvv", "917"),
        ("date_of_birth", "1980-02-17"),
        ("api_key", "zXq81mPw04LrTt6"),
        ("passport_number", "X7391046"),
    ];
    const CLEAN: [(&str, &str); 8] = [
        ("id", "order-1183-XL"),
        ("token_type", "Bearer"),
        ("password_policy", "8 signs or more"),
        ("updated_at", "2026-05-12T10:22:33Z"),
        ("version", "1.2.3.4"),
        ("note", "caf\u{e9} \"&\" <b>, 50% + 1"),
        ("sku", "4111 1111 1111 1112"),
        ("image", "logo@2x.png"),
    ];
    const NAMES: [&str; 4] = ["note", "field_a", "contact", "x"];
    match random.below(3) {
        0 => {
            let secret = random.of(&BY_CONTENT);
            let text = match random.below(3) {
                0 => secret.to_owned(),
                1 => format!("see {secret} today"),
                _ => format!("\u{201c}{secret}\u{201d}, \"and\" on"),
            };
            Value {
                name: random.of(&NAMES),
                text,
                secret,
            }
        }
        1 => {
            let (name, secret) = random.of(&BY_NAME);
            Value {
                name,
                text: secret.to_owned(),
                secret,
            }
        }
        _ => {
            let (name, text) = random.of(&CLEAN);
            Value {
                name,
                text: text.to_owned(),
                secret: "",
            }
        }
    }
}

/// A document, its type, and the values in it as a parser reads them.
#[derive(Debug)]
pub struct Document {
    pub content_type: &'static str,
    pub body: String,
    pub values: Vec<Value>,
}

/// The formats that [`document`] writes.
pub const FORMATS: [&str; 9] = [
    "application/json",
    "application/x-ndjson",
    "application/xml",
    "text/html",
    "application/x-www-form-urlencoded",
    "text/csv",
    TSV,
    "multipart/form-data; boundary=xx",
    "text/plain",
];

/// As CSV is, with tabs.
pub const TSV: &str = "text/tab-separated-values";

/// The document of that seed.
pub fn document(content_type: &'static str, seed: u64) -> Document {
    let mut random = Random::new(seed);
    let values: Vec<Value> = (0..1 + random.below(9))
        .map(|_| value(&mut random))
        .collect();
    let body = match content_type {
        "application/json" => json(&values, &mut random),
        "application/x-ndjson" => {
            let line =
                |value: &Value, random: &mut Random| json(std::slice::from_ref(value), random);
            values
                .iter()
                .map(|value| line(value, &mut random).replace('\n', " ") + "\n")
                .collect()
        }
        "application/xml" => xml(&values, &mut random),
        "text/html" => html(&values, &mut random),
        "application/x-www-form-urlencoded" => form(&values, &mut random),
        "text/csv" => csv(&values, ',', &mut random),
        TSV => csv(&values, '\t', &mut random),
        "text/plain" => text(&values, &mut random),
        _ => multipart(&values),
    };
    Document {
        content_type,
        body,
        values,
    }
}

/// JSON in one of many legal spellings: escapes, white space, names twice, arrays, JSON in a string.
fn json(values: &[Value], random: &mut Random) -> String {
    let blank = random.of(&["", " ", "\n\t"]);
    let members: Vec<String> = values
        .iter()
        .map(|value| {
            let text = json_string(&value.text, random);
            let name = json_string(value.name, random);
            let plain = match random.below(6) {
                0 => format!("[{blank}{text},{blank}17]"),
                1 => format!("{{{name}:{blank}{text}}}"),
                2 => serde_json::Value::from(format!("{{{name}:{text}}}")).to_string(),
                _ => text,
            };
            format!("{blank}{name}{blank}:{blank}{plain}")
        })
        .collect();
    format!("{{{}{blank}}}", members.join(","))
}

fn json_string(text: &str, random: &mut Random) -> String {
    let escapes = random.below(4) == 0;
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '/' if escapes => out.push_str("\\/"),
            char if escapes && random.below(2) == 0 && u32::from(char) < 0x1_0000 => {
                out.push_str(&format!("\\u{:04x}", u32::from(char)));
            }
            char => out.push(char),
        }
    }
    out.push('"');
    out
}

fn xml(values: &[Value], random: &mut Random) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?>\n<r xmlns:p='urn:p'>");
    for value in values {
        let name = value.name;
        let text = &value.text;
        out.push_str(&match random.below(5) {
            0 => format!("<{name}><![CDATA[{text}]]></{name}>"),
            1 => format!("<m {name}='{}'/>", references(text, random)),
            2 => format!("<p:{name} a=\"1\">{}</p:{name}>", references(text, random)),
            3 => format!("<entry key=\"{name}\">{}</entry>", references(text, random)),
            _ => format!("<{name} >{}</{name}\n>", references(text, random)),
        });
        out.push_str(random.of(&["", "\n  ", "<!-- none -->", "<e/>"]));
    }
    out + "</r>"
}

/// `text` with references for what must be one, and for some that need not.
fn references(text: &str, random: &mut Random) -> String {
    text.chars()
        .map(|char| match (char, random.below(12)) {
            ('&', _) => "&amp;".to_owned(),
            ('<', _) => "&lt;".to_owned(),
            ('>', _) => "&gt;".to_owned(),
            ('"', _) => "&quot;".to_owned(),
            ('\'', _) => "&#39;".to_owned(),
            (_, 0) => format!("&#{};", u32::from(char)),
            (_, 1) => format!("&#x{:X};", u32::from(char)),
            _ => char.to_string(),
        })
        .collect()
}

fn html(values: &[Value], random: &mut Random) -> String {
    let mut out = String::from("<!doctype html>\n<body class=main>\n");
    for value in values {
        let name = value.name;
        let text = references(&value.text, random);
        out.push_str(&match random.below(4) {
            0 => format!("<table><tr><th>{name}</th><td>{text}</td></tr></table>"),
            1 => format!("<input type=text name=\"{name}\" value=\"{text}\">"),
            2 => format!("<dl><dt>{name}</dt><dd>{text}</dd></dl>"),
            _ => format!("<p>{name}: <b>{text}</b></p>"),
        });
        out.push('\n');
    }
    out + "</body>\n"
}

fn form(values: &[Value], random: &mut Random) -> String {
    let pairs: Vec<String> = values
        .iter()
        .map(|value| format!("{}={}", value.name, percent(&value.text, random)))
        .collect();
    pairs.join("&")
}

fn percent(text: &str, random: &mut Random) -> String {
    text.bytes()
        .map(|byte| match byte {
            b' ' if random.below(2) == 0 => "+".to_owned(),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' if random.below(5) > 0 => {
                char::from(byte).to_string()
            }
            byte if random.below(2) == 0 => format!("%{byte:02X}"),
            byte => format!("%{byte:02x}"),
        })
        .collect()
}

fn csv(values: &[Value], separator: char, random: &mut Random) -> String {
    let end = random.of(&["\n", "\r\n"]);
    let header: Vec<&str> = values.iter().map(|value| value.name).collect();
    let between = separator.to_string();
    let mut out = header.join(&between) + end;
    for _ in 0..1 + random.below(3) {
        let cells: Vec<String> = values
            .iter()
            .map(|value| {
                let plain = !value.text.contains(['"', separator, '\n']);
                match plain && random.below(2) == 0 {
                    true => value.text.clone(),
                    false => format!("\"{}\"", value.text.replace('"', "\"\"")),
                }
            })
            .collect();
        out += &cells.join(&between);
        out += end;
    }
    out
}

fn multipart(values: &[Value]) -> String {
    let parts: String = values
        .iter()
        .map(|value| {
            format!(
                "--xx\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n{}\r\n",
                value.name, value.text
            )
        })
        .collect();
    parts + "--xx--\r\n"
}

/// Lines of a log: what has a name of its own in logfmt, the rest in a sentence.
fn text(values: &[Value], random: &mut Random) -> String {
    values
        .iter()
        .map(|value| {
            let quoted = value.text.replace('\\', "\\\\").replace('"', "\\\"");
            match random.below(2) {
                0 => format!("level=info {}=\"{quoted}\" took=17ms\n", value.name),
                _ => format!(
                    "<34>1 2026-05-12T10:22:33Z host app - - {}: {}\r\n",
                    value.name, value.text
                ),
            }
        })
        .collect()
}

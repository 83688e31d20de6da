//! Variants written by hand, of values and of what only looks like them: other languages, separators, spellings of names.

use sluice::rules::entity::Example;

use super::redacted;

#[test]
fn values_are_found_however_they_are_introduced() {
    let mut wrong = Vec::new();
    for (entity, texts) in TEXTS {
        for written in *texts {
            let example = Example::read(written);
            let mut expected = example.text.clone();
            for value in example.values.iter().rev() {
                expected.replace_range(value.clone(), &format!("[REDACTED:{entity}]"));
            }
            let (out, _) = redacted("text/plain", [example.text.as_bytes()]);
            let out = String::from_utf8_lossy(&out);
            if out != expected {
                wrong.push(format!("{written} became {out}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_looks_like_a_value_stays() {
    let mut wrong = Vec::new();
    for text in LOOK_ALIKES {
        let (out, _) = redacted("text/plain", [text.as_bytes()]);
        if out != text.as_bytes() {
            wrong.push(format!("{text} became {}", String::from_utf8_lossy(&out)));
        }
    }
    for (name, value) in TRAPS {
        let body = format!("{{\"{name}\":{value}}}");
        let (out, _) = redacted("application/json", [body.as_bytes()]);
        if out != body.as_bytes() {
            wrong.push(format!("{body} became {}", String::from_utf8_lossy(&out)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn fields_are_known_however_their_names_are_spelled() {
    let mut wrong = Vec::new();
    for (entity, value, names) in FIELDS {
        for name in names.split_whitespace() {
            let mask = format!("[REDACTED:{entity}]");
            let form = name
                .bytes()
                .map(|byte| format!("%{byte:02X}"))
                .collect::<String>();
            for (content_type, body, expected) in [
                (
                    "application/json",
                    format!("{{\"{name}\":\"{value}\"}}"),
                    format!("{{\"{name}\":\"{mask}\"}}"),
                ),
                (
                    "text/csv",
                    format!("id,{name}\n1,{value}\n"),
                    format!("id,{name}\n1,{mask}\n"),
                ),
                (
                    "application/xml",
                    format!("<a><f name=\"{name}\"/><entry key=\"{name}\">{value}</entry></a>"),
                    format!("<a><f name=\"{name}\"/><entry key=\"{name}\">{mask}</entry></a>"),
                ),
                (
                    "application/x-www-form-urlencoded",
                    format!("a=1&{form}={}", value.replace('+', "%2B")),
                    format!("a=1&{form}=%5BREDACTED%3A{entity}%5D"),
                ),
            ] {
                let (out, _) = redacted(content_type, [body.as_bytes()]);
                let out = String::from_utf8_lossy(&out);
                if out != expected {
                    wrong.push(format!("{body} became {out}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_field_is_known_behind_hundreds_of_empty_elements() {
    let empty = "<br/><hr a=\"1\"/><x y/>".repeat(200);
    let body = format!("<o>{empty}<cvv>123</cvv></o>");
    let (out, _) = redacted("application/xml", [body.as_bytes()]);
    let masked = body.replace("123", "[REDACTED:CVV]");
    assert_eq!(String::from_utf8_lossy(&out), masked);
}

/// Texts by entity; values stand in marks.
const TEXTS: &[(&str, &[&str])] = &[
    (
        "PASSWORD",
        &[
            "<password>«paprika»</password>",
            "password|«paprika»",
            "password\u{ff1a}«paprika»",
            "Das neue Passwort für Ihr Konto lautet: «Regen!Wolke77»",
            "your temporary password is «Tr0ub4dor&3»",
            r#"pwd => "«s3cr3t-Pa55»""#,
            "Login: anna / Passwort: «Kuchen_2024»",
            "export PGPASSWORD='«zX9!kk#2»'",
            "<Password>«hunter22»</Password>",
            "spring.datasource.password=«Qw7!poi_9»",
            "mysql -u root --password=«abcD3f9!» db",
            "Mot de passe : «Soleil!2020»",
            "la contraseña es «Luna_Roja9»",
            "user=bob;pwd=«P4ss.word!»;host=x",
            r#"{"credentials":{"user":"bob","pass":"«x9Kq!2mm»"}}"#,
            "wachtwoord: «Fiets_88!»",
            "Passphrase= «correct-horse-7-battery»",
        ],
    ),
    (
        "SECRET",
        &[
            "X-Api-Key: «9f8e7d6c5b4a39281706f5e4d3c2b1a0»",
            r#"client_secret = "«oX7_3mPq9-LzT2wvB8kJd5sYhN1cRfGe»""#,
            "refreshToken: «1//0gLk3jH8sD-f7aS6dF5gH4jK3lQ2w»",
            "SECRET_KEY_BASE=«aa12bb34cc56dd78ee90ff12aa34bb56»",
            "sessionid=«8kq2jz7x1m5n9p3r7t2v6w»; Path=/",
            "webhookSecret: '«wh_7Gk2Lm9Qx4Zt8Vb3»'",
            "encryption-key: «3q2+7w==Zk81LmPQaa99»",
            "access_token=«EAABsbCS1iHgBAKZC9xZAq3»",
            "OAuth token: «7Hs82kLpQw3ZxN5vTy1B»",
            "csrfmiddlewaretoken=«Zk83hsKq01mLpXw92vNt»",
        ],
    ),
    (
        "CVV",
        &[
            "cvv2=«842»",
            "Security code (CVC): «123»",
            r#"cvc2: "«0912»""#,
            "<CardCVV>«331»</CardCVV>",
            "Sicherheitscode: «771»",
            "card_cvc_code=«456»",
            "the CVV is «907»",
        ],
    ),
    (
        "DOB",
        &[
            "dob=«1987-03-14»",
            "geboren am «14.03.1987»",
            "fecha de nacimiento: «14 de marzo de 1987»",
            "Date of Birth (MM/DD/YYYY): «03/14/1987»",
            "birth_date: «14-Mar-1987»",
            "D.O.B. «14 March 1987»",
            "born «14th of March 1987»",
            "<BirthDate>«1987-03-14T00:00:00Z»</BirthDate>",
            "patient DOB «03/14/87»",
            r#"{"birth":{"date":"«1987-03-14»"}}"#,
            r#"{"birthDate":"«19870314»"}"#,
        ],
    ),
    (
        "PASSPORT",
        &[
            "Passport No: «X1234567»",
            "passport number is «533 401 882»",
            "Reisepass-Nr.: «C4VK7RN92»",
            "passportNumber=«AB1234567»",
            "n° de passeport : «12AB34567»",
            "pasaporte: «XDB123456»",
            r#"{"travelDocument":{"type":"passport","number":"«L8988901C»"}}"#,
            "Passaporto «YA1234567»",
        ],
    ),
    (
        "US_SSN",
        &[
            "SSN «536-90-4399»",
            "social_security_number=«536 90 4399»",
            "Social Security #: «536904399»",
            "taxId: «536-90-4399»",
        ],
    ),
    (
        "UK_NINO",
        &[
            "NI number «AB 12 34 56 C»",
            "nino=«AB123456C»",
            "National Insurance: «ab123456c»",
        ],
    ),
    (
        "EMAIL",
        &[
            "write to «müller@bücher.de» today",
            r#"<a href="mailto:«ann.b%2Bc@example.org»">"#,
            "user!«bob@mail.example.co.jp»,",
            "Ann Bee <«ann_bee@sub.domain.museum»>",
            "from:«ann@x.io»;to:«bob@y.dev»",
            "«JOHN.DOE@EXAMPLE.COM»",
            "https://h/x?mail=«ann%40example.org»&n=1",
        ],
    ),
    (
        "PHONE",
        &[
            "«+44 20 7946 0958»",
            "Tel. «030/1234567»",
            "«(212) 555-0187»",
            "«212.555.0187»",
            "«+1-212-555-0187» ext. 12",
            "«06 12 34 56 78»",
            "phone=«2125550187»",
            "«+49 (0) 30 901820»",
            "tel:«+12125550187»",
            "«+91 98765 43210»",
            "mobile: «07700 900123»",
            "«+55 11 91234-5678»",
            "«010-1234-5678»",
            "«+81-3-1234-5678»",
            r#"{"contact":{"phone":{"number":"«5125874489»"}}}"#,
        ],
    ),
    (
        "IPV4",
        &[
            "client «203.0.113.77» connected",
            "«203.0.113.77»:443",
            "http://«198.51.100.23»/admin",
            "«10.1.2.3»/24",
            "[«203.0.113.9»]",
            "ip=«203.0.113.9»,",
        ],
    ),
    (
        "IPV6",
        &[
            "«2001:db8:85a3::8a2e:370:7334»",
            "http://[«2001:db8::1»]:8080/",
            "«fe80::1ff:fe23:4567:890a»%eth0",
            "«2001:DB8::A:B»",
            "«64:ff9b::192.0.2.33»",
        ],
    ),
    (
        "URL_CREDENTIALS",
        &[
            "redis://:«s3cr3t!»@cache:6379/0",
            "mongodb+srv://app:«Pa%24%24w0rd»@c0.mongodb.net/db",
            "jdbc:postgresql://u:«pw77»@db/x",
            "https://ci:«tok3n_value»@git.example.com/r.git",
            "ftp://anon:«an0n»@ftp.example.net",
            "smb://DOM;user:«Passw0rd»@srv/share",
        ],
    ),
    (
        "BASIC_AUTH",
        &[
            "Authorization: Basic «dXNlcjpwYXNzd29yZA==»",
            r#"{"headers":{"Authorization":"Basic «YWxpY2U6czNjcjN0»"}}"#,
            "-H 'authorization: basic «dXNlcjpwYXNzd29yZA==»'",
            "Proxy-Authorization: Basic «dXNlcjpwYXNzd29yZA==»",
        ],
    ),
    (
        "PAN",
        &[
            "«4111 1111 1111 1111»",
            "«5555555555554444»",
            "«3782 822463 10005»",
            "card#«4242424242424242».",
            "«3530-1113-3330-0000»",
            "«6759649826438453»",
            "«2223003122003222»",
            "«30569309025904»",
            "«6212345678901232»",
            "PAN=«4012888888881881»;",
        ],
    ),
    (
        "IBAN",
        &[
            "«DE89 3704 0044 0532 0130 00»",
            "«FR1420041010050500013M02606»",
            "«gb29nwbk60161331926819»",
            "«NL91ABNA0417164300»,",
            "«NO93 8601 1117 947»",
            "«CH93-0076-2011-6238-5295-7»",
            "«MT84MALT011000012345MTLCAST001S»",
        ],
    ),
    (
        "CRYPTO",
        &[
            "«1BoatSLRHtKNngkdXEeobR76b53LETtpyT»",
            "«3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy»",
            "bitcoin:«bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq»?amount=1",
            "«bc1p5d7rjq7g6rdk2yhzks9smlaqtedr4dekq08ge8ztwac72sfr9rusxg3297»",
            "«0x52908400098527886E0F7030069857D2E4169EE7»",
            "ETH «0xde709f2102306220921060314715629080e2fb77»",
        ],
    ),
    (
        "AWS_SECRET_KEY",
        &[
            r#"{"SecretAccessKey":"«r4TAzVVv73n1dNWMaPdbUP9Hl7J5xJug6hGknrN/»"}"#,
            "AWS_SECRET_KEY: «r4TAzVVv73n1dNWMaPdbUP9Hl7J5xJug6hGknrN/»",
        ],
    ),
    (
        "AWS_ACCESS_KEY",
        &[
            "AWS_ACCESS_KEY_ID=«AK¦IAQ7YXXBR6M7BYERPC»",
            r#""accessKeyId":"«AS¦IAQ7YXXBR6M7BYERPC»""#,
        ],
    ),
];

/// Texts without a value.
const LOOK_ALIKES: &[&str] = &[
    "password must be at least 12 characters",
    "password_min_length: 12",
    r#""passwordExpiresAt": "2027-01-01""#,
    "reset your password within 24h",
    "password reset link sent to user 4711",
    "passport_control: enabled",
    "token_type=Bearer&expires_in=3600",
    "max_tokens=2048",
    "secret_name: prod/db",
    "next_token: eyJvZmZzZXQiOjUwfQ==",
    "api_key_id: 42",
    r#""key": "customer_name""#,
    "sort_key=created_at",
    "token count 5123 exceeded",
    "secretary: Maria Lopez9",
    "cvv_result: M",
    "cvc_check: pass",
    "error code 123",
    "updated_at: 2024-03-14",
    "birthday_discount: 10",
    "date: 14.03.1987",
    "birth_rate: 1.9",
    "passport office opens at 9",
    "passport_expiry: 2031-01-01",
    "passport_country: DEU",
    "ref 536-90-43991",
    "ticket 536904399",
    "part AB123456E",
    "@types/node@18.0.0",
    "icon@3x.png",
    "git@github.com:o/r.git",
    "user@host",
    "npm i left-pad@1.3.0",
    "phone_model: 16 Pro 256",
    "version 212.555.0187.3",
    "2024-05-06 07:08:09",
    "1,234,567.89",
    "order 4512-889-2231",
    "Version 10.0.19045.2",
    "oid 1.3.6.1",
    "v4.18.2.1",
    "chapter 1.2.3.4",
    "00:1A:2B:3C:4D:5E",
    "std::string::npos",
    "12:30:45",
    "a1:b2:c3:d4:e5:f6:07:18:29:3a:4b:5c:6d:7e:8f:90",
    "https://example.com:8443/p@th",
    "ssh://git@host:22/r",
    "http://[::1]:80/a:b@c",
    "basic plan subscribers",
    "Basic Information about",
    "1234567812345670",
    "order_id: 411111111111",
    "0000000000000000",
    "DE00370400440532013000",
    "0x9fc76417374aa880d4449a1f7f31ec597f00b1f6f3dd2d66f4c9c6c445836d8b",
];

/// Names of fields, and values as JSON writes them, that only resemble sensitive ones.
const TRAPS: &[(&str, &str)] = &[
    ("password_policy", r#""strict9""#),
    ("password_last_changed", r#""2024-03-14""#),
    ("password_hint", r#""first pet""#),
    ("passwordResetRequired", "true"),
    ("password_strength", r#""strong""#),
    ("password_expires_at", r#""2027-01-01T00:00:00Z""#),
    ("has_password", r#""yes""#),
    ("password_length", "12"),
    ("token_type", r#""Bearer""#),
    ("token_count", "5123"),
    ("max_tokens", "4096"),
    ("tokens_used", "123456"),
    ("tokenizer", r#""cl100k_base""#),
    ("next_token", r#""eyJvZmZzZXQiOjUwfQ==""#),
    ("page_token", r#""CAUQAA""#),
    ("secret_name", r#""prod/db""#),
    ("secret_version", r#""3""#),
    ("secretary", r#""Maria Lopez9""#),
    ("api_key_id", r#""42""#),
    ("key", r#""customer_name""#),
    ("keyboard", r#""us-intl-9""#),
    ("primary_key", r#""customer_id_77""#),
    ("public_key", r#""MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE""#),
    ("cvv_result", r#""M""#),
    ("cvc_check", r#""pass""#),
    ("cvv_provided", "true"),
    ("birthday_discount", "10"),
    ("birth_place", r#""Lyon""#),
    ("birth_country", r#""FR""#),
    ("dob_verified", "true"),
    ("passport_expiry", r#""2031-01-01""#),
    ("passport_country", r#""DEU""#),
    ("passport_type", r#""P""#),
    ("passport_issued", r#""2021-01-01""#),
    ("ssn_last4", r#""4399""#),
    ("ssn_verified", "true"),
    ("ssn_provided", "false"),
    ("phone_type", r#""mobile""#),
    ("phone_model", r#""Pixel 8 Pro""#),
    ("phone_verified", "true"),
    ("phone_country_code", r#""49""#),
    ("phone_ext", r#""4512""#),
    ("email_verified", "true"),
    ("email_template", r#""welcome_42""#),
    ("iban_valid", "true"),
    ("card_brand", r#""visa""#),
    ("card_last4", r#""1111""#),
    ("card_exp", r#""12/27""#),
    ("compass", r#""N42E""#),
    ("passenger", r#""X12345678""#),
    ("pass_rate", r#""98.5""#),
    ("bypass", r#""1234567""#),
    ("passed", "17"),
    ("cell_count", r#""2125550187""#),
    ("cellular_provider", r#""T-Mobile""#),
    ("mobile_app_version", r#""10.2.33.4""#),
    ("fax_enabled", "true"),
    ("cursor", r#""eyJpZCI6IDU1NTQ0MiwgIm8iOiA2NX0=""#),
    ("etag", r#""33a64df551425fcc55e4d42a148795d9f25f89d4""#),
    ("commit", r#""9fceb02d0ae598e95dc970b74767f19372d61af8""#),
    ("request_id", r#""req_9f8e7d6c5b4a3928""#),
    ("trace_id", r#""4bf92f3577b34da6a3ce929d0e0e4736""#),
    (
        "sha256",
        r#""e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855""#,
    ),
    ("order_id", r#""4111111111111112""#),
    ("tracking", r#""1Z999AA10123456784""#),
    ("isbn", r#""978-3-16-148410-0""#),
    ("ean", r#""4006381333931""#),
    ("invoice", r#""INV-2024-000123""#),
    ("sku", r#""AKIA-3681-XL""#),
    ("mac", r#""00:1A:2B:3C:4D:5E""#),
    ("user_agent", r#""Mozilla/5.0 Chrome/130.0.6723.91""#),
    ("timestamp", r#""1718000000000""#),
    ("account_number", r#""00123456789""#),
    ("zip", r#""90210-1234""#),
    ("lat", r#""48.137154""#),
    ("amount", r#""1,234,567.89""#),
    ("color", r##""#4a90e2""##),
    ("secretQuestion", r#""first pet?""#),
    ("grant_type", r#""password""#),
    ("auth_type", r#""basic""#),
    ("authMethod", r#""token""#),
    ("credential_type", r#""api_key""#),
    ("accessTokenExpiresIn", "3600"),
    ("accessTokenExpiry", r#""2027-01-01T00:00:00Z""#),
    ("refresh_token_ttl", r#""86400""#),
    ("tokenExpiry", "1718000000"),
    ("jwt_alg", r#""HS256""#),
    ("webhook_url", r#""https://example.com/hook/123""#),
    ("private", r#""false""#),
    ("cid", r#""842""#),
    ("salt", r#""f3a9""#),
    ("sid", r#""12345""#),
    ("session_timeout", r#""1800""#),
    ("security_code_required", "true"),
    ("securityLevel", r#""842""#),
    ("cvv_length", "3"),
    ("ssn_country", r#""US""#),
    ("dob_format", r#""YYYY-MM-DD""#),
    ("pin_code", r#""560001""#),
    ("area_code", r#""212""#),
];

/// Entity, value, and names of fields that hold one.
const FIELDS: &[(&str, &str, &str)] = &[
    (
        "PASSWORD",
        "Zebra!Lake42",
        "password Password passWord user_password newPassword password_confirmation passwordConfirm \
         confirm_password passwd pwd userPwd PASSWORT kennwort contraseña mot_de_passe motDePasse \
         senha wachtwoord haslo hasło lösenord parola salasana пароль 密码 パスワード db.password \
         spring.datasource.password smtpPassword ldap_bind_password keystorePassword sslKeyPassword \
         admin-pass loginPwd account.password auth.pass passphrase mypass rootpw wifiPassword \
         clave_de_acceso password1 old_pass new-pass temp_password initialPassword masterPassword \
         kodeord adgangskode Şifre jelszó heslo zugangspasswort",
    ),
    (
        "SECRET",
        "u629Aey_W6tS-FVgb2JIf1VKL00Peh8S5",
        "secret client_secret clientSecret apiKey api-key API_KEY x-api-key access_token \
         accessToken refresh_token id_token sessionToken auth_token authToken bearerToken \
         webhook_secret signingSecret app_secret consumerSecret oauth_token token apitoken \
         personalAccessToken deploy_token jwtSecret encryptionKey sessionKey privateKey secretKey \
         cle_api zugriffstoken clave_api chave_api 令牌 密钥 apikey subscription-key Ocp-Apim-Subscription-Key hmacKey sharedSecret tokenSecret csrfToken xsrf-token sessionid \
         session_id authorizationToken app_token push_token verification_token reset_token \
         passwordResetToken invite_token magic_token mfaSecret totp_seed otp_secret serviceToken",
    ),
    (
        "CVV",
        "842",
        "cvv cvc cvv2 cvc2 card_cvv cardCvv cvvNumber cvv_code securityCode card_security_code cvn \
         csc codigo_seguridad code_securite prüfziffer kartenprüfnummer cvcCode verificationValue \
         card.cvc payment.card.cvv cryptogramme codice_sicurezza",
    ),
    (
        "DOB",
        "1987-03-14",
        "dob DOB date_of_birth dateOfBirth birth_date birthDate birthdate birthday Geburtsdatum \
         geburtstag fecha_nacimiento fechaNacimiento date_naissance dateDeNaissance data_nascita \
         dataNascimento geboortedatum född birth person.birth.date dob_iso patientDob birthDateTime \
         data_urodzenia datum_narození doğum_tarihi 生年月日 出生日期 дата_рождения syntymäaika fødselsdato",
    ),
    (
        "PASSPORT",
        "X12345678",
        "passport passport_number passportNumber passportNo passport_no passport_id \
         travel_document_number reisepass reisepassnummer numero_pasaporte pasaporte \
         numeroPassaporto passeport num_passeport paspoortnummer passport.number document.passport \
         passaporte nr_paszportu 护照号",
    ),
    (
        "US_SSN",
        "536904399",
        "ssn SSN social_security_number socialSecurityNumber social_security us_ssn ssn_number \
         taxpayer_id employeeSsn applicant.ssn SocialSecurityNo ssnNumber soc_sec_no",
    ),
    (
        "PHONE",
        "2125550187",
        "phone phone_number phoneNumber mobile mobile_phone cell cellPhone tel telephone telefon \
         telefono téléphone celular fax contact_phone workPhone home_phone primaryPhone msisdn \
         handynummer numero_telefono whatsapp phone1 customer.phone phone_home telefonnummer 电话 \
         電話番号 телефон mobilnummer puhelinnumero",
    ),
    (
        "AWS_SECRET_KEY",
        "r4TAzVVv73n1dNWMaPdbUP9Hl7J5xJug6hGknrN/",
        "aws_secret_access_key AWS_SECRET_ACCESS_KEY secretAccessKey SecretAccessKey aws_secret_key \
         awsSecretKey aws_secret aws.secretKey AWS_SECRET s3_secret_key secret_access_key \
         awsSecretAccessKey aws-secret-access-key",
    ),
];

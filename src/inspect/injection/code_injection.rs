//! Code for interpreters: PHP, Perl, Java and its expression languages, JavaScript on servers, Python, Ruby,
//! server-side includes, XSLT extensions.
//!
//! The prefilter finds the words that code of each language needs; what follows a word decides whether it is code.

use super::lexis::any_of;
use super::xss::is_quoted_code;
use super::{Evidence, Kind, Setting, Value};

/// Words of which one at least stands in every value that this detector can find something in: those of [`SIGNS`], and
/// the bytes without which a value is not the head of code.
pub const ANCHORS: &[&str] = &anchors();

const fn anchors() -> [&'static str; SIGNS.len() + HEADS.len()] {
    let mut words = [""; SIGNS.len() + HEADS.len()];
    let mut index = 0;
    while index < words.len() {
        words[index] = if index < SIGNS.len() {
            SIGNS[index].0
        } else {
            HEADS[index - SIGNS.len()]
        };
        index += 1;
    }
    words
}

const HEADS: &[&str] = &["(", "$", "function"];

/// Notes evidence of the class in `value`.
pub fn look(value: &Value<'_>, evidence: &mut Evidence) {
    let lower = value.lower;
    for (index, at) in value.anchors() {
        let Some((word, sign)) = SIGNS.get(index) else {
            continue;
        };
        let before = at
            .start
            .checked_sub(1)
            .and_then(|before| lower.get(before))
            .copied();
        let glued = word.starts_with(|first: char| first.is_ascii_alphabetic())
            && before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if glued {
            continue;
        }
        let after = lower.get(at.end..).unwrap_or_default();
        weigh(*sign, after, &mut |kind, weight, name| {
            evidence.note_at(kind, weight, name, at.clone())
        });
    }
    whole(value, evidence);
    variable_call(value, evidence);
    if evidence.score() > 0 {
        surroundings(value, evidence);
    }
}

/// What a word is a sign of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// Code of itself: the name and weight of the evidence.
    Code(u8, &'static str),
    /// `<?`
    PhpTag,
    /// `<%`
    ScriptTag,
    /// `<!--#`
    Include,
    /// A function that runs its argument: an argument must follow.
    Call(u8, &'static str),
    /// A function whose name is common: only a string or variable argument counts.
    QuotedCall(u8, &'static str),
    /// Like that, and without brackets: `include '…'`, `system 'id'`.
    Statement(u8, &'static str),
    /// `${`, `#{`, `{{`: code inside.
    Interpolation,
}

fn weigh(sign: Sign, after: &[u8], note: &mut dyn FnMut(Kind, u8, &'static str)) {
    match sign {
        Sign::Code(weight, name) => note(Kind::Semantics, weight, name),
        Sign::PhpTag => php_tag(after, note),
        Sign::ScriptTag => script_tag(after, note),
        Sign::Include => {
            let directive = after.trim_ascii_start();
            let known = [
                "exec", "include", "echo", "config", "flastmod", "fsize", "printenv", "set", "if",
                "elif",
            ]
            .iter()
            .any(|name| directive.starts_with(name.as_bytes()));
            if known {
                note(Kind::Semantics, 75, "server-side-include");
            }
        }
        Sign::Call(weight, name) => {
            if let Some(inside) = after.trim_ascii_start().strip_prefix(b"(") {
                note(Kind::Semantics, weight, name);
                if argument(inside) {
                    note(Kind::Structure, 15, "call-argument");
                }
            }
        }
        Sign::QuotedCall(weight, name) => {
            let rest = after.trim_ascii_start();
            let inside = rest.strip_prefix(b"(");
            if inside.is_some_and(argument) {
                note(Kind::Semantics, weight, name);
            }
            if name == "inclusion" && is_remote(inside.unwrap_or(rest)) {
                note(Kind::Semantics, weight, name);
                note(Kind::Target, 30, "remote-code");
            }
        }
        Sign::Statement(weight, name) => {
            let rest = after.trim_ascii_start();
            if rest.strip_prefix(b"(").is_some_and(argument)
                || rest.len() < after.len() && quoted(rest)
            {
                note(Kind::Semantics, weight, name);
            }
        }
        Sign::Interpolation => interpolation(after, note),
    }
}

fn php_tag(after: &[u8], note: &mut dyn FnMut(Kind, u8, &'static str)) {
    if after.starts_with(b"php") || after.starts_with(b"=") {
        note(Kind::Semantics, 50, "php-tag");
    } else if let Some(rest) = after.strip_prefix(b"xml") {
        // With short tags on, `xml:` is a label of PHP.
        if rest.trim_ascii_start().starts_with(b":") {
            note(Kind::Semantics, 60, "php-tag");
        }
        return;
    } else if after
        .first()
        .is_some_and(|byte| byte.is_ascii_whitespace() || matches!(byte, b'$' | b'`'))
    {
        note(Kind::Semantics, 45, "php-tag");
    } else {
        return;
    }
    let body = body(after, *b"<?");
    let code = body
        .iter()
        .any(|byte| matches!(byte, b'(' | b'$' | b'`' | b'='));
    if code || any_of(body, &["echo", "print"]).is_some() {
        note(Kind::Structure, 15, "code-body");
    }
}

fn script_tag(after: &[u8], note: &mut dyn FnMut(Kind, u8, &'static str)) {
    let body = body(after, *b"<%");
    let body = until(body, *b"%>");
    if memchr::memchr(b'(', body).is_some() {
        note(Kind::Structure, 25, "script-tag");
    } else if body.starts_with(b"@") && memchr::memmem::find(body, b"import").is_some() {
        note(Kind::Semantics, 50, "script-tag");
    }
}

/// What follows an opening tag, up to the next one, so that each byte is looked at for one tag only.
fn body(after: &[u8], opening: [u8; 2]) -> &[u8] {
    until(after.get(..BODY_BYTES).unwrap_or(after), opening)
}

/// What stands before the first `pair`, or all.
fn until(text: &[u8], pair: [u8; 2]) -> &[u8] {
    let [first, second] = pair;
    memchr::memchr_iter(first, text)
        .find(|at| text.get(at + 1) == Some(&second))
        .and_then(|at| text.get(..at))
        .unwrap_or(text)
}

fn interpolation(after: &[u8], note: &mut dyn FnMut(Kind, u8, &'static str)) {
    let body = after.get(..NAME_BYTES).unwrap_or(after);
    let body = memchr::memchr(b'}', body)
        .map_or(body, |end| body.get(..end).unwrap_or_default())
        .trim_ascii();
    if body.starts_with(b"@") || body.starts_with(b"`") {
        note(Kind::Semantics, 55, "interpolated-code");
    } else if memchr::memchr(b'(', body).is_some() {
        note(Kind::Structure, 15, "interpolated-call");
    }
}

/// True when a bracket's content is a value of a program: a string, a variable, a number, a call; not a word.
fn argument(inside: &[u8]) -> bool {
    let inside = inside.trim_ascii_start();
    match inside.first() {
        Some(b'"' | b'\'' | b'$' | b'`' | b'[' | b'@' | b'%') => true,
        Some(byte) if byte.is_ascii_alphabetic() || *byte == b'_' => {
            let name = inside
                .iter()
                .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
                .count();
            matches!(inside.get(name), Some(b'(' | b'[' | b'{' | b'$'))
                || inside
                    .get(..name)
                    .is_some_and(|name| memchr::memchr(b'.', name).is_some())
        }
        _ => false,
    }
}

/// True for a string that begins with a scheme or a host.
fn is_remote(inside: &[u8]) -> bool {
    let text = inside.trim_ascii_start();
    let Some((b'"' | b'\'', text)) = text.split_first() else {
        return false;
    };
    [
        "http://", "https://", "ftp://", "data:", "php://", "//", "\\\\",
    ]
    .iter()
    .any(|start| text.starts_with(start.as_bytes()))
}

fn quoted(rest: &[u8]) -> bool {
    matches!(rest.first(), Some(b'"' | b'\'' | b'$' | b'`'))
        || rest.starts_with(b"qq{")
        || rest.starts_with(b"qx")
}

/// `$f('id')`, `$x[0]($y)`: a function whose name is in a variable.
fn variable_call(value: &Value<'_>, evidence: &mut Evidence) {
    if value.setting != Setting::Short {
        return;
    }
    for at in memchr::memchr_iter(b'$', value.lower) {
        let tail = value.lower.get(at + 1..).unwrap_or_default();
        let tail = tail.get(..NAME_BYTES).unwrap_or(tail);
        let name = tail
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_')
            .count();
        let index = tail
            .get(name..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| {
                matches!(byte, b'[' | b']' | b'{' | b'}' | b'\'' | b'"' | b' ')
                    || byte.is_ascii_digit()
            })
            .count();
        let call = tail
            .get(name + index..)
            .unwrap_or_default()
            .strip_prefix(b"(");
        if name > 0 && call.is_some_and(argument) {
            evidence.note_at(Kind::Semantics, 40, "variable-function", at..at + name + 1);
        }
    }
}

/// Values that are nothing but the head of code.
fn whole(value: &Value<'_>, evidence: &mut Evidence) {
    let text = value.lower.trim_ascii();
    if text.len() > WHOLE_BYTES {
        return;
    }
    let range = 0..value.bytes.len();
    if let Some(name) = text.strip_suffix(b"(").map(<[u8]>::trim_ascii_end) {
        let snake = memchr::memchr(b'_', name).is_some_and(|at| at > 0)
            && name
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        if snake {
            evidence.note_at(Kind::Semantics, 60, "function-head", range.clone());
        }
    }
    let head = text.strip_prefix(b"function").map(<[u8]>::trim_ascii);
    if head.is_some_and(|head| {
        head.starts_with(b"(") && (head.ends_with(b"{") || head.ends_with(b"}"))
    }) {
        evidence.note_at(Kind::Semantics, 60, "function-head", range.clone());
    }
    // `$ { x }` and `${'x'}` stand for nothing but PHP's evaluation of names.
    if let Some(body) = text
        .strip_prefix(b"$")
        .map(<[u8]>::trim_ascii_start)
        .and_then(|rest| rest.strip_prefix(b"{"))
    {
        let spaced = !text.starts_with(b"${") || body.starts_with(b" ");
        let literal = matches!(
            body.trim_ascii_start().first(),
            Some(b'\'' | b'"' | b'@' | b'$')
        );
        if body.ends_with(b"}") && (spaced || literal) {
            evidence.note_at(
                Kind::Semantics,
                if spaced || literal { 60 } else { 0 },
                "evaluated-name",
                range,
            );
        }
    }
}

fn surroundings(value: &Value<'_>, evidence: &mut Evidence) {
    match value.setting {
        Setting::Short => {
            let start = evidence.span().map_or(0, |span| span.start);
            let head = value.bytes.get(..start).unwrap_or_default().trim_ascii();
            match head.last() {
                // The name of a module in a list of names is no code.
                None if evidence
                    .span()
                    .is_some_and(|span| span.len() >= value.bytes.trim_ascii_end().len()) => {}
                None => evidence.note(Kind::Position, 15, "all-of-it"),
                Some(b'\'' | b'"' | b'`') => evidence.note(Kind::BreakOut, 20, "string-break-out"),
                // PHP joins strings with a dot.
                Some(b'.') if ends_string(head) => {
                    evidence.note(Kind::BreakOut, 20, "string-break-out");
                }
                Some(b'(') if is_calls(head) => evidence.note(Kind::Position, 15, "all-of-it"),
                Some(b';' | b'|' | b'&' | b'}' | b')' | b'{' | b'+' | b'>') => {
                    evidence.note(Kind::BreakOut, 20, "statement-break-out");
                }
                Some(_) => {}
            }
            if matches!(value.bytes.trim_ascii().last(), Some(b';' | b'#' | b'>'))
                || value.bytes.ends_with(b"//")
            {
                evidence.note(Kind::Terminator, 10, "statement-end");
            }
        }
        Setting::Prose => evidence.temper(65),
        Setting::Document => evidence.temper(50),
    }
    if value.is_prose()
        && let Some(span) = evidence.span()
        && is_quoted_code(value.bytes, span.start)
    {
        evidence.temper(35);
    }
}

/// True for `".` and `x' .`.
fn ends_string(head: &[u8]) -> bool {
    let before = head.strip_suffix(b".").unwrap_or(head).trim_ascii_end();
    matches!(before.last(), Some(b'"' | b'\''))
}

/// True for the heads of calls and nothing else: `print(`, `die(strrev(`.
fn is_calls(head: &[u8]) -> bool {
    head.iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'(' | b'@' | b'!')
    })
}

const SIGNS: &[(&str, Sign)] = &[
    ("<?", Sign::PhpTag),
    ("<%", Sign::ScriptTag),
    ("[php]", Sign::Code(60, "php-tag")),
    ("[/php]", Sign::Code(60, "php-tag")),
    ("{php}", Sign::Code(60, "php-tag")),
    ("@{[", Sign::Code(65, "perl-interpolation")),
    ("<!--#", Sign::Include),
    ("<!--\\#", Sign::Include),
    ("<esi:", Sign::Code(60, "edge-side-include")),
    ("$_get[", Sign::Code(50, "php-superglobal")),
    ("$_get{", Sign::Code(50, "php-superglobal")),
    ("$_post[", Sign::Code(50, "php-superglobal")),
    ("$_request[", Sign::Code(50, "php-superglobal")),
    ("$_server[", Sign::Code(50, "php-superglobal")),
    ("$_cookie[", Sign::Code(50, "php-superglobal")),
    ("$_files[", Sign::Code(50, "php-superglobal")),
    ("$globals[", Sign::Code(50, "php-superglobal")),
    ("phpinfo", Sign::Call(50, "phpinfo")),
    ("php://input", Sign::Code(60, "php-wrapper")),
    ("php://filter", Sign::Code(60, "php-wrapper")),
    ("expect://", Sign::Code(60, "php-wrapper")),
    ("phar://", Sign::Code(60, "php-wrapper")),
    ("data://text", Sign::Code(60, "php-wrapper")),
    ("system", Sign::Statement(50, "system-call")),
    ("shell_exec", Sign::Call(55, "system-call")),
    ("exec", Sign::QuotedCall(45, "system-call")),
    ("execsync", Sign::Call(55, "system-call")),
    ("passthru", Sign::Call(55, "system-call")),
    ("popen", Sign::QuotedCall(45, "system-call")),
    ("proc_open", Sign::Call(55, "system-call")),
    ("pcntl_exec", Sign::Call(55, "system-call")),
    ("eval", Sign::QuotedCall(45, "evaluation")),
    ("assert", Sign::QuotedCall(30, "evaluation")),
    ("preg_replace", Sign::QuotedCall(35, "evaluation")),
    ("create_function", Sign::Call(55, "evaluation")),
    ("call_user_func", Sign::Call(50, "evaluation")),
    ("call_user_func_array", Sign::Call(50, "evaluation")),
    ("array_map", Sign::QuotedCall(30, "evaluation")),
    ("include", Sign::QuotedCall(30, "inclusion")),
    ("include_once", Sign::QuotedCall(35, "inclusion")),
    ("require_once", Sign::QuotedCall(35, "inclusion")),
    ("file_get_contents", Sign::Call(45, "file-access")),
    ("file_put_contents", Sign::Call(50, "file-access")),
    ("fopen", Sign::QuotedCall(30, "file-access")),
    ("readfile", Sign::QuotedCall(40, "file-access")),
    ("base64_decode", Sign::Call(40, "evaluation")),
    ("gzinflate", Sign::Call(45, "evaluation")),
    ("str_rot13", Sign::Call(45, "evaluation")),
    ("runtime.getruntime", Sign::Code(65, "java-runtime")),
    ("rt:getruntime", Sign::Code(70, "java-runtime")),
    ("rt:exec", Sign::Code(70, "java-runtime")),
    ("getruntime()", Sign::Code(60, "java-runtime")),
    ("java.lang.runtime", Sign::Code(65, "java-runtime")),
    ("java.lang.processbuilder", Sign::Code(65, "java-runtime")),
    ("new processbuilder", Sign::Call(60, "java-runtime")),
    ("t(java.lang", Sign::Code(65, "java-expression")),
    ("java.lang.system", Sign::Code(40, "java-class")),
    ("java.lang.class", Sign::Code(45, "java-class")),
    ("java.io.", Sign::Code(25, "java-class")),
    ("getclass().", Sign::Code(40, "java-class")),
    ("class.forname", Sign::Call(50, "java-class")),
    ("class.module.classloader", Sign::Code(75, "class-loader")),
    ("class.classloader", Sign::Code(65, "class-loader")),
    ("_memberaccess", Sign::Code(70, "ognl")),
    ("ognl.ognlcontext", Sign::Code(70, "ognl")),
    ("ognl.ognlutil", Sign::Code(70, "ognl")),
    ("xwork2.actioncontext", Sign::Code(65, "ognl")),
    ("scriptenginemanager", Sign::Code(60, "java-script-engine")),
    ("freemarker.template.utility", Sign::Code(65, "java-class")),
    ("xalan/java", Sign::Code(70, "xslt-extension")),
    ("xml.apache.org/xalan", Sign::Code(50, "xslt-extension")),
    (
        "urn:schemas-microsoft-com:xslt",
        Sign::Code(40, "xslt-extension"),
    ),
    ("php:function", Sign::Call(60, "xslt-extension")),
    ("child_process", Sign::Code(50, "node-process")),
    ("process.mainmodule", Sign::Code(65, "node-process")),
    ("process.binding", Sign::Call(65, "node-process")),
    ("process.dlopen", Sign::Code(65, "node-process")),
    ("process.env", Sign::Code(20, "node-process")),
    ("process[", Sign::Code(50, "node-process")),
    ("process.spawn", Sign::Call(60, "node-process")),
    ("require[", Sign::Code(60, "node-require")),
    ("require('child_process", Sign::Code(70, "node-process")),
    ("require(\"child_process", Sign::Code(70, "node-process")),
    ("require('fs", Sign::Code(40, "node-require")),
    ("require(\"fs", Sign::Code(40, "node-require")),
    (
        "constructor.constructor",
        Sign::Code(65, "constructor-chain"),
    ),
    (
        "constructor:constructor",
        Sign::Code(70, "constructor-chain"),
    ),
    ("constructor[", Sign::Code(45, "constructor-chain")),
    ("[constructor]", Sign::Code(50, "constructor-chain")),
    ("global.process", Sign::Code(60, "node-process")),
    ("globalthis[", Sign::Code(50, "node-process")),
    ("_$$nd_func$$_", Sign::Code(70, "node-function")),
    ("spawnsync", Sign::Call(55, "system-call")),
    ("console[", Sign::Code(60, "computed-member")),
    ("new function", Sign::QuotedCall(50, "evaluation")),
    ("__import__", Sign::Call(65, "python-import")),
    ("os.system", Sign::Call(65, "system-call")),
    ("os.popen", Sign::Call(65, "system-call")),
    ("os.exec", Sign::Code(40, "system-call")),
    ("subprocess.", Sign::Code(45, "system-call")),
    ("__builtins__", Sign::Code(60, "python-internals")),
    ("__globals__", Sign::Code(60, "python-internals")),
    ("__subclasses__", Sign::Code(60, "python-internals")),
    ("__class__.", Sign::Code(50, "python-internals")),
    ("importlib.import_module", Sign::Call(50, "python-import")),
    ("compile", Sign::QuotedCall(20, "evaluation")),
    ("instance_eval", Sign::Code(45, "evaluation")),
    ("kernel.exec", Sign::Code(60, "system-call")),
    ("kernel.system", Sign::Code(60, "system-call")),
    ("io.popen", Sign::Call(60, "system-call")),
    ("os.execute", Sign::Call(60, "system-call")),
    ("runtime.exec", Sign::Call(60, "system-call")),
    ("}.execute()", Sign::Code(50, "system-call")),
    (".execute().text", Sign::Code(60, "system-call")),
    ("$_env[", Sign::Code(50, "php-superglobal")),
    ("$_session[", Sign::Code(50, "php-superglobal")),
    ("$_get", Sign::Code(40, "php-superglobal")),
    ("$_post", Sign::Code(40, "php-superglobal")),
    ("$_request", Sign::Code(40, "php-superglobal")),
    ("$_cookie", Sign::Code(40, "php-superglobal")),
    ("$_server", Sign::Code(40, "php-superglobal")),
    ("$globals", Sign::Code(45, "php-superglobal")),
    ("$argv", Sign::Code(40, "php-superglobal")),
    ("$http_raw_post_data", Sign::Code(50, "php-superglobal")),
    ("allow_url_include", Sign::Code(45, "php-directive")),
    ("auto_prepend_file", Sign::Code(45, "php-directive")),
    ("auto_append_file", Sign::Code(45, "php-directive")),
    ("disable_functions", Sign::Code(40, "php-directive")),
    ("suhosin.simulation", Sign::Code(45, "php-directive")),
    ("zlib://", Sign::Code(55, "php-wrapper")),
    ("glob://", Sign::Code(55, "php-wrapper")),
    ("ogg://", Sign::Code(55, "php-wrapper")),
    ("rar://", Sign::Code(55, "php-wrapper")),
    ("ssh2.", Sign::Code(35, "php-wrapper")),
    ("compress.bzip2://", Sign::Code(60, "php-wrapper")),
    ("fsockopen", Sign::Call(50, "network-access")),
    ("gzuncompress", Sign::Call(45, "evaluation")),
    ("php_uname", Sign::Call(50, "system-facts")),
    ("posix_", Sign::Code(30, "system-facts")),
    ("show_source", Sign::Call(50, "file-access")),
    ("highlight_file", Sign::Call(50, "file-access")),
    ("scandir", Sign::QuotedCall(45, "file-access")),
    ("opendir", Sign::QuotedCall(40, "file-access")),
    ("move_uploaded_file", Sign::Call(50, "file-access")),
    ("parse_ini_file", Sign::Call(45, "file-access")),
    ("get_defined_vars", Sign::Call(50, "evaluation")),
    ("ini_set", Sign::Call(45, "php-directive")),
    ("var_dump", Sign::Call(40, "evaluation")),
    ("print_r", Sign::QuotedCall(40, "evaluation")),
    ("array_filter", Sign::QuotedCall(30, "evaluation")),
    ("usort", Sign::QuotedCall(30, "evaluation")),
    ("ob_start", Sign::QuotedCall(40, "evaluation")),
    ("register_shutdown_function", Sign::Call(45, "evaluation")),
    ("mysql_query", Sign::Call(45, "database-access")),
    ("__halt_compiler", Sign::Code(60, "evaluation")),
    ("opensymphony.xwork2", Sign::Code(60, "java-class")),
    ("commons.collections.functors", Sign::Code(60, "java-class")),
    ("java.lang.classloader", Sign::Code(50, "java-class")),
    ("java.net.urlclassloader", Sign::Code(60, "java-class")),
    ("java.beans.xmldecoder", Sign::Code(60, "java-class")),
    ("javax.script.", Sign::Code(50, "java-class")),
    ("javassist", Sign::Code(50, "java-class")),
    ("sun.reflect", Sign::Code(45, "java-class")),
    ("invokertransformer", Sign::Code(60, "java-class")),
    ("java.io.filewriter", Sign::Code(50, "java-class")),
    ("java.io.fileinputstream", Sign::Code(50, "java-class")),
    ("java.io.bufferedreader", Sign::Code(50, "java-class")),
    ("java.util.scanner", Sign::Code(40, "java-class")),
    ("org.codehaus.groovy", Sign::Code(50, "java-class")),
    ("groovy.lang", Sign::Code(45, "java-class")),
    ("__proto__[", Sign::Code(60, "prototype")),
    ("__proto__.", Sign::Code(60, "prototype")),
    ("[__proto__]", Sign::Code(60, "prototype")),
    ("constructor[prototype]", Sign::Code(60, "prototype")),
    ("constructor.prototype", Sign::Code(55, "prototype")),
    ("__js_function", Sign::Code(60, "node-function")),
    ("module.exports", Sign::Code(40, "node-module")),
    ("this.constructor", Sign::Code(55, "constructor-chain")),
    ("return process", Sign::Code(50, "node-process")),
    ("process.exit", Sign::Call(55, "node-process")),
    ("process.kill", Sign::Call(60, "node-process")),
    ("process.cwd", Sign::Call(45, "node-process")),
    ("readfilesync", Sign::Call(40, "file-access")),
    ("readdirsync", Sign::Call(55, "file-access")),
    ("writefilesync", Sign::Call(40, "file-access")),
    ("settimeout", Sign::QuotedCall(30, "evaluation")),
    ("global[", Sign::Code(45, "computed-member")),
    ("open3.", Sign::Code(45, "system-call")),
    ("%x(", Sign::Code(45, "system-call")),
    ("%x{", Sign::Code(45, "system-call")),
    ("file.open", Sign::QuotedCall(40, "file-access")),
    ("file.read", Sign::QuotedCall(45, "file-access")),
    ("dir.entries", Sign::Call(50, "file-access")),
    ("open", Sign::QuotedCall(25, "file-access")),
    ("commands.getoutput", Sign::Call(60, "system-call")),
    ("pty.spawn", Sign::Call(65, "system-call")),
    ("pickle.loads", Sign::Call(60, "evaluation")),
    ("exec", Sign::Statement(35, "system-call")),
    ("execfile", Sign::QuotedCall(50, "evaluation")),
    ("sys.modules", Sign::Code(50, "python-internals")),
    ("__mro__", Sign::Code(55, "python-internals")),
    ("__base__", Sign::Code(50, "python-internals")),
    ("__init__.", Sign::Code(40, "python-internals")),
    ("getattr", Sign::QuotedCall(40, "evaluation")),
    ("response.write", Sign::Call(55, "script-tag")),
    ("server.createobject", Sign::Call(60, "script-tag")),
    ("wscript.shell", Sign::Code(60, "system-call")),
    ("createobject", Sign::QuotedCall(45, "script-tag")),
    ("${", Sign::Interpolation),
    ("#{", Sign::Interpolation),
];

/// Bytes after an opening tag that are looked at for code.
const BODY_BYTES: usize = 512;
/// Bytes after a `$` in which a call must stand.
const NAME_BYTES: usize = 64;
/// Bytes of a value that can be nothing but the head of code.
const WHOLE_BYTES: usize = 96;

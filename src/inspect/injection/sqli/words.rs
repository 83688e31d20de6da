//! Words of SQL and what they are for, over all dialects that a payload may be written in.

use std::sync::LazyLock;

/// What a word does in a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Word {
    /// Not a word of SQL: a name.
    Plain,
    /// `and`, `or`, `xor`.
    Logic,
    /// `not`, `binary`, unary in front of an operand.
    Unary,
    /// `select`.
    Select,
    /// `union`, `except`, `intersect`, `minus`.
    Union,
    /// `all`, `distinct`, between `union` and `select`.
    Quantifier,
    /// `from`.
    From,
    /// `where`, `having`, `when`, `on`: a condition follows.
    Condition,
    /// `having`.
    Having,
    /// `order`, `group`.
    Sorting,
    /// `by`.
    By,
    /// `limit`, `offset`, `top`.
    Limit,
    /// `like`, `rlike`, `regexp`, `glob`, `between`, `similar`.
    Predicate,
    /// `in`.
    In,
    /// `is`.
    Is,
    /// `isnull`, `notnull`.
    IsNull,
    /// `between`.
    Between,
    /// `null`, `true`, `false`, `unknown`, `default`.
    Literal,
    /// `insert`.
    Insert,
    /// `update`.
    Update,
    /// `delete`.
    Delete,
    /// `drop`, `create`, `alter`, `truncate`, `rename`.
    Define,
    /// `table`, `database`, `user`, … after a defining word.
    Object,
    /// `exec`, `execute`, `call`.
    Execute,
    /// `declare`.
    Declare,
    /// `shutdown`.
    Shutdown,
    /// `waitfor`.
    Waitfor,
    /// `into`.
    Into,
    /// `set`.
    Set,
    /// `values`.
    Values,
    /// `as`, `collate`, `escape`.
    Suffix,
    /// `collate`.
    Collate,
    /// `case`, `then`, `else`, `end`, `if`.
    Case,
    /// `exists`.
    Exists,
    /// `grant`, `revoke`, `merge`, `copy`, `attach`, `load`, `use`, `show`, `begin`, `commit`, …
    Statement,
    /// `mod`, `div`.
    Arithmetic,
    /// A function that waits, reads files, speaks to the network or runs commands.
    Danger,
    /// A function that only SQL has, or that is hardly written elsewhere with a bracket.
    Function,
    /// A table, schema or column that only describes the database itself.
    System,
    /// A table or column that attackers ask for.
    Prize,
}

impl Word {
    /// The word's part, by its lower-case spelling.
    pub(super) fn of(lower: &[u8]) -> Self {
        let Some(slot) = TABLE.get(slot_of(lower)) else {
            return Self::Plain;
        };
        for (known, word) in slot {
            if known.as_bytes() == lower {
                return *word;
            }
        }
        // Packages of database servers: their names only begin alike.
        let packaged = matches!(lower.first(), Some(b'd' | b'r' | b'v' | b'm' | b'u'))
            && SYSTEM_PREFIXES
                .iter()
                .any(|prefix| lower.starts_with(prefix.as_bytes()));
        if packaged { Self::System } else { Self::Plain }
    }
}

/// All words by their hash. Most words of a text fall into an empty or a one-word slot, whose length differs.
static TABLE: LazyLock<Vec<Vec<(&'static str, Word)>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); SLOTS];
    for (word, spellings) in WORDS {
        for spelling in *spellings {
            if let Some(slot) = table.get_mut(slot_of(spelling.as_bytes())) {
                slot.push((*spelling, *word));
            }
        }
    }
    table
});

/// A hash of length, first, middle and last byte.
fn slot_of(lower: &[u8]) -> usize {
    let byte = |index: usize| lower.get(index).copied().map_or(0, usize::from);
    let last = lower.len().saturating_sub(1);
    (byte(0) * 31 + byte(last) * 131 + byte(last / 2) * 517 + byte(1) * 1031 + lower.len() * 67)
        % SLOTS
}

/// Slots of the table; a power of two a few times the number of words.
const SLOTS: usize = 2048;

const WORDS: &[(Word, &[&str])] = &[
    (Word::Logic, &["and", "or", "xor"]),
    (Word::Unary, &["not", "binary", "prior"]),
    (Word::Select, &["select"]),
    (Word::Union, &["union", "except", "intersect", "minus"]),
    (
        Word::Quantifier,
        &["all", "distinct", "distinctrow", "any", "some"],
    ),
    (Word::From, &["from"]),
    (Word::Condition, &["where", "when", "on", "while"]),
    (Word::Having, &["having"]),
    (Word::Sorting, &["order", "group"]),
    (Word::By, &["by"]),
    (Word::Limit, &["limit", "offset", "top", "rownum", "fetch"]),
    (
        Word::Predicate,
        &[
            "like", "ilike", "rlike", "regexp", "glob", "similar", "sounds", "match", "contains",
            "overlaps",
        ],
    ),
    (Word::In, &["in"]),
    (Word::Is, &["is"]),
    (Word::IsNull, &["isnull", "notnull"]),
    (Word::Between, &["between"]),
    (
        Word::Literal,
        &["null", "true", "false", "unknown", "default"],
    ),
    (Word::Insert, &["insert", "replace"]),
    (Word::Update, &["update"]),
    (Word::Delete, &["delete"]),
    (
        Word::Define,
        &["drop", "create", "alter", "truncate", "rename"],
    ),
    (
        Word::Object,
        &[
            "table",
            "tables",
            "database",
            "schema",
            "view",
            "index",
            "trigger",
            "login",
            "role",
            "column",
            "procedure",
            "function",
            "temporary",
            "user",
        ],
    ),
    (Word::Execute, &["exec", "execute", "call"]),
    (Word::Declare, &["declare"]),
    (Word::Shutdown, &["shutdown"]),
    (Word::Waitfor, &["waitfor"]),
    (Word::Into, &["into"]),
    (Word::Set, &["set"]),
    (Word::Values, &["values"]),
    (Word::Suffix, &["as", "escape", "using"]),
    (Word::Collate, &["collate"]),
    (Word::Case, &["case", "then", "else", "end", "if"]),
    (Word::Exists, &["exists"]),
    (
        Word::Statement,
        &[
            "grant",
            "revoke",
            "merge",
            "copy",
            "attach",
            "load",
            "handler",
            "analyze",
            "vacuum",
            "kill",
            "backup",
            "restore",
            "bulk",
            "openrowset",
            "print",
            "show",
            "describe",
        ],
    ),
    (Word::Arithmetic, &["div", "mod"]),
    (Word::Danger, DANGER),
    (Word::Function, FUNCTIONS),
    (Word::System, SYSTEM),
    (Word::Prize, PRIZES),
];

const DANGER: &[&str] = &[
    "benchmark",
    "extractvalue",
    "lo_export",
    "lo_import",
    "load_file",
    "master",
    "openrowset",
    "pg_ls_dir",
    "pg_read_binary_file",
    "pg_read_file",
    "pg_sleep",
    "pg_sleep_for",
    "query_to_xml",
    "randomblob",
    "sleep",
    "sp_configure",
    "sp_executesql",
    "sp_makewebtask",
    "sp_oacreate",
    "sp_oamethod",
    "sp_password",
    "sys_eval",
    "sys_exec",
    "updatexml",
    "xmltype",
    "xp_cmdshell",
    "xp_dirtree",
    "xp_fileexist",
    "xp_regread",
    "xp_regwrite",
    "xp_servicecontrol",
    "xp_subdirs",
    "zeroblob",
];

/// Words that other languages use with a bracket as often (`left`, `abs`, `log`) are here too: they count only
/// with other signs.
const FUNCTIONS: &[&str] = &[
    "abs",
    "acos",
    "aes_decrypt",
    "aes_encrypt",
    "array_agg",
    "ascii",
    "asin",
    "atan",
    "avg",
    "bin",
    "bit_and",
    "bit_count",
    "bit_length",
    "bit_or",
    "bit_xor",
    "cast",
    "ceil",
    "ceiling",
    "char",
    "char_length",
    "character_length",
    "charindex",
    "chr",
    "coalesce",
    "coercibility",
    "collation",
    "compress",
    "concat",
    "concat_ws",
    "connection_id",
    "conv",
    "convert",
    "cos",
    "cot",
    "count",
    "crc32",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "database",
    "datalength",
    "date_add",
    "date_format",
    "date_sub",
    "datediff",
    "dayofmonth",
    "dayofweek",
    "dayofyear",
    "db_name",
    "decode",
    "degrees",
    "des_decrypt",
    "des_encrypt",
    "elt",
    "encode",
    "encrypt",
    "exp",
    "export_set",
    "extract",
    "field",
    "find_in_set",
    "floor",
    "format",
    "found_rows",
    "from_base64",
    "from_days",
    "from_unixtime",
    "getdate",
    "greatest",
    "group_concat",
    "hex",
    "hextoraw",
    "host_name",
    "ifnull",
    "iif",
    "inet_aton",
    "inet_ntoa",
    "instr",
    "is_srvrolemember",
    "isdate",
    "isnumeric",
    "json_extract",
    "json_keys",
    "json_value",
    "last_insert_id",
    "lcase",
    "least",
    "left",
    "len",
    "length",
    "likelihood",
    "likely",
    "ln",
    "localtime",
    "localtimestamp",
    "locate",
    "log",
    "log10",
    "log2",
    "lower",
    "lpad",
    "ltrim",
    "make_set",
    "makedate",
    "master_pos_wait",
    "max",
    "md5",
    "microsecond",
    "mid",
    "min",
    "mod",
    "name_const",
    "nullif",
    "nvl",
    "object_id",
    "object_name",
    "oct",
    "octet_length",
    "old_password",
    "ord",
    "password",
    "patindex",
    "pi",
    "position",
    "pow",
    "power",
    "printf",
    "quarter",
    "quote",
    "quotename",
    "radians",
    "rand",
    "random",
    "rawtohex",
    "regexp_instr",
    "regexp_like",
    "regexp_replace",
    "regexp_substr",
    "release_lock",
    "repeat",
    "reverse",
    "right",
    "round",
    "row_count",
    "rpad",
    "rtrim",
    "schema",
    "sec_to_time",
    "session_user",
    "sha1",
    "sha2",
    "sign",
    "sin",
    "soundex",
    "space",
    "spatialite_version",
    "sqlite_source_id",
    "sqlite_version",
    "sqrt",
    "stddev",
    "str_to_date",
    "strcmp",
    "string_agg",
    "stuff",
    "substr",
    "substring",
    "substring_index",
    "sum",
    "suser_name",
    "suser_sname",
    "sysdate",
    "system_user",
    "tan",
    "time_to_sec",
    "timediff",
    "timestampadd",
    "to_base64",
    "to_char",
    "to_date",
    "to_days",
    "to_number",
    "to_timestamp",
    "total_changes",
    "translate",
    "trim",
    "ucase",
    "uncompress",
    "unhex",
    "unicode",
    "unix_timestamp",
    "unlikely",
    "upper",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "uuid_short",
    "var_pop",
    "var_samp",
    "variance",
    "version",
    "weekday",
    "weekofyear",
    "xmlagg",
    "xmlelement",
    "yearweek",
];

const SYSTEM: &[&str] = &[
    "all_objects",
    "all_tab_columns",
    "all_tables",
    "all_users",
    "attnotnull",
    "attrelid",
    "datadir",
    "dba_role_privs",
    "dba_users",
    "dual",
    "information_schema",
    "msysaces",
    "msysobjects",
    "msysqueries",
    "pg_catalog",
    "pg_class",
    "pg_database",
    "pg_shadow",
    "pg_user",
    "schema_name",
    "sqlite_master",
    "sqlite_schema",
    "sqlite_temp_master",
    "sys",
    "syscolumns",
    "sysdatabases",
    "sysobjects",
    "sysusers",
    "table_name",
    "table_schema",
    "user_objects",
    "user_tab_columns",
    "user_tables",
    "utl_file",
    "utl_http",
    "utl_inaddr",
    "utl_smtp",
    "xtype",
];

/// Their first letters stand in [`Word::of`] too.
const SYSTEM_PREFIXES: &[&str] = &["dbms_", "rdb$", "v$", "mon$", "utl_"];

const PRIZES: &[&str] = &[
    "accounts",
    "admin",
    "administrators",
    "admins",
    "credentials",
    "credit_cards",
    "customers",
    "members",
    "passwd",
    "passwords",
    "pwd",
    "secret",
    "secrets",
    "userid",
    "users",
    "wp_users",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_has_two_parts_but_the_first_counts() {
        assert!(TABLE.iter().all(|slot| slot.len() <= 6));
    }

    #[test]
    fn words_have_their_parts() {
        assert_eq!(Word::of(b"or"), Word::Logic);
        assert_eq!(Word::of(b"sleep"), Word::Danger);
        assert_eq!(Word::of(b"utl_http"), Word::System);
        assert_eq!(Word::of(b"table"), Word::Object);
        assert_eq!(Word::of(b"chair"), Word::Plain);
    }
}

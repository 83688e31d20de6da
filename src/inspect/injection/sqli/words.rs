//! Words of SQL and what they are for, over all dialects that a payload may be written in.

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
    /// `procedure`.
    Procedure,
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
        match lower {
            b"and" | b"or" | b"xor" => Self::Logic,
            b"not" | b"binary" | b"prior" => Self::Unary,
            b"select" => Self::Select,
            b"union" | b"except" | b"intersect" | b"minus" => Self::Union,
            b"all" | b"distinct" | b"distinctrow" | b"any" | b"some" => Self::Quantifier,
            b"from" => Self::From,
            b"where" | b"when" | b"on" | b"while" => Self::Condition,
            b"having" => Self::Having,
            b"order" | b"group" => Self::Sorting,
            b"by" => Self::By,
            b"limit" | b"offset" | b"top" | b"rownum" | b"fetch" => Self::Limit,
            b"like" | b"ilike" | b"rlike" | b"regexp" | b"glob" | b"similar" | b"sounds"
            | b"match" | b"contains" | b"overlaps" => Self::Predicate,
            b"in" => Self::In,
            b"is" => Self::Is,
            b"isnull" | b"notnull" => Self::IsNull,
            b"between" => Self::Between,
            b"null" | b"true" | b"false" | b"unknown" | b"default" => Self::Literal,
            b"insert" | b"replace" => Self::Insert,
            b"update" => Self::Update,
            b"delete" => Self::Delete,
            b"drop" | b"create" | b"alter" | b"truncate" | b"rename" => Self::Define,
            b"table" | b"tables" | b"database" | b"schema" | b"view" | b"index" | b"trigger"
            | b"login" | b"role" | b"column" | b"procedure" | b"function" | b"temporary"
            | b"user" => Self::Object,
            b"exec" | b"execute" | b"call" => Self::Execute,
            b"declare" => Self::Declare,
            b"shutdown" => Self::Shutdown,
            b"waitfor" => Self::Waitfor,
            b"into" => Self::Into,
            b"set" => Self::Set,
            b"values" => Self::Values,
            b"as" | b"escape" | b"using" => Self::Suffix,
            b"collate" => Self::Collate,
            b"case" | b"then" | b"else" | b"end" | b"if" => Self::Case,
            b"exists" => Self::Exists,
            b"grant" | b"revoke" | b"merge" | b"copy" | b"attach" | b"load" | b"handler"
            | b"analyze" | b"vacuum" | b"kill" | b"backup" | b"restore" | b"bulk"
            | b"openrowset" | b"print" | b"show" | b"describe" => Self::Statement,
            b"div" | b"mod" => Self::Arithmetic,
            _ => Self::of_name(lower),
        }
    }

    fn of_name(lower: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(lower) else {
            return Self::Plain;
        };
        if text.len() < 3 {
            return if text == "ln" {
                Self::Function
            } else {
                Self::Plain
            };
        }
        if DANGER.binary_search(&text).is_ok() {
            Self::Danger
        } else if FUNCTIONS.binary_search(&text).is_ok() {
            Self::Function
        } else if SYSTEM.binary_search(&text).is_ok()
            || SYSTEM_PREFIXES
                .iter()
                .any(|prefix| text.starts_with(prefix))
        {
            Self::System
        } else if PRIZES.binary_search(&text).is_ok() {
            Self::Prize
        } else {
            Self::Plain
        }
    }
}

/// Sorted.
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

/// Sorted. Words that other languages use with a bracket as often (`left`, `abs`, `log`) are here too: they count only
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

/// Sorted.
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

const SYSTEM_PREFIXES: &[&str] = &["dbms_", "rdb$", "v$", "mon$", "utl_"];

/// Sorted.
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
    fn tables_are_sorted() {
        for table in [DANGER, FUNCTIONS, PRIZES] {
            assert!(table.is_sorted());
        }
        let mut system = SYSTEM.to_vec();
        system.sort_unstable();
        assert_eq!(system, SYSTEM);
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

//! The files of `signatures/`, as part of the program. A test compares the list with the folder.

/// Path in the bundle and contents, in bytewise order of the paths.
pub(super) const FILES: &[(&str, &[u8])] = &[
    (
        "bundle.toml",
        include_bytes!("../../signatures/bundle.toml"),
    ),
    (
        "examples/yara.toml",
        include_bytes!("../../signatures/examples/yara.toml"),
    ),
    (
        "literal/exploits.toml",
        include_bytes!("../../signatures/literal/exploits.toml"),
    ),
    (
        "literal/test-files.toml",
        include_bytes!("../../signatures/literal/test-files.toml"),
    ),
    (
        "literal/tools.toml",
        include_bytes!("../../signatures/literal/tools.toml"),
    ),
    (
        "yara/disguise.yar",
        include_bytes!("../../signatures/yara/disguise.yar"),
    ),
    (
        "yara/documents.yar",
        include_bytes!("../../signatures/yara/documents.yar"),
    ),
    (
        "yara/droppers.yar",
        include_bytes!("../../signatures/yara/droppers.yar"),
    ),
    (
        "yara/webshells.yar",
        include_bytes!("../../signatures/yara/webshells.yar"),
    ),
];

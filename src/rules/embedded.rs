//! The files of `signatures/`, as part of the program. A test compares the list with the folder.

/// Path in the bundle and contents, in bytewise order of the paths.
pub(super) const FILES: &[(&str, &[u8])] = &[
    (
        "bundle.toml",
        include_bytes!("../../signatures/bundle.toml"),
    ),
    (
        "literal/test-files.toml",
        include_bytes!("../../signatures/literal/test-files.toml"),
    ),
];

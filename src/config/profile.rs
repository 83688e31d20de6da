//! Profiles of the file as policy's profiles.

use super::file;
use crate::policy::profile::Profile;

pub(super) fn resolve(name: &str, profile: &file::Profile) -> Profile {
    Profile {
        name: name.into(),
        mode: profile.mode,
        release: profile.release,
    }
}

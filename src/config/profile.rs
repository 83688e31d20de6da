//! Profiles of the file as policy's profiles.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::content;
use crate::inspect::Direction;
use crate::inspect::signatures::Keeping;
use crate::policy::allow::Allow;
use crate::policy::exception::{Exception, Scope, Subject};
use crate::policy::profile::{Inspect, Limits, Mode, Profile};
use crate::redact::{self, Profile as Redaction};

use super::file::{self, Base, Switch};
use super::{Mistake, Source, mib};

/// The profile `name`.
pub(super) fn resolve(
    name: &str,
    file: &file::Profile,
    redactions: &BTreeMap<String, Arc<Redaction>>,
    source: &Source<'_>,
) -> Result<Profile, Mistake> {
    let direction = match file.base.unwrap_or_default() {
        Base::Request => Direction::Request,
        Base::Response => Direction::Response,
    };
    let preset = file.preset.unwrap_or_default();
    let begun =
        Profile::named(preset.name(), direction).unwrap_or_else(|| Profile::built_in(direction));
    let mut profile = Profile {
        name: name.into(),
        allow: Allow::new(&file.allow),
        mode: file.mode.unwrap_or(begun.mode),
        release: file.release,
        inspect: Inspect {
            signatures: file.signatures == Switch::On,
            structure: file.structure == Switch::On,
            injection: file.injection == Switch::On,
        },
        limits: limits(&file.limits),
        redact: redaction(name, file, redactions, source)?,
        ..begun
    };
    for (code, mode) in &file.fail_modes {
        let anomaly: Anomaly = code
            .parse()
            .map_err(|_| unknown_anomaly(name, code, source))?;
        profile.fail_modes.set(anomaly, *mode);
    }
    for (category, setting) in &file.classes {
        if let Some(action) = setting.action {
            profile.classes.set_action(*category, action);
        }
        if let Some(threshold) = setting.threshold {
            profile.classes.set_threshold(*category, threshold);
        }
    }
    for (rule, action) in &file.rules {
        profile.rules.insert(rule.as_str().into(), *action);
    }
    for setting in &file.exceptions {
        profile.exceptions.push(exception(name, setting, source)?);
    }
    Ok(profile)
}

fn limits(file: &file::ProfileLimits) -> Limits {
    Limits {
        body_bytes: mib(file.body_mib),
        content: content::Limits {
            decoded_bytes: mib(file.decoded_mib),
            ratio: file.ratio,
            ratio_floor_bytes: mib(file.ratio_floor_mib),
            codings: file.codings,
            members: file.members,
            coding_window_bytes: mib(file.coding_window_mib),
            archive_depth: file.archive_depth,
            archive_entries: file.archive_entries,
            multipart_parts: file.multipart_parts,
            depth: file.depth,
            parts: file.parts,
            ..content::Limits::default()
        },
        yara: Keeping {
            memory_bytes: mib(file.yara_whole_mib),
            spool_bytes: mib(file.yara_spool_mib),
        },
    }
}

fn redaction(
    name: &str,
    file: &file::Profile,
    redactions: &BTreeMap<String, Arc<Redaction>>,
    source: &Source<'_>,
) -> Result<Option<Arc<Redaction>>, Mistake> {
    let redact = file.redact.as_deref().unwrap_or_default();
    if redact.is_empty() {
        return Ok(None);
    }
    let known = redactions.get(redact).cloned();
    let profile = known.or_else(|| Redaction::builtin(redact).map(Arc::new));
    match (profile, file.mode.unwrap_or_default()) {
        // Who only observes changes nothing.
        (Some(profile), Mode::Observe) => {
            let observing = Redaction::clone(&profile).with_mode(redact::Mode::Observe);
            Ok(Some(Arc::new(observing)))
        }
        (Some(profile), Mode::Enforce | Mode::Off) => Ok(Some(profile)),
        (None, _) => {
            let of_file = redactions.keys().map(String::as_str);
            Err(source.unknown(
                &format!("redaction profile of profiles.{name}"),
                redact,
                Redaction::BUILTIN.iter().copied().chain(of_file),
            ))
        }
    }
}

fn unknown_anomaly(name: &str, code: &str, source: &Source<'_>) -> Mistake {
    let known = Anomaly::ALL.iter().map(|anomaly| anomaly.code());
    source.unknown(
        &format!("anomaly in profiles.{name}.fail-modes"),
        code,
        known,
    )
}

fn exception(
    name: &str,
    setting: &file::ExceptionSetting,
    source: &Source<'_>,
) -> Result<Exception, Mistake> {
    let subject = match (&setting.rule, setting.class) {
        (Some(rule), None) => Subject::Rule(rule.as_str().into()),
        (None, Some(class)) => Subject::Class(class),
        (None, None) | (Some(_), Some(_)) => {
            let what = format!(
                "an exception of profiles.{name} must name a rule or a class, and not both"
            );
            return Err(source.mistake(None, &what));
        }
    };
    let boxed = |text: &Option<String>| text.as_deref().map(Box::from);
    let lower = |text: &Option<String>| text.as_ref().map(|text| text.to_ascii_lowercase().into());
    let scope = Scope {
        value: boxed(&setting.value),
        method: boxed(&setting.method),
        host: lower(&setting.host),
        route: boxed(&setting.route),
        content_type: lower(&setting.content_type),
        clients: setting.clients.clone(),
    };
    Ok(Exception::new(subject, scope))
}

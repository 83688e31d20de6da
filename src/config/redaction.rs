//! Redaction profiles of the file: which values, how each is masked, which places, which parts of heads.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::redact::{
    Despite, Heads, Mask, Mode, Profile, ProfileError, Recode, SELECTED, Selector, TokenKey, Unread,
};

use super::file::Switch;
use super::{Mistake, Place, Source};

/// One redaction profile.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct RedactionSetting {
    /// The built-in profile that it begins with, or `none`; `all` when nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<Spanned<String>>,
    /// `enforce`, or `observe`: count and change nothing.
    pub mode: Mode,
    /// The mask of every entity that the base masks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask: Option<Spanned<MaskName>>,
    /// Masks by entity (`PAN`) or by rule (`field/cvv`).
    pub masks: BTreeMap<String, Spanned<MaskName>>,
    /// Places whose values are masked, or left alone, whatever they are.
    pub selectors: Vec<SelectorSetting>,
    /// Which parts of heads are searched.
    pub heads: HeadsSetting,
    /// The key of the mask `token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenSetting>,
    /// What does not keep the profile from editing.
    pub despite: Vec<Obstacle>,
    /// Text that is not read (base64 over 64 KiB, base64 inside base64): `judge` it as the anomaly `decode-limit`, or
    /// `mask` it whole.
    pub unread: Unread,
    /// Edited bodies that came in content-codings leave in the `same` ones, or in none (`identity`).
    pub recode: Recode,
}

/// A mask by its name.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum MaskName {
    /// `[REDACTED:PAN]`
    Fixed,
    /// All but the last four letters and digits are stars.
    #[serde(rename = "keep-last-4")]
    KeepLast4,
    /// The first six and the last four digits stay; `PAN` only.
    #[serde(rename = "bin-last-4")]
    BinLast4,
    /// `tok_` and a keyed HMAC.
    Token,
    /// `null` in JSON, empty elsewhere.
    Null,
    /// The member or element is taken out.
    Remove,
    /// The message is blocked.
    Block,
    /// The value stays.
    Off,
}

/// Places, and what is done with their values.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SelectorSetting {
    /// Selectors: `$.user.ssn`, `//card/@number`, `csv:salary`, `header:x-api-key` …
    pub at: Vec<Spanned<String>>,
    /// What is done; `off` leaves the values alone whatever they are.
    pub mask: Spanned<MaskName>,
    /// What the values are called in masks and records; `SELECTED` when nothing is said.
    #[serde(rename = "as", default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Spanned<String>>,
}

/// Which parts of heads are searched; nothing when nothing is said.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct HeadsSetting {
    /// Names of header fields; `*`: all but those that frame or route the message.
    pub fields: Vec<Spanned<String>>,
    /// The values in `Cookie` and `Set-Cookie`.
    pub cookies: Switch,
    /// The query of the request target, and of the URLs in `Referer`, `Location` and `Content-Location`.
    pub query: Switch,
}

impl Default for HeadsSetting {
    fn default() -> Self {
        Self {
            fields: Vec::new(),
            cookies: Switch::Off,
            query: Switch::Off,
        }
    }
}

/// The key of tokens. It is read anew at each reload.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct TokenSetting {
    /// A file with the key, at least 16 bytes; a line end at its end is no part of it. This or `key-env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<Spanned<PathBuf>>,
    /// A variable of the environment with the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<Spanned<String>>,
    /// A name of the key, shown in each token, so that tokens of an old key are told apart; letters and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Spanned<String>>,
    /// Equal values of two tenants have different tokens.
    pub tenant: String,
    /// While keys are rotated, the one before: each token is written under both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<KeySetting>,
}

/// A key that is on its way out.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct KeySetting {
    /// A file with the key. This or `key-env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<Spanned<PathBuf>>,
    /// A variable of the environment with the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_env: Option<Spanned<String>>,
    /// Its name, by which tokens under it are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<Spanned<String>>,
}

/// What can forbid an edit.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// `Cache-Control: no-transform`.
    NoTransform,
    /// A signature over the body.
    Signature,
}

/// The profiles of the file by name, and a digest of the keys that they use.
pub(super) fn resolve_all(
    settings: &BTreeMap<String, RedactionSetting>,
    source: &Source<'_>,
) -> Result<BTreeMap<String, Arc<Profile>>, Mistake> {
    let mut profiles = BTreeMap::new();
    for (name, setting) in settings {
        if Profile::builtin(name).is_some() || name == NONE {
            let what = format!("redactions.{name}: the name belongs to a built-in profile");
            return Err(source.mistake(None, &what));
        }
        let profile = resolve(name, setting, source)?;
        profiles.insert(name.clone(), Arc::new(profile));
    }
    Ok(profiles)
}

fn resolve(
    name: &str,
    setting: &RedactionSetting,
    source: &Source<'_>,
) -> Result<Profile, Mistake> {
    let key = setting
        .token
        .as_ref()
        .map(|token| keys(name, token, source))
        .transpose()?;
    let masks = Masks {
        source,
        name,
        key: key.map(Arc::new),
    };
    let mut profile = base(setting, source)?
        .named(name)
        .with_mode(setting.mode)
        .with_heads(heads(&setting.heads, source)?)
        .with_despite(despite(&setting.despite))
        .with_unread(setting.unread)
        .with_recode(setting.recode);
    if let Some(every) = &setting.mask {
        let place = source.place_of(every);
        if *every.get_ref() == MaskName::BinLast4 {
            let what = ProfileError::NotForEntity.to_string();
            return Err(source.mistake(None, &what).at(place));
        }
        profile = match masks.mask(every)? {
            Some(mask) => profile.with_every_mask(&mask),
            None => profile.without_masks(),
        };
    }
    for (what, mask) in &setting.masks {
        profile = masks.applied(profile, what, mask)?;
    }
    for selector in &setting.selectors {
        profile = masks.selected(profile, selector)?;
    }
    Ok(profile)
}

fn base(setting: &RedactionSetting, source: &Source<'_>) -> Result<Profile, Mistake> {
    let Some(base) = &setting.base else {
        return Ok(Profile::all());
    };
    match base.get_ref().as_str() {
        NONE => Ok(Profile::none()),
        named => Profile::builtin(named).ok_or_else(|| {
            let known = Profile::BUILTIN.iter().copied().chain([NONE]);
            source
                .unknown("built-in redaction profile", named, known)
                .at(source.place_of(base))
        }),
    }
}

fn heads(setting: &HeadsSetting, source: &Source<'_>) -> Result<Heads, Mistake> {
    let mut fields = Vec::new();
    for name in &setting.fields {
        let text = name.get_ref();
        // RFC 9110 §5.6.2: a field name is a token.
        if text.is_empty() || !text.bytes().all(crate::wire::grammar::is_tchar) {
            let what = format!("{text:?} is not a header name");
            return Err(source.mistake(None, &what).at(source.place_of(name)));
        }
        fields.push(text.as_str().into());
    }
    Ok(Heads {
        fields,
        cookies: setting.cookies == Switch::On,
        query: setting.query == Switch::On,
    })
}

fn despite(obstacles: &[Obstacle]) -> Despite {
    obstacles
        .iter()
        .map(|obstacle| match obstacle {
            Obstacle::NoTransform => Despite::NO_TRANSFORM,
            Obstacle::Signature => Despite::SIGNATURE,
        })
        .collect()
}

/// The key of a profile's tokens, and with it the one before where there is one.
fn keys(name: &str, token: &TokenSetting, source: &Source<'_>) -> Result<TokenKey, Mistake> {
    let table = format!("redactions.{name}.token");
    let setting = KeySetting {
        key_file: token.key_file.clone(),
        key_env: token.key_env.clone(),
        key_id: token.key_id.clone(),
    };
    let current = key(&table, &setting, &token.tenant, source)?;
    let Some(previous) = &token.previous else {
        return Ok(current);
    };
    let table = format!("{table}.previous");
    let id = |setting: &KeySetting| setting.key_id.as_ref().map(|id| id.get_ref().clone());
    // Without names nobody could tell which half of a token joins what.
    match (id(&setting), id(previous)) {
        (Some(new), Some(old)) if new != old => {}
        _ => {
            let what = format!("{table} needs a key-id, and redactions.{name}.token another one");
            return Err(source.mistake(None, &what));
        }
    }
    Ok(current.with_previous(key(&table, previous, &token.tenant, source)?))
}

fn key(
    table: &str,
    token: &KeySetting,
    tenant: &str,
    source: &Source<'_>,
) -> Result<TokenKey, Mistake> {
    let wrong = |place: Place, what: &str| source.mistake(None, what).at(place);
    let (secret, place) = match (&token.key_file, &token.key_env) {
        (Some(file), None) => {
            let place = source.place_of(file);
            let mut secret = std::fs::read(file.get_ref()).map_err(|error| {
                let what = format!(
                    "cannot read the token key {}: {error}",
                    file.get_ref().display()
                );
                wrong(place.clone(), &what)
            })?;
            while matches!(secret.last(), Some(b'\r' | b'\n')) {
                secret.pop();
            }
            (secret, place)
        }
        (None, Some(variable)) => {
            let place = source.place_of(variable);
            let secret = std::env::var(variable.get_ref()).map_err(|_| {
                let what = format!(
                    "the variable {} with the token key is not set",
                    variable.get_ref()
                );
                wrong(place.clone(), &what)
            })?;
            (secret.into_bytes(), place)
        }
        (None, None) | (Some(_), Some(_)) => {
            let what = format!("{table} needs key-file or key-env, and not both");
            return Err(source.mistake(None, &what));
        }
    };
    let id = match &token.key_id {
        Some(id) if !is_key_id(id.get_ref()) => {
            let what = "expected at most 16 letters and digits as key-id";
            return Err(wrong(source.place_of(id), what));
        }
        Some(id) => id.get_ref().as_str(),
        None => "",
    };
    TokenKey::new(&secret, tenant)
        .map(|key| key.with_id(id))
        .ok_or_else(|| wrong(place, "expected a token key of at least 16 bytes"))
}

fn is_key_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= KEY_ID_BYTES
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Turns names of masks into masks.
struct Masks<'a> {
    source: &'a Source<'a>,
    name: &'a str,
    key: Option<Arc<TokenKey>>,
}

impl Masks<'_> {
    /// The mask; `None` leaves values alone.
    fn mask(&self, mask: &Spanned<MaskName>) -> Result<Option<Mask>, Mistake> {
        Ok(Some(match mask.get_ref() {
            MaskName::Fixed => Mask::Fixed,
            MaskName::KeepLast4 => Mask::KeepLast4,
            MaskName::BinLast4 => Mask::BinLast4,
            MaskName::Null => Mask::Null,
            MaskName::Remove => Mask::Remove,
            MaskName::Block => Mask::Block,
            MaskName::Off => return Ok(None),
            MaskName::Token => match &self.key {
                Some(key) => Mask::Token(Arc::clone(key)),
                None => {
                    let what = format!(
                        "the mask token needs a key: redactions.{}.token.key-file or key-env",
                        self.name
                    );
                    return Err(self.wrong(mask, &what));
                }
            },
        }))
    }

    /// `profile` with the mask of an entity or of a rule.
    fn applied(
        &self,
        profile: Profile,
        what: &str,
        mask: &Spanned<MaskName>,
    ) -> Result<Profile, Mistake> {
        let chosen = self.mask(mask)?;
        let catalog = Arc::clone(profile.catalog());
        let changed = match what.contains('/') {
            true => profile.with_rule_mask(what, chosen),
            false => profile.with_mask(what, chosen),
        };
        changed.map_err(|error| match error {
            ProfileError::UnknownRule => self
                .source
                .unknown("entity rule", what, catalog.rule_ids())
                .at(self.source.place_of(mask)),
            ProfileError::UnknownEntity => self
                .source
                .unknown("entity", what, catalog.labels())
                .at(self.source.place_of(mask)),
            ProfileError::NotForEntity => self.wrong(mask, &error.to_string()),
        })
    }

    /// `profile` with the places of `setting`.
    fn selected(
        &self,
        mut profile: Profile,
        setting: &SelectorSetting,
    ) -> Result<Profile, Mistake> {
        let mask = self.mask(&setting.mask)?;
        if matches!(mask, Some(Mask::BinLast4)) {
            return Err(self.wrong(&setting.mask, &ProfileError::NotForEntity.to_string()));
        }
        let label = match &setting.label {
            None => SELECTED,
            Some(label) if is_label(label.get_ref()) => label.get_ref(),
            Some(label) => {
                return Err(
                    self.wrong(label, "expected at most 32 of A to Z, 0 to 9 and _ as name")
                );
            }
        };
        for at in &setting.at {
            let selector = Selector::parse(at.get_ref())
                .map_err(|error| self.wrong(at, &error.to_string()))?;
            profile = match &mask {
                Some(mask) => profile.with_selector(selector, mask.clone(), label),
                None => profile.with_exemption(selector),
            };
        }
        Ok(profile)
    }

    fn wrong<T>(&self, at: &Spanned<T>, what: &str) -> Mistake {
        self.source.mistake(None, what).at(self.source.place_of(at))
    }
}

fn is_label(label: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !label.is_empty() && label.len() <= LABEL_BYTES && label.bytes().all(is_part)
}

/// The base that masks nothing.
const NONE: &str = "none";

/// Longer names would make masks longer than what they mask.
const LABEL_BYTES: usize = 32;

/// A date or a number.
const KEY_ID_BYTES: usize = 16;

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn mistake(text: &str) -> String {
        let path = std::path::Path::new("sluice.toml");
        let error = Config::parse(text, Some(path), &[]).expect_err("a mistake");
        error.to_string()
    }

    #[test]
    fn mistakes_in_a_redaction_profile_are_shown_at_their_place() {
        for (text, shown) in [
            (
                "[redactions.x]\nbase = \"pci-ds\"\n",
                "sluice.toml:2:8: unknown built-in redaction profile \"pci-ds\"; did you mean \"pci-dss\"?",
            ),
            (
                "[redactions.x.masks]\nPAN = \"keep-last-five\"\n",
                "sluice.toml:2:7: unknown value \"keep-last-five\"; did you mean \"keep-last-4\"?",
            ),
            (
                "[redactions.x.masks]\nPANN = \"fixed\"\n",
                "sluice.toml:2:8: unknown entity \"PANN\"; did you mean \"PAN\"?",
            ),
            (
                "[redactions.x.masks]\n\"field/cv\" = \"remove\"\n",
                "sluice.toml:2:14: unknown entity rule \"field/cv\"; did you mean \"field/cvv\"?",
            ),
            (
                "[redactions.x.masks]\nIBAN = \"bin-last-4\"\n",
                "sluice.toml:2:8: the mask bin-last-4 is for PAN only",
            ),
            (
                "[redactions.x.masks]\nPAN = \"token\"\n",
                "sluice.toml:2:7: the mask token needs a key: redactions.x.token.key-file or key-env",
            ),
            (
                "[[redactions.x.selectors]]\nat = [\"$.a\", \"$.b[?(@.c)]\"]\nmask = \"fixed\"\n",
                "sluice.toml:2:14: expected a name, an index or * in a selector, at byte 3",
            ),
            (
                "[redactions.x.token]\nkey-file = \"/nonexistent/key\"\n",
                "sluice.toml:2:12: cannot read the token key /nonexistent/key: No such file or directory (os error 2)",
            ),
            (
                "[redactions.x.token]\nkey-env = \"SLUICE_TEST_NO_SUCH_KEY\"\n",
                "sluice.toml:2:11: the variable SLUICE_TEST_NO_SUCH_KEY with the token key is not set",
            ),
            (
                "[redactions.x.token]\nkey-env = \"PATH\"\nkey-id = \"a\"\n[redactions.x.token.previous]\nkey-env = \"PATH\"\nkey-id = \"a\"\n",
                "sluice.toml: redactions.x.token.previous needs a key-id, and redactions.x.token another one",
            ),
            (
                "[redactions.x.heads]\nfields = [\"X Api\"]\n",
                "sluice.toml:2:11: \"X Api\" is not a header name",
            ),
            (
                "[redactions.gdpr]\n",
                "sluice.toml: redactions.gdpr: the name belongs to a built-in profile",
            ),
            (
                "[profiles.response]\nredact = \"cards\"\n[redactions.card]\n",
                "sluice.toml: unknown redaction profile of profiles.response \"cards\"; did you mean \"card\"?",
            ),
        ] {
            assert_eq!(mistake(text), shown);
        }
    }

    #[test]
    fn what_the_documents_show_is_good() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = folder.path().join("key");
        std::fs::write(&key, "0123456789abcdef").expect("written");
        let key = key.to_str().expect("UTF-8");
        let page = include_str!("../../docs/redaction.md");
        let shown: String = page
            .split("```toml\n")
            .skip(1)
            .filter_map(|block| block.split("```").next())
            .collect();
        let shown = shown.replace("/etc/sluice/token.key", key);
        let config = Config::parse(&shown, None, &[]).expect("the page is good");
        assert!(config.redactions.contains_key("cards") && !config.routes.is_empty());
        // The examples of the file, which stand in comments.
        let file = include_str!("../../deploy/sluice.toml");
        let examples: String = file
            .lines()
            .skip_while(|line| *line != "# [redactions.cards]")
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| line.starts_with('[') || line.contains(" = "))
            .filter(|line| !line.starts_with("key-env") && !line.starts_with("allow"))
            .map(|line| line.to_owned() + "\n")
            .collect();
        let examples = examples.replace("/etc/sluice/token.key", key);
        let config = Config::parse(&examples, None, &[]).expect("the examples are good");
        assert!(config.redactions.contains_key("cards") && !config.routes.is_empty());
    }

    #[test]
    fn every_built_in_profile_is_there_by_name() {
        for name in crate::redact::Profile::BUILTIN {
            let text = format!(
                "[profiles.response]\nredact = {name:?}\n[redactions.mine]\nbase = {name:?}\n"
            );
            let config = Config::parse(&text, None, &[]).expect("good");
            let service = config.services.find("/respmod").expect("a default service");
            let profile = service.response.as_ref().expect("offered");
            let redact = profile.redact.as_ref().expect("it redacts");
            assert_eq!(redact.name(), *name);
        }
    }

    #[test]
    fn a_new_key_is_a_new_policy() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("key");
        let digest = |key: &str| {
            std::fs::write(&file, key).expect("written");
            let text = format!(
                "[redactions.x]\nmask = \"token\"\n[redactions.x.token]\nkey-file = {file:?}\nkey-id = \"a1\"\n"
            );
            let config = Config::parse(&text, None, &[]).expect("good");
            assert_eq!(config.redactions["x"].name(), "x");
            config.policy_digest
        };
        let one = digest("0123456789abcdef\n");
        assert_eq!(one, digest("0123456789abcdef"));
        assert_ne!(one, digest("0123456789abcdeg"));
    }
}

//! Overrides from the environment: `SLUICE__SECTION__KEY=value` for each key of the file, `_` for `-`, list items by
//! number (`SLUICE__SERVICES__0__PATH`). A value is TOML; what is not TOML is a string.

use toml::{Table, Value};

use super::Mistake;

/// The overrides in the process's environment, by name.
pub fn of_process() -> Vec<(String, String)> {
    let mut overrides: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    overrides.sort();
    overrides
}

/// Applies one override to the file's table.
pub(super) fn apply(table: &mut Table, name: &str, value: &str) -> Result<(), Mistake> {
    let path: Vec<String> = name
        .strip_prefix(PREFIX)
        .unwrap_or_default()
        .split("__")
        .map(|step| step.to_ascii_lowercase().replace('_', "-"))
        .collect();
    let unusable =
        || Mistake::environment(name, "it does not name a key of the configuration".into());
    let (last, steps) = path.split_last().ok_or_else(unusable)?;
    let mut inner = table;
    for (at, step) in steps.iter().enumerate() {
        // An index follows its list, so it is consumed together with the list's name.
        if step.parse::<usize>().is_ok() {
            continue;
        }
        let next = inner
            .entry(step.as_str())
            .or_insert_with(|| Value::Table(Table::new()));
        inner = match next {
            Value::Table(table) => table,
            Value::Array(items) => steps
                .get(at + 1)
                .and_then(|index| index.parse::<usize>().ok())
                .and_then(|index| items.get_mut(index))
                .and_then(Value::as_table_mut)
                .ok_or_else(unusable)?,
            _ => return Err(unusable()),
        };
    }
    inner.insert(last.clone(), parsed(value));
    Ok(())
}

fn parsed(value: &str) -> Value {
    toml::from_str::<Table>(&format!("v = {value}"))
        .ok()
        .filter(|table| table.len() == 1)
        .and_then(|mut table| table.remove("v"))
        .unwrap_or_else(|| Value::String(value.to_owned()))
}

const PREFIX: &str = "SLUICE__";

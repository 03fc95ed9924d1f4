//! From a suite file to runnable items: rows and parameters put into templates, everything checked.

mod build;
mod fields;

use std::collections::HashMap;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::file::{Probe, SuiteFile};
use super::forms::Values;
use super::place::Document;
use crate::files;
use crate::jinja::{Dialect, Jinja, Value, from_json};
use crate::probe::dataset::{DataRow, Dataset, Typing};
use crate::probe::error::InputError;
use crate::probe::expect::Limit;
use crate::probe::item::{Item, Rules, Suite};
use crate::probe::metric;
use build::ItemBuilder;
use fields::{CaseScope, FieldCompiler, ProbeFields};

/// More items than this are a mistake in `params`.
const MOST_ITEMS: usize = 1_000_000;

/// Makes a suite of a file that has been read.
pub fn suite(file: &SuiteFile, document: &Document, folder: &Path) -> Result<Suite, InputError> {
    let table = &file.suite;
    let jinja = Jinja::new(Dialect::Suite);
    let here = "suite";
    if table.name.trim().is_empty() {
        return Err(document.at("suite/name", "the suite needs a name"));
    }
    let mut expander =
        SuiteExpander { file, document, folder, jinja, items: Vec::new(), ids: HashMap::new() };
    if let Some(data) = &table.data {
        let way = "suite/data";
        if data.file.is_none() {
            return Err(document.at(way, "[suite.data] needs a `file`"));
        }
        expander.probe(data, way)?;
    }
    for (i, probe) in file.probe.iter().enumerate() {
        expander.probe(probe, &format!("probe/{i}"))?;
    }
    if expander.items.is_empty() {
        return Err(document.at(here, "the suite is empty: give it a [[probe]], or [suite.data] with a file"));
    }
    let names = metric::names();
    let limits = table.expect.iter().enumerate().map(|(i, text)| {
        Limit::new(&expander.jinja, text, &names)
            .map_err(|reason| document.at(&format!("suite/expect/{i}"), reason))
    });
    Ok(Suite {
        name: table.name.clone(),
        title: table.title.clone(),
        claim: table.claim.clone(),
        lang: table.lang.clone(),
        file: None,
        model: table.model.clone(),
        rules: Rules { bos: table.bos, join: Default::default() },
        informational: table.informational,
        takes_data: false,
        metrics: Vec::new(),
        limits: limits.collect::<Result<_, _>>()?,
        items: expander.items,
    })
}

struct SuiteExpander<'a> {
    file: &'a SuiteFile,
    document: &'a Document<'a>,
    folder: &'a Path,
    jinja: Jinja,
    items: Vec<Item>,
    /// Where each id was given.
    ids: HashMap<String, String>,
}

/// Values of the variables of one case.
type CaseVariables = IndexMap<String, Value>;

impl SuiteExpander<'_> {
    fn probe(&mut self, probe: &Probe, way: &str) -> Result<(), InputError> {
        let compiler = FieldCompiler { jinja: &self.jinja, document: self.document, way };
        let fields = ProbeFields::compile(probe, &self.file.suite, &compiler)?;
        let ladder = self.ladder(probe, way)?;
        let data = match &probe.file {
            Some(file) => Some(self.read(file, way)?),
            None => None,
        };
        let mut rows: Vec<Option<&DataRow>> = match &data {
            Some(data) => data.rows.iter().map(Some).collect(),
            None => vec![None],
        };
        rows.truncate(probe.limit.unwrap_or(usize::MAX));
        if rows.len().saturating_mul(ladder.len()) > MOST_ITEMS {
            return Err(self.document.at(way, format!("the parameters make more than {MOST_ITEMS} items")));
        }
        for row in rows {
            let scope = |combination: &CaseVariables| {
                CaseScope::new(row, data.as_ref(), combination.clone(), self.document, way)
            };
            if probe.vary {
                let scopes: Vec<CaseScope> = ladder.iter().map(scope).collect();
                self.add(&fields, scopes, way)?;
            } else {
                for combination in &ladder {
                    let scopes = vec![scope(combination)];
                    self.add(&fields, scopes, way)?;
                }
            }
        }
        Ok(())
    }

    /// Adds the item of one case; of one question's phrasings, all at once.
    fn add(&mut self, fields: &ProbeFields, scopes: Vec<CaseScope>, way: &str) -> Result<(), InputError> {
        let item = ItemBuilder { fields, scopes: &scopes }.item()?;
        let place = scopes.first().map(CaseScope::place).unwrap_or_default();
        if let Some(before) = self.ids.insert(item.id.clone(), place.clone()) {
            let hint = if fields.probe.params.is_empty() || fields.probe.vary {
                String::new()
            } else {
                let first = fields.probe.params.keys().next().map(String::as_str).unwrap_or_default();
                format!(": put the parameters into it, as in id = \"name-{{{{ {first} }}}}\"")
            };
            let both = if before.is_empty() || place.is_empty() {
                String::new()
            } else {
                format!(" ({before} and {place})")
            };
            let reason = format!("the id {:?} is given twice{both}{hint}", item.id);
            return Err(self.document.at(&format!("{way}/id"), reason));
        }
        self.items.push(item);
        Ok(())
    }

    fn read(&self, file: &Path, way: &str) -> Result<Dataset, InputError> {
        let path = self.folder.join(file);
        let regular = files::regular(&path).map_err(|error| InputError::unreadable(&path, &error));
        let mut data = regular.and_then(|()| Dataset::read(&path, Typing::Written)).map_err(|error| {
            if error.line.is_some() {
                return error;
            }
            self.document.at(&format!("{way}/file"), format!("{}: {}", error.file, error.reason))
        })?;
        if data.rows.is_empty() {
            return Err(self.document.at(way, format!("{} has no row", path.display())));
        }
        data.fill();
        Ok(data)
    }

    /// Every combination of the parameters, the last one running fastest.
    fn ladder(&self, probe: &Probe, way: &str) -> Result<Vec<CaseVariables>, InputError> {
        let mut all = Vec::new();
        let mut combinations = 1_usize;
        for (name, values) in &probe.params {
            let place = format!("{way}/params/{}", name.replace('~', "~0").replace('/', "~1"));
            let values = self.values(values).map_err(|reason| self.document.at(&place, reason))?;
            if values.is_empty() {
                return Err(self.document.at(&place, format!("the parameter {name} has no value")));
            }
            combinations = combinations.saturating_mul(values.len());
            if combinations > MOST_ITEMS {
                return Err(self
                    .document
                    .at(&place, format!("the parameters make more than {MOST_ITEMS} items")));
            }
            all.push((name, values));
        }
        // Nothing is multiplied out before it is known to be few enough.
        let ladder = vec![CaseVariables::new()];
        Ok(all.iter().fold(ladder, |ladder, (name, values)| product(&ladder, name, values)))
    }

    fn values(&self, values: &Values) -> Result<Vec<Value>, String> {
        match values {
            Values::List(list) => Ok(list.iter().map(|value: &Json| from_json(value)).collect()),
            Values::Template(text) => {
                let expression = fields::lone_expression(&self.jinja, "params", text)?;
                let value = expression.eval(Value::from(())).map_err(|error| error.to_string())?;
                let items = value.try_iter().map_err(|error| error.to_string())?;
                Ok(items.take(MOST_ITEMS + 1).collect())
            }
        }
    }
}

/// Every combination there is, with every value of one more parameter.
fn product(ladder: &[CaseVariables], name: &str, values: &[Value]) -> Vec<CaseVariables> {
    let with = |combination: &CaseVariables, value: &Value| {
        let mut longer = combination.clone();
        longer.insert(name.to_string(), value.clone());
        longer
    };
    ladder.iter().flat_map(|combination| values.iter().map(|value| with(combination, value))).collect()
}

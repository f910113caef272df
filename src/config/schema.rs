//! The OpenAPI schema of [`JobSettings`], from the list in `settings`.

use serde_json::{Value as Json, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, Schema},
};

use super::{
    settings::JobSettings,
    value::{Given, Task},
};

/// What every job must be given.
const REQUIRED: [&str; 2] = ["input", "output"];
const DESCRIPTION: &str = "The keys of a job file. Paths are absolute. `overwrite` and `resume` are not \
    settings: see `mode`.";

impl PartialSchema for JobSettings {
    fn schema() -> RefOr<Schema> {
        serde_json::from_value(json_schema()).expect("every part of it is a JSON schema")
    }
}

impl ToSchema for JobSettings {}

impl JobSettings {
    /// The JSON schema of one setting, without a description.
    pub fn schema_of(name: &str) -> Option<Json> {
        let info = Self::ALL.iter().find(|info| info.name == name)?;
        Some((info.schema)())
    }
}

/// The schema as JSON.
pub(super) fn json_schema() -> Json {
    let mut properties = serde_json::Map::new();
    let mut task = <Option<Task> as Given>::schema(None);
    task["description"] =
        "What the job does: derive (apply rules, or clean the library where there are \
        none) or dedup (keep the first record of each molecule)."
            .into();
    properties.insert("task".into(), task);
    for info in JobSettings::ALL {
        let mut schema = (info.schema)();
        schema["description"] = description(info.documentation).into();
        properties.insert(info.name.into(), schema);
    }
    properties["input"]["minItems"] = 1.into();
    properties["output"]["type"] = "string".into();
    json!({
        "type": "object",
        "description": DESCRIPTION,
        "properties": properties,
        "required": REQUIRED,
        "additionalProperties": false,
    })
}

/// The text of a doc comment: a paragraph a line.
fn description(documentation: &str) -> String {
    let lines: Vec<_> = documentation.lines().map(str::trim).collect();
    let paragraphs = lines.split(|line| line.is_empty());
    let paragraphs = paragraphs.map(|lines| lines.join(" "));
    paragraphs.collect::<Vec<_>>().join("\n").trim().to_owned()
}

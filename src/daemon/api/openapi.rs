//! The OpenAPI document: what the routes and types say of themselves, and what holds for all of them.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::{ToSchema, openapi::OpenApi};

/// What `text/event-stream` carries; see the description of the answer.
#[derive(Serialize, ToSchema)]
pub struct ServerSentEvent {
    /// Kind of the event.
    #[schema(value_type = EventKind)]
    event: EventKind,
    /// Number of the event.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    id: Option<String>,
    /// JSON of the event.
    data: String,
}

/// Kinds of server-sent events.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes a text")]
pub enum EventKind {
    /// The job changed.
    State,
    /// The job process reported progress.
    Progress,
}

/// An error that several requests can get: name, status, description, and which methods and paths.
struct Common {
    name: &'static str,
    status: &'static str,
    description: &'static str,
    applies: fn(&str, &str) -> bool,
}

/// Errors of the extractors, the layers and the core, which no handler declares.
const COMMON: [Common; 6] = [
    Common {
        name: "Invalid",
        status: "400",
        description: "A part of the request is invalid; `field` names it.",
        applies: |_, _| true,
    },
    Common {
        name: "Forbidden",
        status: "403",
        description: "The user may not do that, or may not use this daemon.",
        applies: |_, _| true,
    },
    Common {
        name: "NotFound",
        status: "404",
        description: "There is no such job, or another user owns it; you may not ask for that user.",
        applies: |_, path| path.contains("{id}") || path.contains("{user}"),
    },
    Common {
        name: "Store",
        status: "500",
        description: "The daemon's job store cannot be read or written.",
        applies: |_, path| {
            path.starts_with("/v1/") && !path.ends_with(".json")
                || ["/metrics", "/readyz"].contains(&path)
        },
    },
    Common {
        name: "Busy",
        status: "503",
        description: "The queue of jobs is full, or the daemon is busy, starting or stopping; the message says \
            which.",
        applies: |_, _| true,
    },
    Common {
        name: "StateFull",
        status: "507",
        description: "The disk of the daemon's state directory is full.",
        applies: |method, path| {
            method != "get" && path.starts_with("/v1/jobs") && !path.ends_with("/wait")
        },
    },
];

const DESCRIPTION: &str = "Jobs for a chemical library on one node, over a Unix socket. The kernel \
    reports the user of a connection: users see and stop their own jobs, admins all. HEAD is served where GET is. \
    Parameters and fields that are not described are errors that name them.";

/// The document of these routes, as JSON.
pub fn document(routes: OpenApi) -> String {
    let mut document =
        serde_json::to_value(routes).expect("a document of texts and numbers can be written");
    document["info"] = json!({
        "title": "molsieve",
        "version": "1",
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        "description": DESCRIPTION,
    });
    document["servers"] = json!([{ "url": "/" }]);
    document["security"] = json!([]);
    for (path, operations) in members(&mut document["paths"]) {
        for (method, operation) in members(operations) {
            for common in COMMON
                .iter()
                .filter(|common| (common.applies)(method, path))
            {
                let name = common.name;
                operation["responses"][common.status] =
                    json!({ "$ref": format!("#/components/responses/{name}") });
            }
        }
    }
    for common in &COMMON {
        document["components"]["responses"][common.name] = response(common);
    }
    for (_, schema) in members(&mut document["components"]["schemas"]) {
        if schema["properties"].is_object() && schema["additionalProperties"].is_null() {
            schema["additionalProperties"] = json!(false);
        }
    }
    add_titles(&mut document["components"]["schemas"]);
    document.to_string()
}

/// Gives each object and each list of words that stands inside another schema a title: generators of clients make a type
/// of its own for it, and name the type by the title. Without a title some take the name of another type, and leave
/// out both.
fn add_titles(schemas: &mut Value) {
    let names: Vec<String> = members(schemas).map(|(name, _)| name.clone()).collect();
    for (name, schema) in members(schemas) {
        add_titles_below(name, schema, &names);
    }
}

fn add_titles_below(name: &str, schema: &mut Value, taken: &[String]) {
    for (property, inner) in members(&mut schema["properties"]) {
        let words = property.split('_').map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_ascii_uppercase() + rest
        });
        let mut title = name.to_owned() + &words.collect::<String>();
        if taken.contains(&title) {
            title += "Object";
        }
        if has_own_type(inner) && inner["title"].is_null() {
            inner["title"] = json!(title);
        }
        add_titles_below(&title, inner, taken);
    }
    // `schema["properties"]` has made one where there was none.
    if schema["properties"].is_null()
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("properties");
    }
}

/// Whether a generator makes a type of a schema.
fn has_own_type(schema: &Value) -> bool {
    let kind = &schema["type"];
    let is = |word: &str| {
        kind == word
            || kind
                .as_array()
                .is_some_and(|all| all.contains(&json!(word)))
    };
    is("object") || schema["enum"].is_array()
}

fn response(common: &Common) -> Value {
    let mut response = json!({
        "description": common.description,
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
    });
    if common.name == "Busy" {
        response["headers"] = json!({ "Retry-After": {
            "schema": { "type": "integer", "minimum": 0 }, "description": "Seconds.",
        }});
    }
    response
}

fn members(object: &mut Value) -> impl Iterator<Item = (&String, &mut Value)> {
    object.as_object_mut().into_iter().flatten()
}

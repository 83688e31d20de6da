//! The OpenAPI document, made of the table of endpoints.

use axum::Json;
use serde_json::{Map, Value, json};

use super::endpoints::{Body, ENDPOINTS, Endpoint};
use super::gate::Needs;

/// The document as it is served.
pub(super) async fn document() -> Json<Value> {
    Json(rendered())
}

fn rendered() -> Value {
    let mut paths = Map::new();
    for endpoint in ENDPOINTS {
        let path = paths
            .entry(endpoint.path)
            .or_insert_with(|| Value::Object(Map::new()));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(endpoint.method.to_owned(), operation(endpoint));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "sluice admin API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Health, settings and rules of a sluice server. Refusals are application/problem+json.",
        },
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `sluice token`; while none is configured, loopback may look and nobody may change anything.",
                },
            },
        },
        "paths": paths,
    })
}

fn operation(endpoint: &Endpoint) -> Value {
    let mut responses = json!({ "200": { "description": "done" } });
    let mut security = json!([]);
    let mut description = String::new();
    if let Needs::Role(role) = endpoint.needs {
        security = json!([{ "token": [] }]);
        description = format!("Needs the role {}.", role.code());
        for (status, text) in [
            ("401", "no token, or none that is known"),
            ("403", "the role is too low"),
            ("421", "the Host header names another host"),
        ] {
            responses[status] = json!({ "description": text });
        }
    }
    if endpoint.method != "get" {
        responses["422"] = json!({ "description": "refused; what was in force stays in force" });
    }
    let parameters: Vec<Value> = endpoint
        .query
        .iter()
        .map(|(name, text)| {
            json!({
                "name": name,
                "in": "query",
                "description": text,
                "schema": { "type": "string" },
            })
        })
        .collect();
    let mut operation = json!({
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        "description": description,
        "parameters": parameters,
        "security": security,
        "responses": responses,
    });
    match endpoint.body {
        Body::Nothing => {}
        Body::MaybePack | Body::Pack | Body::PackOrUrl | Body::List => {
            let mut content = json!({ "application/octet-stream": {} });
            if endpoint.body == Body::PackOrUrl {
                content["application/json"] =
                    json!({ "example": { "url": "https://rules.example/feed.tar.zst" } });
            }
            let required = endpoint.body != Body::MaybePack;
            operation["requestBody"] = json!({ "required": required, "content": content });
            if let (Body::Pack | Body::PackOrUrl, Some(list)) =
                (endpoint.body, operation["parameters"].as_array_mut())
            {
                list.push(json!({
                    "name": "X-Minisign",
                    "in": "header",
                    "description": "the .minisig file of the pack, in base64",
                    "schema": { "type": "string" },
                }));
            }
        }
        Body::Json(example) => {
            let example: Value = serde_json::from_str(example).unwrap_or_default();
            operation["requestBody"] = json!({
                "required": true,
                "content": { "application/json": { "example": example } },
            });
        }
    }
    operation
}

/// `post-v1-rules-reload`
fn operation_id(endpoint: &Endpoint) -> String {
    let path = endpoint.path.replace(['/', '.'], "-");
    format!("{}{path}", endpoint.method)
}

//! The table of all endpoints. Routes and the OpenAPI document are made of it, so that neither can know more than the
//! other.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post, put};

use crate::config::file::Role;

use super::gate::{self, Gate, Needs};
use super::{Admin, health, openapi, packs, rules, settings, traffic};
use crate::rules::pack::PACK_BYTES;

/// One endpoint.
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) needs: Needs,
    pub(super) summary: &'static str,
    /// Name and meaning of each query parameter.
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) body: Body,
    route: fn() -> MethodRouter<Arc<Admin>>,
}

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing.
    Nothing,
    /// A small JSON object, such as the example.
    Json(&'static str),
    /// A pack, or nothing.
    MaybePack,
    /// A pack with its signature in the header X-Minisign.
    Pack,
    /// The same, or a JSON object with its address.
    PackOrUrl,
    /// A list or an export.
    List,
}

impl Body {
    fn limit(self) -> usize {
        match self {
            Body::Nothing | Body::Json(_) => SMALL_BYTES,
            Body::MaybePack | Body::Pack | Body::PackOrUrl | Body::List => {
                usize::try_from(PACK_BYTES).unwrap_or(usize::MAX)
            }
        }
    }
}

/// A JSON object of a few fields.
const SMALL_BYTES: usize = 64 * 1024;

const VIEWER: Needs = Needs::Role(Role::Viewer);
const OPERATOR: Needs = Needs::Role(Role::Operator);
const ADMIN: Needs = Needs::Role(Role::Admin);

/// All endpoints, in the order of the document.
pub(super) const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "get",
        path: "/livez",
        needs: Needs::Nothing,
        summary: "The process answers",
        query: &[],
        body: Body::Nothing,
        route: || get(health::live),
    },
    Endpoint {
        method: "get",
        path: "/startupz",
        needs: Needs::Nothing,
        summary: "The rules are compiled and the listeners bound",
        query: &[],
        body: Body::Nothing,
        route: || get(health::started),
    },
    Endpoint {
        method: "get",
        path: "/readyz",
        needs: Needs::Nothing,
        summary: "Ready for traffic: the self-test found EICAR, not draining, memory left; 503 when not",
        query: &[(
            "verbose",
            "one line a check; [!] is amber: an update was refused",
        )],
        body: Body::Nothing,
        route: || get(health::ready),
    },
    Endpoint {
        method: "get",
        path: "/metrics",
        needs: VIEWER,
        summary: "Counters and gauges, OpenMetrics",
        query: &[],
        body: Body::Nothing,
        route: || get(health::metrics),
    },
    Endpoint {
        method: "get",
        path: "/openapi.json",
        needs: VIEWER,
        summary: "This document",
        query: &[],
        body: Body::Nothing,
        route: || get(openapi::document),
    },
    Endpoint {
        method: "get",
        path: "/v1/version",
        needs: VIEWER,
        summary: "Version, ISTag, and when the rules in force were loaded",
        query: &[],
        body: Body::Nothing,
        route: || get(settings::version),
    },
    Endpoint {
        method: "get",
        path: "/v1/config",
        needs: VIEWER,
        summary: "The configuration in force, every default filled in, secrets masked",
        query: &[],
        body: Body::Nothing,
        route: || get(settings::config),
    },
    Endpoint {
        method: "get",
        path: "/v1/log-level",
        needs: VIEWER,
        summary: "From which level on the application log is written",
        query: &[],
        body: Body::Nothing,
        route: || get(settings::log_level),
    },
    Endpoint {
        method: "put",
        path: "/v1/log-level",
        needs: OPERATOR,
        summary: "Sets the log level until the next start",
        query: &[],
        body: Body::Json(r#"{"level":"debug"}"#),
        route: || put(settings::set_log_level),
    },
    Endpoint {
        method: "get",
        path: "/v1/transactions",
        needs: VIEWER,
        summary: "The transactions under way: id, service, client, age, state and bytes, the oldest first",
        query: &[("limit", "transactions to list")],
        body: Body::Nothing,
        route: || get(traffic::transactions),
    },
    Endpoint {
        method: "get",
        path: "/v1/verdicts",
        needs: VIEWER,
        summary: "The last verdicts with their reasons, the newest first; paths without query, never payload",
        query: &[
            ("verdict", "only allow, block, redact or error"),
            ("transaction", "only this one"),
            ("limit", "verdicts to list"),
        ],
        body: Body::Nothing,
        route: || get(traffic::verdicts),
    },
    Endpoint {
        method: "get",
        path: "/v1/rules",
        needs: VIEWER,
        summary: "Id, bundle, kind, category, severity, mode and hits since the start of each rule",
        query: &[
            ("bundle", "only rules of this bundle"),
            ("category", "only rules of this category"),
            ("kind", "only literal, yara or hash rules"),
            ("mode", "only rules that enforce or observe"),
            ("offset", "rules to pass over"),
            ("limit", "rules to list"),
        ],
        body: Body::Nothing,
        route: || get(rules::list),
    },
    Endpoint {
        method: "get",
        path: "/v1/rules/bundles",
        needs: VIEWER,
        summary: "The bundles in force with version and digest, the ISTag, and what was refused last",
        query: &[],
        body: Body::Nothing,
        route: || get(rules::bundles),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/reload",
        needs: OPERATOR,
        summary: "Reads configuration and rules anew, as SIGHUP does; 422 when they are refused",
        query: &[],
        body: Body::Nothing,
        route: || post(rules::reload),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/mode",
        needs: OPERATOR,
        summary: "Sets a rule, a category or a bundle to observe, enforce, or back to default",
        query: &[],
        body: Body::Json(r#"{"bundle":"feed","mode":"enforce"}"#),
        route: || post(rules::mode),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/check",
        needs: OPERATOR,
        summary: "Compiles the configured set, or that set with a pack in the store's place, and changes nothing",
        query: &[],
        body: Body::MaybePack,
        route: || post(packs::check),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/test",
        needs: OPERATOR,
        summary: "Runs every example of that set; 422 when one fails, with the same report",
        query: &[("format", "json (an object a line), junit or text")],
        body: Body::MaybePack,
        route: || post(packs::test),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/verify",
        needs: OPERATOR,
        summary: "Holds a pack against the trusted keys",
        query: &[],
        body: Body::Pack,
        route: || post(packs::verify),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/update",
        needs: ADMIN,
        summary: "Puts a pack in force: verified, tried aside, swapped; 422 when refused, and nothing has changed",
        query: &[
            ("allow-downgrade", "true: also a version that is not newer"),
            ("allow-expired", "true: also a pack past its date"),
        ],
        body: Body::PackOrUrl,
        route: || post(packs::update),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/rollback",
        needs: OPERATOR,
        summary: "Goes back to the version before",
        query: &[],
        body: Body::Nothing,
        route: || post(packs::rollback),
    },
    Endpoint {
        method: "post",
        path: "/v1/rules/import",
        needs: ADMIN,
        summary: "Turns a list or export into rules of the folder of imports and puts them in force; strings are observed first",
        query: &[
            (
                "name",
                "what the rules are called: letters, digits, - and _",
            ),
            ("format", "hashes, lines, misp or stix; without it, a guess"),
        ],
        body: Body::List,
        route: || post(packs::import),
    },
];

/// The routes of the table, each behind the gate.
pub(super) fn router(admin: Arc<Admin>) -> Router {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let gate = Gate {
            admin: Arc::clone(&admin),
            needs: endpoint.needs,
        };
        let route = (endpoint.route)()
            .layer(DefaultBodyLimit::max(endpoint.body.limit()))
            .layer(from_fn_with_state(gate, gate::pass));
        router = router.route(endpoint.path, route);
    }
    router.with_state(admin)
}

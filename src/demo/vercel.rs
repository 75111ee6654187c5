//! Vercel's deployments: a project whose newest deployment failed because of a missing module.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::{Value as Json, json};

use super::KEY;
use super::search::json_response;

/// When the newest was created, in milliseconds since 1970. Stands still, so that every demo is the same.
const NEWEST: i64 = 1_795_330_800_000;

const DEPLOYMENTS: [(&str, &str, &str, &str); 4] = [
    ("dpl_5Jq2vKXcYbHnT8mW", "ERROR", "c41f9e2", "Show the tide table on the front page"),
    ("dpl_3Rt7pLZsQeDfG1aN", "READY", "88a03bd", "Round prices before the tax is added"),
    ("dpl_9Wm4xNBvUiOpK6hC", "READY", "2f6d7a1", "Serve pictures as AVIF where it is taken"),
    ("dpl_1Ay8uJHgRtFdS5kE", "CANCELED", "b90e5c4", "Try the new router"),
];

pub(super) async fn list(headers: HeaderMap) -> Response<Body> {
    answer(&headers, || {
        let all: Vec<Json> = (0..DEPLOYMENTS.len()).map(|at| deployment(at, true)).collect();
        Some(json!({ "deployments": all, "pagination": { "count": all.len(), "next": null, "prev": NEWEST } }))
    })
}

pub(super) async fn one(Path(id): Path<String>, headers: HeaderMap) -> Response<Body> {
    answer(&headers, || Some(deployment(position(&id)?, false)))
}

pub(super) async fn events(Path(id): Path<String>, headers: HeaderMap) -> Response<Body> {
    answer(&headers, || {
        let failed = DEPLOYMENTS.get(position(&id)?).is_some_and(|(_, state, ..)| *state == "ERROR");
        let event = |(at, (level, text)): (usize, (&str, String))| {
            json!({
                "created": NEWEST + 400 * at as i64, "date": NEWEST + 400 * at as i64, "deploymentId": id, "id": format!("{at:012}"),
                "info": { "type": "build", "name": "bld_x7k2", "entrypoint": "package.json", "path": "." },
                "serial": format!("{at:012}"), "text": text, "type": if level == "error" { "stderr" } else { "stdout" }, "level": level,
            })
        };
        Some(log(failed).into_iter().enumerate().map(event).collect())
    })
}

fn answer(headers: &HeaderMap, found: impl FnOnce() -> Option<Json>) -> Response<Body> {
    let known =
        headers.get("authorization").is_some_and(|given| given.as_bytes() == format!("Bearer {KEY}").as_bytes());
    let error = |code: &str, message: &str| json!({ "error": { "code": code, "message": message } });
    if !known {
        return json_response(StatusCode::FORBIDDEN, &error("forbidden", "Not authorized"));
    }
    match found() {
        Some(found) => json_response(StatusCode::OK, &found),
        None => json_response(StatusCode::NOT_FOUND, &error("not_found", "The deployment could not be found")),
    }
}

fn position(id: &str) -> Option<usize> {
    DEPLOYMENTS.iter().position(|(known, ..)| *known == id)
}

fn deployment(at: usize, listed: bool) -> Json {
    let (id, state, sha, message) = DEPLOYMENTS.get(at).copied().unwrap_or_default();
    let created = NEWEST - 7_200_000 * at as i64;
    let mut deployment = json!({
        "name": "tide-shop",
        "url": format!("tide-shop-{sha}.vercel.app"),
        "created": created,
        "createdAt": created,
        "buildingAt": created + 1_200,
        "ready": if state == "READY" { json!(created + 61_000) } else { Json::Null },
        "source": "git",
        "target": "production",
        "type": "LAMBDAS",
        "regions": ["fra1"],
        "inspectorUrl": format!("https://vercel.com/estuary/tide-shop/{}", id.trim_start_matches("dpl_")),
        "creator": { "uid": "u_r7c", "username": "ruth", "email": "ruth@estuary.example" },
        "meta": {
            "githubCommitSha": sha, "githubCommitMessage": message, "githubCommitRef": "main", "githubCommitAuthorName": "ruth",
            "githubOrg": "estuary", "githubRepo": "tide-shop", "githubDeployment": "1",
        },
        "errorMessage": if state == "ERROR" { json!("Command \"npm run build\" exited with 1") } else { Json::Null },
    });
    if let Some(fields) = deployment.as_object_mut() {
        // The list and the single deployment name these differently.
        let (name_of_id, name_of_state) = if listed { ("uid", "state") } else { ("id", "readyState") };
        fields.insert(name_of_id.into(), id.into());
        fields.insert(name_of_state.into(), state.into());
    }
    deployment
}

/// A build's log, as its tools write it.
fn log(failed: bool) -> Vec<(&'static str, String)> {
    let mut log: Vec<(&str, String)> = [
        "Running build in Frankfurt, Germany (West) – fra1",
        "Build machine configuration: 2 cores, 8 GB",
        "Cloning github.com/estuary/tide-shop (Branch: main)",
        "Cloning completed: 812.000ms",
        "Restored build cache from previous deployment",
        "Running \"vercel build\"",
        "Vercel CLI 48.2.0",
        "Installing dependencies...",
        "added 412 packages in 9s",
        "Detected Next.js version: 16.0.3",
        "Running \"npm run build\"",
        "> tide-shop@2.4.1 build",
        "> next build",
        "   ▲ Next.js 16.0.3",
        "   Creating an optimized production build ...",
    ]
    .map(|line| ("info", line.to_owned()))
    .into();
    for page in [
        "/",
        "/cart",
        "/checkout",
        "/tides",
        "/tides/[port]",
        "/boats",
        "/boats/[id]",
        "/account",
        "/api/tides",
        "/api/orders",
    ] {
        log.push((
            "info",
            format!("   compiled {page} in {} ms ({} modules)", 180 + 37 * page.len(), 210 + 11 * page.len()),
        ));
    }
    if failed {
        log.extend([
            ("error", "Failed to compile.".to_owned()),
            ("error", "./app/tides/page.tsx:4:1".to_owned()),
            ("error", "Module not found: Can't resolve '@estuary/tide-table'".to_owned()),
            ("info", "   > 4 | import { TideTable } from '@estuary/tide-table'".to_owned()),
            ("error", "> Build failed because of webpack errors".to_owned()),
            ("error", "Error: Command \"npm run build\" exited with 1".to_owned()),
        ]);
    } else {
        log.extend(
            ["   Generating static pages (18/18)", "Build Completed in /vercel/output [48s]", "Deployment completed"]
                .map(|line| ("info", line.to_owned())),
        );
    }
    log
}

//! Golden plans: a config.json and a host's facts in, the text of `hull plan` out. Nothing here needs root, because the
//! planner touches nothing.
//!
//! `HULL_BLESS=1 cargo test --test plan` writes the outputs anew; the change is then read in review.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where it cannot go on")]

mod hosts;
mod refused;

use std::fs;
use std::path::{Path, PathBuf};

use hull::plan::{self, Request};
use hull::spec::{self, Process, Spec};

/// Document, host, verb: the output is plans/DOCUMENT.HOST.VERB.plan. `by-` documents are as an engine wrote them.
const CASES: &[(&str, &str, &str)] = &[
    ("minimal", "v2", "create"),
    ("minimal", "v2", "run"),
    ("minimal", "v2", "no-pivot"),
    ("minimal", "none", "run"),
    ("no-process", "v2", "create"),
    ("docker-like", "v2", "create"),
    ("docker-like", "v1", "create"),
    ("docker-like", "hybrid", "create"),
    ("docker-like", "v2", "exec"),
    ("user-namespace", "v2", "create"),
    ("user-namespace", "hybrid", "run"),
    ("rootless", "rootless", "create"),
    ("rootless", "rootless", "exec"),
    ("user-namespace", "nested", "create"),
    ("user-namespace", "v2", "exec"),
    ("joined-namespaces", "v2", "create"),
    ("joined-user-namespace", "v2", "create"),
    ("mounts", "v2", "create"),
    ("mounts", "v1", "create"),
    ("cgroup-mounts", "v2", "create"),
    ("cgroup-mounts", "hybrid", "create"),
    ("idmap", "v2", "create"),
    ("devices", "v2", "create"),
    ("devices", "v1", "create"),
    ("devices", "nested", "create"),
    ("hooks", "v2", "create"),
    ("hooks", "v2", "run"),
    ("listener", "v2", "create"),
    ("listener", "v2", "exec"),
    ("filter", "v2", "create"),
    ("process", "labelled", "create"),
    ("process", "labelled", "exec"),
    ("given", "rdt", "create"),
    ("limits", "v2", "create"),
    ("limits", "v1", "create"),
    ("limits", "hybrid", "create"),
    ("scope", "systemd", "create"),
    ("scope", "systemd-v1", "create"),
    ("scope", "systemd-user", "run"),
    ("minimal", "systemd", "create"),
    ("by-buildah", "v2", "create"),
    ("by-containerd", "v2", "create"),
    ("by-cri", "hybrid", "create"),
    ("by-cri-sandbox", "v2", "create"),
    ("by-docker", "complete", "create"),
    ("by-docker-userns", "hybrid", "create"),
    ("by-podman", "v2", "create"),
    ("by-podman-pod", "v1", "create"),
    ("by-podman-rootless", "rootless-v1", "create"),
];

#[test]
fn plans_are_as_they_were_reviewed() {
    let outputs: Vec<(PathBuf, String)> = CASES
        .iter()
        .map(|case @ (document, host, verb)| {
            let name = format!("plans/{document}.{host}.{verb}.plan");
            (here(&name), compiled(case).unwrap_or_else(|err| panic!("{name}: {err}")))
        })
        .collect();
    let stray = std::fs::read_dir(here("plans")).unwrap().map(|entry| entry.unwrap().path());
    let stray: Vec<_> = stray.filter(|path| outputs.iter().all(|(known, _)| known != path)).collect();
    assert!(stray.is_empty(), "no case writes {stray:?}");
    for (path, text) in outputs {
        agree(&path, &text);
    }
}

/// The text of `hull plan`, and below it what goes to the log.
fn compiled((document, host, verb): &(&str, &str, &str)) -> Result<String, plan::Error> {
    let (spec, facts) = (document_of(document), hosts::named(host));
    let request = Request {
        wait_for_start: *verb == "create",
        preserve_fds: if *verb == "run" { 2 } else { 0 },
        no_pivot: *verb == "no-pivot",
        no_new_keyring: *verb == "no-pivot",
        ..Request::new("web", Path::new("/bundle"))
    };
    let (mut text, warnings) = if *verb == "exec" {
        let process: Process = parse(&here("documents/exec.json"));
        let plan = plan::compile_exec(&spec, &process, &request, &facts)?;
        (plan.to_string(), plan.warnings)
    } else {
        let plan = plan::compile(&spec, &request, &facts)?;
        (plan.to_string(), plan.warnings)
    };
    for warning in warnings {
        text += &format!("warning: {warning}\n");
    }
    Ok(text)
}

fn document_of(name: &str) -> Spec {
    match name {
        "docker-like" => parse(&here("../../benches/docker-like.json")),
        name => match name.strip_prefix("by-") {
            Some(engine) => parse(&here(&format!("../fixtures/engines/{engine}.json"))),
            None => parse(&here(&format!("documents/{name}.json"))),
        },
    }
}

fn parse<T: for<'de> serde::Deserialize<'de>>(path: &Path) -> T {
    spec::parse(path, &fs::read(path).unwrap()).unwrap()
}

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan").join(name)
}

/// Compares with the reviewed text, or replaces it.
#[expect(clippy::disallowed_methods, reason = "a source file, written by its developer")]
fn agree(path: &Path, text: &str) {
    if std::env::var_os("HULL_BLESS").is_some() {
        return std::fs::write(path, text).unwrap();
    }
    let reviewed = std::fs::read_to_string(path).unwrap_or_default();
    let differs = reviewed.lines().zip(text.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| reviewed.lines().count().min(text.lines().count()));
    assert!(
        reviewed == text,
        "{} differs from line {}: {:?} has become {:?}; if that is meant, run with HULL_BLESS=1",
        path.display(),
        line + 1,
        reviewed.lines().nth(line),
        text.lines().nth(line),
    );
}

//! docker-compose: services that wait for each other, share a volume and find each other by name.

use super::docker;
use crate::sh;

const PROJECT: &str = r#"
version: "2.4"
services:
  web:
    image: world:1
    init: true
    command: sh -c 'echo served >/data/index.html; httpd -f -h /data'
    volumes: ["data:/data"]
    mem_limit: 32m
    healthcheck: { test: ["CMD", "wget", "-qO-", "http://localhost/"], interval: 1s, retries: 20 }
  client:
    image: world:1
    command: wget -qO- http://web/
    depends_on: { web: { condition: service_healthy } }
    read_only: true
    cap_drop: [ALL]
volumes: { data: {} }
"#;

#[test]
fn up_exec_scale_and_down() {
    let _engine = docker();
    std::fs::create_dir_all("/srv/project").unwrap();
    std::fs::write("/srv/project/docker-compose.yml", PROJECT).unwrap();
    let compose = "docker-compose --project-directory /srv/project --file /srv/project/docker-compose.yml";
    sh!("{compose} up --detach 2>&1").ok();
    crate::shell::until(&format!("{compose} logs --no-color client 2>&1 | grep -c served"), "1");
    sh!("{compose} exec -T web cat /data/index.html").ok().prints("served");
    sh!("{compose} run --rm -T client echo other 2>/dev/null").ok().prints("other");
    sh!("{compose} up --detach --scale web=3 2>&1").ok();
    sh!("{compose} ps --quiet web | wc -l").ok().prints("3");
    sh!("{compose} restart --timeout 5 web 2>&1 && {compose} pause web 2>&1 && {compose} unpause web 2>&1")
        .ok();
    sh!("{compose} down --volumes --timeout 5 2>&1").ok();
}

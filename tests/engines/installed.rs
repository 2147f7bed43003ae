//! The Debian package on a machine that never saw hull: Docker finds the runtime by its name.

use crate::engine::machine;
use crate::engine::{Engine, Users};
use crate::sh;

static DOCKER: Engine = Engine {
    name: "docker",
    daemon: "dockerd",
    ready: "docker version",
    prepare: "docker load --quiet --input /engines/images.tar",
    users: Users::none(),
};

#[test]
fn docker_finds_hull_by_name() {
    let _machine = machine();
    // What the other suites put between Docker and hull.
    sh!("rm /usr/local/sbin/hull /usr/local/sbin/runc; ! command -v hull").ok();
    sh!("dpkg --install /engines/hull.deb && command -v hull").ok();
    // The trees that these machines are made of leave documentation out.
    sh!("dpkg --verify hull | grep -v ' /usr/share/\\(doc\\|man\\)' || true").ok().prints("");
    sh!("dpkg-query --show --showformat '${{Version}}' hull").ok().prints(env!("CARGO_PKG_VERSION"));
    {
        let _engine = DOCKER.hold();
        sh!("docker info --format '{{{{json .Runtimes.hull.Path}}}} {{{{.DefaultRuntime}}}}' | tr -d '\\\"'")
            .ok()
            .prints("hull hull");
        sh!("docker run --rm world:1 echo hi").ok().prints("hi");
        // hull keeps its state in the folder that Docker names for it, while the container runs.
        let id = sh!("docker run --detach pause:1").ok().stdout;
        sh!(
            "hull --root $(dirname $(find /run -name {} -path '*runtime-*' -type d)) list --quiet",
            id.trim()
        )
        .ok()
        .prints(id.trim());
        sh!("docker rm --force {id}").ok();
    }
    sh!("dpkg --purge hull && ! command -v hull").ok();
}

//! Docker: the daemon with hull as its default runtime, driven by its command line.

mod build;
mod compose;
mod daemon;
mod files;
mod life;
mod namespaces;
mod options;
mod resources;
mod restart;
mod rights;
mod swarm;
mod terminals;

use crate::engine::{Engine, Hold, Users};
use crate::sh;

static DOCKER: Engine = Engine {
    name: "docker",
    daemon: "dockerd",
    ready: "docker version",
    prepare: "docker load --quiet --input /engines/images.tar",
    users: Users::none(),
};

/// A running dockerd, for as long as the answer is kept.
fn docker() -> Hold {
    DOCKER.hold()
}

/// A container in the background, removed at the end.
struct Detached {
    name: String,
    _engine: Hold,
}

impl Detached {
    /// `docker run --detach` with these options, image and program.
    #[track_caller]
    fn run(rest: &str) -> Self {
        let engine = docker();
        let id = sh!("docker run --detach {rest}").ok().stdout;
        Self { name: id.trim().to_owned(), _engine: engine }
    }

    /// One that stays until it is told to end, and then does.
    #[track_caller]
    fn waiting(options: &str) -> Self {
        Self::run(&format!("{options} pause:1"))
    }

    /// What `docker inspect` says, by a template.
    #[track_caller]
    fn inspect(&self, template: &str) -> String {
        sh!("docker inspect --format '{template}' {self}").ok().stdout.trim().to_owned()
    }
}

impl std::fmt::Display for Detached {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        sh!("docker rm --force --volumes {self}");
    }
}

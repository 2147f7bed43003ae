//! Podman with conmon, as root: containers, pods and Kubernetes' YAML without a daemon.

mod life;
mod options;
mod pods;

use std::sync::LazyLock;

use crate::engine::{Hold, machine};
use crate::sh;
use crate::shell::run;

/// Images for root's Podman, once.
fn podman() -> Hold {
    static IMAGES: LazyLock<()> = LazyLock::new(|| {
        run("podman load --quiet --input /engines/images.tar").ok();
    });
    let hold = machine();
    LazyLock::force(&IMAGES);
    hold
}

/// A container in the background, removed at the end.
struct Detached {
    name: String,
    _machine: Hold,
}

impl Detached {
    #[track_caller]
    fn run(rest: &str) -> Self {
        let hold = podman();
        let id = sh!("podman run --detach {rest}").ok().stdout;
        Self { name: id.trim().to_owned(), _machine: hold }
    }

    /// One that stays until it is told to end, and then does.
    #[track_caller]
    fn waiting(options: &str) -> Self {
        Self::run(&format!("{options} pause:1"))
    }

    #[track_caller]
    fn inspect(&self, template: &str) -> String {
        sh!("podman inspect --format '{template}' {self}").ok().stdout.trim().to_owned()
    }
}

impl std::fmt::Display for Detached {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.name)
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        sh!("podman rm --force --volumes --time 2 {self}");
    }
}

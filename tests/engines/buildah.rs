//! Buildah: RUN steps of a build, and commands in a working container.

use std::sync::LazyLock;

use crate::engine::{Hold, machine};
use crate::sh;
use crate::shell::run;

fn buildah() -> Hold {
    static IMAGES: LazyLock<()> = LazyLock::new(|| {
        run("buildah pull docker-archive:/engines/images.tar:docker.io/library/world:1").ok();
    });
    let hold = machine();
    LazyLock::force(&IMAGES);
    hold
}

const CONTAINERFILE: &str = r#"
FROM docker.io/library/world:1 AS first
ARG WORD=hello
WORKDIR /made
COPY file .
RUN cat file >copied && id -u >who && echo $WORD >word
FROM docker.io/library/world:1
COPY --from=first /made /made
USER guest
RUN id -u >/tmp/who && ! touch /made/x
RUN --mount=type=tmpfs,target=/scratch touch /scratch/x
"#;

#[test]
fn a_build() {
    let _machine = buildah();
    std::fs::create_dir_all("/srv/buildah").unwrap();
    std::fs::write("/srv/buildah/Containerfile", CONTAINERFILE).unwrap();
    std::fs::write("/srv/buildah/file", "from the context\n").unwrap();
    sh!("buildah build --runtime hull --build-arg WORD=given --tag built:1 /srv/buildah").ok();
    let container = sh!("buildah from built:1").ok().stdout;
    let container = container.trim();
    sh!("buildah run --runtime hull {container} sh -c 'cat /made/copied /made/who /made/word /tmp/who'")
        .ok()
        .prints("from the context\n0\ngiven\n1000");
    sh!("buildah rm {container} && buildah rmi built:1").ok();
}

#[test]
fn commands_in_a_working_container() {
    let _machine = buildah();
    let container = sh!("buildah from docker.io/library/world:1").ok().stdout;
    let container = container.trim();
    sh!("buildah run --runtime hull {container} sh -c 'echo out; exit 3'").exits(3);
    sh!("echo hello | buildah run --runtime hull {container} cat").ok().prints("hello");
    sh!("buildah run --runtime hull --user 1000 --workingdir /tmp --cap-drop all --network none {container} sh -c 'id -u; pwd; grep CapEff /proc/self/status'")
        .ok()
        .prints("1000\n/tmp\nCapEff:\t0000000000000000");
    sh!("mkdir -p /srv/buildah-v && buildah run --runtime hull --volume /srv/buildah-v:/data:rw {container} touch /data/made && ls /srv/buildah-v").ok().prints("made");
    sh!("buildah run --runtime hull --terminal=false --hostname inner {container} hostname")
        .ok()
        .prints("inner");
    sh!("buildah rm {container}").ok();
    let calls = std::fs::read_to_string("/engines/sent/calls").unwrap();
    assert!(calls.contains("create ") && calls.contains("buildah"), "{calls}");
}

#[test]
fn a_step_that_fails_fails_the_build() {
    let _machine = buildah();
    sh!("mkdir -p /srv/buildah-fail && printf 'FROM docker.io/library/world:1\\nRUN exit 7\\n' >/srv/buildah-fail/Containerfile").ok();
    let failed = sh!("buildah build --runtime hull /srv/buildah-fail").exits(7);
    assert!(failed.stderr.contains("exit status 7"), "{failed:?}");
}

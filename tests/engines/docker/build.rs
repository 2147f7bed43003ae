//! `docker build`: each RUN is a container, in the classic builder and in BuildKit.

use super::docker;
use crate::sh;

const DOCKERFILE: &str = r#"
FROM world:1
ARG WORD=hello
ENV KEPT=$WORD
WORKDIR /made
COPY file .
RUN cat file >copied && id -u >who && echo $WORD >word
USER guest
RUN id -u >/tmp/who && ! touch /made/x
CMD cat copied who word /tmp/who; echo $KEPT
"#;

fn context(name: &str, dockerfile: &str) -> String {
    let dir = format!("/srv/build-{name}");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(format!("{dir}/Dockerfile"), dockerfile).unwrap();
    std::fs::write(format!("{dir}/file"), "from the context\n").unwrap();
    dir
}

#[test]
fn classic() {
    let _engine = docker();
    let dir = context("classic", DOCKERFILE);
    sh!("DOCKER_BUILDKIT=0 docker build --quiet --build-arg WORD=given --tag classic:1 {dir}").ok();
    sh!("docker run --rm classic:1").ok().prints("from the context\n0\ngiven\n1000\ngiven");
    sh!("docker rmi classic:1").ok();
}

#[test]
fn buildkit() {
    let _engine = docker();
    let dir = context("buildkit", DOCKERFILE);
    sh!("DOCKER_BUILDKIT=1 docker build --quiet --build-arg WORD=given --tag buildkit:1 {dir}").ok();
    sh!("docker run --rm buildkit:1").ok().prints("from the context\n0\ngiven\n1000\ngiven");
    sh!("docker rmi buildkit:1").ok();
}

#[test]
fn a_step_that_fails_fails_the_build() {
    let _engine = docker();
    let dir = context("failing", "FROM world:1\nRUN exit 7\n");
    for kit in [0, 1] {
        let failed = sh!("DOCKER_BUILDKIT={kit} docker build --no-cache {dir} 2>&1").exits(if kit == 0 {
            7
        } else {
            1
        });
        assert!(failed.stdout.contains('7'), "{failed:?}");
    }
}

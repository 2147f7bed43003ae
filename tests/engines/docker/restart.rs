//! Restart policies: a container that ends is made anew by the daemon, from the same bundle.

use super::Detached;
use crate::sh;
use crate::shell::until;

#[test]
fn on_failure_three_times() {
    let failing = Detached::run("--restart on-failure:3 world:1 sh -c 'echo try; exit 1'");
    until(
        &format!("docker inspect --format '{{{{.State.Status}}}} {{{{.RestartCount}}}}' {failing}"),
        "exited 3",
    );
    sh!("docker logs {failing}").ok().prints("try\ntry\ntry\ntry");
}

#[test]
fn always_until_told_to_stop() {
    let always = Detached::run("--restart always pause:1");
    let first = always.inspect("{{.State.Pid}}");
    sh!("docker exec --detach {always} kill 1").ok();
    until(
        &format!("docker inspect --format '{{{{.State.Running}}}} {{{{.RestartCount}}}}' {always}"),
        "true 1",
    );
    assert_ne!(always.inspect("{{.State.Pid}}"), first);
    sh!("docker stop {always}").ok();
    assert_eq!(always.inspect("{{.State.Status}}"), "exited");
}

//! A swarm of one node: its tasks are containers of the default runtime, made and healed by the daemon.

use crate::sh;
use crate::shell::{run, until};

#[test]
fn a_service_is_scaled_updated_and_healed() {
    let _engine = super::docker();
    sh!("docker swarm init --advertise-addr 127.0.0.1").ok();
    sh!("printf secret | docker secret create word - && printf config | docker config create text -").ok();
    sh!("docker service create --detach --quiet --name web --secret word --config text --limit-memory 32m --init world:1 \
         sh -c 'cat /run/secrets/word /text >/both; sleep 1000'")
    .ok();
    let running = |count: u32| {
        until(
            "docker service ps web --filter desired-state=running --format '{{.CurrentState}}' | grep -c Running",
            &count.to_string(),
        );
    };
    running(1);
    sh!("docker service scale --detach web=3").ok();
    running(3);
    let tasks = "docker ps --quiet --filter label=com.docker.swarm.service.name=web";
    run(&format!("docker inspect --format '{{{{.HostConfig.Runtime}}}}' $({tasks}) | sort -u"))
        .ok()
        .prints("hull");
    run(&format!("docker exec $({tasks} | head -n 1) cat /both")).ok().prints("secretconfig");
    run(&format!("docker kill $({tasks} | head -n 1)")).ok();
    until(&format!("{tasks} | wc -l"), "3");
    running(3);
    sh!("docker service update --detach --env-add A=b --update-parallelism 3 web").ok();
    until(
        &format!(
            "for task in $({tasks}); do docker exec $task sh -c 'echo $A'; done | sort | uniq -c | xargs"
        ),
        "3 b",
    );
    sh!("docker service rm web").ok();
    until("docker ps --all --quiet --filter label=com.docker.swarm.service.name=web | wc -l", "0");
    sh!("docker secret rm word && docker config rm text && docker swarm leave --force").ok();
}

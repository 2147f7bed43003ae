//! Binds, volumes and copies.

use super::{Detached, docker};
use crate::sh;

/// A folder on the host that no other test uses.
fn folder(name: &str) -> String {
    let path = format!("/srv/{name}");
    std::fs::create_dir_all(&path).unwrap();
    path
}

#[test]
fn binds() {
    let _engine = docker();
    let dir = folder("binds");
    std::fs::write(format!("{dir}/file"), "host").unwrap();
    sh!("docker run --rm -v {dir}:/data world:1 sh -c 'cat /data/file; echo guest >/data/made'")
        .ok()
        .prints("host");
    assert_eq!(std::fs::read_to_string(format!("{dir}/made")).unwrap(), "guest\n");
    sh!("docker run --rm -v {dir}:/data:ro world:1 touch /data/x").exits(1);
    sh!("docker run --rm -v {dir}/file:/etc/motd:ro world:1 cat /etc/motd").ok().prints("host");
    sh!("docker run --rm --mount type=bind,source={dir},target=/data,readonly world:1 touch /data/x")
        .exits(1);
    sh!("docker run --rm --mount type=bind,source=/no/such,target=/data world:1 true").exits(125);
}

/// What is mounted on the host later shows up with rslave; what the guest mounts shows up on the host with rshared.
#[test]
fn propagation() {
    let _engine = docker();
    let dir = folder("propagation");
    sh!("mount --bind {dir} {dir} && mount --make-shared {dir} && mkdir -p {dir}/late").ok();
    let slave = Detached::waiting(&format!("-v {dir}:/data:rslave"));
    let private = Detached::waiting(&format!("-v {dir}:/data"));
    sh!("mount -t tmpfs late {dir}/late && touch {dir}/late/here").ok();
    sh!("docker exec {slave} ls /data/late").ok().prints("here");
    sh!("docker exec {private} ls /data/late").ok().prints("");
    sh!("docker run --rm --privileged -v {dir}:/data:rshared world:1 sh -c 'mkdir /data/back && mount -t tmpfs back /data/back'").ok();
    sh!("grep -c ' {dir}/back ' /proc/self/mounts").ok().prints("1");
    sh!("umount {dir}/back {dir}/late {dir}").ok();
}

#[test]
fn mounts_below_a_bind() {
    let _engine = docker();
    let dir = folder("recursive");
    sh!("mkdir -p {dir}/sub && mount -t tmpfs sub {dir}/sub && touch {dir}/sub/here").ok();
    sh!("docker run --rm -v {dir}:/data world:1 ls /data/sub").ok().prints("here");
    sh!("docker run --rm --mount type=bind,source={dir},target=/data,bind-nonrecursive world:1 ls /data/sub")
        .ok()
        .prints("");
    sh!("umount {dir}/sub").ok();
}

/// A volume begins with what the image has there, and outlives the container.
#[test]
fn volumes() {
    let _engine = docker();
    sh!("docker volume create kept").ok();
    sh!("docker run --rm -v kept:/etc world:1 sh -c 'test -e /etc/passwd && echo mine >/etc/mine'").ok();
    sh!("docker run --rm -v kept:/data:ro world:1 cat /data/mine").ok().prints("mine");
    sh!("docker run --rm -v kept:/data:nocopy world:1 cat /data/mine").ok().prints("mine");
    sh!("docker volume rm kept").ok();
    let first = Detached::waiting("-v /anonymous");
    sh!("docker exec {first} touch /anonymous/x && docker run --rm --volumes-from {first} world:1 ls /anonymous").ok().prints("x");
}

#[test]
fn a_volume_of_memory() {
    let _engine = docker();
    sh!("docker run --rm --mount type=tmpfs,destination=/t,tmpfs-size=65536,tmpfs-mode=1777 world:1 \
         sh -c 'df -k /t | tail -n 1 | awk \"{{print \\$2}}\"; stat -c %a /t'")
    .ok()
    .prints("64\n1777");
}

#[test]
fn a_bind_over_nothing_and_over_a_link() {
    let _engine = docker();
    let dir = folder("links");
    std::fs::write(format!("{dir}/file"), "host").unwrap();
    sh!("docker run --rm -v {dir}/file:/made/deep/file world:1 cat /made/deep/file").ok().prints("host");
    // /usr/bin/awk is a link to busybox in the image: the bind lies there, inside.
    sh!("docker run --rm -v {dir}/file:/usr/bin/awk world:1 /probe read /bin/busybox | grep -c host")
        .ok()
        .prints("1");
}

#[test]
fn the_socket_of_docker_itself() {
    let _engine = docker();
    sh!("docker run --rm -v /var/run/docker.sock:/docker.sock world:1 test -S /docker.sock").ok();
}

#[test]
fn copies() {
    let web = Detached::waiting("");
    let dir = folder("copies");
    std::fs::write(format!("{dir}/there"), "and back").unwrap();
    sh!("docker cp {dir}/there {web}:/tmp/there && docker exec {web} cat /tmp/there").ok().prints("and back");
    sh!("docker cp {web}:/tmp/there {dir}/back && cat {dir}/back").ok().prints("and back");
    sh!("docker cp {web}:/etc {dir}/etc && test -e {dir}/etc/passwd").ok();
    sh!("docker stop {web} && docker cp {dir}/there {web}:/tmp/later && docker start {web} && docker exec {web} ls /tmp/later").ok();
}

/// The default kind of working directory: made when it is missing, below a bind as well.
#[test]
fn a_working_directory_in_a_bind() {
    let _engine = docker();
    let dir = folder("work");
    sh!("docker run --rm -v {dir}:/work -w /work world:1 sh -c 'pwd; touch made'").ok().prints("/work");
    sh!("ls {dir}").ok().prints("made");
}

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;

fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::at(dir.path().join("deep/er"));
    (dir, store)
}

/// A process that sleeps until it is killed.
struct Sleeper(std::process::Child);

impl Sleeper {
    fn start() -> Self {
        Self(std::process::Command::new("sleep").arg("60").spawn().unwrap())
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn ids_are_names_of_folders_and_nothing_more() {
    let (_dir, store) = store();
    for id in ["a/b", "..", ".", "a b", "ä", "a\n", &"x".repeat(1025)] {
        assert!(matches!(store.claim(id), Err(Error::IdFormat(_))), "{id}");
        assert!(matches!(store.load(id), Err(Error::IdFormat(_))), "{id}");
    }
    assert!(matches!(store.claim(""), Err(Error::EmptyId)));
    for id in ["a", "0", "A_b+c.d-e", "..."] {
        store.claim(id).unwrap();
    }
    assert_eq!(store.ids().unwrap(), ["...", "0", "A_b+c.d-e", "a"]);
}

#[test]
fn the_root_is_private_and_made_by_the_first_claim_only() {
    let (_dir, store) = store();
    assert!(store.ids().unwrap().is_empty());
    assert!(matches!(store.load("c"), Err(Error::Absent)));
    assert!(std::fs::metadata(&store.root).is_err());
    store.claim("c").unwrap();
    assert_eq!(std::fs::metadata(&store.root).unwrap().permissions().mode() & 0o7777, 0o700);
    assert!(matches!(store.claim("c"), Err(Error::Exists(_))));
}

#[test]
fn one_of_many_claims_succeeds() {
    let (_dir, store) = store();
    let won = std::thread::scope(|scope| {
        let claims: Vec<_> = (0..20).map(|_| scope.spawn(|| store.claim("c").is_ok())).collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn a_record_comes_back_as_it_was_saved() {
    let (_dir, store) = store();
    let mut container = store.claim("c").unwrap();
    container.record = Record {
        oci_version: "1.3.0".into(),
        pid: 7,
        start_time: 8,
        bundle: "/b".into(),
        annotations: [("k\"".to_owned(), "v<>\u{1}".to_owned())].into(),
        ..Default::default()
    };
    container.begin(b"{}").unwrap();
    let seen = store.load("c").unwrap();
    assert_eq!(seen.record, container.record);
    let (mut glances, json) = (store.glances().unwrap(), |view| serde_json::to_string(&view).unwrap());
    let (glance, status) = glances.at("c").unwrap().unwrap();
    let view = serde_json::to_string(&glance.view("c", status, "root")).unwrap();
    assert_eq!(view, json(container.record.view("c", status, "root")));
    assert_eq!(seen.config().unwrap().1, b"{}");
}

#[test]
fn a_removed_container_frees_its_id_even_for_a_waiting_verb() {
    let (_dir, store) = store();
    let container = store.claim("c").unwrap();
    container.save_record().unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.lock("c").map(drop));
        // Whether it already waits or not, it must never get hold of the removed folder.
        container.remove().unwrap();
        assert!(matches!(waiting.join().unwrap(), Err(Error::Absent)));
    });
    store.claim("c").unwrap();
}

/// Its status, and what a glance says.
fn statuses(store: &Store) -> (Status, Option<Status>) {
    let status = store.load("c").unwrap().status().unwrap();
    (status, store.glances().unwrap().at("c").unwrap().map(|(_, status)| status))
}

#[test]
fn status_is_what_the_process_and_the_socket_tell() {
    let (_dir, store) = store();
    let mut container = store.claim("c").unwrap();
    assert_eq!(statuses(&store), (Status::Creating, None));
    container.save_record().unwrap();
    assert_eq!(statuses(&store), (Status::Creating, None));
    assert_eq!(container.status().unwrap(), Status::Stopped, "we hold the lock, so nobody creates");

    let mut sleeper = Sleeper::start();
    container.record.pid = sleeper.pid();
    container.record.start_time = start_time(sleeper.pid()).unwrap().unwrap();
    container.save_record().unwrap();
    let listener = container.listen_for_start().unwrap();
    container.unlock();
    assert_eq!(statuses(&store), (Status::Created, Some(Status::Created)));

    let _start = store.lock("c").unwrap().connect_to_init().unwrap();
    drop(sys::socket::accept(std::os::fd::AsFd::as_fd(&listener)).unwrap());
    container.remove_start_socket().unwrap();
    container.remove_start_socket().unwrap();
    assert_eq!(statuses(&store), (Status::Running, Some(Status::Running)));

    let init = container.init().unwrap().unwrap();
    sleeper.0.kill().unwrap();
    assert!(init.wait_death(Duration::from_secs(60)).unwrap());
    assert_eq!(statuses(&store), (Status::Stopped, Some(Status::Stopped)), "a zombie");
    sleeper.0.wait().unwrap();
    assert_eq!(statuses(&store), (Status::Stopped, Some(Status::Stopped)));
}

#[test]
fn a_recycled_pid_is_not_the_container() {
    let (_dir, store) = store();
    let mut container = store.claim("c").unwrap();
    let sleeper = Sleeper::start();
    container.record.pid = sleeper.pid();
    container.record.start_time = 1;
    container.save_record().unwrap();
    assert_eq!(statuses(&store), (Status::Stopped, Some(Status::Stopped)));
    assert!(container.init().unwrap().is_none());
}

#[test]
fn a_creator_that_died_leaves_a_stopped_container() {
    let (_dir, store) = store();
    drop(store.claim("c").unwrap());
    assert_eq!(store.load("c").unwrap().status().unwrap(), Status::Stopped);
    store.lock("c").unwrap().remove().unwrap();
    assert!(matches!(store.load("c"), Err(Error::Absent)));
}

#[test]
fn the_state_document_is_runcs() {
    let (_dir, store) = store();
    let mut container = store.claim("c").unwrap();
    container.record = Record {
        oci_version: "1.2.0".into(),
        pid: 7,
        bundle: "/b".into(),
        rootfs: "/b/rootfs".into(),
        created: "2026-01-02T03:04:05.6Z".into(),
        ..Default::default()
    };
    assert_eq!(
        serde_json::to_string(&container.record.view("c", Status::Running, "root")).unwrap(),
        r#"{"ociVersion":"1.2.0","id":"c","pid":7,"status":"running","bundle":"/b","rootfs":"/b/rootfs","created":"2026-01-02T03:04:05.6Z","owner":"root"}"#
    );
    container.record.annotations.insert("k".into(), "<&>".into());
    assert_eq!(
        serde_json::to_string(&container.state(Status::Creating, 9)).unwrap(),
        r#"{"ociVersion":"1.2.0","id":"c","status":"creating","pid":9,"bundle":"/b","annotations":{"k":"<&>"}}"#
    );
    assert_eq!(container.record.view("c", Status::Stopped, "root").pid, 0);
}

#[test]
fn a_damaged_record_is_named() {
    let (_dir, store) = store();
    let container = store.claim("c").unwrap();
    sys::file::write_atomic(container.dir(), c"state.json", b"{\"pid\":").unwrap();
    let mut glances = store.glances().unwrap();
    for err in [store.load("c").unwrap_err(), glances.at("c").unwrap_err()] {
        assert!(err.to_string().contains("c/state.json: EOF"), "{err}");
    }
    assert!(glances.at("d").unwrap().is_none());
}

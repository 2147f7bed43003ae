use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::log::{Format, Level};

/// Parses a line of words; `hull` stands before it.
fn parsed(line: &str) -> Result<Request, Stop> {
    parse(std::iter::once("hull").chain(line.split_whitespace()))
}

fn request(line: &str) -> Request {
    parsed(line).unwrap_or_else(|stop| panic!("{line}: {}", stop.text))
}

fn code(line: &str) -> u8 {
    parsed(line).map(|request| panic!("{line}: {request:?}")).unwrap_err().code
}

#[test]
fn the_command_tree_is_sound_when_fully_built() {
    let mut tree = flags::tree();
    tree.build();
    tree.debug_assert();
}

#[test]
fn global_options_take_both_spellings() {
    for line in [
        "--root /r --log /l --log-format json --debug --systemd-cgroup --rootless true --criu x list",
        "--root=/r --log=/l --log-format=json --debug --systemd-cgroup --rootless=true list",
        "--root=/other --root=/r --log /l --log-format json --debug --systemd-cgroup --rootless=true list",
    ] {
        let global = request(line).global;
        assert_eq!(global.root.as_deref(), Some(Path::new("/r")));
        assert_eq!(global.log.as_deref(), Some(Path::new("/l")));
        assert_eq!((global.log_format, global.log_level), (Format::Json, Level::Debug));
        assert_eq!((global.systemd_cgroup, global.rootless), (true, Rootless::True));
    }
    assert_eq!(request("list").global, Global::default());
}

/// As containerd's shim writes it, and runc's parser reads it.
#[test]
fn long_names_after_one_dash() {
    let line =
        "-root /r -log-format=json restore -image-path /i -d -pid-file=/p -no-subreaper --bundle /b web";
    let request = request(line);
    assert_eq!(request.global.root.as_deref(), Some(Path::new("/r")));
    let Verb::Restore(restore) = request.verb else { panic!("not a restore") };
    assert_eq!((restore.create.id.as_str(), restore.detach), ("web", true));
    assert_eq!(restore.create.pid_file.as_deref(), Some(Path::new("/p")));
    // What follows the id belongs to the program.
    let Verb::Exec(exec) = self::request("exec -cwd /tmp web ls -cwd").verb else { panic!("not an exec") };
    assert_eq!(
        (exec.cwd.as_deref(), exec.args.as_slice()),
        (Some(Path::new("/tmp")), &["ls".to_owned(), "-cwd".to_owned()][..])
    );
    assert_eq!(code("list -no-such-name"), 1);
}

#[test]
fn create_as_containerd_and_conmon_write_it() {
    let Verb::Create(create) =
        request("create --bundle /b --pid-file /p --console-socket=/c --no-pivot web").verb
    else {
        panic!("not a create");
    };
    let expected = Create {
        id: "web".into(),
        bundle: "/b".into(),
        pid_file: Some("/p".into()),
        console_socket: Some("/c".into()),
        no_pivot: true,
        ..Default::default()
    };
    assert_eq!(create, expected);
}

#[test]
fn run_has_the_flags_of_create() {
    let Verb::Run(run) =
        request("run web -d --keep --no-subreaper -b /b --preserve-fds 3 --no-new-keyring").verb
    else {
        panic!("not a run");
    };
    assert_eq!((run.detach, run.keep, run.no_subreaper), (true, true, true));
    assert_eq!((run.create.bundle, run.create.preserve_fds), (PathBuf::from("/b"), 3));
    assert!(run.create.no_new_keyring);
    let Verb::Run(run) = request("run web").verb else { panic!("not a run") };
    assert_eq!(run.create.bundle, Path::new("."));
}

fn exec_of(line: &str) -> Exec {
    let Verb::Exec(exec) = request(line).verb else { panic!("not an exec") };
    *exec
}

#[test]
fn what_follows_execs_container_belongs_to_the_program() {
    for (line, args) in [
        ("exec c ls -l", &["ls", "-l"][..]),
        ("exec c ls --help", &["ls", "--help"]),
        ("exec -t c sh -c x -t", &["sh", "-c", "x", "-t"]),
        ("exec c -weird --user x", &["-weird", "--user", "x"]),
        ("exec --tty --user 1 c env -- a", &["env", "--", "a"]),
    ] {
        let exec = exec_of(line);
        assert_eq!(exec.id, "c", "{line}");
        assert_eq!(exec.args, args, "{line}");
    }
    assert!(!exec_of("exec c sh -t").tty);
}

#[test]
fn exec_flags() {
    let exec = exec_of(
        "exec -d --cwd /w -e A=1 --env B=-2 -u 5:6 -g 7 --additional-gids=8 -c CAP_CHOWN --cap CAP_KILL \
         --no-new-privs --apparmor p --process-label l --pid-file /p --pidfd-socket /s --cgroup cpu:/x \
         --ignore-paused c true",
    );
    let expected = Exec {
        id: "c".into(),
        args: vec!["true".into()],
        cwd: Some("/w".into()),
        env: vec!["A=1".into(), "B=-2".into()],
        user: Some(ExecUser { uid: 5, gid: Some(6) }),
        additional_gids: vec![7, 8],
        capabilities: vec!["CAP_CHOWN".into(), "CAP_KILL".into()],
        no_new_privs: true,
        apparmor: Some("p".into()),
        process_label: Some("l".into()),
        detach: true,
        pid_file: Some("/p".into()),
        pidfd_socket: Some("/s".into()),
        cgroups: vec!["cpu:/x".into()],
        ignore_paused: true,
        ..Default::default()
    };
    assert_eq!(exec, expected);
    let from_file = exec_of("exec --process /p.json c");
    assert_eq!((from_file.process, from_file.args), (Some("/p.json".into()), vec![]));
}

#[test]
fn signals_by_name_and_number() {
    for (word, number) in [
        ("", 15),
        ("9", 9),
        ("0", 0),
        ("KILL", 9),
        ("SIGKILL", 9),
        ("sigusr1", 10),
        ("Hup", 1),
        ("34", 34),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("RTMAX-1", 63),
    ] {
        let Verb::Kill { id, signal, all } = request(&format!("kill c {word}")).verb else {
            panic!("not a kill")
        };
        assert_eq!((id.as_str(), signal, all), ("c", Signal(number), false), "{word}");
    }
    for wrong in ["BOGUS", "SIG", "65", "RTMIN+31", "RTMIN-1", "RTMIN+-1", "RTMAX+1", "RTMIN3"] {
        assert_eq!(code(&format!("kill c {wrong}")), 1, "{wrong}");
    }
    assert!(matches!(request("kill --all c 9").verb, Verb::Kill { all: true, .. }));
}

#[test]
fn the_flags_of_update_are_short_for_a_document() {
    let update = |line| {
        let Verb::Update(update) = request(line).verb else { panic!("not an update") };
        *update
    };
    assert_eq!(
        update("update --memory 512m --memory-swap -1 --cpu-quota=-1 --cpuset-cpus 0-1 c --pids-limit 7")
            .limits,
        json!({
            "memory": {"limit": 512 << 20, "swap": -1},
            "cpu": {"quota": -1, "cpus": "0-1"},
            "pids": {"limit": 7},
        })
    );
    let from_file = update("update -r - c");
    assert_eq!((from_file.resources, from_file.limits), (Some("-".into()), Value::Null));
    let rdt = update("update --l3-cache-schema L3:0=f --mem-bw-schema MB:0=20 c").intel_rdt;
    assert_eq!(rdt, json!({"l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20"}));
    assert_eq!(from_file.intel_rdt, Value::Null);
    assert_eq!(code("update --cpu-share many c"), 1);
}

#[test]
fn every_flag_of_update_names_a_field_of_the_document() {
    for limit in flags::LIMITS {
        let value = if limit.flag.starts_with("cpuset") { "0" } else { "11" };
        let Verb::Update(update) = request(&format!("update --{} {value} c", limit.flag)).verb else {
            panic!("not an update");
        };
        // Of the wrong type or in the wrong place, it would be refused or lost.
        let resources: crate::spec::Resources = serde_json::from_value(update.limits).unwrap();
        let seen = format!("{resources:?}");
        assert!(seen.contains("Some(11)") || seen.contains("Some(\"0\")"), "{}: {seen}", limit.flag);
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("0", 0_i64),
        ("-1", -1),
        ("1048576", 1 << 20),
        ("32k", 32 << 10),
        ("1.5GiB", 3 << 29),
        ("2 TB", 2 << 40),
        ("10b", 10),
    ] {
        assert_eq!(values::bytes(text), Ok(Value::from(bytes)), "{text}");
    }
    for wrong in ["", "m", "-2", "1x", "1.m.", "9999999999g", "ib", "1ib", "+5", "1.+5k"] {
        values::bytes(wrong).expect_err(wrong);
    }
}

#[test]
fn durations() {
    for (text, time) in [
        ("5s", Duration::from_secs(5)),
        ("500ms", Duration::from_millis(500)),
        ("1m30s", Duration::from_secs(90)),
        ("0.5h", Duration::from_secs(1800)),
    ] {
        assert_eq!(values::duration(text), Ok(time), "{text}");
    }
    for wrong in [
        "",
        "5",
        "s",
        "0s",
        "-1s",
        "5 s",
        "1y",
        "2562048h",
        "9223372036854775807s",
        "18446744073709549568s3600s",
    ] {
        values::duration(wrong).expect_err(wrong);
    }
}

#[test]
fn the_other_verbs() {
    use ListFormat::{Json, Table};
    assert!(matches!(request("delete -f c").verb, Verb::Delete { force: true, .. }));
    assert!(matches!(request("delete c --force").verb, Verb::Delete { force: true, .. }));
    assert!(matches!(request("list -q").verb, Verb::List { format: Table, quiet: true }));
    assert!(matches!(request("list --format json").verb, Verb::List { format: Json, quiet: false }));
    assert!(matches!(request("state c").verb, Verb::State { id } if id == "c"));
    assert!(
        matches!(request("events --interval=2s --stats c").verb, Verb::Events { stats: true, interval, .. } if interval.as_secs() == 2)
    );
    assert!(matches!(request("spec -b /x --rootless").verb, Verb::Spec { rootless: true, .. }));
    assert!(matches!(request("plan -f json").verb, Verb::Plan { format: PlanFormat::Json, .. }));
    assert!(matches!(request("features").verb, Verb::Features));
    let Verb::Ps { id, options, .. } = request("ps --format table c -o pid,comm").verb else {
        panic!("not a ps")
    };
    assert_eq!((id.as_str(), options), ("c", vec!["-o".to_owned(), "pid,comm".to_owned()]));
}

#[test]
fn mistakes_have_runcs_exit_codes() {
    for (line, expected) in [
        ("", 0),
        ("--help", 0),
        ("-h", 0),
        ("help", 0),
        ("create --help", 0),
        ("--version", 0),
        ("-v", 0),
        ("bogus", 3),
        ("--bogus list", 1),
        ("create --bogus c", 1),
        ("create", 1),
        ("state a b", 1),
        ("list -f yaml", 1),
        ("--log-format xml list", 1),
        ("ps", 1),
        ("exec", 255),
        ("exec c", 255),
        ("exec --user nobody c true", 1),
    ] {
        assert_eq!(code(line), expected, "{line}");
    }
}

#[test]
fn version_names_the_specification() {
    let text = parsed("--version").unwrap_err().text;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], concat!("hull version ", env!("CARGO_PKG_VERSION")));
    assert!(lines[1].starts_with("commit: "));
    assert_eq!(lines[2], format!("spec: {}", crate::spec::OCI_VERSION));
}

#[test]
fn checkpoint_as_containerd_writes_it() {
    let line = "checkpoint --image-path /i --work-path /w --parent-path ../p --tcp-established --ext-unix-sk \
                --shell-job --file-locks --leave-running --manage-cgroups-mode soft --empty-ns network \
                --page-server [::1]:27 --status-fd 5 c";
    let Verb::Checkpoint(checkpoint) = request(line).verb else { panic!("not a checkpoint") };
    let flags = Flags {
        tcp_established: true,
        ext_unix_sk: true,
        shell_job: true,
        file_locks: true,
        leave_running: true,
        cgroups: crate::checkpoint::CgroupMode::Soft,
        ..Flags::default()
    };
    let expected = Checkpoint {
        id: "c".into(),
        images: Images { path: Some("/i".into()), work: Some("/w".into()), flags },
        parent: Some("../p".into()),
        pre_dump: false,
        page_server: Some(("::1".into(), 27)),
        status_fd: Some(5),
    };
    assert_eq!(*checkpoint, expected);
    let Verb::Checkpoint(checkpoint) = request("checkpoint --status-fd -1 c").verb else { panic!() };
    assert_eq!(*checkpoint, Checkpoint { id: "c".into(), ..Checkpoint::default() });
    for wrong in ["--empty-ns ipc", "--manage-cgroups-mode none", "--page-server 27", "--status-fd x"] {
        assert_eq!(code(&format!("checkpoint {wrong} c")), 1, "{wrong}");
    }
}

#[test]
fn restore_as_containerd_writes_it() {
    let line = "restore --image-path /i --work-path /w --detach --pid-file /p --no-subreaper --no-pivot \
                --console-socket /s --bundle /b --lsm-profile apparmor:x c";
    let Verb::Restore(restore) = request(line).verb else { panic!("not a restore") };
    assert_eq!((restore.detach, restore.no_subreaper, restore.create.no_pivot), (true, true, true));
    assert_eq!((restore.create.id.as_str(), restore.create.bundle.as_path()), ("c", Path::new("/b")));
    assert_eq!(restore.create.pid_file.as_deref(), Some(Path::new("/p")));
    assert_eq!(restore.create.console_socket.as_deref(), Some(Path::new("/s")));
    assert_eq!(restore.lsm_profile.as_deref(), Some("apparmor:x"));
}

/// What engines of two Debian releases were seen to call, recorded by scripts/engines.
#[test]
fn every_call_of_an_engine_is_understood() {
    let mut calls = 0;
    for release in ["bookworm", "trixie"] {
        let dir = format!("tests/fixtures/engines/{release}");
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            for call in std::fs::read_to_string(&path).unwrap().lines() {
                if let Err(stop) = parsed(call) {
                    assert_eq!(stop.code, 0, "{}: {call}: {}", path.display(), stop.text);
                }
                calls += 1;
            }
        }
    }
    assert!(calls > 100, "only {calls} calls");
}

//! On a directory laid out as the kernel's documentation says; what the kernel itself would put into a new group is put
//! there between the steps.

use std::fs;

use super::*;

struct Tree(tempfile::TempDir);

impl Tree {
    /// A resctrl filesystem with one more class, called `gold`.
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        fs::create_dir(tree.path("info")).unwrap();
        tree.put("info/last_cmd_status", "ok\n");
        tree.populate("");
        tree.put("schemata", "    MB:0=100\n    L3:0=fffff\n");
        fs::create_dir(tree.path("gold")).unwrap();
        tree.populate("gold");
        tree.put("gold/schemata", "    MB:0= 20\n    L3:0=007f0\n");
        tree
    }

    fn path(&self, below: &str) -> PathBuf {
        self.0.path().join(below)
    }

    #[expect(clippy::disallowed_methods, reason = "stands for the kernel")]
    fn put(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    /// What the kernel puts into a new class.
    fn populate(&self, class: &str) {
        for file in ["tasks", "schemata"] {
            self.put(format!("{class}/{file}").trim_start_matches('/'), "");
        }
        fs::create_dir(self.path(class).join("mon_groups")).unwrap();
    }

    /// What the kernel takes away with a class.
    fn depopulate(&self, class: &str) {
        for file in ["tasks", "schemata"] {
            fs::remove_file(self.path(class).join(file)).unwrap();
        }
        fs::remove_dir(self.path(class).join("mon_groups")).unwrap();
    }

    fn plan(&self, class: &str, shared: bool, schemata: &[&str]) -> IntelRdtPlan {
        let schemata = schemata.iter().map(|line| (*line).to_owned()).collect();
        IntelRdtPlan { clos: self.path(class), shared, schemata, mon_group: None }
    }
}

#[test]
fn a_class_of_its_own_is_made_limited_joined_and_removed() {
    let tree = Tree::new();
    let plan = IntelRdtPlan {
        mon_group: Some(tree.path("web/mon_groups/web")),
        ..tree.plan("web", false, &["L3:0=f", "MB:0=30"])
    };
    let mut group = Group::empty(&plan);
    assert!(group.make_class(&plan).unwrap());
    tree.populate("web");
    group.limit(&plan, true).unwrap();
    assert_eq!(tree.text("web/schemata"), "L3:0=f\nMB:0=30\n");
    group.make_mon_group().unwrap();
    tree.put("web/mon_groups/web/tasks", "");
    group.add(4711).unwrap();
    assert_eq!(
        (tree.text("web/tasks"), tree.text("web/mon_groups/web/tasks")),
        ("4711".into(), "4711".into())
    );
    group.write_schemata(&["MB:0=40".to_owned()]).unwrap();
    assert!(tree.text("web/schemata").starts_with("MB:0=40\n"));
    assert_eq!(group, Group::planned(&plan));

    let record = serde_json::to_string(&group).unwrap();
    let group: Group = serde_json::from_str(&record).unwrap();
    fs::remove_file(tree.path("web/mon_groups/web/tasks")).unwrap();
    fs::remove_dir(tree.path("web/mon_groups/web")).unwrap();
    tree.depopulate("web");
    group.remove().unwrap();
    assert_eq!(fs::read_dir(tree.0.path()).unwrap().count(), 5, "info, gold, tasks, schemata, mon_groups");
    group.remove().unwrap();
}

#[test]
fn a_class_that_is_there_is_never_taken_for_ones_own() {
    let tree = Tree::new();
    let plan = tree.plan("gold", false, &[]);
    let refused = Group::create(&plan).unwrap_err();
    assert!(matches!(refused, Error::Make { errno: Errno::EEXIST, .. }), "{refused}");
    assert_eq!(tree.text("gold/schemata"), "    MB:0= 20\n    L3:0=007f0\n");
}

#[test]
fn a_named_class_is_joined_as_it_is_and_stays() {
    let tree = Tree::new();
    for schemata in [&[][..], &["L3:0=7f0", "MB:0=20"]] {
        let group = Group::create(&tree.plan("gold", true, schemata)).unwrap();
        group.add(4711).unwrap();
        assert_eq!(tree.text("gold/tasks"), "4711");
        group.remove().unwrap();
        assert_eq!(tree.text("gold/schemata"), "    MB:0= 20\n    L3:0=007f0\n");
    }
    let root = IntelRdtPlan { mon_group: Some(tree.path("mon_groups/web")), ..tree.plan("", true, &[]) };
    let group = Group::create(&root).unwrap();
    assert_eq!(group, Group::planned(&root));
    group.remove().unwrap();
    assert_eq!(fs::read_dir(tree.path("mon_groups")).unwrap().count(), 0);
    assert_eq!(tree.text("tasks"), "");
}

#[test]
fn a_named_class_must_agree_or_be_prepared() {
    let tree = Tree::new();
    let mismatch = Group::create(&tree.plan("gold", true, &["L3:0=7f0", "MB:0=30"])).unwrap_err();
    assert!(matches!(&mismatch, Error::Mismatch { wanted, .. } if wanted == "MB:0=30"), "{mismatch}");
    let absent = Group::create(&tree.plan("silver", true, &[])).unwrap_err();
    assert!(matches!(absent, Error::Absent { .. }), "{absent}");
    assert!(!mismatch.hint().is_empty() && !absent.hint().is_empty());
}

#[test]
fn a_failure_takes_back_what_was_made_and_tells_the_kernels_reason() {
    let tree = Tree::new();
    tree.put("info/last_cmd_status", "Mask 3 has non-consecutive 1-bits\n");
    // Nobody populates the class here, so its schemata cannot be written.
    for shared in [true, false] {
        let failed = Group::create(&tree.plan("new", shared, &["L3:0=5"])).unwrap_err();
        assert!(failed.to_string().contains("non-consecutive"), "{failed}");
        assert!(fs::symlink_metadata(tree.path("new")).is_err());
    }
    let plan =
        IntelRdtPlan { mon_group: Some(tree.path("new/mon_groups/web")), ..tree.plan("new", false, &[]) };
    let failed = Group::create(&plan).unwrap_err();
    assert!(matches!(failed, Error::Make { errno: Errno::ENOENT, .. }), "{failed}");
    assert!(fs::symlink_metadata(tree.path("new")).is_err());
}

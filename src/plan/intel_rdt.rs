//! `linux.intelRdt`: the class of service of the container's processes, and a monitoring group for them.

use std::path::PathBuf;

use serde::Serialize;

use super::{Builder, Error, HostFacts};
use crate::spec::{IntelRdt, Spec};

/// What to make in the resctrl filesystem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntelRdtPlan {
    /// The directory of the class of service.
    pub clos: PathBuf,
    /// Whether `closID` names the class: it may be there already, others may use it, and it outlives the container.
    pub shared: bool,
    /// Lines for its `schemata` file, in order.
    pub schemata: Vec<String>,
    /// The container's own monitoring group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mon_group: Option<PathBuf>,
}

/// Compiles the property, if it is there.
pub(super) fn compile(
    id: &str,
    spec: &Spec,
    facts: &HostFacts,
    out: &mut Builder,
) -> Result<Option<IntelRdtPlan>, Error> {
    let Some(rdt) = &spec.linux.intel_rdt else { return Ok(None) };
    let schemata = schemata(rdt, "linux.intelRdt")?;
    if rdt.l3_cache_schema.as_ref().is_some_and(|schema| !schema.starts_with("L3:")) {
        out.warn("linux.intelRdt.l3CacheSchema: does not start with \"L3:\"");
    }
    let clos_id = rdt.clos_id.as_deref().filter(|clos_id| !clos_id.is_empty());
    let below = match clos_id {
        // The class that every process is in unless it is put elsewhere.
        Some("/") => "",
        Some(name) if matches!(name, "." | "..") || name.contains(['/', '\n', '\0']) => {
            return Err(Error::new("linux.intelRdt.closID", format!("{name:?} is no name of a directory"))
                .hint("write a plain name, or \"/\" for the default class"));
        }
        Some(name) => name,
        None => id,
    };
    let Some(root) = &facts.resctrl else {
        return Err(Error::new("linux.intelRdt", "this host has no resctrl filesystem mounted").hint(
            "mount -t resctrl resctrl /sys/fs/resctrl, if the processor has RDT; or remove the property",
        ));
    };
    let clos = root.join(below);
    let mon_group = rdt.enable_monitoring.then(|| clos.join("mon_groups").join(id));
    Ok(Some(IntelRdtPlan { clos, shared: clos_id.is_some(), schemata, mon_group }))
}

/// The lines for `schemata`, in the order of the specification: cache, bandwidth, and what is taken as it is.
pub fn schemata(rdt: &IntelRdt, at: &str) -> Result<Vec<String>, Error> {
    let one_line = |name: &str, line: &String| {
        if line.contains('\n') {
            return Err(
                Error::new(format!("{at}.{name}"), "holds a newline").hint("write each line into schemata[]")
            );
        }
        Ok(())
    };
    let (l3_cache, mem_bw) = (&rdt.l3_cache_schema, &rdt.mem_bw_schema);
    l3_cache.iter().try_for_each(|line| one_line("l3CacheSchema", line))?;
    mem_bw.iter().try_for_each(|line| one_line("memBwSchema", line))?;
    for (index, line) in rdt.schemata.iter().enumerate() {
        one_line(&format!("schemata[{index}]"), line)?;
    }
    if mem_bw.as_ref().is_some_and(|line| !line.is_empty() && !line.starts_with("MB:")) {
        return Err(Error::new(format!("{at}.memBwSchema"), "does not start with \"MB:\"")
            .hint("write other resources into schemata[]"));
    }
    // Bandwidth that was given in both comes from memBwSchema.
    let l3_cache = l3_cache.iter().filter(|line| mem_bw.is_none() || !line.starts_with("MB:"));
    let lines = l3_cache.chain(mem_bw).chain(&rdt.schemata).filter(|line| !line.is_empty());
    Ok(lines.cloned().collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn compile(rdt: &Value) -> Result<IntelRdtPlan, Error> {
        let facts = HostFacts { resctrl: Some("/r".into()), ..HostFacts::default() };
        compile_on(rdt, &facts).map(Option::unwrap)
    }

    fn compile_on(rdt: &Value, facts: &HostFacts) -> Result<Option<IntelRdtPlan>, Error> {
        let spec = json!({"ociVersion": "1.3.0", "linux": {"intelRdt": rdt}});
        super::compile("web", &serde_json::from_value(spec).unwrap(), facts, &mut Builder::default())
    }

    #[test]
    fn a_container_without_a_class_gets_one_of_its_own() {
        let plan = compile(&json!({})).unwrap();
        let expected =
            IntelRdtPlan { clos: "/r/web".into(), shared: false, schemata: vec![], mon_group: None };
        assert_eq!(plan, expected);
        assert_eq!(compile(&json!({"closID": ""})).unwrap(), expected);
        let monitored = compile(&json!({"enableMonitoring": true})).unwrap();
        assert_eq!(monitored.mon_group, Some("/r/web/mon_groups/web".into()));
    }

    #[test]
    fn a_class_is_named_by_a_plain_name_or_is_the_root() {
        let gold = compile(&json!({"closID": "gold", "enableMonitoring": true})).unwrap();
        assert!(gold.shared);
        assert_eq!((gold.clos, gold.mon_group), ("/r/gold".into(), Some("/r/gold/mon_groups/web".into())));
        let root = compile(&json!({"closID": "/", "enableMonitoring": true})).unwrap();
        assert_eq!(root.mon_group, Some("/r/mon_groups/web".into()));
        for bad in [".", "..", "a/b", "/a", "a\nb", "a\0b"] {
            assert_eq!(compile(&json!({"closID": bad})).expect_err(bad).at, "linux.intelRdt.closID");
        }
    }

    #[test]
    fn lines_come_in_the_order_of_the_specification() {
        let rdt =
            json!({"schemata": ["L2:0=f", "MB:0=30"], "memBwSchema": "MB:0=20", "l3CacheSchema": "L3:0=7f0"});
        assert_eq!(compile(&rdt).unwrap().schemata, ["L3:0=7f0", "MB:0=20", "L2:0=f", "MB:0=30"]);
        let both = json!({"l3CacheSchema": "MB:0=10", "memBwSchema": "MB:0=20"});
        assert_eq!(compile(&both).unwrap().schemata, ["MB:0=20"]);
    }

    #[test]
    fn lines_are_lines_and_bandwidth_is_bandwidth() {
        for (rdt, at) in [
            (json!({"l3CacheSchema": "L3:0=f\nMB:0=10"}), "l3CacheSchema"),
            (json!({"memBwSchema": "MB:0=10\n"}), "memBwSchema"),
            (json!({"memBwSchema": "L3:0=f"}), "memBwSchema"),
            (json!({"schemata": ["L3:0=f", "a\nb"]}), "schemata[1]"),
        ] {
            assert_eq!(compile(&rdt).unwrap_err().at, format!("linux.intelRdt.{at}"));
        }
    }

    #[test]
    fn nothing_is_forgotten_on_a_host_without_resctrl() {
        let refused = compile_on(&json!({"closID": "gold"}), &HostFacts::default()).unwrap_err();
        assert_eq!(refused.at, "linux.intelRdt");
        assert!(refused.why.contains("resctrl"));
        assert_eq!(compile_on(&Value::Null, &HostFacts::default()), Ok(None));
    }
}

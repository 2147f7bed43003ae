//! What must hold for the document as a whole.

use super::{Builder, Error};
use crate::spec::{OCI_VERSION, Spec};

pub(super) fn document(spec: &Spec, out: &mut Builder) -> Result<(), Error> {
    version(&spec.oci_version, out)?;
    if spec.annotations.keys().any(String::is_empty) {
        return Err(Error::new("annotations", "has an empty key").hint("give every annotation a name"));
    }
    if spec.linux.personality.as_ref().is_some_and(|personality| !personality.flags.is_empty()) {
        return Err(Error::new(
            "linux.personality.flags",
            "is not empty, but the specification defines no flags",
        )
        .hint("remove them"));
    }
    Ok(())
}

/// SemVer of the same major version; a newer minor one may hold what we do not know.
fn version(text: &str, out: &mut Builder) -> Result<(), Error> {
    let bad = || {
        Error::new("ociVersion", format!("{text:?} is no version of the specification"))
            .hint(format!("write \"{OCI_VERSION}\""))
    };
    let core = text.split(['-', '+']).next().unwrap_or(text);
    let numbers: Vec<u32> =
        core.split('.').map(|part| part.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
    let [major, minor, _] = numbers[..] else { return Err(bad()) };
    if major != 1 {
        return Err(Error::new("ociVersion", format!("{text} is not supported"))
            .hint(format!("this runtime implements 1.0.0 to {OCI_VERSION}")));
    }
    let newest: u32 = OCI_VERSION.split('.').nth(1).and_then(|minor| minor.parse().ok()).unwrap_or(0);
    if minor > newest {
        out.warn(format!(
            "ociVersion: {text} is newer than {OCI_VERSION}: properties that it added are ignored"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for good in ["1.0.0", "1.0.2-dev", "1.3.0", "1.0.0-rc5", "1.2.1+build"] {
            assert!(version(good, &mut Builder::default()).is_ok(), "{good}");
        }
        for bad in ["", "banana", "2.0.0", "0.9.0", "1.0", "1", "1.0.0.0", "1.x.0"] {
            assert!(version(bad, &mut Builder::default()).is_err(), "{bad}");
        }
        let mut out = Builder::default();
        version("1.9.0", &mut out).unwrap();
        assert_eq!(out.warnings.len(), 1);
    }
}

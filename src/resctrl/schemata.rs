//! Lines such as `L3:0=7f0;1=1f`, compared by meaning: the kernel pads names, and writes masks in its own way.

/// Whether each setting of `line` is one of those in `present`, the content of a `schemata` file.
pub(super) fn in_force(line: &str, present: &str) -> bool {
    let Some((resource, wanted)) = parse(line) else { return false };
    let mut found = present.lines().filter_map(parse).filter(|(other, _)| *other == resource);
    found.any(|(_, settings)| wanted.iter().all(|setting| settings.contains(setting)))
}

/// The resource, and for each of its domains the setting.
fn parse(line: &str) -> Option<(&str, Vec<(&str, String)>)> {
    let (resource, settings) = line.split_once(':')?;
    let settings = settings.trim().split(';').map(|setting| {
        let (domain, value) = setting.split_once('=')?;
        Some((number(domain), number(value).to_ascii_lowercase()))
    });
    Some((resource.trim(), settings.collect::<Option<_>>()?))
}

/// Without blanks and leading zeros.
fn number(text: &str) -> &str {
    let text = text.trim();
    match text.trim_start_matches('0') {
        "" => &text[..text.len().min(1)],
        digits => digits,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRESENT: &str = "    MB:0=100;1= 20\n    L3:0=7f0;1=0001f\nL3CODE:0=ff\n";

    #[test]
    fn settings_are_compared_by_meaning() {
        for line in
            ["L3:0=7f0;1=1f", "L3:1=1F;0=07f0", "L3:0=7f0", "MB:0=100;1=20", "MB:01=20", " L3:0=7f0\n"]
        {
            assert!(in_force(line, PRESENT), "{line:?}");
        }
    }

    #[test]
    fn other_values_domains_and_resources_are_not_in_force() {
        for line in
            ["L3:0=7f", "L3:2=7f0", "L3:0=7f0;1=1e", "L2:0=7f0", "L3CODE:0=f", "L3", "L3:", "L3:0", ""]
        {
            assert!(!in_force(line, PRESENT), "{line:?}");
        }
    }
}

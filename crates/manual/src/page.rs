//! One man page: what the command line's definition knows, and the sections that a person wrote.
//!
//! A text is made of man(7) sections. One that it has takes the place of the generated one of the same name, and all
//! are put into the order of man-pages(7).

use clap::Command;
use clap_mangen::Man;

/// The sections that a page may have, in their order.
const ORDER: [&str; 10] = [
    "NAME",
    "SYNOPSIS",
    "DESCRIPTION",
    "OPTIONS",
    "COMMANDS",
    "EXIT STATUS",
    "ENVIRONMENT",
    "FILES",
    "EXAMPLES",
    "SEE ALSO",
];

/// The sections without which a page is not worth reading.
const WANTED: [&str; 3] = ["DESCRIPTION", "EXAMPLES", "SEE ALSO"];

/// What is wrong with a text.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("no section may be called {0:?}")]
    Unknown(String),
    #[error("section {0} is missing")]
    Missing(&'static str),
    #[error("must begin with a section")]
    Headless,
    #[error("cannot be rendered: {0}")]
    Render(std::io::ErrorKind),
}

/// The page of a command; `common` has the sections of all that have no such section of their own.
pub fn render(command: &Command, text: &str, common: &str, date: &str) -> Result<Vec<u8>, Error> {
    let (own, common) = (sections(text)?, sections(common)?);
    if let Some(missing) = WANTED.into_iter().find(|title| find(&own, title).is_none()) {
        return Err(Error::Missing(missing));
    }
    let man = Man::new(readable(command))
        .title(crate::page_name(command).to_uppercase())
        .section("8")
        .date(date)
        .source(concat!("hull ", env!("CARGO_PKG_VERSION")))
        .manual("Container Runtime");
    let mut page = Vec::new();
    man.render_title(&mut page).map_err(|err| Error::Render(err.kind()))?;
    for title in ORDER {
        if let Some(section) = find(&own, title) {
            page.extend_from_slice(section.as_bytes());
            continue;
        }
        let generated = match title {
            "NAME" => man.render_name_section(&mut page),
            "SYNOPSIS" => man.render_synopsis_section(&mut page),
            "OPTIONS" => man.render_options_section(&mut page),
            "COMMANDS" if command.has_subcommands() => man.render_subcommands_section(&mut page),
            _ => {
                page.extend_from_slice(find(&common, title).unwrap_or_default().as_bytes());
                Ok(())
            }
        };
        generated.map_err(|err| Error::Render(err.kind()))?;
    }
    Ok(page)
}

/// The command with a usage line as `--help` prints it, and a name for every value.
fn readable(command: &Command) -> Command {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    command.clone().override_usage(usage).subcommand_help_heading("COMMANDS").mut_args(|arg| {
        if arg.is_positional() || !arg.get_action().takes_values() || arg.get_value_names().is_some() {
            return arg;
        }
        let name = arg.get_id().to_string();
        arg.value_name(name)
    })
}

type Section<'a> = (&'a str, &'a str);

fn find<'a>(sections: &[Section<'a>], title: &str) -> Option<&'a str> {
    sections.iter().find(|section| section.0 == title).map(|section| section.1)
}

/// Titles and whole sections, heading included.
fn sections(text: &str) -> Result<Vec<Section<'_>>, Error> {
    const HEADING: &str = ".SH ";
    if !text.starts_with(HEADING) {
        return Err(Error::Headless);
    }
    let inner = text.match_indices("\n.SH ").map(|(newline, _)| newline + 1);
    let starts: Vec<usize> = std::iter::once(0).chain(inner).collect();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| {
            let section = &text[start..end];
            let title = section.lines().next().unwrap_or_default().trim_start_matches(HEADING);
            if ORDER.contains(&title) { Ok((title, section)) } else { Err(Error::Unknown(title.to_owned())) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    const TEXT: &str = ".SH SEE ALSO\nothers\n.SH DESCRIPTION\nIt does.\n.SH EXAMPLES\none\n";
    const COMMON: &str = ".SH EXIT STATUS\n0 or 1\n";

    fn command() -> Command {
        let mut command = Command::new("x").about("Does").arg(Arg::new("size").long("size").help("How big"));
        command.build();
        command
    }

    #[test]
    fn written_and_generated_sections_come_in_the_order_of_man_pages() {
        let page = String::from_utf8(render(&command(), TEXT, COMMON, "2026-01-31").unwrap()).unwrap();
        let titles: Vec<_> = page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
        let wanted = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"];
        assert_eq!(titles, wanted);
        assert!(page.contains("It does.") && page.contains("0 or 1"), "{page}");
        assert!(page.contains("<size>") && page.contains("How big"), "{page}");
    }

    #[test]
    fn a_text_that_lacks_or_invents_a_section_is_refused() {
        let refused = |text| render(&command(), text, COMMON, "").unwrap_err();
        assert_eq!(refused(".SH DESCRIPTION\nx\n.SH EXAMPLES\nx\n"), Error::Missing("SEE ALSO"));
        assert_eq!(refused(".SH BUGS\nnone\n"), Error::Unknown("BUGS".to_owned()));
        assert_eq!(refused("It does.\n"), Error::Headless);
    }
}

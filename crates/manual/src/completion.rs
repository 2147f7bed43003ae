//! Shell completions: clap's, and the ids of containers, which only `hull list` knows.

use clap::{Arg, Command, ValueHint};
use clap_complete::{Shell, generate};

/// The verbs whose id is a new one, which nothing can complete.
const NEW_ID: [&str; 4] = ["create", "run", "plan", "restore"];

/// Every script with its path below /usr/share, where the shell looks for it.
pub fn scripts() -> [(&'static str, Vec<u8>); 3] {
    let mut tree = offered(&hull::cli::tree());
    let verbs: Vec<_> = tree.get_subcommands().filter(|verb| takes_container(verb)).collect();
    let verbs: Vec<_> = verbs.into_iter().map(|verb| verb.get_name().to_owned()).collect();
    let mut script = |shell, completion: fn(&str, &[String]) -> String| {
        let mut generated = Vec::new();
        generate(shell, &mut tree, "hull", &mut generated);
        completion(&String::from_utf8_lossy(&generated), &verbs).into_bytes()
    };
    [
        ("bash-completion/completions/hull", script(Shell::Bash, bash)),
        ("zsh/site-functions/_hull", script(Shell::Zsh, zsh)),
        ("fish/vendor_completions.d/hull.fish", script(Shell::Fish, fish)),
    ]
}

fn takes_container(verb: &Command) -> bool {
    !NEW_ID.contains(&verb.get_name()) && verb.get_positionals().any(|arg| arg.get_id() == "id")
}

/// The command without its hidden options, and with an id where it parses it from among other words.
fn offered(command: &Command) -> Command {
    let hint = if NEW_ID.contains(&command.get_name()) { ValueHint::Other } else { ValueHint::Unknown };
    let mut offered = Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .version(command.get_version().unwrap_or_default().to_owned())
        .disable_version_flag(true);
    for arg in command.get_arguments() {
        offered = match arg.get_id().as_str() {
            "words" => {
                offered.arg(Arg::new("id").required(true).help("Container").value_hint(hint)).arg(arg.clone())
            }
            "id" => offered.arg(arg.clone().value_hint(hint)),
            _ if arg.is_hide_set() => offered,
            _ => offered.arg(arg.clone()),
        };
    }
    offered.subcommands(command.get_subcommands().map(self::offered))
}

/// Right after the verb or its options, where clap's function knows options at most, an id can stand.
fn bash(generated: &str, verbs: &[String]) -> String {
    let function = r#"
_hull_or_id() {
    local verbs="VERBS"
    _hull "$@"
    [[ $2 != -* && ${COMPREPLY[0]-} != [!-]* && $3 =~ ^(-.*|$verbs)$ ]] || return 0
    [[ " ${COMP_WORDS[*]:1:COMP_CWORD-1} " =~ " "($verbs)" " ]] || return 0
    mapfile -t COMPREPLY < <(compgen -W "$(hull list --quiet 2>/dev/null)" -- "$2")
}
complete -F _hull_or_id -o bashdefault -o default hull
"#;
    generated.to_owned() + &function.replace("VERBS", &verbs.join("|"))
}

/// clap asks `_default` for words that it knows nothing of; for ids this asks hull.
fn zsh(generated: &str, _: &[String]) -> String {
    let function = r##"#compdef hull

_hull_ids() {
    local -a ids=(${(f)"$(_call_program containers hull list --quiet 2>/dev/null)"})
    _wanted containers expl container compadd -a ids
}
"##;
    generated
        .replacen("#compdef hull\n", function, 1)
        .replace(":id -- Container:_default", ":id -- Container:_hull_ids")
}

fn fish(generated: &str, verbs: &[String]) -> String {
    let line = r#"complete -c hull -n "__fish_hull_using_subcommand VERBS" -f -a "(hull list --quiet 2>/dev/null)"
"#;
    generated.to_owned() + &line.replace("VERBS", &verbs.join(" "))
}

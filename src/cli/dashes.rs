//! One dash for two: runc's parser takes `-name` for `--name`, and containerd restores with `-no-subreaper`.

use std::ffi::OsString;

use clap::Command;

/// The words with two dashes before each long name, up to the first word that is no option.
pub fn doubled(command: &Command, words: &[OsString]) -> Vec<OsString> {
    let mut spelled = Vec::with_capacity(words.len());
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let Some(option) = word.to_str().filter(|word| word.starts_with('-') && *word != "--") else {
            spelled.push(word.clone());
            break;
        };
        let option = option.trim_start_matches('-');
        let (name, value) =
            option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let letter = |arg: &clap::Arg| name.chars().eq(arg.get_short());
        let long = |arg: &clap::Arg| arg.get_long() == Some(name);
        let arg = command.get_arguments().find(|arg| long(arg) || letter(arg));
        spelled.push(if arg.is_some_and(long) { format!("--{option}").into() } else { word.clone() });
        if value.is_none() && arg.is_some_and(|arg| arg.get_action().takes_values()) {
            spelled.extend(rest.next().cloned());
        }
    }
    spelled.extend(rest.cloned());
    spelled
}

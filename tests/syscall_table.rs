//! The table of system call numbers against libseccomp's, and the generator that wrote it.
//!
//! The numbers come from the headers that the kernel exports for every architecture; Debian ships them all in
//! `linux-libc-dev` (since 6.10). Unpack one or more versions of it and run
//! `HULL_UAPI=new/usr/lib/linux/uapi:old/usr/lib/linux/uapi cargo test --test syscall_table -- --ignored`.
//! The first folder that has a call decides; an old one adds what newer kernels dropped (31-bit s390).
#![cfg(target_env = "gnu")]

use std::collections::BTreeMap;
use std::path::Path;

use hull::plan::seccomp::{Arch, Syscall};
use libseccomp::{ScmpArch, ScmpSyscall};

/// The columns of the table, in its order: the header of each and libseccomp's name for it, where it has one.
const COLUMNS: [(&str, &str, Arch, Option<ScmpArch>); 18] = [
    ("x86", "x86/asm/unistd_32.h", Arch::X86, Some(ScmpArch::X86)),
    ("x86_64", "x86/asm/unistd_64.h", Arch::X86_64, Some(ScmpArch::X8664)),
    ("x32", "x86/asm/unistd_x32.h", Arch::X32, Some(ScmpArch::X32)),
    ("arm", "arm/asm/unistd-eabi.h", Arch::Arm, Some(ScmpArch::Arm)),
    ("aarch64", "arm64/asm/unistd_64.h", Arch::Aarch64, Some(ScmpArch::Aarch64)),
    ("mips", "mips/asm/unistd_o32.h", Arch::Mips, Some(ScmpArch::Mips)),
    ("mips64", "mips/asm/unistd_n64.h", Arch::Mips64, Some(ScmpArch::Mips64)),
    ("mips64n32", "mips/asm/unistd_n32.h", Arch::Mips64n32, Some(ScmpArch::Mips64N32)),
    ("ppc", "powerpc/asm/unistd_32.h", Arch::Ppc, Some(ScmpArch::Ppc)),
    ("ppc64", "powerpc/asm/unistd_64.h", Arch::Ppc64, Some(ScmpArch::Ppc64)),
    ("s390", "s390/asm/unistd_32.h", Arch::S390, Some(ScmpArch::S390)),
    ("s390x", "s390/asm/unistd_64.h", Arch::S390x, Some(ScmpArch::S390X)),
    ("parisc", "parisc/asm/unistd_32.h", Arch::Parisc, Some(ScmpArch::Parisc)),
    ("parisc64", "parisc/asm/unistd_64.h", Arch::Parisc64, Some(ScmpArch::Parisc64)),
    ("riscv64", "riscv/asm/unistd_64.h", Arch::Riscv64, Some(ScmpArch::Riscv64)),
    ("loongarch64", "loongarch/asm/unistd_64.h", Arch::Loongarch64, None),
    ("m68k", "m68k/asm/unistd_32.h", Arch::M68k, None),
    ("sh", "sh/asm/unistd_32.h", Arch::Sh, None),
];

/// ARM's private calls, which its header spells differently: their numbers start at 0xf0000.
const ARM_PRIVATE: [(&str, u16); 6] = [
    ("breakpoint", 0xf001),
    ("cacheflush", 0xf002),
    ("usr26", 0xf003),
    ("usr32", 0xf004),
    ("set_tls", 0xf005),
    ("get_tls", 0xf006),
];

#[test]
fn every_number_agrees_with_libseccomp() {
    // libseccomp lists a call that the kernel's own table gives to 32-bit parisc alone.
    let theirs_alone = [("_llseek", "parisc64")];
    let mut compared = 0;
    for call in Syscall::all() {
        for (column, _, arch, scmp) in COLUMNS {
            // Below zero are libseccomp's placeholders: unknown here, or multiplexed.
            let theirs = scmp
                .and_then(|scmp| ScmpSyscall::from_name_by_arch(call.name(), scmp).ok())
                .and_then(|number| u32::try_from(i32::from(number)).ok());
            if let Some(theirs) = theirs
                && !theirs_alone.contains(&(call.name(), column))
            {
                assert_eq!(call.number(arch), Some(theirs), "{} on {column}", call.name());
                compared += 1;
            }
        }
    }
    assert!(compared > 5000, "compared only {compared} numbers");
}

#[test]
fn no_name_that_libseccomp_knows_is_missing() {
    for (column, _, arch, scmp) in COLUMNS {
        let Some(scmp) = scmp else { continue };
        let base = Syscall::named("exit").and_then(|exit| exit.number(arch)).unwrap() & !0xff;
        for number in base - base % 1000..base - base % 1000 + 600 {
            let Ok(name) = ScmpSyscall::from(number.cast_signed()).get_name_by_arch(scmp) else { continue };
            let ours =
                Syscall::named(&name).unwrap_or_else(|| panic!("{name} of {column} is not in the table"));
            assert!(ours.number(arch).is_some() || name == "_llseek", "{name} has no number on {column}");
        }
    }
}

#[test]
#[ignore = "rewrites src/plan/seccomp/syscalls.table from the kernel's headers in HULL_UAPI"]
fn regenerate() {
    let folders = std::env::var("HULL_UAPI").expect("HULL_UAPI names folders of exported kernel headers");
    let mut table = BTreeMap::<String, [Option<u16>; 18]>::new();
    for (column, (_, header, ..)) in COLUMNS.iter().enumerate() {
        for folder in folders.split(':') {
            let Ok(text) = std::fs::read_to_string(Path::new(folder).join(header)) else { continue };
            for (name, number) in text.lines().filter_map(define) {
                table.entry(name.to_owned()).or_default()[column].get_or_insert(number);
            }
        }
        assert!(table.values().any(|row| row[column].is_some()), "no folder has {header}");
    }
    let arm = COLUMNS.iter().position(|column| column.0 == "arm").unwrap();
    for (name, number) in ARM_PRIVATE {
        table.entry(name.to_owned()).or_default()[arm] = Some(number);
    }
    let sync_file_range2 = table["arm_sync_file_range"][arm];
    table.get_mut("sync_file_range2").unwrap()[arm] = sync_file_range2;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan/seccomp/syscalls.table");
    #[expect(clippy::disallowed_methods, reason = "a source file, written by its developer")]
    std::fs::write(path, render(&table)).unwrap();
}

/// `#define __NR_name (base + number)`, without the base.
fn define(line: &str) -> Option<(&str, u16)> {
    let (name, value) = line.strip_prefix("#define __NR_")?.split_once([' ', '\t'])?;
    let value = value.trim().trim_end_matches(')');
    let number = value.rsplit_once('+').map_or(value, |(_, offset)| offset.trim()).parse().ok()?;
    let placeholder = ["reserved", "unused"].iter().any(|word| {
        name.strip_prefix(word).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let is_call =
        !placeholder && !name.contains("syscalls") && !name.bytes().any(|byte| byte.is_ascii_uppercase());
    is_call.then_some((name, number))
}

fn render(table: &BTreeMap<String, [Option<u16>; 18]>) -> String {
    let names: String = table.keys().map(|name| format!("    {name} \\\n")).collect();
    let columns = COLUMNS.map(|column| column.0).join(", ");
    let cell = |cell: &Option<u16>| cell.map_or("X".to_owned(), |number| number.to_string());
    let rows: String = (table.iter())
        .map(|(name, row)| format!("    [{}], // {name}\n", row.each_ref().map(cell).join(", ")))
        .collect();
    let length = table.len();
    format!(
        "// Numbers of all system calls, written by tests/syscall_table.rs.\n\n\
         /// Names in byte order, each followed by a space.\n\
         const NAMES: &str = \"\\\n{names}\";\n\n\
         /// One row for each name: {columns}.\n\
         static NUMBERS: [[u16; COLUMNS]; {length}] = [\n{rows}];\n"
    )
}

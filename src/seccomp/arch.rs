//! What the kernel's seccomp_data looks like on each architecture.

use crate::plan::seccomp::Arch;

/// The architecture of this build.
pub const NATIVE: Arch = if cfg!(target_arch = "x86_64") {
    Arch::X86_64
} else if cfg!(target_arch = "aarch64") {
    Arch::Aarch64
} else if cfg!(target_arch = "riscv64") {
    Arch::Riscv64
} else if cfg!(target_arch = "loongarch64") {
    Arch::Loongarch64
} else if cfg!(target_arch = "s390x") {
    Arch::S390x
} else if cfg!(all(target_arch = "powerpc64", target_endian = "little")) {
    Arch::Ppc64le
} else if cfg!(target_arch = "arm") {
    Arch::Arm
} else if cfg!(target_arch = "x86") {
    Arch::X86
} else {
    panic!("hull does not know the seccomp architecture of this target")
};

/// __AUDIT_ARCH_64BIT.
const WIDE: u32 = 0x8000_0000;

/// __AUDIT_ARCH_LE.
const LITTLE: u32 = 0x4000_0000;

/// __AUDIT_ARCH_CONVENTION_MIPS64_N32.
const N32: u32 = 0x2000_0000;

/// AUDIT_ARCH_*: an ELF machine number with flags. x32 shares that of x86_64.
pub(super) const fn audit(arch: Arch) -> u32 {
    match arch {
        Arch::X86 => 3 | LITTLE,
        Arch::X86_64 | Arch::X32 => 62 | WIDE | LITTLE,
        Arch::Arm => 40 | LITTLE,
        Arch::Aarch64 => 183 | WIDE | LITTLE,
        Arch::Mips => 8,
        Arch::Mips64 => 8 | WIDE,
        Arch::Mips64n32 => 8 | WIDE | N32,
        Arch::Mipsel => 8 | LITTLE,
        Arch::Mipsel64 => 8 | WIDE | LITTLE,
        Arch::Mipsel64n32 => 8 | WIDE | N32 | LITTLE,
        Arch::Ppc => 20,
        Arch::Ppc64 => 21 | WIDE,
        Arch::Ppc64le => 21 | WIDE | LITTLE,
        Arch::S390 => 22,
        Arch::S390x => 22 | WIDE,
        Arch::Parisc => 15,
        Arch::Parisc64 => 15 | WIDE,
        Arch::Riscv64 => 243 | WIDE | LITTLE,
        Arch::Loongarch64 => 258 | WIDE | LITTLE,
        Arch::M68k => 4,
        Arch::Sh => 42 | LITTLE,
        Arch::Sheb => 42,
    }
}

/// Whether arguments are compared in all 64 bits. As with libseccomp, x32 and n32 count as 32-bit machines though
/// their registers are wide.
pub(super) const fn is_wide(arch: Arch) -> bool {
    audit(arch) & WIDE != 0 && !matches!(arch, Arch::X32 | Arch::Mips64n32 | Arch::Mipsel64n32)
}

/// Whether the low half of a 64-bit value comes first.
pub(super) const fn is_little_endian(arch: Arch) -> bool {
    audit(arch) & LITTLE != 0
}

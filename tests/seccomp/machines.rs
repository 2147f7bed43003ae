//! What the kernel of each machine tells a filter.

use hull::spec::Arch;
use libseccomp::ScmpArch;

/// One architecture.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    pub arch: Arch,
    pub scmp: ScmpArch,
    /// AUDIT_ARCH_* of linux/audit.h.
    pub audit: u32,
    /// Where its numbers start.
    pub base: u32,
}

const fn machine(arch: Arch, scmp: ScmpArch, audit: u32, base: u32) -> Machine {
    Machine { arch, scmp, audit, base }
}

/// Machines that one kernel can run together, in families of one byte order; the first is the kernel's own.
pub const FAMILIES: [(&[Machine], bool); 12] = [
    (
        &[
            machine(Arch::X86_64, ScmpArch::X8664, 0xc000_003e, 0),
            machine(Arch::X86, ScmpArch::X86, 0x4000_0003, 0),
            machine(Arch::X32, ScmpArch::X32, 0xc000_003e, 0x4000_0000),
        ],
        false,
    ),
    (&[machine(Arch::X86, ScmpArch::X86, 0x4000_0003, 0)], false),
    (
        &[
            machine(Arch::Aarch64, ScmpArch::Aarch64, 0xc000_00b7, 0),
            machine(Arch::Arm, ScmpArch::Arm, 0x4000_0028, 0),
        ],
        false,
    ),
    (
        &[
            machine(Arch::Mips64, ScmpArch::Mips64, 0x8000_0008, 5000),
            machine(Arch::Mips, ScmpArch::Mips, 0x0000_0008, 4000),
            machine(Arch::Mips64n32, ScmpArch::Mips64N32, 0xa000_0008, 6000),
        ],
        true,
    ),
    (
        &[
            machine(Arch::Mipsel64, ScmpArch::Mipsel64, 0xc000_0008, 5000),
            machine(Arch::Mipsel, ScmpArch::Mipsel, 0x4000_0008, 4000),
            machine(Arch::Mipsel64n32, ScmpArch::Mipsel64N32, 0xe000_0008, 6000),
        ],
        false,
    ),
    (
        &[
            machine(Arch::Ppc64, ScmpArch::Ppc64, 0x8000_0015, 0),
            machine(Arch::Ppc, ScmpArch::Ppc, 0x0000_0014, 0),
        ],
        true,
    ),
    (&[machine(Arch::Ppc64le, ScmpArch::Ppc64Le, 0xc000_0015, 0)], false),
    (
        &[
            machine(Arch::S390x, ScmpArch::S390X, 0x8000_0016, 0),
            machine(Arch::S390, ScmpArch::S390, 0x0000_0016, 0),
        ],
        true,
    ),
    (
        &[
            machine(Arch::Parisc64, ScmpArch::Parisc64, 0x8000_000f, 0),
            machine(Arch::Parisc, ScmpArch::Parisc, 0x0000_000f, 0),
        ],
        true,
    ),
    (&[machine(Arch::Riscv64, ScmpArch::Riscv64, 0xc000_00f3, 0)], false),
    (&[machine(Arch::Arm, ScmpArch::Arm, 0x4000_0028, 0)], false),
    (&[machine(Arch::X86_64, ScmpArch::X8664, 0xc000_003e, 0)], false),
];

//! bpf(2), as far as device programs of cgroups need it.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use super::Errno;
use super::fd::owned;

/// One instruction, in the kernel's layout (`struct bpf_insn`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub struct Insn {
    /// Operation.
    pub code: u8,
    /// Source register in the high half, destination in the low one (little endian machines).
    pub registers: u8,
    /// Jump or memory offset.
    pub offset: i16,
    /// Constant.
    pub immediate: i32,
}

const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const PROG_DETACH: i32 = 9;
const PROG_GET_FD_BY_ID: i32 = 13;
const OBJ_GET_INFO_BY_FD: i32 = 15;
const PROG_QUERY: i32 = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_TYPE_CGROUP_DEVICE: u32 = 6;
const F_ALLOW_MULTI: u32 = 2;
const F_REPLACE: u32 = 4;

/// The start of `union bpf_attr` for BPF_PROG_LOAD.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    insn_count: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kernel_version: u32,
    flags: u32,
    name: Name,
}

/// The name of a program: by it we know our own again among those of others.
pub type Name = [u8; 16];

/// The start of `union bpf_attr` for BPF_PROG_ATTACH and BPF_PROG_DETACH.
#[repr(C)]
#[derive(Default)]
struct Attach {
    target: u32,
    program: u32,
    kind: u32,
    flags: u32,
    replaced: u32,
}

/// The start of `union bpf_attr` for BPF_PROG_QUERY.
#[repr(C)]
#[derive(Default)]
struct Query {
    target: u32,
    kind: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    pad: u32,
}

/// The start of `union bpf_attr` for BPF_PROG_GET_FD_BY_ID.
#[repr(C)]
#[derive(Default)]
struct ById {
    id: u32,
    next: u32,
    flags: u32,
}

/// `union bpf_attr` for BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Default)]
struct InfoByFd {
    object: u32,
    length: u32,
    info: u64,
}

/// The start of `struct bpf_prog_info`, up to the name.
#[repr(C)]
#[derive(Default)]
struct ProgramInfo {
    before: [u64; 8],
    name: Name,
}

fn bpf<T>(command: i32, attr: &mut T) -> Result<libc::c_long, Errno> {
    // SAFETY: attr is a plain struct of the size passed; the kernel takes missing tail fields as zero. Every pointer
    // in it was made from a reference that its caller holds across this call.
    let ret = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    Errno::result(ret)
}

fn number(fd: BorrowedFd) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// BPF_PROG_LOAD of a device program.
pub fn load_device_program(program: &[Insn], name: Name) -> Result<OwnedFd, Errno> {
    let insn_count = u32::try_from(program.len()).map_err(|_| Errno::E2BIG)?;
    let (insns, license) = (program.as_ptr().addr() as u64, c"Apache-2.0".as_ptr().addr() as u64);
    let mut attr =
        Load { kind: PROG_TYPE_CGROUP_DEVICE, insn_count, insns, license, name, ..Load::default() };
    owned(bpf(PROG_LOAD, &mut attr)?)
}

/// BPF_PROG_ATTACH beside the programs that are there, or in place of one of them, atomically (kernel 5.6).
pub fn attach_device_program(
    cgroup: BorrowedFd,
    program: BorrowedFd,
    replaced: Option<BorrowedFd>,
) -> Result<(), Errno> {
    let mut attr = Attach {
        target: number(cgroup),
        program: number(program),
        kind: ATTACH_TYPE_CGROUP_DEVICE,
        flags: F_ALLOW_MULTI | replaced.map_or(0, |_| F_REPLACE),
        replaced: replaced.map_or(0, number),
    };
    bpf(PROG_ATTACH, &mut attr).map(drop)
}

/// BPF_PROG_DETACH.
pub fn detach_device_program(cgroup: BorrowedFd, program: BorrowedFd) -> Result<(), Errno> {
    let kind = ATTACH_TYPE_CGROUP_DEVICE;
    let mut attr = Attach { target: number(cgroup), program: number(program), kind, ..Attach::default() };
    bpf(PROG_DETACH, &mut attr).map(drop)
}

/// BPF_PROG_QUERY: ids of the programs attached to this very cgroup; the kernel allows 64 at most.
pub fn device_programs(cgroup: BorrowedFd) -> Result<Vec<u32>, Errno> {
    let mut ids = [0u32; 64];
    let mut attr = Query { target: number(cgroup), kind: ATTACH_TYPE_CGROUP_DEVICE, ..Query::default() };
    (attr.ids, attr.count) = (ids.as_mut_ptr().addr() as u64, 64);
    bpf(PROG_QUERY, &mut attr)?;
    let count = usize::try_from(attr.count).unwrap_or(0).min(ids.len());
    Ok(ids[..count].to_vec())
}

/// BPF_PROG_GET_FD_BY_ID.
pub fn program_by_id(id: u32) -> Result<OwnedFd, Errno> {
    owned(bpf(PROG_GET_FD_BY_ID, &mut ById { id, ..ById::default() })?)
}

/// BPF_OBJ_GET_INFO_BY_FD: a program's name.
pub fn program_name(program: BorrowedFd) -> Result<Name, Errno> {
    let mut info = ProgramInfo::default();
    let length = u32::try_from(size_of::<ProgramInfo>()).map_err(|_| Errno::EINVAL)?;
    let place = std::ptr::from_mut(&mut info).addr() as u64;
    bpf(OBJ_GET_INFO_BY_FD, &mut InfoByFd { object: number(program), length, info: place })?;
    Ok(info.name)
}

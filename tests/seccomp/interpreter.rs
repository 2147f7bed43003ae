//! Classic BPF as the kernel runs it on struct seccomp_data.

use hull::sys::seccomp::Instruction;

/// struct seccomp_data; the instruction pointer is of no interest.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    pub number: u32,
    pub audit: u32,
    pub args: [u64; 6],
}

impl Call {
    /// As it lies in memory.
    fn bytes(&self, big_endian: bool) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (word, long) = match big_endian {
            true => (u32::to_be_bytes as fn(u32) -> [u8; 4], u64::to_be_bytes as fn(u64) -> [u8; 8]),
            false => (u32::to_le_bytes as fn(u32) -> [u8; 4], u64::to_le_bytes as fn(u64) -> [u8; 8]),
        };
        bytes[..4].copy_from_slice(&word(self.number));
        bytes[4..8].copy_from_slice(&word(self.audit));
        for (i, &arg) in self.args.iter().enumerate() {
            bytes[16 + 8 * i..][..8].copy_from_slice(&long(arg));
        }
        bytes
    }
}

/// Runs a program; panics where the kernel would have refused to load it.
pub fn run(program: &[Instruction], call: &Call, big_endian: bool) -> u32 {
    let data = call.bytes(big_endian);
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let branch = |taken| usize::from(if taken { jt } else { jf });
        match u32::from(code) {
            0x20 => {
                assert!(k % 4 == 0 && k < 64, "load at {k}");
                let word = data[k as usize..][..4].try_into().unwrap();
                accumulator = if big_endian { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) };
            }
            0x54 => accumulator &= k,
            0x05 => at += k as usize,
            0x15 => at += branch(accumulator == k),
            0x25 => at += branch(accumulator > k),
            0x35 => at += branch(accumulator >= k),
            0x45 => at += branch(accumulator & k != 0),
            0x06 => return k,
            code => panic!("unknown instruction {code:#x}"),
        }
    }
}
